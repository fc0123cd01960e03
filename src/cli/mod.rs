//! The command line: arguments are parsed, then resolved once into a request that the engine
//! understands; results are printed in words or as one JSON document.
//!
//! `shared` is what several commands take and need; above it stands one file per command, and none of
//! them knows another; `command` knows them all.

mod bank;
mod bench;
mod command;
mod compare;
mod cooccurrence;
mod data;
mod embed;
mod eval;
mod figure;
mod geometry;
mod knn;
mod locality;
mod main;
mod model;
mod results;
mod scatter;
mod serve;
mod shared;
mod train;
mod window;

pub use main::main;
