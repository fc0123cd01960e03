//! How far long work is, and the word to stop it.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Shared word to stop: long work asks `is_cancelled` between units and ends
/// cleanly with [`Cancelled`], leaving what can be resumed.
#[derive(Clone, Default, Debug)]
pub struct CancelToken {
    asked: Arc<AtomicBool>,
    /// From then on it counts as asked.
    deadline: Option<Instant>,
    /// Questions that were put to it, and from which on it counts as asked.
    questions: Option<Arc<(AtomicU64, u64)>>,
}

thread_local! {
    /// Who may have the work of this thread left in its midst.
    static LEAVABLE: RefCell<Option<CancelToken>> = const { RefCell::new(None) };
}

impl CancelToken {
    /// One that asks by itself after so long.
    pub fn after(time: Duration) -> Self {
        Self { deadline: Instant::now().checked_add(time), ..Self::default() }
    }

    /// One that asks by itself once `count` questions were put to it: work is then left at the same place each time,
    /// however fast it goes.
    pub fn at_question(count: u64) -> Self {
        Self { questions: Some(Arc::new((AtomicU64::new(0), count))), ..Self::default() }
    }

    /// Questions that were put to one made by [`CancelToken::at_question`]; 0 of any other.
    pub fn questions(&self) -> u64 {
        self.questions.as_ref().map_or(0, |questions| questions.0.load(Ordering::Relaxed))
    }

    /// Asks the work that holds this token to stop.
    pub fn cancel(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// Whether someone asked to stop.
    pub fn is_cancelled(&self) -> bool {
        let is_asked =
            |questions: &(AtomicU64, u64)| questions.0.fetch_add(1, Ordering::Relaxed) >= questions.1;
        self.asked.load(Ordering::Relaxed)
            || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
            || self.questions.as_deref().is_some_and(is_asked)
    }

    /// `Err(Cancelled)` once someone asked to stop.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }

    /// Does `work`, one long piece such as a training step, so that it can be left in its midst: once someone asks to
    /// stop, what its thread would still compute is skipped ([`is_left`]), and what comes of it is dropped. Work that
    /// changes something asks [`check_left`] before it does.
    ///
    /// # Errors
    /// Someone asked to stop before it was done.
    pub fn leavable<T>(&self, work: impl FnOnce() -> T) -> Result<T, Cancelled> {
        self.check()?;
        let _outer = Outer(LEAVABLE.replace(Some(self.clone())));
        let done = work();
        self.check()?;
        Ok(done)
    }
}

/// What could be left around a piece of work, put back at its end.
struct Outer(Option<CancelToken>);

impl Drop for Outer {
    fn drop(&mut self) {
        LEAVABLE.set(self.0.take());
    }
}

/// Whether the work of this thread is being left ([`CancelToken::leavable`]): whatever it computes from now on is dropped,
/// and may be anything.
pub fn is_left() -> bool {
    LEAVABLE.with_borrow(|token| token.as_ref().is_some_and(CancelToken::is_cancelled))
}

/// `Err(Cancelled)` where [`is_left`]: what was computed so far is worth nothing.
pub fn check_left() -> Result<(), Cancelled> {
    if is_left() { Err(Cancelled) } else { Ok(()) }
}

/// The work was stopped on request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

/// A state of long work: `done` of `total` units after `elapsed`.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// What is being done, one or two words ("embedding").
    pub what: &'static str,
    /// Units finished, those of earlier, resumed runs included.
    pub done: u64,
    /// Units in all.
    pub total: u64,
    /// Units that were finished before this run began.
    pub resumed: u64,
    /// What one unit is, plural ("images").
    pub unit: &'static str,
    /// Time since this run of the work began.
    pub elapsed: Duration,
}

impl Progress {
    /// Units per second of this run; `None` before the first unit.
    pub fn rate(&self) -> Option<f64> {
        let fresh = self.done.saturating_sub(self.resumed);
        let secs = self.elapsed.as_secs_f64();
        (fresh > 0 && secs > 0.0).then(|| fresh as f64 / secs)
    }

    /// Estimated time left, from the mean rate of this run.
    pub fn remaining(&self) -> Option<Duration> {
        let rate = self.rate()?;
        Some(Duration::from_secs_f64(self.total.saturating_sub(self.done) as f64 / rate))
    }

    /// Finished part in [0, 1].
    pub fn fraction(&self) -> f32 {
        if self.total == 0 { 1.0 } else { (self.done as f64 / self.total as f64) as f32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_counts_only_this_run() {
        let progress = Progress {
            what: "embedding",
            done: 30,
            total: 50,
            resumed: 10,
            unit: "images",
            elapsed: Duration::from_secs(2),
        };
        assert_eq!(progress.rate(), Some(10.0));
        assert_eq!(progress.remaining(), Some(Duration::from_secs(2)));
        assert_eq!(progress.fraction(), 0.6);
    }

    #[test]
    fn a_cancelled_token_is_seen_by_its_clones() {
        let token = CancelToken::default();
        let seen = token.clone();
        assert!(seen.check().is_ok());
        token.cancel();
        assert_eq!(seen.check(), Err(Cancelled));
    }

    #[test]
    fn work_is_left_once_it_is_asked_for_and_nothing_else_is() {
        let (token, inner) = (CancelToken::default(), CancelToken::default());
        let left = token.leavable(|| {
            assert!(!is_left());
            assert_eq!(inner.leavable(is_left), Ok(false));
            token.cancel();
            assert_eq!(inner.leavable(is_left), Ok(false), "another's work");
            let elsewhere = std::thread::spawn(is_left).join().unwrap();
            assert!(is_left() && check_left().is_err() && !elsewhere);
        });
        assert_eq!((left, is_left(), check_left()), (Err(Cancelled), false, Ok(())));
        assert_eq!(token.leavable(|| panic!("it is not begun")), Err::<(), _>(Cancelled));
        let soon = CancelToken::after(Duration::ZERO);
        assert!(soon.is_cancelled() && !CancelToken::after(Duration::MAX).is_cancelled());
    }
}
