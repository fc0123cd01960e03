//! R, the mean of un-normalised h over an image's patches (paper, section 3), or h of the whole image.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context, ensure};
use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::Serialize;

use super::EvalConfig;
use crate::augment::view_rng;
use crate::dataset::Dataset;
use crate::embed::{Embedder, PatchSource};
use crate::image::Image;
use crate::model::Space;
use crate::patch::PatchGrid;
use crate::progress::CancelToken;

/// How an image becomes one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub enum Patches {
    /// h of the whole image.
    Central,
    /// The mean of h over so many patches.
    Mean(usize),
}

impl From<Patches> for String {
    fn from(patches: Patches) -> Self {
        patches.to_string()
    }
}

impl fmt::Display for Patches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Patches::Central => write!(f, "central"),
            Patches::Mean(count) => write!(f, "{count}"),
        }
    }
}

impl FromStr for Patches {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "central" {
            return Ok(Patches::Central);
        }
        let count = text.parse().ok().filter(|&count: &usize| count >= 1);
        let count = count.with_context(|| format!("\"{text}\": expected central or a number of patches"))?;
        Ok(Patches::Mean(count))
    }
}

/// Feature vectors of labelled images.
pub struct Features {
    /// `[images, width]`.
    pub values: Vec<f32>,
    pub width: usize,
    pub labels: Vec<u32>,
}

/// Images that are embedded together.
const GROUP: usize = 32;

/// The feature of every readable image of `data`.
pub(super) fn features(
    embedder: &Embedder,
    data: &dyn Dataset,
    patches: Patches,
    config: &EvalConfig,
    cancel: &CancelToken,
    tick: &mut dyn FnMut(u64),
) -> anyhow::Result<Features> {
    let width = embedder.info.backbone.h_width();
    let mut features = Features { values: vec![], width, labels: vec![] };
    let indices: Vec<usize> = (0..data.len()).collect();
    for group in indices.chunks(GROUP) {
        cancel.check()?;
        let images =
            group.par_iter().map(|&index| Some((index, data.image(index).ok()?, data.label(index)?)));
        let images: Vec<(usize, Image, u32)> = images.flatten().collect();
        features.labels.extend(images.iter().map(|(_, _, label)| label));
        let pictures: Vec<(usize, Arc<Image>)> =
            images.into_iter().map(|(index, image, _)| (index, Arc::new(image))).collect();
        match patches {
            Patches::Central => {
                let owned: Vec<Image> = pictures.iter().map(|(_, image)| (**image).clone()).collect();
                features.values.extend(embedder.centrals(&owned, &[Space::H]).remove(0));
            }
            Patches::Mean(count) => {
                features.values.extend(mean_of_patches(embedder, &pictures, count, config, width)?);
            }
        }
        tick(group.len() as u64);
    }
    ensure!(!features.labels.is_empty(), "none of {} images can be read", data.len());
    Ok(features)
}

fn mean_of_patches(
    embedder: &Embedder,
    images: &[(usize, Arc<Image>)],
    count: usize,
    config: &EvalConfig,
    width: usize,
) -> anyhow::Result<Vec<f32>> {
    let mut sources = vec![];
    let mut counts = vec![];
    for (index, image) in images {
        let corners = positions(image, *index, count, config)?;
        counts.push(corners.len());
        sources.extend(corners.into_iter().map(|(y, x)| PatchSource { image: image.clone(), y, x }));
    }
    let vectors = embedder.patches(&sources, config.patch, &[Space::H]).remove(0);
    let mut means = Vec::with_capacity(images.len() * width);
    let mut first = 0;
    for count in counts {
        let rows = vectors[first * width..(first + count) * width].chunks_exact(width);
        let mut mean = vec![0.0f32; width];
        rows.for_each(|row| mean.iter_mut().zip(row).for_each(|(sum, value)| *sum += value));
        mean.iter_mut().for_each(|sum| *sum /= count as f32);
        means.extend(mean);
        first += count;
    }
    Ok(means)
}

/// The first `count` of all positions in an order that is drawn once for each image, so that fewer
/// patches are always among more (all of them where there are fewer than `count`).
fn positions(
    image: &Image,
    index: usize,
    count: usize,
    config: &EvalConfig,
) -> anyhow::Result<Vec<(u32, u32)>> {
    let grid = PatchGrid::new(config.patch, 1)?;
    let (rows, cols) = grid.shape(image.height(), image.width());
    ensure!(
        rows * cols > 0,
        "image {index} is {} x {} pixels; no patch of {} pixels fits",
        image.height(),
        image.width(),
        config.patch
    );
    let mut corners: Vec<(u32, u32)> = (0..rows * cols).map(|i| grid.corner(i, cols)).collect();
    corners.shuffle(&mut view_rng(config.seed, 0, index as u64, 0));
    corners.truncate(count);
    Ok(corners)
}
