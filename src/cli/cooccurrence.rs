//! `bagssl cooccurrence`.

use std::path::PathBuf;

use clap::Args;

use super::shared::{Commander, PlotArgs, positive, show};
use crate::engine::jobs::cooccurrence::{CooccurrenceReport, CooccurrenceRequest};
use crate::engine::jobs::plot;
use crate::engine::{Outputs, jobs};
use crate::words::{count, thousands};

#[derive(Args)]
pub struct CooccurrenceArgs {
    /// Images that the world is a mixture of: the rank of the co-occurrence is at most as large
    #[arg(long, default_value_t = 8, value_parser = positive())]
    pub images: usize,
    /// Kinds of patches
    #[arg(long, default_value_t = 48, value_parser = positive())]
    pub patches: usize,
    /// Width of z
    #[arg(long, default_value_t = 8, value_parser = positive())]
    pub dim: usize,
    /// w of Prop. 3.1; lambda is half of it
    #[arg(long, default_value_t = 2.0)]
    pub w: f64,
    /// Share of an even distribution in each image, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    pub noise: f64,
    /// Steps of the optimiser (SGD, momentum 0.9, cosine to 0)
    #[arg(long, default_value_t = 3000)]
    pub steps: u64,
    /// Draw the two matrices side by side, and the losses: .svg, .pdf or .png
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Also write all pairs, as comma-separated values
    #[arg(long, value_name = "FILE.csv")]
    pub csv: Option<PathBuf>,
    #[command(flatten)]
    pub plot: PlotArgs,
}

impl Commander {
    pub fn cooccurrence(&self, args: CooccurrenceArgs) -> anyhow::Result<()> {
        let look = args.plot;
        let plot = args.out.map(|out| look.file(out));
        plot::check(Outputs::default(), plot.as_ref(), args.csv.as_deref())?;
        let request = CooccurrenceRequest {
            images: args.images,
            patches: args.patches,
            dim: args.dim,
            w: args.w,
            noise: args.noise,
            steps: args.steps,
            plot,
            csv: args.csv,
        };
        let report = self.job(|job| jobs::cooccurrence::cooccurrence(&request, job))?;
        show(self.json(), &report, || words(&report))
    }
}

fn words(report: &CooccurrenceReport) -> String {
    let CooccurrenceReport { losses, duality, w, .. } = report;
    let mut lines = vec![
        format!(
            "{} patches of {}, noise {}, seed {}: p12 has rank {}; z of width {}, w {w}, lambda {}, {} steps on {}",
            thousands(report.patches),
            count(report.images, "image"),
            report.noise,
            report.seed,
            report.rank,
            report.dim,
            report.lambda,
            thousands(report.steps),
            report.device
        ),
        format!("L_S                     {:.9}", losses.spectral),
        format!("L_C                     {:.9}   least at this width {:.9}", losses.modelling, report.least),
        format!(
            "2w L_S + constant       {:.9}   differs from L_C by {:.1e}",
            2.0 * w * losses.spectral + losses.constant,
            report.difference
        ),
        format!(
            "w z1.z2, p12/(p1 p2)    correlation {:.6} over {} pairs, largest error {:.1e} of up to {:.2}",
            report.correlation,
            thousands(report.patches * report.patches),
            report.largest_error,
            report.largest_ratio
        ),
        format!(
            "App. B                  |Z'Z - I|^2 {:.6}, |ZZ' - I|^2 {:.6}; identities missed by {:.1e} and {:.1e}",
            duality.samples, duality.dimensions, duality.first, duality.second
        ),
    ];
    lines.extend(report.files.iter().map(|files| format!("{}{}", files.out.display(), files.warning_line())));
    lines.join("\n")
}
