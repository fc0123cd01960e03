//! Query patches where none are given: a choice that a seed decides and anyone can repeat.

use std::collections::{BTreeMap, HashSet, VecDeque};

use anyhow::{Context, ensure};
use rand::SeedableRng;
use rand::seq::{SliceRandom, index};
use rand_pcg::Pcg64Mcg;

use crate::analysis::heatmap::cosine_map;
use crate::bank::Bank;
use crate::dataset::Dataset;
use crate::image::Image;
use crate::patch::{PatchGrid, PatchRef};

/// Positions that are looked at in an image.
const LOOKED_AT: usize = 64;

/// `count` patches of the images `images` of `data`: the images in an order drawn from the seed,
/// the classes taking turns; in each the patch with the most contrast (deviation of luma) of at most 64
/// positions drawn from the seed, of those that `may` be asked about. An image gives a second patch only after all have
/// given one. `grid` says where patches lie on an image of `(height, width)`.
///
/// # Errors
/// There are not so many patches.
pub fn patches(
    data: &dyn Dataset,
    images: Vec<usize>,
    (grid, may): (impl Fn(u32, u32) -> Option<PatchGrid>, impl Fn(PatchRef) -> bool),
    count: usize,
    seed: u64,
) -> anyhow::Result<Vec<PatchRef>> {
    let order = in_turns(data, images, seed);
    let mut chosen: Vec<PatchRef> = vec![];
    while chosen.len() < count {
        let before = chosen.len();
        for &image in &order {
            if chosen.len() == count {
                break;
            }
            let (height, width) = data.dimensions(image);
            let Some(grid) = grid(height, width).filter(|grid| grid.len(height, width) > 0) else { continue };
            // A picture that cannot be read is no choice.
            let Some(pixels) = data.image_if_readable(image)? else { continue };
            chosen.extend(most_contrast(&pixels, (image as u32, grid), seed, &chosen, &may));
        }
        let (height, width) = data.dimensions(order.first().copied().unwrap_or(0));
        let size = grid(height, width).map_or(0, |grid| grid.patch);
        ensure!(
            !chosen.is_empty(),
            "no patch of {size} x {size} pixels fits on an image of {} that can be read; choose a smaller patch",
            data.name()
        );
        ensure!(
            chosen.len() > before,
            "{} has only {before} patches to ask about; expected {count}: ask for fewer, or choose a smaller patch",
            data.name()
        );
    }
    Ok(chosen)
}

/// The patch of one image that [`patches`] would choose.
///
/// # Errors
/// No patch fits, or may be asked about.
pub fn place(
    pixels: &Image,
    image: u32,
    grid: PatchGrid,
    seed: u64,
    may: impl Fn(PatchRef) -> bool,
) -> anyhow::Result<PatchRef> {
    most_contrast(pixels, (image, grid), seed, &[], &may).with_context(|| {
        format!(
            "a patch of {0} x {0} pixels does not fit on the image of {1} x {2}; choose a smaller patch",
            grid.patch,
            pixels.width(),
            pixels.height()
        )
    })
}

/// The images shuffled, one of each class in turn.
fn in_turns(data: &dyn Dataset, mut all: Vec<usize>, seed: u64) -> Vec<usize> {
    let mut dice = Pcg64Mcg::seed_from_u64(seed);
    all.shuffle(&mut dice);
    let mut classes: BTreeMap<Option<u32>, VecDeque<usize>> = BTreeMap::new();
    for image in all {
        classes.entry(data.label(image)).or_default().push_back(image);
    }
    let mut turns: Vec<VecDeque<usize>> = classes.into_values().collect();
    turns.shuffle(&mut dice);
    let mut order = vec![];
    while !turns.is_empty() {
        order.extend(turns.iter_mut().filter_map(VecDeque::pop_front));
        turns.retain(|class| !class.is_empty());
    }
    order
}

/// The patch with the most contrast of some positions of an image, none of `taken`, of those that it `may` be.
fn most_contrast(
    pixels: &Image,
    (image, grid): (u32, PatchGrid),
    seed: u64,
    taken: &[PatchRef],
    may: &impl Fn(PatchRef) -> bool,
) -> Option<PatchRef> {
    let (rows, cols) = grid.shape(pixels.height(), pixels.width());
    let mut dice = Pcg64Mcg::seed_from_u64(seed ^ u64::from(image).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let taken: HashSet<PatchRef> = taken.iter().copied().filter(|patch| patch.image == image).collect();
    let patch = |cell: usize| {
        let (y, x) = grid.corner(cell, cols);
        PatchRef { image, y, x, size: grid.patch }
    };
    let all: Vec<PatchRef> = (0..rows * cols).map(patch).filter(|patch| may(*patch)).collect();
    let mut drawn = index::sample(&mut dice, all.len(), all.len().min(LOOKED_AT)).into_vec();
    drawn.sort_unstable();
    let free = drawn.into_iter().map(|at| all[at]).filter(|patch| !taken.contains(patch));
    let scored = free.map(|patch| (contrast(pixels, patch), patch));
    // The first of equals.
    scored
        .fold(None, |best: Option<(f64, PatchRef)>, next| match best {
            Some(best) if best.0 >= next.0 => Some(best),
            _ => Some(next),
        })
        .map(|(_, patch)| patch)
}

/// Deviation of luma over a patch.
fn contrast(pixels: &Image, patch: PatchRef) -> f64 {
    let PatchRef { y, x, size, .. } = patch;
    let (mut sum, mut squares) = (0.0, 0.0);
    for row in y..y + size {
        for col in x..x + size {
            let [r, g, b] = pixels.pixel(row, col).map(f64::from);
            let luma = 0.299 * r + 0.587 * g + 0.114 * b;
            sum += luma;
            squares += luma * luma;
        }
    }
    let n = f64::from(size) * f64::from(size);
    (squares / n - (sum / n).powi(2)).max(0.0).sqrt()
}

/// `count` positions of the image of `first` that differ most in a space of the bank: beginning with
/// `first`, always the patch whose greatest cosine to those chosen is the least.
///
/// # Errors
/// No such space, an image that is not in the bank, or fewer patches than `count`.
pub fn unlike(bank: &Bank, space: &str, first: PatchRef, count: usize) -> anyhow::Result<Vec<PatchRef>> {
    let stored = bank.space(space)?;
    let rows: Vec<usize> = bank.rows_of_image(first.image as usize)?.filter(|row| stored.has(*row)).collect();
    ensure!(
        rows.len() >= count,
        "image {} has {} patches; expected at least {count} to ask about: ask for fewer, or choose a smaller stride",
        first.image,
        rows.len()
    );
    let width = bank.width(space)?;
    let mut vectors = vec![0.0; rows.len() * width];
    for (row, out) in rows.iter().zip(vectors.chunks_exact_mut(width)) {
        bank.row_f32(space, *row, out)?;
    }
    let of_first = bank.row_of(first.image as usize, first.y, first.x)?;
    let mut chosen: Vec<usize> = rows.iter().position(|row| *row == of_first).into_iter().collect();
    ensure!(
        !chosen.is_empty(),
        "the patch at y {}, x {} of image {} has no vector in {space}",
        first.y,
        first.x,
        first.image
    );
    let mut nearest = vec![f32::NEG_INFINITY; rows.len()];
    while chosen.len() < count {
        let last = chosen[chosen.len() - 1];
        let cosines = cosine_map(&vectors[last * width..(last + 1) * width], &vectors);
        nearest.iter_mut().zip(&cosines).for_each(|(best, cosine)| *best = best.max(*cosine));
        let free = (0..rows.len()).filter(|at| !chosen.contains(at));
        let next = free.min_by(|&a, &b| nearest[a].total_cmp(&nearest[b]));
        chosen.extend(next);
    }
    Ok(chosen.into_iter().map(|at| bank.patch_ref(rows[at])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset;

    fn grid(_: u32, _: u32) -> Option<PatchGrid> {
        PatchGrid::new(16, 8).ok()
    }

    fn any(_: PatchRef) -> bool {
        true
    }

    #[test]
    fn a_seed_decides_the_queries_and_classes_take_turns() {
        let data = dataset::open("demo", None).unwrap();
        let choose = |seed| patches(data.as_ref(), (0..100).collect(), (grid, any), 10, seed).unwrap();
        let chosen = choose(3);
        assert_eq!(chosen, choose(3));
        assert_ne!(chosen, choose(4));
        let classes: HashSet<_> = chosen.iter().map(|patch| data.label(patch.image as usize)).collect();
        assert_eq!(classes.len(), 10, "one query of each of ten classes");
    }

    #[test]
    fn an_image_gives_further_patches_only_after_all_gave_one() {
        let data = dataset::open("demo", None).unwrap();
        let images = vec![70, 4, 31];
        let chosen = patches(data.as_ref(), images.clone(), (grid, any), 7, 0).unwrap();
        assert!(chosen.iter().all(|patch| images.contains(&(patch.image as usize))));
        let images: Vec<u32> = chosen.iter().map(|patch| patch.image).collect();
        assert_eq!(images[..3], images[3..6]);
        let distinct: HashSet<_> = chosen.iter().collect();
        assert_eq!(distinct.len(), 7);
        let one = |_: u32, _: u32| PatchGrid::new(60, 60).ok();
        let error = patches(data.as_ref(), vec![70, 4, 31], (one, any), 4, 0).unwrap_err();
        assert!(error.to_string().contains("only 3 patches"), "{error}");
    }

    #[test]
    fn the_patch_with_the_most_contrast_is_chosen() {
        let mut rgb = vec![100; 3 * 64 * 64];
        for y in 16..32 {
            for x in 40..48 {
                rgb[3 * (y * 64 + x)..][..3].copy_from_slice(&[255, 255, 255]);
            }
        }
        let image = Image::new(64, 64, rgb);
        let patch = most_contrast(&image, (5, PatchGrid::new(16, 8).unwrap()), 1, &[], &any).unwrap();
        assert_eq!((patch.image, patch.y), (5, 16));
        assert!(patch.x == 32 || patch.x == 40, "{patch:?}");
        let left = |patch: PatchRef| patch.x < 16;
        let patch = most_contrast(&image, (5, PatchGrid::new(16, 8).unwrap()), 1, &[], &left).unwrap();
        assert!(patch.x < 16, "{patch:?}");
    }
}
