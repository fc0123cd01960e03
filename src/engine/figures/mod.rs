//! Figures of what is asked for: the same code for the window and the command line. Heatmaps are
//! embedded a batch at a time ([`rows`]), neighbours are found and cut out ([`finder`]), and for the
//! window all that needs no tensors is done by a thread of its own ([`worker`]).

pub mod finder;
pub mod request;
pub mod rows;
pub mod worker;
