//! How much may be under way: so much that the line is busy, so little that what is urgent need not wait behind it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Bytes under way that are always allowed: a gallery goes as a whole, and waits at most 0.2 s at 5 Mbit/s.
const LEAST: usize = 128 << 10;
/// Bytes under way at most.
const MOST: usize = 8 << 20;
/// What came so much later than the fastest has waited in a queue.
const QUEUED: Duration = Duration::from_millis(60);

/// Counts what is under way, and holds it to what the line takes without queueing.
pub struct LinkPace {
    window: usize,
    sent: u64,
    heard: u64,
    /// By their last byte, when they were sent.
    under_way: VecDeque<(u64, Instant)>,
    fastest: Option<Duration>,
}

impl Default for LinkPace {
    fn default() -> Self {
        Self { window: LEAST, sent: 0, heard: 0, under_way: VecDeque::new(), fastest: None }
    }
}

impl LinkPace {
    fn in_flight(&self) -> usize {
        (self.sent - self.heard) as usize
    }

    /// Whether something urgent may be sent.
    pub fn has_room(&self) -> bool {
        self.in_flight() < self.window
    }

    /// Whether something that may wait can be sent.
    pub fn has_much_room(&self) -> bool {
        self.in_flight() < self.window / 2
    }

    /// Counts what was sent.
    pub fn note_sent(&mut self, bytes: usize, now: Instant) {
        self.sent += bytes as u64;
        self.under_way.push_back((self.sent, now));
    }

    /// The other end has had `heard` bytes so far.
    pub fn note_heard(&mut self, heard: u64, now: Instant) {
        let before = self.in_flight();
        // What it says of bytes that were not sent counts for those that were.
        let fresh = heard.min(self.sent).saturating_sub(self.heard);
        self.heard += fresh;
        let mut newest = None;
        while let Some((_, sent)) = self.under_way.pop_front_if(|(end, _)| *end <= self.heard) {
            newest = Some(now.saturating_duration_since(sent));
        }
        let Some(took) = newest else { return };
        let fastest = self.fastest.map_or(took, |fastest| fastest.min(took));
        self.fastest = Some(fastest);
        let was_busy = before * 2 >= self.window;
        match took > fastest + QUEUED {
            true => self.window -= fresh as usize / 2,
            false if was_busy => self.window += fresh as usize,
            false => {}
        }
        self.window = self.window.clamp(LEAST, MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends 16 KiB frames for so long over a line of `rate` bytes a second and 100 ms; returns the longest
    /// queue in seconds, after the first second, and the bytes that came.
    fn over(rate: f64, secs: f64) -> (f64, u64) {
        let (mut pace, start) = (LinkPace::default(), Instant::now());
        let at = |secs: f64| start + Duration::from_secs_f64(secs);
        let (mut now, mut free_at, mut longest) = (0.0_f64, 0.0_f64, 0.0_f64);
        let (mut arrivals, mut total) = (VecDeque::new(), 0u64);
        while now < secs {
            while pace.has_room() {
                pace.note_sent(16 << 10, at(now));
                total += 16 << 10;
                free_at = free_at.max(now) + f64::from(16 << 10) / rate;
                arrivals.push_back((free_at + 0.1, total));
                if now > 1.0 {
                    longest = longest.max(free_at - now);
                }
            }
            let (when, heard) = arrivals.pop_front().unwrap();
            now = when;
            pace.note_heard(heard, at(now));
        }
        (longest, pace.heard)
    }

    #[test]
    fn a_slow_line_has_no_long_queue_and_a_fast_one_is_filled() {
        let (queue, heard) = over(5e6 / 8.0, 10.0);
        assert!(queue < 0.25, "{queue} s of queue at 5 Mbit/s");
        assert!(heard as f64 > 0.7 * 10.0 * 5e6 / 8.0, "{heard} bytes in 10 s");
        let (queue, heard) = over(1e9 / 8.0, 3.0);
        assert!(heard as f64 > 50e6 && queue < 0.25, "{heard} bytes, {queue} s of queue at 1 Gbit/s");
    }

    #[test]
    fn what_is_said_of_bytes_that_were_not_sent_does_no_harm() {
        let mut pace = LinkPace::default();
        pace.note_heard(u64::MAX, Instant::now());
        pace.note_sent(10, Instant::now());
        pace.note_heard(3, Instant::now());
        assert_eq!(pace.in_flight(), 7);
    }
}
