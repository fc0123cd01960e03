//! What breaking the program must not do: hostile bytes in front of every reader, kills at any moment of every command
//! that writes, disks that fail, two writers at once.
//!
//! All of it is drawn from a seed, so that it comes again. By default it is small enough for every run of the tests;
//! `BAGSSL_TRUST=20` does twenty times as much, `BAGSSL_TRUST_SEED=7` draws anew. Inputs, kills and faults are counted
//! and printed (`--nocapture` shows them).

mod dice; // what is random, and how bytes are spoilt
mod faults; // disks that fail
mod fuzz; // hostile bytes: counts, bounds, a process for each reader
mod kills; // kills at any moment
mod lines; // the line between a window and an engine on another machine
mod program; // the program, watched: how it ended, what it left
mod readers; // every reader, with valid files
mod records; // those of what the program writes itself
mod sets; // those of pictures, data sets and downloads
mod tasks; // every command that writes
mod world; // what commands and readers are given
mod writers; // two writers, and a reader beside a writer

/// How many times the default number of cases.
pub fn amount() -> f64 {
    told("BAGSSL_TRUST").unwrap_or(1.0)
}

/// What everything is drawn from.
pub fn seed() -> u64 {
    told("BAGSSL_TRUST_SEED").unwrap_or(12)
}

/// So many cases, by default.
pub fn cases(by_default: usize) -> usize {
    (by_default as f64 * amount()).ceil() as usize
}

fn told<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}
