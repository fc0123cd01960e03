//! Checkpoints between those that the configuration asks for, of a run whose steps are long: a program that is asked to
//! end waits a few seconds for the step that goes on, and leaves it else.

use std::time::Duration;

/// A step that is waited for, with its checkpoint, when the program is asked to end.
const LONGEST_AWAITED: Duration = Duration::from_secs(4);
/// Time in longer steps that may be lost.
const EVERY: Duration = Duration::from_secs(60);

/// What goes on between two checkpoints, and the one that stands there.
#[derive(Default)]
pub struct Between {
    /// Time in steps since the last checkpoint.
    unsaved: Duration,
    has_long_steps: bool,
    /// The step of the checkpoint that stands between those asked for.
    step: Option<u64>,
}

impl Between {
    /// Counts a step that took so long.
    pub fn add(&mut self, took: Duration) {
        self.unsaved += took;
        self.has_long_steps = took > LONGEST_AWAITED;
    }

    /// Whether it is time for a checkpoint that nobody asked for.
    pub fn is_due(&self) -> bool {
        self.has_long_steps && self.unsaved >= EVERY
    }

    /// Whether the checkpoint of `step` stands between those asked for.
    pub fn holds(&self, step: u64) -> bool {
        self.step == Some(step)
    }

    /// A checkpoint of `step` stands. Returns that of the step before which is not needed any more.
    pub fn replace(&mut self, step: u64, is_asked: bool) -> Option<u64> {
        self.unsaved = Duration::ZERO;
        let before = std::mem::replace(&mut self.step, (!is_asked).then_some(step));
        before.filter(|&before| before != step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_steps_lose_a_minute_at_most_and_leave_one_checkpoint() {
        let mut between = Between::default();
        let mut due = vec![];
        for (step, secs) in [(1, 3), (2, 50), (3, 104), (4, 20), (5, 20), (6, 20), (7, 3)] {
            between.add(Duration::from_secs(secs));
            if between.is_due() {
                due.push((step, between.replace(step, false)));
            }
        }
        assert_eq!(due, [(3, None), (6, Some(3))]);
        assert!(between.holds(6) && !between.holds(3));
        assert_eq!((between.replace(7, true), between.holds(7)), (Some(6), false));
        // One that is asked for at the same step is no other.
        between.replace(8, false);
        assert_eq!((between.replace(8, true), between.replace(9, false)), (None, None));
        // Quick steps are waited for.
        (0..1000).for_each(|_| between.add(Duration::from_secs(3)));
        assert!(!between.is_due());
    }
}
