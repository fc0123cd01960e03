//! Which point of a plane lies where: squares of equal size with the points in each.

use crate::patch::PatchRef;

/// Squares along the longer side.
const SQUARES: usize = 512;

/// Points by their place, and by their patch.
#[derive(Clone, Debug)]
pub struct PlaneIndex {
    /// The smallest and largest coordinates.
    low: [f32; 2],
    high: [f32; 2],
    /// Squares along each side.
    squares: [usize; 2],
    /// Side of a square; 1 where all points are one.
    side: f32,
    /// Where the points of each square begin in `points`, row by row, and their end.
    starts: Vec<u32>,
    points: Vec<u32>,
    /// Points in the order of their patches, once somebody needs them.
    by_patch: std::sync::OnceLock<Vec<u32>>,
}

impl PlaneIndex {
    /// Of points at finite places.
    pub fn of(at: &[[f32; 2]]) -> Self {
        let mut low = [f32::INFINITY; 2];
        let mut high = [f32::NEG_INFINITY; 2];
        for place in at {
            low = [0, 1].map(|c| low[c].min(place[c]));
            high = [0, 1].map(|c| high[c].max(place[c]));
        }
        if at.is_empty() {
            (low, high) = ([0.0; 2], [0.0; 2]);
        }
        let extent = (high[0] - low[0]).max(high[1] - low[1]);
        // Of points that lie nearly on one, a square's side may be less than the least number.
        let side = Some(extent / SQUARES as f32).filter(|side| side.is_normal()).unwrap_or(1.0);
        let squares = [0, 1].map(|c| (((high[c] - low[c]) / side) as usize).min(SQUARES) + 1);
        let mut index =
            Self { low, high, squares, side, starts: vec![], points: vec![], by_patch: Default::default() };
        index.fill(at);
        index
    }

    /// Sorts points by their square, by counting.
    fn fill(&mut self, at: &[[f32; 2]]) {
        let mut starts = vec![0u32; self.squares[0] * self.squares[1] + 1];
        at.iter().for_each(|place| starts[self.square(*place) + 1] += 1);
        (1..starts.len()).for_each(|square| starts[square] += starts[square - 1]);
        let mut next = starts.clone();
        let mut points = vec![0; at.len()];
        for (point, place) in at.iter().enumerate() {
            let slot = &mut next[self.square(*place)];
            points[*slot as usize] = point as u32;
            *slot += 1;
        }
        (self.starts, self.points) = (starts, points);
    }

    fn square(&self, place: [f32; 2]) -> usize {
        let [col, row] = [0, 1].map(|c| self.along(c, place[c]));
        row * self.squares[0] + col
    }

    fn along(&self, c: usize, value: f32) -> usize {
        (((value - self.low[c]) / self.side).max(0.0) as usize).min(self.squares[c] - 1)
    }

    /// The smallest and the largest coordinates; zeros without points.
    pub fn extent(&self) -> [[f32; 2]; 2] {
        [self.low, self.high]
    }

    /// Calls for each point in a square that touches the box from `low` to `high`; some lie beside it.
    pub fn near(&self, low: [f32; 2], high: [f32; 2], mut visit: impl FnMut(usize)) {
        if self.points.is_empty() || (0..2).any(|c| high[c] < self.low[c] || low[c] > self.high[c]) {
            return;
        }
        let [cols, rows] = [0, 1].map(|c| self.along(c, low[c])..=self.along(c, high[c]));
        for row in rows {
            let begin = self.starts[row * self.squares[0] + cols.start()] as usize;
            let end = self.starts[row * self.squares[0] + cols.end() + 1] as usize;
            self.points[begin..end].iter().for_each(|point| visit(*point as usize));
        }
    }

    /// The point of `at` that is nearest to `place`, no further than `radius`; of several, the first.
    pub fn nearest(&self, at: &[[f32; 2]], place: [f32; 2], radius: f32) -> Option<usize> {
        let mut best: Option<(f32, usize)> = None;
        let (low, high) = ([0, 1].map(|c| place[c] - radius), [0, 1].map(|c| place[c] + radius));
        self.near(low, high, |point| {
            let distance = (at[point][0] - place[0]).powi(2) + (at[point][1] - place[1]).powi(2);
            let found = (distance, point);
            if distance <= radius * radius && best.is_none_or(|best| found < best) {
                best = Some(found);
            }
        });
        best.map(|(_, point)| point)
    }

    /// The point whose patch of `patches` is `patch`.
    pub fn point_of(&self, patches: &[PatchRef], patch: PatchRef) -> Option<usize> {
        let key = |patch: PatchRef| (patch.image, patch.y, patch.x, patch.size);
        let by_patch = self.by_patch.get_or_init(|| {
            let mut points: Vec<u32> = (0..patches.len() as u32).collect();
            points.sort_unstable_by_key(|point| key(patches[*point as usize]));
            points
        });
        let found = by_patch.binary_search_by_key(&key(patch), |point| key(patches[*point as usize]));
        found.ok().map(|place| by_patch[place] as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_that_lie_on_one_or_as_far_out_as_numbers_go_have_squares() {
        for apart in [0.0, 1e-45, 1e-40, 1e-3, 1e30, f32::MAX] {
            let at = [[-apart, 0.0], [apart, -apart], [0.0, apart]];
            let index = PlaneIndex::of(&at);
            for (point, place) in at.iter().enumerate() {
                let mut near = vec![];
                index.near(*place, *place, |point| near.push(point));
                assert!(near.contains(&point), "{apart:e}: {near:?}");
            }
        }
    }

    #[test]
    fn the_nearest_point_is_the_one_that_comparing_all_finds() {
        let at: Vec<[f32; 2]> = (0..3000)
            .map(|i| [(i as f32 * 0.713).sin() * 3.0, (i as f32 * 0.377).cos() * (i as f32 / 3000.0)])
            .collect();
        let index = PlaneIndex::of(&at);
        let all = |place: [f32; 2], radius: f32| {
            let distance = |i: usize| (at[i][0] - place[0]).powi(2) + (at[i][1] - place[1]).powi(2);
            let near = (0..at.len()).filter(|i| distance(*i) <= radius * radius);
            near.min_by(|a, b| distance(*a).total_cmp(&distance(*b)))
        };
        let mut found = 0;
        for i in 0..400 {
            let place = [(i as f32 * 1.31).sin() * 3.3, (i as f32 * 0.77).cos() * 1.2];
            for radius in [0.01, 0.1, 5.0] {
                let nearest = index.nearest(&at, place, radius);
                assert_eq!(nearest, all(place, radius), "{place:?} {radius}");
                found += usize::from(nearest.is_some());
            }
        }
        assert!(found > 400, "{found}");
        assert_eq!(PlaneIndex::of(&[]).nearest(&[], [0.0; 2], 1.0), None);
        let one = [[2.0, 2.0]; 3];
        assert_eq!(PlaneIndex::of(&one).nearest(&one, [2.0, 2.1], 0.2), Some(0));
    }
}
