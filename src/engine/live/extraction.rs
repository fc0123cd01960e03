//! The patches that the galleries search: embedded while nothing more urgent is due.

use crate::engine::ask::{Command, Snapshot};
use crate::engine::live::open::Open;
use crate::engine::live::part::{Change, Due, Handled, Part, Turn};
use crate::engine::look::extraction::{Before, Growing, Reach};
use crate::patch::PatchGrid;

/// Fills the bank.
pub struct ExtractionPart;

impl Part for ExtractionPart {
    fn handle(&mut self, command: Command, open: &mut Open) -> Handled {
        let Command::PauseExtraction(paused) = command else { return Handled::No(command) };
        if let Some(growing) = &mut open.growing {
            growing.pause(paused);
        }
        publish(open);
        Handled::Yes(Ok(()))
    }

    fn due(&self, open: &Open) -> Due {
        if open.growing.as_ref().is_some_and(Growing::has_work) { Due::Background } else { Due::Nothing }
    }

    fn work(&mut self, open: &mut Open) -> Turn {
        let (Some(embedder), Some(growing)) = (&open.embedder, &mut open.growing) else {
            return Turn::Passed;
        };
        if let Err(error) = growing.advance(embedder) {
            // What could not be read is tried again when somebody says so.
            if growing.stopped().is_none() {
                open.growing = None;
            }
            open.fail("extracting patches", &error);
        }
        publish(open);
        Turn::Changed(Change::Bank)
    }
}

/// Starts it as the settings say, in the place of the one before. A bank that is open and has all that is wanted is searched
/// as it is.
///
/// # Errors
/// As [`Growing::start_within`].
pub fn start(open: &mut Open) -> anyhow::Result<()> {
    let (Some(data), Some(config)) = (&open.data, &open.config) else { return Ok(()) };
    let reach = Reach {
        grid: PatchGrid::new(config.grid.patch, config.gallery_stride)?,
        images: config.gallery_images,
        spaces: open.spaces.clone(),
    };
    let most_bytes = open.device.memory.bank();
    let stored = open.known_vectors();
    let same = stored.filter(|stored| stored.has(reach.grid, &reach.spaces));
    let whole = same.map(|stored| stored.first(reach.images, data.set.len())).transpose()?.flatten();
    let written_by = stored.and_then(|stored| stored.written_by.clone());
    let before = Before { stored, cache: open.cache.as_ref() };
    open.growing = match (whole, &open.embedder) {
        (Some(bank), _) => Some(Growing::stored(bank, written_by)?),
        (None, Some(embedder)) => {
            Some(Growing::start_within(embedder, &data.set, &reach, before, most_bytes)?)
        }
        (None, None) => None,
    };
    publish(open);
    Ok(())
}

/// Shows how far it is.
pub fn publish(open: &Open) {
    let extraction = open.growing.as_ref().map(Growing::shown);
    let change = |shown: &mut Snapshot| shown.extraction = extraction;
    if open.is_quiet { open.line.update_quietly(change) } else { open.line.update(change) }
}
