//! Many queries of the same rows: blocks of rows, each small enough for a core's cache and widened from float16 once,
//! are multiplied with all queries at a time.
//!
//! A product sums in another order than [`top_k`] does, so that its cosines may differ in the last bits. They only
//! choose: what is not so far below the k-th best that no rounding explains it ([`margin`]) is computed again as
//! [`top_k`] computes it, and only that is compared and told. Hits, cosines and ties are therefore those of [`top_k`].

use super::topk::{Best, Hit, Options, TopKJob, cosines_with, top_k};
use crate::bank::{Bank, Piece, Values};
use crate::kernel::QueryPanels;
use anyhow::Result;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Queries that are multiplied with a block of rows at a time, at most: progress is told between so many.
pub const TOGETHER: usize = 256;
/// Fewer are searched for one after the other: a product has columns for sixteen.
const WORTHWHILE: usize = 4;
/// Values of a block of rows, of their products and of the queries that are in cache beside them, about.
const BLOCK_VALUES: usize = 1 << 17;
/// Hits that all threads hold together, about: 16 bytes each.
const MOST_HELD: usize = 1 << 24;

/// One of many queries.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// `[width]`, un-normalised.
    pub query: Vec<f32>,
    /// What may be found.
    pub options: Options,
}

/// What [`top_k`] gives for each of `questions`, to the bit.
///
/// # Errors
/// As [`top_k`], for any of them; cancelled, by any of them.
pub fn top_k_many(bank: &Bank, space: &str, questions: &[Question], k: usize) -> Result<Vec<Vec<Hit>>> {
    let held = rayon::current_num_threads() * k.clamp(1, bank.patches().max(1));
    let together = (MOST_HELD / held).clamp(1, TOGETHER);
    let mut found = Vec::with_capacity(questions.len());
    for some in questions.chunks(together) {
        if some.len() < WORTHWHILE {
            for question in some {
                found.push(top_k(bank, space, &question.query, k, &question.options)?);
            }
        } else {
            found.extend(TopKJobs::new(bank, space, some, k)?.run()?);
        }
    }
    Ok(found)
}

/// How far below its own cosine a row's product may be, and how far above it the one of [`top_k`].
///
/// Of n products, added one after the other in any order, each of them and each sum rounded by at most u = 2^-24, the
/// sum is off by at most n u / (1 - n u) times the sum of the products' sizes (Higham 2002, section 3.1), which is no
/// more than the product of the two lengths: 1, of unit vectors. Both ways may be off so much; what the lengths and
/// the last product are rounded by is a few u more. No sum leaves float32: the row's length lies in it.
fn margin(width: usize) -> f32 {
    1.25 * (width + 16) as f32 * f32::EPSILON
}

/// Searches in the same rows.
struct TopKJobs<'a> {
    jobs: Vec<TopKJob<'a>>,
    panels: QueryPanels,
    margin: f32,
    /// Rows of a block.
    block: usize,
    /// What was found wrong with the rows.
    trouble: Mutex<Option<anyhow::Error>>,
}

/// What one thread has found, and its room to work in.
struct ManyThread {
    best: Vec<Best>,
    /// Of the image at hand, of queries that limit their number.
    best_of_image: Vec<Best>,
    /// Queries that have some of it, and where it ends.
    touched: Vec<u32>,
    image_end: usize,
    /// A block in float32, and its products.
    rows: Vec<f32>,
    products: Vec<f32>,
    /// By query: a product that is below is too far.
    least: Vec<f32>,
    reached: Vec<u32>,
}

impl<'a> TopKJobs<'a> {
    fn new(bank: &'a Bank, space: &str, questions: &'a [Question], k: usize) -> Result<Self> {
        let job = |question: &'a Question| TopKJob::new(bank, space, &question.query, k, &question.options);
        let jobs = questions.iter().map(job).collect::<Result<Vec<_>>>()?;
        let queries: Vec<f32> = jobs.iter().flat_map(|job| &job.query).copied().collect();
        let panels = QueryPanels::new(&queries, jobs.len());
        let width = bank.width(space)?;
        let block = (BLOCK_VALUES / width.max(panels.stride())).clamp(28, 280);
        Ok(Self { jobs, panels, margin: margin(width), block, trouble: Mutex::default() })
    }

    /// What is found for each, best first.
    fn run(self) -> Result<Vec<Vec<Hit>>> {
        let longest = self.jobs.iter().min_by_key(|job| job.per_image);
        // With a limit per image an image is never split.
        let tasks = longest.map_or(vec![], |job| job.tasks(0));
        let found = tasks
            .into_par_iter()
            .filter(|_| !self.is_cancelled())
            .fold(|| self.thread(), |local, rows| self.task(local, rows))
            .map(|local| local.best)
            .reduce(
                || self.jobs.iter().map(|job| Best::new(job.keep)).collect(),
                |all, more| all.into_iter().zip(more).map(|(all, more)| all.merge(more)).collect(),
            );
        self.jobs.iter().try_for_each(|job| job.options.cancel.check())?;
        let trouble = self.trouble.into_inner().unwrap_or_else(PoisonError::into_inner);
        trouble.map_or(Ok(()), Err)?;
        self.jobs.iter().try_for_each(|job| job.space.check_length())?;
        Ok(found.into_iter().map(Best::into_sorted).collect())
    }

    /// Values of a row.
    fn width(&self) -> usize {
        self.jobs[0].query.len()
    }

    fn is_cancelled(&self) -> bool {
        self.jobs.iter().any(|job| job.options.cancel.is_cancelled())
    }

    fn thread(&self) -> ManyThread {
        ManyThread {
            best: self.jobs.iter().map(|job| Best::new(job.keep)).collect(),
            best_of_image: self.jobs.iter().map(|job| Best::new(job.per_image)).collect(),
            touched: vec![],
            image_end: 0,
            rows: vec![],
            products: vec![],
            least: vec![f32::INFINITY; self.panels.stride()],
            reached: vec![],
        }
    }

    /// Adds what is good enough among rows `rows` to `local`.
    fn task(&self, mut local: ManyThread, rows: Range<usize>) -> ManyThread {
        let Some(job) = self.jobs.first() else { return local };
        // Just before they are read: what the sums read is in the processor's caches then.
        if let Err(error) = job.space.check(rows.clone()) {
            self.trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            return local;
        }
        (0..self.jobs.len()).for_each(|query| self.set_least(&mut local, query));
        for piece in job.space.pieces(rows) {
            let count = piece.inv_norms.len();
            for first in (0..count).step_by(self.block) {
                self.block(&mut local, &piece, first..count.min(first + self.block));
            }
        }
        self.end_image(&mut local);
        local.image_end = 0;
        for (job, best) in self.jobs.iter().zip(&local.best) {
            job.threshold.raise(best.least());
        }
        local
    }

    /// Looks at rows `block` of `piece`.
    fn block(&self, local: &mut ManyThread, piece: &Piece<'_>, block: Range<usize>) {
        let width = self.width();
        let mut widened = std::mem::take(&mut local.rows);
        let mut products = std::mem::take(&mut local.products);
        products.resize(block.len() * self.panels.stride(), 0.0);
        match piece.values.slice(block.start * width..block.end * width) {
            Values::F32(rows) => self.panels.products(rows, &mut products),
            rows @ Values::F16(_) => {
                widened.resize(block.len() * width, 0.0);
                rows.read(0..block.len() * width, &mut widened);
                self.panels.products(&widened, &mut products);
            }
        }
        for (at, products) in block.zip(products.chunks_exact(self.panels.stride())) {
            self.row(local, piece, at, products);
        }
        (local.rows, local.products) = (widened, products);
    }

    /// Offers row `at` of `piece` to the queries to which it may be near.
    fn row(&self, local: &mut ManyThread, piece: &Piece<'_>, at: usize, products: &[f32]) {
        let (row, inv_norm) = (piece.first_row + at, piece.inv_norms[at]);
        if inv_norm.is_nan() {
            return;
        }
        if row >= local.image_end {
            self.end_image(local);
            local.image_end = self.jobs[0].bank.rows_beside(row).end;
        }
        let mut reached = std::mem::take(&mut local.reached);
        reached.clear();
        self.panels.reached(products, inv_norm, &local.least, &mut reached);
        let width = self.width();
        for query in &reached {
            let job = &self.jobs[*query as usize];
            if !job.allowed(row) {
                continue;
            }
            let (values, mut cosine) = (piece.values.slice(at * width..(at + 1) * width), [0.0]);
            cosines_with(job.kernel, &job.query, values, &piece.inv_norms[at..=at], &mut cosine);
            self.offer(local, *query, Hit { row, cosine: cosine[0] });
        }
        local.reached = reached;
    }

    fn offer(&self, local: &mut ManyThread, query: u32, hit: Hit) {
        let index = query as usize;
        if self.jobs[index].per_image == usize::MAX {
            local.best[index].offer(hit);
            self.set_least(local, index);
        } else {
            if local.touched.last() != Some(&query) {
                local.touched.push(query);
            }
            local.best_of_image[index].offer(hit);
        }
    }

    /// The image at hand is done: what is kept of it counts.
    fn end_image(&self, local: &mut ManyThread) {
        for query in std::mem::take(&mut local.touched) {
            let index = query as usize;
            local.best[index].take_from(&mut local.best_of_image[index]);
            self.set_least(local, index);
        }
    }

    /// Below what a product is too far from a query.
    fn set_least(&self, local: &mut ManyThread, index: usize) {
        let (job, best) = (&self.jobs[index], &local.best[index]);
        let is_asked = job.keep > 0 && job.per_image > 0;
        let least = if is_asked { job.threshold.get().max(best.least()) } else { f32::INFINITY };
        local.least[index] = least - self.margin;
    }
}
