//! Where every row of a bank lies, which follows from the grid and the sizes of the images.

use crate::patch::{PatchGrid, PatchRef};
use anyhow::{Context, Result, bail, ensure};
use std::ops::Range;

/// Most rows that have one sum.
const BLOCK_ROWS: usize = 2048;

/// One image of a bank.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ImageEntry {
    /// Pixels.
    pub height: u32,
    /// Pixels.
    pub width: u32,
    /// Index into the class names; never `u32::MAX`.
    pub label: Option<u32>,
    /// What to call it on screen.
    pub name: String,
}

/// Images and the rows that belong to them, in bank order.
#[derive(Debug)]
pub(super) struct Layout {
    grid: PatchGrid,
    images: Vec<ImageEntry>,
    /// `first_row[i]..first_row[i + 1]` are the rows of image `i`.
    first_row: Vec<usize>,
    /// `first_block[i]..first_block[i + 1]` are the blocks of image `i`.
    first_block: Vec<usize>,
}

impl Layout {
    /// Lays out `images`. At least one patch must fit on one of them.
    pub fn new(grid: PatchGrid, images: Vec<ImageEntry>) -> Result<Self> {
        ensure!(!images.is_empty(), "a bank needs at least one image; there is none");
        ensure!(images.len() < u32::MAX as usize, "{} images are too many for one bank", images.len());
        let mut first_row = Vec::with_capacity(images.len() + 1);
        let mut next = 0usize;
        first_row.push(0);
        for (i, image) in images.iter().enumerate() {
            let (rows, cols) = grid.shape(image.height, image.width);
            next = rows.checked_mul(cols).and_then(|n| next.checked_add(n)).with_context(|| {
                format!(
                    "image {i} ({} x {} pixels) gives more patches than can be counted",
                    image.height, image.width
                )
            })?;
            ensure!(image.label != Some(u32::MAX), "image {i} has label {}, which is out of range", u32::MAX);
            first_row.push(next);
        }
        ensure!(
            next > 0,
            "no patch of {0} x {0} pixels fits on any of the {1} images; choose a smaller patch",
            grid.patch,
            images.len()
        );
        let mut first_block = vec![0];
        first_block.extend(first_row.windows(2).scan(0, |blocks, rows| {
            *blocks += (rows[1] - rows[0]).div_ceil(BLOCK_ROWS);
            Some(*blocks)
        }));
        Ok(Self { grid, images, first_row, first_block })
    }

    pub fn images(&self) -> &[ImageEntry] {
        &self.images
    }

    /// Rows of all images together.
    pub fn patches(&self) -> usize {
        self.first_row[self.images.len()]
    }

    /// Rows of the first `images` images together.
    pub fn rows_before(&self, images: usize) -> usize {
        self.first_row[images]
    }

    /// Rows of image `image`, which must exist.
    pub fn rows_of(&self, image: usize) -> Range<usize> {
        self.first_row[image]..self.first_row[image + 1]
    }

    /// Blocks of all images together. A block is at most 2,048 rows of one image, so that images are committed
    /// with whole blocks.
    pub fn blocks(&self) -> usize {
        self.first_block[self.images.len()]
    }

    /// Blocks of image `image`, which must exist.
    pub fn blocks_of(&self, image: usize) -> Range<usize> {
        self.first_block[image]..self.first_block[image + 1]
    }

    /// Rows of block `block`, which must exist.
    pub fn rows_of_block(&self, block: usize) -> Range<usize> {
        let image = self.first_block.partition_point(|first| *first <= block) - 1;
        let rows = self.rows_of(image);
        let start = rows.start + (block - self.first_block[image]) * BLOCK_ROWS;
        start..rows.end.min(start + BLOCK_ROWS)
    }

    /// Block that holds `row`, which must exist.
    pub fn block_of(&self, row: usize) -> usize {
        let image = self.image_of(row);
        self.first_block[image] + (row - self.first_row[image]) / BLOCK_ROWS
    }

    /// Image that holds `row`, which must exist.
    pub fn image_of(&self, row: usize) -> usize {
        // The last image that starts at or before the row; images without patches start where the next one does.
        self.first_row.partition_point(|first| *first <= row) - 1
    }

    /// The patch in `row`, which must exist.
    pub fn patch_ref(&self, row: usize) -> PatchRef {
        let image = self.image_of(row);
        let (_, cols) = self.grid.shape(self.images[image].height, self.images[image].width);
        let (y, x) = self.grid.corner(row - self.first_row[image], cols);
        PatchRef { image: image as u32, y, x, size: self.grid.patch }
    }

    /// Row of the patch with top-left pixel `(y, x)` on image `image`, which must exist.
    pub fn row_of(&self, image: usize, y: u32, x: u32) -> Result<usize> {
        let (height, width) = (self.images[image].height, self.images[image].width);
        let PatchGrid { patch, stride } = self.grid;
        let (rows, cols) = self.grid.shape(height, width);
        if rows == 0 || cols == 0 {
            bail!("image {image} has no patches: {patch} x {patch} pixels do not fit on {height} x {width}");
        }
        let snap = |v: u32, count: usize| {
            let index = (v / stride + u32::from(v % stride > stride / 2)).min(count as u32 - 1);
            (index as usize, index * stride)
        };
        let ((row, near_y), (col, near_x)) = (snap(y, rows), snap(x, cols));
        ensure!(
            (near_y, near_x) == (y, x),
            "no patch of image {image} has its corner at y {y}, x {x}; the nearest is at {near_y}:{near_x} \
             (corners lie every {stride} pixels, up to {} and {})",
            (rows as u32 - 1) * stride,
            (cols as u32 - 1) * stride
        );
        Ok(self.first_row[image] + row * cols + col)
    }

    /// Says where the images of a bank (`self`) differ from those asked for, at the first one that does.
    pub fn difference(&self, asked: &[ImageEntry]) -> Option<String> {
        if self.images.len() != asked.len() {
            return Some(format!(
                "images: the bank has {}, asked for are {}",
                self.images.len(),
                asked.len()
            ));
        }
        let at = self.images.iter().zip(asked).position(|(a, b)| a != b)?;
        let text = |e: &ImageEntry| format!("{} ({} x {}, label {:?})", e.name, e.height, e.width, e.label);
        Some(format!(
            "image {at}: the bank has {}, asked for is {}",
            text(&self.images[at]),
            text(&asked[at])
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        let sizes = [(8, 8), (3, 9), (10, 6), (8, 8)]; // patch 4, stride 2: 3x3, none, 4x2, 3x3
        let entry = |(height, width)| ImageEntry { height, width, label: None, name: String::new() };
        Layout::new(PatchGrid::new(4, 2).unwrap(), sizes.map(entry).to_vec()).unwrap()
    }

    #[test]
    fn every_row_leads_to_its_patch_and_back() {
        let layout = layout();
        assert_eq!(layout.patches(), 9 + 8 + 9);
        assert_eq!(layout.patch_ref(9), PatchRef { image: 2, y: 0, x: 0, size: 4 });
        assert_eq!(layout.patch_ref(12), PatchRef { image: 2, y: 2, x: 2, size: 4 });
        for row in 0..layout.patches() {
            let patch = layout.patch_ref(row);
            assert_eq!(layout.row_of(patch.image as usize, patch.y, patch.x).unwrap(), row);
        }
    }

    #[test]
    fn a_corner_off_the_grid_is_told_the_nearest_one() {
        let error = layout().row_of(0, 3, 7).unwrap_err().to_string();
        assert!(error.contains("nearest is at 2:4"), "{error}");
        let error = layout().row_of(0, u32::MAX, 0).unwrap_err().to_string();
        assert!(error.contains("nearest is at 4:0"), "{error}");
        let error = layout().row_of(1, 0, 0).unwrap_err().to_string();
        assert!(error.contains("do not fit on 3 x 9"), "{error}");
    }

    #[test]
    fn images_that_give_no_or_too_many_patches_are_refused() {
        let grid = PatchGrid::new(4, 1).unwrap();
        let entry = |side| ImageEntry { height: side, width: side, label: None, name: String::new() };
        assert!(Layout::new(grid, vec![]).is_err());
        assert!(Layout::new(grid, vec![entry(3)]).unwrap_err().to_string().contains("smaller patch"));
        assert!(Layout::new(grid, vec![entry(u32::MAX); 3]).unwrap_err().to_string().contains("counted"));
    }
}
