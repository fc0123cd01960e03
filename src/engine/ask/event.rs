//! Facts that happen once.

use crate::engine::ask::figures::FigureEvent;
use crate::engine::ask::files::FileAnswer;
use crate::engine::ask::query::{OutsidePicture, QuerySpec};
use crate::engine::ask::training::TrainEvent;
use crate::image::Image;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
/// A fact that happens once. Never dropped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// Something asked for could not be done. `about` says what in a few words.
    Failed {
        /// What was tried, a few words ("opening the model").
        about: String,
        /// What went wrong, with its causes.
        message: String,
    },
    /// A model is open; its description is in the snapshot.
    ModelOpened,
    /// A data set is open; its description is in the snapshot.
    DataOpened,
    /// A bank is open; its data set and its model, or why there is none, are in the snapshot.
    BankOpened {
        /// Its folder.
        #[serde(with = "crate::paths")]
        folder: PathBuf,
    },
    /// Something about a figure.
    Figure(FigureEvent),
    /// A small picture (longest side at most [`THUMBNAIL_SIDE`]) of image `index` of data set `data`.
    Thumbnail {
        /// The data set.
        data: u64,
        /// Index of the image.
        index: usize,
        /// The small picture.
        #[serde(with = "crate::wire::fields::picture")]
        image: Arc<Image>,
    },
    /// Image `index` of data set `data` cannot be read, small or whole, and why.
    NoThumbnail {
        /// The data set.
        data: u64,
        /// Index of the image.
        index: usize,
        /// Why it cannot be read.
        message: String,
    },
    /// Image `index` of data set `data`, of `size` (height, width), with its longest side at most
    /// [`SOURCE_SIDE`].
    SourceImage {
        /// The data set.
        data: u64,
        /// Index of the image.
        index: usize,
        /// Height and width of the image itself, pixels.
        size: (u32, u32),
        /// The picture, made smaller where the image is larger.
        #[serde(with = "crate::wire::fields::picture")]
        image: Arc<Image>,
    },
    /// The parts of `query`, which is about data set `data`, as one picture.
    QueryPicture {
        /// The data set.
        data: u64,
        /// The query whose parts are shown.
        query: QuerySpec,
        /// All parts in one picture.
        #[serde(with = "crate::wire::fields::picture")]
        image: Arc<Image>,
    },
    /// A picture from outside was read.
    Picture(Arc<OutsidePicture>),
    /// Something about training.
    Train(TrainEvent),
    /// The tables of an evaluation were written.
    ResultsSaved {
        /// Where.
        #[serde(with = "crate::paths")]
        path: PathBuf,
    },
    /// A table of patches was written.
    TableSaved {
        /// Where.
        #[serde(with = "crate::paths")]
        path: PathBuf,
    },
    /// The results of a folder are on show.
    ResultsOpened,
    /// What was asked about files.
    Files(FileAnswer),
}

/// Longest side of a thumbnail, pixels.
pub const THUMBNAIL_SIDE: u32 = 64;

/// Longest side of the picture around a neighbour, pixels.
pub const SOURCE_SIDE: u32 = 320;
