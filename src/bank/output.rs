//! A bank while it is made, wherever it lies.

use super::BankSink;
use super::store::Bank;
use super::writer::BankWriter;
use anyhow::Result;

/// Takes the images of a bank, and makes what was taken last. [`super::create_or_resume`] opens one.
pub trait BankOutput: BankSink {
    /// Makes everything pushed so far last.
    ///
    /// # Errors
    /// The write failed.
    fn commit(&mut self) -> Result<()>;

    /// Commits the last images and opens the finished bank; of one that waits for its other parts the rows cannot be read.
    ///
    /// # Errors
    /// Images are missing, or the write failed.
    fn finish(self: Box<Self>) -> Result<Bank>;

    /// Committed images that are to be pushed again before the next one: damaged ones, then those that could not be read
    /// before.
    fn again(&self) -> [Vec<usize>; 2];

    /// Rows of the images that are written, committed or not; none while some of them are to be pushed again.
    fn written_patches(&self) -> usize;
}

impl BankOutput for BankWriter {
    fn commit(&mut self) -> Result<()> {
        Self::commit(self)
    }

    fn finish(self: Box<Self>) -> Result<Bank> {
        Self::finish(*self)
    }

    fn again(&self) -> [Vec<usize>; 2] {
        [self.damaged().collect(), self.unread().collect()]
    }

    fn written_patches(&self) -> usize {
        Self::written_patches(self)
    }
}
