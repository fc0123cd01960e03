//! Where every row of a bank lies, which follows from the grid and the sizes of the images.

use crate::patch::{PatchGrid, PatchRef};
use anyhow::{Context, Result, bail, ensure};
use std::ops::Range;

/// Most rows that have one sum.
const BLOCK_ROWS: usize = 2048;

/// One image of a bank.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ImageEntry {
    /// Its number in the data set, by which it is called everywhere; another one for each image.
    pub index: u32,
    /// Pixels.
    pub height: u32,
    /// Pixels.
    pub width: u32,
    /// Index into the class names; never `u32::MAX`.
    pub label: Option<u32>,
    /// What to call it on screen.
    pub name: String,
}

impl ImageEntry {
    /// Bytes of its pixels once they are decoded.
    pub fn decoded_bytes(&self) -> u64 {
        3 * u64::from(self.height) * u64::from(self.width)
    }
}

/// Images and the rows that belong to them, in bank order: an image's place in it need not be its index.
#[derive(Debug)]
pub(super) struct Layout {
    grid: PatchGrid,
    images: Vec<ImageEntry>,
    /// `first_row[i]..first_row[i + 1]` are the rows of the image in place `i`.
    first_row: Vec<usize>,
    /// Places by rising index; empty where every place is its image's index.
    by_index: Vec<u32>,
    /// `first_block[i]..first_block[i + 1]` are the blocks of the image in place `i`.
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
        for image in &images {
            let (rows, cols) = grid.shape(image.height, image.width);
            next = rows.checked_mul(cols).and_then(|n| next.checked_add(n)).with_context(|| {
                format!(
                    "image {} ({} x {} pixels) gives more patches than can be counted",
                    image.index, image.height, image.width
                )
            })?;
            ensure!(
                image.label != Some(u32::MAX),
                "image {} has label {}, which is out of range",
                image.index,
                u32::MAX
            );
            first_row.push(next);
        }
        ensure!(
            next > 0,
            "no patch of {0} x {0} pixels fits on any of the {1} images; choose a smaller patch",
            grid.patch,
            images.len()
        );
        let by_index = by_index(&images)?;
        let mut first_block = vec![0];
        first_block.extend(first_row.windows(2).scan(0, |blocks, rows| {
            *blocks += (rows[1] - rows[0]).div_ceil(BLOCK_ROWS);
            Some(*blocks)
        }));
        Ok(Self { grid, images, first_row, by_index, first_block })
    }

    /// Place of the image whose index is `image`.
    pub fn place_of(&self, image: usize) -> Option<usize> {
        if self.by_index.is_empty() {
            return (image < self.images.len()).then_some(image);
        }
        let index_in = |place: &u32| self.images[*place as usize].index as usize;
        self.by_index.binary_search_by_key(&image, index_in).ok().map(|at| self.by_index[at] as usize)
    }

    /// Whether every place is its image's index.
    pub fn is_in_order(&self) -> bool {
        self.by_index.is_empty()
    }

    /// The places below `end`, by rising index of their images.
    pub fn places_in_order(&self, end: usize) -> impl Iterator<Item = usize> {
        let in_order = if self.is_in_order() { 0..end } else { 0..0 };
        in_order.chain(self.by_index.iter().map(|place| *place as usize).filter(move |place| *place < end))
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

    /// Rows of the image in `place`, which must exist.
    pub fn rows_of(&self, place: usize) -> Range<usize> {
        self.first_row[place]..self.first_row[place + 1]
    }

    /// Number of rows of the image in place `index`, if it is the one to come.
    ///
    /// # Errors
    /// Another one comes `next`, or none.
    pub fn expect(&self, index: usize, next: usize) -> Result<usize> {
        let total = self.images.len();
        ensure!(
            index == next && index < total,
            "image {index} was given, image {next} of {total} comes next"
        );
        Ok(self.rows_of(index).len())
    }

    /// Blocks of all images together. A block is at most 2,048 rows of one image, so that images are committed
    /// with whole blocks.
    pub fn blocks(&self) -> usize {
        self.first_block[self.images.len()]
    }

    /// Blocks of the image in `place`, which must exist.
    pub fn blocks_of(&self, place: usize) -> Range<usize> {
        self.first_block[place]..self.first_block[place + 1]
    }

    /// Rows of block `block`, which must exist.
    pub fn rows_of_block(&self, block: usize) -> Range<usize> {
        let place = self.first_block.partition_point(|first| *first <= block) - 1;
        let rows = self.rows_of(place);
        let start = rows.start + (block - self.first_block[place]) * BLOCK_ROWS;
        start..rows.end.min(start + BLOCK_ROWS)
    }

    /// Block that holds `row`, which must exist.
    pub fn block_of(&self, row: usize) -> usize {
        let place = self.place_of_row(row);
        self.first_block[place] + (row - self.first_row[place]) / BLOCK_ROWS
    }

    /// Place of the image that holds `row`, which must exist.
    pub fn place_of_row(&self, row: usize) -> usize {
        // The last image that starts at or before the row; images without patches start where the next one does.
        self.first_row.partition_point(|first| *first <= row) - 1
    }

    /// The patch in `row`, which must exist.
    pub fn patch_ref(&self, row: usize) -> PatchRef {
        let place = self.place_of_row(row);
        let ImageEntry { index, height, width, .. } = self.images[place];
        let (_, cols) = self.grid.shape(height, width);
        let (y, x) = self.grid.corner(row - self.first_row[place], cols);
        PatchRef { image: index, y, x, size: self.grid.patch }
    }

    /// Row of the patch with top-left pixel `(y, x)` on the image in `place`, which must exist.
    pub fn row_of(&self, place: usize, y: u32, x: u32) -> Result<usize> {
        let ImageEntry { index: image, height, width, .. } = self.images[place];
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
        Ok(self.first_row[place] + row * cols + col)
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
        let (has, wants) = (&self.images[at], &asked[at]);
        if has.index != wants.index {
            return Some(format!(
                "order of images: the bank has image {} in place {at}, asked for is {}",
                has.index, wants.index
            ));
        }
        let text = |e: &ImageEntry| format!("{} ({} x {}, label {:?})", e.name, e.height, e.width, e.label);
        Some(format!("image {}: the bank has {}, asked for is {}", has.index, text(has), text(wants)))
    }
}

/// Places by rising index; empty where every place is its image's index.
fn by_index(images: &[ImageEntry]) -> Result<Vec<u32>> {
    if images.iter().enumerate().all(|(place, image)| image.index as usize == place) {
        return Ok(vec![]);
    }
    let mut places: Vec<u32> = (0..images.len() as u32).collect();
    places.sort_unstable_by_key(|place| images[*place as usize].index);
    for pair in places.windows(2) {
        let [a, b] = [pair[0], pair[1]].map(|place| images[place as usize].index);
        ensure!(a != b, "image {a} is in places {} and {}; expected each image once", pair[0], pair[1]);
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout_of(indices: [u32; 4]) -> Layout {
        let sizes = [(8, 8), (3, 9), (10, 6), (8, 8)]; // patch 4, stride 2: 3x3, none, 4x2, 3x3
        let entry =
            |(index, (height, width))| ImageEntry { index, height, width, label: None, name: String::new() };
        let images = indices.into_iter().zip(sizes).map(entry).collect();
        Layout::new(PatchGrid::new(4, 2).unwrap(), images).unwrap()
    }

    fn layout() -> Layout {
        layout_of([0, 1, 2, 3])
    }

    #[test]
    fn an_image_is_called_by_its_index_wherever_it_lies() {
        let layout = layout_of([7, 2, 90, 5]);
        assert_eq!(layout.patch_ref(9), PatchRef { image: 90, y: 0, x: 0, size: 4 });
        for row in 0..layout.patches() {
            let patch = layout.patch_ref(row);
            let place = layout.place_of(patch.image as usize).unwrap();
            assert_eq!(
                (place, layout.row_of(place, patch.y, patch.x).unwrap()),
                (layout.place_of_row(row), row)
            );
        }
        assert_eq!((layout.place_of(0), layout.place_of(3), layout.place_of(91)), (None, None, None));
        assert_eq!(layout.places_in_order(4).collect::<Vec<_>>(), [1, 3, 0, 2]);
        assert_eq!(layout.places_in_order(2).collect::<Vec<_>>(), [1, 0]);
        assert!(layout.row_of(1, 0, 0).unwrap_err().to_string().contains("image 2 has no patches"));
        let twice = layout.images().iter().cloned().chain([layout.images()[2].clone()]).collect();
        let error = Layout::new(PatchGrid::new(4, 2).unwrap(), twice).unwrap_err().to_string();
        assert!(error.contains("image 90 is in places"), "{error}");
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
        let entry =
            |index, side| ImageEntry { index, height: side, width: side, label: None, name: String::new() };
        assert!(Layout::new(grid, vec![]).is_err());
        assert!(Layout::new(grid, vec![entry(0, 3)]).unwrap_err().to_string().contains("smaller patch"));
        let large = (0..3).map(|index| entry(index, u32::MAX)).collect();
        assert!(Layout::new(grid, large).unwrap_err().to_string().contains("counted"));
    }
}
