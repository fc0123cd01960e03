//! The vectors of an image's patches as colours: their first three principal components.
//!
//! Vectors are brought to unit length, since everything else here compares by cosine, and centred.
//! The components are those of the covariance; each is scaled from its 1st to its 99th percentile
//! onto one colour channel. Colours of two pictures have nothing to do with one another.

use rayon::prelude::*;

use crate::stats::quantile_of_sorted;

/// Colour channels.
const COMPONENTS: usize = 3;
/// Subspace iterations at most; an image's spectrum needs far fewer.
const ITERATIONS: usize = 40;
/// Change of the subspace (norm-wise, of unit vectors) below which it counts as found.
const SETTLED: f32 = 1e-4;

/// A picture of a space.
#[derive(Clone, Debug, PartialEq)]
pub struct Pca {
    /// `[n, 3]`, 8 bits for each component, the first as red.
    pub rgb: Vec<u8>,
    /// Share of the variance that each component explains.
    pub explained: [f32; COMPONENTS],
}

/// The first three principal components of the rows of `vectors`, `[n, width]`.
pub fn pca_colors(vectors: &[f32], width: usize) -> Pca {
    let rows = centred_unit_rows(vectors, width);
    let total: f64 = rows.iter().map(|v| f64::from(*v).powi(2)).sum();
    let axes = principal_axes(&rows, width);
    let scores: Vec<[f32; COMPONENTS]> =
        rows.par_chunks_exact(width).map(|row| std::array::from_fn(|c| dot(row, &axes[c]))).collect();
    let mut rgb = vec![0; COMPONENTS * scores.len()];
    let mut explained = [0.0; COMPONENTS];
    for c in 0..COMPONENTS {
        let squares: f64 = scores.iter().map(|score| f64::from(score[c]).powi(2)).sum();
        explained[c] = if total > 0.0 { (squares / total) as f32 } else { 0.0 };
        let mut sorted: Vec<f64> = scores.iter().map(|score| f64::from(score[c])).collect();
        sorted.sort_by(f64::total_cmp);
        let ends = (quantile_of_sorted(&sorted, 0.01), quantile_of_sorted(&sorted, 0.99));
        let (Some(low), Some(high)) = ends else { continue };
        for (pixel, score) in rgb.chunks_exact_mut(COMPONENTS).zip(&scores) {
            let part = if high - low > 1e-12 { (f64::from(score[c]) - low) / (high - low) } else { 0.5 };
            pixel[c] = (part.clamp(0.0, 1.0) * 255.0).round() as u8;
        }
    }
    Pca { rgb, explained }
}

fn centred_unit_rows(vectors: &[f32], width: usize) -> Vec<f32> {
    let mut rows = vectors.to_vec();
    rows.par_chunks_exact_mut(width).for_each(|row| {
        let norm = dot(row, row).sqrt();
        let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
        row.iter_mut().for_each(|v| *v *= scale);
    });
    let count = (rows.len() / width).max(1) as f32;
    let mut mean = vec![0.0; width];
    for row in rows.chunks_exact(width) {
        mean.iter_mut().zip(row).for_each(|(m, v)| *m += v / count);
    }
    rows.par_chunks_exact_mut(width).for_each(|row| row.iter_mut().zip(&mean).for_each(|(v, m)| *v -= m));
    rows
}

/// Orthonormal directions of largest variance by subspace iteration, from a fixed start. The sign is
/// such that the largest entry of each is positive.
fn principal_axes(rows: &[f32], width: usize) -> [Vec<f32>; COMPONENTS] {
    // A start that no real data is orthogonal to.
    let mut axes: [Vec<f32>; COMPONENTS] =
        std::array::from_fn(|c| (0..width).map(|i| ((i * (c + 2) + c) as f32 * 0.7).sin() + 0.01).collect());
    orthonormalize(&mut axes);
    for _ in 0..ITERATIONS {
        let mut next = covariance_times(rows, width, &axes);
        orthonormalize(&mut next);
        let change = |(a, b): (&Vec<f32>, &Vec<f32>)| 1.0 - dot(a, b).abs();
        let is_settled = axes.iter().zip(&next).map(change).fold(0.0, f32::max) < SETTLED * SETTLED;
        axes = next;
        if is_settled {
            break;
        }
    }
    for axis in &mut axes {
        let largest = axis.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(0.0);
        if largest < 0.0 {
            axis.iter_mut().for_each(|v| *v = -*v);
        }
    }
    axes
}

fn covariance_times(rows: &[f32], width: usize, axes: &[Vec<f32>; COMPONENTS]) -> [Vec<f32>; COMPONENTS] {
    let zero = || std::array::from_fn(|_| vec![0.0; width]);
    // Blocks of fixed size, added in order: the same sum on any number of threads.
    let blocks: Vec<[Vec<f32>; COMPONENTS]> = rows
        .par_chunks(width * 256)
        .map(|block| {
            let mut sums: [Vec<f32>; COMPONENTS] = zero();
            for row in block.chunks_exact(width) {
                for (sum, axis) in sums.iter_mut().zip(axes) {
                    let score = dot(row, axis);
                    sum.iter_mut().zip(row).for_each(|(s, v)| *s += score * v);
                }
            }
            sums
        })
        .collect();
    blocks.into_iter().fold(zero(), |mut sums: [Vec<f32>; COMPONENTS], block| {
        for (sum, part) in sums.iter_mut().zip(&block) {
            sum.iter_mut().zip(part).for_each(|(s, v)| *s += v);
        }
        sums
    })
}

/// Gram-Schmidt in place. A direction that is lost (less variance directions than axes) becomes zero.
fn orthonormalize(axes: &mut [Vec<f32>; COMPONENTS]) {
    for c in 0..COMPONENTS {
        let before = dot(&axes[c], &axes[c]).sqrt();
        let (done, rest) = axes.split_at_mut(c);
        let axis = &mut rest[0];
        for other in done.iter() {
            let along = dot(axis, other);
            axis.iter_mut().zip(other).for_each(|(v, o)| *v -= along * o);
        }
        let norm = dot(axis, axis).sqrt();
        let scale = if norm > 1e-6 * before { 1.0 / norm } else { 0.0 };
        axis.iter_mut().for_each(|v| *v *= scale);
    }
}

/// In eight lanes, which the compiler turns into vector code.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    let (a_blocks, b_blocks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a_blocks.remainder().iter().zip(b_blocks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_blocks.zip(b_blocks) {
        for lane in 0..8 {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows about a common direction with spreads 3 : 2 : 1 along three others.
    fn cloud() -> (Vec<f32>, usize) {
        let width = 10;
        let mut rows = vec![];
        for i in 0..200 {
            let t = i as f32;
            let mut row = vec![0.0; width];
            row[9] = 40.0;
            row[2] = 3.0 * (t * 0.7).sin();
            row[5] = 2.0 * (t * 1.9).sin();
            row[7] = (t * 3.1).sin();
            rows.extend(row);
        }
        (rows, width)
    }

    #[test]
    fn the_components_are_the_directions_of_largest_spread_in_order() {
        let (rows, width) = cloud();
        let axes = principal_axes(&centred_unit_rows(&rows, width), width);
        for (axis, place) in axes.iter().zip([2, 5, 7]) {
            assert!(axis[place] > 0.999, "{place}: {axis:?}");
        }
        let pca = pca_colors(&rows, width);
        // Variances 9 : 4 : 1.
        let expected = [9.0 / 14.0, 4.0 / 14.0, 1.0 / 14.0];
        assert!(
            pca.explained.iter().zip(expected).all(|(a, b): (&f32, f32)| (a - b).abs() < 0.02),
            "{pca:?}"
        );
    }

    #[test]
    fn the_first_component_is_red_and_uses_the_whole_channel() {
        let (rows, width) = cloud();
        let pca = pca_colors(&rows, width);
        let red: Vec<u8> = pca.rgb.chunks_exact(3).map(|pixel| pixel[0]).collect();
        let along: Vec<f32> = rows.chunks_exact(width).map(|row| row[2]).collect();
        let most = (0..along.len()).max_by(|a, b| along[*a].total_cmp(&along[*b])).unwrap();
        // The outermost hundredths share the ends of the channel; the greatest lies within a step of its end.
        assert!(red[most] >= 250, "{}", red[most]);
        assert_eq!((red.iter().min(), red.iter().max()), (Some(&0), Some(&255)));
    }

    #[test]
    fn vectors_that_are_all_alike_give_one_colour() {
        let pca = pca_colors(&[1.0, 2.0, 3.0, 4.0].repeat(6), 4);
        assert!(pca.rgb.iter().all(|v| *v == pca.rgb[0]), "{pca:?}");
        assert!(pca.explained.iter().all(|share| share.is_finite()));
    }
}
