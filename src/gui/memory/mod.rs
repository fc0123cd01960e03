//! What the window remembers, within a session and from one start to the next, and the files it lies in.

pub mod figure_looks;
pub mod files;
pub mod history;
pub mod kept;
pub mod link;
pub mod openable;
pub mod pins;
pub mod places;
pub mod recent;
pub mod settings;
pub mod sources;
pub mod window_look;
