//! The thread that owns every tensor: commands in, events and snapshots out. And the same work
//! as jobs that run to their end, for the command line.
//!
//! # Wings
//!
//! A wing imports only from wings below it; faces enter by [`ask`], [`live`], [`jobs`] and [`remote`].
//!
//! | floor | wing | what lives there |
//! |---|---|---|
//! | 0 | [`ask`] | nouns: commands, events, the snapshot, queries, filters, requests |
//! | 1 | `look` | vectors, cosines and neighbours of what is open |
//! | 1 | `runs` | a training run as units of work, its held-out probe, pinned patches, followed folders |
//! | 1 | `tables` | an evaluation, and a plan of many, as units of work; the folder of its results |
//! | 2 | `figures` | a figure request -> what it shows -> a figure |
//! | 3 | `compare` | two models side by side |
//! | 4 | [`live`] | the window's thread |
//! | 4 | [`jobs`] | one function for each command of the command line |
//! | 5 | [`remote`] | the window's thread with its window on another machine |

pub mod ask;
mod compare;
mod figures;
pub mod jobs;
pub mod live;
mod look;
pub mod remote;
mod runs;
mod tables;

pub use crate::device::open as open_device;
pub use ask::*;
pub use live::start;
