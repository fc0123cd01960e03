//! The query's place at several patch sizes, as long as the window looks at it.

use std::sync::Arc;

use crate::engine::ask::Command;
use crate::engine::live::open::Open;
use crate::engine::live::part::{Change, Due, Handled, Part, Turn};
use crate::engine::look::microscope::{Microscope, MicroscopeTarget};

/// Keeps the microscope on what is on show.
#[derive(Default)]
pub struct MicroscopePart {
    /// As the window last looked at it.
    microscope: Option<Microscope>,
    /// Whether it does.
    is_wanted: bool,
}

impl Part for MicroscopePart {
    fn handle(&mut self, command: Command, open: &mut Open) -> Handled {
        let Command::Microscope(sizes) = command else { return Handled::No(command) };
        self.set(sizes, open);
        Handled::Yes(Ok(()))
    }

    fn changed(&mut self, change: Change, open: &mut Open) {
        match change {
            Change::Source => self.microscope.iter_mut().for_each(Microscope::forget),
            Change::Maps | Change::Query => self.aim(open),
            _ => {}
        }
    }

    fn due(&self, _: &Open) -> Due {
        let is_due = |microscope: &Microscope| self.is_wanted && !microscope.is_complete();
        if self.microscope.as_ref().is_some_and(is_due) { Due::Awaited } else { Due::Nothing }
    }

    fn work(&mut self, open: &mut Open) -> Turn {
        if let (Some(microscope), Some(embedder)) = (&mut self.microscope, &open.embedder) {
            if let Err(error) = microscope.refine(embedder) {
                open.fail("the microscope", &error);
            }
            self.publish(open);
        }
        Turn::Taken
    }

    fn shares_turns(&self) -> bool {
        true
    }
}

impl MicroscopePart {
    /// Begins with these sizes, or ends; what is known stays for the next time.
    fn set(&mut self, sizes: Option<Vec<u32>>, open: &Open) {
        self.is_wanted = sizes.is_some();
        if let Some(sizes) = sizes
            && self.microscope.as_ref().is_none_or(|microscope| microscope.sizes != sizes)
        {
            self.microscope = Some(Microscope::new(sizes));
        }
        self.aim(open);
        if !self.is_wanted {
            open.line.update(|shown| shown.views.microscope = None);
        }
    }

    /// Follows image, spaces and query.
    fn aim(&mut self, open: &Open) {
        let (Some(microscope), Some(embedder), true) = (&mut self.microscope, &open.embedder, self.is_wanted)
        else {
            return;
        };
        if let Some(view) = &open.view {
            let maps = open.maps.read();
            let target = MicroscopeTarget {
                image_index: view.index,
                image: &view.image,
                spaces: &open.spaces,
                query: open.query.as_ref().and_then(|query| query.query.point_on(view.index)),
                maps: maps.as_ref(),
            };
            microscope.aim(embedder, &target);
        }
        self.publish(open);
    }

    fn publish(&self, open: &Open) {
        let view = self.microscope.as_ref().map(|microscope| Arc::new(microscope.view()));
        open.line.update(|shown| shown.views.microscope = view);
    }
}
