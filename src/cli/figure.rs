//! `bagssl heatmap`, `gallery` and `figure`.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::args::{ModelArgs, pixels};
use super::bank::{QueryArgs, search_request};
use super::commander::Commander;
use super::output::show;
use crate::colormap::Colormap;
use crate::engine::compose::Style;
use crate::engine::facts::Space;
use crate::engine::jobs;
use crate::engine::jobs::figures::{GalleryRequest, HeatmapRequest};
use crate::patch::PatchGrid;

/// How figures look.
#[derive(Args)]
pub struct FigureStyle {
    /// Page width in inches: 3.25 (a column), 5.5 or 6.75
    #[arg(long, default_value_t = 6.75)]
    pub width: f32,
    /// Pixels per inch of a PNG
    #[arg(long, default_value_t = 300)]
    pub dpi: u32,
    #[arg(long, value_enum, default_value_t)]
    pub colormap: Colormap,
    /// Ends of the colour scale, such as -1,1
    #[arg(long, value_name = "LOW,HIGH", default_value = "-1,1", allow_hyphen_values = true)]
    pub range: Ends,
}

/// `LOW,HIGH`.
#[derive(Clone, Copy)]
pub struct Ends(pub [f32; 2]);

impl FromStr for Ends {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ends = text.split_once(',').and_then(|(low, high)| {
            Some([low.trim().parse::<f32>().ok()?, high.trim().parse::<f32>().ok()?])
        });
        let ends = ends.filter(|[low, high]| low.is_finite() && high.is_finite() && low < high);
        ends.map(Self)
            .with_context(|| format!("\"{text}\": expected LOW,HIGH with LOW below HIGH, such as -1,1"))
    }
}

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
    pub space: Vec<Space>,
    /// Also write the cosines as a float32 array [spaces, rows, cols]
    #[arg(long, value_name = "FILE.npy")]
    pub values: Option<PathBuf>,
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
    pub style: FigureStyle,
}

#[derive(Args)]
pub struct FigureArgs {
    /// SIDECAR.json of a figure, or a run folder for its loss curve
    pub source: PathBuf,
    #[arg(long)]
    pub out: PathBuf,
    /// Pixels per inch of a PNG; as recorded unless told
    #[arg(long)]
    pub dpi: Option<u32>,
}

impl Commander {
    pub fn heatmap(&self, args: HeatmapArgs) -> anyhow::Result<()> {
        let request = HeatmapRequest {
            model: args.model.into(),
            image: args.image,
            fit: args.fit,
            grid: PatchGrid::new(args.patch, args.stride)?,
            at: (args.at.x, args.at.y),
            spaces: args.space,
            dpi: args.style.dpi,
            style: style(&args.style),
            out: args.out,
            values: args.values,
        };
        let report = self.job(|job| jobs::figures::heatmap(&request, job))?;
        show(self.json(), &report, || {
            let spaces = report.spaces.iter();
            let spaces =
                spaces.map(|(name, s)| format!("{name} {:.2} to {:.2}, mean {:.2}", s.min, s.max, s.mean));
            format!(
                "{}: {} x {} patches, query at y {}, x {}; {}",
                report.out.display(),
                report.rows,
                report.cols,
                report.query.y,
                report.query.x,
                spaces.collect::<Vec<_>>().join("; ")
            )
        })
    }

    pub fn gallery(&self, args: GalleryArgs) -> anyhow::Result<()> {
        let request = GalleryRequest {
            search: search_request(args.query),
            spaces: args.space,
            data: args.data,
            dpi: args.style.dpi,
            style: style(&args.style),
            out: args.out,
        };
        let report = jobs::figures::gallery(&request)?;
        show(self.json(), &report, || {
            let spaces = report.spaces.iter();
            let spaces = spaces.map(|s| format!("{} in {}", s.neighbours.len(), s.space)).collect::<Vec<_>>();
            format!("{}: neighbours {}", report.out.display(), spaces.join(", "))
        })
    }

    pub fn figure(&self, args: FigureArgs) -> anyhow::Result<()> {
        let saved = if args.source.is_dir() {
            jobs::train::loss_curve(&args.source, &args.out, args.dpi.unwrap_or(300))?
        } else {
            jobs::figures::again(&args.source, &args.out, args.dpi)?
        };
        show(self.json(), &json!({ "out": saved.out, "sidecar": saved.sidecar }), || {
            saved.out.display().to_string()
        })
    }
}

fn style(args: &FigureStyle) -> Style {
    Style { width_in: args.width, colormap: args.colormap, range: args.range.0 }
}
