//! The second model beside the first: it is told what is on show, and has its turns.

use std::cell::RefCell;
use std::rc::Rc;

use crate::engine::ask::Command;
use crate::engine::compare::Compare;
use crate::engine::compare::side::{SideTarget, TargetQuery};
use crate::engine::live::open::Open;
use crate::engine::live::part::{Due, Handled, Part, Turn};
use crate::engine::look::extraction::Growing;

/// Keeps the second model beside what is on show.
pub struct ComparisonPart {
    compare: Rc<RefCell<Compare>>,
    /// Whether the next unit is the first model's, where both models extract patches.
    first_has_turn: bool,
}

impl ComparisonPart {
    /// Works at `compare`.
    pub fn new(compare: Rc<RefCell<Compare>>) -> Self {
        Self { compare, first_has_turn: false }
    }
}

impl Part for ComparisonPart {
    fn handle(&mut self, command: Command, _: &mut Open) -> Handled {
        match command {
            Command::Compare(command) => Handled::Yes(self.compare.borrow_mut().handle(command)),
            other => Handled::No(other),
        }
    }

    fn follow(&mut self, open: &mut Open) {
        self.compare.borrow_mut().follow(target(open).as_ref());
    }

    fn due(&self, open: &Open) -> Due {
        let Some(target) = target(open) else { return Due::Nothing };
        match self.compare.borrow().next_is_map(&target) {
            Some(true) => Due::Awaited,
            Some(false) => Due::Background,
            None => Due::Nothing,
        }
    }

    fn work(&mut self, open: &mut Open) -> Turn {
        let Some(target) = target(open) else { return Turn::Passed };
        let mut compare = self.compare.borrow_mut();
        let first_extracts = target.growing.is_some_and(Growing::has_work);
        // The galleries of both wait for the patches of both.
        if compare.waits_for_first(&target) && first_extracts && std::mem::take(&mut self.first_has_turn) {
            return Turn::Passed;
        }
        self.first_has_turn = true;
        compare.work(&target, &open.device);
        Turn::Taken
    }
}

/// What is on show, for the second model to show too; `None` without an image, a model and a data set.
fn target(open: &Open) -> Option<SideTarget<'_>> {
    let (data, config, view) = (open.data.as_ref()?, open.config.as_ref()?, open.view.clone()?);
    open.embedder.as_ref()?;
    Some(SideTarget {
        processor: &open.processor,
        generation: open.generation,
        data: &data.set,
        data_id: data.id,
        config,
        spaces: &open.spaces,
        view,
        query: open.query.as_ref().map(|query| TargetQuery {
            id: query.id,
            query: &query.query,
            parts: &query.parts,
            vectors: &query.vectors,
        }),
        cache: open.cache.as_ref(),
        // The galleries of both are over the same images: the first of both.
        growing: open.growing.as_ref().filter(|growing| growing.is_spread()),
    })
}
