//! `bagssl gallery`.

use std::path::PathBuf;

use clap::Args;

use super::style::{FigureStyle, GridStyle, grid_style, output};
use crate::cli::shared::{Commander, QueryArgs, search_request, show};
use crate::engine::jobs;
use crate::engine::jobs::figures::GalleryRequest;

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

impl Commander {
    pub fn gallery(&self, args: GalleryArgs) -> anyhow::Result<()> {
        let look = grid_style(&args.style, &args.grid);
        let request = GalleryRequest {
            search: search_request(args.query),
            spaces: args.space,
            data: args.data.into(),
            output: output(args.out, args.style, look),
        };
        let report = jobs::figures::gallery(&request)?;
        show(self.json(), &report, || {
            let spaces = report.spaces.iter();
            let spaces = spaces.map(|s| format!("{} in {}", s.neighbours.len(), s.space)).collect::<Vec<_>>();
            format!("{}: neighbours {}", report.files.out.display(), spaces.join(", "))
        })
    }
}
