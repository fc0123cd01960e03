//! Whether what came over a line agrees with itself: lists of one thing are as long as each other, and what names something
//! names what is there. It is asked once, on arrival, so that whatever shows it may rely on it. What one value alone says of
//! itself is asked where it is read: a map's rows and columns, a plane's points, a picture's sides, a grid's.

use std::sync::Arc;

use anyhow::{Context, ensure};

use crate::analysis::plane::PlaneWay;
use crate::engine::ask::{
    CompareView, DataDescription, DataSource, DeviceDescription, EvaluationView, ExploreConfig,
    ExtractionView, FigureView, FoundImages, GalleryView, Heatmap, ImageMeasures, ImageView, MOST_PICKED,
    MOST_PLACES, MOST_SIZES, MeasuredPage, MeasuresShown, MicroscopeView, ModelDescription, PickedPoints,
    Pictures, PinsView, PlacesView, PointPictures, PointTints, PreviewView, QuerySpec, QueryView, RunView,
    SamplePhase, SampleView, ScatterShown, ShownPlane, Tints, TrainingView, WorldLimits, WorldView,
};
use crate::model::ModelSpec;

/// No point of a plane lies farther out by principal components, as vectors at unit length, less their mean, are no longer
/// than 2; nor by t-SNE, whose planes are some hundreds wide.
const FARTHEST: [f32; 2] = [4.0, 1e6];

/// A part of the snapshot that came from elsewhere.
pub trait Agrees {
    /// # Errors
    /// It does not agree with itself: what.
    fn check(&self) -> anyhow::Result<()>;
}

impl<T: Agrees> Agrees for Option<T> {
    fn check(&self) -> anyhow::Result<()> {
        self.iter().try_for_each(T::check)
    }
}

impl<T: Agrees> Agrees for Arc<T> {
    fn check(&self) -> anyhow::Result<()> {
        self.as_ref().check()
    }
}

impl<T: Agrees> Agrees for Vec<T> {
    fn check(&self) -> anyhow::Result<()> {
        self.iter().try_for_each(T::check)
    }
}

/// What has no two parts that must agree.
macro_rules! plain {
    ($($plain:ty),* $(,)?) => {$(
        impl Agrees for $plain {
            fn check(&self) -> anyhow::Result<()> {
                Ok(())
            }
        }
    )*};
}

plain!(
    u64,
    String,
    DataSource,
    DeviceDescription,
    EvaluationView,
    ExtractionView,
    FigureView,
    FoundImages,
    GalleryView,
    ModelDescription,
    ModelSpec,
    SamplePhase,
    TrainingView,
);

impl Agrees for ExploreConfig {
    fn check(&self) -> anyhow::Result<()> {
        ensure!(self.gallery_stride > 0, "patches of the galleries lie every 0 pixels");
        Ok(())
    }
}

impl Agrees for DataDescription {
    fn check(&self) -> anyhow::Result<()> {
        let (images, labels, classes) = (self.images, self.labels.len(), self.classes.len());
        ensure!(labels == images, "a data set of {images} images has classes of {labels}");
        let wrong = self.labels.iter().flatten().find(|label| **label as usize >= classes);
        ensure!(wrong.is_none(), "an image is of class {} of {classes}", wrong.unwrap_or(&0));
        Ok(())
    }
}

impl Agrees for ImageView {
    fn check(&self) -> anyhow::Result<()> {
        let Some(parts) = &self.parts else { return Ok(()) };
        let (given, image) = ((parts.width, parts.height), (self.image.width(), self.image.height()));
        ensure!(given == image, "an image of {image:?} pixels has parts of {given:?}");
        Ok(())
    }
}

/// Maps of one image on one grid.
fn check_maps(maps: &[Heatmap]) -> anyhow::Result<()> {
    let shape = |map: &Heatmap| (map.grid, map.rows, map.cols);
    let is_as_first = maps.iter().all(|map| shape(map) == shape(&maps[0]));
    ensure!(is_as_first, "maps of one image have other rows and columns than each other");
    Ok(())
}

impl Agrees for QueryView {
    fn check(&self) -> anyhow::Result<()> {
        let (parts, pictures) = (self.query.parts.len(), self.parts.len());
        ensure!(parts == pictures && parts > 0, "a query of {parts} parts has {pictures} pictures");
        check_maps(&self.maps)
    }
}

impl Agrees for PreviewView {
    fn check(&self) -> anyhow::Result<()> {
        check_maps(&self.maps)
    }
}

impl Agrees for MicroscopeView {
    fn check(&self) -> anyhow::Result<()> {
        ensure!(self.levels.len() <= MOST_SIZES, "{} sizes of a microscope", self.levels.len());
        for level in &self.levels {
            let (maps, rest) = (level.maps.len(), level.rest.len());
            ensure!(maps == rest, "a microscope's {maps} maps have means of {rest}");
            check_maps(&level.maps)?;
        }
        Ok(())
    }
}

impl Agrees for PlacesView {
    fn check(&self) -> anyhow::Result<()> {
        ensure!(self.places.len() <= MOST_PLACES, "{} places", self.places.len());
        Ok(())
    }
}

impl Agrees for CompareView {
    fn check(&self) -> anyhow::Result<()> {
        self.other.as_ref().map_or(Ok(()), |other| check_maps(&other.maps))
    }
}

impl Agrees for Pictures {
    fn check(&self) -> anyhow::Result<()> {
        let mut sides = self.spaces.iter().map(|space| (space.colors.width(), space.colors.height()));
        let first = sides.next();
        ensure!(
            sides.all(|sides| Some(sides) == first),
            "pictures of one image have other sides than each other"
        );
        Ok(())
    }
}

impl Agrees for PinsView {
    fn check(&self) -> anyhow::Result<()> {
        self.pins.iter().try_for_each(|pin| check_maps(&pin.maps))
    }
}

impl Agrees for RunView {
    fn check(&self) -> anyhow::Result<()> {
        for (name, series) in self.series.iter() {
            let (steps, values) = (series.x.len(), series.y.len());
            ensure!(steps == values, "{name} has {values} values at {steps} steps");
        }
        Ok(())
    }
}

impl Agrees for MeasuredPage {
    fn check(&self) -> anyhow::Result<()> {
        self.data.check_lengths()
    }
}

impl Agrees for ImageMeasures {
    fn check(&self) -> anyhow::Result<()> {
        let (rows, cols) = self.shape;
        let cells = rows.checked_mul(cols).context("a map has more cells than there are numbers")?;
        for space in &self.spaces {
            let (map, turns) = (space.map.len(), space.carried.relative.len());
            ensure!(map == cells && turns == cells, "a map of {cells} patches has {map} and {turns} values");
        }
        self.page.check()
    }
}

impl<R> Agrees for SampleView<R> {
    fn check(&self) -> anyhow::Result<()> {
        self.result.as_ref().map_or(Ok(()), |result| result.page.check())
    }
}

impl Agrees for MeasuresShown {
    fn check(&self) -> anyhow::Result<()> {
        self.image.check()?;
        self.geometry.check()?;
        self.locality.check()?;
        self.cooccurrence.check()?;
        self.world.check()
    }
}

impl Agrees for WorldView {
    fn check(&self) -> anyhow::Result<()> {
        WorldLimits::WINDOW.check(&self.report.plan)?;
        let pairs = self.report.plan.patches.pow(2);
        let lengths = [&self.ratios, &self.found, &self.errors].map(|values| values.len());
        ensure!(lengths == [pairs; 3], "matrices of {pairs} pairs have {lengths:?} values");
        self.losses.check_lengths()
    }
}

fn check_near(at: &[[f32; 2]], farthest: f32) -> anyhow::Result<()> {
    let is_near = |at: &[f32; 2]| at.iter().all(|place| place.abs() <= farthest);
    ensure!(at.iter().all(is_near), "points of a plane lie farther out than any vector does");
    Ok(())
}

impl Agrees for ShownPlane {
    fn check(&self) -> anyhow::Result<()> {
        let (points, labels) = (self.plane.at.len(), self.labels.len());
        ensure!(labels == points, "a plane of {points} points has labels of {labels}");
        let farthest = FARTHEST[usize::from(self.plane.way == PlaneWay::Tsne)];
        check_near(&self.plane.at, farthest)
    }
}

impl Agrees for (QuerySpec, [f32; 2]) {
    fn check(&self) -> anyhow::Result<()> {
        check_near(&[self.1], FARTHEST[1])
    }
}

impl Agrees for PointTints {
    fn check(&self) -> anyhow::Result<()> {
        match &self.tints {
            Tints::Kinds { index, names, there } => {
                let is_named = |kind: &u16| usize::from(*kind) < names.len();
                let is_kind = |kind: &u16| *kind == Tints::NO_KIND || is_named(kind);
                ensure!(
                    index.iter().all(is_kind) && there.iter().all(is_named),
                    "points are of a kind that has no name; there are {}",
                    names.len()
                );
            }
            Tints::Places(_) | Tints::Numbers { .. } => {}
        }
        Ok(())
    }
}

impl Agrees for PointPictures {
    fn check(&self) -> anyhow::Result<()> {
        Ok(())
    }
}

impl Agrees for PickedPoints {
    fn check(&self) -> anyhow::Result<()> {
        let (points, patches) = (self.points.len(), self.patches.len());
        ensure!(
            patches <= points.min(MOST_PICKED),
            "{patches} patches are shown of {points} inside an outline; expected at most {MOST_PICKED}"
        );
        Ok(())
    }
}

/// Whether what belongs to a plane is of its points.
///
/// # Errors
/// Colours of more or fewer points, or pictures of points that it does not have.
pub fn check_scatter(scatter: &ScatterShown) -> anyhow::Result<()> {
    let Some(plane) = scatter.plane.as_deref() else { return Ok(()) };
    let (number, points) = (plane.number, plane.plane.at.len());
    if let Some(tints) = scatter.tints.as_ref().filter(|tints| tints.plane == number) {
        let given = match &tints.tints {
            Tints::Kinds { index, .. } => index.len(),
            Tints::Places(places) => places.len(),
            Tints::Numbers { values, .. } => values.len(),
        };
        ensure!(given == points, "a plane of {points} points has colours of {given}");
    }
    let pictures = scatter.pictures.iter().filter(|pictures| pictures.plane == number);
    let pictured = pictures.flat_map(|pictures| pictures.pictures.iter().map(|picture| picture.point));
    let picked = scatter.picked.iter().filter(|picked| picked.plane == number);
    let mut named = pictured.chain(picked.flat_map(|picked| picked.points.iter().copied()));
    let wrong = named.find(|point| *point as usize >= points);
    ensure!(wrong.is_none(), "point {} of a plane of {points} is named", wrong.unwrap_or(0));
    Ok(())
}

#[cfg(test)]
#[path = "agree_tests.rs"]
mod tests;
