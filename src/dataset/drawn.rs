//! A data set of one split, divided into two by drawing images of each class.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Result, ensure};
use rand::seq::SliceRandom;
use rand_pcg::Pcg64;
use sha2::{Digest, Sha256};

use super::{DataKind, DataSpec, Dataset, DecodingFacts, ImageValues, PartMap, Skipped, Split, hex, open};
use crate::files;
use crate::image::Image;

struct DrawnSplit {
    inner: Arc<dyn Dataset>,
    /// Images of `inner`, ascending.
    images: Vec<usize>,
    split: Split,
    /// What decided the draw.
    words: String,
}

/// Divides `set` into a training split and a test split with `share` of the images of each class, drawn by `seed`. A
/// class of at least two images has at least one in each; a single image is for training. A test split of a smaller share by
/// the same seed is a part of that of a larger one.
///
/// # Errors
/// A share that is not between 0 and 1, no labels, nothing to hold out.
pub fn drawn(set: &Arc<dyn Dataset>, share: f64, seed: u64) -> Result<[Arc<dyn Dataset>; 2]> {
    ensure!(
        share > 0.0 && share < 1.0,
        "a share of {share} to hold out; expected between 0 and 1, such as 0.2"
    );
    let mut classes = BTreeMap::<u32, Vec<usize>>::new();
    (0..set.len()).for_each(|index| {
        set.label(index).into_iter().for_each(|label| classes.entry(label).or_default().push(index));
    });
    ensure!(
        !classes.is_empty(),
        "{}: its images have no labels, so none can be held out by class; expected a folder for each class",
        set.name()
    );
    let (mut train, mut test) = (vec![], vec![]);
    for (label, mut images) in classes {
        // A stream for each class: another class more leaves the others as they were.
        images.shuffle(&mut Pcg64::new(u128::from(seed), u128::from(label)));
        let most = images.len() - 1;
        let count = ((images.len() as f64 * share).round() as usize).clamp(most.min(1), most);
        test.extend(images.drain(..count));
        train.extend(images);
    }
    ensure!(!test.is_empty(), "{}: no class has two images, so none can be held out", set.name());
    let words = format!("holdout {share}, seed {seed}");
    Ok([(Split::Train, train), (Split::Test, test)].map(|(split, mut images)| {
        images.sort_unstable();
        Arc::new(DrawnSplit { inner: set.clone(), images, split, words: words.clone() }) as Arc<dyn Dataset>
    }))
}

/// As `drawn`, of `set`, which `spec` opened: it must be all that is there.
///
/// # Errors
/// As `drawn`; there is another split; whether there is one cannot be read.
pub fn divided(
    spec: &DataSpec,
    set: &Arc<dyn Dataset>,
    share: f64,
    seed: u64,
) -> Result<[Arc<dyn Dataset>; 2]> {
    let is_there = |split| match open(spec, Some(split)) {
        Err(error) if files::is_read_error(&error) => Err(error),
        opened => Ok(opened.is_ok()),
    };
    let has_other = match set.split() {
        Some(Split::Train) => is_there(Split::Test)?,
        Some(Split::Test) => is_there(Split::Train)?,
        Some(Split::All) => true,
        None => false,
    };
    ensure!(!has_other, "{spec} has a train and a test split already; leave holdout out");
    drawn(set, share, seed)
}

impl DrawnSplit {
    fn at(&self, index: usize) -> Result<usize> {
        let found = self.images.get(index).copied();
        found.ok_or_else(|| anyhow::anyhow!("{} has no image {index}; it has {}", self.name(), self.len()))
    }
}

impl Dataset for DrawnSplit {
    fn kind(&self) -> &'static DataKind {
        self.inner.kind()
    }

    fn name(&self) -> String {
        format!("{} {} ({})", self.inner.name(), self.split.name(), self.words)
    }

    fn len(&self) -> usize {
        self.images.len()
    }

    fn image(&self, index: usize) -> Result<Image> {
        self.inner.image(self.at(index)?)
    }

    fn label(&self, index: usize) -> Option<u32> {
        self.inner.label(*self.images.get(index)?)
    }

    fn classes(&self) -> &[String] {
        self.inner.classes()
    }

    fn image_name(&self, index: usize) -> String {
        self.images.get(index).map_or_else(String::new, |index| self.inner.image_name(*index))
    }

    fn size(&self) -> Option<(u32, u32)> {
        self.inner.size()
    }

    fn dimensions(&self, index: usize) -> (u32, u32) {
        self.inner.dimensions(self.images[index])
    }

    fn split(&self) -> Option<Split> {
        Some(self.split)
    }

    fn fingerprint(&self) -> Result<String> {
        let (split, of) = (self.split.name(), self.inner.fingerprint()?);
        Ok(hex(&Sha256::digest(format!("{split} of {of} by {}", self.words))))
    }

    /// Of both: what was left out has no split.
    fn skipped(&self) -> &[Skipped] {
        self.inner.skipped()
    }

    fn decoding(&self) -> Option<DecodingFacts> {
        self.inner.decoding()
    }

    fn values(&self, index: usize) -> Option<ImageValues> {
        self.inner.values(self.at(index).ok()?)
    }

    fn parts(&self, index: usize) -> Result<Option<PartMap>> {
        self.images.get(index).map_or(Ok(None), |inner| self.inner.parts(*inner))
    }

    fn part_names(&self) -> Option<Arc<[String]>> {
        self.inner.part_names()
    }
}

#[cfg(test)]
mod tests {
    use super::super::open;
    use super::*;

    fn records(labels: impl IntoIterator<Item = u8>) -> Arc<dyn Dataset> {
        let dir = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = labels
            .into_iter()
            .enumerate()
            .flat_map(|(at, label)| [label].into_iter().chain([at as u8; 3072]))
            .collect();
        std::fs::write(dir.path().join("test_batch.bin"), bytes).unwrap();
        open(dir.path().to_str().unwrap(), None).unwrap()
    }

    #[test]
    fn each_class_gives_its_share_and_no_image_is_in_both() {
        let labels = [0; 50].into_iter().chain([1; 10]).chain([2; 2]).chain([3]);
        let set = records(labels);
        let [train, test] = drawn(&set, 0.2, 7).unwrap();
        let of_class =
            |set: &Arc<dyn Dataset>, class| (0..set.len()).filter(|i| set.label(*i) == Some(class)).count();
        assert_eq!([0, 1, 2, 3].map(|class| of_class(&test, class)), [10, 2, 1, 0]);
        assert_eq!([0, 1, 2, 3].map(|class| of_class(&train, class)), [40, 8, 1, 1]);
        let pixel = |set: &Arc<dyn Dataset>, index| set.image(index).unwrap().pixel(0, 0)[0];
        let mut all: Vec<u8> =
            [&train, &test].into_iter().flat_map(|s| (0..s.len()).map(|i| pixel(s, i))).collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..63));
        assert_eq!((train.split(), test.split()), (Some(Split::Train), Some(Split::Test)));
    }

    #[test]
    fn a_smaller_share_by_the_same_seed_is_a_part_of_a_larger_one() {
        let set = records((0..90).map(|at| at % 4));
        let images = |share| {
            let [_, test] = drawn(&set, share, 3).unwrap();
            (0..test.len()).map(|index| test.image_name(index)).collect::<Vec<_>>()
        };
        let (few, many) = (images(0.1), images(0.35));
        assert!(few.len() < many.len() && few.iter().all(|name| many.contains(name)));
    }

    #[test]
    fn the_seed_decides_the_draw_and_the_fingerprint() {
        let set = records((0..60).map(|at| at % 3));
        let names = |seed| {
            let [_, test] = drawn(&set, 0.25, seed).unwrap();
            let names: Vec<String> = (0..test.len()).map(|index| test.image_name(index)).collect();
            (names, test.fingerprint().unwrap())
        };
        assert_eq!(names(1), names(1));
        let (one, other) = (names(1), names(2));
        assert!(one.0 != other.0 && one.1 != other.1);
        let [train, test] = drawn(&set, 0.25, 1).unwrap();
        assert_ne!(train.fingerprint().unwrap(), test.fingerprint().unwrap());
    }

    #[test]
    fn what_cannot_be_drawn_is_told() {
        let set = records([1, 2]);
        let error = |set, share| drawn(set, share, 0).err().unwrap().to_string();
        assert!(error(&set, 0.5).contains("no class has two images"));
        assert!(error(&set, 1.0).contains("expected between 0 and 1"));
        let picture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/images/exif6.jpg");
        assert!(error(&open(picture, None).unwrap(), 0.5).contains("no labels"));
    }
}
