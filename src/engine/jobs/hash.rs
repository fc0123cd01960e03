//! The hashes of a bank's images, by which exact copies are found, for a bank that was made without.

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};
use rayon::prelude::*;
use serde::Serialize;

use crate::bank::{Bank, ImageEntry, PixelHash, lies_far, write_hashes};
use crate::dataset::{DataSpec, Dataset};
use crate::engine::jobs::Job;
use crate::engine::jobs::embed::data_of_bank;
use crate::progress::Progress;

/// Images that are read between two looks at whether to stop.
const CHUNK: usize = 256;

/// What was done.
#[derive(Clone, Debug, Serialize)]
pub struct HashReport {
    /// Images of the bank so far, those that could not be read when it was made among them.
    pub images: usize,
    /// Images that have a hash now.
    pub hashed: usize,
    /// Images that are exact copies of an earlier one.
    pub copies: usize,
}

/// `bagssl bank hash`: reads the images of the bank in `folder`, which lie in `moved` if not where they were, and keeps
/// the hashes of their pixels with it. Nothing is embedded.
///
/// # Errors
/// No bank there, other images than it was made of, one that cannot be read any more; cancelled.
pub fn hash(folder: &Path, moved: Option<&DataSpec>, job: Job<'_>) -> anyhow::Result<HashReport> {
    let clock = Instant::now();
    ensure!(
        !lies_far(folder),
        "{} lies in Lance, where hashes are written with the bank; make it again with `bagssl embed`",
        folder.display()
    );
    let bank = Bank::open(folder)?;
    let data = data_of_bank(folder, &bank, moved)?;
    let skipped: HashSet<u32> = bank.skipped().iter().map(|skipped| skipped.image).collect();
    let of_entry = |entry: &ImageEntry| {
        let is_read = !skipped.contains(&entry.index);
        is_read.then(|| hash_of(data.as_ref(), entry)).transpose()
    };
    let mut hashes = Vec::with_capacity(bank.complete_images());
    for chunk in bank.images().chunks(CHUNK) {
        job.cancel.check()?;
        hashes.extend(chunk.par_iter().map(of_entry).collect::<anyhow::Result<Vec<_>>>()?);
        (job.progress)(Progress {
            what: "reading",
            done: hashes.len() as u64,
            total: bank.complete_images() as u64,
            resumed: 0,
            unit: "images",
            elapsed: clock.elapsed(),
        });
    }
    write_hashes(folder, &hashes)?;
    let copies = Bank::open(folder)?.copies()?;
    Ok(HashReport { images: hashes.len(), hashed: hashes.iter().flatten().count(), copies })
}

fn hash_of(data: &dyn Dataset, entry: &ImageEntry) -> anyhow::Result<PixelHash> {
    let ImageEntry { index, height, width, name, .. } = entry;
    let image = data.image(*index as usize).with_context(|| format!("image {index} ({name})"))?;
    ensure!(
        (image.height(), image.width()) == (*height, *width),
        "image {index} ({name}) is {} x {} pixels (width x height) now, and was {width} x {height} when its patches were \
         embedded",
        image.width(),
        image.height()
    );
    Ok(PixelHash::of(&image))
}
