//! What is looked at unless told, in the window and on the command line alike.

use std::fmt;

use crate::augment::Crop;
use crate::engine::ask::config::ExploreConfig;
use crate::patch::PatchGrid;
use crate::words::thousands;

/// Images that galleries reach, spread over the data set.
pub const GALLERY_IMAGES: usize = 1024;
/// Spaces that are shown where a model has them, as the command line is told them.
pub const SPACES: &str = "z,h";

/// The spaces that are taken where none is told: of [`SPACES`] those that are among `all`, else all.
pub fn spaces(all: &[String]) -> Vec<String> {
    let usual: Vec<String> = SPACES.split(',').map(String::from).filter(|name| all.contains(name)).collect();
    if usual.is_empty() { all.to_vec() } else { usual }
}

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

/// [`NEIGHBOURS`], and the cells that they fill with the query.
pub const CELLS: (usize, &str) = (NEIGHBOURS, "10 x 12");
/// The same of [`MANY_NEIGHBOURS`].
pub const MANY_CELLS: (usize, &str) = (MANY_NEIGHBOURS, "16 x 16");
/// The same of [`PART_NEIGHBOURS`].
pub const PART_CELLS: (usize, &str) = (PART_NEIGHBOURS, "6 x 6");
/// The same of [`POSITION_NEIGHBOURS`].
pub const POSITION_CELLS: (usize, &str) = (POSITION_NEIGHBOURS, "7 x 7");

/// How many times as long as a trained patch the short side of an image may be. One that is longer is no image that
/// such patches were cut from (14 of 32 and 71 of 224 pixels are), but one to be made smaller first.
const MOST_TIMES: u32 = 8;

/// Patch size for images of short side `side`, pixels, under a network that was trained on views cut by `trained`:
/// what suits the images ([`patch`]), moved into the sizes that the network has seen, where these are known.
pub fn patch_for(side: u32, trained: &[Crop]) -> u32 {
    let of_area = |share: f64| (f64::from(side) * share.clamp(0.0, 1.0).sqrt()).round() as u32;
    let sizes = |crop: &Crop| match *crop {
        Crop::Fixed { size } => (1..=side)
            .contains(&size)
            .then_some([size; 2])
            .filter(|_| side <= size.saturating_mul(MOST_TIMES)),
        Crop::Scale { min, max } => (min <= max).then(|| [of_area(min).max(1), of_area(max).max(1)]),
    };
    let seen = trained.iter().filter_map(sizes).reduce(|a, b| [a[0].min(b[0]), a[1].max(b[1])]);
    seen.map_or(patch(side), |[least, most]| patch(side).clamp(least, most))
}

/// Patch size that suits images of short side `side`, pixels, whatever the network: the paper's 14 of 32 and 71 of 224, and
/// about a quarter in between.
pub fn patch(side: u32) -> u32 {
    match side {
        0..=40 => 14.min(side),
        41..=96 => side / 4,
        _ => side * 71 / 224,
    }
}

/// The centre that patches are cut from in the paper's Fig 3a, pixels a side, and those patches: for photographs (of several
/// sizes, or larger than any small set's: `size` is that of all images, if they share one) under a network whose `input` is
/// of their size, as it is for Fig 3b.
pub fn averaged_patches(input: u32, size: Option<(u32, u32)>) -> Option<(u32, PatchGrid)> {
    let are_photographs = size.is_none_or(|(height, width)| height.min(width) > 96);
    (input >= 64 && are_photographs).then_some((224, PatchGrid { patch: 100, stride: 4 }))
}

/// The larger patch of Fig 4 (b) beside patches of `patch` pixels: as 100 to 71.
pub fn large_patch(patch: u32, side: u32) -> u32 {
    patch.saturating_mul(100).div_ceil(71).min(side)
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

/// Stride of galleries: 7 x 7 patches of each image or a few more, and at most one patch, so that no pixel between
/// the first and the last is left out.
pub fn gallery_stride(side: u32, patch: u32) -> u32 {
    (side.saturating_sub(patch) / 6).min(patch).max(1)
}

/// `new` with strides that follow its patch size on images of short side `side`: each that was the usual one under
/// `old` is the usual one again, and one that was chosen stays.
pub fn follow_patch(old: &ExploreConfig, new: &mut ExploreConfig, side: u32) {
    let [before, now] = [old.grid.patch, new.grid.patch];
    if (old.grid.stride, new.grid.stride) == (map_stride(side, before), old.grid.stride) {
        new.grid.stride = map_stride(side, now);
    }
    if (old.gallery_stride, new.gallery_stride) == (gallery_stride(side, before), old.gallery_stride) {
        new.gallery_stride = gallery_stride(side, now);
    }
}

/// Patches of a heatmap at most: beyond this it would take minutes and gigabytes.
pub const MOST_CELLS: usize = 60_000;

/// Why an image has no heatmap on a grid, and what would do instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchFault {
    /// The patch does not fit on the image.
    TooLarge {
        /// Side of the patch, pixels.
        patch: u32,
        /// The image's `(height, width)`, pixels.
        image: (u32, u32),
    },
    /// There would be more patches than a heatmap may have.
    TooMany {
        /// The stride, pixels.
        stride: u32,
        /// How many patches that makes.
        cells: usize,
        /// The smallest stride that will do, pixels.
        least: u32,
    },
}

impl fmt::Display for PatchFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooLarge { patch, image: (height, width) } => write!(
                f,
                "a patch of {patch} x {patch} pixels does not fit on this image of {width} x {height}; expected at \
                 most {}",
                height.min(width)
            ),
            Self::TooMany { stride, cells, least } => write!(
                f,
                "stride {stride} makes {} patches on this image; expected at most {}, which stride {least} or more gives",
                thousands(cells),
                thousands(MOST_CELLS)
            ),
        }
    }
}

/// What is wrong with heatmaps on `grid` of an image of `height` x `width` pixels.
pub fn patch_fault(grid: PatchGrid, height: u32, width: u32) -> Option<PatchFault> {
    let PatchGrid { patch, stride } = grid;
    let cells = grid.len(height, width);
    if cells == 0 {
        return Some(PatchFault::TooLarge { patch, image: (height, width) });
    }
    let does = |stride: &u32| PatchGrid { patch, stride: *stride }.len(height, width) <= MOST_CELLS;
    let least = || (stride..=height.max(width)).find(does).unwrap_or(height.max(width));
    (cells > MOST_CELLS).then(|| PatchFault::TooMany { stride, cells, least: least() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_sizes_come_out() {
        assert_eq!((patch(32), patch(224), large_patch(71, 224)), (14, 71, 100));
        assert_eq!((patch(64), large_patch(16, 64), patch(8)), (16, 23, 8));
        assert_eq!(microscope_sizes(32), [14, 20, 26, 32]);
        assert_eq!(microscope_sizes(64), [16, 24, 32, 48]);
        assert_eq!(microscope_sizes(224), [32, 71, 100, 150]);
        assert_eq!((microscope_sizes(28), microscope_sizes(8)), (vec![14, 20, 26], vec![8]));
        assert_eq!((map_stride(224, 71), gallery_stride(64, 16), map_stride(10, 20)), (7, 8, 1));
    }

    #[test]
    fn photographs_under_a_large_network_are_averaged_as_in_the_paper() {
        let paper = Some((224, PatchGrid { patch: 100, stride: 4 }));
        assert_eq!((averaged_patches(224, None), averaged_patches(64, Some((375, 500)))), (paper, paper));
        for (input, size) in [(32, None), (224, Some((32, 32))), (224, Some((96, 96)))] {
            assert_eq!(averaged_patches(input, size), None);
        }
    }

    #[test]
    fn a_patch_is_of_a_size_that_the_network_was_trained_on() {
        let fixed = |size| Crop::Fixed { size };
        assert_eq!(patch_for(32, &[]), 14);
        assert_eq!((patch_for(32, &[fixed(16)]), patch_for(64, &[fixed(20)])), (16, 20));
        // Several sizes: the nearest to what suits the image. A patch that does not fit says nothing.
        assert_eq!(patch_for(32, &[fixed(10), fixed(12)]), 12);
        assert_eq!(patch_for(12, &[fixed(16)]), 12);
        // A photograph of 1600 x 1200 is no image of CIFAR-10.
        assert_eq!(patch_for(1200, &[fixed(16)]), 380);
        // Shares of the area: a fifth is 14 of 32, and 71 of 224 is within 0.08 to 1.
        assert_eq!(patch_for(32, &[Crop::Scale { min: 0.2, max: 0.2 }]), 14);
        assert_eq!(patch_for(224, &[Crop::Scale { min: 0.08, max: 1.0 }]), 71);
        assert_eq!(patch_for(224, &[Crop::Scale { min: 0.25, max: 1.0 }]), 112);
        // Files can say anything.
        for odd in [fixed(0), fixed(u32::MAX), Crop::Scale { min: f64::NAN, max: 1.0 }] {
            assert_eq!(patch_for(32, &[odd]), 14);
        }
    }

    #[test]
    fn strides_follow_the_patch_size_unless_they_were_chosen() {
        let config = |patch, stride, gallery_stride| ExploreConfig {
            grid: PatchGrid { patch, stride },
            gallery_stride,
            gallery_images: 1,
            neighbours: 9,
            spaces: vec![],
            filter: Default::default(),
            way: Default::default(),
        };
        let old = config(380, map_stride(1200, 380), gallery_stride(1200, 380));
        let mut new = config(16, old.grid.stride, old.gallery_stride);
        follow_patch(&old, &mut new, 1200);
        assert_eq!((new.grid.stride, new.gallery_stride), (50, 16));
        let chosen = config(380, 7, 100);
        let mut new = config(16, 7, 100);
        follow_patch(&chosen, &mut new, 1200);
        assert_eq!((new.grid.stride, new.gallery_stride), (7, 100));
        // What is changed with the patch size was chosen too.
        let mut new = config(16, 3, 5);
        follow_patch(&old, &mut new, 1200);
        assert_eq!((new.grid.stride, new.gallery_stride), (3, 5));
    }

    #[test]
    fn what_is_wrong_with_patches_says_what_would_do() {
        let fault = |patch, stride, height, width| patch_fault(PatchGrid { patch, stride }, height, width);
        assert_eq!((fault(14, 1, 32, 32), fault(32, 9, 32, 40)), (None, None));
        let large = fault(48, 4, 32, 40).unwrap().to_string();
        assert!(large.contains("does not fit on this image of 40 x 32; expected at most 32"), "{large}");
        // 1585 x 1185 places at stride 1; 317 x 237 at 5 are still 75,129, 265 x 198 at 6 are 52,470.
        let many = fault(16, 1, 1200, 1600).unwrap();
        assert_eq!(many, PatchFault::TooMany { stride: 1, cells: 1_878_225, least: 6 });
        assert!(
            many.to_string().contains("1,878,225 patches") && fault(16, 6, 1200, 1600).is_none(),
            "{many}"
        );
    }
}
