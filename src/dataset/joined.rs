//! Both splits of a data set as one, evenly mixed: the first images of it are of both.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use super::{
    DataKind, Dataset, DecodingFacts, ImageValues, Mix, PartMap, Skipped, Split, class_difference, hex,
};
use crate::image::Image;

struct Joined {
    train: Arc<dyn Dataset>,
    test: Arc<dyn Dataset>,
    mix: Mix,
    skipped: Vec<Skipped>,
}

/// The images of both.
///
/// # Errors
/// They have different classes.
pub fn joined(train: Arc<dyn Dataset>, test: Arc<dyn Dataset>) -> Result<Arc<dyn Dataset>> {
    ensure!(
        train.classes() == test.classes(),
        "{} has {} classes and {} has {}; both splits together need the same ones ({})",
        train.name(),
        train.classes().len(),
        test.name(),
        test.classes().len(),
        class_difference(train.as_ref(), test.as_ref())
    );
    let mix = Mix { train: train.len() as u64, test: test.len() as u64 };
    let skipped = [train.skipped(), test.skipped()].concat();
    Ok(Arc::new(Joined { train, test, mix, skipped }))
}

impl Joined {
    fn at(&self, index: usize) -> (&dyn Dataset, usize) {
        match self.mix.place(index) {
            (Split::Test, index) => (self.test.as_ref(), index),
            (_, index) => (self.train.as_ref(), index),
        }
    }
}

impl Dataset for Joined {
    fn kind(&self) -> &'static DataKind {
        self.train.kind()
    }

    fn name(&self) -> String {
        let name = self.train.name();
        format!("{} train and test", name.strip_suffix(" train").unwrap_or(&name))
    }

    fn len(&self) -> usize {
        self.train.len() + self.test.len()
    }

    fn image(&self, index: usize) -> Result<Image> {
        ensure!(index < self.len(), "{} has no image {index}; it has {}", self.name(), self.len());
        let (set, index) = self.at(index);
        set.image(index)
    }

    fn label(&self, index: usize) -> Option<u32> {
        let (set, place) = self.at(index);
        set.label(place).filter(|_| index < self.len())
    }

    fn classes(&self) -> &[String] {
        self.train.classes()
    }

    fn image_name(&self, index: usize) -> String {
        let (set, place) = self.at(index);
        let (name, split) = (set.image_name(place), self.mix.place(index).0.name());
        if name.starts_with(split) { name } else { format!("{split} {name}") }
    }

    fn size(&self) -> Option<(u32, u32)> {
        self.train.size().filter(|size| self.test.size() == Some(*size))
    }

    fn dimensions(&self, index: usize) -> (u32, u32) {
        let (set, index) = self.at(index);
        set.dimensions(index)
    }

    fn split(&self) -> Option<Split> {
        Some(Split::All)
    }

    fn mix(&self) -> Option<Mix> {
        Some(self.mix)
    }

    fn fingerprint(&self) -> Result<String> {
        let [train, test] = [&self.train, &self.test].map(|set| set.fingerprint());
        let both = format!("train {} and test {}", train.context("train")?, test.context("test")?);
        Ok(hex(&Sha256::digest(both)))
    }

    fn decoding(&self) -> Option<DecodingFacts> {
        DecodingFacts::of_both(self.train.decoding(), self.test.decoding())
    }

    fn values(&self, index: usize) -> Option<ImageValues> {
        let (set, index) = self.at(index);
        set.values(index)
    }

    fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    fn parts(&self, index: usize) -> Result<Option<PartMap>> {
        let (set, place) = self.at(index);
        Ok(set.parts(place)?.filter(|_| index < self.len()))
    }

    fn part_names(&self) -> Option<Arc<[String]>> {
        self.train.part_names().filter(|names| self.test.part_names().as_ref() == Some(names))
    }
}

#[cfg(test)]
mod tests {
    use super::super::open;
    use super::*;

    #[test]
    fn both_splits_of_the_built_in_set_together() {
        let [train, test, all] =
            [Split::Train, Split::Test, Split::All].map(|split| open("demo", Some(split)).unwrap());
        assert_eq!((all.len(), all.split(), all.size()), (5 * 1024, Some(Split::All), train.size()));
        assert_eq!(all.mix(), Some(Mix { train: 4096, test: 1024 }));
        assert_eq!(all.name(), "Parts train and test");
        // One of five is held out.
        assert_eq!(all.image(4).unwrap(), test.image(0).unwrap());
        assert_eq!(all.image(5).unwrap(), train.image(4).unwrap());
        assert_eq!((all.label(4), all.parts(4).unwrap()), (test.label(0), test.parts(0).unwrap()));
        assert_eq!(all.part_names(), test.part_names());
        assert!(all.image_name(4).starts_with("test") && all.image_name(5).starts_with("train"));
        assert!(all.image(5 * 1024).is_err());
        assert_ne!(all.fingerprint().unwrap(), train.fingerprint().unwrap());
    }

    #[test]
    fn splits_of_other_classes_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let picture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/images/exif6.jpg");
        for folder in ["train/cat", "val/dog"] {
            std::fs::create_dir_all(dir.path().join(folder)).unwrap();
            std::fs::copy(picture, dir.path().join(folder).join("a.jpg")).unwrap();
        }
        let error = open(dir.path().to_str().unwrap(), Some(Split::All)).err().unwrap().to_string();
        assert!(error.contains("need the same ones"), "{error}");
        assert!(error.contains("train: cat; only in") && error.contains("test: dog"), "{error}");
    }
}
