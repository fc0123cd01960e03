//! Training runs as units of work between queries: the run itself, its held-out probe, patches that are pinned,
//! and run folders that are followed, finished ones and those of other processes. And z of the toy world of section 3.

mod active;
mod between;
mod clock;
pub mod control;
pub mod export;
pub mod followed;
mod held_out_images;
mod held_out_probe;
mod pins;
mod rate;
mod record;
pub mod run;
pub mod run_data;
mod series;
mod tail;
pub mod world_fit;
