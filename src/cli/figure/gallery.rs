//! `bagssl gallery`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::style::{FigureStyle, GridStyle, figure, grid_style};
use crate::cli::shared::{Commander, QueryArgs, among_words, search_request, show};
use crate::engine::SearchReport;
use crate::engine::facts::DataSpec;
use crate::engine::jobs::figures::{GallerySource, Haystack, QueryChoice};
use crate::engine::{FigureContent, FigureKind, Outputs, jobs};
use crate::words::count;

#[derive(Args)]
pub struct GalleryArgs {
    #[command(flatten)]
    pub query: QueryArgs,
    #[arg(long)]
    pub out: PathBuf,
    /// Spaces, such as z,h [default: z,h, as far as they are there]
    #[arg(long, value_delimiter = ',')]
    pub space: Vec<String>,
    /// Where the images of the bank lie, if they were moved
    #[arg(long)]
    pub data: Option<DataSpec>,
    #[command(flatten)]
    pub grid: GridStyle,
    #[command(flatten)]
    pub style: FigureStyle,
}

/// What is read for galleries.
pub fn gallery_inputs(haystack: &Haystack, beside: Option<&Path>) -> Outputs {
    let outputs = match haystack {
        Haystack::Bank { folder, data } => {
            Outputs::default().reads("--bank", &**folder).reads_data("--data", data.as_ref())
        }
        Haystack::Fresh { model, source, .. } => {
            Outputs::default().reads_model("--model", model).reads_data("--data", &source.data)
        }
    };
    outputs.reads("--beside", beside)
}

impl Commander {
    pub fn gallery(&self, args: GalleryArgs) -> anyhow::Result<()> {
        let style = grid_style(&args.style, &args.grid);
        let search = search_request(args.query, self.shared.cache());
        let content =
            FigureContent { neighbours: search.k, ..FigureContent::new(FigureKind::Galleries, args.space) };
        let source = GallerySource {
            haystack: Haystack::Bank { folder: search.bank, data: args.data },
            beside: None,
            queries: vec![search.query],
            choice: QueryChoice { count: 1, skip: 0, index: None },
            filter: search.filter,
            way: search.way,
            cache: search.cache,
        };
        let outputs = gallery_inputs(&source.haystack, None);
        let (request, output) = figure(content, style, (args.out, args.style.caption), outputs)?;
        let report = self.job(|job| jobs::figures::gallery(request, &source, &output, job))?;
        show(self.json(), &report, || {
            let of_space = |s: &SearchReport| {
                let count = count(s.neighbours.len(), "patch");
                format!("{count} nearest in {}, {}", s.space, among_words(s))
            };
            let spaces: Vec<String> = report.spaces.iter().map(of_space).collect();
            let (out, warning) = (report.files.out.display(), report.files.warning_line());
            format!("{out}: {}{warning}", spaces.join("; "))
        })
    }
}
