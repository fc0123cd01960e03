//! The image on show, the query, and their heatmaps.

use crate::dataset::{ImageValues, PartMap};
use crate::engine::ask::query::QuerySpec;
use crate::engine::ask::request::RequestId;
use crate::image::Image;
use crate::patch::{PatchGrid, PatchRef};
use crate::tiles::TilesOfImage;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
/// The image on show.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImageView {
    /// Its index in the data set.
    pub index: usize,
    /// What it is called on screen.
    pub name: String,
    /// Name of its class, if it has one.
    pub class: Option<String>,
    /// Its pixels.
    #[serde(with = "crate::wire::fields::shown_picture")]
    pub image: Arc<Image>,
    /// Which values became black and white, if it has more than 8 bits.
    pub values: Option<ImageValues>,
    /// The part of every pixel, where the data set knows it: names and `height * width` indices.
    #[serde(with = "part_map")]
    pub parts: Option<Arc<PartMap>>,
}

impl ImageView {
    /// Its name, and what became of its values if it has more than 8 bits.
    pub fn details(&self) -> String {
        let values = self.values.map_or(String::new(), |values| format!("\n{values}"));
        format!("{}{values}", self.name)
    }
}

/// A query and its heatmaps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueryView {
    /// Number of the request that asked it.
    pub id: RequestId,
    /// What is looked for.
    pub query: QuerySpec,
    /// Pixels of each part, before they were resized for the network; averaged down where they are many.
    #[serde(with = "crate::wire::fields::pictures")]
    pub parts: Vec<Arc<Image>>,
    /// The image that the maps are of: the query may come from elsewhere.
    pub image: usize,
    /// One map for each shown space, in their order. They grow from coarse to fine.
    pub maps: Vec<Heatmap>,
    /// Grid positions whose cosine is known, of all; equal in all spaces.
    pub known: usize,
    /// The tiles in which that image goes through for the maps of its places, where it is larger than one.
    pub tiles: Option<TilesOfImage>,
}

/// What the maps would be if a patch of the image on show were the query.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PreviewView {
    /// The patch that stands in for the query.
    pub patch: PatchRef,
    /// One map for each shown space, in their order.
    pub maps: Vec<Heatmap>,
}

/// Cosine similarities of the query to every patch of the image on show.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "HeatmapOnItsWay")]
pub struct Heatmap {
    /// Name of the space as it is shown ("h"; of two spaces "z − h", of two models "h A").
    pub space: String,
    /// The patches that it compares with the query.
    pub grid: PatchGrid,
    /// Rows of the grid on this image.
    pub rows: usize,
    /// Columns of the grid on this image.
    pub cols: usize,
    /// `rows * cols` cosines in [-1, 1], row by row; NaN where not known yet. While coarse, a
    /// known value also stands in for its unknown neighbours in `shown`.
    #[serde(with = "crate::wire::fields::numbers")]
    pub values: Arc<Vec<f32>>,
    /// As `values` with unknown positions filled from the nearest known one; NaN only if none is.
    #[serde(with = "crate::wire::fields::numbers")]
    pub shown: Arc<Vec<f32>>,
    /// The lengths of the patches' vectors, where they are of one model's space.
    pub lengths: Option<Arc<VectorLengths>>,
}

/// A map that came from elsewhere, before its sides are known to be right.
#[derive(Deserialize)]
struct HeatmapOnItsWay {
    space: String,
    grid: PatchGrid,
    rows: usize,
    cols: usize,
    #[serde(with = "crate::wire::fields::numbers")]
    values: Arc<Vec<f32>>,
    #[serde(with = "crate::wire::fields::numbers")]
    shown: Arc<Vec<f32>>,
    lengths: Option<Arc<VectorLengths>>,
}

impl TryFrom<HeatmapOnItsWay> for Heatmap {
    type Error = &'static str;

    fn try_from(came: HeatmapOnItsWay) -> Result<Self, Self::Error> {
        let HeatmapOnItsWay { space, grid, rows, cols, values, shown, lengths } = came;
        let cells = rows.checked_mul(cols);
        let is_whole = |values: &Arc<Vec<f32>>| Some(values.len()) == cells;
        let has_lengths = lengths.as_ref().is_none_or(|it| is_whole(&it.values) && is_whole(&it.shown));
        if !is_whole(&values) || !is_whole(&shown) || !has_lengths || grid.stride == 0 {
            return Err("the values of a map are not those of its rows and columns");
        }
        Ok(Self { space, grid, rows, cols, values, shown, lengths })
    }
}

/// Lengths (L2 norms) of the vectors of an image's patches, in the order of a map's values. A cosine does not see them;
/// a few that are far longer than the rest are a transformer's artefacts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VectorLengths {
    /// NaN where not known yet.
    #[serde(with = "crate::wire::fields::numbers")]
    pub values: Arc<Vec<f32>>,
    /// The same with unknown positions filled.
    #[serde(with = "crate::wire::fields::numbers")]
    pub shown: Arc<Vec<f32>>,
}

impl VectorLengths {
    /// The longest that is known; 0 where none is.
    pub fn longest(&self) -> f32 {
        self.values.iter().copied().filter(|length| !length.is_nan()).fold(0.0, f32::max)
    }
}

/// What the vectors of an image's patches have most in common, as colours: see
/// [`crate::analysis::pca`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pictures {
    /// Index of the image.
    pub image: usize,
    /// The patches that the colours stand for.
    pub grid: PatchGrid,
    /// One for each shown space, in their order.
    pub spaces: Vec<Picture>,
}

/// The picture of one space.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Picture {
    /// Name of the space.
    pub space: String,
    /// One pixel for each patch of the grid.
    #[serde(with = "crate::wire::fields::picture")]
    pub colors: Arc<Image>,
    /// Share of the variance behind red, green and blue, each 0 to 1.
    pub explained: [f32; 3],
}

/// How the parts of an image travel.
mod part_map {
    use std::sync::Arc;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::dataset::PartMap;

    #[derive(Serialize, Deserialize)]
    struct PartMapOnItsWay {
        width: u32,
        height: u32,
        #[serde(with = "crate::wire::fields::numbers")]
        index: Vec<u8>,
        names: Vec<String>,
        backgrounds: usize,
    }

    pub fn serialize<S: Serializer>(map: &Option<Arc<PartMap>>, serializer: S) -> Result<S::Ok, S::Error> {
        let sent = map.as_deref().map(|map| {
            let PartMap { width, height, index, names, backgrounds } = map.clone();
            PartMapOnItsWay { width, height, index, names: names.to_vec(), backgrounds }
        });
        sent.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Arc<PartMap>>, D::Error> {
        let Some(sent) = Option::<PartMapOnItsWay>::deserialize(deserializer)? else { return Ok(None) };
        let PartMapOnItsWay { width, height, index, names, backgrounds } = sent;
        let is_whole = index.len() as u64 == u64::from(width) * u64::from(height);
        if !is_whole || index.iter().any(|part| usize::from(*part) >= names.len()) {
            return Err(D::Error::custom("the parts of an image are not those of its pixels"));
        }
        let names = names.into();
        Ok(Some(Arc::new(PartMap { width, height, index, names, backgrounds })))
    }
}
