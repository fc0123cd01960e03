//! Points inside an outline that was drawn.

use super::PatchPlane;

impl PatchPlane {
    /// The points inside `outline`, a polygon whose ends are joined; the nearest to the middle of its points first. A
    /// point is inside where the outline winds about it an odd number of times.
    pub fn inside(&self, outline: &[[f32; 2]]) -> Vec<u32> {
        if outline.len() < 3 {
            return vec![];
        }
        let bound =
            |pick: fn(f32, f32) -> f32, c: usize| outline.iter().map(|at| at[c]).reduce(pick).unwrap_or(0.0);
        let [low, high] = [f32::min, f32::max].map(|pick| [0, 1].map(|c| bound(pick, c)));
        let mut inside: Vec<u32> = vec![];
        self.index.near(low, high, |point| {
            if is_inside(outline, self.at[point]) {
                inside.push(point as u32);
            }
        });
        let count = inside.len().max(1) as f64;
        let middle = [0, 1].map(|c| {
            let sum: f64 = inside.iter().map(|point| f64::from(self.at[*point as usize][c])).sum();
            (sum / count) as f32
        });
        let distance = |point: &u32| {
            let at = self.at[*point as usize];
            (at[0] - middle[0]).powi(2) + (at[1] - middle[1]).powi(2)
        };
        inside.sort_unstable_by(|a, b| distance(a).total_cmp(&distance(b)).then(a.cmp(b)));
        inside
    }
}

/// Whether a ray from `place` to the right crosses the outline an odd number of times.
fn is_inside(outline: &[[f32; 2]], place: [f32; 2]) -> bool {
    let mut is_inside = false;
    let mut before = outline[outline.len() - 1];
    for &at in outline {
        if (at[1] > place[1]) != (before[1] > place[1]) {
            let crossing = at[0] + (before[0] - at[0]) * (place[1] - at[1]) / (before[1] - at[1]);
            is_inside ^= place[0] < crossing;
        }
        before = at;
    }
    is_inside
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::bank;
    use crate::analysis::plane::PlaneConfig;
    use crate::progress::CancelToken;

    #[test]
    fn what_a_notched_outline_holds_is_found_the_nearest_to_its_middle_first() {
        // A U: its notch is outside.
        let outline =
            [[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [3.0, 4.0], [3.0, 1.0], [1.0, 1.0], [1.0, 4.0], [0.0, 4.0]];
        for (place, expected) in [
            ([0.5, 3.0], true),
            ([2.0, 3.0], false),
            ([2.0, 0.5], true),
            ([3.5, 2.0], true),
            ([5.0, 2.0], false),
            ([-0.1, 0.5], false),
        ] {
            assert_eq!(is_inside(&outline, place), expected, "{place:?}");
        }
    }

    #[test]
    fn picked_points_come_from_the_middle_outwards() {
        let bank =
            bank(2, 0, 3, |patch| vec![(patch.x as f32 - 8.0) / 20.0, (patch.y as f32 - 8.0) / 50.0, 1.0]);
        let plane =
            PatchPlane::of(&bank, "h", PlaneConfig::default(), None, &CancelToken::default(), &mut |_| {})
                .unwrap();
        let all = plane.inside(&[[-9.0, -9.0], [9.0, -9.0], [9.0, 9.0], [-9.0, 9.0]]);
        assert_eq!(all.len(), 50);
        let (first, last) = (plane.patches[all[0] as usize], plane.patches[all[49] as usize]);
        assert_eq!((first.y, first.x), (8, 8));
        assert!((last.y == 0 || last.y == 16) && (last.x == 0 || last.x == 16), "{last:?}");
        assert!(plane.inside(&[[0.0, 0.0], [1.0, 1.0]]).is_empty(), "a line holds nothing");
    }
}
