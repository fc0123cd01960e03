//! All codes of a bank are looked at once, for many queries at a time; what may be near enough is kept.
//!
//! What is kept for a query is a function of the query and the codes alone, however the rows are shared among threads
//! and whatever else is asked beside it: all rows that may be as near as the last of those that are nearest by their
//! codes. While that bound is not known yet more is kept, and where that has no room the codes are looked at again
//! with the bound that was found.

use super::file::{BLOCK_ROWS, CodedRows, RowCodes};
use super::popcount::{CHUNK, Counter};
use super::sketch::Sketch;
use crate::bank::Bank;
use crate::search::topk::{Best, Hit, Threshold, TopKJob};
use anyhow::Result;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Rows whose estimates are made and looked at together: few enough that all of them stay in the nearest cache.
const PART: usize = 256;
/// Queries that are compared with a block of codes while it is in cache, at most.
const TOGETHER: usize = 64;
/// Kept rows of a thread and query before it first looks which are too far.
const FULL: usize = 1 << 14;
/// Rows that all threads keep together for all queries, about: 16 bytes each.
const MOST_HELD: usize = 1 << 24;

/// Rows that may be among the nearest, as far as the codes tell.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeptHits {
    pub row: usize,
    /// Its cosine at most.
    pub most: f32,
    /// What is kept is below this only where nothing better is known.
    reach: f32,
}

/// What a scan finds for a query.
pub(super) struct Scanned {
    /// The nearest by their codes, best first.
    pub first: Vec<Hit>,
    /// All that may be as near as the last of them.
    pub kept: Vec<KeptHits>,
}

/// One scan.
pub(super) struct Scan<'a, 'b> {
    codes: &'a RowCodes,
    counter: Counter,
    /// Deviations by which a cosine may be larger than it seems.
    deviations: f32,
    /// More than so many rows that may be near, and the codes tell too little.
    most: usize,
    asked: Vec<ScanQuery<'a, 'b>>,
    trouble: Mutex<Option<anyhow::Error>>,
}

/// One of its queries.
struct ScanQuery<'a, 'b> {
    job: &'a TopKJob<'b>,
    sketch: Sketch,
    /// How many are to be nearest by their codes.
    wanted: usize,
    threshold: Threshold,
    /// A thread keeps no more rows than so many.
    room: usize,
    /// Whether they were more.
    is_full: AtomicBool,
}

impl ScanQuery<'_, '_> {
    fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    fn is_limited(&self) -> bool {
        self.job.per_image != usize::MAX
    }

    /// Whether rows of all images count, as many as there are.
    fn is_plain(&self) -> bool {
        self.job.options.shown.is_none() && !self.is_limited()
    }
}

/// What one thread has found, and its room to work in.
struct ScanThread {
    asked: Vec<QueryThread>,
    differing: Vec<u32>,
    estimates: Vec<f32>,
    /// What each cosine may be at most, about: no row is left out by it that counts.
    most: Vec<f32>,
}

/// What one thread has found for a query.
struct QueryThread {
    best: Best,
    /// Of the image at hand, where their number is limited.
    best_of_image: Best,
    kept: Vec<KeptHits>,
    /// From so many on, those that are too far by now are left out.
    full: usize,
}

impl QueryThread {
    fn new(asked: &ScanQuery<'_, '_>) -> Self {
        Self {
            best: Best::new(asked.wanted),
            best_of_image: Best::new(asked.job.per_image),
            kept: vec![],
            full: FULL.min(asked.room),
        }
    }

    fn merge(mut self, mut other: Self) -> Self {
        self.best.take_from(&mut other.best);
        self.kept.append(&mut other.kept);
        self
    }
}

impl<'a, 'b> Scan<'a, 'b> {
    /// How many queries are worth asking together.
    pub fn together() -> usize {
        (MOST_HELD / FULL / rayon::current_num_threads()).clamp(1, TOGETHER)
    }

    /// For `jobs`, all of one bank.
    pub fn new(codes: &'a RowCodes, deviations: f32, most: usize, jobs: &[&'a TopKJob<'b>]) -> Self {
        let room = MOST_HELD / rayon::current_num_threads() / jobs.len().max(1);
        Self::with_room(codes, deviations, most, (jobs, most.min(room)))
    }

    /// The same, where a thread keeps no more than `room` rows of a query.
    fn with_room(
        codes: &'a RowCodes,
        deviations: f32,
        most: usize,
        (jobs, room): (&[&'a TopKJob<'b>], usize),
    ) -> Self {
        let of_job = |job: &&'a TopKJob<'b>| ScanQuery {
            job,
            sketch: Sketch::new(&codes.frame, &job.query),
            wanted: 2 * job.keep,
            threshold: Threshold::default(),
            room,
            is_full: AtomicBool::new(false),
        };
        let asked = jobs.iter().map(of_job).collect();
        Self { codes, counter: Counter::available()[0], deviations, most, asked, trouble: Mutex::default() }
    }

    /// Scans the first `rows` rows; `None` for a query where too many may be near.
    ///
    /// # Errors
    /// Damaged codes, cancelled.
    pub fn run(self, rows: usize) -> Result<Vec<Option<Scanned>>> {
        self.codes.note_search();
        let found = self.pass(rows, false)?;
        let scanned = found.into_iter().zip(&self.asked).map(|(found, asked)| {
            let QueryThread { best, mut kept, .. } = found;
            let least = best.least();
            if asked.is_full() {
                // With the bound known from the start nothing is kept that does not count.
                let only = (&[asked.job][..], self.most);
                let again = Self::with_room(self.codes, self.deviations, self.most, only);
                again.asked[0].threshold.raise(least);
                let found = again.pass(rows, true)?.pop();
                let Some(found) = found.filter(|_| !again.asked[0].is_full()) else { return Ok(None) };
                kept = found.kept;
            }
            kept.retain(|kept| kept.reach >= least);
            Ok((kept.len() <= self.most).then(|| Scanned { first: best.into_sorted(), kept }))
        });
        scanned.collect()
    }

    /// Looks at the codes of the first `rows` rows once; `until_full`: unless some query has no room for what is near.
    fn pass(&self, rows: usize, until_full: bool) -> Result<Vec<QueryThread>> {
        let empty = || self.asked.iter().map(QueryThread::new).collect::<Vec<_>>();
        let local = || ScanThread { asked: empty(), differing: vec![], estimates: vec![], most: vec![] };
        let is_over = || {
            let ends = |asked: &ScanQuery<'_, '_>| {
                asked.job.options.cancel.is_cancelled() || until_full && asked.is_full()
            };
            self.asked.iter().any(ends)
        };
        let found = self
            .tasks(rows)
            .into_par_iter()
            .filter(|_| !is_over())
            .fold(local, |local, rows| self.task(local, rows))
            .map(|local| local.asked)
            .reduce(empty, |all, more| all.into_iter().zip(more).map(|(a, b)| a.merge(b)).collect());
        self.asked.iter().try_for_each(|asked| asked.job.options.cancel.check())?;
        if let Some(trouble) = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(trouble);
        }
        self.codes.check_length()?;
        Ok(found)
    }

    /// Ranges of rows of images that may be shown to some query. Where one limits the rows per image, an image is never
    /// split.
    fn tasks(&self, end: usize) -> Vec<Range<usize>> {
        let Some(bank) = self.asked.first().map(|asked| asked.job.bank) else { return vec![] };
        let is_limited = self.asked.iter().any(ScanQuery::is_limited);
        if !is_limited && self.asked.iter().any(ScanQuery::is_plain) {
            return split(0..end, BLOCK_ROWS).collect();
        }
        let mut tasks: Vec<Range<usize>> = vec![];
        let mut first = 0;
        while first < end {
            let image = bank.rows_beside(first);
            first = image.end;
            let place = bank.place_of_row(image.start);
            if !self.asked.iter().any(|asked| asked.job.options.shows(place)) {
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
        let Some(bank) = self.asked.first().map(|asked| asked.job.bank) else { return local };
        for block in split(rows, BLOCK_ROWS) {
            self.codes.bring(block.start / BLOCK_ROWS);
            if let Err(error) = self.codes.check(bank, block.start / BLOCK_ROWS) {
                self.trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                return local;
            }
            let ScanThread { asked: found, differing, estimates, most } = &mut local;
            for (asked, found) in self.asked.iter().zip(found) {
                let mut look = |found: &mut QueryThread, rows: Range<usize>| {
                    for rows in split(rows, PART) {
                        let coded = self.codes.coded(rows.clone());
                        differing.resize(rows.len(), 0);
                        estimates.resize(rows.len(), 0.0);
                        most.resize(rows.len(), 0.0);
                        self.counter.count(&asked.sketch.planes, coded.bits, differing);
                        let bound = self.bound(asked, &coded);
                        let factors = (coded.offsets, coded.scales);
                        self.counter.estimate(&asked.sketch, (differing, bound), factors, (estimates, most));
                        self.rows(asked, found, &coded, (rows.start, estimates, most));
                    }
                };
                each_shown(asked, bank, block.clone(), found, &mut look);
            }
        }
        for (asked, found) in self.asked.iter().zip(&mut local.asked) {
            asked.threshold.raise(found.best.least());
            thin(asked, found);
        }
        local
    }

    /// Twice the error that rows may have at most, in units of their scale.
    fn bound(&self, asked: &ScanQuery<'_, '_>, coded: &CodedRows<'_>) -> f32 {
        2.0 * self.deviations * asked.sketch.widest(coded.spread)
    }

    /// Offers the rows from `first` on, which have those `estimates` and may be `most`, to a query.
    fn rows(
        &self,
        asked: &ScanQuery<'_, '_>,
        found: &mut QueryThread,
        coded: &CodedRows<'_>,
        (first, estimates, most): (usize, &[f32], &[f32]),
    ) {
        let (is_limited, keeps) = (asked.is_limited(), !asked.is_full());
        let QueryThread { best, best_of_image, kept, .. } = found;
        let best = if is_limited { best_of_image } else { best };
        let mut least = asked.threshold.get().max(if is_limited { f32::NEG_INFINITY } else { best.least() });
        let widest = self.bound(asked, coded);
        let mut next = 0;
        // Most chunks have none that may be near; a row without a value is NaN and never is.
        while let Some(chunk) = self.counter.first_reaching(most, least, next) {
            next = chunk + 1;
            let places = CHUNK * chunk..estimates.len().min(CHUNK * next);
            let factors = coded.scales[places.clone()].iter().zip(&coded.offsets[places.clone()]);
            for (at, (estimate, (scale, offset))) in places.clone().zip(estimates[places].iter().zip(factors))
            {
                let bound = scale * widest;
                if estimate.is_nan() || most[at] < least || !asked.job.allowed(first + at) {
                    continue;
                }
                let deviation = asked.sketch.deviation(*estimate, *offset, *scale, coded.spread);
                // Rounded up it would reach farther than `bound`, by which rows are left out.
                let error = (self.deviations * deviation).min(bound / 2.0);
                let near =
                    KeptHits { row: first + at, most: estimate + error, reach: estimate + 2.0 * error };
                if near.reach < least {
                    continue;
                }
                if keeps {
                    kept.push(near);
                }
                if *estimate >= least {
                    best.offer(Hit { row: near.row, cosine: *estimate });
                    least = if is_limited { least } else { least.max(best.least()) };
                }
            }
        }
    }
}

/// Hands `look` the rows of `block` that may be shown to a query; where images have a limit, what is best of each counts
/// once it ends.
fn each_shown(
    asked: &ScanQuery<'_, '_>,
    bank: &Bank,
    block: Range<usize>,
    found: &mut QueryThread,
    look: &mut impl FnMut(&mut QueryThread, Range<usize>),
) {
    if asked.is_plain() {
        return look(found, block);
    }
    // Rows of several images one after the other, that are looked at together.
    let mut run = block.start..block.start;
    let mut first = block.start;
    while first < block.end {
        let image = bank.rows_beside(first);
        let end = image.end.min(block.end);
        if asked.job.options.shows(bank.place_of_row(first)) {
            if run.end != first {
                run = first..first;
            }
            run.end = end;
        }
        let is_cut = asked.is_limited() || run.end != end;
        if is_cut && !run.is_empty() {
            look(found, run.clone());
            run = end..end;
        }
        if asked.is_limited() && image.end <= block.end {
            found.best.take_from(&mut found.best_of_image);
        }
        first = end;
    }
    if !run.is_empty() {
        look(found, run);
    }
}

/// Leaves out what is too far by now, once much is kept.
fn thin(asked: &ScanQuery<'_, '_>, found: &mut QueryThread) {
    if found.kept.len() > found.full {
        let least = asked.threshold.get();
        found.kept.retain(|kept| kept.reach >= least);
        found.full = FULL.min(asked.room).max(2 * found.kept.len());
        if found.kept.len() > asked.room {
            asked.is_full.store(true, Ordering::Relaxed);
        }
    }
    if asked.is_full() {
        found.kept = vec![];
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

#[cfg(test)]
mod tests {
    use super::super::tests::{bank_at, correlated, indexed, row_of};
    use super::*;
    use crate::search::Options;

    #[test]
    fn what_is_kept_does_not_depend_on_the_room_nor_on_what_is_asked_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let bank = bank_at(folder.path(), 60, 60, &correlated(60));
        let codes = indexed(&bank, None);
        let options = [
            Options::default(),
            Options { per_image: Some(2), ..Options::default() },
            Options { shown: Some((0..60).map(|image| image % 3 == 1).collect()), ..Options::default() },
        ];
        let ask = |(at, options): (usize, _)| {
            TopKJob::new(&bank, "h", &row_of(&bank, 250 * at), 6, options).unwrap()
        };
        let jobs: Vec<TopKJob<'_>> = (0..12).zip(options.iter().cycle()).map(ask).collect();
        let all: Vec<&TopKJob<'_>> = jobs.iter().collect();
        let found = |most: usize, (jobs, room): (&[&TopKJob<'_>], usize)| {
            let scan = Scan::with_room(codes.codes(), 3.0, most, (jobs, room));
            let sorted = |scanned: Scanned| {
                let mut kept: Vec<(usize, u32)> =
                    scanned.kept.iter().map(|kept| (kept.row, kept.most.to_bits())).collect();
                kept.sort_unstable();
                (scanned.first, kept)
            };
            scan.run(bank.patches()).unwrap().into_iter().map(|found| found.map(sorted)).collect::<Vec<_>>()
        };
        let (most, ample) = (bank.patches(), found(bank.patches(), (&all, usize::MAX)));
        assert!(ample.iter().all(Option::is_some));
        assert_eq!(found(most, (&all, 1)), ample, "with next to no room");
        let alone: Vec<_> = all.iter().flat_map(|job| found(most, (&[*job][..], most))).collect();
        assert_eq!(alone, ample);
        // One row fewer than may be near, and the codes tell too little, however much room there was.
        let near: Vec<usize> =
            ample.iter().map(|found| found.as_ref().map_or(0, |(_, kept)| kept.len())).collect();
        let fewest = *near.iter().min().unwrap();
        assert!(fewest > 12, "{fewest}");
        for room in [1, usize::MAX] {
            for ((told, all), near) in found(fewest, (&all, room)).iter().zip(&ample).zip(&near) {
                assert_eq!(told.is_some(), *near == fewest);
                assert!(told.is_none() || told == all);
            }
            assert!(found(fewest - 1, (&all, room)).iter().all(Option::is_none));
        }
    }
}
