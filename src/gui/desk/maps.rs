//! The heatmaps of the image on show, in the way they are shown.

use std::sync::Arc;

use super::session::Session;
use crate::engine::{Heatmap, MapMode, PreviewView, QueryView, displayed};

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

    /// Brings them up to date with what the engine has answered.
    pub fn update(&mut self, session: &Session, mode: MapMode) {
        let snapshot = session.snapshot();
        let in_view =
            |query: &&Arc<QueryView>| snapshot.view.as_ref().is_some_and(|view| view.index == query.image);
        self.query.update(snapshot.query.as_ref().filter(in_view), mode, |query| &query.maps);
        self.preview.update(session.preview_on_show(), mode, |preview| &preview.maps);
    }
}
