//! What the window asks of the engine.

use crate::dataset::{DataSpec, Split};
use crate::engine::ask::compare::CompareCommand;
use crate::engine::ask::config::ExploreConfig;
use crate::engine::ask::evaluation::EvaluateCommand;
use crate::engine::ask::figures::FigureCommand;
use crate::engine::ask::files::FileQuestion;
use crate::engine::ask::images::ImageFilter;
use crate::engine::ask::measures::MeasureCommand;
use crate::engine::ask::places::PlacesRequest;
use crate::engine::ask::query::QuerySpec;
use crate::engine::ask::request::RequestId;
use crate::engine::ask::scatter::ScatterCommand;
use crate::engine::ask::training::TrainCommand;
use crate::model::ModelSpec;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
/// What the window asks of the engine. Sending never blocks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Opens a model: `demo`, a run folder, a checkpoint.
    OpenModel {
        /// Which model.
        spec: ModelSpec,
    },
    /// Opens a data set: `demo`, a folder, one file. Shows its first image.
    OpenData {
        /// Which data set.
        spec: DataSpec,
        /// Which split, where the set has two; none: train.
        split: Option<Split>,
    },
    /// Opens a bank: its data set, its model where that is found, and its vectors in place of those that would be embedded.
    OpenBank {
        /// Its folder.
        #[serde(with = "crate::paths")]
        folder: PathBuf,
    },
    /// Shows image `index` of data set `data` ([`DataDescription::id`](crate::engine::DataDescription::id)). The query stays, if there is one:
    /// its heatmaps are then those of this image. Ignored if another data set is open by then, as are all
    /// commands with such a number.
    ShowImage {
        /// The data set that is meant.
        data: u64,
        /// Index of the image.
        index: usize,
    },
    /// Looks for something else: its heatmaps on image `image`, which is shown, then its neighbours.
    Query {
        /// Number of this request.
        id: RequestId,
        /// The data set that is meant.
        data: u64,
        /// What is looked for.
        query: QuerySpec,
        /// Index of the image that the heatmaps are of.
        image: usize,
    },
    /// Changes patch size, strides, reach or number of neighbours. The query is asked again, as `id`.
    Configure {
        /// Number of this request.
        id: RequestId,
        /// What is looked at from now on.
        config: ExploreConfig,
    },
    /// Pauses or resumes the extraction of the data set's patches.
    PauseExtraction(bool),
    /// Shows, writes or copies a figure.
    Figure(FigureCommand),
    /// Whether [`ViewsShown::pictures`](crate::engine::ViewsShown::pictures) are wanted.
    ShowPictures(bool),
    /// Shows the query's place at several patch sizes as [`ViewsShown::microscope`](crate::engine::ViewsShown::microscope), with these sizes in
    /// pixels (none: those that suit the image; at most [`MOST_SIZES`](crate::engine::MOST_SIZES)), until `None`.
    Microscope(Option<Vec<u32>>),
    /// Shows a gallery for each of several places as [`ViewsShown::places`](crate::engine::ViewsShown::places), until `None`.
    Places(Option<PlacesRequest>),
    /// Asks for a small picture of image `index`; it arrives as [`Event::Thumbnail`](crate::engine::Event::Thumbnail) or
    /// [`Event::NoThumbnail`](crate::engine::Event::NoThumbnail).
    Thumbnail {
        /// The data set that is meant.
        data: u64,
        /// Index of the image.
        index: usize,
    },
    /// Asks for the pixels of a query's parts as one picture; it arrives as [`Event::QueryPicture`](crate::engine::Event::QueryPicture).
    QueryPicture {
        /// The data set that is meant.
        data: u64,
        /// The query whose parts are shown.
        query: QuerySpec,
    },
    /// Reads a picture that is not of the data set; it arrives as [`Event::Picture`](crate::engine::Event::Picture).
    OpenPicture {
        /// The picture's file.
        #[serde(with = "crate::paths")]
        path: PathBuf,
    },
    /// Looks for images; the answer is [`Snapshot::found`](crate::engine::Snapshot::found). The newest question wins.
    FindImages {
        /// The data set that is meant.
        data: u64,
        /// Which images are looked for.
        filter: ImageFilter,
    },
    /// Asks for image `index` as it is seen around a neighbour; it arrives as [`Event::SourceImage`](crate::engine::Event::SourceImage).
    SourceImage {
        /// The data set that is meant.
        data: u64,
        /// Index of the image.
        index: usize,
    },
    /// Something about training.
    Train(TrainCommand),
    /// Something about the comparison with another model.
    Compare(CompareCommand),
    /// Something about evaluating models.
    Evaluate(EvaluateCommand),
    /// Something about measures.
    Measure(MeasureCommand),
    /// Something about the patches of the galleries on a plane.
    Scatter(ScatterCommand),
    /// Asks about files; the answer is [`Event::Files`](crate::engine::Event::Files).
    Files(FileQuestion),
    /// Numbers data sets from there on: an engine that goes on in place of another gives none of its numbers again.
    CountFrom {
        /// The next number.
        data: u64,
    },
    /// Opens the line to another machine again, where it is not open. To an engine of this process it means nothing.
    Reconnect,
}

impl Command {
    /// The data set whose images it is about, where it is void under another.
    pub fn data(&self) -> Option<u64> {
        match self {
            Command::ShowImage { data, .. }
            | Command::Query { data, .. }
            | Command::Thumbnail { data, .. }
            | Command::QueryPicture { data, .. }
            | Command::FindImages { data, .. }
            | Command::SourceImage { data, .. } => Some(*data),
            _ => None,
        }
    }
}

/// What a failure is said to be about where the image on show, the patches or the query have no maps.
pub const ABOUT_MAPS: [&str; 3] = ["showing the image", "the query", "changing the patches"];
/// What a failure is said to be about where the galleries have no patches to search.
pub const ABOUT_GALLERIES: &str = "embedding patches for the galleries";
/// What a failure is said to be about where a bank cannot be opened.
pub const ABOUT_BANK: &str = "opening the bank";
/// What a failure is said to be about where something cannot be measured.
pub const ABOUT_MEASURES: &str = "measuring";
/// What a failure is said to be about where a table of picked patches cannot be written.
pub const ABOUT_PICKED: &str = "exporting what was picked";
/// What a failure of the line to another machine is said to be about.
pub const ABOUT_LINK: &str = "the line to the other machine";
/// What a failure of a picture as query is said to be about.
pub const ABOUT_PICTURE: &str = "a picture as query";
/// What a failure is said to be about where a GPU cannot be used.
pub const ABOUT_GPU: &str = "the GPU";

/// What a failure of `command` is said to be about ([`Event::Failed`](crate::engine::Event::Failed)).
pub fn about(command: &Command) -> &'static str {
    match command {
        Command::OpenModel { .. } => "opening the model",
        Command::OpenData { .. } => "opening the data set",
        Command::OpenBank { .. } => ABOUT_BANK,
        Command::ShowImage { .. } => ABOUT_MAPS[0],
        Command::Query { .. } => ABOUT_MAPS[1],
        Command::Configure { .. } => ABOUT_MAPS[2],
        Command::PauseExtraction(_) => "pausing",
        Command::Figure(_) => "the figure",
        Command::Thumbnail { .. } | Command::SourceImage { .. } => "a picture",
        Command::Places(_) => "the galleries of several places",
        Command::QueryPicture { .. } => "the picture of a pin",
        Command::OpenPicture { .. } => ABOUT_PICTURE,
        Command::Microscope(_) => "the microscope",
        Command::FindImages { .. } => "looking for images",
        Command::ShowPictures(_) => "the spaces as pictures",
        Command::Train(_) => "training",
        Command::Compare(_) => "comparing with another model",
        Command::Evaluate(EvaluateCommand::Open(_)) => "opening the results",
        Command::Evaluate(EvaluateCommand::Export(_)) => "exporting the results",
        Command::Evaluate(_) => "evaluating",
        Command::Measure(MeasureCommand::Export { .. }) => "exporting the measures",
        Command::Measure(_) => ABOUT_MEASURES,
        Command::Scatter(ScatterCommand::ExportPicked { .. }) => ABOUT_PICKED,
        Command::Scatter(ScatterCommand::Export { .. }) => "the figure",
        Command::Scatter(_) => "laying the patches out",
        Command::Files(_) => "looking at files",
        Command::CountFrom { .. } | Command::Reconnect => ABOUT_LINK,
    }
}
