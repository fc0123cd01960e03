//! The image on show, the query on it, its maps and its neighbours.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;

use super::Explorer;
use crate::embed::PatchSource;
use crate::engine::gallery::{SearchJob, SearchRequest};
use crate::engine::maps::ImageMaps;
use crate::engine::spaces;
use crate::engine::state::*;
use crate::image::Image;
use crate::patch::PatchRef;

/// Cells of a map at most: beyond this it would take minutes and gigabytes.
const MOST_CELLS: usize = 60_000;
/// Cells of a map's first batch: few, so that something is seen at once.
const FIRST_BATCH: usize = 32;

/// The query that is being answered.
pub(super) struct CurrentQuery {
    pub id: RequestId,
    pub patch: PatchRef,
    /// Its vector in each shown space.
    pub vectors: Vec<Vec<f32>>,
}

impl Explorer {
    pub(super) fn show_image(&mut self, index: usize) -> anyhow::Result<()> {
        self.view(index)?;
        self.query = None;
        self.forget_answers();
        self.prepare_maps()
    }

    /// Puts image `index` on show, if it is not there already.
    pub(super) fn view(&mut self, index: usize) -> anyhow::Result<Arc<Image>> {
        let data = self.data.as_ref().context("no data set is open")?;
        let shown = self.line.snapshot().view.clone();
        if let Some(view) = shown.filter(|view| view.index == index) {
            return Ok(view.image.clone());
        }
        let image = Arc::new(data.set.image(index)?);
        let label = data.set.label(index);
        let view = ImageView {
            index,
            name: data.set.image_name(index),
            class: label.and_then(|label| data.set.classes().get(label as usize).cloned()),
            image: image.clone(),
            parts: data.set.parts(index).map(Arc::new),
        };
        self.line.update(|shown| shown.view = Some(Arc::new(view)));
        Ok(image)
    }

    /// Starts the maps of the image on show, unless they are there.
    pub(super) fn prepare_maps(&mut self) -> anyhow::Result<()> {
        let (Some(embedder), Some(config)) = (&self.embedder, &self.config) else { return Ok(()) };
        let Some(view) = self.line.snapshot().view.clone() else { return Ok(()) };
        let cells = config.grid.len(view.image.height(), view.image.width());
        anyhow::ensure!(
            cells <= MOST_CELLS,
            "a heatmap of {cells} patches is too large; expected at most {MOST_CELLS}: choose a larger stride"
        );
        let row: usize =
            self.spaces.iter().filter_map(|space| space.width(&embedder.info, config.grid.patch)).sum();
        let (bytes, most) = ((cells * row * 4) as u64, self.device.memory.maps());
        anyhow::ensure!(
            bytes <= most,
            "the vectors of this image's {cells} patches would take {} MiB of memory; expected at most {} MiB: \
             choose a larger stride or fewer spaces, or give it more (--memory)",
            bytes >> 20,
            most >> 20
        );
        let fits = |maps: &mut ImageMaps| {
            maps.image_index == view.index && maps.grid == config.grid && maps.arrange(&self.spaces)
        };
        if !self.maps.as_mut().is_some_and(fits) {
            let image = view.image.clone();
            self.maps = Some(ImageMaps::new(embedder, view.index, image, config.grid, &self.spaces));
        }
        self.publish_pictures();
        self.aim_microscope();
        Ok(())
    }

    /// Makes a patch the query and shows what is known already.
    pub(super) fn ask(&mut self, id: RequestId, patch: PatchRef) -> anyhow::Result<()> {
        let image = self.view(patch.image as usize)?;
        let (height, width) = (image.height(), image.width());
        let patch = within(patch, height, width)?;
        self.prepare_maps()?;
        let Some(embedder) = &self.embedder else { return Ok(()) };
        let source = PatchSource { image, y: patch.y, x: patch.x };
        let vectors = spaces::vectors(embedder, &[source], patch.size, &self.spaces);
        self.query = Some(CurrentQuery { id, patch, vectors });
        if let Some(maps) = &mut self.maps
            && maps.known() == 0
        {
            maps.refine(embedder, FIRST_BATCH);
        }
        self.publish_query();
        self.aim_microscope();
        self.ask_gallery();
        Ok(())
    }

    pub(super) fn publish_query(&self) {
        let (Some(query), Some(maps)) = (&self.query, &self.maps) else { return };
        let view = QueryView {
            id: query.id,
            patch: query.patch,
            maps: maps.heatmaps(&query.vectors),
            known: maps.known(),
        };
        self.line.update(|shown| shown.query = Some(Arc::new(view)));
    }

    /// Shows the image as each space sees it, once all its patches are known, if that is wanted.
    pub(super) fn publish_pictures(&self) {
        let complete = self.maps.as_ref().filter(|maps| self.wants_pictures && maps.is_complete());
        let shown = self.line.snapshot().pictures.clone();
        let pictures = complete.map(|maps| {
            let (image, grid) = (maps.image_index, maps.grid);
            let names = || self.spaces.iter().map(|space| space.to_string());
            let is_current = |shown: &Arc<Pictures>| {
                let same_spaces = shown.spaces.iter().map(|picture| picture.space.clone()).eq(names());
                shown.image == image && shown.grid == grid && same_spaces
            };
            shown
                .filter(is_current)
                .unwrap_or_else(|| Arc::new(Pictures { image, grid, spaces: maps.pictures() }))
        });
        self.line.update(|shown| shown.pictures = pictures);
    }

    pub(super) fn ask_gallery(&mut self) {
        let (Some(query), Some(data), Some(config), Some(growing)) =
            (&self.query, &self.data, &self.config, &self.growing)
        else {
            return;
        };
        let bank = growing.bank.snapshot();
        let Some(view) = self.line.snapshot().view.clone() else { return };
        if bank.patches() == 0 || view.index != query.patch.image as usize {
            self.gallery_final = false;
            return;
        }
        let names = self.spaces.iter().map(|space| space.to_string());
        let PatchRef { y, x, size, .. } = query.patch;
        self.gallery_final = growing.extraction.is_finished();
        self.gallery_asked = Instant::now();
        let job = SearchJob {
            id: query.id,
            query: query.patch,
            query_pixels: Arc::new(view.image.crop(y, x, size, size)),
            vectors: names.zip(query.vectors.iter().cloned()).collect(),
            neighbours: config.neighbours,
            filter: config.filter,
            bank,
            data: data.set.clone(),
            data_id: data.id,
            generation: self.line.snapshot().generation,
        };
        self.searcher.search(SearchRequest { jobs: vec![job], tag: () });
    }
}

/// A patch moved into its image. The error says when it cannot fit.
fn within(patch: PatchRef, height: u32, width: u32) -> anyhow::Result<PatchRef> {
    anyhow::ensure!(
        patch.size <= height && patch.size <= width,
        "a patch of {0} x {0} pixels does not fit on the image of {width} x {height}; choose a smaller patch",
        patch.size
    );
    Ok(PatchRef { y: patch.y.min(height - patch.size), x: patch.x.min(width - patch.size), ..patch })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_at_the_edge_is_moved_inside() {
        let patch = PatchRef { image: 0, y: 30, x: 2, size: 14 };
        assert_eq!(within(patch, 32, 32).unwrap().y, 18);
        assert!(within(patch, 10, 32).unwrap_err().to_string().contains("smaller patch"));
    }
}
