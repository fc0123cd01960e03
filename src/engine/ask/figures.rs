//! What is asked of figures, by the window and by the command line, and what the window is shown of them.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::engine::ask::filter::GalleryFilter;
use crate::engine::ask::modes::MapMode;
use crate::engine::ask::query::{QuerySpec, Source};
use crate::engine::ask::request::RequestId;
use crate::engine::ask::space::PatchSpace;
use crate::engine::ask::style::Style;
use crate::figure::{ComposedPart, ComposedQuery, Format, PartSource};
use crate::files;
use crate::image::Image;
use crate::patch::{BoxRef, PatchGrid, PatchRef};

/// The figures that can be made of queries, by what they show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FigureKind {
    /// The image and one heatmap for each space, a row for each query and patch size (Fig 4, 6).
    Heatmaps,
    /// The neighbours of each query in each space, one grid each (Fig 5, 7, 8, 9).
    Galleries,
    /// A sheet of small galleries, named by row and column (Fig 10).
    Parts,
    /// One image with numbered positions, and a small gallery for each (Fig 11, 12).
    Instance,
}

impl FigureKind {
    /// All of them, in the paper's order.
    pub const ALL: [Self; 4] = [Self::Heatmaps, Self::Galleries, Self::Parts, Self::Instance];

    /// Whether neighbours are shown.
    pub fn has_neighbours(self) -> bool {
        self != Self::Heatmaps
    }
}

/// A query of a figure, and where its heatmaps are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FigureQuery {
    /// What is looked for.
    pub spec: QuerySpec,
    /// Index of the image that is compared with it.
    pub image: u32,
}

impl From<PatchRef> for FigureQuery {
    fn from(patch: PatchRef) -> Self {
        Self { spec: QuerySpec::one(patch), image: patch.image }
    }
}

impl FigureQuery {
    /// The query, if it is one patch of `size` pixels and nothing else.
    pub fn patch(&self, size: u32) -> Option<PatchRef> {
        self.spec.as_patch().filter(|patch| patch.size == size)
    }

    /// The same; of any other query a patch about its first part, or in the corner of the image where it has none.
    pub fn place(&self, size: u32) -> PatchRef {
        let corner = PatchRef { image: self.image, y: 0, x: 0, size };
        let home = self.spec.home().and_then(|image| self.spec.point_on(image as usize));
        let about = |point: PatchRef| BoxRef::from(point).squared(size).patch();
        self.patch(size).or_else(|| home.and_then(about)).unwrap_or(corner)
    }

    /// What a figure keeps of it, where it is no patch of `size` pixels of the image that is compared with it.
    pub fn composed(&self, size: u32) -> Option<ComposedQuery> {
        if self.patch(size).is_some_and(|patch| patch.image == self.image) {
            return None;
        }
        let source = |source: &Source| match source {
            Source::Box(area) => PartSource::Box(*area),
            Source::Outside(picture) => PartSource::Outside {
                height: picture.image.height(),
                width: picture.image.width(),
                sha256: files::hex(&Sha256::digest(picture.image.rgb())),
            },
        };
        let parts = self.spec.parts.iter();
        let parts =
            parts.map(|part| ComposedPart { sign: part.sign, source: source(&part.source) }).collect();
        Some(ComposedQuery { image: self.image, parts })
    }
}

/// What a figure shows: all that decides its data, and nothing of its looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FigureContent {
    /// Which figure.
    pub kind: FigureKind,
    /// The open data set that the queries are of ([`crate::engine::DataDescription::id`]); none where the figure is
    /// made without a window, of a bank, a data set or files of its own.
    pub data: Option<u64>,
    /// The queries in reading order.
    pub queries: Vec<FigureQuery>,
    /// Names of the spaces, from the left.
    pub spaces: Vec<String>,
    /// Heatmaps: patches and strides; all queries at the first, then all at the next. None where each image is
    /// given those that suit it.
    pub grids: Vec<PatchGrid>,
    /// Heatmaps: the way in which they are shown.
    pub mode: MapMode,
    /// Galleries: number of neighbours.
    pub neighbours: usize,
    /// Galleries: what is left out.
    pub filter: GalleryFilter,
    /// Galleries: counts up to have them searched again over a bank that has grown.
    pub round: u32,
    /// Heatmaps and galleries: the second model, whose panels follow those of the first.
    pub beside: Option<Beside>,
}

impl FigureContent {
    /// A figure of this kind, of no query yet. What does not count for its kind is to stay as it is here, so that
    /// nothing is made anew for it.
    pub fn new(kind: FigureKind, spaces: Vec<String>) -> Self {
        Self {
            kind,
            data: None,
            queries: vec![],
            spaces,
            grids: vec![],
            mode: MapMode::default(),
            neighbours: 0,
            filter: GalleryFilter::default(),
            round: 0,
            beside: None,
        }
    }

    /// The spaces of patches by these names.
    ///
    /// # Errors
    /// No space has such a name.
    pub fn patch_spaces(&self) -> anyhow::Result<Vec<PatchSpace>> {
        self.spaces.iter().map(|space| space.parse()).collect()
    }
}

/// The model that a comparison shows beside the open one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Beside {
    /// Hex SHA-256 of its weights.
    pub hash: String,
    /// Its step, if it is a run's checkpoint.
    pub step: Option<u64>,
}

/// A figure: what it shows, how it looks and in which format. The window fills it from what is on show, the command
/// line from its flags and what these leave to the images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FigureRequest {
    /// What it shows.
    pub content: FigureContent,
    /// How it looks.
    pub style: Style,
    /// The file that it is to be.
    pub format: Format,
}

/// What is to be done with a figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FigureCommand {
    /// Shows it as [`FigureView`](crate::engine::FigureView), its page about `dpi` pixels per inch.
    Preview {
        /// Number of this request.
        id: RequestId,
        /// The figure.
        request: FigureRequest,
        /// Pixels per inch of the page on screen.
        dpi: f32,
    },
    /// Writes it, its sidecar and, where `caption` is told, its caption.
    Write {
        /// The figure.
        request: FigureRequest,
        /// The figure's file.
        #[serde(with = "crate::paths")]
        path: PathBuf,
        /// The caption's file, if one is wanted.
        #[serde(
            serialize_with = "crate::paths::serialize_some",
            deserialize_with = "crate::paths::deserialize_some"
        )]
        caption: Option<PathBuf>,
    },
    /// Hands over its page as pixels, at the resolution of its style.
    CopyImage(FigureRequest),
    /// Hands over its caption.
    CopyCaption(FigureRequest),
    /// Forgets what was kept for the next preview.
    Close,
}

/// A fact about a figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FigureEvent {
    /// It stands at `path`, its sidecar and caption beside it.
    Saved {
        /// The figure's file.
        #[serde(with = "crate::paths")]
        path: PathBuf,
        /// The file beside it that says where it came from.
        #[serde(with = "crate::paths")]
        sidecar: PathBuf,
        /// The caption's file, if one was wanted.
        #[serde(
            serialize_with = "crate::paths::serialize_some",
            deserialize_with = "crate::paths::deserialize_some"
        )]
        caption: Option<PathBuf>,
    },
    /// Its page, to be put on the clipboard.
    Image(#[serde(with = "crate::wire::fields::picture")] Arc<Image>),
    /// Its caption (LaTeX), to be put on the clipboard.
    Caption(String),
    /// It could not be written or copied.
    Failed(String),
}

/// The preview of a figure.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FigureView {
    /// Number of the request that this answers.
    pub id: RequestId,
    /// What was drawn last; of an earlier request while this one is worked at or has failed.
    pub page: Option<Arc<FigurePage>>,
    /// Why there is none.
    pub error: Option<String>,
    /// Patches that are embedded for it, of all.
    pub embedding: Option<(usize, usize)>,
}

/// A figure as its file will be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FigurePage {
    /// The page as pixels, for the screen.
    #[serde(with = "crate::wire::fields::picture")]
    pub picture: Arc<Image>,
    /// Width and height on paper, inches.
    pub size_in: (f32, f32),
    /// The characters that its font lacks, in words.
    pub lacking: Option<String>,
    /// Size of the file, bytes.
    pub bytes: usize,
    /// What its file will be.
    pub format: Format,
    /// LaTeX.
    pub caption: String,
    /// Patches that were searched, of all, if it shows neighbours.
    pub searched: Option<(usize, usize)>,
}

/// Where a figure goes.
pub struct Output {
    /// Where the figure itself goes; the ending picks its format.
    pub out: PathBuf,
    /// Where its caption goes, as a LaTeX `figure` environment.
    pub caption: Option<PathBuf>,
}
