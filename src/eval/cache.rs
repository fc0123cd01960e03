//! Features on disk, so that long work is done once and resumes where it stopped.
//!
//! A cache is a folder; each split of each setting has a folder of its own in it, named by what
//! decides the vectors. A file holds 512 images: safetensors with `values` `[images, width]` and `images`
//! `[images]` (indices within the data set), in float32 and uint32, un-normalised, so that other
//! tools read them too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::aggregate::Aggregate;
use super::plan::FeaturePlan;
use crate::dataset::{Dataset, Skipped};
use crate::files::{self, FolderLock, Tensors};
use crate::model::Space;

/// Images between two looks at the cache.
pub(super) const SHARD: usize = 512;

/// Vectors of up to [`SHARD`] images by one aggregate.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shard {
    /// Index of each row's image in the data set.
    pub images: Vec<u32>,
    /// `[images, width]`.
    pub values: Vec<f32>,
    pub width: usize,
    pub skipped: Vec<Skipped>,
}

/// The folder of one split and setting, to be read and written by one evaluation at a time.
pub struct Cache {
    folder: PathBuf,
    /// Whether patches are cut from another image than the whole is.
    is_fitted: bool,
    _lock: FolderLock,
}

impl Cache {
    /// The place within `folder` for vectors of images `indices` of `data` by `plan`.
    pub fn open(
        folder: &Path,
        plan: &FeaturePlan<'_>,
        data: &dyn Dataset,
        indices: &[usize],
    ) -> anyhow::Result<Self> {
        let info = &plan.embedder.info;
        let chosen: Vec<u8> = indices.iter().flat_map(|index| (*index as u64).to_le_bytes()).collect();
        let mut about = json!({
            "format": 1,
            "model": plan.embedder.name,
            "model_hash": plan.embedder.hash,
            "input": info.input,
            "resize": info.resize.to_string(),
            "mean": info.normalization.mean,
            "std": info.normalization.std,
            "crop": plan.crop,
            "fit": plan.fit,
            "seed": plan.seed,
            "data": data.name(),
            "data_fingerprint": data.fingerprint()?,
            "split": data.split(),
            "images": indices.len(),
            "images_hash": files::hex(&Sha256::digest(chosen)),
            "shard": SHARD,
        });
        // Vectors of before are clean ones of h, and say neither.
        if plan.space != Space::H {
            about["space"] = plan.space.to_string().into();
        }
        if matches!(plan.space, Space::Token(_)) {
            about["resolution"] = plan.embedder.resolution.into();
            about["tiles"] = serde_json::to_value(plan.embedder.tiles())?;
        }
        if !plan.views.is_empty() {
            about["views"] = serde_json::to_value(plan.views)?;
        }
        let text = serde_json::to_string_pretty(&about)?;
        let name = files::hex(&Sha256::digest(&text));
        let place = folder.join(&name[..16]);
        let cache = Self { is_fitted: plan.fit.is_some(), ..Self::at(place)? };
        files::write_bytes_atomic(&cache.folder.join("about.json"), text.as_bytes())?;
        Ok(cache)
    }

    fn at(folder: PathBuf) -> anyhow::Result<Self> {
        let lock = FolderLock::take(&folder)?;
        Ok(Self { folder, is_fitted: false, _lock: lock })
    }

    fn file(&self, aggregate: Aggregate, number: usize) -> PathBuf {
        self.folder.join(format!("{}-{number:05}.safetensors", self.name(aggregate)))
    }

    fn name(&self, aggregate: Aggregate) -> String {
        match aggregate {
            // Those of earlier versions, without the word, are of the fitted image, cropped twice.
            Aggregate::Central | Aggregate::LocalMap if self.is_fitted => format!("{aggregate}-whole"),
            _ => aggregate.to_string(),
        }
    }

    /// Where all vectors by an aggregate may lie, row by row, while they are used.
    pub fn rows(&self, aggregate: Aggregate) -> PathBuf {
        self.folder.join(format!("{}.rows", self.name(aggregate)))
    }

    /// The vectors that were stored, if they are there and whole. A damaged file is made again, and so is one of an
    /// earlier version that left out images whose files could not be read then.
    pub fn load(&self, aggregate: Aggregate, number: usize, indices: &[usize]) -> Option<Shard> {
        let file = self.file(aggregate, number);
        let bytes = files::read(&file, files::MOST_WEIGHTS).ok()?;
        let shard = decode(&bytes).and_then(|shard| {
            let known = shard.images.iter().all(|image| indices.contains(&(*image as usize)));
            let all = shard.images.len() + shard.skipped.len() == indices.len();
            ensure!(known && all, "it is of other images");
            let unread = shard.skipped.iter().find(|skipped| files::tells_of_read_error(&skipped.reason));
            if let Some(Skipped { reason, .. }) = unread {
                anyhow::bail!("it lacks images that could not be read: {reason}");
            }
            Ok(shard)
        });
        shard.map_err(|error| log::warn!("{} is made again: {error:#}", file.display())).ok()
    }

    /// Stores vectors, atomically.
    pub fn store(&self, aggregate: Aggregate, number: usize, shard: &Shard) -> anyhow::Result<()> {
        files::write_bytes_atomic(&self.file(aggregate, number), &encode(shard)?)
    }
}

fn encode(shard: &Shard) -> anyhow::Result<Vec<u8>> {
    let shape = vec![shard.images.len(), shard.width];
    let values = TensorView::new(Dtype::F32, shape, bytemuck::cast_slice(&shard.values))?;
    let images = TensorView::new(Dtype::U32, vec![shard.images.len()], bytemuck::cast_slice(&shard.images))?;
    let skipped: Vec<(&str, &str)> =
        shard.skipped.iter().map(|s| (s.file.as_str(), s.reason.as_str())).collect();
    let metadata = BTreeMap::from([("skipped".to_string(), serde_json::to_string(&skipped)?)]);
    files::tensors_to_bytes([("images", images), ("values", values)], metadata)
}

fn decode(bytes: &[u8]) -> anyhow::Result<Shard> {
    let Tensors { file: tensors, metadata, .. } = files::tensors_from_bytes(bytes)?;
    let skipped = metadata.get("skipped").context("no entry \"skipped\"")?;
    let skipped: Vec<(String, String)> = serde_json::from_str(skipped)?;
    let (images, values) = (tensors.tensor("images")?, tensors.tensor("values")?);
    ensure!(images.dtype() == Dtype::U32 && values.dtype() == Dtype::F32, "it holds other types");
    let (&[rows], &[same, width]) = (images.shape(), values.shape()) else {
        anyhow::bail!("it holds other shapes");
    };
    ensure!(rows == same, "{rows} images and {same} vectors");
    let words = |bytes: &[u8]| -> Vec<[u8; 4]> { bytes.as_chunks().0.to_vec() };
    let values: Vec<f32> = words(values.data()).into_iter().map(f32::from_le_bytes).collect();
    ensure!(values.iter().all(|value| value.is_finite()), "it holds values that are not finite");
    Ok(Shard {
        images: words(images.data()).into_iter().map(u32::from_le_bytes).collect(),
        values,
        width,
        skipped: skipped.into_iter().map(|(file, reason)| Skipped { file, reason }).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_a_fitted_image_are_not_taken_for_those_of_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().into()).unwrap();
        let shard = Shard { images: vec![4], values: vec![1.0, -2.0], width: 2, skipped: vec![] };
        let aggregates =
            [Aggregate::Central, Aggregate::LocalMap, Aggregate::LocalPatches, Aggregate::Mean(4)];
        aggregates.iter().for_each(|aggregate| cache.store(*aggregate, 0, &shard).unwrap());
        let cache = Cache { is_fitted: true, ..cache };
        let kept = aggregates.map(|aggregate| cache.load(aggregate, 0, &[4]).is_some());
        assert_eq!(kept, [false, false, true, true]);
        cache.store(Aggregate::Central, 0, &shard).unwrap();
        assert_eq!(cache.load(Aggregate::Central, 0, &[4]), Some(shard));
    }

    #[test]
    fn a_shard_reads_back_and_a_damaged_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().into()).unwrap();
        let skipped = vec![Skipped { file: "b.png".into(), reason: "no picture".into() }];
        let shard = Shard { images: vec![4, 6], values: vec![1.0, -2.0, 0.5, 3.0], width: 2, skipped };
        cache.store(Aggregate::Mean(16), 3, &shard).unwrap();
        let load = |number, indices: &[usize]| cache.load(Aggregate::Mean(16), number, indices);
        assert_eq!(load(3, &[4, 5, 6]), Some(shard));
        assert_eq!(load(2, &[4, 5, 6]), None);
        assert_eq!(load(3, &[4, 5, 6, 7]), None);
        assert_eq!(load(3, &[3, 5, 6]), None);
        let file = cache.file(Aggregate::Mean(16), 3);
        let bytes = std::fs::read(&file).unwrap();
        for cut in [0, 7, 40, bytes.len() - 1] {
            std::fs::write(&file, &bytes[..cut]).unwrap();
            assert_eq!(load(3, &[4, 5, 6]), None);
        }
        let mut flipped = bytes.clone();
        let last = flipped.len() - 1;
        flipped[last] ^= 1;
        std::fs::write(&file, flipped).unwrap();
        assert_eq!(load(3, &[4, 5, 6]), None);
        let gone = "b.png: No such file or directory (os error 2)".to_owned();
        let skipped = vec![Skipped { file: "b.png".into(), reason: gone }];
        let unread = Shard { images: vec![4, 6], values: vec![1.0; 4], width: 2, skipped };
        cache.store(Aggregate::Mean(16), 4, &unread).unwrap();
        assert_eq!(load(4, &[4, 5, 6]), None, "what could not be read once is read again");
        let mut nan = bytes;
        let end = nan.len();
        nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        std::fs::write(&file, nan).unwrap();
        assert_eq!(load(3, &[4, 5, 6]), None);
    }
}
