//! The word to close, from outside of the window.

use std::sync::{Arc, OnceLock};

use eframe::egui::Context;

use crate::progress::CancelToken;

/// Asks a window to close as its button does, from any thread: what was asked before it opened counts when it does.
#[derive(Clone, Debug, Default)]
pub struct Quit {
    asked: CancelToken,
    window: Arc<OnceLock<Context>>,
}

impl Quit {
    /// Asks.
    pub fn ask(&self) {
        self.asked.cancel();
        if let Some(window) = self.window.get() {
            window.request_repaint();
        }
    }

    /// The window that is to hear of it.
    pub(super) fn wakes(&self, window: &Context) {
        // There is one window.
        self.window.get_or_init(|| window.clone());
    }

    pub(super) fn is_asked(&self) -> bool {
        self.asked.is_cancelled()
    }
}
