//! `bagssl scatter`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::shared::{Commander, PlotArgs, QueryPlace, positive, show, thousands};
use crate::colormap::Colormap;
use crate::engine::facts::{DataSpec, PlaneWay};
use crate::engine::jobs::plot;
use crate::engine::jobs::scatter::{ScatterReport, ScatterRequest};
use crate::engine::{Outputs, PointColor, jobs};

#[derive(Args)]
pub struct ScatterArgs {
    /// Folder of a bank
    pub bank: PathBuf,
    /// The space whose vectors are laid out, such as h
    #[arg(long)]
    pub space: String,
    /// What lays them out: the first two principal components, or t-SNE
    #[arg(long, value_enum, default_value = "pca")]
    pub by: PlaneWay,
    /// What the points are coloured by
    #[arg(long, value_enum, default_value = "class")]
    pub color: ColorArg,
    /// IMAGE:Y:X, a patch of the bank to mark, and for cosines
    #[arg(long, required_if_eq("color", "cosine"))]
    pub query: Option<QueryPlace>,
    /// Lay out N patches at most, drawn by the seed; 1,048,576 unless told, of t-SNE 10,000
    #[arg(long, value_name = "N", value_parser = positive())]
    pub most: Option<usize>,
    /// Where the images of the bank lie, if they were moved
    #[arg(long)]
    pub data: Option<DataSpec>,
    /// Draw the points: .svg, .pdf or .png
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Write every patch with its place on the plane, as comma-separated values
    #[arg(long, value_name = "FILE.csv")]
    pub csv: Option<PathBuf>,
    #[command(flatten)]
    pub plot: PlotArgs,
}

/// What the points are coloured by.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorArg {
    Class,
    Part,
    Position,
    Norm,
    Cosine,
}

impl From<ColorArg> for PointColor {
    fn from(arg: ColorArg) -> Self {
        match arg {
            ColorArg::Class => Self::Class,
            ColorArg::Part => Self::Part,
            ColorArg::Position => Self::Position,
            ColorArg::Norm => Self::Norm,
            ColorArg::Cosine => Self::Cosine,
        }
    }
}

impl Commander {
    pub fn scatter(&self, args: ScatterArgs) -> anyhow::Result<()> {
        let look = args.plot;
        let plot = args.out.map(|out| look.file(out));
        let inputs = Outputs::default().reads("BANK", &*args.bank).reads_data("--data", args.data.as_ref());
        plot::check(inputs, plot.as_ref(), args.csv.as_deref())?;
        let request = ScatterRequest {
            bank: args.bank,
            data: args.data,
            space: args.space,
            way: args.by,
            color: args.color.into(),
            colormap: Colormap::Viridis,
            query: args.query.map(|QueryPlace { image, y, x }| (image, y, x)),
            most: args.most,
            plot,
            csv: args.csv,
        };
        let report = self.job(|job| jobs::scatter::scatter(&request, job))?;
        show(self.json(), &report, || words(&report))
    }
}

fn words(report: &ScatterReport) -> String {
    let share = |c: usize| report.explained.get(c).map_or(0.0, |share| 100.0 * share);
    let how = match report.by {
        PlaneWay::Pca => format!(
            "axes from {}, {:.1} % + {:.1} % of the variance",
            thousands(report.fitted),
            share(0),
            share(1)
        ),
        PlaneWay::Tsne => "by t-SNE".to_owned(),
    };
    let mut lines = vec![format!(
        "{} on {}: {} of {} patches of {} images in {}, {how}, seed {}",
        report.model.name,
        report.data,
        thousands(report.patches),
        thousands(report.of),
        thousands(report.images),
        report.space,
        report.seed
    )];
    lines.extend(
        report.query.map(|[x, y]| format!("the query lies at {x:.4}, {y:.4}").replace('-', "\u{2212}")),
    );
    lines.extend(report.files.iter().map(|files| format!("{}{}", files.out.display(), files.warning_line())));
    lines.join("\n")
}
