//! What the engine's end sends next.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::messages::{BULK, URGENT};
use super::pace::LinkPace;
use super::pieces::{Update, Urgency, lane_of, news};
use crate::engine::ask::{EngineHandle, Event, Snapshot};
use crate::wire::{WireFrame, WirePool, pack};

/// Events that go at once in the lane that may wait: between them something else has its turn.
const EVENTS_AT_ONCE: usize = 8;

/// One of the two lanes.
struct SentLane {
    urgency: Urgency,
    kind: u8,
    pool: WirePool,
    /// What the other end shows, once all that was packed is there.
    sent: Arc<Snapshot>,
    events: VecDeque<Event>,
    frames: VecDeque<WireFrame>,
}

impl SentLane {
    fn new(urgency: Urgency, kind: u8) -> Self {
        let pool = WirePool::for_the_screen();
        Self { urgency, kind, pool, sent: Arc::default(), events: VecDeque::new(), frames: VecDeque::new() }
    }

    /// The next frame: of what is being sent, else of the newest state.
    fn next(&mut self, now: &Arc<Snapshot>) -> anyhow::Result<Option<WireFrame>> {
        if self.frames.is_empty() {
            self.pack(now)?;
        }
        Ok(self.frames.pop_front())
    }

    fn pack(&mut self, now: &Arc<Snapshot>) -> anyhow::Result<()> {
        let most = if self.urgency == Urgency::Urgent { self.events.len() } else { EVENTS_AT_ONCE };
        let pieces = news(&self.sent, now, self.urgency);
        self.sent = now.clone();
        let events: Vec<Event> = self.events.drain(..most.min(self.events.len())).collect();
        if pieces.is_empty() && events.is_empty() {
            return Ok(());
        }
        let bytes = pack(&Update { pieces, events }, &mut self.pool)?;
        self.frames = WireFrame::cut(self.kind, &bytes).into();
        Ok(())
    }
}

/// Chooses what is sent next: what is urgent first, and of what changes the newest.
pub struct Outbox {
    urgent: SentLane,
    bulk: SentLane,
    newest: Arc<Snapshot>,
    /// Counts what is under way.
    pub pace: LinkPace,
}

impl Default for Outbox {
    fn default() -> Self {
        let (urgent, bulk) = (SentLane::new(Urgency::Urgent, URGENT), SentLane::new(Urgency::Bulk, BULK));
        Self { urgent, bulk, newest: Arc::default(), pace: LinkPace::default() }
    }
}

impl Outbox {
    /// Takes in what the engine says.
    pub fn take_news(&mut self, engine: &EngineHandle) {
        // Events first: an event's consequences are then in the snapshot that is read after it.
        for event in engine.drain_events() {
            match lane_of(&event) {
                Urgency::Urgent => self.urgent.events.push_back(event),
                Urgency::Bulk => self.bulk.events.push_back(event),
            }
        }
        self.newest = engine.snapshot();
    }

    /// The next frame, if there is something to say and room for it.
    ///
    /// # Errors
    /// Something cannot be written down.
    pub fn next(&mut self, now: Instant) -> anyhow::Result<Option<Vec<u8>>> {
        let mut frame = None;
        if self.pace.has_room() {
            frame = self.urgent.next(&self.newest)?;
        }
        if frame.is_none() && self.pace.has_much_room() {
            frame = self.bulk.next(&self.newest)?;
        }
        let bytes = frame.map(|frame| frame.to_bytes());
        bytes.iter().for_each(|bytes| self.pace.note_sent(bytes.len(), now));
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ask::line;
    use crate::image::Image;
    use crate::wire::{Assembly, read_frame};

    fn picture(index: usize) -> Event {
        let mut noise = 1u64;
        let mut byte = || {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (noise >> 56) as u8
        };
        let rgb = (0..3 * 256 * 256).map(|_| byte()).collect();
        let image = Arc::new(Image::new(256, 256, rgb));
        Event::SourceImage { data: 1, index, size: (256, 256), image }
    }

    #[test]
    fn of_many_states_the_newest_is_sent_and_passes_what_may_wait() {
        let (engine, line) = line(|| {});
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        line.emit(picture(0));
        outbox.take_news(&engine);
        let mut sent = vec![outbox.next(now).unwrap().unwrap()];
        for step in 0..500 {
            line.update(|shown| shown.busy = Some(format!("step {step}")));
            outbox.take_news(&engine);
        }
        while let Some(frame) = outbox.next(now).unwrap() {
            sent.push(frame);
        }
        assert_eq!((sent[0][0], sent[1][0], sent[2][0]), (BULK, URGENT, BULK));
        let under_way: usize = sent.iter().map(Vec::len).sum();
        assert!(under_way < 96 << 10, "{under_way} bytes are under way unheard");
        let (mut assembly, mut pool) = (Assembly::<2>::default(), WirePool::default());
        let frame = read_frame(&mut &sent[1][..]).unwrap().unwrap();
        let whole = assembly.take(frame).unwrap().unwrap();
        let update =
            super::super::pieces::read_update(&whole.bytes, &mut pool, &Snapshot::default()).unwrap();
        let mut shown = Snapshot::default();
        update.pieces.into_iter().for_each(|piece| piece.show(&mut shown));
        assert_eq!(shown.busy.as_deref(), Some("step 499"));
    }
}
