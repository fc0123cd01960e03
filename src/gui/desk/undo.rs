//! Undo and redo of what is looked at: the image, the query, the explorer's settings, the way to look and pins.
//! It does not go back over opening a model or a data set.

use eframe::egui::util::undoer::{Settings, Undoer};

use crate::engine::{ExploreConfig, MapMode, QuerySpec};

use crate::gui::desk::Desk;

/// Changes that follow each other faster than this count as one (a held arrow key, a dragged number),
/// seconds.
pub const AT_ONCE_SECS: f32 = 0.3;

/// All that undo brings back.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    image: usize,
    query: QuerySpec,
    config: ExploreConfig,
    /// The way to look.
    pub mode: MapMode,
    pins: Vec<QuerySpec>,
}

impl Sight {
    /// What is looked at now; `None` while there is no query yet.
    pub fn of(desk: &Desk) -> Option<Self> {
        let session = &desk.session;
        Some(Self {
            image: session.image()?,
            query: session.query()?,
            config: session.config()?,
            mode: desk.settings.mode,
            pins: desk.pins.list().to_vec(),
        })
    }

    /// Looks at this again; the way to look is the caller's.
    pub fn bring_back(self, desk: &mut Desk) {
        desk.session.look_again(self.config, self.query, self.image);
        desk.pins.set(self.pins);
    }
}

/// What was looked at before, and before it was undone.
pub struct Undo(Undoer<Sight>);

impl Default for Undo {
    fn default() -> Self {
        let settings = Settings { max_undos: 200, stable_time: AT_ONCE_SECS, ..Settings::default() };
        Self(Undoer::with_settings(settings))
    }
}

impl Undo {
    /// Takes note of what is looked at now, at `time` in seconds. Returns whether it is to be called again
    /// soon, since something has just changed.
    pub fn note(&mut self, time: f64, look: &Sight) -> bool {
        self.0.feed_state(time, look);
        self.0.is_in_flux()
    }

    /// What was looked at before `now`.
    pub fn undo(&mut self, now: &Sight) -> Option<Sight> {
        self.0.undo(now).cloned()
    }

    /// What was looked at before the last undo.
    pub fn redo(&mut self, now: &Sight) -> Option<Sight> {
        self.0.redo(now).cloned()
    }
}
