//! The parts of the window, one file each.

pub mod composition;
pub mod controls;
pub mod gallery;
pub mod images;
pub mod inspector;
pub mod maps;
mod neighbour;
mod parts;
mod pins;
pub mod status;
pub mod top;

pub use crate::gui::nouns::Tab;
pub use crate::gui::nouns::spaces::{explain_space, name_of_space};

use std::sync::Arc;

use eframe::egui::Pos2;

use crate::engine::{Heatmap, ImageView, MapMode, PreviewView, QueryView, Source, displayed};
use crate::gui::nouns::ExploreView;
use crate::gui::nouns::actions::Action;
use crate::gui::pins::Pins;
use crate::gui::places::Places;
use crate::gui::session::Session;
use crate::gui::settings::Settings;
use crate::gui::sources::SourceImages;
use crate::patch::{PatchGrid, PatchRef};

/// What all panels see and may change.
pub struct Desk {
    pub session: Session,
    pub settings: Settings,
    /// The heatmaps of the image on show, in the way they are shown.
    pub maps: ShownMaps,
    /// What lies under the pointer on the image or a heatmap.
    pub hover: Option<Hover>,
    /// What can be looked for under the pointer or the keyboard's cursor.
    pub pointed: Option<Source>,
    /// Whether the patch under the pointer is shown as if it were the query.
    pub is_previewing: bool,
    /// Queries that are kept at hand.
    pub pins: Pins,
    /// What buttons asked for in this frame.
    pub todo: Vec<Action>,
    pub tab: Tab,
    /// What the middle of the Explore tab shows.
    pub view: ExploreView,
    /// The images around neighbours that were looked at.
    pub sources: SourceImages,
    /// The positions that are marked for the instance view.
    pub places: Places,
}

/// Heatmaps as they are shown: the query's, or over them a preview's.
#[derive(Default)]
pub struct ShownMaps {
    query: Displayed<QueryView>,
    preview: Displayed<PreviewView>,
}

/// Heatmaps in the way they are shown, made anew when their source or the way to look changes.
struct Displayed<S> {
    made_of: Option<(Arc<S>, MapMode)>,
    maps: Vec<Heatmap>,
}

impl<S> Default for Displayed<S> {
    fn default() -> Self {
        Self { made_of: None, maps: vec![] }
    }
}

impl<S> Displayed<S> {
    fn update(&mut self, source: Option<&Arc<S>>, mode: MapMode, maps: impl Fn(&S) -> &[Heatmap]) {
        let is_same = match (&self.made_of, source) {
            (Some((made_of, made_in)), Some(source)) => Arc::ptr_eq(made_of, source) && *made_in == mode,
            (None, None) => true,
            _ => false,
        };
        if !is_same {
            self.maps = source.map_or_else(Vec::new, |source| displayed(maps(source), mode));
            self.made_of = source.map(|source| (source.clone(), mode));
        }
    }
}

impl ShownMaps {
    /// Those on show.
    pub fn list(&self) -> &[Heatmap] {
        if self.is_preview() { &self.preview.maps } else { &self.query.maps }
    }

    /// Those of the query, also under a preview.
    pub fn of_query(&self) -> &[Heatmap] {
        &self.query.maps
    }

    /// What the query's maps were made of.
    pub fn query_on_show(&self) -> Option<&QueryView> {
        self.query.made_of.as_ref().map(|(query, _)| query.as_ref())
    }

    /// What the preview's maps were made of.
    pub fn preview_on_show(&self) -> Option<&PreviewView> {
        self.preview.made_of.as_ref().map(|(preview, _)| preview.as_ref())
    }

    /// Whether those on show are of the patch under the pointer and not of the query.
    pub fn is_preview(&self) -> bool {
        !self.preview.maps.is_empty()
    }
}

impl Desk {
    /// The query, if it is one patch that can be marked as a position.
    pub fn markable_query(&self) -> Option<PatchRef> {
        let query = self.session.query().and_then(|query| query.as_patch());
        query.filter(|patch| !self.places.contains(*patch) && !self.places.is_full())
    }

    /// Marks the query as a position, where it can be.
    pub fn mark_query(&mut self) {
        if let Some(patch) = self.markable_query() {
            self.places.add(patch);
        }
    }

    /// Brings [`Desk::maps`] up to date with the snapshot and the settings.
    pub fn update_maps(&mut self) {
        let shows_maps = self.tab == Tab::Explore && self.view == ExploreView::Maps;
        let pointed = self.hover.as_ref().and_then(|hover| hover.patch);
        self.session.preview(pointed.filter(|_| self.is_previewing && shows_maps));
        let snapshot = self.session.snapshot();
        let in_view =
            |query: &&Arc<QueryView>| snapshot.view.as_ref().is_some_and(|view| view.index == query.image);
        let mode = self.settings.mode;
        self.maps.query.update(snapshot.query.as_ref().filter(in_view), mode, |query| &query.maps);
        self.maps.preview.update(self.session.preview_on_show(), mode, |preview| &preview.maps);
    }
}

/// A point of the image under the pointer.
#[derive(Clone, Debug, PartialEq)]
pub struct Hover {
    /// Pixel, column and row.
    pub pixel: (u32, u32),
    /// The patch of the heatmap grid whose centre is nearest.
    pub patch: Option<PatchRef>,
    /// Space and cosine of that patch to the query; `None` where it is not known yet.
    pub values: Vec<(String, Option<f32>)>,
    /// The part that the data set knows there.
    pub part: Option<&'static str>,
}

impl Hover {
    /// What lies at point `at` of the image in pixels: the patch of `grid` and the values of `maps` there.
    /// `None` outside the image.
    pub fn at(at: Pos2, view: &ImageView, grid: Option<PatchGrid>, maps: &[Heatmap]) -> Option<Self> {
        let (height, width) = (view.image.height(), view.image.width());
        if at.x < 0.0 || at.y < 0.0 || at.x >= width as f32 || at.y >= height as f32 {
            return None;
        }
        let pixel = (at.x as u32, at.y as u32);
        let patch = grid.and_then(|grid| {
            let (row, col) = grid.nearest(at.x, at.y, height, width)?;
            let corner = |cell: usize| cell as u32 * grid.stride;
            Some(PatchRef { image: view.index as u32, y: corner(row), x: corner(col), size: grid.patch })
        });
        let value = |map: &Heatmap| {
            let cell = map.grid.nearest(at.x, at.y, height, width);
            let value = cell.and_then(|(row, col)| map.values.get(row * map.cols + col));
            (map.space.clone(), value.copied().filter(|value| !value.is_nan()))
        };
        let part = view.parts.as_ref().and_then(|parts| {
            let inside = pixel.0 < parts.width && pixel.1 < parts.height;
            let index = inside.then(|| parts.index.get((pixel.1 * parts.width + pixel.0) as usize))??;
            parts.names.get(*index as usize).copied()
        });
        Some(Self { pixel, patch, values: maps.iter().map(value).collect(), part })
    }
}
