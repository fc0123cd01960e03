//! The engine's thread: newest query first, then one batch of the shown image's map, then one
//! batch of extraction and one training step; after each it publishes.

mod comparison;
mod extraction;
mod figures;
mod microscope;
mod open;
mod places;
mod query;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use anyhow::Context;

use crate::device::OpenDevice;
use crate::embed::Embedder;
use crate::engine::ask::{
    Command, DeviceDescription, EngineHandle, EngineLine, Event, ExploreConfig, PatchSpace,
};
use crate::engine::ask::{about, line};
use crate::engine::compare::Compare;
use crate::engine::figures::worker::FigureWorker;
use crate::engine::live::figures::FigureDesk;
use crate::engine::live::open::OpenData;
use crate::engine::live::places::Placing;
use crate::engine::live::query::CurrentQuery;
use crate::engine::look::extraction::Growing;
use crate::engine::look::gallery::{Searcher, show_galleries};
use crate::engine::look::image_search::{ImageSearch, ImageSearchJob};
use crate::engine::look::maps::SharedMaps;
use crate::engine::look::microscope::Microscope;
use crate::engine::look::parts::PartCache;
use crate::engine::look::preview;
use crate::engine::look::thumbnails::{PictureSize, ThumbnailJob, Thumbnails};
use crate::engine::runs::control::RunControl;
use crate::search::Processor;
use crate::threads;

/// Starts the engine's thread on a device. `wake` is called whenever there is something new.
pub fn start(device: OpenDevice, wake: impl Fn() + Send + Sync + 'static) -> anyhow::Result<EngineHandle> {
    let (handle, line) = line(wake);
    let line = Arc::new(line);
    let processor = Arc::new(Processor::of(&device));
    let searcher = Searcher::start(line.clone(), processor.clone(), device.memory.images(), show_galleries)?;
    let thumbnails = Thumbnails::start(line.clone())?;
    let finder = ImageSearch::start(line.clone())?;
    let training = RunControl::new(line.clone(), device.is_gpu)?;
    let compare = Compare::new(line.clone(), processor.clone(), device.memory)?;
    let placing = Placing::new(line.clone(), processor.clone(), device.memory.images())?;
    let figures = FigureDesk::new(FigureWorker::start(line.clone())?);
    let work = move || {
        threads::lead();
        let description = DeviceDescription {
            kind: if device.is_gpu { "GPU" } else { "CPU" },
            name: device.name.clone(),
            reason: device.reason.clone(),
        };
        line.update(|shown| shown.device = Some(Arc::new(description)));
        if let Some(message) = device.problem.clone() {
            line.emit(Event::Failed { about: "the GPU".into(), message });
        }
        let mut explorer = Explorer::new(
            line.clone(),
            (device, processor),
            searcher,
            (thumbnails, finder),
            training,
            (compare, figures, placing),
        );
        if let Err(error) = preview::start(line.clone(), explorer.maps.clone()) {
            explorer.fail("starting previews", &error);
        }
        // A panic below (a driver that gives up, no memory) must not leave a window that waits for ever.
        if catch_unwind(AssertUnwindSafe(|| explorer.run())).is_err() {
            line.update(|shown| shown.busy = None);
            let message = "it stopped unexpectedly; the terminal says more. Start bagssl again, with --device \
                           cpu if a GPU was in use";
            line.emit(Event::Failed { about: "the engine".into(), message: message.into() });
        }
    };
    thread::Builder::new()
        .name("engine".into())
        .spawn(work)
        .context("could not start the engine's thread")?;
    Ok(handle)
}

struct Explorer {
    line: Arc<EngineLine>,
    device: OpenDevice,
    /// Computes cosines.
    processor: Arc<Processor>,
    searcher: Searcher<()>,
    thumbnails: Thumbnails,
    finder: ImageSearch,
    training: RunControl,
    compare: Compare,
    figures: FigureDesk,
    placing: Placing,
    embedder: Option<Embedder>,
    data: Option<OpenData>,
    config: Option<ExploreConfig>,
    /// Those on show, of the open model.
    spaces: Vec<PatchSpace>,
    /// Whether the window shows the spaces as pictures.
    wants_pictures: bool,
    maps: SharedMaps,
    /// As the window last looked at it, and whether it does.
    microscope: Option<Microscope>,
    wants_microscope: bool,
    query: Option<CurrentQuery>,
    parts: PartCache,
    growing: Option<Growing>,
    gallery_asked: Instant,
    /// Whether the last gallery was searched over all that there is.
    gallery_final: bool,
    /// Whether the next unit is the map's alone.
    map_has_turn: bool,
    /// Whether the next unit is the first model's, where both models extract patches.
    first_has_turn: bool,
}

impl Explorer {
    fn new(
        line: Arc<EngineLine>,
        (device, processor): (OpenDevice, Arc<Processor>),
        searcher: Searcher<()>,
        (thumbnails, finder): (Thumbnails, ImageSearch),
        training: RunControl,
        (compare, figures, placing): (Compare, FigureDesk, Placing),
    ) -> Self {
        Self {
            line,
            device,
            processor,
            searcher,
            thumbnails,
            finder,
            training,
            compare,
            figures,
            placing,
            embedder: None,
            data: None,
            config: None,
            spaces: vec![],
            wants_pictures: false,
            maps: SharedMaps::default(),
            microscope: None,
            wants_microscope: false,
            query: None,
            parts: PartCache::default(),
            growing: None,
            gallery_asked: Instant::now(),
            gallery_final: false,
            map_has_turn: false,
            first_has_turn: false,
        }
    }

    /// Until the window lets go of its end.
    fn run(&mut self) {
        let commands = self.line.commands.clone();
        loop {
            let mut waiting: Vec<Command> = commands.try_iter().collect();
            if waiting.is_empty() && !self.has_work() {
                match commands.recv() {
                    Ok(command) => waiting.push(command),
                    Err(_) => return,
                }
            }
            if waiting.is_empty() && self.line.is_abandoned() {
                return;
            }
            for command in newest_query_only(waiting) {
                let about = about(&command);
                if let Err(error) = self.handle(command) {
                    self.fail(about, &error);
                }
                self.line.update(|shown| shown.busy = None);
            }
            if let Err(error) = self.turn() {
                self.growing = None;
                self.line.update(|shown| shown.extraction = None);
                self.fail("extracting patches", &error);
            }
        }
    }

    fn fail(&self, about: &str, error: &anyhow::Error) {
        self.line.emit(Event::Failed { about: about.into(), message: format!("{error:#}") });
    }

    fn handle(&mut self, command: Command) -> anyhow::Result<()> {
        match command {
            Command::OpenModel { spec } => self.open_model(&spec),
            Command::OpenData { spec, split } => self.open_data(&spec, split),
            // Meant for a data set that is not open any more: its indices say nothing about this one.
            Command::ShowImage { data, .. }
            | Command::Query { data, .. }
            | Command::Thumbnail { data, .. }
            | Command::QueryPicture { data, .. }
            | Command::FindImages { data, .. }
            | Command::SourceImage { data, .. }
                if self.data.as_ref().is_none_or(|open| open.id != data) =>
            {
                Ok(())
            }
            Command::ShowImage { index, .. } => self.show_image(index),
            Command::Query { id, query, image, .. } => self.ask(id, query, image),
            Command::Configure { id, config } => self.configure(id, config),
            Command::PauseExtraction(paused) => {
                if let Some(growing) = &mut self.growing {
                    growing.paused = paused;
                }
                self.publish_extraction();
                Ok(())
            }
            Command::Figure(command) => {
                self.figure(command);
                Ok(())
            }
            Command::ShowPictures(wanted) => {
                self.wants_pictures = wanted;
                self.publish_pictures();
                Ok(())
            }
            Command::Places(request) => {
                self.set_places(request);
                Ok(())
            }
            Command::Microscope(sizes) => {
                self.set_microscope(sizes);
                Ok(())
            }
            Command::Thumbnail { index, .. } => self.show_picture(index, PictureSize::Thumbnail),
            Command::SourceImage { index, .. } => self.show_picture(index, PictureSize::Source),
            Command::QueryPicture { data, query } => self.picture_query(data, query),
            Command::OpenPicture { path } => self.open_picture(&path),
            Command::FindImages { filter, .. } => {
                if let Some(OpenData { id, set }) = &self.data {
                    self.finder.request(ImageSearchJob { data: set.clone(), data_id: *id, filter });
                }
                Ok(())
            }
            Command::Train(command) => {
                self.training.handle(command, &self.device);
                Ok(())
            }
            Command::Compare(command) => self.compare(command),
        }
    }

    /// Has a picture of image `index` made beside all other work.
    fn show_picture(&self, index: usize, what: PictureSize) -> anyhow::Result<()> {
        if let Some(OpenData { id, set }) = &self.data {
            self.thumbnails.request(ThumbnailJob { data: set.clone(), data_id: *id, index, what });
        }
        Ok(())
    }
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
