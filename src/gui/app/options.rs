//! What the window opens with.

use std::path::PathBuf;
use std::time::Duration;

use super::quit::Quit;
use crate::engine::Split;
use crate::engine::facts::{BUILT_IN, DataSpec, ModelSpec, VectorCache};
use crate::engine::remote::FarPlace;
use crate::gui::memory::link::Link;

/// What the window opens with.
#[derive(Clone, Debug)]
pub struct GuiOptions {
    /// `demo`, a run folder, a checkpoint.
    pub model: ModelSpec,
    /// `demo`, a folder, one file.
    pub data: DataSpec,
    /// Which split, where the data set has two.
    pub split: Option<Split>,
    /// A bank to open in place of model and data, and the model that made it, if it is not where it was.
    pub bank: Option<(PathBuf, Option<ModelSpec>)>,
    /// Run folders to show in the Train tab, which opens first if there are any.
    pub runs: Vec<PathBuf>,
    /// A state to restore; what it says of model and data goes before the fields above.
    pub link: Option<Link>,
    /// The file that keeps settings; without one they last as long as the window.
    pub settings: Option<PathBuf>,
    /// Where vectors are kept from one time to the next.
    pub cache: Option<VectorCache>,
    /// Whether it was said for this start how much they may take; else the settings say it.
    pub is_cache_told: bool,
    /// By which whoever opens the window may close it.
    pub quit: Quit,
    /// Where the engine is to be, if on another machine; the paths above are then those of that machine, and
    /// [`crate::paths`] is told so.
    pub remote: Option<FarPlace>,
}

impl Default for GuiOptions {
    /// The built-in model and data.
    fn default() -> Self {
        let (model, data) = (BUILT_IN[0].name.into(), DataSpec::default());
        let (bank, link, settings, cache) = (None, None, None, None);
        let (split, runs, is_cache_told, quit, remote) = (None, vec![], false, Quit::default(), None);
        Self { model, data, split, bank, runs, link, settings, cache, is_cache_told, quit, remote }
    }
}

/// From news of the engine to the frame that shows them.
pub const SOON: Duration = Duration::from_millis(1);
