//! The query's place at several patch sizes, as long as the window looks at it.

use super::Explorer;
use crate::engine::look::microscope::{Microscope, MicroscopeTarget};
use std::sync::Arc;

impl Explorer {
    /// Begins with these sizes, or ends; what is known stays for the next time.
    pub(super) fn set_microscope(&mut self, sizes: Option<Vec<u32>>) {
        self.wants_microscope = sizes.is_some();
        if let Some(sizes) = sizes
            && self.microscope.as_ref().is_none_or(|microscope| microscope.sizes != sizes)
        {
            self.microscope = Some(Microscope::new(sizes));
        }
        self.aim_microscope();
        if !self.wants_microscope {
            self.line.update(|shown| shown.microscope = None);
        }
    }

    /// Follows image, spaces and query.
    pub(super) fn aim_microscope(&mut self) {
        let (Some(microscope), Some(embedder), true) =
            (&mut self.microscope, &self.embedder, self.wants_microscope)
        else {
            return;
        };
        if let Some(view) = self.line.snapshot().view.clone() {
            let maps = self.maps.read();
            let target = MicroscopeTarget {
                image_index: view.index,
                image: &view.image,
                spaces: &self.spaces,
                query: self.query.as_ref().and_then(|query| query.query.point_on(view.index)),
                maps: maps.as_ref(),
            };
            microscope.aim(embedder, &target);
        }
        self.publish_microscope();
    }

    pub(super) fn is_microscope_due(&self) -> bool {
        let is_due = |microscope: &Microscope| self.wants_microscope && !microscope.is_complete();
        self.microscope.as_ref().is_some_and(is_due)
    }

    /// One unit of its work.
    pub(super) fn refine_microscope(&mut self) {
        if let (Some(microscope), Some(embedder)) = (&mut self.microscope, &self.embedder) {
            microscope.refine(embedder);
            self.publish_microscope();
        }
    }

    fn publish_microscope(&self) {
        let view = self.microscope.as_ref().map(|microscope| Arc::new(microscope.view()));
        self.line.update(|shown| shown.microscope = view);
    }
}
