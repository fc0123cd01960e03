//! `bagssl cooccurrence BANK`: section 3 of the paper on real patches.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::analysis::cooccurring_bank::{
    CooccurringConfig, CooccurringReport, KindPairs, measure_cooccurring,
};
use crate::bank::open_bank;
use crate::engine::figures::cooccurring::cooccurring_page;
use crate::engine::figures::output::Written;
use crate::engine::jobs::Job;
use crate::engine::jobs::plot::{PlotFile, write_csv};
use crate::paths;

/// What is measured, and where it goes.
pub struct CooccurringRequest {
    /// The patches and their vectors.
    pub bank: PathBuf,
    /// Kinds that patches are quantised into.
    pub kinds: usize,
    /// The space by whose vectors they are; none: h, or the first there is.
    pub by: Option<String>,
    /// Spaces whose products are held against the co-occurrence; none: all.
    pub spaces: Vec<String>,
    /// Where the products are drawn by how often kinds stand together, if they are.
    pub plot: Option<PlotFile>,
    /// Where all pairs go, if they are wanted as a table.
    pub csv: Option<PathBuf>,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct CooccurringDone {
    /// What was measured.
    #[serde(flatten)]
    pub report: CooccurringReport,
    /// The files that were written.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub files: Option<Written>,
}

/// Measures it on a bank.
///
/// # Errors
/// A space that is not there, too few images, no room, cancelled, a file that cannot be written.
pub fn cooccurring(request: &CooccurringRequest, job: Job<'_>) -> anyhow::Result<CooccurringDone> {
    let bank = open_bank(&request.bank)?;
    let spaces: Vec<String> = match request.spaces.is_empty() {
        true => bank.spaces().map(str::to_owned).collect(),
        false => request.spaces.clone(),
    };
    let config = CooccurringConfig { kinds: request.kinds, by: request.by.clone(), seed: job.seed };
    let name = paths::to_words(&request.bank);
    let (report, pairs) = measure_cooccurring(&bank, &name, &spaces, &config, job.cancel, job.progress)?;
    let draw = |plot: &PlotFile| {
        let page = cooccurring_page(&report, &pairs);
        plot.write(page.data, page.spec, page.source)
    };
    let files = request.plot.as_ref().map(draw).transpose()?;
    if let Some(csv) = &request.csv {
        write_pairs(csv, &report, &pairs)?;
    }
    Ok(CooccurringDone { report, files })
}

/// All pairs of kinds.
fn write_pairs(path: &Path, report: &CooccurringReport, pairs: &KindPairs) -> anyhow::Result<()> {
    let heading = ["first", "second", "p12", "ratio"].into_iter();
    let heading: Vec<&str> =
        heading.chain(report.spaces.iter().map(|agreement| agreement.space.as_str())).collect();
    let row = |pair: usize| -> Vec<String> {
        let kinds = [pair / report.kinds, pair % report.kinds].map(|kind| kind.to_string());
        let known = [pairs.joint[pair], pairs.ratios[pair]];
        let values = known.into_iter().chain(pairs.products.iter().map(|column| column[pair]));
        kinds.into_iter().chain(values.map(|value| value.to_string())).collect()
    };
    let rows: Vec<Vec<String>> = (0..pairs.joint.len()).map(row).collect();
    write_csv(path, &heading, &rows)
}
