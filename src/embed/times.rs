//! Where the time of embedding goes, counted as it goes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

/// Time that one kind of work took, however often it was done.
#[derive(Debug, Default)]
pub(super) struct TimeSpent(AtomicU64);

impl TimeSpent {
    /// Does `work` and adds its time.
    pub fn of<T>(&self, work: impl FnOnce() -> T) -> T {
        let clock = Instant::now();
        let done = work();
        self.add(clock.elapsed());
        done
    }

    pub fn add(&self, time: Duration) {
        self.0.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Seconds so far.
    pub fn seconds(&self) -> f64 {
        Duration::from_nanos(self.0.load(Ordering::Relaxed)).as_secs_f64()
    }
}

/// What an embedder does with inputs.
#[derive(Debug, Default)]
pub(super) struct EmbedderTimes {
    /// They are cut out and resized.
    pub cutting: TimeSpent,
    /// They go through the network, and vectors come back.
    pub network: TimeSpent,
}

/// Seconds between image files and rows of a bank, of the thread that embeds: it does one after the other. Images are read
/// beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct EmbedSeconds {
    /// Waiting for an image to be read.
    pub waiting: f64,
    /// Cutting patches out and resizing them, on all threads.
    pub cutting: f64,
    /// The network.
    pub network: f64,
    /// Writing rows.
    pub writing: f64,
    /// Reading and decoding images and hashing their pixels, on a thread of its own beside all that.
    pub decoding: f64,
}

impl EmbedSeconds {
    /// What of `seconds` was none of what the thread is known to have done.
    pub fn rest(&self, seconds: f64) -> f64 {
        let Self { waiting, cutting, network, writing, .. } = self;
        (seconds - waiting - cutting - network - writing).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_adds_up_and_what_is_none_of_it_is_the_rest() {
        let spent = TimeSpent::default();
        [1500, 250].into_iter().for_each(|millis| spent.add(Duration::from_millis(millis)));
        assert_eq!((spent.of(|| 7), spent.seconds() >= 1.75), (7, true));
        let times = EmbedSeconds { waiting: 1.0, cutting: 2.0, network: 4.0, writing: 0.5, decoding: 90.0 };
        assert_eq!((times.rest(10.0), times.rest(7.0)), (2.5, 0.0));
    }
}
