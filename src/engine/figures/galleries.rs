//! The neighbours of a figure: found in a bank, cut out of their images.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;

use crate::bank::Bank;
use crate::dataset::Dataset;
use crate::engine::ask::{FigureQuery, GalleryFilter, QuerySpec};
use crate::engine::ask::{NeighbourReport, SearchReport};
use crate::engine::figures::compose::{Cell, GalleryContent, Origin, QueryContent, SearchFacts, image_title};
use crate::engine::look::neighbours::{NeighbourQuery, near};
use crate::engine::look::parts;
use crate::engine::look::selection::{self, VectorQuery};
use crate::image::Image;
use crate::patch::PatchRef;
use crate::progress::CancelToken;
use crate::search::Processor;
use crate::words::thousands;

/// Decoded images that are kept while galleries are put together.
const KEPT_IMAGES: usize = 32;

/// A bank, its images, and those that are decoded already.
pub struct GalleryMaker {
    pub bank: Bank,
    pub data: Arc<dyn Dataset>,
    /// What searches: the CPU unless told.
    pub processor: Arc<Processor>,
    images: BTreeMap<u32, Arc<Image>>,
}

impl GalleryMaker {
    pub fn new(bank: Bank, data: Arc<dyn Dataset>) -> Self {
        Self { bank, data, processor: Arc::new(Processor::cpu()), images: BTreeMap::new() }
    }

    /// What the figure was made from, and among which patches its neighbours were found.
    pub fn origin(&self, filter: &GalleryFilter, spaces: &[String]) -> (Origin, SearchFacts) {
        let spec = self.bank.spec();
        let guests = self.bank.guests().iter().map(|image| image.index).collect();
        let search = SearchFacts { grid: spec.grid, filter: filter.named(&spec.classes), guests };
        (Origin::of_bank(spec, spaces), search)
    }

    /// What is left out, in words: by the filter, and of what is broken.
    pub fn left_out(&self, filter: &GalleryFilter) -> Vec<String> {
        let mut words = filter.words(&self.bank.spec().classes);
        let broken = self.bank.skipped().len();
        if broken > 0 {
            let all = thousands(self.bank.complete_images());
            words.push(format!("without {} of {all} images, that cannot be used", thousands(broken)));
        }
        words
    }

    /// "image 12 · horse".
    pub fn title(&self, image: usize) -> String {
        let label = selection::label_of(&self.bank, image as u32, |image| self.data.label(image as usize));
        let class = label.and_then(|label| self.bank.spec().classes.get(label as usize));
        image_title(image, class.map(String::as_str))
    }

    /// Searches each space for all of `queries` together; the answers are in their order, those of one in the order of
    /// `spaces`. A query's vector is the bank's own where it is a patch that the bank holds, else of those beside it,
    /// one for each space.
    ///
    /// # Errors
    /// No such space; a query that is neither in the bank nor has vectors; cancelled.
    pub fn search(
        &self,
        queries: &[(FigureQuery, Vec<Vec<f32>>)],
        spaces: &[String],
        wanted: (usize, &GalleryFilter),
        cancel: &CancelToken,
    ) -> anyhow::Result<Vec<Vec<SearchReport>>> {
        let size = self.bank.spec().grid.patch;
        let own = queries.iter().map(|(query, _)| selection::own_rows(&query.spec, &self.bank));
        let beyond = |image| self.data.label(image as usize);
        let kin = queries.iter().map(|(query, _)| selection::kin(&query.spec, &self.bank, beyond));
        let (own, kin): (Vec<_>, Vec<_>) = (own.collect(), kin.collect());
        let mut reports = vec![vec![]; queries.len()];
        for (index, space) in spaces.iter().enumerate() {
            let vector =
                |(query, vectors): &(FigureQuery, Vec<Vec<f32>>)| self.vector(query, vectors, (index, space));
            let vectors = queries.iter().map(vector).collect::<anyhow::Result<Vec<_>>>()?;
            let asked = queries.iter().zip(&vectors).zip(own.iter().zip(&kin));
            let asked = asked.map(|(((query, _), vector), (own, kin))| NeighbourQuery {
                patch: query.place(size),
                of: VectorQuery { vector, own, kin },
            });
            let asked: Vec<_> = asked.collect();
            let found = near(&self.processor, &self.bank, space, &asked, wanted, cancel)?;
            reports.iter_mut().zip(found).for_each(|(reports, found)| reports.push(found));
        }
        Ok(reports)
    }

    /// What is searched for in the space in place `index`.
    fn vector(
        &self,
        query: &FigureQuery,
        vectors: &[Vec<f32>],
        (index, space): (usize, &str),
    ) -> anyhow::Result<Vec<f32>> {
        let Some(row) = selection::own_row(&query.spec, &self.bank) else {
            return Ok(vectors.get(index).context("the bank does not hold the query")?.clone());
        };
        let mut vector = vec![0.0; self.bank.width(space)?];
        self.bank.row_f32(space, row, &mut vector)?;
        Ok(vector)
    }

    /// A query and its neighbours with their pixels.
    pub fn content(&mut self, query: &FigureQuery, reports: &[SearchReport]) -> anyhow::Result<QueryContent> {
        let patch = reports.first().context("no space is chosen")?.query;
        let mut spaces = vec![];
        for report in reports {
            let mut cells = vec![];
            for neighbour in &report.neighbours {
                let patch =
                    PatchRef { image: neighbour.image, y: neighbour.y, x: neighbour.x, size: patch.size };
                let NeighbourReport { cosine, relation, copies, .. } = *neighbour;
                cells.push(Cell { patch, pixels: self.pixels(patch)?, cosine, relation, copies });
            }
            let total = self.bank.space(&report.space)?.total_searchable() as usize;
            let searched = report.let_through;
            spaces.push(GalleryContent { space: report.space.clone(), searched, total, cells });
        }
        let composed = query.composed(patch.size);
        let pixels = match composed {
            None => self.pixels(patch)?,
            Some(_) => parts::pixels_of(&query.spec, |image| self.image(image))?,
        };
        Ok(QueryContent { patch, composed, pixels, title: self.query_title(&query.spec), spaces })
    }

    /// The image and class of a query that lies on one image; else what it is made of.
    fn query_title(&self, query: &QuerySpec) -> String {
        match (&query.parts[..], query.home()) {
            ([_], Some(image)) => self.title(image as usize),
            ([_], None) => "a picture from outside".to_owned(),
            _ => query.words(),
        }
    }

    fn pixels(&mut self, patch: PatchRef) -> anyhow::Result<Arc<Image>> {
        let image = self.image(patch.image)?;
        anyhow::ensure!(
            patch.y + patch.size <= image.height() && patch.x + patch.size <= image.width(),
            "{} is {} x {} pixels now, smaller than when its patches were embedded; open the data again",
            self.data.image_name(patch.image as usize),
            image.width(),
            image.height()
        );
        Ok(Arc::new(image.crop(patch.y, patch.x, patch.size, patch.size)))
    }

    /// An image, decoded once.
    pub fn image(&mut self, index: u32) -> anyhow::Result<Arc<Image>> {
        if let Some(image) = self.images.get(&index) {
            return Ok(image.clone());
        }
        let image = Arc::new(self.data.image(index as usize)?);
        // A bound on memory, whatever the size of the images.
        if self.images.len() >= KEPT_IMAGES {
            self.images.clear();
        }
        self.images.insert(index, image.clone());
        Ok(image)
    }
}
