//! Patches that are embedded for one measure alone.

use std::sync::Arc;

use crate::bank::{Bank, Dtype, MemoryBank};
use crate::dataset::{self, DataSpec, Dataset, Split};
use crate::embed::{BATCH, Embedder, ExtractPlan, Extraction};
use crate::engine::ask::{PatchSpace, defaults};
use crate::engine::jobs::{Job, open_embedder};
use crate::model::ModelSpec;
use crate::patch::PatchGrid;

/// A model, images, and the patches on them.
#[derive(Clone, Debug)]
pub struct FreshPatches {
    /// What embeds.
    pub model: ModelSpec,
    /// The images.
    pub data: DataSpec,
    /// Which split of them.
    pub split: Option<Split>,
    /// Only so many images, spread over the data set and its classes; all where absent.
    pub limit: Option<usize>,
    /// Side of a patch, pixels; none: what suits the images and the model.
    pub patch: Option<u32>,
    /// Distance between patches, pixels; none: about 7 x 7 of each image.
    pub stride: Option<u32>,
}

impl FreshPatches {
    /// Embeds them, in `spaces` of the network and as pixels; where none are told in all of them.
    ///
    /// # Errors
    /// Those of the data set and the model, no patch fits, no room for the vectors, cancelled.
    pub fn embed(&self, spaces: &[PatchSpace], job: &mut Job<'_>) -> anyhow::Result<Bank> {
        let data = dataset::open(&self.data, self.split)?;
        let (_, embedder) = open_embedder(job.device, &self.model)?;
        let side = data.short_side();
        let patch = self.patch.unwrap_or_else(|| defaults::patch_for(side, &embedder.info.trained_crops()));
        let grid = PatchGrid::new(patch, self.stride.unwrap_or(defaults::gallery_stride(side, patch)))?;
        let plan = plan(&embedder, data.as_ref(), self.limit, grid, spaces)?;
        embedded(plan, &data, &embedder, job)
    }
}

/// A plan of `spaces`; where none are told, of every stage, h, the projector's layers, and pixels.
///
/// # Errors
/// As [`ExtractPlan::new`].
pub(super) fn plan(
    embedder: &Embedder,
    data: &dyn Dataset,
    limit: Option<usize>,
    grid: PatchGrid,
    spaces: &[PatchSpace],
) -> anyhow::Result<ExtractPlan> {
    let (mut network, mut has_pixels) = (vec![], spaces.is_empty());
    if spaces.is_empty() {
        network = embedder.info.crop_spaces().into_iter().rev().collect();
    }
    for space in spaces {
        match space {
            PatchSpace::Network(space) => network.push(*space),
            PatchSpace::Pixels => has_pixels = true,
        }
    }
    let plan = ExtractPlan::new(embedder, data, limit, grid, &network, Dtype::F16)?;
    Ok(if has_pixels { plan.with_pixels() } else { plan })
}

/// All patches of a plan, in a bank in memory.
///
/// # Errors
/// No room for the vectors, those of the data set and the model, cancelled.
pub(super) fn embedded(
    plan: ExtractPlan,
    data: &Arc<dyn Dataset>,
    embedder: &Embedder,
    job: &mut Job<'_>,
) -> anyhow::Result<Bank> {
    let mut bank = MemoryBank::new(plan.spec.clone(), plan.images.clone())?;
    let mut extraction = Extraction::start(plan, data.clone())?;
    while !extraction.is_finished() {
        job.cancel.check()?;
        extraction.advance(embedder, &mut bank, BATCH)?;
        (job.progress)(extraction.progress());
    }
    Ok(bank.snapshot())
}
