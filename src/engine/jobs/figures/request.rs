//! What the command line's flags say of where a figure's images and vectors come from, and of what the images or the
//! seed decide where nothing is told. What the figure shows is a [`crate::engine::FigureRequest`], as in the window.

use std::path::{Path, PathBuf};

use crate::augment::Crop;
use crate::bank::VectorCache;
use crate::dataset::{DataSpec, Split};
use crate::engine::ask::{NamedFilter, SearchWay, defaults};
use crate::engine::jobs::embed::BankSource;
use crate::model::{ModelInfo, ModelSpec};
use crate::patch::PatchGrid;

/// What heatmaps are made from.
pub struct MapSource {
    /// Which model.
    pub model: ModelSpec,
    /// A second model, whose maps follow.
    pub beside: Option<ModelSpec>,
    /// Which images, and where they are asked about.
    pub images: MapImages,
    /// Take the centre of so many pixels a side.
    pub fit: Option<u32>,
    /// Patch sizes, pixels.
    pub sizes: MapSizes,
    /// Stride of the patches, pixels; none: what suits the image ([`defaults::map_stride`]).
    pub stride: Option<u32>,
    /// Queries to choose where none are given.
    pub count: usize,
}

/// Which images heatmaps are of, and where they are asked about.
pub enum MapImages {
    /// Image files, each with the `(x, y)` of its query patch's centre; one place holds for all files, none
    /// leaves the choice to the seed.
    Files {
        /// The files, in reading order.
        paths: Vec<DataSpec>,
        /// `(x, y)` of each query patch's centre, pixels: one for all files, one for each, or none.
        at: Vec<(f32, f32)>,
    },
    /// Images of a data set: index, top and left edge of each query patch; none leaves the choice to the seed.
    Data {
        /// The data set, as `--data` names it.
        data: DataSpec,
        /// Which split, where the set has two; none: train.
        split: Option<Split>,
        /// Index of the image, top and left edge of each query patch, pixels.
        queries: Vec<(usize, u32, u32)>,
    },
}

/// Patch sizes of heatmaps, pixels.
pub enum MapSizes {
    /// These sizes, pixels.
    Told(Vec<u32>),
    /// What suits the images and the model: so many sizes, 1 or 2 (Fig 4: 71 and 100 of 224 pixels).
    Suitable(usize),
}

impl MapSizes {
    /// How many there are.
    pub fn count(&self) -> usize {
        match self {
            Self::Told(sizes) => sizes.len(),
            Self::Suitable(count) => *count,
        }
    }

    /// Size number `index` on an image of short side `side`, under a network trained on views cut by `trained`.
    fn on(&self, index: usize, side: u32, trained: &[Crop]) -> u32 {
        let suitable = || defaults::patch_for(side, trained);
        match (self, index) {
            (Self::Told(sizes), _) => sizes[index],
            (Self::Suitable(_), 0) => suitable(),
            (Self::Suitable(_), _) => defaults::large_patch(suitable(), side),
        }
    }
}

impl MapSource {
    /// Patches of size number `size` on an image of `height` x `width` pixels, for the network that `info` describes.
    pub fn grid(
        &self,
        size: usize,
        (height, width): (u32, u32),
        info: &ModelInfo,
    ) -> anyhow::Result<PatchGrid> {
        let side = height.min(width);
        let patch = self.sizes.on(size, side, &info.trained_crops());
        PatchGrid::new(patch, self.stride.unwrap_or(defaults::map_stride(side, patch)))
    }
}

/// The patches that are searched.
#[derive(Clone)]
pub enum Haystack {
    /// A bank on disk, and where its images lie if they were moved.
    Bank {
        /// Folder of the bank.
        folder: PathBuf,
        /// Where its images lie now, if they were moved.
        data: Option<DataSpec>,
    },
    /// Patches that are embedded for this figure alone.
    Fresh {
        /// Which model embeds.
        model: ModelSpec,
        /// The images; without a limit, [`defaults::GALLERY_IMAGES`] of them.
        source: BankSource,
        /// Side of a patch, pixels; none: what suits the images and the model ([`defaults::patch_for`]).
        patch: Option<u32>,
        /// Stride, pixels; none: what suits the images ([`defaults::gallery_stride`]).
        stride: Option<u32>,
    },
}

impl Haystack {
    /// The same patches under the model `named`, or in the bank of that name where this is a bank.
    pub fn with(&self, named: &Path) -> Self {
        match self.clone() {
            Haystack::Bank { data, .. } => Haystack::Bank { folder: named.into(), data },
            Haystack::Fresh { source, patch, stride, .. } => {
                Haystack::Fresh { model: named.into(), source, patch, stride }
            }
        }
    }

    /// The same, of these patches where nothing else is told.
    pub fn of_patches(&self, grid: PatchGrid) -> Self {
        match self.clone() {
            Haystack::Fresh { model, source, patch, stride } => {
                let (patch, stride) = (patch.or(Some(grid.patch)), stride.or(Some(grid.stride)));
                Haystack::Fresh { model, source, patch, stride }
            }
            bank => bank,
        }
    }
}

/// What figures of neighbours are made from.
pub struct GallerySource {
    /// The patches that are searched.
    pub haystack: Haystack,
    /// The same patches under a second model, whose galleries follow (Fig 5, 7, 8, 9).
    pub beside: Option<Haystack>,
    /// Image, top and left edge of each query patch; none leaves the choice to the seed.
    pub queries: Vec<(usize, u32, u32)>,
    /// Queries to choose where none are given.
    pub choice: QueryChoice,
    /// What the galleries leave out.
    pub filter: NamedFilter,
    /// How a bank on disk is searched.
    pub way: SearchWay,
    /// Where codes are kept of a bank beside which nothing can be written.
    pub cache: Option<VectorCache>,
}

/// Queries of the seed's choice.
#[derive(Clone, Copy, Debug)]
pub struct QueryChoice {
    /// How many queries.
    pub count: usize,
    /// How many of the seed's choice to pass over: what makes Fig 9 another than Fig 8.
    pub skip: usize,
    /// The image of an instance, by its index, if it is told.
    pub index: Option<usize>,
}
