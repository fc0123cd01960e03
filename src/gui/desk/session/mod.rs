//! The window's side of the conversation with the engine: what was asked, what
//! is on show, and where one can go back to. Nothing here waits.

mod images;
mod link;
mod query;

use std::sync::Arc;

use crate::engine::{
    Command, EngineHandle, Event, ExploreConfig, PreviewView, QuerySpec, RequestId, Sign, Snapshot,
};
use crate::patch::{BoxRef, PatchRef};

use self::images::OpenImages;
use crate::gui::memory::history::History;

/// How long settings must rest before they are sent, seconds: dragging a
/// number through ten values starts one extraction, not ten.
const SETTLE_SECS: f64 = 0.4;

/// A line to the engine and what came through it last.
pub struct Session {
    engine: EngineHandle,
    snapshot: Arc<Snapshot>,
    images: OpenImages,
    last_id: RequestId,
    /// The newest query, until its answer is there.
    asked: Option<(RequestId, QuerySpec)>,
    /// Number of the last query that was seen in a snapshot.
    seen_id: Option<RequestId>,
    history: History,
    draft: Draft,
    last_figure: RequestId,
    /// The image that was asked for last, until it is on show.
    wanted_image: Option<usize>,
    /// The patch whose preview was asked for, and how much of its image was known then.
    previewed: Option<(PatchRef, usize)>,
}

/// Settings that the user is changing.
#[derive(Default)]
struct Draft {
    config: Option<ExploreConfig>,
    /// When it was last touched, in egui's seconds; `None` once it is sent.
    touched: Option<f64>,
    /// What the engine had when the draft was sent.
    before: Option<ExploreConfig>,
}

impl Session {
    /// A session that has asked nothing yet.
    pub fn new(engine: EngineHandle) -> Self {
        let snapshot = engine.snapshot();
        Self {
            engine,
            snapshot,
            images: OpenImages::default(),
            last_id: 0,
            asked: None,
            seen_id: None,
            history: History::default(),
            draft: Draft::default(),
            last_figure: 0,
            wanted_image: None,
            previewed: None,
        }
    }

    /// Takes in everything that the engine said since the last call.
    pub fn poll(&mut self) -> Vec<Event> {
        // Events first: an event's consequences are then in the snapshot that is read after it.
        let events = self.engine.drain_events();
        for event in &events {
            match event {
                Event::DataOpened => {
                    (self.asked, self.wanted_image) = (None, None);
                    self.history.clear();
                    self.draft = Draft::default();
                }
                Event::ModelOpened => self.draft = Draft::default(),
                Event::Failed { .. } => {
                    (self.asked, self.wanted_image) = (None, None);
                    self.draft = Draft::default();
                }
                Event::BankOpened { .. }
                | Event::Figure(_)
                | Event::Thumbnail { .. }
                | Event::NoThumbnail { .. }
                | Event::SourceImage { .. }
                | Event::Picture(_)
                | Event::QueryPicture { .. }
                | Event::Train(_)
                | Event::ResultsSaved { .. }
                | Event::TableSaved { .. }
                | Event::ResultsOpened
                | Event::Files(_) => {}
            }
        }
        let before = self.patch();
        self.snapshot = self.engine.snapshot();
        self.images.follow(&self.snapshot);
        // Another model may have brought its own patch size.
        self.history.follow_patch_size(before, self.patch());
        self.settle_query();
        let shown = self.snapshot.view.as_ref().map(|view| view.index);
        self.wanted_image.take_if(|image| Some(*image) == shown && self.asked.is_none());
        if self.draft.touched.is_none() && self.draft.before != self.snapshot.config {
            self.draft = Draft::default();
        }
        events
    }

    /// Side of a patch under the settings of the engine, pixels; 0 without any.
    fn patch(&self) -> u32 {
        self.snapshot.config.as_ref().map_or(0, |config| config.grid.patch)
    }

    /// Drops the question once its answer is there; remembers a query that the engine chose.
    fn settle_query(&mut self) {
        let Some(query) = &self.snapshot.query else { return };
        if self.asked.as_ref().is_some_and(|(id, _)| query.id >= *id) {
            self.asked = None;
        }
        if self.seen_id != Some(query.id) {
            self.seen_id = Some(query.id);
            self.last_id = self.last_id.max(query.id);
            if self.asked.is_none() && self.history.current().as_ref() != Some(&query.query) {
                self.history.push(query.query.clone(), false);
            }
        }
    }

    /// What the engine had when it was last listened to.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Has the engine do something; returns at once.
    pub fn send(&self, command: Command) {
        self.engine.send(command);
    }

    /// Has the engine leave a training step in its midst: the window is to close soon.
    pub fn hurry(&self) {
        self.engine.hurry();
    }

    /// The query as the user last put it, answered or not.
    pub fn query(&self) -> Option<QuerySpec> {
        let asked = self.asked.as_ref().map(|(_, query)| query);
        asked.or_else(|| self.snapshot.query.as_ref().map(|view| &view.query)).cloned()
    }

    /// The image as the user last chose it, on show or not yet.
    pub fn image(&self) -> Option<usize> {
        self.wanted_image.or_else(|| self.snapshot.view.as_ref().map(|view| view.index))
    }

    /// The parts of the query that lie on the image on show.
    pub fn boxes_in_view(&self) -> Vec<(Sign, BoxRef)> {
        let (Some(view), Some(query)) = (&self.snapshot.view, self.query()) else { return vec![] };
        query.boxes_on(view.index).collect()
    }

    /// The queries that were asked, oldest first and each once, the one on show among them.
    pub fn asked(&self) -> Vec<QuerySpec> {
        let mut asked: Vec<QuerySpec> = vec![];
        for query in self.history.queries().iter().cloned().chain(self.query()) {
            if !asked.contains(&query) {
                asked.push(query);
            }
        }
        asked
    }

    /// A number for the next preview of a figure.
    pub fn new_figure_id(&mut self) -> RequestId {
        self.last_figure += 1;
        self.last_figure
    }

    /// Whether an answer to the newest query is still to come.
    pub fn is_query_pending(&self) -> bool {
        self.asked.is_some()
    }

    /// Whether the galleries on show belong to an earlier query.
    pub fn are_galleries_pending(&self) -> bool {
        match (&self.snapshot.query, &self.snapshot.galleries) {
            (Some(query), Some(galleries)) => self.asked.is_some() || galleries.query_id != query.id,
            _ => false,
        }
    }

    /// Number of the data set on show: what is asked of its images is meant for it and no other.
    pub fn data_id(&self) -> Option<u64> {
        self.snapshot.data.as_ref().map(|data| data.id)
    }

    /// Number of the images on show: what is remembered of them holds under this one, which stays where they are opened
    /// again.
    pub fn images_id(&self) -> Option<u64> {
        self.images.first()
    }

    /// Asks for the maps of a patch as if it were the query, or for none any more; what is asked for already
    /// is not asked for again, unless more of the image has become known.
    pub fn preview(&mut self, patch: Option<PatchRef>) {
        let known = self.snapshot.query.as_ref().map_or(0, |query| query.known);
        let asked = patch.map(|patch| (patch, known));
        if asked != self.previewed {
            self.previewed = asked;
            self.engine.preview(patch);
        }
    }

    /// The maps to show in place of the query's, if a patch is previewed: the newest that have come.
    pub fn preview_on_show(&self) -> Option<&Arc<PreviewView>> {
        self.previewed?;
        let view = self.snapshot.view.as_ref()?;
        self.snapshot.views.preview.as_ref().filter(|preview| preview.patch.image as usize == view.index)
    }

    /// The settings as the user last put them.
    pub fn config(&self) -> Option<ExploreConfig> {
        self.draft.config.clone().or_else(|| self.snapshot.config.clone())
    }

    /// Whether a single space is on show.
    pub fn has_one_space(&self) -> bool {
        self.config().is_some_and(|config| config.spaces.len() < 2)
    }

    /// Takes settings that the user is changing; they are sent once they rest.
    pub fn change_config(&mut self, config: ExploreConfig, now: f64) {
        self.draft.config = Some(config);
        self.draft.touched = Some(now);
    }

    /// Sends changed settings once they have rested. Returns the seconds after which to call again.
    pub fn send_config_when_settled(&mut self, now: f64, hand_on_mouse: bool) -> Option<f64> {
        let (config, touched) = (self.draft.config.clone()?, self.draft.touched?);
        let left = touched + SETTLE_SECS - now;
        if hand_on_mouse || left > 0.0 {
            return Some(left.max(0.05));
        }
        if Some(&config) == self.snapshot.config.as_ref() {
            self.draft = Draft::default();
        } else {
            self.send_config(config);
        }
        None
    }

    /// Sends changed settings; the query is asked again.
    pub fn send_config(&mut self, config: ExploreConfig) {
        let before = self.snapshot.config.clone();
        let (old, new) = before.as_ref().map_or((0, 0), |before| (before.grid.patch, config.grid.patch));
        self.draft = Draft { config: Some(config.clone()), touched: None, before };
        self.last_id += 1;
        self.history.follow_patch_size(old, new);
        if let Some(mut query) = self.query() {
            query.follow_patch_size(old, new);
            query.keep_on_images(|image| self.size_of(image));
            self.asked = Some((self.last_id, query));
        }
        self.send(Command::Configure { id: self.last_id, config });
    }

    /// `(height, width)` of image `image` of the data set, if it is known here.
    fn size_of(&self, image: u32) -> Option<(u32, u32)> {
        let view = self.snapshot.view.as_ref().filter(|view| view.index == image as usize);
        view.map(|view| (view.image.height(), view.image.width()))
            .or_else(|| self.snapshot.data.as_ref().and_then(|data| data.size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{DataDescription, EngineLine, ImageView, QueryView, Source, line};
    use crate::image::Image;
    use crate::patch::PatchGrid;

    fn config() -> ExploreConfig {
        ExploreConfig {
            grid: PatchGrid { patch: 14, stride: 4 },
            gallery_stride: 4,
            gallery_images: 100,
            neighbours: 119,
            spaces: vec![],
            way: Default::default(),
            filter: Default::default(),
        }
    }

    fn data() -> DataDescription {
        DataDescription::of_test(5, 9)
    }

    fn patch(y: u32, x: u32) -> PatchRef {
        PatchRef { image: 3, y, x, size: 14 }
    }

    fn answer(line: &EngineLine, id: RequestId, patch: PatchRef) {
        line.update(|snapshot| {
            let (query, parts) = (QuerySpec::one(patch), vec![]);
            snapshot.query =
                Some(Arc::new(QueryView { id, query, parts, image: 3, maps: vec![], known: 0, tiles: None }));
        });
    }

    /// A session on a 32 x 32 image with a query that the engine chose.
    fn session() -> (Session, EngineLine) {
        let (handle, line) = line(|| {});
        line.update(|snapshot| {
            snapshot.config = Some(config());
            snapshot.data = Some(Arc::new(data()));
            snapshot.view = Some(Arc::new(ImageView {
                index: 3,
                name: "3".into(),
                class: None,
                image: Arc::new(Image::filled(32, 32, [9; 3])),
                values: None,
                parts: None,
            }));
        });
        answer(&line, 0, patch(8, 8));
        let mut session = Session::new(handle);
        session.poll();
        (session, line)
    }

    fn last_query(line: &EngineLine) -> Option<(RequestId, PatchRef)> {
        line.commands.try_iter().fold(None, |last, command| match command {
            Command::Query { id, query, image: 3, .. } => Some((id, query.as_patch()?)),
            _ => last,
        })
    }

    #[test]
    fn steps_stay_on_the_image_and_on_the_grid() {
        let (mut session, line) = session();
        session.step(1, 0);
        assert_eq!(last_query(&line), Some((1, patch(8, 12))));
        session.step(10, -10);
        // Corners 0, 4, .., 16: the last whole patch begins at 16, not at 18.
        assert_eq!(last_query(&line), Some((2, patch(0, 16))));
        session.step(1, 0);
        assert_eq!(last_query(&line), None);
    }

    #[test]
    fn the_query_on_show_is_the_newest_asked_until_it_is_answered() {
        let (mut session, line) = session();
        session.go_to(patch(0, 4));
        assert!(session.is_query_pending());
        session.poll();
        assert_eq!(session.query(), Some(QuerySpec::one(patch(0, 4))));
        answer(&line, 1, patch(0, 4));
        session.poll();
        assert!(!session.is_query_pending());
        session.back();
        assert_eq!(last_query(&line), Some((2, patch(8, 8))));
    }

    #[test]
    fn of_several_parts_the_last_one_on_the_image_moves() {
        let (mut session, line) = session();
        let elsewhere = BoxRef { image: 7, y: 0, x: 0, height: 14, width: 14 };
        let drawn = BoxRef { image: 3, y: 2, x: 3, height: 9, width: 20 };
        let query = QuerySpec::one(patch(8, 8)).with(Sign::Plus, drawn).with(Sign::Minus, elsewhere);
        session.look_for(query.clone());
        session.step(1, -1);
        let asked = line.commands.try_iter().last();
        let Some(Command::Query { query: moved, image: 3, .. }) = asked else { panic!("{asked:?}") };
        assert_eq!(moved.parts[1].source, Source::Box(BoxRef { y: 0, x: 7, ..drawn }));
        assert_eq!((&moved.parts[0], &moved.parts[2]), (&query.parts[0], &query.parts[2]));
        // A box may go to the very edge: 32 - 20.
        session.step(10, 0);
        assert!(session.boxes_in_view().contains(&(Sign::Plus, BoxRef { y: 0, x: 12, ..drawn })));
    }

    #[test]
    fn queries_follow_the_patch_size_back_in_time() {
        let (mut session, line) = session();
        session.go_to(patch(8, 4));
        let config = ExploreConfig { grid: PatchGrid { patch: 20, stride: 4 }, ..config() };
        session.change_config(config, 1.0);
        assert!(session.send_config_when_settled(2.0, false).is_none());
        let sized = |y, x| QuerySpec::one(PatchRef { size: 20, ..patch(y, x) });
        assert_eq!(session.query(), Some(sized(5, 1)));
        line.commands.try_iter().for_each(drop);
        session.back();
        assert_eq!(last_query(&line), Some((3, sized(5, 5).as_patch().unwrap())));
    }

    #[test]
    fn settings_are_sent_once_they_rest() {
        let (mut session, line) = session();
        let config = ExploreConfig { neighbours: 255, ..config() };
        session.change_config(config.clone(), 10.0);
        assert!(session.send_config_when_settled(10.1, false).is_some());
        assert!(line.commands.is_empty());
        assert!(session.send_config_when_settled(10.5, true).is_some());
        assert!(session.send_config_when_settled(10.5, false).is_none());
        assert!(
            matches!(line.commands.try_recv(), Ok(Command::Configure { id: 1, config: sent }) if sent == config)
        );
        assert_eq!(session.config(), Some(config));
    }

    #[test]
    fn what_is_asked_says_which_data_set_it_is_meant_for() {
        let (mut session, line) = session();
        session.go_to(patch(0, 4));
        session.show_image(7);
        let sent: Vec<Command> = line.commands.try_iter().collect();
        assert!(matches!(sent[0], Command::Query { data: 5, .. }));
        assert!(matches!(sent[1], Command::ShowImage { data: 5, index: 7 }));
    }

    /// The image on show was not asked for again, and the one on its way came after all.
    #[test]
    fn the_image_on_show_is_asked_for_while_another_is_on_its_way() {
        let (mut session, line) = session();
        for index in [7, 7, 3, 3] {
            session.show_image(index);
        }
        let sent: Vec<Command> = line.commands.try_iter().collect();
        let [Command::ShowImage { index: 7, .. }, Command::ShowImage { index: 3, .. }] = sent[..] else {
            panic!("{sent:?}")
        };
        assert_eq!(session.image(), Some(3));
    }

    #[test]
    fn a_failure_ends_the_waiting() {
        let (mut session, line) = session();
        session.go_to(patch(0, 4));
        line.emit(Event::Failed { about: "query".into(), message: "no".into() });
        session.poll();
        assert!(!session.is_query_pending());
        assert_eq!(session.query(), Some(QuerySpec::one(patch(8, 8))));
    }
}
