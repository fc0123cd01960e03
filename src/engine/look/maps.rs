//! The vectors of all patches of one image, filled in from coarse to fine.

use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::analysis::heatmap::{cosine_map_on, norm};
use crate::analysis::pca::pca_colors;
use crate::embed::{Embedder, KnownCells, PatchSource};
use crate::engine::ask::defaults::{self, PatchFault};
use crate::engine::ask::{Heatmap, PatchSpace, Picture, VectorLengths};
use crate::engine::look::spaces;
use crate::engine::look::stored::StoredBank;
use crate::image::Image;
use crate::model::Space;
use crate::patch::{BoxRef, PatchGrid};
use crate::search::{KnownRows, Mirror, Processor};
use crate::tiles::TilesOfImage;

/// Refuses a map that is too large. Returns the number of its cells.
pub fn check_cells(grid: PatchGrid, height: u32, width: u32) -> anyhow::Result<usize> {
    match defaults::patch_fault(grid, height, width) {
        Some(fault @ PatchFault::TooMany { .. }) => anyhow::bail!("{fault}"),
        _ => Ok(grid.len(height, width)),
    }
}

/// Distances, in grid cells, between the cells of each pass.
const PASSES: [usize; 4] = [8, 4, 2, 1];

/// Vectors of the patches of one image on one grid.
#[derive(Clone)]
pub struct ImageMaps {
    pub image_index: usize,
    pub grid: PatchGrid,
    image: Arc<Image>,
    rows: usize,
    cols: usize,
    /// Cells, row by row, in the order in which they are embedded.
    order: Vec<usize>,
    /// Cells of `order` that are embedded.
    done: usize,
    /// Those of them that were known before.
    from_before: usize,
    known: Vec<bool>,
    /// In the order shown.
    spaces: Vec<SpaceVectors>,
    processor: Arc<Processor>,
    /// Whether some cells have no vector and will have none.
    has_holes: bool,
}

/// The vectors of one space.
#[derive(Clone)]
struct SpaceVectors {
    space: PatchSpace,
    width: usize,
    /// `[rows * cols, width]`.
    all: Vec<f32>,
    /// `[rows * cols]`: their lengths, taken once, so that a click need not.
    norms: Vec<f32>,
    mirror: Mirror,
}

/// Cells that are to be embedded next.
struct NextCells {
    cells: Vec<usize>,
    sources: Vec<PatchSource>,
    patch: u32,
    spaces: Vec<PatchSpace>,
}

impl NextCells {
    fn embed(&self, embedder: &Embedder) -> anyhow::Result<Vec<Vec<f32>>> {
        spaces::vectors(embedder, &self.sources, self.patch, &self.spaces)
    }
}

/// The maps of the image on show. The engine's thread fills them; the one that makes previews reads them,
/// and waits for no forward pass.
#[derive(Clone, Default)]
pub struct SharedMaps(Arc<RwLock<Option<ImageMaps>>>);

impl SharedMaps {
    pub fn read(&self) -> RwLockReadGuard<'_, Option<ImageMaps>> {
        self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, Option<ImageMaps>> {
        self.0.write().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Whether there are maps with cells that are not known yet.
    pub fn is_due(&self) -> bool {
        self.read().as_ref().is_some_and(|maps| !maps.is_complete())
    }

    /// Embeds the next cells, at most `batch`. The lock is held while they are taken in, not while they are
    /// embedded.
    ///
    /// # Errors
    /// As [`ImageMaps::refine`].
    pub fn refine(&self, embedder: &Embedder, batch: usize) -> anyhow::Result<()> {
        let Some(next) = self.read().as_ref().map(|maps| maps.next(batch)) else { return Ok(()) };
        let vectors = next.embed(embedder);
        self.write().as_mut().map_or(Ok(()), |maps| maps.take(next, vectors))
    }
}

impl ImageMaps {
    /// Nothing known yet. All `spaces` are of the model.
    pub fn new(
        embedder: &Embedder,
        image_index: usize,
        image: Arc<Image>,
        grid: PatchGrid,
        spaces: &[PatchSpace],
    ) -> Self {
        let width = |space: PatchSpace| space.width(&embedder.info, grid.patch);
        Self::of_widths(width, image_index, image, grid, spaces)
    }

    fn of_widths(
        width: impl Fn(PatchSpace) -> Option<usize>,
        image_index: usize,
        image: Arc<Image>,
        grid: PatchGrid,
        spaces: &[PatchSpace],
    ) -> Self {
        let (rows, cols) = grid.shape(image.height(), image.width());
        let count = rows * cols;
        let spaces = spaces.iter().filter_map(|&space| {
            let width = width(space)?;
            let (all, norms) = (vec![0.0; count * width], vec![0.0; count]);
            Some(SpaceVectors { space, width, all, norms, mirror: Mirror::default() })
        });
        Self {
            image_index,
            grid,
            image,
            rows,
            cols,
            order: coarse_to_fine(rows, cols),
            done: 0,
            from_before: 0,
            known: vec![false; count],
            spaces: spaces.collect(),
            processor: Arc::new(Processor::cpu()),
            has_holes: false,
        }
    }

    /// What a bank holds of the image, which is on its grid and in its spaces; the rest is to be embedded, or where no
    /// model is there missing for good. `None` where it does not hold the image.
    ///
    /// # Errors
    /// Rows that are damaged.
    pub fn of_bank(
        stored: &StoredBank,
        image_index: usize,
        image: Arc<Image>,
        spaces: &[PatchSpace],
    ) -> anyhow::Result<Option<Self>> {
        let bank = &stored.bank;
        if !bank.holds(image_index) {
            return Ok(None);
        }
        let width = |space: PatchSpace| bank.width(&space.to_string()).ok();
        let mut maps = Self::of_widths(width, image_index, image, stored.grid(), spaces);
        let rows = bank.rows_of_image(image_index)?;
        if rows.len() != maps.order.len() {
            return Ok(None);
        }
        for SpaceVectors { space, width, all, norms, .. } in &mut maps.spaces {
            bank.space(&space.to_string())?.read_rows(rows.clone(), all)?;
            norms.iter_mut().zip(all.chunks_exact(*width)).for_each(|(to, row)| *to = norm(row));
        }
        let has_vectors = |cell: &usize| maps.spaces.iter().all(|space| space.norms[*cell].is_finite());
        let (known, unknown): (Vec<usize>, Vec<usize>) =
            maps.order.iter().partition(|cell| has_vectors(cell));
        known.iter().for_each(|cell| maps.known[*cell] = true);
        (maps.done, maps.from_before) = (known.len(), known.len());
        maps.has_holes = !stored.is_of_model && !unknown.is_empty();
        maps.order = if stored.is_of_model { [known, unknown].concat() } else { known };
        Ok(Some(maps))
    }

    /// With what is known of its patches from before, in its spaces and their order; the rest is to be embedded.
    pub fn knowing(mut self, KnownCells { has, vectors, .. }: KnownCells) -> Self {
        let (known, unknown): (Vec<usize>, Vec<usize>) = self.order.iter().partition(|cell| has[**cell]);
        for (SpaceVectors { width, all, norms, .. }, vectors) in self.spaces.iter_mut().zip(vectors) {
            known.iter().for_each(|&cell| norms[cell] = norm(&vectors[cell * *width..(cell + 1) * *width]));
            *all = vectors;
        }
        (self.done, self.from_before) = (known.len(), known.len());
        (self.order, self.known) = ([known, unknown].concat(), has);
        self
    }

    /// The vectors of all cells in each space, `[rows * cols, width]`, where all are there and some are new.
    pub fn news(&self) -> Option<Vec<Vec<f32>>> {
        let is_whole = self.done == self.known.len() && self.from_before < self.done;
        is_whole.then(|| self.spaces.iter().map(|space| space.all.clone()).collect())
    }

    /// Whether some cells will never be known.
    pub fn has_holes(&self) -> bool {
        self.has_holes
    }

    /// With its cosines computed by `processor` instead of the CPU.
    pub fn on(self, processor: &Arc<Processor>) -> Self {
        Self { processor: processor.clone(), ..self }
    }

    /// Its spaces, in the order shown.
    pub fn spaces(&self) -> impl Iterator<Item = PatchSpace> + '_ {
        self.spaces.iter().map(|vectors| vectors.space)
    }

    /// The image.
    pub fn image(&self) -> &Arc<Image> {
        &self.image
    }

    /// The tiles in which `embedder` puts the image through for spaces of places, where it is larger than one.
    pub fn tiles(&self, embedder: &Embedder) -> Option<TilesOfImage> {
        let has_places = self.spaces().any(|space| matches!(space, PatchSpace::Network(Space::Token(_))));
        has_places.then(|| embedder.tiles_of(&self.image)).flatten()
    }

    /// Rows and columns of cells.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    /// The vectors of all cells in space `index`, `[rows * cols, width]`, and the width.
    pub fn vectors(&self, index: usize) -> (&[f32], usize) {
        let space = &self.spaces[index];
        (&space.all, space.width)
    }

    /// Brings the spaces into the order of `wanted`; `false` if one of them is not here.
    pub fn arrange(&mut self, wanted: &[PatchSpace]) -> bool {
        let place = |space: &PatchSpace| self.spaces.iter().position(|known| known.space == *space);
        let Some(places) = wanted.iter().map(place).collect::<Option<Vec<usize>>>() else { return false };
        if !places.iter().copied().eq(0..self.spaces.len()) {
            self.spaces = places.iter().map(|&place| self.spaces[place].clone()).collect();
        }
        true
    }

    /// Each space's principal components as colours, for a complete map.
    pub fn pictures(&self) -> Vec<Picture> {
        let picture = |SpaceVectors { space, width, all, .. }: &SpaceVectors| {
            let pca = pca_colors(all, *width);
            Picture {
                space: space.to_string(),
                colors: Arc::new(Image::new(self.cols as u32, self.rows as u32, pca.rgb)),
                explained: pca.explained,
            }
        };
        self.spaces.iter().map(picture).collect()
    }

    /// Memory of the vectors.
    pub fn bytes(&self) -> u64 {
        let bytes = |values: &[f32]| size_of_val(values) as u64;
        self.spaces.iter().map(|vectors| bytes(&vectors.all) + bytes(&vectors.norms)).sum()
    }

    /// Whether every cell is known.
    pub fn is_complete(&self) -> bool {
        self.done == self.order.len()
    }

    /// Cells in all.
    pub fn cells(&self) -> usize {
        self.order.len()
    }

    /// Cells that are known.
    pub fn known(&self) -> usize {
        self.done
    }

    /// The vectors of a patch of the grid in each space, if it is one and known.
    pub fn vectors_of(&self, area: BoxRef) -> Option<Vec<Vec<f32>>> {
        let PatchGrid { patch, stride } = self.grid;
        let (row, col) = ((area.y / stride) as usize, (area.x / stride) as usize);
        let on_grid = area.y.is_multiple_of(stride)
            && area.x.is_multiple_of(stride)
            && row < self.rows
            && col < self.cols;
        let is_patch = on_grid && (area.height, area.width) == (patch, patch);
        let cell = row * self.cols + col;
        if area.image as usize != self.image_index || !is_patch || !self.known[cell] {
            return None;
        }
        let of = |space: &SpaceVectors| space.all[cell * space.width..(cell + 1) * space.width].to_vec();
        Some(self.spaces.iter().map(of).collect())
    }

    /// Embeds the next cells of the order, at most `batch`.
    ///
    /// # Errors
    /// The network gives values that are not finite; the rest of the map is given up.
    pub fn refine(&mut self, embedder: &Embedder, batch: usize) -> anyhow::Result<()> {
        let next = self.next(batch);
        let vectors = next.embed(embedder);
        self.take(next, vectors)
    }

    /// The next cells of the order, at most `batch`.
    fn next(&self, batch: usize) -> NextCells {
        let end = (self.done + batch).min(self.order.len());
        let cells = self.order[self.done..end].to_vec();
        let source = |cell: &usize| {
            let (y, x) = self.grid.corner(*cell, self.cols);
            PatchSource { image: self.image.clone(), y, x }
        };
        let sources = cells.iter().map(source).collect();
        NextCells { cells, sources, patch: self.grid.patch, spaces: self.spaces().collect() }
    }

    /// Takes in the vectors of the next cells. Where they could not be had, no more are asked for.
    fn take(
        &mut self,
        NextCells { cells, .. }: NextCells,
        vectors: anyhow::Result<Vec<Vec<f32>>>,
    ) -> anyhow::Result<()> {
        let vectors = vectors.inspect_err(|_| self.order.truncate(self.done))?;
        for (SpaceVectors { width, all, norms, .. }, new) in self.spaces.iter_mut().zip(&vectors) {
            for (row, &cell) in new.chunks_exact(*width).zip(&cells) {
                all[cell * *width..(cell + 1) * *width].copy_from_slice(row);
                norms[cell] = norm(row);
            }
        }
        cells.iter().for_each(|&cell| self.known[cell] = true);
        self.done += cells.len();
        Ok(())
    }

    /// Cosine maps of a query, `queries` holding its vector in each space in the same order.
    pub fn heatmaps(&self, queries: &[Vec<f32>]) -> Vec<Heatmap> {
        let map = |(SpaceVectors { space, all, norms, mirror, .. }, query): (&SpaceVectors, &Vec<f32>)| {
            let rows = KnownRows { vectors: all, norms, known: &self.order[..self.done] };
            let mut values = cosine_map_on(&self.processor, mirror, query, rows);
            values.iter_mut().zip(&self.known).filter(|(_, known)| !**known).for_each(|(v, _)| *v = f32::NAN);
            let shown = self.shown(&values);
            let known = |(length, known): (&f32, &bool)| if *known { *length } else { f32::NAN };
            let of_cells: Vec<f32> = norms.iter().zip(&self.known).map(known).collect();
            let lengths =
                VectorLengths { shown: Arc::new(self.shown(&of_cells)), values: Arc::new(of_cells) };
            Heatmap {
                space: space.to_string(),
                grid: self.grid,
                rows: self.rows,
                cols: self.cols,
                values: Arc::new(values),
                shown: Arc::new(shown),
                lengths: Some(Arc::new(lengths)),
            }
        };
        self.spaces.iter().zip(queries).map(map).collect()
    }

    /// Values as they are shown: of what is to come a neighbour's, but none stands for a cell that stays unknown.
    fn shown(&self, values: &[f32]) -> Vec<f32> {
        if self.has_holes { values.to_vec() } else { self.filled(values) }
    }

    /// Unknown cells take the value of the known cell that stands for their block.
    fn filled(&self, values: &[f32]) -> Vec<f32> {
        let stand_in = |cell: usize| {
            let (row, col) = (cell / self.cols, cell % self.cols);
            let passes = PASSES.iter().rev();
            let mut candidates = passes.map(|step| (row - row % step) * self.cols + (col - col % step));
            candidates.find(|&candidate| self.known[candidate]).map_or(f32::NAN, |known| values[known])
        };
        (0..values.len()).map(stand_in).collect()
    }
}

fn coarse_to_fine(rows: usize, cols: usize) -> Vec<usize> {
    let mut order = Vec::with_capacity(rows * cols);
    let mut taken = vec![false; rows * cols];
    for step in PASSES {
        for row in (0..rows).step_by(step) {
            for col in (0..cols).step_by(step) {
                let cell = row * cols + col;
                if !std::mem::replace(&mut taken[cell], true) {
                    order.push(cell);
                }
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::coarse_to_fine;

    #[test]
    fn every_cell_comes_once_the_coarse_ones_first() {
        let order = coarse_to_fine(19, 10);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..190).collect::<Vec<_>>());
        assert_eq!(&order[..6], [0, 8, 80, 88, 160, 168]);
    }
}
