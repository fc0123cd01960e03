//! The thread that owns every tensor: commands in, events and snapshots out. And the same work
//! as jobs that run to their end, for the command line.

pub mod compare;
pub mod compose;
pub mod defaults;
mod explorer;
pub mod facts;
mod figures;
mod finder;
mod gallery;
mod growing;
mod handle;
pub mod jobs;
mod maps;
mod microscope;
mod modes;
mod parts;
mod places;
mod preview;
pub mod query;
mod selection;
pub mod session;
mod spaces;
pub mod state;
mod thumbnails;
pub mod training;
mod watch;

pub use crate::device::open as open_device;
pub use explorer::{about, start};
pub use handle::{EngineHandle, EngineLine, line};
pub use state::*;
