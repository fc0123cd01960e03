//! How alike patches of one image are by the distance between them.
//!
//! Each query is compared with all patches of its image. The curve is the mean cosine by displacement; the floor is the
//! mean cosine with patches of other images; the half-width is the displacement at which the curve has fallen half way
//! from 1 to the floor. Near minus far is the mean cosine with patches that overlap the query less that with patches of
//! the same image that do not: large for a space that tells places apart, 0 for one that only knows the image. Where all
//! values are positive, as in h after ReLU, the floor is high and all differences are small: as a share of 1 less the
//! floor they can be compared between spaces.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use crate::analysis::heatmap::cosine_map;
use crate::bank::Bank;
use crate::progress::CancelToken;
use crate::stats::Interval;
use crate::stats::clusters::ClusterSums;

/// The curve of one space.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Displacement {
    /// By rising displacement, from patches one step away.
    pub points: Vec<DisplacementPoint>,
    /// Mean cosine with a patch of another image; absent of a single image.
    pub floor: Option<Interval>,
    /// Displacement at which the cosine is half way from 1 to the floor, pixels; absent if it never falls so far.
    pub half_width: Option<f64>,
    /// Mean cosine with overlapping patches less that with patches of the image that do not overlap; absent where no
    /// image is large enough to have both.
    pub near_minus_far: Option<Interval>,
    /// Near minus far as a share of 1 less the floor.
    #[serde(default)]
    pub near_minus_far_share: Option<Interval>,
}

/// Patches so far from one another.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct DisplacementPoint {
    /// Mean distance of the corners, pixels.
    pub pixels: f64,
    /// Mean cosine, with its interval over images.
    pub cosine: Interval,
    /// Pairs of patches.
    pub pairs: usize,
}

/// Steps of displacement at most; wider ones where images are large.
const MOST_BINS: usize = 48;
/// Columns beside those of the bins: cosines with other images, and near minus far.
const FLOOR: usize = MOST_BINS;
const CONTRAST: usize = MOST_BINS + 1;
/// A floor nearer to 1 is 1, but for rounding.
const LEAST_ROOM: f64 = 1e-6;

/// Compares the patches in rows `queries` with those of their images, in `space`. `rows` are all that have a vector.
///
/// # Errors
/// No such space, damaged rows, cancelled.
pub fn displacement(
    bank: &Bank,
    space: &str,
    (queries, rows): (&[usize], &[usize]),
    (resamples, seed): (usize, u64),
    cancel: &CancelToken,
) -> anyhow::Result<Displacement> {
    let (stored, grid) = (bank.space(space)?, bank.spec().grid);
    let width = stored.width();
    let corner = |side: u32| f64::from(side.saturating_sub(grid.patch));
    let farthest = |(height, across): (u32, u32)| corner(height).hypot(corner(across));
    let farthest =
        bank.images().iter().map(|image| farthest((image.height, image.width))).fold(0.0, f64::max);
    let step = f64::from(grid.stride).max(farthest / (MOST_BINS - 2) as f64);
    let mut sums = ClusterSums::new(CONTRAST + 1);
    let mut distances = vec![(0.0, 0usize); MOST_BINS];
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let (mut query, mut other) = (vec![0.0; width], vec![0.0; width]);
    for row in queries {
        cancel.check()?;
        bank.row_f32(space, *row, &mut query)?;
        let (image, at) = (bank.image_of_row(*row), bank.patch_ref(*row));
        let own = bank.rows_of_image(image as usize)?;
        let mut vectors = vec![0.0; own.len() * width];
        stored.read_rows(own.clone(), &mut vectors)?;
        let mut sides = [(0.0, 0usize); 2];
        for (row, cosine) in own.zip(cosine_map(&query, &vectors)) {
            let patch = bank.patch_ref(row);
            let (dy, dx) = (at.y.abs_diff(patch.y), at.x.abs_diff(patch.x));
            if (dy, dx) == (0, 0) || !cosine.is_finite() {
                continue;
            }
            let distance = f64::from(dy).hypot(f64::from(dx));
            let bin = ((distance / step).round() as usize).min(MOST_BINS - 1);
            sums.add(image, bin, f64::from(cosine));
            distances[bin] = (distances[bin].0 + distance, distances[bin].1 + 1);
            let side = &mut sides[usize::from(dy.max(dx) >= grid.patch)];
            *side = (side.0 + f64::from(cosine), side.1 + 1);
        }
        if let [(near, near_count @ 1..), (far, far_count @ 1..)] = sides {
            sums.add(image, CONTRAST, near / near_count as f64 - far / far_count as f64);
        }
        if let Some(row) = of_another_image(bank, rows, image, &mut rng) {
            bank.row_f32(space, row, &mut other)?;
            sums.add(image, FLOOR, f64::from(cosine_map(&query, &other)[0]));
        }
    }
    let means = sums.means(resamples, seed);
    let points = distances.iter().zip(&means).filter(|((_, pairs), _)| *pairs > 0);
    let points: Vec<DisplacementPoint> = points
        .filter_map(|((sum, pairs), cosine)| {
            Some(DisplacementPoint { pixels: sum / *pairs as f64, cosine: (*cosine)?, pairs: *pairs })
        })
        .collect();
    let floor = means[FLOOR];
    // Of a space in which all patches are alike nothing is left to share.
    let share = |means: &[f64]| match 1.0 - means[FLOOR] {
        room if room > LEAST_ROOM => means[CONTRAST] / room,
        _ => f64::NAN,
    };
    let curve: Vec<(f64, f64)> = points.iter().map(|point| (point.pixels, point.cosine.value)).collect();
    Ok(Displacement {
        half_width: floor.and_then(|floor| half_width(&curve, floor.value)),
        near_minus_far: means[CONTRAST],
        near_minus_far_share: sums.of_means(resamples, seed, share),
        points,
        floor,
    })
}

/// A row of another image than `image`; `None` if ten draws give none.
fn of_another_image(bank: &Bank, rows: &[usize], image: u32, rng: &mut Pcg64Mcg) -> Option<usize> {
    let draws = (0..10).map(|_| rows[rng.random_range(0..rows.len())]);
    draws.into_iter().find(|row| bank.image_of_row(*row) != image)
}

/// Where a curve that begins at (0, 1) first falls half way to `floor`, between its points along straight lines.
fn half_width(curve: &[(f64, f64)], floor: f64) -> Option<f64> {
    let level = floor + (1.0 - floor) / 2.0;
    let mut before = (0.0, 1.0);
    for &(x, y) in curve {
        if y <= level {
            let share = if before.1 > y { (before.1 - level) / (before.1 - y) } else { 1.0 };
            return Some(before.0 + share * (x - before.0));
        }
        before = (x, y);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture;

    /// The angle grows by 0.1 with each pixel to the right, and the images are a quarter turn apart in a third direction.
    #[test]
    fn cosines_fall_as_angles_grow() {
        let bank = fixture::bank(6, 2, 3, |patch| {
            let angle = 0.1 * patch.x as f32;
            vec![angle.cos(), angle.sin(), if patch.image % 2 == 0 { 1.0 } else { -1.0 }]
        });
        let rows: Vec<usize> = (0..bank.patches()).collect();
        let cancel = CancelToken::default();
        let found = displacement(&bank, "h", (&rows, &rows), (100, 3), &cancel).unwrap();
        // Of 25 x 25 pairs, one step away are 2 x 40 of an image, with a cosine of (cos(0.4 or 0) + 1) / 2.
        let first = found.points[0];
        let diagonal = 2 * 16 * 2;
        assert_eq!(first.pairs, 6 * (80 + diagonal));
        let across = (0.4f64.cos() + 1.0) / 2.0;
        let expected = (40.0 * across + 40.0 + diagonal as f64 * across) / (80 + diagonal) as f64;
        assert!((first.cosine.value - expected).abs() < 1e-6, "{first:?}, expected {expected}");
        assert!(found.points.is_sorted_by(|a, b| a.pixels < b.pixels));
        // Patches of images of the other kind have a cosine of about 0, of the same kind of about 1.
        let floor = found.floor.unwrap();
        assert!(floor.value > 0.0 && floor.value < 0.7, "{floor:?}");
        let (contrast, share) = (found.near_minus_far.unwrap(), found.near_minus_far_share.unwrap());
        assert!(contrast.value > 0.0 && (share.value - contrast.value / (1.0 - floor.value)).abs() < 1e-12);
        // Not the ends of one by those of the other: both are drawn together.
        assert!(share.low < share.value && share.value < share.high, "{share:?}");
        // What does not change with place has no half-width, and near as far.
        let same = fixture::bank(3, 0, 2, |patch| vec![1.0, patch.image as f32]);
        let rows: Vec<usize> = (0..same.patches()).collect();
        let found = displacement(&same, "h", (&rows, &rows), (100, 3), &cancel).unwrap();
        assert_eq!((found.half_width, found.near_minus_far.unwrap().value.abs() < 1e-6), (None, true));
    }

    #[test]
    fn the_half_width_lies_where_the_curve_crosses_the_level() {
        // Half way from 1 to 0.2 is 0.6, between (4, 0.8) and (8, 0.4).
        let curve = [(4.0, 0.8), (8.0, 0.4), (12.0, 0.3)];
        assert!((half_width(&curve, 0.2).unwrap() - 6.0).abs() < 1e-12);
        assert!((half_width(&[(4.0, 0.0)], 0.0).unwrap() - 2.0).abs() < 1e-12);
        assert_eq!(half_width(&curve, -0.5), None);
        assert_eq!(half_width(&[], 0.0), None);
    }
}
