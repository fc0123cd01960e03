//! An image whose patches are embedded, some in one batch and some in the next.

use std::sync::Arc;

use super::PatchSource;
use crate::bank::{PixelHash, SpaceSpec};
use crate::image::Image;
use crate::memory::Hold;
use crate::patch::PatchGrid;

/// An image on its way into the bank.
pub(super) struct Pending {
    /// Its place in the plan.
    pub place: usize,
    /// Its pixels, where some of its patches are to be embedded; why it cannot be read.
    pub image: anyhow::Result<Option<Arc<Image>>>,
    /// The memory that it takes.
    pub hold: Option<Hold>,
    /// Which pixels it has, if it can be read.
    pub pixels: Option<PixelHash>,
    /// Patches that are to be embedded; so many of them went into a batch.
    pub cells: Vec<u32>,
    pub taken: usize,
    /// Those of the present batch.
    pub fresh: usize,
    /// `[patches, width]` for each space.
    pub vectors: Vec<Vec<f32>>,
}

impl Pending {
    /// Its pixels, if they are here.
    pub fn pixels_there(&self) -> Option<&Image> {
        self.image.as_ref().ok()?.as_deref()
    }

    /// An image that cannot be read.
    pub fn unreadable(place: usize, error: anyhow::Error) -> Self {
        let (cells, vectors) = (vec![], vec![]);
        Self { place, image: Err(error), hold: None, pixels: None, cells, taken: 0, fresh: 0, vectors }
    }

    pub fn is_complete(&self) -> bool {
        self.taken == self.cells.len()
    }

    /// Adds the next patches to a batch that has room.
    pub fn take_cells(&mut self, batch: &mut Vec<PatchSource>, grid: PatchGrid, most: usize) {
        let Ok(Some(image)) = &self.image else { return };
        let (_, cols) = grid.shape(image.height(), image.width());
        let end = self.cells.len().min(self.taken + most.saturating_sub(batch.len()));
        batch.extend(self.cells[self.taken..end].iter().map(|cell| {
            let (y, x) = grid.corner(*cell as usize, cols);
            PatchSource { image: image.clone(), y, x }
        }));
        self.fresh += end - self.taken;
        self.taken = end;
    }

    /// Takes the vectors of its patches of the present batch, which begin at `row` of `vectors`; where those of the next
    /// image begin.
    pub fn keep(&mut self, vectors: &[Vec<f32>], spaces: &[SpaceSpec], row: usize) -> usize {
        let fresh = self.taken - std::mem::take(&mut self.fresh)..self.taken;
        for ((all, new), space) in self.vectors.iter_mut().zip(vectors).zip(spaces) {
            let width = space.width as usize;
            let rows = new[row * width..].chunks_exact(width);
            for (cell, values) in self.cells[fresh.clone()].iter().zip(rows) {
                let at = *cell as usize * width;
                all[at..at + width].copy_from_slice(values);
            }
        }
        row + fresh.len()
    }
}
