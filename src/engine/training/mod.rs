//! Training inside the engine's thread: what can be asked of it, what it shows, and the thread
//! that reads run folders, finished ones and those of other processes.

mod active;
mod desk;
mod export;
mod follow;
mod pins;
mod rate;
mod series;
mod state;
mod tail;

pub(super) use desk::Training;
pub(super) use follow::{checkpoints, is_same_folder};
pub use state::*;
