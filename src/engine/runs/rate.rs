//! How fast training is now: over the last seconds, pauses left out.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Time over which the rate is taken.
const WINDOW: Duration = Duration::from_secs(10);

/// Steps and when each ended.
#[derive(Default)]
pub struct RecentRate {
    ends: VecDeque<Instant>,
}

impl RecentRate {
    /// The clock begins, or begins again after a pause.
    pub fn restart(&mut self, now: Instant) {
        self.ends.clear();
        self.ends.push_back(now);
    }

    /// A step ended.
    pub fn tick(&mut self, now: Instant) {
        self.ends.push_back(now);
        // At least one whole step stays, however long it takes.
        while self.ends.len() > 2 && now - self.ends[1] > WINDOW {
            self.ends.pop_front();
        }
    }

    /// Steps per second; `None` before the first step.
    pub fn steps_per_second(&self) -> Option<f64> {
        let (first, last) = (self.ends.front()?, self.ends.back()?);
        let secs = (*last - *first).as_secs_f64();
        (self.ends.len() > 1 && secs > 0.0).then(|| (self.ends.len() - 1) as f64 / secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let start = Instant::now();
        let at = |secs: f64| start + Duration::from_secs_f64(secs);
        let mut rate = RecentRate::default();
        rate.restart(start);
        assert_eq!(rate.steps_per_second(), None);
        (1..=100).for_each(|step| rate.tick(at(f64::from(step))));
        assert!((rate.steps_per_second().unwrap() - 1.0).abs() < 1e-9);
        // Twice as fast for longer than the window.
        (1..=40).for_each(|step| rate.tick(at(100.0 + 0.5 * f64::from(step))));
        assert!((rate.steps_per_second().unwrap() - 2.0).abs() < 0.1);
        rate.restart(at(500.0));
        rate.tick(at(504.0));
        assert_eq!(rate.steps_per_second(), Some(0.25));
    }
}
