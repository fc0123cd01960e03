//! The parts of the window, one file each.

pub mod controls;
pub mod gallery;
pub mod images;
pub mod inspector;
pub mod maps;
pub mod status;
pub mod top;

use super::actions::Action;
use super::session::Session;
use super::settings::Settings;
use crate::patch::PatchRef;

/// What all panels see and may change.
pub struct Desk {
    pub session: Session,
    pub settings: Settings,
    /// What lies under the pointer on the image or a heatmap.
    pub hover: Option<Hover>,
    /// What buttons asked for in this frame.
    pub todo: Vec<Action>,
    pub tab: Tab,
}

/// What the window is used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    #[default]
    Explore,
    Train,
}

/// A point of the image under the pointer.
#[derive(Clone, Debug, PartialEq)]
pub struct Hover {
    /// Pixel, column and row.
    pub pixel: (u32, u32),
    /// The patch of the heatmap grid whose centre is nearest.
    pub patch: Option<PatchRef>,
    /// Space and cosine of that patch to the query; `None` where it is not known yet.
    pub values: Vec<(String, Option<f32>)>,
    /// The part that the data set knows there.
    pub part: Option<&'static str>,
}

/// A space in words, with the paper's section.
pub fn explain_space(space: &str) -> &'static str {
    match space {
        "z" => {
            "Projection: the projector's raw output, the space that the training loss sees (Sec. 3 of the paper)."
        }
        "h" => {
            "Embedding: the backbone's output, the space that is used after training (Sec. 4.3 of the paper)."
        }
        _ => "A layer of the network as a space of its own.",
    }
}

/// The long name of a space.
pub fn name_of_space(space: &str) -> &'static str {
    match space {
        "z" => "projection",
        "h" => "embedding",
        _ => "space",
    }
}
