//! What the engine is asked (commands) and what it shows (one snapshot of everything that
//! changes, rare events for facts).

use std::sync::Arc;

use crate::engine::ask::compare::CompareView;
use crate::engine::ask::config::ExploreConfig;
use crate::engine::ask::description::{DataDescription, DeviceDescription, ModelDescription};
use crate::engine::ask::evaluation::EvaluationView;
use crate::engine::ask::figures::FigureView;
use crate::engine::ask::gallery::{ExtractionView, GalleryView};
use crate::engine::ask::images::FoundImages;
use crate::engine::ask::link::LinkView;
use crate::engine::ask::maps::{ImageView, Pictures, PreviewView, QueryView};
use crate::engine::ask::measures::MeasuresShown;
use crate::engine::ask::microscope::MicroscopeView;
use crate::engine::ask::places::PlacesView;
use crate::engine::ask::scatter::ScatterShown;
use crate::engine::ask::training::{DataSource, PinsView, RunView, TrainingView};
use crate::model::ModelSpec;

/// The latest of everything that the window shows. Cheap to clone.
#[derive(Clone, Default)]
pub struct Snapshot {
    /// Changes whenever vectors that were shown lose their meaning: another model, data set, grid
    /// or image. Answers of an earlier generation are dropped.
    pub generation: u64,
    /// Where tensors live, once a device is open.
    pub device: Option<Arc<DeviceDescription>>,
    /// The open model.
    pub model: Option<Arc<ModelDescription>>,
    /// The open data set.
    pub data: Option<Arc<DataDescription>>,
    /// The words that opened the model.
    pub model_source: Option<Arc<ModelSpec>>,
    /// The words that opened the data set.
    pub data_source: Option<Arc<DataSource>>,
    /// What the explorer looks at, once there is something to look at.
    pub config: Option<ExploreConfig>,
    /// The image on show.
    pub view: Option<Arc<ImageView>>,
    /// The query with its heatmaps.
    pub query: Option<Arc<QueryView>>,
    /// The query's neighbours: the previous query's stay until the new ones are there.
    pub galleries: Option<Arc<GalleryView>>,
    /// What the newest search for images that is done has found.
    pub found: Option<Arc<FoundImages>>,
    /// Extraction of the patches that the galleries search.
    pub extraction: Option<ExtractionView>,
    /// What the engine is busy with, in a few words, if it is not idle ("opening the model").
    pub busy: Option<String>,
    /// What the views asked for.
    pub views: ViewsShown,
    /// What there is of training runs.
    pub runs: RunsShown,
    /// The line to the engine, where that is on another machine.
    pub link: Option<Arc<LinkView>>,
}

/// What the views asked for, as far as it is known.
#[derive(Clone, Default)]
pub struct ViewsShown {
    /// The image on show as each space sees it, once complete, if wanted.
    pub pictures: Option<Arc<Pictures>>,
    /// The patch under the pointer as if it were the query, while that is wanted ([`EngineHandle::preview`]) and
    /// its vectors are known.
    ///
    /// [`EngineHandle::preview`]: super::EngineHandle::preview
    pub preview: Option<Arc<PreviewView>>,
    /// The comparison with another model, if one is open.
    pub compare: Option<Arc<CompareView>>,
    /// The query's place at several patch sizes, if that is wanted.
    pub microscope: Option<Arc<MicroscopeView>>,
    /// What is measured.
    pub measures: MeasuresShown,
    /// The patches of the galleries on a plane.
    pub scatter: ScatterShown,
    /// The preview of a figure, while one is asked for.
    pub figure: Option<Arc<FigureView>>,
    /// Several places with their galleries, if that is wanted.
    pub places: Option<Arc<PlacesView>>,
    /// The evaluation that goes on, or whose results are on show.
    pub evaluation: Option<Arc<EvaluationView>>,
}

/// What there is of training runs.
#[derive(Clone, Default)]
pub struct RunsShown {
    /// The run of this process, going on or ended.
    pub active: Option<Arc<TrainingView>>,
    /// Its pinned patches.
    pub pins: Option<Arc<PinsView>>,
    /// Run folders that are shown, in the order in which they were opened.
    pub folders: Arc<Vec<Arc<RunView>>>,
}
