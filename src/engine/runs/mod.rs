//! Training runs as units of work between queries: the run itself, its held-out probe, patches that are pinned,
//! and run folders that are followed, finished ones and those of other processes.

mod active;
mod clock;
pub mod desk;
mod export;
pub mod followed;
mod held_out;
mod pins;
mod rate;
pub mod run;
mod series;
mod tail;
