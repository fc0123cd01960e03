//! All patches of a data set into a bank on disk; and what is in a bank.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::ensure;
use serde::Serialize;

use crate::bank::{
    Bank, BankSpec, Dtype, PartFacts, PartNumber, VectorCache, create_or_resume, lies_far, open_bank,
};
use crate::dataset::{DecodingFacts, ImageOrder, Skipped};
use crate::embed::{BATCH, EmbedSeconds, ExtractPlan, Extraction, Known};
pub use crate::engine::ask::BankSource;
use crate::engine::jobs::index::{CodesAlong, SpaceCodes, SpaceIndex, codes_of, indexed};
use crate::engine::jobs::{Job, open_embedder};
pub use crate::engine::look::kept::data_of_bank;
use crate::engine::look::kept::keep_source;
use crate::files;
use crate::model::{ModelSpec, Space};
use crate::patch::PatchGrid;
use crate::progress::Cancelled;
use crate::search::codes_bytes;
use crate::tiles::{ImageTiles, TileChoice};

/// `bagssl embed`.
pub struct EmbedRequest {
    /// What embeds.
    pub model: ModelSpec,
    /// What is embedded.
    pub source: BankSource,
    /// Only this part of it, for a bank that is put together of several.
    pub part: Option<PartNumber>,
    /// Where the patches lie.
    pub grid: PatchGrid,
    /// Spaces that are kept; where none is named h, and z if the model has it.
    pub spaces: Vec<Space>,
    /// Number format of the bank.
    pub dtype: Dtype,
    /// Folder of the bank.
    pub out: PathBuf,
    /// Where vectors are kept: what is there is not embedded again, and the bank is found there from now on.
    pub cache: Option<VectorCache>,
    /// Whether codes are kept beside the bank, as [`crate::engine::jobs::index`] makes them, as it grows.
    pub codes: bool,
}

/// What was done.
#[derive(Clone, Debug, Serialize)]
pub struct EmbedReport {
    /// Images of the bank.
    pub images: usize,
    /// Images of the data set.
    pub of: usize,
    /// In which order they are taken of it.
    pub order: Option<ImageOrder>,
    /// Which of them, where the bank is one of several parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<PartFacts>,
    /// Images that were in the bank before.
    pub resumed_images: usize,
    /// Images that were in the bank before, damaged, and were computed again.
    pub repaired_images: usize,
    /// Images that an earlier version left out because their files could not be read then, and that were read now.
    pub retried_images: usize,
    /// Patches of the bank: of all images that were not skipped.
    pub patches: usize,
    /// Patches of this run whose vectors were kept from before, in the cache or in a bank made by `embed`.
    pub reused_patches: usize,
    /// Their names.
    pub spaces: Vec<String>,
    /// The tiles in which images went through for the spaces of places, where some are larger than one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tiles: Option<TileChoice>,
    /// What the bank takes.
    pub bytes: u64,
    /// Of this run; absent if nothing was left to do.
    pub patches_per_second: Option<f64>,
    /// Where the time of this run went; absent if nothing was left to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<EmbedTime>,
    /// How picture files were decoded, where a choice mattered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoding: Option<DecodingFacts>,
    /// Codes beside it, where they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<SpaceIndex>,
    /// Images that it was made without.
    pub skipped: Vec<Skipped>,
    /// The device's name.
    pub device: String,
}

/// Where the time went between image files and rows of the bank, in seconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct EmbedTime {
    /// From the first image to the last row, codes with it.
    pub seconds: f64,
    /// Of the thread that embeds.
    #[serde(flatten)]
    pub of: EmbedSeconds,
    /// Making and measuring codes.
    pub codes: f64,
    /// What is none of these, as taking over vectors that are known.
    pub rest: f64,
}

impl EmbedTime {
    /// Of an extraction that is done, beside which codes took so long.
    fn new(extraction: &Extraction, of: EmbedSeconds, codes: f64) -> Self {
        let seconds = extraction.seconds();
        Self { seconds, of, codes, rest: of.rest(seconds - codes) }
    }
}

/// Embeds; resumes where an earlier run of the same request stopped. `announce` is told the bytes
/// that the bank will take before anything is computed.
pub fn embed(
    request: &EmbedRequest,
    mut job: Job<'_>,
    announce: &mut dyn FnMut(u64),
) -> anyhow::Result<EmbedReport> {
    let data = request.source.open()?;
    let (device, embedder) = open_embedder(job.device, &request.model)?;
    let (limit, grid) = (request.source.limit, request.grid);
    let usual: Vec<Space> = embedder.info.spaces().into_iter().map(|(space, _)| space).collect();
    let spaces = if request.spaces.is_empty() { &usual } else { &request.spaces };
    let plan = ExtractPlan::new(&embedder, data.as_ref(), limit, grid, spaces, request.dtype)?;
    let plan = match request.part {
        Some(number) => plan.of_part(number)?,
        None => plan,
    };
    let bytes = plan.spec.bytes(&plan.images)?;
    announce(bytes + if request.codes { bytes_of_codes(&plan) } else { 0 });
    ensure!(
        !(request.codes && lies_far(&request.out)),
        "--codes lie beside a bank in a folder; `bagssl bank index` makes the index of a bank in Lance"
    );
    let opened = create_or_resume(&request.out, &plan.spec, &plan.images, job.cancel);
    let (mut writer, committed) = opened.map_err(kept)?;
    let [damaged, unread] = writer.again();
    let (repaired_images, retried_images) = (damaged.len(), unread.len());
    keep_source(&request.out, &request.source, Some(&request.model))?;
    let (of, left_out, decoding) = (data.len(), data.skipped().to_vec(), data.decoding());
    let chosen = damaged.into_iter().chain(unread).chain(committed..plan.images.len()).collect();
    let (spec, cache) = (plan.spec.clone(), request.cache.as_ref());
    let known = cache.map_or_else(Known::default, |cache| known(cache, &spec, &request.out));
    let mut extraction = Extraction::of(plan, data, chosen, known)?;
    let (mut along, has_work) = (request.codes.then(CodesAlong::new), !extraction.is_finished());
    while !extraction.is_finished() {
        let advanced = job.cancel.leavable(|| extraction.advance(&embedder, &mut *writer, BATCH));
        let advanced = advanced.map_err(anyhow::Error::new).flatten();
        let follow = |along: &mut CodesAlong| along.follow(&mut *writer, &request.out, job.cancel);
        if let Err(error) = advanced.and_then(|_| along.as_mut().map_or(Ok(()), follow)) {
            if stops_for_now(&error) {
                writer.commit()?;
            }
            return Err(kept(error));
        }
        (job.progress)(extraction.progress());
    }
    let clock = Instant::now();
    let bank = writer.finish()?;
    let mut spent = extraction.times();
    spent.writing += clock.elapsed().as_secs_f64();
    have_found(cache, &request.out, &spec);
    let clock = Instant::now();
    let codes = if request.codes { indexed(&bank, &[], None, &mut job).map_err(kept)? } else { vec![] };
    let of_codes = along.map_or(0.0, |along| along.seconds + clock.elapsed().as_secs_f64());
    Ok(EmbedReport {
        codes,
        time: has_work.then(|| EmbedTime::new(&extraction, spent, of_codes)),
        images: bank.total_images(),
        of,
        order: bank.spec().data.order,
        part: bank.spec().data.part.clone(),
        resumed_images: committed - repaired_images - retried_images,
        repaired_images,
        retried_images,
        patches: bank.searchable(),
        reused_patches: extraction.reused_patches(),
        spaces: bank.spaces().map(String::from).collect(),
        tiles: spec.tiles.map(|_| embedder.tiles()),
        bytes,
        patches_per_second: extraction.patches_per_second(),
        decoding,
        skipped: [left_out, bank.skipped_files()?].concat(),
        device: device.name,
    })
}

/// What codes of the whole bank take, about.
fn bytes_of_codes(plan: &ExtractPlan) -> u64 {
    let grid = plan.spec.grid;
    let rows = plan.images.iter().map(|image| grid.len(image.height, image.width)).sum();
    plan.spec.spaces.iter().map(|space| codes_bytes(space.width as usize, rows)).sum()
}

/// Has the bank in `folder` found by the window and by other jobs.
pub(super) fn have_found(cache: Option<&VectorCache>, folder: &Path, spec: &BankSpec) {
    let cache = cache.filter(|_| !lies_far(folder));
    if let Some(Err(error)) = cache.map(|cache| cache.link(folder, spec)) {
        log::info!("the window will not find the bank: {error:#}");
    }
}

/// What is kept of the patches of `spec` elsewhere than in `out`.
fn known(cache: &VectorCache, spec: &BankSpec, out: &Path) -> Known {
    let is_other = |bank: &Bank| bank.folder().is_some_and(|folder| !files::is_same(folder, out));
    Known::of(cache.find(spec).into_iter().filter(is_other).collect())
}

/// Whether the work can go on another time: it was stopped, or a file could not be read.
fn stops_for_now(error: &anyhow::Error) -> bool {
    error.is::<Cancelled>() || files::is_read_error(error)
}

/// Says of such an error what is left of the work.
pub(super) fn kept(error: anyhow::Error) -> anyhow::Error {
    match stops_for_now(&error) {
        true => error.context("what is done so far is kept, and the same command goes on from there"),
        false => error,
    }
}

/// `bagssl bank info`.
#[derive(Clone, Debug, Serialize)]
pub struct BankInfo {
    /// Embedded so far: of images that were not skipped.
    pub patches: usize,
    /// Of the whole bank, once it is complete, without those of images that are skipped by now.
    pub total_patches: usize,
    /// Embedded so far.
    pub images: usize,
    /// Of the whole bank, once it is complete.
    pub total_images: usize,
    /// In which order they are taken of the data set; absent: in its own, from the first on.
    pub order: Option<ImageOrder>,
    /// Which of them, where it is one of several parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<PartFacts>,
    /// Names and widths.
    pub spaces: std::collections::BTreeMap<String, usize>,
    /// Short side of the whole images of which places were taken, pixels, where it was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<u32>,
    /// The tiles in which those that are larger than one went through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tiles: Option<ImageTiles>,
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
    /// Whether another program computed its vectors (`bank import`): no model of them is known.
    pub imported: bool,
    /// Name of the data set.
    pub data: String,
    /// How picture files were decoded, where a choice mattered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoding: Option<DecodingFacts>,
    /// Images that it was made without.
    pub skipped: Vec<Skipped>,
    /// Images so far that are exact copies of an earlier one; absent where that is not known, as of a bank of an
    /// earlier version of the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copies: Option<usize>,
    /// Whether its rows have sums, by which damage is found; earlier versions of the program wrote none.
    pub sums: bool,
    /// Codes that there are of its spaces, by which `--search quantised` goes.
    pub codes: Vec<SpaceCodes>,
    /// What is wrong with others, which are made again where they are asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub damaged_codes: Vec<String>,
}

/// Describes a bank, with the codes that lie beside it or are kept of it in `cache`.
pub fn bank_info(folder: &Path, cache: Option<&VectorCache>) -> anyhow::Result<BankInfo> {
    let bank = open_bank(folder)?;
    let spec = bank.spec();
    let (codes, damaged_codes) = codes_of(&bank, cache);
    let width = |name: &str| Ok((name.to_string(), bank.width(name)?));
    Ok(BankInfo {
        patches: bank.searchable(),
        total_patches: bank.total_searchable(),
        images: bank.usable_images(),
        total_images: bank.total_images(),
        order: spec.data.order,
        part: spec.data.part.clone(),
        spaces: bank.spaces().map(width).collect::<anyhow::Result<_>>()?,
        resolution: spec.resolution,
        tiles: spec.tiles,
        dtype: spec.dtype.as_str(),
        bytes: bank.bytes(),
        complete: bank.is_complete(),
        patch: spec.grid.patch,
        stride: spec.grid.stride,
        model: spec.model.name.clone(),
        imported: spec.model.is_imported(),
        data: spec.data.name.clone(),
        decoding: spec.data.decoding.clone(),
        skipped: bank.skipped_files()?,
        copies: bank.knows_copies().then(|| bank.copies()).transpose()?,
        sums: bank.has_sums(),
        codes,
        damaged_codes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    use crate::bank::{BankSink, BankWriter, DataFacts, ImageEntry, ModelFacts, SpaceSpec};
    use crate::dataset::Split;
    use crate::progress::CancelToken;

    /// Of the first images, as `--limit` made them before it took a spread.
    #[test]
    fn a_bank_of_before_opens_with_its_images_and_says_which_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let source = BankSource { data: "demo".into(), split: Some(Split::Test), limit: Some(3) };
        let data = source.open().unwrap();
        let fingerprint = format!("first 3 of {}", data.fingerprint().unwrap());
        let facts = DataFacts::of(data.as_ref()).unwrap();
        let spec = BankSpec {
            program: "before".into(),
            model: ModelFacts { name: "m".into(), hash: "0".into(), arch: "a".into() },
            data: DataFacts { fingerprint: files::hex(&Sha256::digest(fingerprint)), ..facts },
            grid: PatchGrid::new(64, 1).unwrap(),
            input: 64,
            resize: "bilinear".into(),
            resolution: None,
            tiles: None,
            mean: [0.5; 3],
            std: [0.5; 3],
            dtype: Dtype::F32,
            spaces: vec![SpaceSpec { name: "h".into(), width: 2 }],
            classes: data.classes().to_vec(),
        };
        let entry = |index: usize| ImageEntry {
            index: index as u32,
            height: 64,
            width: 64,
            label: data.label(index),
            name: data.image_name(index),
        };
        let images: Vec<ImageEntry> = (0..3).map(entry).collect();
        let (mut writer, _) =
            BankWriter::create_or_resume(folder.path(), &spec, &images, &CancelToken::default()).unwrap();
        (0..3).for_each(|image| writer.push_image(image, &[("h", &[1.0, image as f32])]).unwrap());
        let bank = writer.finish().unwrap();
        assert!(!std::fs::read_to_string(folder.path().join("bank.json")).unwrap().contains("order"));
        let text = serde_json::to_vec(&source).unwrap();
        files::write_bytes_atomic(&folder.path().join("source.json"), &text).unwrap();
        let opened = data_of_bank(folder.path(), &bank, None).unwrap();
        assert_eq!(opened.image_name(2), bank.image_entry(2).unwrap().name);
        assert_eq!(bank_info(folder.path(), None).unwrap().order, None);
        let other = BankSource { limit: Some(4), ..source };
        let text = serde_json::to_vec(&other).unwrap();
        files::write_bytes_atomic(&folder.path().join("source.json"), &text).unwrap();
        assert!(data_of_bank(folder.path(), &bank, None).is_err());
    }
}
