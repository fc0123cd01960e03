//! The image on show, the query on it, its maps and its neighbours.

use super::Explorer;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;

use crate::dataset::decode::decode;
use crate::engine::ask::{
    Event, ImageView, OutsidePicture, Pictures, QuerySpec, QueryView, RequestId, Source,
};
use crate::engine::look::gallery::{GallerySearch, SearchJob};
use crate::engine::look::maps::{ImageMaps, check_cells};
use crate::engine::look::parts;
use crate::engine::look::parts::{EmbeddedPart, PartSources};
use crate::image::Image;

/// Cells of a map's first batch: few, so that something is seen at once.
const FIRST_BATCH: usize = 32;

/// The query that is being answered.
pub(super) struct CurrentQuery {
    pub id: RequestId,
    pub query: QuerySpec,
    pub parts: Vec<Arc<EmbeddedPart>>,
    /// Its vector in each shown space.
    pub vectors: Vec<Vec<f32>>,
}

impl Explorer {
    pub(super) fn show_image(&mut self, index: usize) -> anyhow::Result<()> {
        self.view(index)?;
        self.prepare_maps()?;
        self.begin_maps();
        self.publish_query();
        Ok(())
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
        check_cells(cells)?;
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
        let mut maps = self.maps.write();
        if !maps.as_mut().is_some_and(fits) {
            let image = view.image.clone();
            *maps = Some(
                ImageMaps::new(embedder, view.index, image, config.grid, &self.spaces).on(&self.processor),
            );
        }
        drop(maps);
        self.publish_pictures();
        self.aim_microscope();
        Ok(())
    }

    /// Looks for `query`, on image `image`, and shows what is known already.
    pub(super) fn ask(&mut self, id: RequestId, query: QuerySpec, image: usize) -> anyhow::Result<()> {
        let on_show = self.view(image)?;
        let set = self.data.as_ref().context("no data set is open")?.set.clone();
        let query = within(query, |image| set.dimensions(image as usize))?;
        self.prepare_maps()?;
        let (Some(embedder), Some(config)) = (&self.embedder, &self.config) else { return Ok(()) };
        let (spaces, patch, maps) = (&self.spaces[..], config.grid.patch, self.maps.read());
        let from = PartSources { embedder, spaces, patch, maps: maps.as_ref() };
        let decoded = |index: u32| match index as usize == image {
            true => Ok(on_show.clone()),
            false => Ok(Arc::new(set.image(index as usize)?)),
        };
        let parts = self.parts.embed(&query, &from, decoded)?;
        drop(maps);
        let vectors = parts::composed(&query, &parts)?;
        self.query = Some(CurrentQuery { id, query, parts, vectors });
        self.begin_maps();
        self.publish_query();
        self.aim_microscope();
        self.ask_gallery();
        Ok(())
    }

    /// Sees to it that the first map of the query is not empty.
    fn begin_maps(&self) {
        let is_empty = self.maps.read().as_ref().is_some_and(|maps| maps.known() == 0);
        if let (Some(_), Some(embedder), true) = (&self.query, &self.embedder, is_empty) {
            self.maps.refine(embedder, FIRST_BATCH);
        }
    }

    pub(super) fn publish_query(&self) {
        let maps = self.maps.read();
        let (Some(query), Some(maps)) = (&self.query, &*maps) else { return };
        let view = QueryView {
            id: query.id,
            query: query.query.clone(),
            parts: query.parts.iter().map(|part| part.pixels.clone()).collect(),
            image: maps.image_index,
            maps: maps.heatmaps(&query.vectors),
            known: maps.known(),
        };
        self.line.update(|shown| shown.query = Some(Arc::new(view)));
    }

    /// Shows the image as each space sees it, once all its patches are known, if that is wanted.
    pub(super) fn publish_pictures(&self) {
        let maps = self.maps.read();
        let complete = maps.as_ref().filter(|maps| self.wants_pictures && maps.is_complete());
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

    /// Sends the pixels of a query's parts.
    pub(super) fn picture_query(&self, data: u64, query: QuerySpec) -> anyhow::Result<()> {
        let set = &self.data.as_ref().context("no data set is open")?.set;
        let image = parts::pixels_of(&query, |index| {
            anyhow::ensure!((index as usize) < set.len(), "the data set has no image {index}");
            Ok(Arc::new(set.image(index as usize)?))
        })?;
        self.line.emit(Event::QueryPicture { data, query, image });
        Ok(())
    }

    /// Reads a picture from outside.
    pub(super) fn open_picture(&self, path: &Path) -> anyhow::Result<()> {
        let image = Arc::new(decode(path)?);
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        self.line.emit(Event::Picture(Arc::new(OutsidePicture { name, image })));
        Ok(())
    }

    pub(super) fn ask_gallery(&mut self) {
        let (Some(query), Some(data), Some(config), Some(growing)) =
            (&self.query, &self.data, &self.config, &self.growing)
        else {
            return;
        };
        let bank = growing.bank.snapshot();
        if bank.patches() == 0 {
            self.gallery_final = false;
            return;
        }
        let names = self.spaces.iter().map(|space| space.to_string());
        self.gallery_final = growing.extraction.is_finished();
        self.gallery_asked = Instant::now();
        let job = SearchJob {
            id: query.id,
            query: query.query.clone(),
            query_pixels: parts::picture(&query.parts),
            vectors: names.zip(query.vectors.iter().cloned()).collect(),
            neighbours: config.neighbours,
            filter: config.filter,
            bank,
            data: data.set.clone(),
            data_id: data.id,
            generation: self.line.snapshot().generation,
        };
        self.searcher.search(GallerySearch { jobs: vec![job], tag: () });
    }
}

/// The query with its boxes moved into their images. The error says when one cannot fit.
pub(super) fn within(
    mut query: QuerySpec,
    dimensions: impl Fn(u32) -> (u32, u32),
) -> anyhow::Result<QuerySpec> {
    for part in &mut query.parts {
        if let Source::Box(area) = &mut part.source {
            let (height, width) = dimensions(area.image);
            *area = area.within(height, width).with_context(|| {
                format!(
                    "a patch of {} x {} pixels does not fit on the image of {width} x {height}; choose a smaller patch",
                    area.width, area.height
                )
            })?;
        }
    }
    Ok(query)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::PatchRef;

    #[test]
    fn a_patch_at_the_edge_is_moved_inside() {
        let query = QuerySpec::one(PatchRef { image: 0, y: 30, x: 2, size: 14 });
        let moved = within(query.clone(), |_| (32, 32)).unwrap();
        assert_eq!(moved.as_patch().unwrap().y, 18);
        assert!(within(query, |_| (10, 32)).unwrap_err().to_string().contains("smaller patch"));
    }
}
