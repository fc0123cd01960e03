//! Jobs that run to their end on the calling thread: what the command line does.
//! Each takes a request, says how far it is and can be cancelled.

pub mod accuracy;
pub mod averages;
pub mod bench;
pub mod cache;
pub mod compare;
pub mod convergence;
pub mod cooccurrence;
pub mod cooccurring;
pub mod data;
pub mod embed;
pub mod evaluate;
pub mod export;
pub mod figures;
pub mod fresh;
pub mod geometry;
pub mod hash;
pub mod import;
pub mod index;
mod job;
pub mod locality;
pub mod merge;
pub mod model;
pub mod plot;
pub mod results;
pub mod scatter;
pub mod search;
pub mod train;

pub use job::Job;
use job::open_embedder;
