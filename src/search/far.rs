//! Search of a bank whose rows lie elsewhere: all of them come past once for all queries, or the index over there proposes
//! which are compared here. Cosines, order and ties are those of [`super::top_k`] either way.

use super::many::Question;
use super::recall::{FoundAfter, MeasuredRecall, settle};
use super::topk::{Best, Hit, Ranked, TopKJob, cosines_with};
use crate::bank::{Bank, FarBlock, FarIndex, RowSource};
use crate::progress::CancelToken;
use anyhow::{Context, Result};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// Shares of an index's lists that are looked through, with rows that are compared for each that is wanted: what is tried,
/// least work first.
const TRIED: [(f32, usize); 7] = [
    (1.0 / 32.0, 4),
    (1.0 / 16.0, 8),
    (1.0 / 8.0, 8),
    (1.0 / 4.0, 16),
    (1.0 / 2.0, 16),
    (1.0, 32),
    (1.0, 128),
];
/// More rows than are wanted, by so many times, where too few of those that were proposed may be shown.
const MORE: usize = 4;

/// The nearest to each of `questions` of all rows.
///
/// # Errors
/// As [`super::top_k`]; rows that cannot be read.
pub(super) fn exact(
    bank: &Bank,
    source: &Arc<dyn RowSource>,
    space: &str,
    questions: &[Question],
    k: usize,
) -> Result<Vec<Vec<Hit>>> {
    let job = |question| Passing::new(bank, space, question, k);
    let mut passing = questions.iter().map(job).collect::<Result<Vec<_>>>()?;
    let stored = bank.space(space)?;
    source.scan(stored.index(), 0..bank.patches(), &mut |first_row, values| {
        let block = FarBlock::new(first_row, values, stored.width());
        passing.par_iter_mut().try_for_each(|passing| passing.take(&block))
    })?;
    Ok(passing.into_iter().map(Passing::best).collect())
}

/// A query that rows come past, in their order.
struct Passing<'a> {
    job: TopKJob<'a>,
    best: Best,
    /// Of the image at hand, where their number is limited.
    best_of_image: Best,
    /// Where that image ends.
    image_end: usize,
    cosines: Vec<f32>,
}

impl<'a> Passing<'a> {
    fn new(bank: &'a Bank, space: &str, question: &'a Question, k: usize) -> Result<Self> {
        let job = TopKJob::new(bank, space, &question.query, k, &question.options)?;
        let (best, best_of_image) = (Best::new(job.keep), Best::new(job.per_image));
        Ok(Self { job, best, best_of_image, image_end: 0, cosines: vec![] })
    }

    fn take(&mut self, block: &FarBlock) -> Result<()> {
        let Self { job, best, best_of_image, image_end, cosines } = self;
        job.options.cancel.check()?;
        if job.keep == 0 || job.per_image == 0 {
            return Ok(());
        }
        let piece = block.piece();
        cosines.resize(piece.inv_norms.len(), 0.0);
        cosines_with(job.kernel, &job.query, piece.values, piece.inv_norms, cosines);
        if job.per_image == usize::MAX {
            job.offer(best, block.first_row, cosines);
            return Ok(());
        }
        let (mut row, end) = (block.first_row, block.first_row + cosines.len());
        while row < end {
            if row >= *image_end {
                best.take_from(best_of_image);
                *image_end = job.bank.rows_beside(row).end;
            }
            let until = end.min(*image_end);
            job.offer(best_of_image, row, &cosines[row - block.first_row..until - block.first_row]);
            row = until;
        }
        Ok(())
    }

    fn best(mut self) -> Vec<Hit> {
        self.best.take_from(&mut self.best_of_image);
        if self.job.keep == 0 || self.job.per_image == 0 { vec![] } else { self.best.into_sorted() }
    }
}

/// The nearest to each of `questions` of what the index proposes.
///
/// # Errors
/// As [`exact`]; the space has no index.
pub(super) fn by_index(
    bank: &Bank,
    source: &Arc<dyn RowSource>,
    space: &str,
    questions: &[Question],
    k: usize,
) -> Result<Vec<FoundAfter>> {
    let stored = bank.space(space)?;
    let facts = stored.far_index().with_context(|| {
        format!("space {space} has no index; `bagssl bank index` makes it, --search exact does without")
    })?;
    let one = |question: &Question| {
        // A snapshot of its own: what was read for those before it is let go once that is enough.
        let bank = &bank.clone();
        let job = TopKJob::new(bank, space, &question.query, k, &question.options)?;
        near(&job, source, facts.candidates)
    };
    questions.iter().map(one).collect()
}

/// The nearest of `candidates` rows for each that is wanted, and of more as long as too few of them may be shown.
fn near(job: &TopKJob<'_>, source: &Arc<dyn RowSource>, candidates: usize) -> Result<FoundAfter> {
    if job.keep == 0 || job.per_image == 0 {
        return Ok((vec![], 0));
    }
    let among = job.options.shown.is_some().then(|| shown_rows(job));
    let mut count = job.keep.saturating_mul(candidates);
    loop {
        job.options.cancel.check()?;
        let asked = count.min(job.bank.patches());
        let mut rows = source.propose(job.space.index(), &job.query, asked, among.as_deref())?;
        rows.sort_unstable();
        rows.dedup();
        job.space.bring(&rows)?;
        let mut hits = job.scored(&rows);
        job.space.check_length()?;
        // Rows without a value come as NaN.
        hits.retain(|hit| !hit.cosine.is_nan());
        hits.sort_unstable_by_key(|hit| Ranked(*hit));
        let chosen = job.chosen(hits.into_iter());
        if chosen.len() == job.keep || rows.len() < asked || asked == job.bank.patches() {
            return Ok((chosen, rows.len()));
        }
        count = count.saturating_mul(MORE);
    }
}

/// Rows of the images that may be shown, those that lie side by side together.
fn shown_rows(job: &TopKJob<'_>) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = vec![];
    let mut row = 0;
    for place in 0..job.bank.complete_images() {
        let image = &job.bank.images()[place];
        let rows = row..row + job.bank.spec().grid.len(image.height, image.width);
        row = rows.end;
        if !job.options.shows(place) || rows.is_empty() {
            continue;
        }
        match ranges.last_mut() {
            Some(last) if last.end == rows.start => last.end = rows.end,
            _ => ranges.push(rows),
        }
    }
    ranges
}

/// Finds out how the index of `space` is to be asked and what it finds then, and has it noted where the rows lie.
///
/// # Errors
/// As of a search; it cannot be noted; cancelled.
pub fn measure_index(bank: &Bank, space: &str, cancel: &CancelToken) -> Result<MeasuredRecall> {
    let source = bank.far().context("the rows of the bank lie here, and are searched by their codes")?;
    let index = bank.space(space)?.index();
    let noted = |(lists, candidates), measured: Option<&MeasuredRecall>| FarIndex {
        lists,
        candidates,
        recall: measured.map_or(0.0, |measured| measured.recall),
        least: measured.map_or(0.0, |measured| measured.least),
        queries: measured.map_or(0, |measured| measured.queries),
        k: measured.map_or(0, |measured| measured.k),
        compared: measured.map_or(0.0, |measured| measured.compared),
    };
    let find = |setting, questions: &[Question], k: usize| {
        source.note_index(index, noted(setting, None))?;
        by_index(bank, source, space, questions, k)
    };
    let all = |questions: &[Question], k: usize| exact(bank, source, space, questions, k);
    let (setting, measured) = settle(bank, space, bank.patches(), &TRIED, (&find, &all), cancel)?;
    source.note_index(index, noted(setting, Some(&measured)))?;
    Ok(measured)
}

/// What the index of `space` was seen to find.
pub(super) fn measured(bank: &Bank, space: &str) -> Option<MeasuredRecall> {
    let space = bank.space(space).ok()?;
    let FarIndex { recall, least, queries, k, compared, .. } = space.far_index()?;
    let rows = bank.far()?.indexed_rows(space.index());
    Some(MeasuredRecall { recall, least, queries, k, compared, deviations: 0.0, rows })
}
