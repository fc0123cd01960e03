//! Patch geometry: where patches lie on an image. Pixels count from 0 and
//! `(y, x)` is always the top-left pixel of a patch.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Square patches of side `patch`, one every `stride` pixels:
/// corners at 0, S, 2S, ... up to side - P.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "ReadGrid")]
pub struct PatchGrid {
    /// Side of a patch, pixels.
    pub patch: u32,
    /// Distance between neighbouring corners, pixels.
    pub stride: u32,
}

/// A grid that is read, before its sides are known to be right.
#[derive(Deserialize)]
struct ReadGrid {
    patch: u32,
    stride: u32,
}

impl TryFrom<ReadGrid> for PatchGrid {
    type Error = anyhow::Error;

    fn try_from(read: ReadGrid) -> anyhow::Result<Self> {
        Self::new(read.patch, read.stride)
    }
}

/// One patch of one image of a data set or bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PatchRef {
    /// Index of the image in its data set (or bank).
    pub image: u32,
    /// Top edge, pixels.
    pub y: u32,
    /// Left edge, pixels.
    pub x: u32,
    /// Side, pixels.
    pub size: u32,
}

impl PatchRef {
    /// The patch of `size` pixels about the same centre, moved onto its image of `height` x `width`.
    pub fn about_same_centre(self, size: u32, height: u32, width: u32) -> Self {
        let BoxRef { image, y, x, .. } = BoxRef::from(self).squared(size);
        Self { image, y: y.min(height.saturating_sub(size)), x: x.min(width.saturating_sub(size)), size }
    }
}

/// A rectangle of one image of a data set: a patch of any height and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BoxRef {
    /// Index of the image in its data set.
    pub image: u32,
    /// Top edge, pixels.
    pub y: u32,
    /// Left edge, pixels.
    pub x: u32,
    /// Height, pixels, at least 1.
    pub height: u32,
    /// Width, pixels, at least 1.
    pub width: u32,
}

impl From<PatchRef> for BoxRef {
    fn from(PatchRef { image, y, x, size }: PatchRef) -> Self {
        Self { image, y, x, height: size, width: size }
    }
}

impl BoxRef {
    /// The same as a patch, if it is square.
    pub fn patch(self) -> Option<PatchRef> {
        let Self { image, y, x, height, width } = self;
        (height == width).then_some(PatchRef { image, y, x, size: height })
    }

    /// A square of `size` pixels about the same centre, as far as the top and left edge of the image let it.
    pub fn squared(self, size: u32) -> Self {
        let corner = |corner: u32, side: u32| (corner + side / 2).saturating_sub(size / 2);
        let (y, x) = (corner(self.y, self.height), corner(self.x, self.width));
        Self { image: self.image, y, x, height: size, width: size }
    }

    /// Moved onto an image of `height` x `width` pixels; `None` if it is larger than that.
    pub fn within(self, height: u32, width: u32) -> Option<Self> {
        let (y, x) = (height.checked_sub(self.height)?, width.checked_sub(self.width)?);
        Some(Self { y: self.y.min(y), x: self.x.min(x), ..self })
    }
}

impl fmt::Display for BoxRef {
    /// "20 x 31 px, y 6, x 9": width x height, row and column of the top-left pixel.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {} px, y {}, x {}", self.width, self.height, self.y, self.x)
    }
}

impl PatchGrid {
    /// A grid of `patch` x `patch` squares every `stride` pixels; both at least 1.
    pub fn new(patch: u32, stride: u32) -> anyhow::Result<Self> {
        anyhow::ensure!(patch >= 1, "patch size is {patch}; expected at least 1 pixel");
        anyhow::ensure!(stride >= 1, "stride is {stride}; expected at least 1 pixel");
        Ok(Self { patch, stride })
    }

    /// Number of corners along a side of `side` pixels; 0 if the patch does not fit.
    pub fn count_along(&self, side: u32) -> usize {
        if side < self.patch { 0 } else { ((side - self.patch) / self.stride + 1) as usize }
    }

    /// `(rows, cols)` of patches on an image of `height` x `width` pixels.
    pub fn shape(&self, height: u32, width: u32) -> (usize, usize) {
        (self.count_along(height), self.count_along(width))
    }

    /// Number of patches on an image of `height` x `width` pixels.
    pub fn len(&self, height: u32, width: u32) -> usize {
        let (rows, cols) = self.shape(height, width);
        rows * cols
    }

    /// Top-left pixel `(y, x)` of patch `index` (row by row) on an image with `cols` columns of patches.
    pub fn corner(&self, index: usize, cols: usize) -> (u32, u32) {
        ((index / cols) as u32 * self.stride, (index % cols) as u32 * self.stride)
    }

    /// Row and column of the patch whose centre (corner + P/2) is nearest to the
    /// point `(x, y)` in pixels; `None` outside the image or where no patch fits.
    pub fn nearest(&self, x: f32, y: f32, height: u32, width: u32) -> Option<(usize, usize)> {
        let (rows, cols) = self.shape(height, width);
        let inside = x >= 0.0 && y >= 0.0 && x <= width as f32 && y <= height as f32;
        if !inside || rows == 0 || cols == 0 {
            return None;
        }
        let snap = |v: f32, count: usize| {
            let step = (v - self.patch as f32 / 2.0) / self.stride as f32;
            (step.round().max(0.0) as usize).min(count - 1)
        };
        Some((snap(y, rows), snap(x, cols)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_covers_the_side_up_to_the_last_whole_patch() {
        let grid = PatchGrid::new(14, 1).unwrap();
        assert_eq!(grid.shape(32, 32), (19, 19));
        assert_eq!(PatchGrid::new(71, 4).unwrap().shape(224, 224), (39, 39));
        assert_eq!(PatchGrid::new(16, 4).unwrap().shape(32, 15), (5, 0));
        assert_eq!(PatchGrid::new(14, 4).unwrap().corner(7, 5), (4, 8));
    }

    #[test]
    fn a_point_snaps_to_the_nearest_centre() {
        let grid = PatchGrid::new(14, 4).unwrap(); // centres 7, 11, 15, 19, 23
        assert_eq!(grid.nearest(0.0, 32.0, 32, 32), Some((4, 0)));
        assert_eq!(grid.nearest(12.5, 8.9, 32, 32), Some((0, 1)));
        assert_eq!(grid.nearest(33.0, 8.0, 32, 32), None);
        assert_eq!(grid.nearest(3.0, 3.0, 8, 8), None);
    }

    #[test]
    fn another_size_keeps_the_centre_where_the_image_allows() {
        let patch = PatchRef { image: 2, y: 10, x: 1, size: 8 };
        assert_eq!(patch.about_same_centre(16, 32, 32), PatchRef { image: 2, y: 6, x: 0, size: 16 });
        assert_eq!(patch.about_same_centre(4, 32, 32), PatchRef { image: 2, y: 12, x: 3, size: 4 });
        assert_eq!(patch.about_same_centre(32, 32, 40), PatchRef { image: 2, y: 0, x: 0, size: 32 });
    }

    #[test]
    fn a_box_is_moved_onto_its_image_and_told_in_words() {
        let area = BoxRef { image: 3, y: 30, x: 2, height: 31, width: 20 };
        assert_eq!(area.within(40, 40), Some(BoxRef { y: 9, ..area }));
        assert_eq!(area.within(30, 40), None);
        assert_eq!(area.to_string(), "20 x 31 px, y 30, x 2");
        assert_eq!(area.patch(), None);
        let patch = PatchRef { image: 3, y: 8, x: 2, size: 14 };
        assert_eq!(BoxRef::from(patch).patch(), Some(patch));
        // Centre (9, 15) stays; at the left edge there is no room to grow.
        let squared = BoxRef::from(patch).squared(20);
        assert_eq!((squared.y, squared.x, squared.height, squared.width), (5, 0, 20, 20));
    }

    #[test]
    fn sizes_of_zero_are_refused() {
        assert!(PatchGrid::new(0, 1).is_err() && PatchGrid::new(1, 0).is_err());
    }
}
