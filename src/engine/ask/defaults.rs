//! What is looked at unless told, in the window and on the command line alike.

/// Images that galleries reach, spread over the data set.
pub const GALLERY_IMAGES: usize = 1024;
/// Spaces that are shown where a model has them, as the command line is told them.
pub const SPACES: &str = "z,h";
/// Neighbours in a gallery: with the query, ten rows of twelve (Fig 5, 7).
pub const NEIGHBOURS: usize = 119;
/// Neighbours in a large gallery: with the query, sixteen rows of sixteen (Fig 8, 9).
pub const MANY_NEIGHBOURS: usize = 255;
/// Queries on a sheet of parts (Fig 10).
pub const PARTS: usize = 16;
/// Neighbours of each query on a sheet of parts: with the query, six rows of six (Fig 10).
pub const PART_NEIGHBOURS: usize = 35;
/// Positions of an instance (Fig 11, 12).
pub const POSITIONS: usize = 5;
/// Neighbours of each position: with the query, seven rows of seven (Fig 11, 12).
pub const POSITION_NEIGHBOURS: usize = 48;

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

/// Patch sizes of the microscope: 14, 20, 26 and 32 on images of the size of CIFAR's, the same shares of
/// larger ones up to 96, and 32, 71, 100 and 150 of 224 beyond.
pub fn microscope_sizes(side: u32) -> Vec<u32> {
    let mut sizes = match side {
        0..=40 => vec![14, 20, 26, 32],
        41..=96 => [2, 3, 4, 6].map(|eighths| side * eighths / 8).to_vec(),
        _ => [32, 71, 100, 150].map(|size| side * size / 224).to_vec(),
    };
    sizes.retain(|size| *size <= side);
    if sizes.is_empty() { vec![side] } else { sizes }
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
        assert_eq!(microscope_sizes(32), [14, 20, 26, 32]);
        assert_eq!(microscope_sizes(64), [16, 24, 32, 48]);
        assert_eq!(microscope_sizes(224), [32, 71, 100, 150]);
        assert_eq!((microscope_sizes(28), microscope_sizes(8)), (vec![14, 20, 26], vec![8]));
        assert_eq!((map_stride(224, 71), gallery_stride(64, 16), map_stride(10, 20)), (7, 8, 1));
    }
}
