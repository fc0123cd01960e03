//! The driver: a loop over commands, the parts that work on what is open, and training.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::device::OpenDevice;
use crate::engine::ask::{Command, CompareCommand, EngineLine, TrainCommand, about};
use crate::engine::compare::Compare;
use crate::engine::figures::worker::FigureWorker;
use crate::engine::live::bank_growth::BankGrowthPart;
use crate::engine::live::beside::BesidePart;
use crate::engine::live::comparison::ComparisonPart;
use crate::engine::live::evaluation::EvaluationPart;
use crate::engine::live::extraction::ExtractionPart;
use crate::engine::live::figures::FiguresPart;
use crate::engine::live::galleries::GalleriesPart;
use crate::engine::live::image_measures::ImageMeasuresPart;
use crate::engine::live::maps::MapsPart;
use crate::engine::live::microscope::MicroscopePart;
use crate::engine::live::open::Open;
use crate::engine::live::part::{Change, Due, Handled, Part, Turn};
use crate::engine::live::places::{PlacesPart, PlacesTag, show_places};
use crate::engine::live::sample_measures::SampleMeasuresPart;
use crate::engine::live::scatter::ScatterPart;
use crate::engine::live::world::WorldPart;
use crate::engine::look::gallery::{Searcher, show_galleries};
use crate::engine::look::image_search::ImageSearch;
use crate::engine::look::thumbnails::Thumbnails;
use crate::engine::runs::control::RunControl;
use crate::search::Processor;
use crate::train::run_of;

/// What works beside the thread that owns the tensors; started before it, so that what fails is told at once.
pub struct Helpers {
    galleries: Searcher<()>,
    places: Searcher<PlacesTag>,
    thumbnails: Thumbnails,
    image_search: ImageSearch,
    figures: FigureWorker,
    compare: Compare,
    scatter: ScatterPart,
    training: RunControl,
}

impl Helpers {
    /// Starts their threads.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(
        line: &Arc<EngineLine>,
        device: &OpenDevice,
        processor: &Arc<Processor>,
    ) -> anyhow::Result<Self> {
        let kept = device.memory.images();
        let training = RunControl::new(line.clone(), device.is_gpu)?;
        let followed = training.followed();
        Ok(Self {
            galleries: Searcher::start(line.clone(), processor.clone(), kept, show_galleries)?,
            places: Searcher::start(line.clone(), processor.clone(), kept, show_places)?,
            thumbnails: Thumbnails::start(line.clone())?,
            image_search: ImageSearch::start(line.clone())?,
            figures: FigureWorker::start(line.clone())?,
            compare: Compare::new(line.clone(), processor.clone(), device.memory, followed)?,
            scatter: ScatterPart::start(line)?,
            training,
        })
    }
}

/// Owns what is open and all that works on it.
pub struct Explorer {
    pub(super) open: Open,
    /// Most urgent first.
    parts: Vec<Box<dyn Part>>,
    training: RunControl,
    /// Whether the last unit was the shown maps' alone.
    maps_had_turn: bool,
}

impl Explorer {
    /// Nothing is open.
    pub fn new(open: Open, helpers: Helpers) -> Self {
        let compare = Rc::new(RefCell::new(helpers.compare));
        let parts: Vec<Box<dyn Part>> = vec![
            Box::new(PlacesPart::new(helpers.places)),
            Box::new(MicroscopePart::default()),
            Box::new(MapsPart::default()),
            Box::new(ImageMeasuresPart::default()),
            Box::new(FiguresPart::new(helpers.figures, compare.clone())),
            Box::new(ComparisonPart::new(compare)),
            Box::new(WorldPart::default()),
            Box::new(EvaluationPart::default()),
            Box::new(SampleMeasuresPart::new(open.line.clone())),
            Box::new(helpers.scatter),
            Box::new(BankGrowthPart::default()),
            Box::new(ExtractionPart),
            Box::new(GalleriesPart::new(helpers.galleries)),
            Box::new(BesidePart::new(helpers.thumbnails, helpers.image_search)),
        ];
        Self { open, parts, training: helpers.training, maps_had_turn: false }
    }

    /// Until the window lets go of its end.
    pub fn run(&mut self) {
        let commands = self.open.line.commands.clone();
        loop {
            let mut waiting: Vec<Command> = commands.try_iter().collect();
            if waiting.is_empty() && !self.has_work() {
                // At most until a part has work again.
                let rested = self.parts.iter().filter_map(|part| part.rests_until()).min();
                match self.open.line.wait(rested) {
                    Ok(command) => waiting.extend(command),
                    Err(_) => return,
                }
            }
            if waiting.is_empty() && self.open.line.is_abandoned() {
                return;
            }
            for command in newest_query_only(waiting) {
                let about = about(&command);
                if let Err(error) = self.handle(command) {
                    self.open.fail(about, &error);
                }
                self.open.line.update(|shown| shown.busy = None);
            }
            self.turn();
        }
    }

    fn has_work(&self) -> bool {
        self.parts.iter().any(|part| part.due(&self.open) > Due::Nothing) || self.training.has_work()
    }

    /// Tells every part what is another thing by now.
    pub(super) fn tell(&mut self, change: Change) {
        self.parts.iter_mut().for_each(|part| part.changed(change, &mut self.open));
    }

    fn handle(&mut self, command: Command) -> anyhow::Result<()> {
        // Meant for a data set that is not open any more: its indices say nothing about this one.
        let open = self.open.data.as_ref().map(|data| data.id);
        if command.data().is_some_and(|data| Some(data) != open) {
            return Ok(());
        }
        match command {
            Command::OpenModel { spec } => self.open_model(&spec),
            Command::OpenData { spec, split } => self.open_data(&spec, split),
            Command::OpenBank { folder } => self.open_bank(&folder),
            Command::ShowImage { index, .. } => self.show_image(index),
            Command::Query { id, query, image, .. } => self.ask(id, query, image),
            Command::Configure { id, config } => self.configure(id, config),
            Command::CountFrom { data } => {
                self.open.next_data = self.open.next_data.max(data);
                Ok(())
            }
            Command::Reconnect => Ok(()),
            Command::Train(command) => {
                self.training.handle(command, &self.open.device);
                Ok(())
            }
            other => self.hand_on(other),
        }
    }

    /// Gives a command to the part whose business it is.
    fn hand_on(&mut self, mut command: Command) -> anyhow::Result<()> {
        let run = compared_run(&command);
        for part in &mut self.parts {
            match part.handle(command, &mut self.open) {
                Handled::Yes(done) => {
                    done?;
                    run.into_iter().for_each(|run| self.training.handle(run, &self.open.device));
                    return Ok(());
                }
                Handled::No(same) => command = same,
            }
        }
        anyhow::bail!("no part of the engine does this")
    }

    /// A unit of what is looked at, then a training step. What somebody waits for comes before; the rest, such as the
    /// galleries' patches, has a part of the time while a model is trained.
    fn turn(&mut self) {
        self.open.is_quiet = self.training.hides_others();
        self.parts.iter_mut().for_each(|part| part.follow(&mut self.open));
        let is_awaited = self.parts.iter().any(|part| part.due(&self.open) == Due::Awaited);
        if is_awaited || self.training.grants() {
            let clock = Instant::now();
            if let Some(change) = self.work() {
                self.tell(change);
            }
            self.training.note_other(clock.elapsed());
        }
        if !is_awaited {
            self.training.step(&self.open.device);
        }
    }

    /// One unit of the most urgent part; after one that shares its turns, every other time, one of the next that
    /// does not. Returns what is another thing after it.
    fn work(&mut self) -> Option<Change> {
        let mut has_shared = false;
        for part in &mut self.parts {
            let is_left_out = has_shared && part.shares_turns();
            if is_left_out || part.due(&self.open) == Due::Nothing {
                continue;
            }
            match part.work(&mut self.open) {
                Turn::Passed => {}
                Turn::Changed(change) => return Some(change),
                Turn::Taken if !part.shares_turns() => return None,
                Turn::Taken => {
                    has_shared = true;
                    self.maps_had_turn = !self.maps_had_turn;
                    if self.maps_had_turn {
                        return None;
                    }
                }
            }
        }
        None
    }
}

/// A run's curves are followed as soon as its checkpoints are compared.
fn compared_run(command: &Command) -> Option<TrainCommand> {
    let Command::Compare(CompareCommand::OpenOther { spec }) = command else { return None };
    let (run, _) = run_of(spec)?;
    Some(TrainCommand::OpenRun(run))
}

/// Of several queries only the last counts, of lists of places too, and of images only one that no later query
/// or image replaces; all other commands stay in their order. Figures name their queries themselves.
fn newest_query_only(commands: Vec<Command>) -> Vec<Command> {
    let mut kept = Vec::with_capacity(commands.len());
    let (mut has_query, mut has_image, mut has_places) = (false, false, false);
    for command in commands.into_iter().rev() {
        match command {
            Command::Query { .. } if has_query => continue,
            Command::ShowImage { .. } if has_image => continue,
            Command::Places(_) if has_places => continue,
            Command::Places(_) => has_places = true,
            Command::Query { .. } => (has_query, has_image) = (true, true),
            Command::ShowImage { .. } => has_image = true,
            _ => {}
        }
        kept.push(command);
    }
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ask::{QuerySpec, RequestId};
    use crate::patch::PatchRef;

    fn query(id: RequestId) -> Command {
        let query = QuerySpec::one(PatchRef { image: 0, y: 0, x: 0, size: 8 });
        Command::Query { id, data: 1, query, image: 0 }
    }

    #[test]
    fn only_the_newest_query_is_answered() {
        let commands = vec![query(1), Command::PauseExtraction(true), query(2), query(3)];
        let kept = newest_query_only(commands);
        assert_eq!(kept.len(), 2);
        assert!(matches!(kept[1], Command::Query { id: 3, .. }));
    }

    #[test]
    fn the_query_stays_when_another_image_is_shown_after_it() {
        let show = |index| Command::ShowImage { data: 1, index };
        let kept = newest_query_only(vec![query(1), show(4), show(5)]);
        assert!(matches!(kept[..], [Command::Query { id: 1, .. }, Command::ShowImage { index: 5, .. }]));
        let kept = newest_query_only(vec![query(1), show(4), query(2)]);
        assert!(matches!(kept[..], [Command::Query { id: 2, .. }]));
    }
}
