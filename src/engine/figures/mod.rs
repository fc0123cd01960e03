//! Figures of what is asked for: the same code for the window and the command line. Heatmaps are
//! embedded a batch at a time ([`rows`]), neighbours are found and cut out ([`galleries`]); from there one place makes
//! the figure, its notes and its sidecar's source ([`assemble`], which lays panels out with [`compose`]). For the
//! window all that needs no tensors is done by a thread of its own ([`worker`]). Pages of measured numbers are laid out
//! here too ([`plotted`], [`averages`], [`bars`], [`spaces`], [`locality`], [`cooccurrence`], [`cooccurring`], [`scatter`]).
//! All say in what tiles images went through ([`tiling`]).

pub mod assemble;
pub mod averages;
pub mod bars;
pub mod compose;
pub mod cooccurrence;
pub mod cooccurring;
pub mod galleries;
pub mod locality;
pub mod output;
pub mod plotted;
pub mod rows;
pub mod scatter;
pub mod spaces;
pub mod tiling;
pub mod worker;
