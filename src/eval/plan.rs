//! How images become vectors: one plan for both splits.

use anyhow::ensure;

use super::aggregate::{Aggregate, LOCAL_GRID};
use crate::augment::Crop;
use crate::dataset::Dataset;
use crate::embed::Embedder;

/// How images become vectors.
pub struct FeaturePlan<'a> {
    /// The model.
    pub embedder: &'a Embedder,
    /// The ways from image to vector; each gives a table.
    pub aggregates: &'a [Aggregate],
    /// What [`Aggregate::Mean`] is a mean over.
    pub crop: Option<Crop>,
    /// Patches are cut from the centre N x N of the image scaled to N x 256/224; from the image as
    /// it is where absent.
    pub fit: Option<u32>,
    /// Decides the positions of patches.
    pub seed: u64,
}

impl FeaturePlan<'_> {
    /// Refuses what cannot be done for any image of `data`.
    pub fn check(&self, data: &dyn Dataset) -> anyhow::Result<()> {
        ensure!(
            self.crop.is_some() || mean_counts(self.aggregates).is_empty(),
            "a mean over patches needs a patch size or a range of scales"
        );
        let size = self.fit.map(|side| (side, side)).or(data.size());
        ensure!(
            !self.aggregates.contains(&Aggregate::LocalPatches)
                || size.is_some_and(|(height, width)| LOCAL_GRID.shape(height, width) == (5, 5)),
            "local aggregation takes 5 x 5 patches of 16 x 16 pixels at stride 4, from images of 32 x 32; {} has {}",
            data.name(),
            size.map_or("several sizes".into(), |(height, width)| format!("{height} x {width}"))
        );
        Ok(())
    }

    /// Inputs to the network for each image.
    pub fn inputs_per_image(&self) -> u64 {
        self.aggregates_inputs(self.aggregates)
    }

    /// Inputs to the network for each image, for `aggregates` alone.
    pub(super) fn aggregates_inputs(&self, aggregates: &[Aggregate]) -> u64 {
        let most = mean_counts(aggregates).into_iter().max().unwrap_or(0) as u64;
        let others = aggregates.iter().map(|aggregate| match aggregate {
            Aggregate::Mean(_) => 0,
            Aggregate::Central | Aggregate::LocalMap => 1,
            Aggregate::LocalPatches => 25,
        });
        most + others.sum::<u64>()
    }
}

/// The counts of all means, in order.
pub(super) fn mean_counts(aggregates: &[Aggregate]) -> Vec<usize> {
    let count = |aggregate: &Aggregate| match aggregate {
        Aggregate::Mean(count) => Some(*count),
        _ => None,
    };
    aggregates.iter().filter_map(count).collect()
}
