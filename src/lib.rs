//! `bagssl`: see what a self-supervised vision model thinks is alike.
//!
//! # Rooms
//!
//! A room imports only from floors below it (a test reads the `use crate::` lines).
//!
//! | floor | room | what lives there |
//! |---|---|---|
//! | 0 | [`patch`] | grids of square patches, pixel <-> patch geometry |
//! | 0 | [`image`], [`progress`], [`colormap`], [`stats`], [`files`], [`paths`], [`words`], [`threads`], [`memory`] | the decoded picture; progress and cancelling; colours; quantiles and intervals; files written atomically, opened within bounds, locked, mapped, with sums; paths as words; numbers in print; who shares the work; how much memory there is, and for whom |
//! | 1 | [`device`] | the one place that picks and opens a burn device |
//! | 1 | [`dataset`] | CIFAR (binary or Python, folder or archive), folders, single files, the synthetic set, downloads |
//! | 1 | [`kernel`] | convolution, batch normalisation and attention of our own for the CPU; cosines and nearest rows on a GPU |
//! | 1 | [`augment`] | crops, resizing, colour operations: seeded, CPU-parallel, equal to torchvision's |
//! | 1 | [`tiles`] | where the tiles of an image lie that is too large for one pass, and which one each place is taken from |
//! | 1 | [`wire`] | values on their way to another process: packed, sent once, in frames; read within bounds |
//! | 2 | [`model`] | backbones (ResNets, vision transformers), projector, BYOL's predictor, encoder, momentum encoder, weights in and out |
//! | 2 | [`objective`] | one file per loss |
//! | 2 | [`bank`] | memory-mapped embeddings on disk, with what made them; or read from Lance, an optional feature |
//! | 3 | [`train`] | config, recipes, trainer, run folder |
//! | 3 | [`embed`] | patches to vectors, data sets to banks |
//! | 3 | [`search`] | top-k over a bank, exact or by codes of one bit a value; where cosines are computed |
//! | 4 | [`analysis`] | heatmaps, locality and invariance, means of patches against the whole, geometry of spaces, co-occurrence, principal components, overlap of neighbours |
//! | 4 | [`eval`] | aggregated features, linear probe, kNN classifier, online kNN |
//! | 4 | [`figure`] | plain data -> SVG, PDF, PNG and a sidecar |
//! | 5 | [`engine`] | the thread that owns every tensor; jobs for the command line |
//! | 6 | [`cli`], [`gui`] | two faces of the same engine |
//!
//! # Invariants
//!
//! - One thread owns the tensors; decoding and augmentation run on workers that create none.
//! - No frame waits: the window sends commands and draws the latest snapshot.
//! - Interactive before batch: the newest query first, then one batch of work, then publish.
//! - The same spec gives the same bytes: figures, banks and runs are functions of their recorded
//!   configuration and seed (to the bit on the CPU for one build, instruction set and thread count).
//! - Untrusted files stay data: they are parsed with bounds, and a bad one gives an error that
//!   names the file, the place and what was expected.
//! - Writes are atomic: a kill at any moment leaves the old file or the new one.
//! - Nothing is subsampled in silence: whatever shows a part says "N of M".

// Lance's futures lie deeper within one another than the compiler looks by itself.
#![cfg_attr(feature = "lance", recursion_limit = "256")]
#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests lay broken files in place and wait as they like")
)]

pub mod analysis;
pub mod augment;
pub mod bank;
pub mod cli;
pub mod colormap;
pub mod dataset;
pub mod device;
pub mod embed;
pub mod engine;
pub mod eval;
pub mod figure;
pub mod files;
pub mod gui;
pub mod image;
pub mod kernel;
pub mod memory;
pub mod model;
pub mod objective;
pub mod patch;
pub mod paths;
pub mod progress;
pub mod search;
pub mod stats;
pub mod threads;
pub mod tiles;
pub mod train;
pub mod wire;
pub mod words;
