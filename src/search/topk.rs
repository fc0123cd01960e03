//! The k nearest rows: blocks of rows go to all threads, each keeps a bounded heap, the heaps are merged.

use super::dot::Kernel;
use crate::bank::{Bank, ImageEntry, StoredSpace, Values};
use crate::progress::CancelToken;
use anyhow::{Result, ensure};
use rayon::prelude::*;
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering as Memory};
use std::sync::{Mutex, PoisonError};

/// Rows that one thread takes at a time.
const BLOCK_ROWS: usize = 2048;

/// A neighbour.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Hit {
    /// Row of the bank.
    pub row: usize,
    /// In [-1, 1].
    pub cosine: f32,
}

/// What may be found.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Leave out these rows: the query itself.
    pub exclude_rows: Vec<usize>,
    /// Leave out all rows of these images.
    pub exclude_images: Vec<u32>,
    /// By place in the bank, whether rows of that image may be found; all where absent.
    pub shown: Option<Vec<bool>>,
    /// At most so many rows of any one image; the best of all such selections.
    pub per_image: Option<usize>,
    /// Stops the search.
    pub cancel: CancelToken,
}

impl Options {
    /// Whether rows of the image in `place` of a bank may be found, as far as [`Options::shown`] says.
    pub(super) fn shows(&self, place: usize) -> bool {
        self.shown.as_ref().is_none_or(|shown| shown[place])
    }
}

/// The `k` rows of `space` with the largest cosine to `query`, `[width]`, un-normalised; best first, equal ones
/// in bank order. Fewer where fewer may be found. All committed rows are looked at: [`Bank::patches`] says how many.
///
/// # Errors
/// No such space, a query of another width or with a NaN or an infinity, no such image to exclude, cancelled, or
/// as [`StoredSpace::check`].
pub fn top_k(bank: &Bank, space: &str, query: &[f32], k: usize, options: &Options) -> Result<Vec<Hit>> {
    let job = TopKJob::new(bank, space, query, k, options)?;
    if job.keep == 0 || job.per_image == 0 {
        return Ok(Vec::new());
    }
    let best = job.best_from(0)?;
    job.check()?;
    Ok(best)
}

/// The query at unit length, so that products stay in range; a zero query stays zero.
fn unit_query(space: &StoredSpace<'_>, query: &[f32]) -> Result<Vec<f32>> {
    ensure!(
        query.len() == space.width(),
        "the query has {} values; space {} has {}",
        query.len(),
        space.name(),
        space.width()
    );
    let norm = query.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt();
    ensure!(norm.is_finite(), "the query holds a NaN or an infinity; its cosine with anything is unknown");
    let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
    Ok(query.iter().map(|v| (f64::from(*v) * scale) as f32).collect())
}

/// Cosines of rows `rows`; `out` has as many.
fn cosines_of(kernel: Kernel, space: &StoredSpace<'_>, query: &[f32], rows: Range<usize>, out: &mut [f32]) {
    let mut rest = out;
    for piece in space.pieces(rows) {
        let (now, later) = rest.split_at_mut(piece.inv_norms.len());
        cosines_with(kernel, query, piece.values, piece.inv_norms, now);
        rest = later;
    }
}

/// Cosines of rows that are stored as `values`, one for each of `inv_norms`.
pub(super) fn cosines_with(
    kernel: Kernel,
    query: &[f32],
    values: Values<'_>,
    inv_norms: &[f32],
    out: &mut [f32],
) {
    kernel.dots(query, values, out);
    for (cosine, inv_norm) in out.iter_mut().zip(inv_norms) {
        // Adding 0 turns -0 into 0, so that all zeros tie. NaN passes through.
        *cosine = (*cosine * inv_norm).clamp(-1.0, 1.0) + 0.0;
    }
}

/// One search.
pub(super) struct TopKJob<'a> {
    pub bank: &'a Bank,
    pub space: StoredSpace<'a>,
    /// At unit length.
    pub query: Vec<f32>,
    pub kernel: Kernel,
    pub keep: usize,
    /// Rows that are left out.
    excluded: Vec<Range<usize>>,
    pub options: &'a Options,
    /// At least 1, unless nothing is wanted.
    pub per_image: usize,
    pub threshold: Threshold,
    /// What was found wrong with the rows.
    trouble: Mutex<Option<anyhow::Error>>,
}

impl<'a> TopKJob<'a> {
    /// What is asked of [`top_k`], which says what may be wrong with it.
    pub fn new(bank: &'a Bank, space: &str, query: &[f32], k: usize, options: &'a Options) -> Result<Self> {
        let space = bank.space(space)?;
        let images = options.exclude_images.iter().map(|image| bank.rows_of_image(*image as usize));
        let rows = options.exclude_rows.iter().map(|row| Ok(*row..row + 1));
        Ok(TopKJob {
            bank,
            space,
            query: unit_query(&space, query)?,
            kernel: Kernel::available()[0],
            keep: k.min(bank.patches()),
            excluded: images.chain(rows).collect::<Result<_>>()?,
            options,
            per_image: options.per_image.unwrap_or(usize::MAX),
            threshold: Threshold::default(),
            trouble: Mutex::default(),
        })
    }

    /// How many rows are left out at most.
    pub fn left_out(&self) -> usize {
        let rows = |(place, image): (usize, &ImageEntry)| {
            let is_hidden = !self.options.shows(place);
            is_hidden.then(|| self.bank.spec().grid.len(image.height, image.width))
        };
        let hidden: usize = match self.options.shown {
            Some(_) => self.bank.images().iter().enumerate().filter_map(rows).sum(),
            None => 0,
        };
        hidden + self.excluded.iter().map(ExactSizeIterator::len).sum::<usize>()
    }

    /// The nearest from row `first` on, where an image begins; best first.
    ///
    /// # Errors
    /// Cancelled.
    pub fn best_from(&self, first: usize) -> Result<Vec<Hit>> {
        let best = self
            .tasks(first)
            .into_par_iter()
            .filter(|_| !self.options.cancel.is_cancelled())
            .fold(|| Local::new(self), |local, rows| self.search(local, rows))
            .map(|local| local.best)
            .reduce(|| Best::new(self.keep), Best::merge);
        self.options.cancel.check()?;
        Ok(best.into_sorted())
    }

    /// The hits among `rows`, of which only the `complete` nearest can be told to be the nearest of all.
    pub fn among(&self, rows: &[usize], complete: usize) -> Vec<Hit> {
        let mut all = self.scored(rows);
        all.sort_unstable_by_key(|hit| Ranked(*hit));
        self.chosen(all.into_iter().take(complete))
    }

    /// Each of `rows` with its cosine, as every other search computes it.
    pub fn scored(&self, rows: &[usize]) -> Vec<Hit> {
        let scored = |row: &usize| {
            let mut cosine = [0.0];
            cosines_of(self.kernel, &self.space, &self.query, *row..row + 1, &mut cosine);
            Hit { row: *row, cosine: cosine[0] }
        };
        rows.par_iter().map(scored).collect()
    }

    /// As many as are wanted of `hits`, which come best first.
    pub fn chosen(&self, hits: impl Iterator<Item = Hit>) -> Vec<Hit> {
        let mut of_image: HashMap<u32, usize> = HashMap::new();
        let allowed = hits.filter(|hit| self.allowed(hit.row)).filter(|hit| {
            let count = of_image.entry(self.bank.image_of_row(hit.row)).or_default();
            *count += 1;
            *count <= self.per_image
        });
        allowed.take(self.keep).collect()
    }

    /// Ranges of rows for the threads, from row `first` on. With a limit per image an image is never split.
    pub fn tasks(&self, mut first: usize) -> Vec<Range<usize>> {
        let total = self.bank.patches();
        if self.per_image == usize::MAX {
            return (first..total)
                .step_by(BLOCK_ROWS)
                .map(|first| first..total.min(first + BLOCK_ROWS))
                .collect();
        }
        let mut tasks = Vec::new();
        while first < total {
            let end = self.bank.rows_beside(total.min(first + BLOCK_ROWS) - 1).end;
            tasks.push(first..end);
            first = end;
        }
        tasks
    }

    /// What is wrong with the rows that were looked at.
    pub fn check(self) -> Result<()> {
        let trouble = self.trouble.into_inner().unwrap_or_else(PoisonError::into_inner);
        trouble.map_or(Ok(()), Err).and_then(|()| self.space.check_length())
    }

    /// Adds what is good enough among rows `rows` to `local`.
    fn search(&self, mut local: Local, rows: Range<usize>) -> Local {
        // Just before they are read: what the sums read is in the processor's caches then.
        if let Err(error) = self.space.check(rows.clone()) {
            self.trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            return local;
        }
        local.cosines.resize(rows.len(), 0.0);
        let mut cosines = std::mem::take(&mut local.cosines);
        cosines_of(self.kernel, &self.space, &self.query, rows.clone(), &mut cosines);
        if self.per_image == usize::MAX {
            self.offer(&mut local.best, rows.start, &cosines);
        } else {
            let mut first = rows.start;
            while first < rows.end {
                let image = self.bank.rows_beside(first);
                let part = &cosines[image.start - rows.start..image.end - rows.start];
                self.offer(&mut local.best_of_image, image.start, part);
                local.best.take_from(&mut local.best_of_image);
                first = image.end;
            }
        }
        self.threshold.raise(local.best.least());
        local.cosines = cosines;
        local
    }

    /// Offers rows from `first` on to `best`, but for those that cannot be among the k best of all.
    pub fn offer(&self, best: &mut Best, first: usize, cosines: &[f32]) {
        let mut least = self.threshold.get().max(best.least());
        for (i, cosine) in cosines.iter().enumerate() {
            // Rows without a value are NaN here, and fail this comparison.
            if *cosine >= least && self.allowed(first + i) {
                best.offer(Hit { row: first + i, cosine: *cosine });
                least = least.max(best.least());
            }
        }
    }

    pub fn allowed(&self, row: usize) -> bool {
        let is_shown = self.options.shown.is_none() || self.options.shows(self.bank.place_of_row(row));
        is_shown && !self.excluded.iter().any(|rows| rows.contains(&row))
    }
}

/// What one thread has found, and its room to work in.
struct Local {
    best: Best,
    /// Of the image at hand, where their number is limited.
    best_of_image: Best,
    /// Cosines of the block at hand.
    cosines: Vec<f32>,
}

impl Local {
    fn new(job: &TopKJob<'_>) -> Self {
        Self { best: Best::new(job.keep), best_of_image: Best::new(job.per_image), cosines: Vec::new() }
    }
}

/// The best `keep` of the hits it is offered, the worst of them on top; `keep` is at least 1.
pub struct Best {
    heap: BinaryHeap<Ranked>,
    keep: usize,
}

impl Best {
    /// Nothing was offered yet.
    pub fn new(keep: usize) -> Self {
        Self { heap: BinaryHeap::new(), keep }
    }

    /// Keeps `hit` where it is among the best.
    pub fn offer(&mut self, hit: Hit) {
        if self.heap.len() < self.keep {
            self.heap.push(Ranked(hit));
        } else if let Some(mut worst) = self.heap.peek_mut()
            && Ranked(hit) < *worst
        {
            *worst = Ranked(hit);
        }
    }

    /// A hit below this would not be kept.
    pub fn least(&self) -> f32 {
        match self.heap.peek() {
            Some(worst) if self.heap.len() == self.keep => worst.0.cosine,
            _ => f32::NEG_INFINITY,
        }
    }

    /// The best of both.
    pub fn merge(mut self, mut other: Best) -> Best {
        self.take_from(&mut other);
        self
    }

    /// Takes what is good enough of `other`, which is empty then.
    pub fn take_from(&mut self, other: &mut Best) {
        other.heap.drain().for_each(|ranked| self.offer(ranked.0));
    }

    /// Best first.
    pub fn into_sorted(self) -> Vec<Hit> {
        self.heap.into_sorted_vec().into_iter().map(|ranked| ranked.0).collect()
    }
}

/// Orders hits: less is better. Larger cosines first, then lower rows.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Ranked(pub Hit);

impl Eq for Ranked {}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.cosine.total_cmp(&self.0.cosine).then(self.0.row.cmp(&other.0.row))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A lower bound of the k-th best cosine that all threads share: a float whose bits
/// are turned so that they have the order of the numbers.
pub(super) struct Threshold(AtomicU32);

impl Default for Threshold {
    fn default() -> Self {
        Self(AtomicU32::new(ordered_from_float(f32::NEG_INFINITY)))
    }
}

impl Threshold {
    pub fn get(&self) -> f32 {
        float_from_ordered(self.0.load(Memory::Relaxed))
    }

    /// Raises the bound to `cosine`, if that is more.
    pub fn raise(&self, cosine: f32) {
        self.0.fetch_max(ordered_from_float(cosine), Memory::Relaxed);
    }
}

fn ordered_from_float(value: f32) -> u32 {
    let bits = value.to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

fn float_from_ordered(bits: u32) -> f32 {
    f32::from_bits(if bits >> 31 == 1 { bits & !(1 << 31) } else { !bits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_are_kept_in_whatever_order_they_come() {
        let cosines = [0.5, -0.5, 0.5, 1.0, 0.5, 0.5];
        let kept = |order: &[usize]| {
            let mut best = Best::new(3);
            order.iter().for_each(|row| best.offer(Hit { row: *row, cosine: cosines[*row] }));
            best.into_sorted().iter().map(|hit| hit.row).collect::<Vec<_>>()
        };
        for order in [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [4, 5, 2, 1, 0, 3]] {
            assert_eq!(kept(&order), [3, 0, 2]);
        }
    }

    #[test]
    fn the_bits_of_the_threshold_have_the_order_of_the_numbers() {
        let threshold = Threshold::default();
        assert_eq!(threshold.get(), f32::NEG_INFINITY);
        for (raised, held) in
            [(-0.75, -0.75), (-1.0, -0.75), (0.0, 0.0), (-0.5, 0.0), (1.0, 1.0), (0.25, 1.0)]
        {
            threshold.raise(raised);
            assert_eq!(threshold.get(), held);
        }
    }
}
