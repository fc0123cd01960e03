//! The query's neighbours, which follow the bank as it grows.

use std::time::{Duration, Instant};

use crate::engine::ask::ABOUT_GALLERIES;
use crate::engine::live::open::Open;
use crate::engine::live::part::{Change, Part};
use crate::engine::look::extraction::Growing;
use crate::engine::look::gallery::{GallerySearch, SearchJob, Searcher};
use crate::engine::look::parts;

/// How often the galleries follow a bank that grows.
const PERIOD: Duration = Duration::from_millis(700);

/// Has the query's neighbours searched.
pub struct GalleriesPart {
    searcher: Searcher<()>,
    asked: Instant,
    /// Whether the last search was over all that there is.
    is_final: bool,
}

impl GalleriesPart {
    /// Asks `searcher`.
    pub fn new(searcher: Searcher<()>) -> Self {
        Self { searcher, asked: Instant::now(), is_final: false }
    }

    fn ask(&mut self, open: &Open) {
        let (Some(query), Some(data), Some(config), Some(growing)) =
            (&open.query, &open.data, &open.config, &open.growing)
        else {
            return;
        };
        let bank = match growing.bank_with(&query.query.images()) {
            Ok(bank) => bank,
            Err(error) => return open.fail(ABOUT_GALLERIES, &error),
        };
        if bank.patches() == 0 {
            self.is_final = false;
            return;
        }
        self.is_final = growing.is_settled();
        self.asked = Instant::now();
        let job = SearchJob {
            id: query.id,
            query: query.query.clone(),
            query_pixels: parts::picture(&query.parts),
            vectors: open.space_names().into_iter().zip(query.vectors.iter().cloned()).collect(),
            neighbours: config.neighbours,
            filter: config.filter,
            by_codes: open.by_codes(&bank),
            bank,
            data: data.set.clone(),
            data_id: data.id,
            generation: open.generation,
        };
        self.searcher.search(GallerySearch { jobs: vec![job], tag: () });
    }
}

impl Part for GalleriesPart {
    fn changed(&mut self, change: Change, open: &mut Open) {
        match change {
            Change::Query => self.ask(open),
            Change::Bank => {
                let finished = open.growing.as_ref().is_some_and(Growing::is_settled);
                let due = !open.is_quiet && self.asked.elapsed() >= PERIOD && self.searcher.is_idle();
                if !self.is_final && (finished || due) {
                    self.ask(open);
                }
            }
            _ => {}
        }
    }
}
