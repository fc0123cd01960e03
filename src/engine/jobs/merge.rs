//! Parts of a bank, made anywhere and in any order, become one.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::ensure;
use serde::Serialize;

use crate::bank::{BankWriter, PartBanks, VectorCache, lies_far, merge_far, open_bank};
use crate::dataset::Skipped;
use crate::engine::jobs::Job;
use crate::engine::jobs::embed::{have_found, kept};
use crate::engine::look::kept::{keep_source, source_of};
use crate::progress::Progress;

/// `bagssl bank merge`.
pub struct MergeRequest {
    /// Folders of the parts, in any order.
    pub parts: Vec<PathBuf>,
    /// Folder of the bank.
    pub out: PathBuf,
    /// By which the bank is found from now on.
    pub cache: Option<VectorCache>,
}

/// What was done; nothing where parts are missing.
#[derive(Clone, Debug, Serialize)]
pub struct MergeReport {
    /// Images of the parts that were named: of the bank, where none is missing.
    pub images: u64,
    /// Their patches; of the bank, those of all images that were not skipped.
    pub patches: u64,
    /// How many parts the bank has.
    pub parts: u32,
    /// Numbers of those that were not named.
    pub missing: Vec<u32>,
    /// Images of these.
    pub missing_images: u64,
    /// Patches of these.
    pub missing_patches: u64,
    /// A part that was named.
    #[serde(skip)]
    pub named: PathBuf,
    /// Images that were in the bank before.
    pub resumed_images: usize,
    /// Names of its spaces.
    pub spaces: Vec<String>,
    /// What the bank takes.
    pub bytes: u64,
    /// Images that it is without.
    pub skipped: Vec<Skipped>,
}

/// Makes the bank that one process would have made; goes on where an earlier run of the same request stopped. `announce`
/// is told the bytes that the bank will take. Where parts are missing, nothing is written, and the report says which.
///
/// # Errors
/// What [`PartBanks::open`] refuses; another bank in the folder; damage to a part; cancelled, or a failed write.
pub fn merge(
    request: &MergeRequest,
    job: Job<'_>,
    announce: &mut dyn FnMut(u64),
) -> anyhow::Result<MergeReport> {
    if let Some(place) = request.parts.iter().find(|part| lies_far(part)) {
        ensure!(
            request.parts.as_slice() == [request.out.as_path()],
            "{} holds all parts of a bank in Lance: it is named alone, and without --out",
            place.display()
        );
        return merge_in_place(&request.out);
    }
    let mut parts = PartBanks::open(&request.parts)?;
    let report = report_of(&parts);
    if !report.missing.is_empty() {
        return Ok(report);
    }
    let (source, model) = source_of(parts.first())?;
    let bytes = parts.spec().bytes(parts.images())?;
    announce(bytes);
    let opened = BankWriter::create_or_resume(&request.out, parts.spec(), parts.images(), job.cancel);
    let (mut writer, committed) = opened.map_err(kept)?;
    keep_source(&request.out, &source, model.as_ref())?;
    let (clock, total) = (Instant::now(), writer.total_images());
    let resumed = committed - writer.damaged().len() - writer.unread().len();
    let mut done = resumed;
    loop {
        let next = job.cancel.check().map_err(Into::into).and_then(|()| parts.push_next(&mut writer));
        match next {
            Ok(true) => done += 1,
            Ok(false) => break,
            Err(error) => {
                writer.commit()?;
                return Err(kept(error));
            }
        }
        (job.progress)(Progress {
            what: "merging",
            done: done as u64,
            total: total as u64,
            resumed: resumed as u64,
            unit: "images",
            elapsed: clock.elapsed(),
        });
    }
    let bank = writer.finish()?;
    have_found(request.cache.as_ref(), &request.out, parts.spec());
    Ok(MergeReport {
        patches: bank.searchable() as u64,
        resumed_images: resumed,
        bytes,
        skipped: bank.skipped_files()?,
        ..report
    })
}

/// The same of parts that lie where the bank will.
fn merge_in_place(place: &Path) -> anyhow::Result<MergeReport> {
    let parts = merge_far(place)?;
    let bank = open_bank(place)?;
    Ok(MergeReport {
        images: bank.total_images() as u64,
        patches: bank.searchable() as u64,
        parts,
        missing: vec![],
        missing_images: 0,
        missing_patches: 0,
        named: place.to_path_buf(),
        resumed_images: 0,
        spaces: bank.spaces().map(String::from).collect(),
        bytes: bank.bytes(),
        skipped: bank.skipped_files()?,
    })
}

/// What is there of the whole.
fn report_of(parts: &PartBanks) -> MergeReport {
    let [(images, patches), (all_images, all_patches)] = parts.counts();
    MergeReport {
        images,
        patches,
        parts: parts.of(),
        missing: parts.missing(),
        missing_images: all_images.saturating_sub(images),
        missing_patches: all_patches.saturating_sub(patches),
        named: parts.first().to_path_buf(),
        resumed_images: 0,
        spaces: parts.spec().spaces.iter().map(|space| space.name.clone()).collect(),
        bytes: 0,
        skipped: vec![],
    }
}
