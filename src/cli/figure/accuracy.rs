//! `bagssl figure fig2`, `fig3b`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::shared::{Commander, PlotArgs, show};
use crate::engine::Outputs;
use crate::engine::jobs::accuracy::{AccuracyRequest, accuracy_bars};
use crate::engine::jobs::plot;

#[derive(Args)]
pub struct AccuracyArgs {
    /// A folder that `bagssl eval --plan` or the Evaluate tab made; may be given several times
    #[arg(long, value_name = "DIR", required = true)]
    pub results: Vec<PathBuf>,
    #[arg(long)]
    pub out: PathBuf,
    #[command(flatten)]
    pub plot: PlotArgs,
}

impl Commander {
    /// Fig 2 with both classifiers, or 3b with the linear one.
    pub(super) fn accuracy(&self, args: AccuracyArgs, classifiers: &[&'static str]) -> anyhow::Result<()> {
        let plot = args.plot.file(args.out);
        let inputs = args.results.iter().fold(Outputs::default(), |all, folder| {
            all.reads("--results", folder.join("results.json").as_path())
        });
        plot::check(inputs, Some(&plot), None)?;
        let classifiers = classifiers.to_vec();
        let report = accuracy_bars(&AccuracyRequest { results: args.results, classifiers, plot })?;
        show(self.json(), &report, || {
            format!("{}{}", report.files.out.display(), report.files.warning_line())
        })
    }
}
