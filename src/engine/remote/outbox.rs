//! What the engine's end sends next.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::messages::{BULK, URGENT};
use super::outline::outline_of;
use super::pace::LinkPace;
use super::pieces::{Update, Urgency, lane_of, news};
use super::too_large;
use crate::engine::ask::{EngineHandle, Event, GalleryView, Snapshot};
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
    /// The galleries whose outline was sent last.
    outlined: Option<Arc<GalleryView>>,
    events: VecDeque<Event>,
    frames: VecDeque<WireFrame>,
}

impl SentLane {
    fn new(urgency: Urgency, kind: u8) -> Self {
        let (pool, sent) = (WirePool::for_the_screen(), Arc::default());
        Self { urgency, kind, pool, sent, outlined: None, events: VecDeque::new(), frames: VecDeque::new() }
    }

    /// The next frame: of what is being sent, else of the newest state.
    fn next(&mut self, now: &Arc<Snapshot>) -> anyhow::Result<Option<WireFrame>> {
        if self.frames.is_empty() {
            self.pack(now)?;
        }
        Ok(self.frames.pop_front())
    }

    /// `now` with the outline of its galleries, if that is worth being sent before them.
    fn outlined(&mut self, now: &Snapshot) -> Option<Arc<Snapshot>> {
        let galleries = now.galleries.as_ref().filter(|_| self.urgency == Urgency::Urgent)?;
        let is_known = |before: &Option<Arc<GalleryView>>| {
            before.as_ref().is_some_and(|before| Arc::ptr_eq(before, galleries))
        };
        if is_known(&self.sent.galleries) || is_known(&self.outlined) {
            return None;
        }
        let outline = outline_of(galleries, &self.pool)?;
        self.outlined = Some(galleries.clone());
        Some(Arc::new(Snapshot { galleries: Some(Arc::new(outline)), ..now.clone() }))
    }

    fn pack(&mut self, now: &Arc<Snapshot>) -> anyhow::Result<()> {
        let most = if self.urgency == Urgency::Urgent { self.events.len() } else { EVENTS_AT_ONCE };
        let shown = self.outlined(now).unwrap_or_else(|| now.clone());
        let pieces = news(&self.sent, &shown, self.urgency);
        self.sent = shown;
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
        for event in engine.drain_events().into_iter().map(too_large::passable) {
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
    use crate::engine::ask::{Gallery, Neighbour, QuerySpec, line};
    use crate::engine::remote::pieces::ShownPiece;
    use crate::image::Image;
    use crate::patch::PatchRef;
    use crate::search::Relation;
    use crate::wire::{Assembly, read_frame};

    /// Pixels that do not deflate.
    fn noise(side: u32, mut seed: u64) -> Arc<Image> {
        let mut byte = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 56) as u8
        };
        let rgb = (0..3 * side * side).map(|_| byte()).collect();
        Arc::new(Image::new(side, side, rgb))
    }

    fn picture(index: usize) -> Event {
        Event::SourceImage { data: 1, index, size: (256, 256), image: noise(256, 1) }
    }

    /// Galleries of 200 pictures, of which those from `first` on were not seen.
    fn galleries(id: u64, first: u64) -> Arc<GalleryView> {
        let neighbour = |at: u64| Neighbour {
            patch: PatchRef { image: at as u32, y: 0, x: 0, size: 16 },
            cosine: 0.5,
            in_other_spaces: vec![],
            relation: Relation::OtherClass,
            class: None,
            image_name: format!("{at}.png"),
            copies: 1,
            copy_names: vec![],
            pixels: noise(16, at << 32),
            is_readable: true,
        };
        let gallery = Gallery {
            space: "h".into(),
            milliseconds: 1.0,
            recall: None,
            searched: 300,
            candidates: 300,
            neighbours: (first..first + 200).map(neighbour).collect(),
        };
        Arc::new(GalleryView {
            query_id: id,
            query: QuerySpec::one(PatchRef { image: 0, y: 0, x: 0, size: 16 }),
            query_pixels: noise(16, 1),
            spaces: vec![gallery],
            filter: Default::default(),
            searched: 300,
            total: 300,
            images: (3, 3),
            guests: 0,
            way: None,
            pictures_follow: false,
        })
    }

    /// What a window shows after each update that is sent to it now, and the bytes of that.
    fn sent(outbox: &mut Outbox, pool: &mut WirePool) -> Vec<(Arc<GalleryView>, usize)> {
        let (mut assembly, mut shown, mut bytes, mut states) =
            (Assembly::<2>::default(), Snapshot::default(), 0, vec![]);
        while let Some(frame) = outbox.next(Instant::now()).unwrap() {
            bytes += frame.len();
            outbox.pace.note_heard(u64::MAX, Instant::now());
            let frame = read_frame(&mut &frame[..]).unwrap().unwrap();
            let Some(whole) = assembly.take(frame).unwrap() else { continue };
            let update = super::super::pieces::read_update(&whole.bytes, pool, &shown).unwrap();
            let is_of_galleries = update.pieces.iter().any(|piece| matches!(piece, ShownPiece::Galleries(_)));
            update.pieces.into_iter().for_each(|piece| piece.show(&mut shown));
            let bytes = std::mem::take(&mut bytes);
            if is_of_galleries {
                states.push((shown.galleries.clone().unwrap(), bytes));
            }
        }
        states
    }

    #[test]
    fn the_order_of_galleries_comes_before_their_pictures_and_those_once() {
        let (engine, line) = line(|| {});
        let (mut outbox, mut pool) = (Outbox::default(), WirePool::default());
        for (id, first, least) in [(1, 0, 150_000), (2, 100, 70_000)] {
            let whole = galleries(id, first);
            line.update(|shown| shown.galleries = Some(whole.clone()));
            outbox.take_news(&engine);
            let states = sent(&mut outbox, &mut pool);
            let [(outline, few), (all, many)] = &states[..] else { panic!("{} updates", states.len()) };
            assert!(outline.pictures_follow && !all.pictures_follow);
            assert!(*few < 40_000 && *many > least - 40_000 && few + many < least + 40_000, "{few}, {many}");
            let of = |view: &GalleryView| view.spaces[0].neighbours.clone();
            for (at, (told, wanted)) in of(outline).iter().zip(of(&whole)).enumerate() {
                assert_eq!((told.patch, told.cosine), (wanted.patch, wanted.cosine));
                let is_there = id == 2 && at < 100 || at < 20;
                assert!(!is_there || told.pixels == wanted.pixels, "{at} of {id}");
            }
            assert!(of(outline).iter().any(|told| told.pixels.rgb().len() == 3));
            assert!(of(all).iter().zip(of(&whole)).all(|(told, wanted)| told.pixels == wanted.pixels));
        }
    }

    #[test]
    fn galleries_whose_pictures_are_known_come_at_once() {
        let (engine, line) = line(|| {});
        let (mut outbox, mut pool) = (Outbox::default(), WirePool::default());
        for (id, updates) in [(1, 2), (2, 1)] {
            line.update(|shown| shown.galleries = Some(galleries(id, 0)));
            outbox.take_news(&engine);
            assert_eq!(sent(&mut outbox, &mut pool).len(), updates);
        }
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
