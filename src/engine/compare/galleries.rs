//! The nearest patches under both models, among the patches that both have embedded.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::ask::{
    ComparedGalleries, EngineLine, Gallery, GalleryFilter, GalleryView, Overlap, RequestId,
};
use crate::engine::compare::side::{Side, SideFrame, SideTarget};
use crate::engine::look::extraction::Growing;
use crate::engine::look::gallery::{GallerySearch, SearchJob, Searcher};
use crate::engine::look::parts;
use crate::patch::PatchRef;
use crate::search::Processor;

/// How often the galleries follow banks that grow.
const PERIOD: Duration = Duration::from_millis(700);

/// Asks for the galleries of both models.
pub struct Galleries {
    found: Found,
    searcher: Searcher<Tag>,
    asked: Option<Asked>,
    asked_at: Instant,
}

/// The galleries that are on show, and at which opening of a second model: shared with the thread that finds them.
type Found = Arc<Mutex<Option<(u64, Arc<ComparedGalleries>)>>>;

/// What galleries were asked for.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    number: u64,
    step: Option<u64>,
    frame: SideFrame,
    generation: u64,
    id: RequestId,
    neighbours: usize,
    filter: GalleryFilter,
    /// Images that both banks hold.
    images: usize,
}

/// What the answer is to be told with.
pub struct Tag {
    number: u64,
    step: Option<u64>,
    images: (usize, usize),
    found: Found,
}

impl Galleries {
    /// Starts the thread that searches.
    pub fn start(line: Arc<EngineLine>, processor: Arc<Processor>, kept_bytes: u64) -> anyhow::Result<Self> {
        let searcher = Searcher::start(line, processor, kept_bytes, show)?;
        Ok(Self { found: Found::default(), searcher, asked: None, asked_at: Instant::now() })
    }

    /// Those on show of opening `number`.
    pub fn found(&self, number: u64) -> Option<Arc<ComparedGalleries>> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.as_ref().filter(|(of, _)| *of == number).map(|(_, galleries)| galleries.clone())
    }

    /// Asks for the galleries of the query under both models, if there is something new to find.
    pub fn ask(
        &mut self,
        number: u64,
        side: &mut Side,
        frame: &SideFrame,
        target: &SideTarget<'_>,
        is_paused: bool,
    ) {
        let (Some(first), Some(query)) = (target.growing, target.query) else { return };
        let Some(Ok(second)) = side.growing(frame) else { return };
        let images = first.images().min(second.images());
        let total = frame.reach.images;
        let asked = Asked {
            number,
            step: side.key.step,
            frame: frame.clone(),
            generation: target.generation,
            id: query.id,
            neighbours: target.config.neighbours,
            filter: target.config.filter,
            images,
        };
        if images == 0 || !self.is_due(&asked, images == total || is_paused) {
            return;
        }
        let (first, second) = (bank(first, images), bank(second, images));
        let pixels = parts::picture(query.parts);
        let names = |spaces: &[_]| spaces.iter().map(ToString::to_string).collect::<Vec<String>>();
        let spaces = names(&side.spaces(target.spaces, frame.grid.patch));
        let vectors = spaces.into_iter().zip(side.query_vectors(target, query).iter().cloned());
        let job = |bank, vectors| SearchJob {
            id: query.id,
            query: query.query.clone(),
            query_pixels: pixels.clone(),
            vectors,
            neighbours: target.config.neighbours,
            filter: target.config.filter,
            by_codes: None,
            bank,
            data: target.data.clone(),
            data_id: target.data_id,
            generation: target.generation,
        };
        let own = names(target.spaces).into_iter().zip(query.vectors.iter().cloned());
        let jobs = vec![job(first, own.collect()), job(second, vectors.collect())];
        let found = self.found.clone();
        let tag = Tag { number, step: asked.step, images: (images, total), found };
        self.searcher.search(GallerySearch { jobs, tag });
        (self.asked, self.asked_at) = (Some(asked), Instant::now());
    }

    /// Whether to search now. What is complete is searched at once; what grows, now and then; and galleries of
    /// another checkpoint that are whole stay on show until the new ones are.
    fn is_due(&self, asked: &Asked, is_final: bool) -> bool {
        let Some(before) = &self.asked else { return true };
        if before == asked {
            return false;
        }
        let shown = self.found(asked.number);
        let holds = shown.is_some_and(|shown| {
            shown.step != asked.step
                && shown.images.0 == shown.images.1
                && (shown.generation, shown.b.query_id) == (asked.generation, asked.id)
        });
        let only_grew = *before == Asked { images: before.images, ..asked.clone() };
        let may_follow = self.asked_at.elapsed() >= PERIOD && self.searcher.is_idle();
        is_final || (!holds && (!only_grew || may_follow))
    }
}

fn bank(growing: &Growing, images: usize) -> crate::bank::Bank {
    growing.snapshot().first_images(images)
}

/// Shows the galleries of the query and the checkpoint that are wanted; others are dropped.
fn show(line: &EngineLine, request: GallerySearch<Tag>, views: Vec<GalleryView>) {
    let (jobs, Tag { number, step, images, found }) = (request.jobs, request.tag);
    let (Some(job), Ok([mut a, b])) = (jobs.first(), <[GalleryView; 2]>::try_from(views)) else { return };
    a.total = b.total;
    let compared = Arc::new(ComparedGalleries {
        step,
        generation: job.generation,
        overlaps: overlaps(&a, &b),
        a: Arc::new(a),
        b: Arc::new(b),
        images,
    });
    line.update(|shown| {
        let is_asked = shown.query.as_ref().is_some_and(|query| query.id == job.id);
        let Some(view) =
            shown.views.compare.as_ref().filter(|view| (view.number, view.wanted) == (number, step))
        else {
            return;
        };
        if is_asked && shown.generation == job.generation {
            let mut view = (**view).clone();
            view.galleries = Some(compared.clone());
            *found.lock().unwrap_or_else(PoisonError::into_inner) = Some((number, compared));
            shown.views.compare = Some(Arc::new(view));
        }
    });
}

/// overlap@k in each space that both have.
fn overlaps(a: &GalleryView, b: &GalleryView) -> Vec<(String, Overlap)> {
    let patches = |gallery: &Gallery| gallery.neighbours.iter().map(|n| n.patch).collect::<Vec<PatchRef>>();
    let overlap = |first: &Gallery| {
        let second = b.spaces.iter().find(|other| other.space == first.space)?;
        let candidates = first.candidates.min(second.candidates);
        Some((first.space.clone(), Overlap::of(&patches(first), &patches(second), candidates)))
    };
    a.spaces.iter().filter_map(overlap).collect()
}
