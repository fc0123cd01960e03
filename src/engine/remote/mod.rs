//! The engine here, its window elsewhere, and the other way round: commands travel one way, what changed of the snapshot the
//! other, over the pipes of a child process such as `ssh`.
//!
//! What is shown is never queued: while something is on its way, later states replace those that were not sent yet.

mod agree;
mod connection;
mod ear;
mod far;
mod hello;
mod messages;
mod near;
mod outbox;
mod outline;
mod pace;
mod pieces;
mod retake;
mod silence;
mod too_large;
mod voice;

pub use connection::FarPlace;
pub use far::serve;
pub use hello::{Hello, MAGIC};
pub use near::connect;
pub use pieces::{ShownPiece, Update, read_command, read_update};
