//! Small things to draw and to use, whatever they are about.

pub mod box_drag;
pub mod histogram;
pub mod listing;
pub mod messages;
pub mod notices;
pub mod place;
pub mod room;
pub mod roving;
pub mod together;
pub mod whole;
