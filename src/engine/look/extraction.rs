//! A bank in memory that grows while it is searched: the patches that galleries choose among.

use std::sync::Arc;

use crate::bank::{BankSink, Dtype, ImageEntry, MemoryBank};
use crate::dataset::{self, Dataset, Skipped};
use crate::embed::{self, Embedder, ExtractPlan};
use crate::engine::ask::{ExtractionView, MemoryUse, PatchSpace};
use crate::model::Space;
use crate::patch::PatchGrid;
use crate::words::thousands;

const GIB: f64 = (1u64 << 30) as f64;

/// Which patches of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Reach {
    pub grid: PatchGrid,
    /// The first so many images.
    pub images: usize,
    pub spaces: Vec<PatchSpace>,
}

/// The bank and the extraction that fills it.
pub struct Growing {
    pub extraction: embed::Extraction,
    pub bank: MemoryBank,
    pub paused: bool,
    /// Memory that it takes once complete.
    pub bytes: u64,
    /// Images that could not be read; copied when the list has grown, not with every batch.
    skipped: Arc<Vec<Skipped>>,
    memory: MemoryUse,
}

impl Growing {
    /// Starts to read images; [`Growing::advance`] embeds their patches.
    ///
    /// # Errors
    /// No patch fits on any image, or more than `most_bytes` would be needed.
    pub fn start(
        embedder: &Embedder,
        data: &Arc<dyn Dataset>,
        reach: &Reach,
        most_bytes: u64,
    ) -> anyhow::Result<Self> {
        let (plan, limited) = plan_of(embedder, data, reach)?;
        let bytes = plan.spec.bytes(&plan.images)?;
        anyhow::ensure!(
            bytes <= most_bytes,
            "the vectors of {} patches would take {:.2} GiB of memory; expected at most {:.2} GiB: choose fewer \
             images, a larger search stride or fewer spaces, or give it more (--memory)",
            thousands(plan.patches()),
            bytes as f64 / GIB,
            most_bytes as f64 / GIB
        );
        let images = plan.images.len();
        let memory = MemoryUse { bytes, most_bytes, images, wanted_images: images, wanted_bytes: bytes };
        let bank = MemoryBank::new(plan.spec.clone(), plan.images.clone())?;
        let extraction = embed::Extraction::start(plan, limited)?;
        Ok(Self { extraction, bank, paused: false, bytes, memory, skipped: Arc::default() })
    }

    /// As [`Growing::start`], with as many of the first images as `most_bytes` has room for; what is shown
    /// says how many were wanted.
    ///
    /// # Errors
    /// As [`Growing::start`], where there is no room for a single image.
    pub fn start_within(
        embedder: &Embedder,
        data: &Arc<dyn Dataset>,
        reach: &Reach,
        most_bytes: u64,
    ) -> anyhow::Result<Self> {
        let (plan, _) = plan_of(embedder, data, reach)?;
        let (wanted_images, wanted_bytes) = (plan.images.len(), plan.spec.bytes(&plan.images)?);
        let images = match images_within(&plan, wanted_bytes, most_bytes) {
            // Left to the error of `start`.
            0 => wanted_images,
            some => some,
        };
        let mut growing = Self::start(embedder, data, &Reach { images, ..reach.clone() }, most_bytes)?;
        growing.memory = MemoryUse { wanted_images, wanted_bytes, ..growing.memory };
        Ok(growing)
    }

    /// Images that are in the bank or skipped.
    pub fn images(&self) -> usize {
        self.bank.next_image()
    }

    /// Whether there is something to embed.
    pub fn has_work(&self) -> bool {
        !self.paused && !self.extraction.is_finished()
    }

    /// Embeds the next batch.
    pub fn advance(&mut self, embedder: &Embedder) -> anyhow::Result<()> {
        self.extraction.advance(embedder, &mut self.bank)?;
        if self.skipped.len() != self.extraction.skipped().len() {
            self.skipped = Arc::new(self.extraction.skipped().to_vec());
        }
        Ok(())
    }

    /// Whether the bank holds every one of `spaces`.
    pub fn has_spaces(&self, spaces: &[PatchSpace]) -> bool {
        let has = |name: &str| self.extraction.plan().spec.spaces.iter().any(|space| space.name == name);
        spaces.iter().all(|space| has(&space.to_string()))
    }

    /// How far it is, as it is shown.
    pub fn shown(&self) -> ExtractionView {
        ExtractionView {
            progress: self.extraction.progress(),
            patches: (self.extraction.patches(), self.extraction.plan().patches()),
            patches_per_second: self.extraction.patches_per_second(),
            skipped: self.skipped.clone(),
            paused: self.paused,
            finished: self.extraction.is_finished(),
            memory: self.memory,
        }
    }
}

fn plan_of(
    embedder: &Embedder,
    data: &Arc<dyn Dataset>,
    reach: &Reach,
) -> anyhow::Result<(ExtractPlan, Arc<dyn Dataset>)> {
    let limited = dataset::limited(data.clone(), reach.images)?;
    let network = reach.spaces.iter().filter_map(|space| match space {
        PatchSpace::Network(space) => Some(*space),
        PatchSpace::Pixels => None,
    });
    let network: Vec<Space> = network.collect();
    let mut plan = ExtractPlan::new(embedder, limited.as_ref(), reach.grid, &network, Dtype::F16)?;
    if reach.spaces.contains(&PatchSpace::Pixels) {
        plan = plan.with_pixels();
    }
    Ok((plan, limited))
}

/// How many of the first images fit into `most_bytes`, where all of them take `bytes`; 0 where those that
/// fit have no patch.
fn images_within(plan: &ExtractPlan, bytes: u64, most_bytes: u64) -> usize {
    let patch_bytes = (bytes / plan.patches().max(1) as u64).max(1);
    let room = (most_bytes / patch_bytes) as usize;
    let mut patches = 0;
    let fits = |image: &&ImageEntry| {
        patches += plan.spec.grid.len(image.height, image.width);
        patches <= room
    };
    let images = plan.images.iter().take_while(fits).count();
    if plan.images[..images].iter().all(|image| plan.spec.grid.len(image.height, image.width) == 0) {
        return 0;
    }
    images
}
