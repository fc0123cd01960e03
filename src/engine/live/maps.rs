//! The maps of the image on show, and the same as pictures.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::embed::BATCH;
use crate::engine::ask::{Command, Pictures};
use crate::engine::live::open::Open;
use crate::engine::live::part::{Change, Due, Handled, Part, Turn};

/// Completes the maps of the image on show.
#[derive(Default)]
pub struct MapsPart {
    /// Whether the window shows the spaces as pictures.
    wants_pictures: bool,
    /// Those on show.
    pictures: Option<Arc<Pictures>>,
    /// Writes the vectors of the last image whose maps were completed.
    keeping: Option<JoinHandle<()>>,
}

impl Part for MapsPart {
    fn handle(&mut self, command: Command, open: &mut Open) -> Handled {
        let Command::ShowPictures(wanted) = command else { return Handled::No(command) };
        self.wants_pictures = wanted;
        self.publish_pictures(open);
        Handled::Yes(Ok(()))
    }

    fn changed(&mut self, change: Change, open: &mut Open) {
        match change {
            Change::Vectors => self.pictures = None,
            Change::Maps => self.publish_pictures(open),
            _ => {}
        }
    }

    fn due(&self, open: &Open) -> Due {
        if open.maps.is_due() { Due::Awaited } else { Due::Nothing }
    }

    fn work(&mut self, open: &mut Open) -> Turn {
        let Some(embedder) = &open.embedder else { return Turn::Taken };
        if let Err(error) = open.maps.refine(embedder, embedder.turn(BATCH)) {
            open.fail("the heatmaps", &error);
        }
        open.publish_query();
        if !open.maps.is_due() {
            self.publish_pictures(open);
            self.keep(open);
        }
        Turn::Taken
    }

    fn shares_turns(&self) -> bool {
        true
    }
}

impl Drop for MapsPart {
    fn drop(&mut self) {
        self.wait();
    }
}

impl MapsPart {
    /// Keeps the vectors of maps that are complete, beside all other work.
    fn keep(&mut self, open: &Open) {
        let maps = open.maps.read();
        let Some(maps) = maps.as_ref() else { return };
        let Some(shelf) = open.shelf(maps) else { return };
        let Some(vectors) = maps.news() else { return };
        self.wait();
        let keep = move || {
            if let Err(error) = shelf.keep(&vectors) {
                log::info!("the vectors of the image on show are not kept: {error:#}");
            }
        };
        self.keeping = thread::Builder::new().name("keep image".into()).spawn(keep).ok();
    }

    /// Waits until the last image's vectors are written.
    fn wait(&mut self) {
        if self.keeping.take().is_some_and(|keeping| keeping.join().is_err()) {
            log::warn!("keeping the vectors of an image stopped unexpectedly");
        }
    }

    /// Shows the image as each space sees it, once all its patches are known, if that is wanted.
    fn publish_pictures(&mut self, open: &Open) {
        let maps = open.maps.read();
        let complete =
            maps.as_ref().filter(|maps| self.wants_pictures && maps.is_complete() && !maps.has_holes());
        self.pictures = complete.map(|maps| {
            let (image, grid) = (maps.image_index, maps.grid);
            let is_current = |shown: &Arc<Pictures>| {
                let spaces = shown.spaces.iter().map(|picture| &picture.space);
                shown.image == image && shown.grid == grid && spaces.eq(&open.space_names())
            };
            let shown = self.pictures.take().filter(is_current);
            shown.unwrap_or_else(|| Arc::new(Pictures { image, grid, spaces: maps.pictures() }))
        });
        let pictures = self.pictures.clone();
        open.line.update(|shown| shown.views.pictures = pictures);
    }
}
