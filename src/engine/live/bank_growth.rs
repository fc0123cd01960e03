//! The bank that is open, while another process writes it: what that has added is searched from then on.

use std::time::{Duration, Instant};

use crate::engine::ask::ABOUT_GALLERIES;
use crate::engine::live::extraction;
use crate::engine::live::open::Open;
use crate::engine::live::part::{Change, Due, Part, Turn};
use crate::engine::look::extraction::Growing;

/// How often it is looked for more; a writer commits every few seconds.
const PERIOD: Duration = Duration::from_secs(1);

/// Follows the bank that is open.
#[derive(Default)]
pub struct BankGrowthPart {
    /// When it is looked for more, while somebody writes it.
    next: Option<Instant>,
}

impl BankGrowthPart {
    fn next_after(&self, open: &Open) -> Option<Instant> {
        let is_written = open.stored.as_ref().is_some_and(|stored| stored.written_by.is_some());
        is_written.then(|| self.next.unwrap_or_else(|| Instant::now() + PERIOD))
    }
}

impl Part for BankGrowthPart {
    fn follow(&mut self, open: &mut Open) {
        self.next = self.next_after(open);
    }

    fn due(&self, _open: &Open) -> Due {
        if self.next.is_some_and(|next| next <= Instant::now()) { Due::Background } else { Due::Nothing }
    }

    fn rests_until(&self) -> Option<Instant> {
        self.next
    }

    fn work(&mut self, open: &mut Open) -> Turn {
        self.next = None;
        let Some(stored) = &mut open.stored else { return Turn::Passed };
        let followed = stored.follow();
        self.next = self.next_after(open);
        match followed {
            Ok(false) => return Turn::Passed,
            Ok(true) => {}
            Err(error) => open.fail("following the bank", &error),
        }
        // Other patches than its own are embedded as before.
        if !open.growing.as_ref().is_none_or(Growing::is_stored) {
            return Turn::Passed;
        }
        if let Err(error) = extraction::start(open) {
            open.fail(ABOUT_GALLERIES, &error);
        }
        Turn::Changed(Change::Bank)
    }
}
