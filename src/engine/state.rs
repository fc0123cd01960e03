//! What the engine is asked (commands) and what it shows (one snapshot of everything that
//! changes, rare events for facts).

use std::path::PathBuf;
use std::sync::Arc;

pub use super::compare::{CompareCommand, CompareView, ComparedGalleries, KeptView, OtherView, Overlap};
pub use super::compose::Style;
pub use super::figures::request::{
    Beside, FigureCommand, FigureContent, FigureEvent, FigureKind, FigurePage, FigureRequest, FigureView,
};
pub use super::modes::{MapMode, compared, displayed};
pub use super::places::{MOST_PLACES, PlaceView, PlacesRequest, PlacesView};
pub use super::query::{OutsidePicture, QueryPart, QuerySpec, Sign, Source};
pub use super::selection::GalleryFilter;
use super::training::{DataSource, PinsView, RunView, TrainCommand, TrainEvent, TrainingView};
pub use crate::dataset::{PartMap, Skipped, Split};
use crate::image::Image;
use crate::model::ModelSpec;
use crate::patch::{PatchGrid, PatchRef};
use crate::progress::Progress;
pub use crate::search::Relation;

/// Numbers a request; answers carry the number of what they answer, and stale ones are dropped.
pub type RequestId = u64;

/// What the window asks of the engine. Sending never blocks.
#[derive(Clone, Debug)]
pub enum Command {
    /// Opens a model: `demo`, a run folder, a checkpoint.
    OpenModel { spec: ModelSpec },
    /// Opens a data set: `demo`, a folder, one file. Shows its first image.
    OpenData { spec: String, split: Option<Split> },
    /// Shows image `index` of data set `data` ([`DataDescription::id`]). The query stays, if there is one:
    /// its heatmaps are then those of this image. Ignored if another data set is open by then, as are all
    /// commands with such a number.
    ShowImage { data: u64, index: usize },
    /// Looks for something else: its heatmaps on image `image`, which is shown, then its neighbours.
    Query { id: RequestId, data: u64, query: QuerySpec, image: usize },
    /// Changes patch size, strides, reach or number of neighbours. The query is asked again, as `id`.
    Configure { id: RequestId, config: ExploreConfig },
    /// Pauses or resumes the extraction of the data set's patches.
    PauseExtraction(bool),
    /// Shows, writes or copies a figure.
    Figure(FigureCommand),
    /// Whether [`Snapshot::pictures`] are wanted.
    ShowPictures(bool),
    /// Shows the query's place at several patch sizes as [`Snapshot::microscope`], with these sizes in
    /// pixels (none: those that suit the image; at most [`MOST_SIZES`]), until `None`.
    Microscope(Option<Vec<u32>>),
    /// Shows a gallery for each of several places as [`Snapshot::places`], until `None`.
    Places(Option<PlacesRequest>),
    /// Asks for a small picture of image `index`; it arrives as [`Event::Thumbnail`] or
    /// [`Event::NoThumbnail`].
    Thumbnail { data: u64, index: usize },
    /// Asks for the pixels of a query's parts as one picture; it arrives as [`Event::QueryPicture`].
    QueryPicture { data: u64, query: QuerySpec },
    /// Reads a picture that is not of the data set; it arrives as [`Event::Picture`].
    OpenPicture { path: PathBuf },
    /// Looks for images; the answer is [`Snapshot::found`]. The newest question wins.
    FindImages { data: u64, filter: ImageFilter },
    /// Asks for image `index` as it is seen around a neighbour; it arrives as [`Event::SourceImage`].
    SourceImage { data: u64, index: usize },
    /// Something about training.
    Train(TrainCommand),
    /// Something about the comparison with another model.
    Compare(CompareCommand),
}

/// What the explorer looks at.
#[derive(Clone, Debug, PartialEq)]
pub struct ExploreConfig {
    /// Patch size and stride of the heatmaps, pixels.
    pub grid: PatchGrid,
    /// Stride of the patches that the galleries search, pixels.
    pub gallery_stride: u32,
    /// How many images the galleries reach at most; the first N of the data set.
    pub gallery_images: usize,
    /// Number of neighbours in a gallery.
    pub neighbours: usize,
    /// Names of the spaces side by side, from the left; of [`ModelDescription::all_spaces`]. Empty: the
    /// usual ones.
    pub spaces: Vec<String>,
    /// What the galleries leave out.
    pub filter: GalleryFilter,
}

/// A fact that happens once. Never dropped.
#[derive(Clone, Debug)]
pub enum Event {
    /// Something asked for could not be done. `about` says what in a few words.
    Failed { about: String, message: String },
    /// A model is open; its description is in the snapshot.
    ModelOpened,
    /// A data set is open; its description is in the snapshot.
    DataOpened,
    /// Something about a figure.
    Figure(FigureEvent),
    /// A small picture (longest side at most [`THUMBNAIL_SIDE`]) of image `index` of data set `data`.
    Thumbnail { data: u64, index: usize, image: Arc<Image> },
    /// Image `index` of data set `data` cannot be read, small or whole, and why.
    NoThumbnail { data: u64, index: usize, message: String },
    /// Image `index` of data set `data`, of `size` (height, width), with its longest side at most
    /// [`SOURCE_SIDE`].
    SourceImage { data: u64, index: usize, size: (u32, u32), image: Arc<Image> },
    /// The parts of `query`, which is about data set `data`, as one picture.
    QueryPicture { data: u64, query: QuerySpec, image: Arc<Image> },
    /// A picture from outside was read.
    Picture(Arc<OutsidePicture>),
    /// Something about training.
    Train(TrainEvent),
}

/// What images are looked for; all where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFilter {
    /// A part of the image's or its class's name, in any case.
    pub text: String,
    /// Only images of this class.
    pub class: Option<u32>,
}

/// The images that were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundImages {
    /// [`DataDescription::id`].
    pub data: u64,
    pub filter: ImageFilter,
    /// Their indices, rising.
    pub images: Vec<u32>,
}

/// Longest side of a thumbnail, pixels.
pub const THUMBNAIL_SIDE: u32 = 64;

/// Longest side of the picture around a neighbour, pixels.
pub const SOURCE_SIDE: u32 = 320;

/// The latest of everything that the window shows. Cheap to clone.
#[derive(Clone, Default)]
pub struct Snapshot {
    /// Changes whenever vectors that were shown lose their meaning: another model, data set, grid
    /// or image. Answers of an earlier generation are dropped.
    pub generation: u64,
    pub device: Option<Arc<DeviceDescription>>,
    pub model: Option<Arc<ModelDescription>>,
    pub data: Option<Arc<DataDescription>>,
    /// The words that opened the model.
    pub model_source: Option<Arc<ModelSpec>>,
    /// The words that opened the data set.
    pub data_source: Option<Arc<DataSource>>,
    pub config: Option<ExploreConfig>,
    /// The image on show.
    pub view: Option<Arc<ImageView>>,
    /// The query with its heatmaps.
    pub query: Option<Arc<QueryView>>,
    /// The patch under the pointer as if it were the query, while that is wanted ([`EngineHandle::preview`]) and
    /// its vectors are known.
    ///
    /// [`EngineHandle::preview`]: super::EngineHandle::preview
    pub preview: Option<Arc<PreviewView>>,
    /// The query's neighbours: the previous query's stay until the new ones are there.
    pub galleries: Option<Arc<GalleryView>>,
    /// What the newest search for images that is done has found.
    pub found: Option<Arc<FoundImages>>,
    /// Extraction of the patches that the galleries search.
    pub extraction: Option<Extraction>,
    /// The image on show as each space sees it, once complete, if wanted.
    pub pictures: Option<Arc<Pictures>>,
    /// The comparison with another model, if one is open.
    pub compare: Option<Arc<CompareView>>,
    /// The query's place at several patch sizes, if that is wanted.
    pub microscope: Option<Arc<MicroscopeView>>,
    /// The preview of a figure, while one is asked for.
    pub figure: Option<Arc<FigureView>>,
    /// Several places with their galleries, if that is wanted.
    pub places: Option<Arc<PlacesView>>,
    /// What the engine is busy with, in a few words, if it is not idle ("opening the model").
    pub busy: Option<String>,
    /// The run of this process, going on or ended.
    pub training: Option<Arc<TrainingView>>,
    /// Its pinned patches.
    pub pins: Option<Arc<PinsView>>,
    /// Run folders that are shown, in the order in which they were opened.
    pub runs: Arc<Vec<Arc<RunView>>>,
}

/// Where tensors live.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceDescription {
    /// "GPU" or "CPU".
    pub kind: &'static str,
    /// Name of the adapter or processor.
    pub name: String,
    /// Why it was picked, one sentence.
    pub reason: String,
}

/// The open model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelDescription {
    /// "demo", or the file's or run's name.
    pub name: String,
    /// "ResNet-18/4".
    pub arch: String,
    /// Names and widths of the usual spaces, z first.
    pub spaces: Vec<(String, usize)>,
    /// Names of all spaces that can be shown, from z back to the raw pixels.
    pub all_spaces: Vec<String>,
    /// Side of the network's input, pixels.
    pub input: u32,
    pub hash: String,
}

/// The open data set.
#[derive(Clone, Debug, PartialEq)]
pub struct DataDescription {
    /// Changes each time that a data set is opened.
    pub id: u64,
    pub name: String,
    pub kind: String,
    pub images: usize,
    pub classes: Vec<String>,
    pub labels: Vec<Option<u32>>,
    /// `(height, width)` where all images share it.
    pub size: Option<(u32, u32)>,
    pub split: Option<Split>,
    pub skipped: Vec<Skipped>,
}

/// The image on show.
#[derive(Clone, Debug)]
pub struct ImageView {
    pub index: usize,
    pub name: String,
    pub class: Option<String>,
    pub image: Arc<Image>,
    /// The part of every pixel, where the data set knows it: names and `height * width` indices.
    pub parts: Option<Arc<PartMap>>,
}

/// A query and its heatmaps.
#[derive(Clone, Debug)]
pub struct QueryView {
    pub id: RequestId,
    pub query: QuerySpec,
    /// Pixels of each part, before they were resized for the network.
    pub parts: Vec<Arc<Image>>,
    /// The image that the maps are of: the query may come from elsewhere.
    pub image: usize,
    /// One map for each shown space, in their order. They grow from coarse to fine.
    pub maps: Vec<Heatmap>,
    /// Grid positions whose cosine is known, of all; equal in all spaces.
    pub known: usize,
}

/// What the maps would be if a patch of the image on show were the query.
#[derive(Clone, Debug)]
pub struct PreviewView {
    pub patch: PatchRef,
    /// One map for each shown space, in their order.
    pub maps: Vec<Heatmap>,
}

/// Cosine similarities of the query to every patch of the image on show.
#[derive(Clone, Debug)]
pub struct Heatmap {
    pub space: String,
    pub grid: PatchGrid,
    pub rows: usize,
    pub cols: usize,
    /// `rows * cols` cosines in [-1, 1], row by row; NaN where not known yet. While coarse, a
    /// known value also stands in for its unknown neighbours in `shown`.
    pub values: Arc<Vec<f32>>,
    /// As `values` with unknown positions filled from the nearest known one; NaN only if none is.
    pub shown: Arc<Vec<f32>>,
}

/// What the vectors of an image's patches have most in common, as colours: see
/// [`crate::analysis::pca`].
#[derive(Clone, Debug)]
pub struct Pictures {
    /// Index of the image.
    pub image: usize,
    pub grid: PatchGrid,
    /// One for each shown space, in their order.
    pub spaces: Vec<Picture>,
}

/// The picture of one space.
#[derive(Clone, Debug)]
pub struct Picture {
    pub space: String,
    /// One pixel for each patch of the grid.
    pub colors: Arc<Image>,
    /// Share of the variance behind red, green and blue.
    pub explained: [f32; 3],
}

/// Patch sizes of a microscope at most: each has a column of its own.
pub const MOST_SIZES: usize = 8;

/// The same point of an image at several patch sizes.
#[derive(Clone, Debug, Default)]
pub struct MicroscopeView {
    /// Index of the image.
    pub image: usize,
    /// One for each size, in the order asked for.
    pub levels: Vec<Arc<MicroscopeLevel>>,
    /// Sizes that were asked for and do not fit on the image.
    pub left_out: Vec<u32>,
}

/// One patch size of it.
#[derive(Clone, Debug)]
pub struct MicroscopeLevel {
    pub grid: PatchGrid,
    /// Grid positions in all, and those whose vectors are known.
    pub positions: usize,
    pub known: usize,
    /// The query at this size, about the same centre and moved onto the image; `None` without a query.
    pub query: Option<PatchRef>,
    /// One map for each shown space, in their order; none until the query is known at this size. They
    /// grow from coarse to fine.
    pub maps: Vec<Heatmap>,
    /// How alike the query is to the rest of the image, for each of `maps`.
    pub rest: Vec<RestOfImage>,
}

/// Cosines of a query to the other patches of its image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RestOfImage {
    /// Patches that are known, the query's own place left out.
    pub patches: usize,
    /// Their mean cosine, NaN if there are none.
    pub mean: f32,
    /// Their standard deviation.
    pub deviation: f32,
}

/// The neighbours of a query in each space.
#[derive(Clone, Debug)]
pub struct GalleryView {
    pub query_id: RequestId,
    pub query: QuerySpec,
    /// Pixels of the query: of its one part, or all parts in one square picture.
    pub query_pixels: Arc<Image>,
    /// One for each shown space, in their order.
    pub spaces: Vec<Gallery>,
    /// What was left out.
    pub filter: GalleryFilter,
    /// Patches that were searched, of all that the galleries reach.
    pub searched: usize,
    pub total: usize,
}

/// The neighbours of a query in one space, best first, the query itself left out.
#[derive(Clone, Debug)]
pub struct Gallery {
    pub space: String,
    pub milliseconds: f64,
    /// Patches among which the filter let the neighbours be chosen, of [`GalleryView::searched`].
    pub candidates: usize,
    pub neighbours: Vec<Neighbour>,
}

/// One cell of a gallery.
#[derive(Clone, Debug)]
pub struct Neighbour {
    pub patch: PatchRef,
    pub cosine: f32,
    /// Its cosine to the query in the other shown spaces, where these were searched.
    pub in_other_spaces: Vec<(String, f32)>,
    pub relation: Relation,
    pub class: Option<String>,
    pub image_name: String,
    /// Its pixels; grey if its image cannot be read any more.
    pub pixels: Arc<Image>,
    pub is_readable: bool,
}

/// Extraction of patches for the galleries.
#[derive(Clone, Debug, PartialEq)]
pub struct Extraction {
    pub progress: Progress,
    /// Patches done and in all.
    pub patches: (usize, usize),
    pub patches_per_second: Option<f64>,
    /// Images that could not be read, with the reason.
    pub skipped: Arc<Vec<Skipped>>,
    pub paused: bool,
    pub finished: bool,
    pub memory: MemoryUse,
}

/// What the vectors that the galleries search take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// Bytes once all are there, and the most that they may take.
    pub bytes: u64,
    pub most_bytes: u64,
    /// Images that are embedded: the first so many of those wanted.
    pub images: usize,
    /// Images that the settings ask for, and the bytes that they would take.
    pub wanted_images: usize,
    pub wanted_bytes: u64,
}
