//! What stands about the views and what several of them draw, one file each.

pub mod composition;
pub mod controls;
pub mod gallery;
pub mod gestures;
pub mod hint;
pub mod images;
pub mod inspector;
pub mod neighbour;
mod parts;
mod pins;
pub mod status;
pub mod top;
pub mod view_switch;
