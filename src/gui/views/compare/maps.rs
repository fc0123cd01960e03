//! The heatmaps of both models as they are shown: side by side, or A less B.

use std::sync::Arc;

use crate::engine::{Heatmap, MapMode, OtherView, QueryView, difference, displayed};

/// The maps of one space.
#[derive(Clone)]
pub struct SpaceMaps {
    pub space: String,
    /// Of A and B; in differences the first alone, A less B.
    pub maps: [Option<Heatmap>; 2],
}

/// The maps of all spaces on show, made anew when a query, a checkpoint or the way to look changes.
#[derive(Default)]
pub struct ComparedMaps {
    made_of: Option<(Option<Arc<QueryView>>, Option<Arc<OtherView>>, MapMode, Vec<String>)>,
    list: Vec<SpaceMaps>,
}

/// The ways to look at two models: pictures of spaces have components of their own and cannot be compared.
pub fn mode_of(mode: MapMode) -> MapMode {
    if mode == MapMode::Pictures { MapMode::Cosine } else { mode }
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
            self.list = spaces.iter().map(|space| space_maps(space, all_a, all_b, mode)).collect();
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

fn space_maps(space: &str, a: &[Heatmap], b: &[Heatmap], mode: MapMode) -> SpaceMaps {
    let of = |maps: &[Heatmap]| maps.iter().find(|map| map.space == space).cloned();
    let named = |map: Heatmap, model: &str| Heatmap { space: format!("{space} {model}"), ..map };
    let (a, b) = (of(a), of(b));
    let maps = match mode {
        MapMode::Difference => {
            let fits = |(a, b): &(Heatmap, Heatmap)| (a.rows, a.cols) == (b.rows, b.cols);
            let less = a.zip(b).filter(fits).map(|(a, b)| difference(&a, &b));
            [less.map(|map| named(map, "A \u{2212} B")), None]
        }
        _ => {
            let shown = |map: Heatmap| displayed(&[map], mode).pop();
            [a.and_then(shown).map(|map| named(map, "A")), b.and_then(shown).map(|map| named(map, "B"))]
        }
    };
    SpaceMaps { space: space.to_owned(), maps }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::PatchGrid;

    fn map(space: &str, values: &[f32]) -> Heatmap {
        let values = Arc::new(values.to_vec());
        let grid = PatchGrid { patch: 8, stride: 4 };
        Heatmap { space: space.into(), grid, rows: 1, cols: 2, values: values.clone(), shown: values }
    }

    #[test]
    fn maps_of_a_space_stand_side_by_side_or_are_subtracted() {
        let (a, b) = ([map("z", &[0.5, 0.25]), map("h", &[1.0, 0.0])], [map("h", &[0.25, 0.5])]);
        let h = space_maps("h", &a, &b, MapMode::Cosine);
        let names = h.maps.each_ref().map(|map| map.as_ref().map(|map| map.space.as_str()));
        assert_eq!(names, [Some("h A"), Some("h B")]);
        assert!(space_maps("z", &a, &b, MapMode::Cosine).maps[1].is_none(), "B has no z");
        let less = space_maps("h", &a, &b, MapMode::Difference).maps;
        assert_eq!(less[0].as_ref().unwrap().values[..], [0.75, -0.5]);
        assert_eq!((less[0].as_ref().unwrap().space.as_str(), less[1].is_none()), ("h A \u{2212} B", true));
        let ranks = space_maps("h", &a, &b, MapMode::Ranks).maps;
        assert_eq!(ranks[1].as_ref().unwrap().values[..], [0.0, 1.0]);
    }
}
