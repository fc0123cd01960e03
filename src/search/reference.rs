//! The search as it would be written on a board: float64, one row after the other, sort everything.
//! It is what [`super::top_k`] is tested against, and slow.

use super::{Hit, Options};
use crate::bank::{Bank, Values};
use anyhow::Result;
use std::collections::HashMap;

/// Cosine of `query` with every committed row of `space`; NaN for rows that take no part.
///
/// # Errors
/// No such space.
pub fn cosines(bank: &Bank, space: &str, query: &[f32]) -> Result<Vec<f64>> {
    let space = bank.space(space)?;
    let width = space.width();
    let mut cosines = Vec::with_capacity(bank.patches());
    for piece in space.pieces(0..bank.patches()) {
        for (row, inv_norm) in piece.inv_norms.iter().enumerate() {
            let value = |i: usize| match piece.values {
                Values::F16(values) => values[row * width + i].to_f64(),
                Values::F32(values) => f64::from(values[row * width + i]),
            };
            let dot: f64 = (0..width).map(|i| value(i) * f64::from(query[i])).sum();
            let squares: f64 = (0..width).map(|i| value(i) * value(i)).sum();
            let query_squares: f64 = query.iter().map(|v| f64::from(*v) * f64::from(*v)).sum();
            let zero = *inv_norm == 0.0 || query_squares == 0.0;
            let cosine = if zero { 0.0 } else { dot / (squares.sqrt() * query_squares.sqrt()) };
            cosines.push(if inv_norm.is_nan() { f64::NAN } else { cosine });
        }
    }
    Ok(cosines)
}

/// As [`super::top_k`], with the cosine in float64 rounded at the end. Ignores `options.cancel`.
///
/// # Errors
/// No such space.
pub fn top_k(bank: &Bank, space: &str, query: &[f32], k: usize, options: &Options) -> Result<Vec<Hit>> {
    let cosines = cosines(bank, space, query)?;
    let mut rows: Vec<usize> = (0..cosines.len())
        .filter(|row| !cosines[*row].is_nan())
        .filter(|row| !options.exclude_rows.contains(row))
        .filter(|row| options.shows(bank.place_of_row(*row)))
        .filter(|row| !options.exclude_images.contains(&bank.image_of_row(*row)))
        .collect();
    rows.sort_by(|a, b| cosines[*b].total_cmp(&cosines[*a]).then(a.cmp(b)));
    let mut taken: HashMap<u32, usize> = HashMap::new();
    rows.retain(|row| {
        let count = taken.entry(bank.image_of_row(*row)).or_default();
        *count += 1;
        options.per_image.is_none_or(|limit| *count <= limit)
    });
    Ok(rows.into_iter().take(k).map(|row| Hit { row, cosine: cosines[row] as f32 }).collect())
}
