//! Rows of a bank, one after the other on all threads.

use rayon::prelude::*;

use crate::bank::StoredSpace;
use crate::progress::CancelToken;

/// Rows that are taken at a time.
const BATCH: usize = 2048;

/// What `of` makes of each of `rows`, which ascend: of its values as they are stored, and one over its length (0 for a zero
/// row).
///
/// # Errors
/// Damaged rows, a file that was cut, cancelled.
pub fn each_row<T: Send>(
    space: &StoredSpace<'_>,
    rows: &[u32],
    cancel: &CancelToken,
    of: impl Fn(&[f32], f32) -> T + Sync,
) -> anyhow::Result<Vec<T>> {
    let made: Vec<Vec<T>> = rows
        .par_chunks(BATCH)
        .map(|rows| {
            cancel.check()?;
            batch(space, rows, &of)
        })
        .collect::<anyhow::Result<_>>()?;
    space.check_length()?;
    Ok(made.into_iter().flatten().collect())
}

fn batch<T>(space: &StoredSpace<'_>, rows: &[u32], of: impl Fn(&[f32], f32) -> T) -> anyhow::Result<Vec<T>> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(vec![]) };
    let range = *first as usize..*last as usize + 1;
    space.check(range.clone())?;
    let (width, mut rest) = (space.width(), rows);
    let (mut values, mut made) = (vec![0.0; width], Vec::with_capacity(rows.len()));
    for piece in space.pieces(range) {
        let end = piece.first_row + piece.inv_norms.len();
        let here = rest.partition_point(|row| (*row as usize) < end);
        for row in &rest[..here] {
            let at = *row as usize - piece.first_row;
            piece.values.read(at * width..(at + 1) * width, &mut values);
            made.push(of(&values, piece.inv_norms[at]));
        }
        rest = &rest[here..];
    }
    Ok(made)
}
