//! `bagssl results`.

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;

use super::shared::{Commander, show};
use crate::engine::jobs::results::{PageRequest, results_page};

#[derive(Args)]
pub struct ResultsArgs {
    /// Run folders (bagssl train), results folders (bagssl eval --plan or --table), and files with what bagssl figure fig3a
    /// --json and bagssl locality --json printed, in the order in which they are shown
    #[arg(value_name = "RUN_OR_RESULTS", required = true)]
    pub inputs: Vec<PathBuf>,
    /// The page; its figures stand beside it as RESULTS-*.svg
    #[arg(long, value_name = "RESULTS.md")]
    pub out: PathBuf,
}

impl Commander {
    pub fn results(&self, args: ResultsArgs) -> anyhow::Result<()> {
        let is_markdown = args.out.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("md"));
        ensure!(is_markdown, "--out {}: expected a name that ends in .md", args.out.display());
        let report = results_page(&PageRequest { inputs: args.inputs, out: args.out }, &self.cancel)?;
        show(self.json(), &report, || {
            let claims = report.claims.iter().map(|claim| format!("{}: {}", claim.claim, claim.summary()));
            let claims: Vec<String> = claims.collect();
            format!(
                "{}\n\n{} and {} figures beside it; findings: {}",
                claims.join("\n"),
                report.out.display(),
                report.figures.len(),
                report.verdict_words()
            )
        })
    }
}
