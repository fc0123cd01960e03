//! The first images of a data set, as a data set.

use std::sync::Arc;

use anyhow::{Result, ensure};
use sha2::{Digest, Sha256};

use super::{DataKind, Dataset, DecodingFacts, ImageValues, Mix, PartMap, Skipped, Split, hex};
use crate::image::Image;

struct Limited {
    inner: Arc<dyn Dataset>,
    count: usize,
}

/// The first `count` images of `set` (at least 1); `set` itself where it has no more.
///
/// # Errors
/// `count` is 0.
pub fn limited(set: Arc<dyn Dataset>, count: usize) -> Result<Arc<dyn Dataset>> {
    ensure!(count >= 1, "a limit of 0 images; expected at least 1");
    Ok(if count >= set.len() { set } else { Arc::new(Limited { inner: set, count }) })
}

impl Dataset for Limited {
    fn kind(&self) -> &'static DataKind {
        self.inner.kind()
    }

    fn name(&self) -> String {
        self.inner.name()
    }

    fn len(&self) -> usize {
        self.count
    }

    fn image(&self, index: usize) -> Result<Image> {
        ensure!(index < self.count, "{} has no image {index} within its first {}", self.name(), self.count);
        self.inner.image(index)
    }

    fn label(&self, index: usize) -> Option<u32> {
        self.inner.label(index).filter(|_| index < self.count)
    }

    fn classes(&self) -> &[String] {
        self.inner.classes()
    }

    fn image_name(&self, index: usize) -> String {
        self.inner.image_name(index)
    }

    fn size(&self) -> Option<(u32, u32)> {
        self.inner.size()
    }

    fn dimensions(&self, index: usize) -> (u32, u32) {
        self.inner.dimensions(index)
    }

    fn split(&self) -> Option<Split> {
        self.inner.split()
    }

    fn mix(&self) -> Option<Mix> {
        self.inner.mix()
    }

    fn fingerprint(&self) -> Result<String> {
        let first = format!("first {} of {}", self.count, self.inner.fingerprint()?);
        Ok(hex(&Sha256::digest(first)))
    }

    fn decoding(&self) -> Option<DecodingFacts> {
        self.inner.decoding()
    }

    fn values(&self, index: usize) -> Option<ImageValues> {
        self.inner.values(index)
    }

    fn skipped(&self) -> &[Skipped] {
        self.inner.skipped()
    }

    fn parts(&self, index: usize) -> Option<PartMap> {
        self.inner.parts(index).filter(|_| index < self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limited_set_has_the_first_images_and_another_fingerprint() {
        let dir = tempfile::tempdir().unwrap();
        let records: Vec<u8> =
            (0..5u8).flat_map(|label| std::iter::once(label).chain([label * 9; 3072])).collect();
        std::fs::write(dir.path().join("test_batch.bin"), records).unwrap();
        let set = super::super::open(dir.path().to_str().unwrap(), None).unwrap();
        let few = limited(set.clone(), 3).unwrap();
        assert_eq!((few.len(), few.label(2), few.label(3)), (3, Some(2), None));
        assert_eq!(few.image(2).unwrap(), set.image(2).unwrap());
        assert!(few.image(3).is_err());
        assert_ne!(few.fingerprint().unwrap(), set.fingerprint().unwrap());
        assert_eq!(limited(set.clone(), 9).unwrap().fingerprint().unwrap(), set.fingerprint().unwrap());
        assert!(limited(set, 0).is_err());
    }
}
