//! Figures of what is asked for: the same code for the window and the command line. Heatmaps are
//! embedded a batch at a time ([`rows`]), neighbours are found and cut out ([`galleries`]), all becomes a figure
//! ([`compose`]), and for the window all that needs no tensors is done by a thread of its own ([`worker`]).

pub mod compose;
pub mod galleries;
pub mod output;
pub mod rows;
pub mod worker;
