//! Figures of what is on show.

use std::path::Path;

use anyhow::Context;

use super::Explorer;
use crate::engine::compose::{
    self, Cell, GalleryContent, HeatmapContent, Origin, QueryContent, SearchFacts, Style,
};
use crate::engine::state::*;
use crate::figure::Figure;
use crate::patch::PatchRef;

impl Explorer {
    pub(super) fn export(
        &self,
        kind: FigureKind,
        path: &Path,
        style: &Style,
        mode: MapMode,
    ) -> anyhow::Result<()> {
        self.line.update(|shown| shown.busy = Some("writing the figure".into()));
        let shown = self.line.snapshot();
        let (Some(embedder), Some(data)) = (&self.embedder, &self.data) else {
            anyhow::bail!("open a model and a data set first");
        };
        let (figure, source) = match kind {
            FigureKind::Heatmap => {
                let origin = Origin::new(embedder, data.set.as_ref())?;
                (heatmap_figure(&shown, origin.notes(), style, mode)?, origin.source(None))
            }
            FigureKind::Gallery => {
                let growing = self.growing.as_ref().context("the patches of the galleries are gone")?;
                let spec = &growing.extraction.plan().spec;
                let origin = Origin::of_bank(spec);
                let filter = shown.galleries.as_ref().map_or_else(GalleryFilter::default, |view| view.filter);
                let search = SearchFacts {
                    grid: spec.grid,
                    exclude_same_image: filter.other_images_only,
                    per_image: filter.per_image,
                };
                let mut notes = origin.notes();
                notes.extend(filter.words(data.set.classes()));
                (gallery_figure(&shown, notes, style)?, origin.source(Some(&search)))
            }
        };
        let saved = figure.save(path, style.dpi, source)?;
        self.line.emit(Event::FigureSaved { path: saved.out, sidecar: saved.sidecar });
        Ok(())
    }
}

fn heatmap_figure(
    shown: &Snapshot,
    notes: Vec<String>,
    style: &Style,
    mode: MapMode,
) -> anyhow::Result<Figure> {
    let (Some(view), Some(query)) = (&shown.view, &shown.query) else {
        anyhow::bail!("there is no heatmap yet: click a patch of an image first");
    };
    let first = query.maps.first().context("the model has no space to show")?;
    let total = first.rows * first.cols;
    anyhow::ensure!(
        query.known == total,
        "the heatmap is not complete yet ({} of {total} patches); wait a moment",
        query.known
    );
    let content = HeatmapContent {
        image: &view.image,
        title: compose::image_title(view.index, view.class.as_deref()),
        grid: first.grid,
        query: single_patch(&query.query)?,
        maps: displayed(&query.maps, mode)
            .iter()
            .map(|map| (map.space.clone(), map.values.to_vec()))
            .collect(),
    };
    anyhow::ensure!(
        !content.maps.is_empty(),
        "there is nothing to write in this view: a difference needs two spaces, pictures of the spaces have no \
         figure; choose another view"
    );
    let mut figure = compose::heatmap(vec![content], notes, style);
    if let Figure::Heatmap(heatmap) = &mut figure {
        match mode {
            MapMode::Ranks => heatmap.spec.scale_label = "rank within the image".into(),
            MapMode::Difference => heatmap.spec.scale_label = "difference of cosines".into(),
            MapMode::Cosine | MapMode::Pictures => {}
        }
    }
    Ok(figure)
}

fn gallery_figure(shown: &Snapshot, notes: Vec<String>, style: &Style) -> anyhow::Result<Figure> {
    let galleries =
        shown.galleries.as_ref().context("there is no gallery yet: click a patch of an image first")?;
    let cell = |n: &Neighbour| Cell {
        patch: n.patch,
        pixels: n.pixels.clone(),
        cosine: n.cosine,
        relation: n.relation,
    };
    let space = |gallery: &Gallery| GalleryContent {
        space: gallery.space.clone(),
        searched: gallery.candidates,
        total: galleries.total,
        cells: gallery.neighbours.iter().map(cell).collect(),
    };
    let patch = single_patch(&galleries.query)?;
    let view = shown.view.as_ref().filter(|view| view.index == patch.image as usize);
    let class = view.and_then(|view| view.class.as_deref());
    let query = QueryContent {
        patch,
        pixels: galleries.query_pixels.clone(),
        title: compose::image_title(patch.image as usize, class),
        spaces: galleries.spaces.iter().map(space).collect(),
    };
    compose::gallery(vec![query], notes, style)
}

fn single_patch(query: &QuerySpec) -> anyhow::Result<PatchRef> {
    query.as_patch().context("figures show queries of one patch; make a patch the query first")
}
