//! How far long work is, and the word to stop it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Shared word to stop: long work asks `is_cancelled` between units and ends
/// cleanly with [`Cancelled`], leaving what can be resumed.
#[derive(Clone, Default, Debug)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// Asks the work that holds this token to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether someone asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// `Err(Cancelled)` once someone asked to stop.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }
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
}
