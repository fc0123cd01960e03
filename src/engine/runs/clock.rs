//! How fast a run trains.

use std::collections::VecDeque;
use std::time::Duration;

/// Steps whose mean duration foretells the rest.
const RECENT: usize = 100;

/// Measures training alone: time in steps.
#[derive(Default)]
pub struct StepClock {
    /// Time in steps so far.
    pub active: Duration,
    recent: VecDeque<f64>,
    lap_active: Duration,
    lap_waited: Duration,
    lap_step: Option<u64>,
    steps: u64,
}

/// What a lap took.
pub struct LapRates {
    pub steps_per_second: f64,
    /// Share of the time spent waiting for views.
    pub waited: f64,
}

impl StepClock {
    /// Counts a step that took so long.
    pub fn add(&mut self, step: Duration) {
        self.active += step;
        self.steps += 1;
        self.recent.push_back(step.as_secs_f64());
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }

    /// Rates since the last call, at `step`; `waited` for views so far.
    pub fn lap(&mut self, step: u64, waited: Duration) -> LapRates {
        let steps = self.lap_step.map_or(self.steps, |last| step - last);
        let secs = (self.active - self.lap_active).as_secs_f64().max(1e-9);
        let waited_secs = (waited - self.lap_waited).as_secs_f64();
        (self.lap_active, self.lap_waited, self.lap_step) = (self.active, waited, Some(step));
        LapRates { steps_per_second: steps as f64 / secs, waited: (waited_secs / secs).min(1.0) }
    }

    /// Of the last steps.
    pub fn seconds_per_step(&self) -> Option<f64> {
        (!self.recent.is_empty()).then(|| self.recent.iter().sum::<f64>() / self.recent.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_counts_steps_since_the_last_line() {
        let mut clock = StepClock::default();
        (0..4).for_each(|_| clock.add(Duration::from_millis(500)));
        let rates = clock.lap(14, Duration::from_secs(1));
        assert_eq!((rates.steps_per_second, rates.waited), (2.0, 0.5));
        clock.add(Duration::from_secs(1));
        let rates = clock.lap(15, Duration::from_secs(1));
        assert_eq!((rates.steps_per_second, rates.waited), (1.0, 0.0));
        assert_eq!(clock.seconds_per_step(), Some(0.6));
    }
}
