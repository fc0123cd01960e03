//! The snapshot in pieces: those that changed travel, in two lanes.

use std::sync::Arc;

use anyhow::Context;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::agree::{Agrees, check_scatter};
use super::hello::OtherBuild;
use crate::engine::ask::{
    Command, CompareView, DataDescription, DataSource, DeviceDescription, EvaluationView, Event,
    ExploreConfig, ExtractionView, FigureView, FoundImages, GalleryView, ImageView, MeasuresShown,
    MicroscopeView, ModelDescription, PickedPoints, Pictures, PinsView, PlacesView, PointPictures,
    PointTints, PreviewView, QuerySpec, QueryView, RunView, SamplePhase, SampleView, ShownPlane, Snapshot,
    TrainEvent, TrainingView,
};
use crate::model::ModelSpec;
use crate::wire::{WirePool, unpack};

/// What may have changed without another pointer is compared, the rest by pointer.
trait Unchanged {
    fn is_as(&self, before: &Self) -> bool;
}

impl<T> Unchanged for Arc<T> {
    fn is_as(&self, before: &Self) -> bool {
        Arc::ptr_eq(self, before)
    }
}

impl<T: Unchanged> Unchanged for Option<T> {
    fn is_as(&self, before: &Self) -> bool {
        match (self, before) {
            (Some(now), Some(before)) => now.is_as(before),
            (None, None) => true,
            _ => false,
        }
    }
}

macro_rules! compared {
    ($($plain:ty),*) => {$(
        impl Unchanged for $plain {
            fn is_as(&self, before: &Self) -> bool {
                self == before
            }
        }
    )*};
}

compared!(u64, String, ExploreConfig, ExtractionView, SamplePhase, (QuerySpec, [f32; 2]));

impl<R> Unchanged for SampleView<R> {
    fn is_as(&self, before: &Self) -> bool {
        self.phase == before.phase && self.result.is_as(&before.result)
    }
}

impl Unchanged for MeasuresShown {
    fn is_as(&self, before: &Self) -> bool {
        self.image.is_as(&before.image)
            && self.orders == before.orders
            && self.geometry.is_as(&before.geometry)
            && self.locality.is_as(&before.locality)
            && self.cooccurrence.is_as(&before.cooccurrence)
            && self.world.is_as(&before.world)
    }
}

/// Which of the two goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody waits for it.
    Urgent,
    /// It may come a little later.
    Bulk,
}

macro_rules! pieces {
    ($($lane:ident $name:ident ($($field:ident).+): $value:ty;)*) => {
        /// A part of the snapshot.
        #[derive(Clone, Serialize, Deserialize)]
        pub enum ShownPiece {
            $(
                #[doc = concat!("`Snapshot::", stringify!($($field).+), "`")]
                $name($value),
            )*
        }

        impl ShownPiece {
            /// Whether what it holds agrees with itself.
            ///
            /// # Errors
            /// Nothing that the program shows is like it.
            fn check(&self) -> anyhow::Result<()> {
                match self {
                    $(ShownPiece::$name(value) => value.check().context(stringify!($name)),)*
                }
            }

            /// Puts it in its place.
            pub fn show(self, shown: &mut Snapshot) {
                match self {
                    $(ShownPiece::$name(value) => shown.$($field).+ = value,)*
                }
            }
        }

        /// What of a lane is another in `now` than `before`.
        pub fn news(before: &Snapshot, now: &Snapshot, lane: Urgency) -> Vec<ShownPiece> {
            let mut news = vec![];
            $(if lane == Urgency::$lane && !now.$($field).+.is_as(&before.$($field).+) {
                news.push(ShownPiece::$name(now.$($field).+.clone()));
            })*
            news
        }
    };
}

pieces! {
    Urgent Generation (generation): u64;
    Urgent Device (device): Option<Arc<DeviceDescription>>;
    Urgent Model (model): Option<Arc<ModelDescription>>;
    Urgent Data (data): Option<Arc<DataDescription>>;
    Urgent ModelSource (model_source): Option<Arc<ModelSpec>>;
    Urgent DataSource (data_source): Option<Arc<DataSource>>;
    Urgent Config (config): Option<ExploreConfig>;
    Urgent View (view): Option<Arc<ImageView>>;
    Urgent Query (query): Option<Arc<QueryView>>;
    Urgent Galleries (galleries): Option<Arc<GalleryView>>;
    Urgent Found (found): Option<Arc<FoundImages>>;
    Urgent Extraction (extraction): Option<ExtractionView>;
    Urgent Busy (busy): Option<String>;
    Urgent Preview (views.preview): Option<Arc<PreviewView>>;
    Bulk Microscope (views.microscope): Option<Arc<MicroscopeView>>;
    Bulk Places (views.places): Option<Arc<PlacesView>>;
    Bulk Compare (views.compare): Option<Arc<CompareView>>;
    Bulk Pictures (views.pictures): Option<Arc<Pictures>>;
    Bulk Measures (views.measures): MeasuresShown;
    Bulk ScatterPhase (views.scatter.phase): SamplePhase;
    Bulk ScatterPlane (views.scatter.plane): Option<Arc<ShownPlane>>;
    Bulk ScatterTints (views.scatter.tints): Option<Arc<PointTints>>;
    Bulk ScatterQuery (views.scatter.query): Option<(QuerySpec, [f32; 2])>;
    Bulk ScatterPictures (views.scatter.pictures): Option<Arc<PointPictures>>;
    Bulk ScatterPicked (views.scatter.picked): Option<Arc<PickedPoints>>;
    Bulk Figure (views.figure): Option<Arc<FigureView>>;
    Bulk Evaluation (views.evaluation): Option<Arc<EvaluationView>>;
    Bulk Active (runs.active): Option<Arc<TrainingView>>;
    Bulk Pins (runs.pins): Option<Arc<PinsView>>;
    Bulk Folders (runs.folders): Arc<Vec<Arc<RunView>>>;
}

/// What is sent at once: pieces first, since what an event says is in them already.
#[derive(Default, Serialize, Deserialize)]
pub struct Update {
    /// Parts of the snapshot.
    pub pieces: Vec<ShownPiece>,
    /// What happened.
    pub events: Vec<Event>,
}

/// The lane of an event: that of what it is about.
pub fn lane_of(event: &Event) -> Urgency {
    match event {
        Event::Failed { .. }
        | Event::ModelOpened
        | Event::DataOpened
        | Event::BankOpened { .. }
        | Event::Files(_)
        | Event::Train(TrainEvent::DataSeen { .. })
        | Event::Picture(_) => Urgency::Urgent,
        Event::Figure(_)
        | Event::Thumbnail { .. }
        | Event::NoThumbnail { .. }
        | Event::SourceImage { .. }
        | Event::QueryPicture { .. }
        | Event::Train(_)
        | Event::ResultsSaved { .. }
        | Event::TableSaved { .. }
        | Event::ResultsOpened => Urgency::Bulk,
    }
}

/// A value of its bytes.
fn understood<T: DeserializeOwned>(bytes: &[u8], pool: &mut WirePool) -> anyhow::Result<T> {
    unpack(bytes, pool).map_err(|error| OtherBuild(format!("{error:#}")).into())
}

/// An update of its bytes, for a window that shows `shown`.
///
/// # Errors
/// They are none, as another build sends them; what they say does not agree with itself or with what is on show: nobody need look again whether a list is
/// as long as another.
pub fn read_update(bytes: &[u8], pool: &mut WirePool, shown: &Snapshot) -> anyhow::Result<Update> {
    let update: Update = understood(bytes, pool)?;
    let mut then = shown.clone();
    for piece in &update.pieces {
        piece.check().context("what came cannot be shown")?;
        piece.clone().show(&mut then);
    }
    check_scatter(&then.views.scatter).context("what came cannot be shown")?;
    Ok(update)
}

/// A command of its bytes.
///
/// # Errors
/// They are none, as another build sends them.
pub fn read_command(bytes: &[u8], pool: &mut WirePool) -> anyhow::Result<Command> {
    understood(bytes, pool)
}
