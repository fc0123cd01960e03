//! All codes of a bank are looked at once; what may be near enough is kept.

use super::file::{BLOCK_ROWS, RowCodes};
use super::popcount::Counter;
use super::sketch::Sketch;
use crate::search::topk::{Best, Hit, Threshold, TopKJob};
use anyhow::Result;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Rows that may be among the nearest, as far as the codes tell.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeptHits {
    pub row: usize,
    /// Its cosine at most.
    pub most: f32,
    /// What is kept is below this only where nothing better is known.
    reach: f32,
}

/// What a scan finds.
pub(super) struct Scanned {
    /// The nearest by their codes, best first.
    pub first: Vec<Hit>,
    /// All that may be as near as the last of them.
    pub kept: Vec<KeptHits>,
}

/// One scan.
pub(super) struct Scan<'a, 'b> {
    pub codes: &'a RowCodes,
    pub job: &'a TopKJob<'b>,
    pub sketch: Sketch,
    pub counter: Counter,
    /// Deviations by which a cosine may be larger than it seems.
    pub deviations: f32,
    /// How many are to be nearest by their codes.
    pub wanted: usize,
    /// More than so many rows that may be near, and the codes tell too little.
    pub most: usize,
    pub threshold: Threshold,
    pub is_crowded: AtomicBool,
    pub trouble: Mutex<Option<anyhow::Error>>,
}

/// What one thread has found, and its room to work in.
struct ScanThread {
    best: Best,
    best_of_image: Best,
    kept: Vec<KeptHits>,
    /// From so many on, those that are too far by now are left out.
    full: usize,
    differing: Vec<u32>,
    estimates: Vec<f32>,
}

/// Kept rows of a thread before it first looks which are too far.
const FULL: usize = 1 << 14;

impl Scan<'_, '_> {
    /// Scans the first `rows` rows; `None` where too many may be near.
    ///
    /// # Errors
    /// Damaged codes, cancelled.
    pub fn run(self, rows: usize) -> Result<Option<Scanned>> {
        let local = || ScanThread {
            best: Best::new(self.wanted),
            best_of_image: Best::new(self.job.per_image),
            kept: vec![],
            full: FULL,
            differing: vec![],
            estimates: vec![],
        };
        let cancel = &self.job.options.cancel;
        let found = self
            .tasks(rows)
            .into_par_iter()
            .filter(|_| !cancel.is_cancelled() && !self.is_crowded.load(Ordering::Relaxed))
            .fold(local, |local, rows| self.task(local, rows))
            .map(|local| (local.best, local.kept))
            .reduce(
                || (Best::new(self.wanted), vec![]),
                |(a, mut kept), (b, more)| {
                    kept.extend(more);
                    (a.merge(b), kept)
                },
            );
        cancel.check()?;
        if let Some(trouble) = self.trouble.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(trouble);
        }
        self.codes.check_length()?;
        let (best, mut kept) = found;
        let least = best.least();
        kept.retain(|kept| kept.reach >= least);
        if self.is_crowded.load(Ordering::Relaxed) || kept.len() > self.most {
            return Ok(None);
        }
        Ok(Some(Scanned { first: best.into_sorted(), kept }))
    }

    /// Ranges of rows of images that may be shown. With a limit per image an image is never split.
    fn tasks(&self, end: usize) -> Vec<Range<usize>> {
        let bank = self.job.bank;
        if self.job.options.shown.is_none() && self.job.per_image == usize::MAX {
            return split(0..end, BLOCK_ROWS).collect();
        }
        let mut tasks: Vec<Range<usize>> = vec![];
        let mut first = 0;
        while first < end {
            let image = bank.rows_beside(first);
            first = image.end;
            if !self.job.options.shows(bank.place_of_row(image.start)) {
                continue;
            }
            match tasks.last_mut().filter(|task| task.end == image.start && task.len() < BLOCK_ROWS) {
                Some(task) => task.end = image.end.min(end),
                None => tasks.push(image.start..image.end.min(end)),
            }
        }
        tasks
    }

    fn task(&self, mut local: ScanThread, rows: Range<usize>) -> ScanThread {
        if self.job.per_image == usize::MAX {
            split(rows, BLOCK_ROWS).for_each(|rows| self.rows(&mut local, rows));
        } else {
            let mut first = rows.start;
            while first < rows.end {
                let image = self.job.bank.rows_beside(first);
                first = image.end;
                split(image, BLOCK_ROWS).for_each(|rows| self.rows(&mut local, rows));
                let ScanThread { best, best_of_image, .. } = &mut local;
                best.take_from(best_of_image);
            }
        }
        self.threshold.raise(local.best.least());
        if local.kept.len() > local.full {
            let least = self.threshold.get();
            local.kept.retain(|kept| kept.reach >= least);
            local.full = FULL.max(2 * local.kept.len());
            if local.kept.len() > self.most {
                self.is_crowded.store(true, Ordering::Relaxed);
            }
        }
        local
    }

    /// Looks at rows of one block.
    fn rows(&self, local: &mut ScanThread, rows: Range<usize>) {
        if let Err(error) = self.codes.check(self.job.bank, rows.start / BLOCK_ROWS) {
            self.trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            return;
        }
        let coded = self.codes.coded(rows.clone());
        let ScanThread { best, best_of_image, kept, differing, estimates, .. } = local;
        differing.resize(rows.len(), 0);
        estimates.resize(rows.len(), 0.0);
        self.counter.count(&self.sketch.planes, coded.bits, differing);
        self.sketch.estimate(differing, coded.offsets, coded.scales, estimates);
        let is_limited = self.job.per_image != usize::MAX;
        let best = if is_limited { best_of_image } else { best };
        let mut least = self.threshold.get().max(if is_limited { f32::NEG_INFINITY } else { best.least() });
        let widest = 2.0 * self.deviations * self.sketch.widest(coded.spread);
        let chunks = estimates.chunks(16).zip(coded.scales.chunks(16)).enumerate();
        for (chunk, (estimates, scales)) in chunks {
            // Most have none that may be near; a row without a value is NaN and never is.
            let is_near = |(estimate, scale): (&f32, &f32)| estimate + scale * widest >= least;
            if !estimates.iter().zip(scales).fold(false, |any, pair| any | is_near(pair)) {
                continue;
            }
            for (place, (estimate, scale)) in estimates.iter().zip(scales).enumerate() {
                let at = 16 * chunk + place;
                if estimate.is_nan()
                    || estimate + scale * widest < least
                    || !self.job.allowed(rows.start + at)
                {
                    continue;
                }
                let offset = coded.offsets[at];
                let error = self.deviations * self.sketch.deviation(*estimate, offset, *scale, coded.spread);
                let near =
                    KeptHits { row: rows.start + at, most: estimate + error, reach: estimate + 2.0 * error };
                if near.reach < least {
                    continue;
                }
                kept.push(near);
                if *estimate >= least {
                    best.offer(Hit { row: near.row, cosine: *estimate });
                    least = if is_limited { least } else { least.max(best.least()) };
                }
            }
        }
    }
}

/// Ranges of `rows` that each lie within a block of `block` rows.
fn split(rows: Range<usize>, block: usize) -> impl Iterator<Item = Range<usize>> {
    let mut next = rows.start;
    std::iter::from_fn(move || {
        let first = next;
        next = rows.end.min((first / block + 1) * block);
        (first < next).then_some(first..next)
    })
}
