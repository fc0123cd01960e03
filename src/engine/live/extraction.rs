//! Work between commands: the map of the image on show and the patches that the galleries search.

use super::Explorer;
use std::time::{Duration, Instant};

use crate::embed::BATCH;
use crate::engine::ask::Snapshot;
use crate::engine::look::extraction::Growing;

/// How often the galleries follow a bank that grows.
const GALLERY_PERIOD: Duration = Duration::from_millis(700);

impl Explorer {
    pub(super) fn has_work(&self) -> bool {
        let extraction = self.growing.as_ref().is_some_and(Growing::has_work);
        let looks = self.is_map_due() || extraction || self.compare_has_work();
        looks || self.figures.has_work() || self.training.has_work()
    }

    /// Whether something of the image on show is still to be embedded.
    fn is_map_due(&self) -> bool {
        self.is_place_due() || self.is_microscope_due() || self.maps.is_due()
    }

    /// A unit of what is looked at, then a training step. The map on show and a figure come before both; the
    /// galleries' patches have a part of the time while a model is trained.
    pub(super) fn turn(&mut self) -> anyhow::Result<()> {
        self.follow_with_compare();
        let is_map_due = self.is_map_due() || self.is_compared_map_due();
        let mut explored = Ok(());
        let is_figure_due = self.figures.has_work();
        if is_map_due || is_figure_due || self.training.grants() {
            let clock = Instant::now();
            explored = self.work();
            self.training.note_other(clock.elapsed());
        }
        if !is_map_due && !is_figure_due {
            self.training.step(&self.device);
        }
        explored
    }

    /// One unit: a batch of the shown maps and, by turns with it, a batch of extraction, so that
    /// the first neighbours do not wait for the last cell.
    fn work(&mut self) -> anyhow::Result<()> {
        if self.is_map_due() {
            self.refine_maps();
            self.map_has_turn = !self.map_has_turn;
            if self.map_has_turn {
                return Ok(());
            }
        }
        if self.figures.has_work() {
            self.gather_on();
            return Ok(());
        }
        if self.work_on_compare() {
            return Ok(());
        }
        let (Some(embedder), Some(growing)) = (&self.embedder, &mut self.growing) else { return Ok(()) };
        if !growing.has_work() {
            return Ok(());
        }
        growing.advance(embedder)?;
        let finished = growing.extraction.is_finished();
        self.publish_extraction();
        let is_seen = !self.training.hides_others();
        let due = is_seen && self.gallery_asked.elapsed() >= GALLERY_PERIOD && self.searcher.is_idle();
        if !self.gallery_final && (finished || due) {
            self.ask_gallery();
        }
        self.follow_with_places(finished);
        Ok(())
    }

    /// A place or a batch of the microscope, which are what is looked at while they are on show; else a batch
    /// of the maps.
    fn refine_maps(&mut self) {
        if self.is_place_due() {
            self.place_on();
            return;
        }
        if self.is_microscope_due() {
            self.refine_microscope();
            return;
        }
        let Some(embedder) = &self.embedder else { return };
        self.maps.refine(embedder, BATCH);
        self.publish_query();
        if !self.maps.is_due() {
            self.publish_pictures();
        }
    }

    pub(super) fn publish_extraction(&self) {
        let extraction = self.growing.as_ref().map(Growing::shown);
        let change = |shown: &mut Snapshot| shown.extraction = extraction;
        if self.training.hides_others() { self.line.update_quietly(change) } else { self.line.update(change) }
    }
}
