//! The patches that the galleries search on a plane.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::analysis::plane::{PatchPlane, PlaneWay};
use crate::bank::BankSpec;
use crate::colormap::Colormap;
use crate::engine::ask::measures::SamplePhase;
use crate::engine::ask::query::QuerySpec;
use crate::image::Image;
use crate::patch::PatchRef;

/// What the points of a plane are coloured by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PointColor {
    /// The class of their images.
    #[default]
    Class,
    /// The part at the middle of each patch, where the data set knows parts.
    Part,
    /// Where they lie in their images.
    Position,
    /// The length of their vectors.
    Norm,
    /// The cosine to the query.
    Cosine,
}

impl PointColor {
    /// All, in the order in which they are offered.
    pub const ALL: [Self; 5] = [Self::Class, Self::Part, Self::Position, Self::Norm, Self::Cosine];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Class => "class",
            Self::Part => "part",
            Self::Position => "position",
            Self::Norm => "norm",
            Self::Cosine => "cosine",
        }
    }
}

/// A plane that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScatterPlan {
    /// The space, one of those on show.
    pub space: String,
    /// What lays them out.
    pub way: PlaneWay,
    /// What the points are coloured by.
    pub color: PointColor,
}

/// What the window asks about the plane.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ScatterCommand {
    /// Lays the patches that are embedded out, and again as they become more, as [`ScatterShown`], until `None`.
    Follow(Option<ScatterPlan>),
    /// Wants the pixels of these points of plane `plane` as [`ScatterShown::pictures`], and of no others any more.
    Pictures {
        /// [`ShownPlane::number`].
        plane: u64,
        /// Points, each once.
        points: Vec<u32>,
    },
    /// Picks the points of plane `plane` inside an outline, as [`ScatterShown::picked`].
    Pick {
        /// [`ShownPlane::number`].
        plane: u64,
        /// A polygon in the plane's coordinates, whose ends are joined.
        outline: Vec<[f32; 2]>,
    },
    /// Lets go of what was picked.
    Unpick,
    /// Writes the plane on show as a figure; the format is told by the ending: svg, pdf, png.
    Export {
        /// Colours of numbers.
        colormap: Colormap,
        /// The figure's file.
        #[serde(with = "crate::paths")]
        path: PathBuf,
    },
    /// Writes all that was picked as comma-separated values.
    ExportPicked {
        /// The table's file.
        #[serde(with = "crate::paths")]
        path: PathBuf,
    },
}

/// What there is of the plane.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ScatterShown {
    /// How the newest one stands.
    pub phase: SamplePhase,
    /// The one that was laid out last.
    pub plane: Option<Arc<ShownPlane>>,
    /// What its points are coloured by.
    pub tints: Option<Arc<PointTints>>,
    /// Where the query lies on it.
    pub query: Option<(QuerySpec, [f32; 2])>,
    /// Pixels of points.
    pub pictures: Option<Arc<PointPictures>>,
    /// What was picked.
    pub picked: Option<Arc<PickedPoints>>,
}

/// A plane on show.
#[derive(Debug, Serialize, Deserialize)]
pub struct ShownPlane {
    /// Told from others.
    pub number: u64,
    /// The points.
    pub plane: PatchPlane,
    /// What their vectors are of.
    pub spec: BankSpec,
    /// The label of each point's image there: a bank of a table has classes that the open images know nothing of.
    pub labels: Vec<Option<u32>>,
    /// Images that it is of, and those that the galleries reach.
    pub images: (usize, usize),
    /// Patches that the galleries reach.
    pub total: usize,
}

impl ShownPlane {
    /// The class of a point's image, if that has one.
    pub fn class(&self, point: usize) -> Option<&str> {
        let label = self.labels.get(point).copied().flatten()?;
        self.spec.classes.get(label as usize).map(String::as_str)
    }
}

/// What the points of a plane are coloured by.
#[derive(Debug, Serialize, Deserialize)]
pub struct PointTints {
    /// [`ShownPlane::number`].
    pub plane: u64,
    /// What it is.
    pub color: PointColor,
    /// The values.
    pub tints: Tints,
}

/// A value for each point of a plane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Tints {
    /// One of several kinds, [`Tints::NO_KIND`] for none.
    Kinds {
        /// An index into `names` for each point.
        index: Vec<u16>,
        /// What the kinds are called.
        names: Vec<String>,
        /// Those of which there are points, rising.
        there: Vec<u16>,
    },
    /// The middle of each patch in its image, `[x, y]` in [0, 1].
    Places(Vec<[f32; 2]>),
    /// Numbers.
    Numbers {
        /// One for each point.
        values: Vec<f32>,
        /// The ends of the colours.
        range: [f32; 2],
    },
}

impl Tints {
    /// Of a point that is of no kind.
    pub const NO_KIND: u16 = u16::MAX;

    /// Kinds of points.
    pub fn kinds(index: Vec<u16>, names: Vec<String>) -> Self {
        let mut is_there = vec![false; names.len()];
        index.iter().for_each(|kind| {
            is_there.get_mut(usize::from(*kind)).into_iter().for_each(|is_there| *is_there = true);
        });
        let there = (0..names.len()).filter(|kind| is_there[*kind]).map(|kind| kind as u16).collect();
        Self::Kinds { index, names, there }
    }

    /// What is said of a point, if there is something to say.
    pub fn words(&self, point: usize) -> Option<String> {
        match self {
            Self::Kinds { index, names, .. } => names.get(usize::from(*index.get(point)?)).cloned(),
            Self::Places(_) => None,
            Self::Numbers { values, .. } => {
                values.get(point).map(|value| format!("{value:.3}").replace('-', "\u{2212}"))
            }
        }
    }
}

/// Pixels of points of a plane, as far as they are read.
#[derive(Debug, Serialize, Deserialize)]
pub struct PointPictures {
    /// [`ShownPlane::number`].
    pub plane: u64,
    /// Points with their patches, made smaller where they are larger than [`POINT_SIDE`].
    pub pictures: Vec<PointPicture>,
}

/// The pixels of a point.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PointPicture {
    /// Which.
    pub point: u32,
    /// Its patch.
    #[serde(with = "crate::wire::fields::picture")]
    pub pixels: Arc<Image>,
}

/// Longest side of the picture of a point, pixels.
pub const POINT_SIDE: u32 = 48;

/// Points inside an outline.
#[derive(Debug, Serialize, Deserialize)]
pub struct PickedPoints {
    /// [`ShownPlane::number`] of the plane that it was drawn on.
    pub plane: u64,
    /// The outline.
    pub outline: Vec<[f32; 2]>,
    /// All points inside, the nearest to their middle first.
    pub points: Vec<u32>,
    /// The first of them as a gallery; none before their pixels are read.
    pub patches: Vec<PickedPatch>,
}

/// Patches of an outline that are shown at most.
pub const MOST_PICKED: usize = 240;

/// A patch inside an outline.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PickedPatch {
    /// Where it lies.
    pub patch: PatchRef,
    /// What its image is called.
    pub image_name: String,
    /// Name of its image's class, if that has one.
    pub class: Option<String>,
    /// Its pixels; grey if its image cannot be read.
    #[serde(with = "crate::wire::fields::picture")]
    pub pixels: Arc<Image>,
}
