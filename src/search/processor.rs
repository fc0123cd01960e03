//! The one place that chooses where cosines are computed: on a GPU where the device is one, else on the CPU.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;

use super::far;
use super::gpu::Gpu;
use super::many::{Question, top_k_many};
use super::map::{KnownRows, Mirror};
use super::quantised::{Quantised, RowCodes, StaleCodes};
use super::recall::MeasuredRecall;
use super::topk::{Hit, TopKJob};
use crate::bank::Bank;
use crate::device::OpenDevice;
use crate::files;

/// Below this the CPU answers sooner than a GPU could be asked, bytes.
const LEAST_BYTES: usize = 1 << 20;

/// Where cosines are computed. What a GPU cannot do, the CPU does: a bank that is too large for the GPU or
/// whose lengths leave its range, galleries that choose among most of a bank, and all, once a GPU has failed.
pub struct Processor {
    gpu: Option<Gpu>,
    least_bytes: usize,
    has_failed: AtomicBool,
    /// Codes of spaces that are searched by them.
    codes: Vec<Quantised>,
    /// Whether banks whose rows lie elsewhere are searched by their index.
    by_index: bool,
}

impl Processor {
    /// The CPU.
    pub fn cpu() -> Self {
        Self::by_codes(vec![])
    }

    /// The CPU, by `codes` in the spaces of the bank that they are of.
    pub fn by_codes(codes: Vec<Quantised>) -> Self {
        Self { gpu: None, least_bytes: 0, has_failed: AtomicBool::new(false), codes, by_index: false }
    }

    /// The CPU, by the indices of banks whose rows lie elsewhere.
    pub fn by_index() -> Self {
        Self { by_index: true, ..Self::cpu() }
    }

    /// The GPU behind `device`; the CPU if there is none.
    pub fn of(device: &OpenDevice) -> Self {
        let gpu = device.setup.as_ref().map(|setup| Gpu::new(&setup.device, &setup.queue));
        Self { gpu, least_bytes: LEAST_BYTES, ..Self::cpu() }
    }

    /// The GPU at any size.
    #[cfg(test)]
    pub(super) fn always(gpu: Gpu) -> Self {
        Self { gpu: Some(gpu), ..Self::cpu() }
    }

    /// What is found in that space, where it is searched by codes; `None` where all is.
    pub fn recall(&self, bank: &Bank, space: &str) -> Option<MeasuredRecall> {
        match bank.far() {
            Some(_) if self.by_index => far::measured(bank, space),
            _ => self.codes_of(bank, space).map(Quantised::measured),
        }
    }

    /// What is found for each of `questions` in a bank whose rows lie elsewhere; `None` where they lie here.
    fn of_far(
        &self,
        bank: &Bank,
        space: &str,
        questions: &[Question],
        k: usize,
    ) -> Option<Result<Vec<Vec<Hit>>>> {
        let source = bank.far()?;
        if !self.by_index {
            return Some(far::exact(bank, source, space, questions, k));
        }
        let found = far::by_index(bank, source, space, questions, k);
        Some(found.map(|found| found.into_iter().map(|(hits, _)| hits).collect()))
    }

    /// The codes that it searches by.
    pub fn codes(&self) -> impl Iterator<Item = &RowCodes> {
        self.codes.iter().map(Quantised::codes)
    }

    fn codes_of(&self, bank: &Bank, space: &str) -> Option<&Quantised> {
        self.codes.iter().find(|codes| codes.codes().is_of(bank, space))
    }

    /// What [`super::top_k`] gives for each of `questions`, to the bit, or [`Quantised::top_k`] where it is by codes;
    /// together, wherever it is. Damaged codes are told, and all rows are compared.
    ///
    /// # Errors
    /// As [`super::top_k`], for any of them.
    pub fn top_k_many(
        &self,
        bank: &Bank,
        space: &str,
        questions: &[Question],
        k: usize,
    ) -> Result<Vec<Vec<Hit>>> {
        if let Some(found) = self.of_far(bank, space, questions, k) {
            return found;
        }
        let width = bank.width(space)?;
        if let Some(codes) = self.codes_of(bank, space) {
            match codes.top_k_many(bank, questions, k) {
                // Where it is the bank itself that cannot be read, comparing says so.
                Err(error) if error.is::<StaleCodes>() || files::is_read_error(&error) => {
                    log::warn!("{error:#}; all rows are compared");
                }
                found => return Ok(found?.into_iter().map(|found| found.hits).collect()),
            }
        }
        if self.open_gpu(4 * bank.patches() * width).is_none() {
            return top_k_many(bank, space, questions, k);
        }
        let jobs = questions
            .iter()
            .map(|question| TopKJob::new(bank, space, &question.query, k, &question.options))
            .collect::<Result<Vec<_>>>()?;
        let cancelled = || questions.iter().try_for_each(|question| question.options.cancel.check());
        cancelled()?;
        let found = self.ask(4 * bank.patches() * width, |gpu| Ok(Some(gpu.top_k(&jobs)?)));
        cancelled()?;
        let found = found.unwrap_or_else(|| vec![None; questions.len()]);
        let left = questions.iter().zip(&found).filter(|(_, found)| found.is_none());
        let left: Vec<Question> = left.map(|(question, _)| question.clone()).collect();
        let mut rest = top_k_many(bank, space, &left, k)?.into_iter();
        Ok(found.into_iter().filter_map(|found| found.or_else(|| rest.next())).collect())
    }

    /// Cosines of `query` with every row, within [`crate::kernel::similarity::BOUND`] of the CPU's; 0 where a row is
    /// not known. `None` where it is for the CPU to do. `mirror` is of the same rows each time.
    pub fn cosines(&self, mirror: &Mirror, query: &[f32], rows: KnownRows<'_>) -> Option<Vec<f32>> {
        self.ask(4 * rows.known.len() * query.len(), |gpu| gpu.cosines(mirror, query, rows))
    }

    /// What the GPU has to say about `bytes` of vectors; nothing once it has failed.
    pub(super) fn ask<T>(&self, bytes: usize, question: impl FnOnce(&Gpu) -> Result<Option<T>>) -> Option<T> {
        question(self.open_gpu(bytes)?).unwrap_or_else(|error| {
            self.has_failed.store(true, Ordering::Relaxed);
            log::warn!("the GPU cannot search any more, the CPU does: {error:#}");
            None
        })
    }

    /// The GPU, where there is one that works and is worth it for `bytes`.
    fn open_gpu(&self, bytes: usize) -> Option<&Gpu> {
        let is_open = bytes >= self.least_bytes && !self.has_failed.load(Ordering::Relaxed);
        self.gpu.as_ref().filter(|_| is_open)
    }
}
