//! How long a line has brought nothing. What time it is is said by whoever asks.

use std::time::{Duration, Instant};

use crate::engine::ask::LINK_QUIET;

/// Watches what one end hears.
pub struct LineWatch {
    heard: Instant,
    patience: Duration,
}

/// How the line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineState {
    /// Something came lately.
    Heard,
    /// Nothing came for so many whole seconds.
    Quiet(u64),
    /// Nothing came for longer than is waited.
    Lost,
}

impl LineWatch {
    /// Of a line over which something came `now`, and that is lost once nothing came for `patience`.
    pub fn new(patience: Duration, now: Instant) -> Self {
        Self { heard: now, patience }
    }

    /// Something came.
    pub fn note_heard(&mut self, now: Instant) {
        self.heard = self.heard.max(now);
    }

    /// How it stands `now`.
    pub fn state(&self, now: Instant) -> LineState {
        let silence = now.saturating_duration_since(self.heard);
        match silence {
            _ if silence >= self.patience => LineState::Lost,
            _ if silence >= LINK_QUIET => LineState::Quiet(silence.as_secs()),
            _ => LineState::Heard,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_quiet_before_it_is_lost_and_whatever_comes_begins_anew() {
        let start = Instant::now();
        let at = |secs: f64| start + Duration::from_secs_f64(secs);
        let mut watch = LineWatch::new(Duration::from_secs(20), start);
        let states = [0.0, 4.9, 5.0, 19.9, 20.0, 900.0].map(|secs| watch.state(at(secs)));
        let expected = [LineState::Heard, LineState::Heard, LineState::Quiet(5), LineState::Quiet(19)];
        assert_eq!(states[..4], expected);
        assert_eq!(states[4..], [LineState::Lost; 2]);
        watch.note_heard(at(18.0));
        // What was heard by another thread may be told late.
        watch.note_heard(at(3.0));
        assert_eq!(watch.state(at(22.9)), LineState::Heard);
        assert_eq!(watch.state(at(25.2)), LineState::Quiet(7));
        assert_eq!(watch.state(at(38.0)), LineState::Lost);
    }
}
