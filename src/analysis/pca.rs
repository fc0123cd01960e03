//! Principal components of vectors, and those of an image's patches as colours.
//!
//! Vectors are brought to unit length, since everything else here compares by cosine, and centred.
//! The components are those of the covariance. As colours, the first three are each scaled from their 1st to their 99th
//! percentile onto one channel. Colours of two pictures have nothing to do with one another.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::stats::leading::leading;
use crate::stats::quantile_of_sorted;

/// Colour channels.
const COMPONENTS: usize = 3;
/// Spread along a component, of vectors of unit length, below which it is rounding: the channel is grey then.
const ROUNDING: f64 = 1e-6;

/// A picture of a space.
#[derive(Clone, Debug, PartialEq)]
pub struct Pca {
    /// `[n, 3]`, 8 bits for each component, the first as red.
    pub rgb: Vec<u8>,
    /// Share of the variance that each component explains.
    pub explained: [f32; COMPONENTS],
}

/// The directions in which vectors of unit length vary most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrincipalAxes {
    /// `[width]`: their mean.
    pub mean: Vec<f64>,
    /// Orthonormal directions of largest variance, the largest first, each `[width]`. The sign is such that the largest
    /// entry of each is positive.
    pub axes: Vec<Vec<f64>>,
    /// Share of the variance along each; 0 where nothing varies.
    pub explained: Vec<f32>,
}

/// The first `count` principal components of the rows of `vectors`, `[n, width]`, at unit length; of fewer values, as many
/// as there are.
pub fn principal_axes(vectors: &[f32], width: usize, count: usize) -> PrincipalAxes {
    let (rows, mean) = centred_unit_rows(vectors, width);
    let axes = axes_of(&rows, width, count);
    let total: f64 = rows.iter().map(|v| f64::from(*v).powi(2)).sum();
    let share = |axis: &Vec<f64>| {
        let squares: f64 = scores(&rows, width, axis).iter().map(|score| score * score).sum();
        if total > 0.0 { (squares / total) as f32 } else { 0.0 }
    };
    let explained = axes.iter().map(share).collect();
    PrincipalAxes { mean, axes, explained }
}

/// The first three principal components of the rows of `vectors`, `[n, width]`.
pub fn pca_colors(vectors: &[f32], width: usize) -> Pca {
    let (rows, _) = centred_unit_rows(vectors, width);
    let total: f64 = rows.iter().map(|v| f64::from(*v).powi(2)).sum();
    let axes = axes_of(&rows, width, COMPONENTS);
    let mut rgb = vec![127; COMPONENTS * (rows.len() / width)];
    let mut explained = [0.0; COMPONENTS];
    for (c, axis) in axes.iter().enumerate() {
        let scores = scores(&rows, width, axis);
        let squares: f64 = scores.iter().map(|score| score * score).sum();
        explained[c] = if total > 0.0 { (squares / total) as f32 } else { 0.0 };
        let mut sorted = scores.clone();
        sorted.sort_by(f64::total_cmp);
        let ends = (quantile_of_sorted(&sorted, 0.01), quantile_of_sorted(&sorted, 0.99));
        let (Some(low), Some(high)) = ends else { continue };
        if high - low > ROUNDING {
            for (pixel, score) in rgb.chunks_exact_mut(COMPONENTS).zip(&scores) {
                pixel[c] = (((score - low) / (high - low)).clamp(0.0, 1.0) * 255.0).round() as u8;
            }
        }
    }
    Pca { rgb, explained }
}

/// Rows at unit length less their mean, and that mean.
fn centred_unit_rows(vectors: &[f32], width: usize) -> (Vec<f32>, Vec<f64>) {
    let mut rows = vectors.to_vec();
    rows.par_chunks_exact_mut(width).for_each(|row| {
        let norm = row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
        row.iter_mut().for_each(|v| *v = (f64::from(*v) * scale) as f32);
    });
    let count = (rows.len() / width).max(1) as f64;
    let mut mean = vec![0.0; width];
    for row in rows.chunks_exact(width) {
        mean.iter_mut().zip(row).for_each(|(m, v)| *m += f64::from(*v) / count);
    }
    let centre =
        |row: &mut [f32]| row.iter_mut().zip(&mean).for_each(|(v, m)| *v = (f64::from(*v) - m) as f32);
    rows.par_chunks_exact_mut(width).for_each(centre);
    (rows, mean)
}

/// How far each row goes along `axis`.
fn scores(rows: &[f32], width: usize, axis: &[f64]) -> Vec<f64> {
    rows.par_chunks_exact(width).map(|row| score(row, axis)).collect()
}

/// The axes of rows that are centred.
fn axes_of(rows: &[f32], width: usize, count: usize) -> Vec<Vec<f64>> {
    let mut axes = leading(width, count, |block| scatter_times(rows, width, block)).vectors;
    for axis in &mut axes {
        let largest = axis.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(0.0);
        if largest < 0.0 {
            axis.iter_mut().for_each(|v| *v = -*v);
        }
    }
    axes
}

/// `X' X` times each of `axes`, of rows `X`.
fn scatter_times(rows: &[f32], width: usize, axes: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let zero = || vec![vec![0.0; width]; axes.len()];
    // Blocks of fixed size, added in order: the same sum on any number of threads.
    let blocks: Vec<Vec<Vec<f64>>> = rows
        .par_chunks(width * 256)
        .map(|block| {
            let mut sums = zero();
            for row in block.chunks_exact(width) {
                for (sum, axis) in sums.iter_mut().zip(axes) {
                    let score = score(row, axis);
                    sum.iter_mut().zip(row).for_each(|(s, v)| *s += score * f64::from(*v));
                }
            }
            sums
        })
        .collect();
    blocks.into_iter().fold(zero(), |mut sums, block| {
        for (sum, part) in sums.iter_mut().zip(&block) {
            sum.iter_mut().zip(part).for_each(|(s, v)| *s += v);
        }
        sums
    })
}

/// The product of a row and an axis, in eight lanes, which the compiler turns into vector code.
pub(super) fn score(row: &[f32], axis: &[f64]) -> f64 {
    let (row, row_rest) = row.as_chunks::<8>();
    let (axis, axis_rest) = axis.as_chunks::<8>();
    let mut lanes = [0.0; 8];
    for (x, y) in row.iter().zip(axis) {
        (0..8).for_each(|lane| lanes[lane] += f64::from(x[lane]) * y[lane]);
    }
    lanes.iter().sum::<f64>() + row_rest.iter().zip(axis_rest).map(|(x, y)| f64::from(*x) * y).sum::<f64>()
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
        let found = principal_axes(&rows, width, 3);
        for (axis, place) in found.axes.iter().zip([2, 5, 7]) {
            assert!(axis[place] > 0.999, "{place}: {axis:?}");
        }
        assert!(found.mean[9] > 0.99, "{:?}", found.mean);
        let pca = pca_colors(&rows, width);
        // Variances 9 : 4 : 1.
        let expected = [9.0 / 14.0, 4.0 / 14.0, 1.0 / 14.0];
        assert!(
            pca.explained.iter().zip(expected).all(|(a, b): (&f32, f32)| (a - b).abs() < 0.02),
            "{pca:?}"
        );
        assert_eq!(found.explained, pca.explained);
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

    /// Rows that are plus and minus a set of orthonormal axes, axis `i` as often as `counts[i]` says: its spread.
    #[test]
    fn axes_of_nearly_equal_spread_do_not_mix() {
        let counts = [62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47];
        let width = counts.len();
        let normal: Vec<f32> = (0..width).map(|i| (i as f32 * 1.7 + 0.4).sin()).collect();
        let length: f32 = normal.iter().map(|v| v * v).sum();
        let axis = |i: usize| -> Vec<f32> {
            let entry = |j: usize| f32::from(u8::from(i == j)) - 2.0 * normal[i] * normal[j] / length;
            (0..width).map(entry).collect()
        };
        let mut rows = vec![];
        for (i, count) in counts.iter().enumerate() {
            for sign in [1.0, -1.0].repeat(*count) {
                rows.extend(axis(i).iter().map(|v| sign * v));
            }
        }
        let pca = pca_colors(&rows, width);
        for (row, pixel) in rows.chunks_exact(width).zip(pca.rgb.chunks_exact(3)) {
            for (c, shown) in pixel.iter().enumerate() {
                let along: f32 = row.iter().zip(axis(c)).map(|(a, b)| a * b).sum();
                let level = 127.5 * (1.0 + along.abs());
                let shown = 127.5 + (f32::from(*shown) - 127.5).abs(); // the sign is free
                assert!((shown - level).abs() <= 1.0, "component {c}: {shown}, not {level}");
            }
        }
    }
}
