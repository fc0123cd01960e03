//! `bagssl cooccurrence`.

use std::path::PathBuf;

use clap::Args;

use super::shared::{Commander, PlotArgs, positive, show};
use crate::engine::facts::CooccurringConfig;
use crate::engine::jobs::cooccurrence::{CooccurrenceReport, CooccurrenceRequest};
use crate::engine::jobs::cooccurring::{CooccurringDone, CooccurringRequest};
use crate::engine::jobs::plot;
use crate::engine::{Outputs, WorldPlan, WorldReport, jobs};
use crate::stats::Interval;
use crate::words::{count, thousands};

#[derive(Args)]
pub struct CooccurrenceArgs {
    /// Folder of a bank: the co-occurrence of its patches, quantised into kinds, beside the products of their vectors;
    /// without it a toy world
    #[arg(conflicts_with_all = ["images", "patches", "dim", "w", "noise", "steps"])]
    pub bank: Option<PathBuf>,
    /// Of a bank: kinds that patches are quantised into, by k-means
    #[arg(long, value_name = "K", default_value_t = CooccurringConfig::KINDS, requires = "bank", value_parser = positive())]
    pub kinds: usize,
    /// Of a bank: the space by whose vectors patches are quantised; h unless told
    #[arg(long, value_name = "SPACE", requires = "bank")]
    pub by: Option<String>,
    /// Of a bank: spaces whose products are held against the co-occurrence, such as h,z; all unless told
    #[arg(long, value_delimiter = ',', requires = "bank")]
    pub space: Vec<String>,
    /// Images that the world is a mixture of: the rank of the co-occurrence is at most as large
    #[arg(long, default_value_t = WorldPlan::USUAL.images, value_parser = positive())]
    pub images: usize,
    /// Kinds of patches
    #[arg(long, default_value_t = WorldPlan::USUAL.patches, value_parser = positive())]
    pub patches: usize,
    /// Width of z
    #[arg(long, default_value_t = WorldPlan::USUAL.dim, value_parser = positive())]
    pub dim: usize,
    /// w of Prop. 3.1; lambda is half of it
    #[arg(long, default_value_t = WorldPlan::USUAL.w)]
    pub w: f64,
    /// Share of an even distribution in each image, 0 to 1
    #[arg(long, default_value_t = WorldPlan::USUAL.noise)]
    pub noise: f64,
    /// Steps of the optimiser (SGD, momentum 0.9, cosine to 0)
    #[arg(long, default_value_t = WorldPlan::USUAL.steps)]
    pub steps: u64,
    /// Draw the two matrices side by side, and the losses; of a bank the mean products of two kinds by how often they
    /// stand together: .svg, .pdf or .png
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
        if let Some(bank) = args.bank {
            let outputs = Outputs::default().reads("BANK", bank.as_path());
            plot::check(outputs, plot.as_ref(), args.csv.as_deref())?;
            let CooccurrenceArgs { kinds, by, space: spaces, csv, .. } = args;
            let request = CooccurringRequest { bank, kinds, by, spaces, plot, csv };
            let done = self.job(|job| jobs::cooccurring::cooccurring(&request, job))?;
            return show(self.json(), &done, || measured_words(&done));
        }
        plot::check(Outputs::default(), plot.as_ref(), args.csv.as_deref())?;
        let CooccurrenceArgs { images, patches, dim, w, noise, steps, csv, .. } = args;
        let plan = WorldPlan { images, patches, dim, w, noise, seed: self.seed(), steps };
        let request = CooccurrenceRequest { plan, plot, csv };
        let report = self.job(|job| jobs::cooccurrence::cooccurrence(&request, job))?;
        show(self.json(), &report, || words(&report))
    }
}

fn words(report: &CooccurrenceReport) -> String {
    let CooccurrenceReport { world: report, files } = report;
    let WorldReport { losses, duality, plan, .. } = report;
    let w = plan.w;
    let mut lines = vec![
        format!(
            "{} patches of {}, noise {}, seed {}: p12 has rank {}; z of width {}, w {w}, lambda {}, {} steps on {}",
            thousands(plan.patches),
            count(plan.images, "image"),
            plan.noise,
            plan.seed,
            report.rank,
            plan.dim,
            report.lambda,
            thousands(plan.steps),
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
            thousands(plan.patches * plan.patches),
            report.largest_error,
            report.largest_ratio
        ),
        format!(
            "App. B                  |Z'Z - I|^2 {:.6}, |ZZ' - I|^2 {:.6}; identities missed by {:.1e} and {:.1e}",
            duality.samples, duality.dimensions, duality.first, duality.second
        ),
    ];
    lines.extend(files.iter().map(|files| format!("{}{}", files.out.display(), files.warning_line())));
    lines.join("\n")
}

fn measured_words(done: &CooccurringDone) -> String {
    let CooccurringDone { report, files } = done;
    let half =
        |[images, patches]: [usize; 2]| format!("{} of {}", count(patches, "patch"), count(images, "image"));
    let mut lines = vec![
        format!(
            "{} on {}: {} kinds of patches of {3} x {3} pixels every {4}, by {5} of {6}; counted on {7}, on which {8} kinds \
             occur; seed {9}",
            report.model.name,
            report.data,
            thousands(report.kinds),
            report.grid.patch,
            report.grid.stride,
            report.by,
            half(report.taught),
            half(report.held_out),
            thousands(report.occurring),
            report.seed
        ),
        "correlation of the mean z1.z2 of two kinds with p12 / (p1 p2) on held-out images, pairs weighted by p1 p2:"
            .to_owned(),
    ];
    let interval = |found: &Option<Interval>| match found {
        Some(found) => format!("{:.3}  [{:.3}, {:.3}]", found.value, found.low, found.high),
        None => "-  (one of the two does not vary)".to_owned(),
    };
    let of_spaces = report.spaces.iter();
    lines.extend(of_spaces.map(|space| format!("{:>8}  {}", space.space, interval(&space.correlation))));
    lines.push(format!("{:>8}  {}  the other half's own counts", "ceiling", interval(&report.ceiling)));
    lines.extend(files.iter().map(|files| format!("{}{}", files.out.display(), files.warning_line())));
    lines.join("\n")
}
