//! The heatmaps of both models as they are shown: side by side, or A less B.

use std::sync::Arc;

use crate::engine::{Heatmap, MapMode, OtherView, QueryView, compared};

/// The maps of one space.
#[derive(Clone)]
pub struct SpaceMaps {
    /// The space, or the difference of two.
    pub space: String,
    /// Of A and B; in differences the first alone, A less B.
    pub maps: [Option<Heatmap>; 2],
}

/// What they were made of.
type MadeOf = (Option<Arc<QueryView>>, Option<Arc<OtherView>>, MapMode, Vec<String>);

/// The maps of all spaces on show, made anew when a query, a checkpoint or the way to look changes.
#[derive(Default)]
pub struct ComparedMaps {
    made_of: Option<MadeOf>,
    list: Vec<SpaceMaps>,
}

impl ComparedMaps {
    /// The maps of `spaces` in `mode`.
    pub fn update(
        &mut self,
        a: Option<&Arc<QueryView>>,
        b: Option<&Arc<OtherView>>,
        mode: MapMode,
        spaces: &[String],
    ) -> &[SpaceMaps] {
        let is_same = self.made_of.as_ref().is_some_and(|(old_a, old_b, old_mode, old_spaces)| {
            same(old_a.as_ref(), a) && same(old_b.as_ref(), b) && *old_mode == mode && old_spaces == spaces
        });
        if !is_same {
            let all_a = a.map_or(&[][..], |a| &a.maps);
            let all_b = b.map_or(&[][..], |b| &b.maps);
            self.list = spaces
                .iter()
                .map(|space| SpaceMaps { space: space.clone(), maps: compared(space, all_a, all_b, mode) })
                .collect();
            self.made_of = Some((a.cloned(), b.cloned(), mode, spaces.to_vec()));
        }
        &self.list
    }
}

fn same<T>(old: Option<&Arc<T>>, new: Option<&Arc<T>>) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => Arc::ptr_eq(old, new),
        (None, None) => true,
        _ => false,
    }
}
