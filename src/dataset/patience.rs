//! How long a download waits, for what, and how often it asks again.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::words::thousands;

/// What a server must keep to.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Longest wait for a connection, an answer or the next bytes.
    pub silence: Duration,
    /// Least bytes per second, over each `window` and over all of a download.
    pub least_rate: u64,
    /// How long a server may be slow.
    pub window: Duration,
    /// New bytes that make a connection worth another one.
    pub least_gain: u64,
    /// Connections in a row that bring less before giving up.
    pub attempts: u32,
    /// Wait before the next connection; twice as long after each that brought nothing.
    pub pause: Duration,
}

impl Default for Patience {
    /// 20 seconds of silence, 4 KiB per second within each minute, 3 connections without 64 KiB.
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(20),
            least_rate: 4 << 10,
            window: Duration::from_secs(60),
            least_gain: 64 << 10,
            attempts: 3,
            pause: Duration::from_millis(250),
        }
    }
}

impl Patience {
    /// How long a download of so many bytes may take, with all its connections and pauses.
    pub fn deadline(&self, bytes: u64) -> Duration {
        self.window * 10 + Duration::from_secs_f64(bytes as f64 / self.least_rate.max(1) as f64)
    }

    /// Pause before the next connection, after so many that brought nothing.
    pub fn pause_after(&self, idle: u32) -> Duration {
        self.pause * (1 << idle.min(10))
    }
}

/// Watches whether a connection is fast enough.
pub struct Pace {
    patience: Patience,
    /// When the present window began, and what has come since.
    began: Duration,
    bytes: u64,
}

impl Pace {
    /// From `now` on, a time since any moment.
    pub fn new(patience: Patience, now: Duration) -> Self {
        Self { patience, began: now, bytes: 0 }
    }

    /// So many bytes have come by `now`.
    ///
    /// # Errors
    /// A whole window with fewer bytes than its least rate brings.
    pub fn note(&mut self, bytes: u64, now: Duration) -> Result<()> {
        self.bytes += bytes;
        let taken = now.saturating_sub(self.began);
        if taken < self.patience.window {
            return Ok(());
        }
        let (rate, least) = (self.bytes as f64 / taken.as_secs_f64(), self.patience.least_rate);
        ensure!(
            rate >= least as f64,
            "the server sent {} bytes in {:.1} s; expected at least {} per second",
            thousands(self.bytes),
            taken.as_secs_f64(),
            thousands(least)
        );
        (self.began, self.bytes) = (now, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_below_the_least_rate_is_an_error_and_a_slow_moment_is_none() {
        let patience = Patience { least_rate: 100, window: Duration::from_secs(10), ..Patience::default() };
        let at = Duration::from_secs;
        let mut pace = Pace::new(patience, at(5));
        // Nothing for nine seconds, then all that was due.
        assert!(pace.note(1, at(14)).is_ok());
        assert!(pace.note(999, at(15)).is_ok());
        assert!(pace.note(10, at(24)).is_ok());
        let text = pace.note(980, at(25)).unwrap_err().to_string();
        assert_eq!(text, "the server sent 990 bytes in 10.0 s; expected at least 100 per second");
    }

    /// The example of one byte a second, with the thresholds as they are.
    #[test]
    fn one_byte_a_second_is_given_up_within_a_minute() {
        let mut pace = Pace::new(Patience::default(), Duration::ZERO);
        let mut seconds = (1..).map(Duration::from_secs);
        let slow = seconds.find(|now| pace.note(1, *now).is_err());
        assert_eq!(slow, Some(Duration::from_secs(60)));
    }

    #[test]
    fn the_deadline_grows_with_the_size() {
        let patience = Patience::default();
        assert_eq!(patience.deadline(0), Duration::from_secs(600));
        // CIFAR-10 at the least rate: 11.7 hours.
        assert_eq!(patience.deadline(170_052_171).as_secs(), 42_116);
    }
}
