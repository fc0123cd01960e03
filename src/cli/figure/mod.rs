//! `bagssl heatmap`, `gallery` and `figure`.

mod paper;
mod style;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;
use clap::Args;

use super::args::{ModelArgs, pixels};
use super::bank::{QueryArgs, search_request};
use super::commander::Commander;
use super::output::show;
use crate::engine::compose::Style;
use crate::engine::facts::PatchSpace;
use crate::engine::jobs;
use crate::engine::jobs::figures::{GalleryRequest, HeatmapRequest};
use crate::patch::PatchGrid;
use paper::PaperFigure;
use style::{FigureStyle, GridStyle, MapStyle, grid_style, map_style, output};

#[derive(Args)]
pub struct HeatmapArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[arg(long)]
    pub image: PathBuf,
    /// Scale the short side to N x 256/224 and take the centre N x N
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..=8192))]
    pub fit: Option<u32>,
    /// Patch size, pixels
    #[arg(long, value_parser = pixels())]
    pub patch: u32,
    /// Distance between patches, pixels
    #[arg(long, value_parser = pixels())]
    pub stride: u32,
    /// X,Y: centre of the query patch, pixels
    #[arg(long, value_name = "X,Y")]
    pub at: Point,
    #[arg(long)]
    pub out: PathBuf,
    #[arg(long, value_delimiter = ',', default_value = "z,h")]
    pub space: Vec<PatchSpace>,
    /// Also write the cosines as a float32 array [spaces, rows, cols]
    #[arg(long, value_name = "FILE.npy")]
    pub values: Option<PathBuf>,
    #[command(flatten)]
    pub maps: MapStyle,
    #[command(flatten)]
    pub style: FigureStyle,
}

/// `X,Y`.
#[derive(Clone, Copy)]
pub struct Point {
    pub x: f32,
    pub y: f32,
}

impl FromStr for Point {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let place =
            text.split_once(',').and_then(|(x, y)| Some((x.trim().parse().ok()?, y.trim().parse().ok()?)));
        let (x, y) = place.with_context(|| format!("\"{text}\": expected X,Y in pixels, such as 112,80"))?;
        Ok(Self { x, y })
    }
}

#[derive(Args)]
pub struct GalleryArgs {
    #[command(flatten)]
    pub query: QueryArgs,
    #[arg(long)]
    pub out: PathBuf,
    #[arg(long, value_delimiter = ',', default_value = "z,h")]
    pub space: Vec<String>,
    /// Where the images of the bank lie, if they were moved
    #[arg(long)]
    pub data: Option<String>,
    #[command(flatten)]
    pub grid: GridStyle,
    #[command(flatten)]
    pub style: FigureStyle,
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct FigureArgs {
    #[command(subcommand)]
    pub paper: Option<PaperFigure>,
    /// SIDECAR.json of a figure, or a run folder for its loss curve
    #[arg(required = true)]
    pub source: Option<PathBuf>,
    #[arg(long, required = true)]
    pub out: Option<PathBuf>,
    /// Pixels per inch of a PNG; as recorded unless told
    #[arg(long)]
    pub dpi: Option<u32>,
    /// Also write the caption, as a LaTeX figure environment
    #[arg(long, value_name = "FILE.tex")]
    pub caption: Option<PathBuf>,
}

impl Commander {
    pub fn heatmap(&self, args: HeatmapArgs) -> anyhow::Result<()> {
        let look = map_style(&args.style, &args.maps);
        let request = HeatmapRequest {
            model: args.model.into(),
            image: args.image,
            fit: args.fit,
            grid: PatchGrid::new(args.patch, args.stride)?,
            at: (args.at.x, args.at.y),
            spaces: args.space,
            values: args.values,
            output: output(args.out, args.style, look),
        };
        let report = self.job(|job| jobs::figures::heatmap(&request, job))?;
        show(self.json(), &report, || {
            let spaces = report.spaces.iter();
            let spaces =
                spaces.map(|(name, s)| format!("{name} {:.2} to {:.2}, mean {:.2}", s.min, s.max, s.mean));
            format!(
                "{}: {} x {} patches, query at y {}, x {}; {}",
                report.files.out.display(),
                report.rows,
                report.cols,
                report.query.y,
                report.query.x,
                spaces.collect::<Vec<_>>().join("; ")
            )
        })
    }

    pub fn gallery(&self, args: GalleryArgs) -> anyhow::Result<()> {
        let look = grid_style(&args.style, &args.grid);
        let request = GalleryRequest {
            search: search_request(args.query),
            spaces: args.space,
            data: args.data,
            output: output(args.out, args.style, look),
        };
        let report = jobs::figures::gallery(&request)?;
        show(self.json(), &report, || {
            let spaces = report.spaces.iter();
            let spaces = spaces.map(|s| format!("{} in {}", s.neighbours.len(), s.space)).collect::<Vec<_>>();
            format!("{}: neighbours {}", report.files.out.display(), spaces.join(", "))
        })
    }

    pub fn figure(&self, args: FigureArgs) -> anyhow::Result<()> {
        if let Some(figure) = args.paper {
            return self.paper_figure(figure);
        }
        let (source, out) =
            (args.source.context("SOURCE is missing")?, args.out.context("--out is missing")?);
        let written = if source.is_dir() {
            let dpi = args.dpi.unwrap_or(Style::default().dpi);
            jobs::train::loss_curve(&source, &out, dpi, args.caption.as_deref())?
        } else if is_unknown_name(&source) {
            anyhow::bail!(
                "there is no figure {}; expected fig4 to fig12, the sidecar of a figure (.json) or a run folder",
                source.display()
            )
        } else {
            jobs::figures::again(&source, &out, args.dpi, args.caption.as_deref())?
        };
        show(self.json(), &written, || written.out.display().to_string())
    }
}

/// Whether `source` is no file, and looks like the name of a figure.
fn is_unknown_name(source: &Path) -> bool {
    let name = source.to_str().and_then(|name| name.strip_prefix("fig"));
    let is_name = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit()) && !rest.contains(['.', '/']);
    name.is_some_and(is_name) && !source.exists()
}
