//! The ways to look at heatmaps: cosines as they are, their ranks, the difference of two spaces, or the vectors' lengths.

use std::sync::Arc;

use crate::engine::ask::maps::Heatmap;
use serde::{Deserialize, Serialize};

/// How heatmaps are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MapMode {
    /// Cosines to the query.
    #[default]
    Cosine,
    /// The rank of each cosine among those of its map, from 0 (least) to 1 (greatest).
    Ranks,
    /// The first space's cosine less that of each other space.
    Difference,
    /// Each space's principal components as colours; needs no query.
    Pictures,
    /// The length of each vector, of the longest in its map.
    Lengths,
}

/// The maps as they are shown in `mode`. Pictures have none.
pub fn displayed(maps: &[Heatmap], mode: MapMode) -> Vec<Heatmap> {
    match mode {
        MapMode::Cosine => maps.to_vec(),
        MapMode::Ranks => maps.iter().map(ranked).collect(),
        MapMode::Difference => {
            let Some((first, others)) = maps.split_first() else { return vec![] };
            others.iter().map(|other| difference(first, other)).collect()
        }
        MapMode::Pictures => vec![],
        MapMode::Lengths => maps.iter().filter_map(measured).collect(),
    }
}

/// Lengths in place of cosines, each divided by the longest.
fn measured(map: &Heatmap) -> Option<Heatmap> {
    let lengths = map.lengths.as_ref()?;
    let longest = lengths.longest();
    let share = |values: &[f32]| Arc::new(values.iter().map(|length| length / longest).collect());
    Some(Heatmap { values: share(&lengths.values), shown: share(&lengths.shown), ..map.clone() })
}

fn ranked(map: &Heatmap) -> Heatmap {
    let mut sorted: Vec<f32> = map.values.iter().copied().filter(|v| !v.is_nan()).collect();
    sorted.sort_by(f32::total_cmp);
    let last = (sorted.len().max(2) - 1) as f32;
    let rank = |value: &f32| {
        if value.is_nan() {
            return f32::NAN;
        }
        // Equal values share the mean of their ranks.
        let (below, upto) = (sorted.partition_point(|v| v < value), sorted.partition_point(|v| v <= value));
        (below + upto).saturating_sub(1) as f32 / 2.0 / last
    };
    Heatmap {
        values: Arc::new(map.values.iter().map(rank).collect()),
        shown: Arc::new(map.shown.iter().map(rank).collect()),
        ..map.clone()
    }
}

/// `first` less `other`, cell by cell; both on the same grid.
fn difference(first: &Heatmap, other: &Heatmap) -> Heatmap {
    let less = |a: &[f32], b: &[f32]| Arc::new(a.iter().zip(b).map(|(a, b)| a - b).collect());
    Heatmap {
        space: format!("{} \u{2212} {}", first.space, other.space),
        values: less(&first.values, &other.values),
        shown: less(&first.shown, &other.shown),
        lengths: None,
        ..first.clone()
    }
}

/// The maps of one space under two models, A's and B's, named "z A" and "z B"; in differences the first alone,
/// A less B. `None` where a model lacks the space, or its map lies on another grid.
pub fn compared(space: &str, a: &[Heatmap], b: &[Heatmap], mode: MapMode) -> [Option<Heatmap>; 2] {
    let of = |maps: &[Heatmap]| maps.iter().find(|map| map.space == space).cloned();
    let named = |map: Heatmap, model: &str| Heatmap { space: format!("{space} {model}"), ..map };
    let (a, b) = (of(a), of(b));
    match mode {
        MapMode::Difference => {
            let fits = |(a, b): &(Heatmap, Heatmap)| (a.rows, a.cols) == (b.rows, b.cols);
            let less = a.zip(b).filter(fits).map(|(a, b)| difference(&a, &b));
            [less.map(|map| named(map, "A \u{2212} B")), None]
        }
        _ => {
            let shown = |map: Heatmap| displayed(&[map], mode).pop();
            [a.and_then(shown).map(|map| named(map, "A")), b.and_then(shown).map(|map| named(map, "B"))]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ask::maps::VectorLengths;
    use crate::patch::PatchGrid;

    fn map(space: &str, values: &[f32]) -> Heatmap {
        let values = Arc::new(values.to_vec());
        let grid = PatchGrid { patch: 8, stride: 4 };
        Heatmap {
            space: space.into(),
            grid,
            rows: 1,
            cols: values.len(),
            values: values.clone(),
            shown: values,
            lengths: None,
        }
    }

    #[test]
    fn lengths_are_shares_of_the_longest() {
        let values = Arc::new(vec![2.0, 8.0, f32::NAN]);
        let lengths = Some(Arc::new(VectorLengths { shown: values.clone(), values }));
        let shown = displayed(&[Heatmap { lengths, ..map("h", &[0.1, 1.0, 0.2]) }], MapMode::Lengths);
        assert_eq!(shown[0].values[..2], [0.25, 1.0]);
        assert!(shown[0].values[2].is_nan());
        assert!(displayed(&[map("A - B", &[0.1])], MapMode::Lengths).is_empty());
    }

    #[test]
    fn ranks_go_from_0_to_1_and_equal_cosines_share_theirs() {
        let shown = displayed(&[map("z", &[0.9, -0.5, 0.1, 0.1, f32::NAN])], MapMode::Ranks);
        let values = &shown[0].values;
        assert_eq!(values[..4], [1.0, 0.0, 0.5, 0.5]);
        assert!(values[4].is_nan());
    }

    #[test]
    fn the_difference_is_the_first_space_less_each_other() {
        let maps = [map("z", &[0.5, 0.25]), map("h", &[0.25, 0.5]), map("pixels", &[0.0, 1.0])];
        let shown = displayed(&maps, MapMode::Difference);
        assert_eq!(shown.iter().map(|map| map.space.as_str()).collect::<Vec<_>>(), ["z − h", "z − pixels"]);
        assert_eq!(shown[0].values[..], [0.25, -0.25]);
        assert!(displayed(&maps[..1], MapMode::Difference).is_empty());
    }

    #[test]
    fn maps_of_two_models_stand_side_by_side_or_are_subtracted() {
        let (a, b) = ([map("z", &[0.5, 0.25]), map("h", &[1.0, 0.0])], [map("h", &[0.25, 0.5])]);
        let h = compared("h", &a, &b, MapMode::Cosine);
        let names = h.each_ref().map(|map| map.as_ref().map(|map| map.space.as_str()));
        assert_eq!(names, [Some("h A"), Some("h B")]);
        assert!(compared("z", &a, &b, MapMode::Cosine)[1].is_none(), "B has no z");
        let less = compared("h", &a, &b, MapMode::Difference);
        assert_eq!(less[0].as_ref().unwrap().values[..], [0.75, -0.5]);
        assert_eq!((less[0].as_ref().unwrap().space.as_str(), less[1].is_none()), ("h A \u{2212} B", true));
        let ranks = compared("h", &a, &b, MapMode::Ranks);
        assert_eq!(ranks[1].as_ref().unwrap().values[..], [0.0, 1.0]);
    }
}
