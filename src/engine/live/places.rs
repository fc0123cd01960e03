//! Galleries for several places at once, as long as the window looks at them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::bank::Bank;
use crate::engine::ask::{
    Command, EngineLine, GalleryView, MOST_PLACES, PlaceView, PlacesRequest, PlacesView, QuerySpec,
};
use crate::engine::live::open::Open;
use crate::engine::live::part::{Change, Due, Handled, Part, Turn};
use crate::engine::look::extraction::Growing;
use crate::engine::look::gallery::{GallerySearch, SearchJob, Searcher};
use crate::engine::look::parts::{self, EmbeddedPart};
use crate::patch::PatchRef;

/// How often the galleries follow a bank that grows.
const PERIOD: Duration = Duration::from_secs(3);

/// What is asked for, and how far it is.
pub struct PlacesPart {
    searcher: Searcher<PlacesTag>,
    request: Option<PlacesRequest>,
    entries: Vec<Entry>,
    found: FoundPlaces,
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

/// The galleries that are known, shared with the thread that finds them: by the place as it was asked for.
type FoundPlaces = Arc<Mutex<Vec<FoundPlace>>>;

struct FoundPlace {
    asked: PatchRef,
    gallery: Arc<GalleryView>,
    /// How many neighbours were asked for.
    neighbours: usize,
}

impl PlacesPart {
    /// Asks `searcher`.
    pub fn new(searcher: Searcher<PlacesTag>) -> Self {
        let (request, entries, found) = (None, vec![], FoundPlaces::default());
        Self { searcher, request, entries, found, round: 0, asked: Instant::now(), is_final: false }
    }

    fn next(&self) -> Option<usize> {
        self.entries.iter().position(|entry| entry.parts.is_none() && entry.error.is_none())
    }

    /// Looks for all places anew: other places, spaces, patches or filters. What was embedded or found for
    /// the same is taken from where it is kept.
    fn begin(&mut self, open: &Open) {
        let data = open.data.as_ref().map(|data| data.id);
        self.round += 1;
        self.is_final = false;
        let request = self.request.as_ref().filter(|request| Some(request.data) == data);
        let places = request.map(|request| request.places.iter().take(MOST_PLACES));
        self.entries = places.map_or_else(Vec::new, |places| {
            places.map(|asked| Entry { asked: *asked, patch: *asked, parts: None, error: None }).collect()
        });
        let asked: Vec<PatchRef> = self.entries.iter().map(|entry| entry.asked).collect();
        locked(&self.found).retain(|place| asked.contains(&place.asked));
        self.publish(open);
    }

    /// Embeds one place; after the last one all are searched.
    fn embed_next(&mut self, open: &mut Open) {
        let Some(index) = self.next() else { return };
        let patch = self.entries[index].patch;
        let embedded = embedded(open, patch);
        if let (Ok((patch, _)), Some(growing)) = (&embedded, &mut open.growing) {
            growing.invite(&[patch.image]);
        }
        let entry = &mut self.entries[index];
        match embedded {
            Ok((patch, parts)) => (entry.patch, entry.parts) = (patch, Some(parts)),
            Err(error) => entry.error = Some(format!("{error:#}")),
        }
        if self.next().is_none() {
            self.publish(open);
            self.search(open);
        }
    }

    /// Shows the places with the galleries that are known of them.
    fn publish(&self, open: &Open) {
        open.line.update(|shown| {
            let found = locked(&self.found);
            let view = |entry: &Entry| {
                let known = found.iter().find(|place| place.asked == entry.asked);
                PlaceView {
                    asked: entry.asked,
                    patch: entry.patch,
                    gallery: known.map(|known| known.gallery.clone()),
                    neighbours: known.map_or(0, |known| known.neighbours),
                    error: entry.error.clone(),
                }
            };
            let places = self.entries.iter().map(view).collect();
            shown.views.places =
                self.request.as_ref().map(|_| Arc::new(PlacesView { round: self.round, places }));
        });
    }

    /// Searches for the places whose galleries are not of this bank and filter.
    fn search(&mut self, open: &Open) {
        let (Some(data), Some(config), Some(growing), Some(request)) =
            (&open.data, &open.config, &open.growing, &self.request)
        else {
            return;
        };
        if growing.images() == 0 || self.next().is_some() {
            return;
        }
        let names = open.space_names();
        let is_current = |view: &GalleryView, bank: &Bank| {
            let spaces = view.spaces.iter().map(|gallery| &gallery.space);
            let there = (bank.own_images(), bank.guests().len());
            let way = open.by_codes(bank).map(|by_codes| by_codes.way);
            let is_asked = (view.filter, view.way) == (config.filter, way);
            (view.images.0, view.guests) == there && is_asked && spaces.eq(&names)
        };
        let found = locked(&self.found);
        let is_found = |asked: PatchRef, bank: &Bank| {
            let place = found.iter().find(|place| place.asked == asked);
            let place = place.filter(|place| place.neighbours == request.neighbours);
            place.is_some_and(|place| is_current(&place.gallery, bank))
        };
        let (mut jobs, mut places) = (vec![], vec![]);
        for (index, entry) in self.entries.iter().enumerate() {
            let Ok(bank) = growing.bank_with(&[entry.patch.image]) else { continue };
            let Some(parts) = entry.parts.as_ref().filter(|_| !is_found(entry.asked, &bank)) else {
                continue;
            };
            let query = QuerySpec::one(entry.patch);
            let Ok(vectors) = parts::composed(&query, parts) else { continue };
            places.push((index, entry.asked));
            jobs.push(SearchJob {
                id: 0,
                query,
                query_pixels: parts::picture(parts),
                vectors: names.iter().cloned().zip(vectors).collect(),
                neighbours: request.neighbours,
                filter: config.filter,
                by_codes: open.by_codes(&bank),
                bank,
                data: data.set.clone(),
                data_id: data.id,
                generation: open.generation,
            });
        }
        drop(found);
        self.is_final = growing.is_settled();
        self.asked = Instant::now();
        let (neighbours, found) = (request.neighbours, self.found.clone());
        let tag = PlacesTag { round: self.round, places, neighbours, found };
        if !jobs.is_empty() {
            self.searcher.search(GallerySearch { jobs, tag });
        }
    }
}

impl Part for PlacesPart {
    fn handle(&mut self, command: Command, open: &mut Open) -> Handled {
        let Command::Places(request) = command else { return Handled::No(command) };
        let data = open.data.as_ref().map(|data| data.id);
        self.request = request.filter(|request| Some(request.data) == data);
        self.begin(open);
        Handled::Yes(Ok(()))
    }

    fn changed(&mut self, change: Change, open: &mut Open) {
        let is_idle = self.request.is_none() && self.entries.is_empty();
        match change {
            _ if is_idle => {}
            Change::Vectors => {
                // The galleries on show are of another model or of other patches.
                locked(&self.found).clear();
                self.begin(open);
            }
            Change::Settings => self.begin(open),
            // Searched again now and then while the bank grows, and once it is complete.
            Change::Bank => {
                let finished = open.growing.as_ref().is_some_and(Growing::is_settled);
                let is_due = self.asked.elapsed() >= PERIOD && self.searcher.is_idle();
                if !self.is_final && !self.entries.is_empty() && (finished || is_due) {
                    self.search(open);
                }
            }
            _ => {}
        }
    }

    fn due(&self, open: &Open) -> Due {
        match open.has_vectors() && self.next().is_some() {
            true => Due::Awaited,
            false => Due::Nothing,
        }
    }

    fn work(&mut self, open: &mut Open) -> Turn {
        self.embed_next(open);
        Turn::Taken
    }

    fn shares_turns(&self) -> bool {
        true
    }
}

fn embedded(open: &mut Open, patch: PatchRef) -> anyhow::Result<(PatchRef, Vec<Arc<EmbeddedPart>>)> {
    ensure!((patch.image as usize) < open.set()?.len(), "there is no image {}", patch.image);
    let query = open.on_grid(open.within(QuerySpec::one(patch))?)?;
    let parts = open.embed(&query)?;
    Ok((query.as_patch().unwrap_or(patch), parts))
}

fn locked(found: &FoundPlaces) -> std::sync::MutexGuard<'_, Vec<FoundPlace>> {
    found.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Which places of which question a search is for, in the order of its jobs, with how many neighbours.
pub struct PlacesTag {
    round: u64,
    /// Index, and the place as it was asked for.
    places: Vec<(usize, PatchRef)>,
    neighbours: usize,
    found: FoundPlaces,
}

/// Keeps and shows the galleries that were found, unless there is a later question.
pub fn show_places(line: &EngineLine, request: GallerySearch<PlacesTag>, views: Vec<GalleryView>) {
    let PlacesTag { round, places, neighbours, found } = request.tag;
    line.update(|shown| {
        let Some(view) = shown.views.places.as_mut().filter(|view| view.round == round) else { return };
        let view = Arc::make_mut(view);
        let mut found = locked(&found);
        for ((index, asked), gallery) in places.into_iter().zip(views.into_iter().map(Arc::new)) {
            found.retain(|place| place.asked != asked);
            found.push(FoundPlace { asked, gallery: gallery.clone(), neighbours });
            if let Some(place) = view.places.get_mut(index) {
                place.gallery = Some(gallery);
                place.neighbours = neighbours;
            }
        }
    });
}
