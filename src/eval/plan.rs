//! How images become vectors: one plan for both splits.

use anyhow::ensure;

use super::aggregate::{Aggregate, LOCAL_GRID};
use crate::augment::{Crop, ViewConfig};
use crate::dataset::Dataset;
use crate::embed::Embedder;
use crate::memory::{self, NoRoom};
use crate::model::Space;
use crate::words::thousands;

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
    /// Which vectors: of a crop alone, or of its place in the map of the whole image, whose mean is that of the whole;
    /// local aggregation is of h.
    pub space: Space,
    /// How the crops of a mean are changed, in turns; clean where there is none.
    pub views: &'a [ViewConfig],
}

impl FeaturePlan<'_> {
    /// Refuses what cannot be done for any image of `data`.
    pub fn check(&self, data: &dyn Dataset) -> anyhow::Result<()> {
        ensure!(
            self.crop.is_some() || mean_counts(self.aggregates).is_empty(),
            "a mean over patches needs a patch size or a range of scales"
        );
        self.embedder.info.ensure_space(self.space, &self.embedder.name)?;
        ensure!(
            self.views.is_empty() || !matches!(self.space, Space::Token(_)),
            "{} is of places in a whole image, which are not changed as views are; expected a space of crops with --augmented",
            self.space
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

    /// Passes vectors of so many images, and classifiers of so many classes, that fit into memory; with no images those
    /// classifiers alone.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn ensure_fits(&self, images: usize, classes: usize) -> Result<(), NoRoom> {
        let widths: usize = self.aggregates.iter().map(|aggregate| self.most_width(*aggregate)).sum();
        // Beside the vectors a linear probe has its weights, their velocity and their gradient.
        let values = (images as u64 + 3 * classes as u64).saturating_mul(widths as u64);
        let budget = memory::budget();
        let what = || match images {
            0 => format!("a linear probe of {} values and {} classes", thousands(widths), thousands(classes)),
            _ => format!("the vectors of {} images, {} values each,", thousands(images), thousands(widths)),
        };
        let remedy = if images == 0 { "fewer --patches" } else { "--cache DIR, which keeps them on disk" };
        budget.ensure(budget.bank(), values.saturating_mul(4), what, remedy)
    }

    /// Values of a vector of a crop.
    pub(super) fn width(&self) -> usize {
        self.embedder.info.width(self.space).unwrap_or(0)
    }

    /// Values of a vector at most.
    fn most_width(&self, aggregate: Aggregate) -> usize {
        let h = self.embedder.info.backbone.h_width();
        match aggregate {
            Aggregate::Central | Aggregate::Mean(_) => self.width(),
            Aggregate::LocalPatches => 4 * h,
            // No last map has more than an eighth of the input's side; the pooling halves it.
            Aggregate::LocalMap => h * (self.embedder.info.input as usize / 16 + 1).pow(2),
        }
    }
}

/// Inputs to the network for each image: every patch goes through it once and counts in each mean that it belongs to.
pub fn inputs_per_image(aggregates: &[Aggregate]) -> u64 {
    let most = mean_counts(aggregates).into_iter().max().unwrap_or(0) as u64;
    let others = aggregates.iter().map(|aggregate| match aggregate {
        Aggregate::Mean(_) => 0,
        Aggregate::Central | Aggregate::LocalMap => 1,
        Aggregate::LocalPatches => 25,
    });
    most + others.sum::<u64>()
}

/// The counts of all means, in order.
pub(super) fn mean_counts(aggregates: &[Aggregate]) -> Vec<usize> {
    let count = |aggregate: &Aggregate| match aggregate {
        Aggregate::Mean(count) => Some(*count),
        _ => None,
    };
    aggregates.iter().filter_map(count).collect()
}
