//! All patches of a data set into a bank on disk; and what is in a bank.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::bank::{self, Bank, BankWriter, Dtype, SkippedImage};
use crate::dataset::{self, DataSpec, Dataset, Skipped, Split};
use crate::embed::{ExtractPlan, Extraction};
use crate::engine::jobs::{Job, open_embedder};
use crate::files;
use crate::model::{ModelSpec, Space};
use crate::patch::PatchGrid;
use crate::progress::CancelToken;

/// Where the images of a bank lie: kept beside it, so that galleries find their pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BankSource {
    /// What opens the data set.
    pub data: DataSpec,
    /// Which split of it.
    pub split: Option<Split>,
    /// Only the first so many images.
    pub limit: Option<usize>,
}

const SOURCE_FILE: &str = "source.json";

/// `bagssl embed`.
pub struct EmbedRequest {
    /// What embeds.
    pub model: ModelSpec,
    /// What is embedded.
    pub source: BankSource,
    /// Where the patches lie.
    pub grid: PatchGrid,
    /// Spaces that are kept.
    pub spaces: Vec<Space>,
    /// Number format of the bank.
    pub dtype: Dtype,
    /// Folder of the bank.
    pub out: PathBuf,
}

/// What was done.
#[derive(Clone, Debug, Serialize)]
pub struct EmbedReport {
    /// Images of the bank.
    pub images: usize,
    /// Images that were in the bank before.
    pub resumed_images: usize,
    /// Images that were in the bank before, damaged, and were computed again.
    pub repaired_images: usize,
    /// Patches of the bank.
    pub patches: usize,
    /// Their names.
    pub spaces: Vec<String>,
    /// What the bank takes.
    pub bytes: u64,
    /// Of this run; absent if nothing was left to do.
    pub patches_per_second: Option<f64>,
    /// Images that it was made without.
    pub skipped: Vec<Skipped>,
    /// The device's name.
    pub device: String,
}

impl BankSource {
    /// Opens the data set.
    pub fn open(&self) -> anyhow::Result<Arc<dyn Dataset>> {
        let data = dataset::open(&self.data, self.split)?;
        match self.limit {
            Some(limit) => dataset::limited(data, limit),
            None => Ok(data),
        }
    }

    /// The same source under a path that holds from any folder.
    fn absolute(&self) -> Self {
        let path = self.data.path().and_then(|path| std::fs::canonicalize(path).ok());
        let data = path.map_or_else(|| self.data.clone(), DataSpec::Path);
        Self { data, ..self.clone() }
    }
}

/// Embeds; resumes where an earlier run of the same request stopped. `announce` is told the bytes
/// that the bank will take before anything is computed.
pub fn embed(
    request: &EmbedRequest,
    job: Job<'_>,
    announce: &mut dyn FnMut(u64),
) -> anyhow::Result<EmbedReport> {
    let data = request.source.open()?;
    let (device, embedder) = open_embedder(job.device, &request.model)?;
    let plan = ExtractPlan::new(&embedder, data.as_ref(), request.grid, &request.spaces, request.dtype)?;
    let bytes = plan.spec.bytes(&plan.images)?;
    announce(bytes);
    let (mut writer, committed) = BankWriter::create_or_resume(&request.out, &plan.spec, &plan.images)?;
    let repaired_images = writer.damaged().len();
    let source = serde_json::to_vec_pretty(&request.source.absolute())?;
    files::write_bytes_atomic(&request.out.join(SOURCE_FILE), &source)?;
    let left_out = data.skipped().to_vec();
    let chosen = writer.damaged().chain(committed..plan.images.len()).collect();
    let mut extraction = Extraction::of(plan, data, chosen)?;
    while !extraction.is_finished() {
        if let Err(cancelled) = job.cancel.check() {
            writer.commit()?;
            let kept = "what is done so far is kept, and the same command goes on from there";
            return Err(anyhow::Error::new(cancelled).context(kept));
        }
        extraction.advance(&embedder, &mut writer)?;
        (job.progress)(extraction.progress());
    }
    let bank = writer.finish()?;
    Ok(EmbedReport {
        images: bank.total_images(),
        resumed_images: committed - repaired_images,
        repaired_images,
        patches: bank.total_patches(),
        spaces: bank.spaces().map(String::from).collect(),
        bytes,
        patches_per_second: extraction.patches_per_second(),
        skipped: [left_out, all_skipped(&bank)?].concat(),
        device: device.name,
    })
}

/// Every image that the bank was made without.
fn all_skipped(bank: &Bank) -> anyhow::Result<Vec<Skipped>> {
    let skipped = bank.skipped().iter().map(|SkippedImage { image, reason }| {
        let file = bank.image_entry(*image as usize)?.name.clone();
        Ok(Skipped { file, reason: reason.clone() })
    });
    skipped.collect()
}

/// Opens the images that a bank was made of: those noted with it, or `moved` where they lie now.
/// They must be the same images.
pub fn data_of_bank(folder: &Path, bank: &Bank, moved: Option<&str>) -> anyhow::Result<Arc<dyn Dataset>> {
    let path = folder.join(SOURCE_FILE);
    let text = files::read(&path, files::MOST_WORDS)
        .with_context(|| format!("could not read {}", path.display()))?;
    let mut source: BankSource =
        serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))?;
    if let Some(moved) = moved {
        source.data = moved.into();
    }
    let data = source.open().context("the images of the bank; --data says where they lie now")?;
    ensure!(
        data.fingerprint()? == bank.spec().data.fingerprint,
        "{} holds other images now than the bank {} was made of; --data says where they lie",
        source.data,
        folder.display()
    );
    Ok(data)
}

/// `bagssl bank info`.
#[derive(Clone, Debug, Serialize)]
pub struct BankInfo {
    /// Embedded so far.
    pub patches: usize,
    /// Of the whole bank, once it is complete.
    pub total_patches: usize,
    /// Embedded so far.
    pub images: usize,
    /// Of the whole bank, once it is complete.
    pub total_images: usize,
    /// Names and widths.
    pub spaces: std::collections::BTreeMap<String, usize>,
    /// Number format.
    pub dtype: &'static str,
    /// Of its rows and norms once it is complete.
    pub bytes: u64,
    /// Whether everything planned is in it.
    pub complete: bool,
    /// Side of the patches, pixels.
    pub patch: u32,
    /// Distance between patches, pixels.
    pub stride: u32,
    /// Name of the model that made it.
    pub model: String,
    /// Name of the data set.
    pub data: String,
    /// Images that it was made without.
    pub skipped: Vec<Skipped>,
    /// Whether its rows have sums, by which damage is found; earlier versions of the program wrote none.
    pub sums: bool,
}

/// Describes a bank.
pub fn bank_info(folder: &Path) -> anyhow::Result<BankInfo> {
    let bank = Bank::open(folder)?;
    let spec = bank.spec();
    let width = |name: &str| Ok((name.to_string(), bank.width(name)?));
    Ok(BankInfo {
        patches: bank.patches(),
        total_patches: bank.total_patches(),
        images: bank.complete_images(),
        total_images: bank.total_images(),
        spaces: bank.spaces().map(width).collect::<anyhow::Result<_>>()?,
        dtype: spec.dtype.as_str(),
        bytes: bank.bytes(),
        complete: bank.is_complete(),
        patch: spec.grid.patch,
        stride: spec.grid.stride,
        model: spec.model.name.clone(),
        data: spec.data.name.clone(),
        skipped: all_skipped(&bank)?,
        sums: bank.has_sums(),
    })
}

/// `bagssl bank export`: the rows of one space as `.npy` or `.safetensors`. Returns their number.
pub fn bank_export(folder: &Path, space: &str, out: &Path, cancel: &CancelToken) -> anyhow::Result<usize> {
    let bank = Bank::open(folder)?;
    match out.extension().and_then(|extension| extension.to_str()) {
        Some("npy") => bank::export_npy(&bank, space, out, cancel),
        Some("safetensors") => bank::export_safetensors(&bank, space, out, cancel),
        _ => anyhow::bail!("{}: expected a name that ends with .npy or .safetensors", out.display()),
    }
}
