//! The thread that searches for neighbours and cuts out their pixels. It holds no tensors.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::Context;
use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::analysis::heatmap::cosine_map;
use crate::bank::Bank;
use crate::dataset::Dataset;
use crate::engine::ask::{
    EngineLine, Event, Gallery, GalleryFilter, GalleryView, Neighbour, QuerySpec, RequestId, SearchWay,
};
use crate::engine::look::parts::SHOWN_SIDE;
use crate::engine::look::selection::{self, VectorQuery};
use crate::image::Image;
use crate::patch::PatchRef;
use crate::search::{Kin, Processor};
use crate::threads;

/// Copies of a neighbour that are named; of more there is the number.
const MOST_NAMED: usize = 8;

/// One search.
pub struct SearchJob {
    pub id: RequestId,
    pub query: QuerySpec,
    pub query_pixels: Arc<Image>,
    /// Space names with the query's vector in each, z first.
    pub vectors: Vec<(String, Vec<f32>)>,
    pub neighbours: usize,
    pub filter: GalleryFilter,
    pub bank: Bank,
    /// Where the bank has codes: what searches by them, in place of the thread's own processor where that is asked for.
    pub by_codes: Option<ByCodes>,
    pub data: Arc<dyn Dataset>,
    /// Tells one data set from the next: indices of images hold within one.
    pub data_id: u64,
    /// [`crate::engine::ask::Snapshot::generation`] when it was asked for.
    pub generation: u64,
}

/// Codes of a bank, and whether it is searched by them.
#[derive(Clone)]
pub struct ByCodes {
    pub processor: Arc<Processor>,
    pub way: SearchWay,
}

/// Searches that belong together: they are answered at once.
pub struct GallerySearch<T> {
    pub jobs: Vec<SearchJob>,
    /// What the asker needs to know of it again.
    pub tag: T,
}

/// The engine's end of a search thread.
pub struct Searcher<T> {
    requests: Sender<GallerySearch<T>>,
    waiting: Arc<AtomicUsize>,
}

/// Takes the galleries of a request, in the order of its jobs, on the search thread.
pub type Deliver<T> = fn(&EngineLine, GallerySearch<T>, Vec<GalleryView>);

impl<T: Send + 'static> Searcher<T> {
    /// Starts the thread, which searches on `processor`. It keeps at most `kept_bytes` of decoded images for the
    /// next gallery.
    pub fn start(
        line: Arc<EngineLine>,
        processor: Arc<Processor>,
        kept_bytes: u64,
        deliver: Deliver<T>,
    ) -> anyhow::Result<Self> {
        let (requests, receiver) = unbounded();
        let waiting = Arc::new(AtomicUsize::new(0));
        let counter = waiting.clone();
        let work = move || {
            threads::work_apart();
            SearchThread {
                line,
                processor,
                images: HashMap::new(),
                bytes: 0,
                kept_bytes,
                data_id: 0,
                has_told: false,
            }
            .run(&receiver, &counter, deliver)
        };
        thread::Builder::new().name("search".into()).spawn(work).context("could not start a thread")?;
        Ok(Self { requests, waiting })
    }

    /// Asks for galleries; a later request takes the place of one that has not begun.
    pub fn search(&self, request: GallerySearch<T>) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // Fails only if the thread died, and then the last gallery stays on show.
        let _ = self.requests.send(request);
    }

    /// Whether nothing is being searched.
    pub fn is_idle(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) == 0
    }
}

/// Shows the galleries of the query on show; those of an earlier one are dropped.
pub fn show_galleries(line: &EngineLine, request: GallerySearch<()>, views: Vec<GalleryView>) {
    let Some((job, view)) = request.jobs.first().zip(views.into_iter().next()) else { return };
    line.update(|shown| {
        let asked = shown.query.as_ref().is_some_and(|query| query.id == job.id);
        if asked && shown.generation == job.generation {
            shown.galleries = Some(Arc::new(view));
        }
    });
}

/// The cosine of a row to the query in each space but `space`.
fn in_other_spaces(job: &SearchJob, space: &str, row: usize) -> anyhow::Result<Vec<(String, f32)>> {
    let others = job.vectors.iter().filter(|(name, _)| name != space);
    let cosine = |(name, query): &(String, Vec<f32>)| {
        let mut vector = vec![0.0; query.len()];
        job.bank.row_f32(name, row, &mut vector)?;
        Ok((name.clone(), cosine_map(query, &vector)[0]))
    };
    others.map(cosine).collect()
}

/// What the first of the images `copies` are called.
fn named(job: &SearchJob, copies: &[u32]) -> Vec<String> {
    copies.iter().take(MOST_NAMED).map(|image| job.data.image_name(*image as usize)).collect()
}

struct SearchThread {
    line: Arc<EngineLine>,
    processor: Arc<Processor>,
    images: HashMap<usize, Arc<Image>>,
    bytes: u64,
    kept_bytes: u64,
    data_id: u64,
    /// Whether it was said that images of this data set cannot be read any more.
    has_told: bool,
}

impl SearchThread {
    fn run<T>(&mut self, requests: &Receiver<GallerySearch<T>>, waiting: &AtomicUsize, deliver: Deliver<T>) {
        while let Ok(first) = requests.recv() {
            let mut newest = first;
            let mut taken = 1;
            while let Ok(newer) = requests.try_recv() {
                newest = newer;
                taken += 1;
            }
            match newest.jobs.iter().map(|job| self.gallery(job)).collect::<anyhow::Result<_>>() {
                Ok(views) => deliver(&self.line, newest, views),
                Err(error) => self.line.emit(Event::Failed {
                    about: "searching for neighbours".into(),
                    message: format!("{error:#}"),
                }),
            }
            waiting.fetch_sub(taken, Ordering::Relaxed);
        }
    }

    fn gallery(&mut self, job: &SearchJob) -> anyhow::Result<GalleryView> {
        if self.data_id != job.data_id {
            self.images.clear();
            self.bytes = 0;
            self.data_id = job.data_id;
            self.has_told = false;
        }
        let own = selection::own_rows(&job.query, &job.bank);
        let kin = selection::kin(&job.query, &job.bank, |image| job.data.label(image as usize));
        let spaces = job.vectors.iter().map(|(space, vector)| self.space(job, space, vector, &own, &kin));
        let spaces = spaces.collect::<anyhow::Result<_>>()?;
        Ok(GalleryView {
            query_id: job.id,
            query: job.query.clone(),
            query_pixels: job.query_pixels.clone(),
            spaces,
            filter: job.filter,
            searched: job.bank.searchable(),
            total: job.bank.total_searchable(),
            images: (job.bank.own_images(), job.bank.own_total_images()),
            guests: job.bank.guests().len(),
            way: job.by_codes.as_ref().map(|by_codes| by_codes.way),
            pictures_follow: false,
        })
    }

    fn space(
        &mut self,
        job: &SearchJob,
        space: &str,
        vector: &[f32],
        own: &[usize],
        kin: &Kin,
    ) -> anyhow::Result<Gallery> {
        let mut stored = vec![];
        let vector = match selection::own_row(&job.query, &job.bank) {
            Some(row) => {
                stored.resize(job.bank.width(space)?, 0.0);
                job.bank.row_f32(space, row, &mut stored)?;
                &stored
            }
            None => vector,
        };
        let clock = Instant::now();
        let by_codes = job.by_codes.as_ref().filter(|by_codes| by_codes.way == SearchWay::Quantised);
        let processor = by_codes.map_or(&self.processor, |by_codes| &by_codes.processor);
        let query = VectorQuery { vector, own, kin };
        let found = selection::nearest(processor, &job.bank, space, query, job.neighbours, &job.filter)?;
        let milliseconds = clock.elapsed().as_secs_f64() * 1e3;
        let recall = processor.recall(&job.bank, space);
        let mut neighbours = Vec::with_capacity(found.hits.len());
        for (hit, copies) in found.hits.into_iter().zip(found.copies) {
            let patch = job.bank.patch_ref(hit.row);
            let pixels = self.pixels(job, patch);
            let classes = &job.bank.spec().classes;
            let class = job.bank.label_of_row(hit.row).and_then(|label| classes.get(label as usize));
            neighbours.push(Neighbour {
                patch,
                cosine: hit.cosine,
                in_other_spaces: in_other_spaces(job, space, hit.row)?,
                relation: kin.relation(&job.bank, hit.row),
                class: class.cloned(),
                image_name: job.data.image_name(patch.image as usize),
                copies: copies.len() + 1,
                copy_names: named(job, &copies),
                is_readable: pixels.is_some(),
                pixels: pixels.unwrap_or_else(|| Arc::new(Image::filled(1, 1, [128; 3]))),
            });
        }
        let (searched, candidates) = (found.searched, found.candidates);
        Ok(Gallery { space: space.into(), milliseconds, recall, searched, candidates, neighbours })
    }

    /// The pixels of a patch; `None` if its image cannot be read any more, which is told once.
    fn pixels(&mut self, job: &SearchJob, patch: PatchRef) -> Option<Arc<Image>> {
        match self.image(job, patch.image as usize) {
            Ok(image) => {
                let pixels = image.crop(patch.y, patch.x, patch.size, patch.size);
                Some(Arc::new(pixels.averaged_within(SHOWN_SIDE)))
            }
            Err(error) => {
                if !std::mem::replace(&mut self.has_told, true) {
                    let message = format!(
                        "{error:#}. It could be read when its patches were embedded; such neighbours are \
                         shown in grey"
                    );
                    self.line.emit(Event::Failed { about: "showing a neighbour".into(), message });
                }
                None
            }
        }
    }

    fn image(&mut self, job: &SearchJob, index: usize) -> anyhow::Result<Arc<Image>> {
        if let Some(image) = self.images.get(&index) {
            return Ok(image.clone());
        }
        let image = Arc::new(job.data.image(index)?);
        let (height, width) = job.data.dimensions(index);
        anyhow::ensure!(
            (image.height(), image.width()) == (height, width),
            "{} is {} x {} pixels now, and was {width} x {height} when the data set was opened",
            job.data.image_name(index),
            image.width(),
            image.height()
        );
        if self.bytes + image.rgb().len() as u64 > self.kept_bytes {
            self.images.clear();
            self.bytes = 0;
        }
        self.bytes += image.rgb().len() as u64;
        self.images.insert(index, image.clone());
        Ok(image)
    }
}
