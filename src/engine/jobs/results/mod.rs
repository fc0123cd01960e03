//! The page of results: what models trained here give, beside what the paper finds.

mod drawings;
mod given;
mod measure_claims;
mod page;
mod table_claims;
mod trained;
mod verdict;

use std::path::PathBuf;

use serde::Serialize;

pub use trained::{OnlineAccuracy, TrainedModel, TrainedProgress, TrainedWatch};
pub use verdict::{ClaimFinding, ClaimVerdict, PaperClaim};

use crate::engine::ask::{OutputKind, Outputs, ResultRow};
use crate::figure::{Figure, Format};
use crate::files;
use crate::progress::CancelToken;
use given::GivenResults;

/// `bagssl results`.
pub struct PageRequest {
    /// Run folders, results folders, and documents of measures, in the order in which they are shown.
    pub inputs: Vec<PathBuf>,
    /// The page; its figures stand beside it.
    pub out: PathBuf,
}

/// What the page says.
#[derive(Debug, Serialize)]
pub struct PageReport {
    /// The page.
    #[serde(serialize_with = "crate::paths::serialize")]
    pub out: PathBuf,
    /// Names of the figures beside it.
    pub figures: Vec<String>,
    /// The runs.
    pub models: Vec<TrainedModel>,
    /// The rows of all tables.
    pub rows: Vec<ResultRow>,
    /// What the paper finds, and whether it holds here.
    pub claims: Vec<PaperClaim>,
}

impl PageReport {
    /// "holds 3, does not hold 0, cannot be told 1, not measured 2".
    pub fn verdict_words(&self) -> String {
        let counts = page::counts(&self.claims);
        let words: Vec<String> = counts.iter().map(|(words, count)| format!("{words} {count}")).collect();
        words.join(", ")
    }
}

/// Makes the page and its figures; the same inputs give the same bytes. The page comes last, so that the figures that
/// it names are there.
///
/// # Errors
/// Something that is given cannot be read, or the page or a figure cannot be written; cancelled.
pub fn results_page(request: &PageRequest, cancel: &CancelToken) -> anyhow::Result<PageReport> {
    let PageRequest { inputs, out } = request;
    let given = GivenResults::read(inputs)?;
    let figures = drawings::figures(&given, out);
    let mut outputs = inputs.iter().fold(Outputs::default(), |all, path| all.reads("what is read", &**path));
    outputs = outputs.writes("--out", &**out, OutputKind::File);
    for figure in &figures {
        outputs = outputs.writes("a figure of --out", &*figure.path, OutputKind::File).writes(
            "its sidecar",
            &*Figure::sidecar_of(&figure.path),
            OutputKind::File,
        );
    }
    outputs.check()?;
    let claims = [table_claims::table_claims(&given), measure_claims::measure_claims(&given)].concat();
    for figure in &figures {
        cancel.check()?;
        Figure::check_out(&figure.path, Format::DEFAULT_DPI)?;
        figure.save()?;
    }
    files::write_bytes_atomic(out, page::markdown(&given, &claims, &figures).as_bytes())?;
    Ok(PageReport {
        out: out.clone(),
        figures: figures.iter().map(drawings::PageFigure::name).collect(),
        rows: given.tables.iter().flat_map(|table| table.stored.rows.clone()).collect(),
        models: given.models,
        claims,
    })
}
