//! The thread that owns every tensor: commands in, events and snapshots out. And the same work
//! as jobs that run to their end, for the command line.

pub mod compose;
pub mod defaults;
mod explorer;
pub mod facts;
mod gallery;
mod handle;
pub mod jobs;
mod maps;
pub mod state;
mod thumbnails;

pub use crate::device::open as open_device;
pub use explorer::start;
pub use handle::{EngineHandle, EngineLine, line};
pub use state::*;
