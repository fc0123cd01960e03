//! Mean and deviation of a data set's pixels, which the model carries along.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::augment::Normalization;
use crate::dataset::{Dataset, SPREAD_SEED, spread};

/// What is subtracted from pixels, and what they are divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NormalizationChoice {
    /// Mean and deviation of the data: [`of`].
    #[default]
    Data,
    /// CIFAR-10's in the code of NMCE: the deviation is the mean of those within each image.
    Nmce,
    /// 0.5 and 0.5, as in the code of EMP-SSL.
    Half,
}

impl NormalizationChoice {
    /// What it is on this data set.
    ///
    /// # Errors
    /// As [`of`].
    pub fn on(self, data: &dyn Dataset) -> anyhow::Result<Normalization> {
        match self {
            Self::Data => of(data),
            Self::Nmce => Ok(Normalization { mean: [0.4914, 0.4822, 0.4465], std: [0.2023, 0.1994, 0.2010] }),
            Self::Half => Ok(Normalization { mean: [0.5; 3], std: [0.5; 3] }),
        }
    }
}

/// Images that the estimate looks at, at most, spread over the set and its classes.
const SAMPLE: usize = 2000;

/// The published constants where the kind of data has some; for other sets mean and deviation over all pixels of an
/// even sample of at most 2,000 images, RGB counted from 0 to 1.
pub fn of(data: &dyn Dataset) -> anyhow::Result<Normalization> {
    data.kind().normalization.map_or_else(|| estimate(data), Ok)
}

/// Sums of one or more images: pixels, then value and square for each channel.
type ChannelSums = (f64, [f64; 3], [f64; 3]);

fn estimate(data: &dyn Dataset) -> anyhow::Result<Normalization> {
    let indices = spread(data, SAMPLE, SPREAD_SEED);
    let count = indices.len();
    // Collected in order before they are added, so that threads do not change the last bits.
    let sums = indices.par_iter().filter_map(|&index| image_sums(data, index).transpose());
    let sums: Vec<ChannelSums> = sums.collect::<anyhow::Result<_>>()?;
    anyhow::ensure!(!sums.is_empty(), "none of {count} images of {} can be read", data.name());
    let (mut pixels, mut value, mut square) = (0.0, [0.0; 3], [0.0; 3]);
    for (n, v, s) in sums {
        pixels += n;
        for c in 0..3 {
            value[c] += v[c];
            square[c] += s[c];
        }
    }
    let mean = value.map(|v| v / pixels);
    let std = std::array::from_fn(|c| (square[c] / pixels - mean[c] * mean[c]).max(1e-6).sqrt() as f32);
    Ok(Normalization { mean: mean.map(|m| m as f32), std })
}

fn image_sums(data: &dyn Dataset, index: usize) -> anyhow::Result<Option<ChannelSums>> {
    let Some(image) = data.image_if_readable(index)? else { return Ok(None) };
    let (mut value, mut square) = ([0.0; 3], [0.0; 3]);
    for pixel in image.rgb().chunks_exact(3) {
        for c in 0..3 {
            let v = f64::from(pixel[c]) / 255.0;
            value[c] += v;
            square[c] += v * v;
        }
    }
    Ok(Some(((image.rgb().len() / 3) as f64, value, square)))
}
