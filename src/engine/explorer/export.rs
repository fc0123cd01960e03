//! Figures of what is on show.

use std::path::Path;

use anyhow::Context;

use super::Explorer;
use crate::engine::compose::{self, Cell, GalleryContent, HeatmapContent, Style};
use crate::engine::state::*;
use crate::figure::{Figure, Format};

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
        let (Some(model), Some(data)) = (&shown.model, &shown.data) else {
            anyhow::bail!("open a model and a data set first");
        };
        let notes = vec![format!("model {}, {} · data {}", model.name, model.arch, data.name)];
        let source = serde_json::json!({
            "model": { "name": model.name, "hash": model.hash },
            "data": { "name": data.name, "kind": data.kind },
        });
        let figure = match kind {
            FigureKind::Heatmap => heatmap_figure(&shown, notes, style, mode)?,
            FigureKind::Gallery => gallery_figure(&shown, notes, style)?,
        };
        let saved = figure.save(path, Format::DEFAULT_DPI, source)?;
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
    let class = view.class.as_ref().map_or(String::new(), |class| format!(" · {class}"));
    let content = HeatmapContent {
        image: &view.image,
        title: format!("image {}{class}", view.index),
        grid: first.grid,
        query: query.patch,
        maps: displayed(&query.maps, mode)
            .iter()
            .map(|map| (map.space.clone(), map.values.to_vec()))
            .collect(),
        notes,
    };
    anyhow::ensure!(
        !content.maps.is_empty(),
        "there is nothing to write in this view: a difference needs two spaces, pictures of the spaces have no \
         figure; choose another view"
    );
    let mut figure = compose::heatmap(content, style);
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
        searched: galleries.searched,
        total: galleries.total,
        cells: gallery.neighbours.iter().map(cell).collect(),
    };
    let k = galleries.spaces.iter().map(|gallery| gallery.neighbours.len()).max().unwrap_or(0);
    let spaces = galleries.spaces.iter().map(space).collect();
    Ok(compose::gallery(galleries.query, &galleries.query_pixels, k, spaces, notes, style))
}
