//! A first query worth seeing.

use anyhow::Context;

use crate::dataset::Dataset;
use crate::engine::ask::QuerySpec;
use crate::engine::live::open::Open;
use crate::patch::{PatchGrid, PatchRef};

/// Images that are tried, from the first on, for something to show.
const EXAMPLES: usize = 24;

/// A patch with a wheel, or the centre of the first image that can be read, as a query and the image that it is on.
///
/// # Errors
/// None of the first images can be shown.
pub fn example(open: &mut Open, grid: PatchGrid) -> anyhow::Result<(QuerySpec, usize)> {
    let set = open.set()?.clone();
    if let Some(patch) = wheel(set.as_ref(), grid) {
        return Ok((QuerySpec::one(patch), patch.image as usize));
    }
    let mut first_error = None;
    for index in 0..EXAMPLES.min(set.len()) {
        let (height, width) = set.dimensions(index);
        let (rows, cols) = grid.shape(height, width);
        if rows * cols == 0 {
            first_error.get_or_insert_with(|| {
                let patch = grid.patch;
                anyhow::anyhow!(
                    "a patch of {patch} pixels does not fit on {width} x {height}; choose a smaller patch"
                )
            });
        } else if let Err(error) = open.show(index) {
            first_error.get_or_insert(error);
        } else {
            let (y, x) = grid.corner(rows / 2 * cols + cols / 2, cols);
            let patch = PatchRef { image: index as u32, y, x, size: grid.patch };
            return Ok((QuerySpec::one(patch), index));
        }
    }
    Err(first_error.unwrap_or_else(|| anyhow::anyhow!("it has no images")))
        .context("none of the first images can be shown; the first one")
}

/// A patch worth seeing where the data set knows its parts: one with a piece of a wheel and the most parts beside
/// it, among the first images.
fn wheel(data: &dyn Dataset, grid: PatchGrid) -> Option<PatchRef> {
    let worthwhile = data.kind().example_part?;
    let mut best: Option<((usize, usize), PatchRef)> = None;
    for index in 0..EXAMPLES.min(data.len()) {
        let map = data.parts(index).ok()??;
        let wheel = map.names.iter().position(|name| name == worthwhile)?;
        let (rows, cols) = grid.shape(map.height, map.width);
        for cell in 0..rows * cols {
            let (y, x) = grid.corner(cell, cols);
            let mut counts = vec![0; map.names.len()];
            for y in y..y + grid.patch {
                let row = (y * map.width + x) as usize..(y * map.width + x + grid.patch) as usize;
                map.index[row].iter().for_each(|part| counts[usize::from(*part)] += 1);
            }
            let area = (grid.patch * grid.patch) as usize;
            let parts =
                counts.iter().skip(map.backgrounds).filter(|count| **count * SMALL_PART >= area).count();
            let score = (parts, counts[wheel]);
            if counts[wheel] * SMALL_PIECE >= area && best.is_none_or(|(most, _)| score > most) {
                best = Some((score, PatchRef { image: index as u32, y, x, size: grid.patch }));
            }
        }
    }
    best.map(|(_, patch)| patch)
}

/// A part counts where it covers one in so many pixels of a patch, a piece of a wheel one in so many.
const SMALL_PART: usize = 25;
const SMALL_PIECE: usize = 6;
