//! The patches that the galleries search: embedded while nothing more urgent is due.

use crate::engine::ask::{Command, Snapshot};
use crate::engine::live::open::Open;
use crate::engine::live::part::{Change, Due, Handled, Part, Turn};
use crate::engine::look::extraction::Growing;

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

/// Shows how far it is.
pub fn publish(open: &Open) {
    let extraction = open.growing.as_ref().map(Growing::shown);
    let change = |shown: &mut Snapshot| shown.extraction = extraction;
    if open.is_quiet { open.line.update_quietly(change) } else { open.line.update(change) }
}
