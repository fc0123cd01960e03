//! The second model beside the first: it is told what is on show, and has its turns.

use super::Explorer;
use crate::engine::ask::{CompareCommand, TrainCommand};
use crate::engine::compare::side::{SideTarget, TargetQuery};
use crate::train::run_of;

/// What is on show, borrowed field by field, so that the comparison itself stays free to change. `None`
/// without an image.
macro_rules! target {
    ($explorer:expr) => {{
        let shown = $explorer.line.snapshot();
        let parts = (&$explorer.data, &$explorer.config, shown.view.clone());
        if let (Some(data), Some(config), Some(view)) = parts
            && $explorer.embedder.is_some()
        {
            Some(SideTarget {
                processor: &$explorer.processor,
                generation: shown.generation,
                data: &data.set,
                data_id: data.id,
                config,
                spaces: &$explorer.spaces,
                view,
                query: $explorer.query.as_ref().map(|query| TargetQuery {
                    id: query.id,
                    query: &query.query,
                    parts: &query.parts,
                    vectors: &query.vectors,
                }),
                growing: $explorer.growing.as_ref(),
            })
        } else {
            None
        }
    }};
}

impl Explorer {
    /// A run's curves are followed as soon as its checkpoints are compared.
    pub(super) fn compare(&mut self, command: CompareCommand) -> anyhow::Result<()> {
        let run = match &command {
            CompareCommand::OpenOther { spec } => run_of(spec),
            _ => None,
        };
        self.compare.handle(command)?;
        if let Some((run, _)) = run {
            self.training.handle(TrainCommand::OpenRun(run), &self.device);
        }
        Ok(())
    }

    pub(super) fn follow_with_compare(&mut self) {
        let target = target!(self);
        self.compare.follow(target.as_ref());
    }

    pub(super) fn compare_has_work(&self) -> bool {
        target!(self).is_some_and(|target| self.compare.has_work(&target))
    }

    pub(super) fn is_compared_map_due(&self) -> bool {
        target!(self).is_some_and(|target| self.compare.is_map_due(&target))
    }

    /// One unit of the comparison, if it has work and the turn. By turns with the first model where its
    /// patches are awaited, too.
    pub(super) fn work_on_compare(&mut self) -> bool {
        let Some(target) = target!(self) else { return false };
        if !self.compare.has_work(&target) {
            return false;
        }
        let is_firsts_turn = self.compare.waits_for_first(&target)
            && target.growing.is_some_and(|growing| growing.has_work())
            && std::mem::replace(&mut self.first_has_turn, false);
        if is_firsts_turn {
            return false;
        }
        self.first_has_turn = true;
        self.compare.work(&target, &self.device);
        true
    }
}
