//! From a table to a plan: its images in the data set, and a place in the bank for each row.

use anyhow::{bail, ensure};

use crate::bank::{ImageEntry, PatchTable, TableRow};
use crate::dataset::{Dataset, SPREAD_SEED, spread};
use crate::patch::PatchGrid;
use crate::words::thousands;

/// Cells of a grid to each row of a table: where there are more, the bank would be mostly holes.
const MOST_CELLS: usize = 16;

/// The images `indices` of a table in the order of [`spread`], each once with the place of its first mention there; and
/// by place in the table its place in that order.
pub fn ranked(data: &dyn Dataset, indices: &[u32]) -> (Vec<(usize, usize)>, Vec<u32>) {
    let mut rank = vec![0usize; data.len()];
    for (place, index) in spread(data, data.len(), SPREAD_SEED).into_iter().enumerate() {
        rank[index] = place;
    }
    let mut order: Vec<(usize, usize)> = indices.iter().map(|index| *index as usize).zip(0..).collect();
    order.sort_unstable_by_key(|(index, at)| (rank[*index], *at));
    let (mut ranks, mut places): (Vec<(usize, usize)>, _) = (vec![], vec![0; indices.len()]);
    for (index, at) in order {
        if ranks.last().is_none_or(|last| last.0 != index) {
            ranks.push((index, at));
        }
        places[at] = ranks.len() as u32 - 1;
    }
    (ranks, places)
}

pub fn entry(data: &dyn Dataset, index: usize, label: Option<u32>) -> ImageEntry {
    let (height, width) = data.dimensions(index);
    ImageEntry { index: index as u32, height, width, label, name: data.image_name(index) }
}

/// Where each row of a table belongs: its image's place in the bank, its cell and its row, rising.
pub fn cells_of(
    table: &PatchTable,
    grid: PatchGrid,
    places: &[u32],
    images: &[ImageEntry],
) -> anyhow::Result<Vec<(u32, u32, u32)>> {
    ensure!(
        u32::try_from(table.rows.len()).is_ok(),
        "{} rows are too many for one table",
        thousands(table.rows.len())
    );
    let PatchGrid { patch, stride } = grid;
    let all =
        images.iter().map(|image| grid.len(image.height, image.width)).fold(0usize, usize::saturating_add);
    ensure!(
        all / MOST_CELLS <= table.rows.len(),
        "its {} patches lie on a common grid of every {stride} pixels, of which a bank would hold {} places; expected one in \
         {MOST_CELLS} to have a vector",
        thousands(table.rows.len()),
        thousands(all)
    );
    let cell = |(row, of): (usize, &TableRow)| {
        let place = places[of.image as usize];
        let ImageEntry { height, width, name, .. } = &images[place as usize];
        let (rows, cols) = grid.shape(*height, *width);
        let (down, across) = ((of.y / stride) as usize, (of.x / stride) as usize);
        ensure!(
            down < rows && across < cols,
            "row {row}: a patch of {patch} pixels at y {}, x {} reaches beyond {name}, which is {width} x {height} pixels",
            of.y,
            of.x
        );
        Ok((place, u32::try_from(down * cols + across)?, row as u32))
    };
    let mut cells: Vec<(u32, u32, u32)> =
        table.rows.iter().enumerate().map(cell).collect::<anyhow::Result<_>>()?;
    if !cells.is_sorted() {
        cells.sort_unstable();
    }
    if let Some(twice) = cells.windows(2).find(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1)) {
        bail!(
            "rows {} and {} are of the same patch of {}; expected each once",
            twice[0].2,
            twice[1].2,
            images[twice[0].0 as usize].name
        );
    }
    Ok(cells)
}
