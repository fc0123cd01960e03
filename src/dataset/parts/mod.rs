//! "Parts", the built-in synthetic set: scenes of ten classes drawn from a seed, in which
//! every pixel knows the part it belongs to. Image `i` is a function of
//! ([`VERSION`], seed, split, `i`, size) alone; a scene is the same at every size.

mod clutter;
mod colour;
mod crafts;
mod dice;
mod draw;
mod export;
mod ground;
mod hoofed;
mod names;
mod pets;
mod quadruped;
mod scene;
mod shape;
mod sky;
mod small;
#[cfg(test)]
mod tests;
mod vehicles;

use std::ops::RangeInclusive;
use std::sync::{Arc, LazyLock};

use anyhow::ensure;
use sha2::{Digest, Sha256};

pub use export::{WrittenSet, write_image_folder};
pub use names::{BACKGROUNDS, PART_NAMES};

use super::format::{DataFormat, SetPlace};
use super::{DataKind, Dataset, FigureNote, PartMap, Skipped, Split, with_thousands};
use crate::image::Image;
use dice::Dice;

/// Changes whenever a pixel of any image would; part of the fingerprint.
pub const VERSION: u32 = 1;

/// Sides that scenes can be drawn at, pixels.
pub const SIZES: RangeInclusive<u32> = 32..=512;

/// [`PART_NAMES`], as part maps hold them.
static NAMES: LazyLock<Arc<[String]>> =
    LazyLock::new(|| PART_NAMES.iter().map(|name| (*name).to_owned()).collect());

/// The word that names the set in place of a path.
pub const WORD: &str = "demo";

/// The built-in set.
pub static FORMAT: DataFormat = DataFormat {
    about: "the built-in set",
    kinds: &[&KIND],
    place: SetPlace::BuiltIn { word: WORD, open: |split| Ok(Arc::new(demo(split))) },
};

static KIND: DataKind =
    DataKind { example_part: Some("wheel"), ..DataKind::plain("parts", FigureNote::Name) };

/// What `--data demo` is, and `data synth` unless told otherwise: the seed, the images per split and their side.
pub const DEMO_SEED: u64 = 2023;
const DEMO_IMAGES: [usize; 2] = [4096, 1024];
const DEMO_SIZE: u32 = 64;

/// The synthetic set: `images` square scenes of side `size`.
#[derive(Clone, Debug)]
pub struct Parts {
    seed: u64,
    images: usize,
    size: u32,
    split: Split,
    classes: Vec<String>,
}

impl Parts {
    /// `images` scenes (at least 1) of side `size` pixels ([`SIZES`]). The two splits of a seed share no scene.
    pub fn new(seed: u64, images: usize, size: u32, split: Split) -> anyhow::Result<Self> {
        ensure!(
            SIZES.contains(&size),
            "image size is {size} pixels; the built-in set draws sizes from {} to {}",
            SIZES.start(),
            SIZES.end()
        );
        ensure!(split != Split::All, "the built-in set is drawn one split at a time: train or test");
        ensure!(images >= 1, "number of images is 0; expected at least 1");
        ensure!(u32::try_from(images).is_ok(), "number of images is {images}; expected at most {}", u32::MAX);
        Ok(Self::unchecked(seed, images, size, split))
    }

    fn unchecked(seed: u64, images: usize, size: u32, split: Split) -> Self {
        let classes = scene::CLASSES.map(String::from).to_vec();
        Self { seed, images, size, split, classes }
    }

    /// The seed that everything is drawn from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Picture and parts of image `index`, drawn once.
    pub fn render(&self, index: usize) -> anyhow::Result<(Image, PartMap)> {
        self.check(index)?;
        let mut dice = Dice::new(self.seed, self.split, index as u64);
        let (image, parts) = scene::render(self.class(index), &mut dice, self.size);
        Ok((
            image,
            PartMap {
                width: self.size,
                height: self.size,
                index: parts,
                names: NAMES.clone(),
                backgrounds: BACKGROUNDS,
            },
        ))
    }

    /// The class of image `index`: every ten images in a row hold each class once, shuffled.
    fn class(&self, index: usize) -> usize {
        let n = scene::CLASSES.len();
        let mut order: Vec<usize> = (0..n).collect();
        // A stream of its own, far from those of the images.
        let mut dice = Dice::new(!self.seed, self.split, (index / n) as u64);
        for k in (1..n).rev() {
            order.swap(k, dice.below(k + 1));
        }
        order[index % n]
    }

    fn check(&self, index: usize) -> anyhow::Result<()> {
        ensure!(
            index < self.images,
            "image {index} of the built-in set; it has images 0 to {}",
            self.images - 1
        );
        Ok(())
    }
}

/// The set that `--data demo` means: 4,096 training or 1,024 test scenes of 64 x 64 pixels.
pub fn demo(split: Option<Split>) -> Parts {
    let split = split.unwrap_or(Split::Train);
    Parts::unchecked(DEMO_SEED, DEMO_IMAGES[usize::from(split == Split::Test)], DEMO_SIZE, split)
}

impl Dataset for Parts {
    fn kind(&self) -> &'static DataKind {
        &KIND
    }

    fn name(&self) -> String {
        "Parts".into()
    }

    fn len(&self) -> usize {
        self.images
    }

    fn image(&self, index: usize) -> anyhow::Result<Image> {
        Ok(self.render(index)?.0)
    }

    fn label(&self, index: usize) -> Option<u32> {
        (index < self.images).then(|| self.class(index) as u32)
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn image_name(&self, index: usize) -> String {
        format!("{} {}", self.split.name(), with_thousands(index as u64))
    }

    fn dimensions(&self, _index: usize) -> (u32, u32) {
        (self.size, self.size)
    }

    fn size(&self) -> Option<(u32, u32)> {
        Some((self.size, self.size))
    }

    fn split(&self) -> Option<Split> {
        Some(self.split)
    }

    fn fingerprint(&self) -> anyhow::Result<String> {
        let what = format!(
            "bagssl parts version {VERSION} seed {} split {} images {} size {}",
            self.seed,
            self.split.name(),
            self.images,
            self.size
        );
        Ok(Sha256::digest(what).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn skipped(&self) -> &[Skipped] {
        &[]
    }

    fn parts(&self, index: usize) -> anyhow::Result<Option<PartMap>> {
        Ok(Some(self.render(index)?.1))
    }

    fn part_names(&self) -> Option<Arc<[String]>> {
        Some(NAMES.clone())
    }
}
