//! Measures of what is explored: of the image on show and of the patches that the galleries search.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

use crate::analysis::carried::SpaceCarried;
use crate::analysis::convergence::SpaceConvergence;
use crate::analysis::cooccurring_bank::CooccurringReport;
use crate::analysis::locality::LocalityReport;
use crate::analysis::spaces::Geometry;
use crate::engine::ask::world::{WorldCommand, WorldView};
use crate::figure::{PanelsData, PanelsSpec};
use crate::patch::PatchGrid;
use crate::progress::Progress;

/// A page of measures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MeasurePage {
    /// How means of patches of the image on show near the whole (Fig. 3a), and which patches carry them.
    #[default]
    Image,
    /// A measure of the patches that the galleries search.
    Sample(SampleMeasure),
    /// The toy world of section 3.
    World,
}

/// A measure of the patches that the galleries search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SampleMeasure {
    /// How their vectors lie: spectrum, dimension, norms, hubs; how alike the spaces are.
    Geometry,
    /// What their neighbours are, and how their cosine falls with distance.
    Locality,
    /// Whether the products of their vectors say which kinds stand together on images (section 3).
    Cooccurrence,
}

impl MeasurePage {
    /// All, in the order in which they are offered.
    pub const ALL: [Self; 5] = [
        Self::Image,
        Self::Sample(SampleMeasure::Geometry),
        Self::Sample(SampleMeasure::Locality),
        Self::Sample(SampleMeasure::Cooccurrence),
        Self::World,
    ];
}

/// What the window asks about measures.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum MeasureCommand {
    /// Shows the measures of the image on show as [`MeasuresShown::image`], until `false`.
    FollowImage(bool),
    /// Measures what is embedded by now of the patches that the galleries search, in the spaces on show; instead of the
    /// same measure that goes on.
    Start(SampleMeasure),
    /// Leaves it; what was measured before stays.
    Stop(SampleMeasure),
    /// Something about the toy world.
    World(WorldCommand),
    /// Writes a page as a figure; the format is told by the ending: svg, pdf, png.
    Export {
        /// Which.
        page: MeasurePage,
        /// The figure's file.
        #[serde(with = "crate::paths")]
        path: PathBuf,
    },
}

/// What there is of measures.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct MeasuresShown {
    /// Of the image on show, or of the one before until it is measured.
    pub image: Option<Arc<ImageMeasures>>,
    /// Orders of its patches that are averaged, of so many, while it is measured.
    pub orders: Option<(usize, usize)>,
    /// How the vectors of the sample lie.
    pub geometry: SampleView<Geometry>,
    /// How local the spaces of the sample are.
    pub locality: SampleView<LocalityReport>,
    /// Whether the products of the sample's vectors say what stands together.
    pub cooccurrence: SampleView<CooccurringReport>,
    /// The toy world of section 3, once one was shown.
    pub world: Option<Arc<WorldView>>,
}

/// How a measure of the sample stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum SamplePhase {
    /// Nothing goes on.
    #[default]
    Idle,
    /// It is measured, so far; or it waits for another measure.
    Running(Option<Progress>),
    /// It could not be measured, and why.
    Failed(String),
}

/// A measure of the sample.
#[derive(Debug, Serialize, Deserialize)]
pub struct SampleView<R> {
    /// How it stands.
    pub phase: SamplePhase,
    /// What was measured last.
    pub result: Option<Arc<SampleResult<R>>>,
}

/// What was measured of the sample.
#[derive(Debug, Serialize, Deserialize)]
pub struct SampleResult<R> {
    /// The numbers.
    pub report: R,
    /// Images that were embedded when it began.
    pub images: usize,
    /// Their patches.
    pub patches: usize,
    /// As a page.
    pub page: Arc<MeasuredPage>,
}

impl<R> Default for SampleView<R> {
    fn default() -> Self {
        Self { phase: SamplePhase::Idle, result: None }
    }
}

impl<R> Clone for SampleView<R> {
    fn clone(&self) -> Self {
        Self { phase: self.phase.clone(), result: self.result.clone() }
    }
}

impl MeasuresShown {
    /// Whether there is something of a page.
    pub fn has(&self, page: MeasurePage) -> bool {
        match page {
            MeasurePage::Image => self.image.is_some(),
            MeasurePage::Sample(SampleMeasure::Geometry) => self.geometry.result.is_some(),
            MeasurePage::Sample(SampleMeasure::Locality) => self.locality.result.is_some(),
            MeasurePage::Sample(SampleMeasure::Cooccurrence) => self.cooccurrence.result.is_some(),
            MeasurePage::World => self.world.is_some(),
        }
    }
}

/// A page of plots as it would be written: the same that the command line makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasuredPage {
    /// How it looks.
    pub spec: PanelsSpec,
    /// What it shows.
    pub data: PanelsData,
    /// Where the numbers came from.
    pub source: serde_json::Value,
}

/// Measures of one image.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImageMeasures {
    /// Its index.
    pub image: usize,
    /// Where its patches lie.
    pub grid: PatchGrid,
    /// Rows and columns of patches.
    pub shape: (usize, usize),
    /// Orders of the patches that the spread is over.
    pub orders: usize,
    /// One for each shown space, in their order.
    pub spaces: Vec<SpaceAverages>,
    /// As a page.
    pub page: Arc<MeasuredPage>,
}

/// One space of one image.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SpaceAverages {
    /// Cosines of means of patches, by their number.
    pub curve: SpaceConvergence,
    /// Which patches carry the mean of all.
    pub carried: SpaceCarried,
    /// The same as a map: for each patch, row by row, its turn as a multiple of the mean.
    #[serde(with = "crate::wire::fields::numbers")]
    pub map: Arc<Vec<f32>>,
}
