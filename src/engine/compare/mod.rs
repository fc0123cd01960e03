//! A second model beside the open one, or the kept checkpoints of a run one after the other: the same
//! query, image and patches under both. Lives on the thread that owns the tensors and works after the
//! first model's own maps, one batch at a time.

mod galleries;
pub mod place;
pub mod side;

use std::sync::Arc;

use anyhow::Context;

use crate::device::OpenDevice;
use crate::engine::ask::{Beside, CompareCommand, CompareView, EngineLine, KeptView, OtherView};
use crate::engine::compare::galleries::Galleries;
use crate::engine::compare::place::{OtherModel, opened};
use crate::engine::compare::side::{Key, Side, SideFrame, SideTarget, SideUnit};
use crate::engine::runs::followed::FollowedRuns;
use crate::memory::MemoryBudget;
use crate::search::Processor;

/// Images whose patches are neighbours to choose from, unless told.
const IMAGES: usize = 64;
/// Checkpoints that are computed ahead, at most.
const AHEAD: usize = 4;

/// The second model.
pub struct Compare {
    line: Arc<EngineLine>,
    /// Where checkpoints of a run are seen.
    followed: FollowedRuns,
    galleries: Galleries,
    open: Option<OtherModel>,
    /// Times that a model was opened.
    number: u64,
    /// What was computed; what was of use last comes last.
    sides: Vec<Side>,
    /// Checkpoints that cannot be read.
    failed: Vec<Key>,
    is_shown: bool,
    is_paused: bool,
    is_ahead: bool,
    images: usize,
    /// Memory that weights and vectors of B's checkpoints may take; those that were not shown for longest
    /// go first.
    budget: u64,
    other: Option<Arc<OtherView>>,
    /// Whether there is news that is not published.
    has_news: bool,
}

impl Compare {
    /// Nothing is compared.
    pub fn new(
        line: Arc<EngineLine>,
        processor: Arc<Processor>,
        memory: MemoryBudget,
        followed: FollowedRuns,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            galleries: Galleries::start(line.clone(), processor, memory.images())?,
            line,
            followed,
            open: None,
            number: 0,
            sides: vec![],
            failed: vec![],
            is_shown: false,
            is_paused: false,
            is_ahead: false,
            images: IMAGES,
            budget: memory.compared(),
            other: None,
            has_news: false,
        })
    }

    /// Takes note of what is asked; the work is done in units.
    pub fn handle(&mut self, command: CompareCommand) -> anyhow::Result<()> {
        self.has_news = true;
        match command {
            CompareCommand::OpenOther { spec } => {
                let mut open = opened(&spec)?;
                open.be_called_as(&self.followed.runs());
                self.close();
                self.number += 1;
                self.open = Some(open);
            }
            CompareCommand::ScrubTo { step } => {
                if let Some(open) = &mut self.open {
                    open.scrub_to(step);
                    self.failed.retain(|key| *key != open.key);
                }
            }
            CompareCommand::CloseOther => self.close(),
            CompareCommand::Show(is_shown) => self.is_shown = is_shown,
            CompareCommand::Pause(is_paused) => {
                self.is_paused = is_paused;
                if !is_paused {
                    self.sides.iter_mut().for_each(Side::go_on);
                }
            }
            CompareCommand::Ahead(is_ahead) => self.is_ahead = is_ahead,
            CompareCommand::Images(images) => self.images = images.max(1),
        }
        Ok(())
    }

    fn close(&mut self) {
        self.open = None;
        self.sides.clear();
        self.failed.clear();
        self.other = None;
        self.is_ahead = false;
        self.is_paused = false;
    }

    /// What there is to do: which checkpoint, and what of it; `None` of it is to read its weights.
    fn due(&self, target: &SideTarget<'_>) -> Option<(Key, Option<SideUnit>)> {
        let open = self.open.as_ref().filter(|_| self.is_shown)?;
        let frame = target.frame(self.images);
        if open.error.is_none() {
            match self.side(&open.key) {
                None => return Some((open.key.clone(), None)),
                Some(side) => {
                    if let Some(unit) = side.due(&frame, self.is_paused) {
                        return Some((open.key.clone(), Some(unit)));
                    }
                }
            }
        }
        if !self.is_ahead || self.is_paused {
            return None;
        }
        // As many as fit beside the one on show, so that none is computed only to be forgotten.
        let largest = self.sides.iter().map(Side::bytes).max().unwrap_or(1).max(1);
        let room = (self.budget / largest).saturating_sub(1) as usize;
        open.later().take(AHEAD.min(room)).filter(|key| !self.failed.contains(key)).find_map(|key| match self
            .side(&key)
        {
            None => Some((key, None)),
            Some(side) => side.due(&frame, false).map(|unit| (key, Some(unit))),
        })
    }

    /// Whether what there is to compute is of the map on show, which comes before what nobody waits for; `None` if there
    /// is nothing.
    pub fn next_is_map(&self, target: &SideTarget<'_>) -> Option<bool> {
        let wanted = self.open.as_ref().map(|open| &open.key);
        self.due(target).map(|(key, unit)| Some(&key) == wanted && unit != Some(SideUnit::Bank))
    }

    /// Whether the first model's patches are not so far that both galleries can be whole.
    pub fn waits_for_first(&self, target: &SideTarget<'_>) -> bool {
        let images = target.frame(self.images).reach.images;
        target.growing.is_some_and(|growing| growing.images() < images)
    }

    fn side(&self, key: &Key) -> Option<&Side> {
        self.sides.iter().find(|side| side.key == *key)
    }

    /// The weights on show as B, for a figure of both models.
    ///
    /// # Errors
    /// They are not there any more.
    pub fn side_of(&mut self, beside: &Beside) -> anyhow::Result<&mut Side> {
        // What was of use last comes last.
        let mut sides = self.sides.iter_mut().rev();
        sides
            .find(|side| side.embedder.hash == beside.hash)
            .context("the second model was closed or is another one by now; ask for the figure again")
    }

    /// One unit of work.
    pub fn work(&mut self, target: &SideTarget<'_>, device: &OpenDevice) {
        let Some((key, unit)) = self.due(target) else { return };
        self.has_news = true;
        let frame = target.frame(self.images);
        match unit {
            None => self.read(key, device),
            Some(unit) => {
                let Some(place) = self.sides.iter().position(|side| side.key == key) else { return };
                let side = &mut self.sides[place];
                side.fit(&frame, target, self.budget);
                match unit {
                    SideUnit::Map => side.refine(),
                    SideUnit::Bank => side.extract(),
                }
            }
        }
        self.forget();
        self.follow(Some(target));
    }

    /// Reads the weights of `key`.
    fn read(&mut self, key: Key, device: &OpenDevice) {
        let Some(open) = &mut self.open else { return };
        match open.read(&key, device) {
            Ok(embedder) => self.sides.push(Side::new(key, embedder)),
            Err(error) => {
                if open.key == key {
                    open.error = Some(error);
                }
                self.failed.push(key);
            }
        }
    }

    /// Keeps memory within the budget: what was not of use for longest goes, the wanted one never.
    fn forget(&mut self) {
        let wanted = self.open.as_ref().map(|open| open.key.clone());
        while self.bytes() > self.budget && self.sides.len() > 1 {
            let oldest = self.sides.iter().position(|side| Some(&side.key) != wanted.as_ref());
            let Some(oldest) = oldest else { break };
            self.sides.remove(oldest);
        }
    }

    fn bytes(&self) -> u64 {
        self.sides.iter().map(Side::bytes).sum()
    }

    /// Follows what is on show of the first model, and shows what is known.
    pub fn follow(&mut self, target: Option<&SideTarget<'_>>) {
        let Some(open) = &mut self.open else {
            if std::mem::take(&mut self.has_news) {
                self.line.update(|shown| shown.views.compare = None);
            }
            return;
        };
        self.has_news |= open.look_for_checkpoints(&self.followed.runs());
        let shown = target.filter(|_| self.is_shown);
        if let Some(target) = shown {
            self.show_maps(target);
        }
        if std::mem::take(&mut self.has_news) {
            self.publish(target);
        }
        // After it is published what is wanted: an answer to something else is dropped, however soon it comes.
        if let Some(target) = shown {
            self.ask_for_galleries(target);
        }
    }

    /// Brings the maps of the wanted checkpoint up to date, as far as it is computed.
    fn show_maps(&mut self, target: &SideTarget<'_>) {
        let Some(open) = &self.open else { return };
        let Some(side) = wanted(&mut self.sides, &open.key, &target.frame(self.images)) else { return };
        if let Some(other) = other_view(side, target, self.other.as_ref()) {
            self.other = Some(Arc::new(other));
            self.has_news = true;
        }
    }

    /// Asks for the galleries of the wanted checkpoint, as far as it is computed.
    fn ask_for_galleries(&mut self, target: &SideTarget<'_>) {
        let Some(open) = &self.open else { return };
        let frame = target.frame(self.images);
        if let Some(side) = wanted(&mut self.sides, &open.key, &frame) {
            self.galleries.ask(self.number, side, &frame, target, self.is_paused);
        }
    }

    fn publish(&self, target: Option<&SideTarget<'_>>) {
        let Some(open) = &self.open else { return };
        let frame = target.map(|target| target.frame(self.images));
        let side = self.side(&open.key);
        let growing = side.zip(frame.as_ref()).and_then(|(side, frame)| side.growing(frame));
        let bank_error = match growing {
            Some(Err(error)) => Some(format!("No neighbours under {}: {error}", open.name)),
            Some(Ok(growing)) => {
                growing.stopped().map(|why| format!("Embedding with {} stopped: {why}", open.name))
            }
            None => None,
        };
        let complete = |side: &&Side| frame.as_ref().is_some_and(|frame| side.is_complete(frame));
        let mut steps: Vec<u64> = self.sides.iter().filter(complete).filter_map(|s| s.key.step).collect();
        steps.sort_unstable();
        let view = CompareView {
            number: self.number,
            name: open.name.clone(),
            run: open.run.clone(),
            steps: open.steps.clone(),
            wanted: open.key.step,
            other: self.other.clone(),
            galleries: None,
            extraction: growing.and_then(Result::ok).map(|growing| growing.shown()),
            kept: KeptView { steps, bytes: self.bytes(), budget: self.budget },
            images: self.images,
            paused: self.is_paused,
            error: open.error.clone().or(bank_error),
        };
        self.line.update(|shown| {
            let galleries = self.galleries.found(self.number);
            let galleries = galleries.filter(|galleries| galleries.generation == shown.generation);
            shown.views.compare = Some(Arc::new(CompareView { galleries, ..view }));
        });
    }
}

/// The side of `key`, if it is made for `frame`. It is of use now: it becomes the last to go when memory is short.
fn wanted<'a>(sides: &'a mut [Side], key: &Key, frame: &SideFrame) -> Option<&'a mut Side> {
    let place = sides.iter().position(|side| side.key == *key)?;
    sides[place..].rotate_left(1);
    sides.last_mut().filter(|side| side.is_for(frame))
}

/// What `side` shows of the query; `None` if that is on show already, or nothing is known yet.
fn other_view(side: &mut Side, target: &SideTarget<'_>, shown: Option<&Arc<OtherView>>) -> Option<OtherView> {
    let query = target.query?;
    let known = side.known_cells();
    let is_shown = shown.is_some_and(|shown| {
        (shown.step, &shown.hash) == (side.key.step, &side.embedder.hash)
            && (shown.generation, shown.query_id, shown.known) == (target.generation, query.id, known)
            && shown.image == target.view.index
            && shown.maps.len() + shown.missing.len() == target.spaces.len()
    });
    if is_shown || known == 0 {
        return None;
    }
    side.query_vectors(target, query);
    let (maps, total) = side.heatmaps()?;
    let names = target.spaces.iter().map(|space| space.to_string());
    let missing = names.filter(|name| maps.iter().all(|map| map.space != *name)).collect();
    Some(OtherView {
        step: side.key.step,
        arch: side.embedder.info.backbone.title(),
        input: side.embedder.info.input,
        hash: side.embedder.hash.clone(),
        generation: target.generation,
        query_id: query.id,
        query: query.query.clone(),
        image: target.view.index,
        maps,
        known,
        total,
        missing,
    })
}
