//! Galleries for several places at once, as long as the window looks at them.

use super::Explorer;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::engine::ask::{
    EngineLine, GalleryView, MOST_PLACES, PlaceView, PlacesRequest, PlacesView, QuerySpec,
};
use crate::engine::live::query::within;
use crate::engine::look::gallery::{GallerySearch, SearchJob, Searcher};
use crate::engine::look::parts;
use crate::engine::look::parts::{EmbeddedPart, PartSources};
use crate::patch::PatchRef;
use crate::search::Processor;

/// How often the galleries follow a bank that grows.
const PERIOD: Duration = Duration::from_secs(3);

/// What is asked for, and how far it is.
pub(super) struct Placing {
    searcher: Searcher<PlacesTag>,
    request: Option<PlacesRequest>,
    entries: Vec<Entry>,
    round: u64,
    asked: Instant,
    /// Whether the last search was over all that there is.
    is_final: bool,
}

/// One place.
struct Entry {
    asked: PatchRef,
    /// Moved into its image, once it is embedded.
    patch: PatchRef,
    /// Its pixels and vectors, once they are known.
    parts: Option<Vec<Arc<EmbeddedPart>>>,
    error: Option<String>,
}

impl Placing {
    /// Starts the thread that searches; it keeps at most `kept_bytes` of decoded images.
    pub fn new(line: Arc<EngineLine>, processor: Arc<Processor>, kept_bytes: u64) -> anyhow::Result<Self> {
        let searcher = Searcher::start(line, processor, kept_bytes, show_places)?;
        let (request, entries) = (None, vec![]);
        Ok(Self { searcher, request, entries, round: 0, asked: Instant::now(), is_final: false })
    }

    fn next(&self) -> Option<usize> {
        self.entries.iter().position(|entry| entry.parts.is_none() && entry.error.is_none())
    }
}

impl Explorer {
    /// Asks for these places, or for none any more.
    pub(super) fn set_places(&mut self, request: Option<PlacesRequest>) {
        let open = self.data.as_ref().map(|data| data.id);
        self.placing.request = request.filter(|request| Some(request.data) == open);
        self.place_again();
    }

    /// Looks for all places anew: other places, spaces, patches or filters. What was embedded or found for
    /// the same is taken from where it is kept.
    pub(super) fn place_again(&mut self) {
        let open = self.data.as_ref().map(|data| data.id);
        self.placing.round += 1;
        self.placing.is_final = false;
        let request = self.placing.request.as_ref().filter(|request| Some(request.data) == open);
        let places = request.map(|request| request.places.iter().take(MOST_PLACES));
        self.placing.entries = places.map_or_else(Vec::new, |places| {
            places.map(|asked| Entry { asked: *asked, patch: *asked, parts: None, error: None }).collect()
        });
        if self.placing.request.is_some() || self.line.snapshot().places.is_some() {
            self.publish_places();
        }
    }

    /// The galleries on show are of another model or of other patches.
    pub(super) fn forget_places(&self) {
        self.line.update(|shown| {
            if let Some(places) = &mut shown.places {
                Arc::make_mut(places).places.iter_mut().for_each(|place| place.gallery = None);
            }
        });
    }

    /// Whether a place is still to be embedded.
    pub(super) fn is_place_due(&self) -> bool {
        self.embedder.is_some() && self.placing.next().is_some()
    }

    /// Embeds one place; after the last one all are searched.
    pub(super) fn place_on(&mut self) {
        let Some(index) = self.placing.next() else { return };
        let patch = self.placing.entries[index].patch;
        let embedded = self.embedded_place(patch);
        let entry = &mut self.placing.entries[index];
        match embedded {
            Ok((patch, parts)) => (entry.patch, entry.parts) = (patch, Some(parts)),
            Err(error) => entry.error = Some(format!("{error:#}")),
        }
        if self.placing.next().is_none() {
            self.publish_places();
            self.ask_places();
        }
    }

    fn embedded_place(&mut self, patch: PatchRef) -> anyhow::Result<(PatchRef, Vec<Arc<EmbeddedPart>>)> {
        let set = self.data.as_ref().context("no data set is open")?.set.clone();
        ensure!((patch.image as usize) < set.len(), "there is no image {}", patch.image);
        let query = within(QuerySpec::one(patch), |image| set.dimensions(image as usize))?;
        let (Some(embedder), Some(config)) = (&self.embedder, &self.config) else {
            anyhow::bail!("no model is open");
        };
        let (spaces, size, maps) = (&self.spaces[..], config.grid.patch, self.maps.read());
        let from = PartSources { embedder, spaces, patch: size, maps: maps.as_ref() };
        let view = self.line.snapshot().view.clone();
        let image = |index: u32| match view.as_ref().filter(|view| view.index == index as usize) {
            Some(view) => Ok(view.image.clone()),
            None => Ok(Arc::new(set.image(index as usize)?)),
        };
        let parts = self.parts.embed(&query, &from, image)?;
        Ok((query.as_patch().unwrap_or(patch), parts))
    }

    /// Shows the places with the galleries that are known of them.
    fn publish_places(&self) {
        let Placing { entries, round, request, .. } = &self.placing;
        let before = self.line.snapshot().places.clone();
        let place = |entry: &Entry| {
            let known = before.as_ref().and_then(|view| view.of(entry.asked));
            PlaceView {
                asked: entry.asked,
                patch: entry.patch,
                gallery: known.and_then(|known| known.gallery.clone()),
                neighbours: known.map_or(0, |known| known.neighbours),
                error: entry.error.clone(),
            }
        };
        let places = entries.iter().map(place).collect();
        let view = request.as_ref().map(|_| Arc::new(PlacesView { round: *round, places }));
        self.line.update(|shown| shown.places = view);
    }

    /// Searches for the places whose galleries are not of this bank and filter.
    pub(super) fn ask_places(&mut self) {
        let (Some(data), Some(config), Some(growing), Some(request)) =
            (&self.data, &self.config, &self.growing, &self.placing.request)
        else {
            return;
        };
        let bank = growing.bank.snapshot();
        if bank.patches() == 0 || self.placing.next().is_some() {
            return;
        }
        let shown = self.line.snapshot();
        let names: Vec<String> = self.spaces.iter().map(|space| space.to_string()).collect();
        let is_current = |view: &GalleryView| {
            let spaces = view.spaces.iter().map(|gallery| &gallery.space);
            (view.searched, view.filter) == (bank.patches(), config.filter) && spaces.eq(&names)
        };
        let is_found = |asked: PatchRef| {
            let place = shown.places.as_ref().and_then(|view| view.of(asked));
            let place = place.filter(|place| place.neighbours == request.neighbours);
            place.and_then(|place| place.gallery.as_deref()).is_some_and(is_current)
        };
        let (mut jobs, mut indices) = (vec![], vec![]);
        for (index, entry) in self.placing.entries.iter().enumerate() {
            let Some(parts) = entry.parts.as_ref().filter(|_| !is_found(entry.asked)) else { continue };
            let query = QuerySpec::one(entry.patch);
            let Ok(vectors) = parts::composed(&query, parts) else { continue };
            indices.push(index);
            jobs.push(SearchJob {
                id: 0,
                query,
                query_pixels: parts::picture(parts),
                vectors: names.iter().cloned().zip(vectors).collect(),
                neighbours: request.neighbours,
                filter: config.filter,
                bank: bank.clone(),
                data: data.set.clone(),
                data_id: data.id,
                generation: shown.generation,
            });
        }
        self.placing.is_final = growing.extraction.is_finished();
        self.placing.asked = Instant::now();
        let tag = PlacesTag { round: self.placing.round, indices, neighbours: request.neighbours };
        if !jobs.is_empty() {
            self.placing.searcher.search(GallerySearch { jobs, tag });
        }
    }

    /// Searches again now and then while the bank grows, and once it is complete.
    pub(super) fn follow_with_places(&mut self, is_bank_complete: bool) {
        let is_due = self.placing.asked.elapsed() >= PERIOD && self.placing.searcher.is_idle();
        if !self.placing.is_final && !self.placing.entries.is_empty() && (is_bank_complete || is_due) {
            self.ask_places();
        }
    }
}

/// Which places of which question a search is for, in the order of its jobs, with how many neighbours.
pub struct PlacesTag {
    pub round: u64,
    pub indices: Vec<usize>,
    pub neighbours: usize,
}

/// Shows the galleries that were found.
pub fn show_places(line: &EngineLine, request: GallerySearch<PlacesTag>, views: Vec<GalleryView>) {
    let PlacesTag { round, indices, neighbours } = request.tag;
    line.update(|shown| {
        let Some(places) = shown.places.as_mut().filter(|places| places.round == round) else { return };
        let places = Arc::make_mut(places);
        for (index, view) in indices.into_iter().zip(views) {
            if let Some(place) = places.places.get_mut(index) {
                place.gallery = Some(Arc::new(view));
                place.neighbours = neighbours;
            }
        }
    });
}
