//! What is looked at unless told, in the window and on the command line alike.

/// Images that galleries reach: the first so many of the data set.
pub const GALLERY_IMAGES: usize = 1024;
/// Neighbours in a gallery: with the query, ten rows of twelve.
pub const NEIGHBOURS: usize = 119;

/// Patch size that suits images of short side `side`, pixels: the paper's 14 of 32 and 71 of 224, and
/// about a quarter in between.
pub fn patch(side: u32) -> u32 {
    match side {
        0..=40 => 14.min(side),
        41..=96 => side / 4,
        _ => side * 71 / 224,
    }
}

/// The larger patch of Fig 4 (b): to [`patch`] as 100 to 71.
pub fn large_patch(side: u32) -> u32 {
    (patch(side) * 100).div_ceil(71).min(side)
}

/// Stride of heatmaps: at most 25 x 25 positions.
pub fn map_stride(side: u32, patch: u32) -> u32 {
    side.saturating_sub(patch).div_ceil(24).max(1)
}

/// Stride of galleries: 7 x 7 patches of each image, or a few more.
pub fn gallery_stride(side: u32, patch: u32) -> u32 {
    (side.saturating_sub(patch) / 6).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_sizes_come_out() {
        assert_eq!((patch(32), patch(224), large_patch(224)), (14, 71, 100));
        assert_eq!((patch(64), large_patch(64), patch(8)), (16, 23, 8));
        assert_eq!((map_stride(224, 71), gallery_stride(64, 16), map_stride(10, 20)), (7, 8, 1));
    }
}
