//! What works on what is open: one trait, and a list of such parts in the driver, most urgent first.

use std::time::Instant;

use crate::engine::ask::Command;
use crate::engine::live::open::Open;

/// A part of the engine's work on what is open.
pub trait Part {
    /// Does what is asked, if that is this part's business.
    fn handle(&mut self, command: Command, open: &mut Open) -> Handled {
        let _ = open;
        Handled::No(command)
    }

    /// Takes note of what is another thing by now.
    fn changed(&mut self, change: Change, open: &mut Open) {
        let _ = (change, open);
    }

    /// Looks at what is open before each unit of work.
    fn follow(&mut self, open: &mut Open) {
        let _ = open;
    }

    /// Whether there is work, and whether somebody waits for it.
    fn due(&self, open: &Open) -> Due {
        let _ = open;
        Due::Nothing
    }

    /// When work is due that is not yet, by [`Part::due`], without anything being asked.
    fn rests_until(&self) -> Option<Instant> {
        None
    }

    /// Does one unit of it: at most a batch of patches. What fails is told by the part itself.
    fn work(&mut self, open: &mut Open) -> Turn {
        let _ = open;
        Turn::Passed
    }

    /// Whether the next part has its turn too, every other time: so the first neighbours do not wait for the last
    /// cell of a map.
    fn shares_turns(&self) -> bool {
        false
    }
}

/// Whether a command was a part's.
#[expect(clippy::large_enum_variant, reason = "a command is rare and is moved a few times")]
pub enum Handled {
    /// It was, and this came of it.
    Yes(anyhow::Result<()>),
    /// It was not, and goes on to the next part.
    No(Command),
}

/// What is another thing by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Model or data set: vectors of the image on show mean nothing any more.
    Source,
    /// All vectors that were embedded mean nothing any more: model, data set, size or stride of the patches.
    Vectors,
    /// Spaces, filter or number of neighbours.
    Settings,
    /// The image on show, or its grid.
    Maps,
    /// The query.
    Query,
    /// The bank has grown.
    Bank,
}

/// How urgent work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// There is none.
    Nothing,
    /// Nobody waits for it: training has its share of the time.
    Background,
    /// Somebody looks at where it will show: training waits.
    Awaited,
}

/// What a part made of its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It worked.
    Taken,
    /// It worked, and this is another thing by now.
    Changed(Change),
    /// It left the turn to the next part.
    Passed,
}
