//! A bank in memory that grows while it is searched: the patches that galleries choose among.

use std::sync::Arc;

use super::spaces::PatchSpace;
use super::state;
use crate::bank::{BankSink, Dtype, MemoryBank};
use crate::dataset::{self, Dataset, Skipped};
use crate::embed::{self, Embedder, ExtractPlan};
use crate::model::Space;
use crate::patch::PatchGrid;
use crate::words::thousands;

const GIB: u64 = 1 << 30;

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
        let bytes = plan.spec.bytes(&plan.images)?;
        anyhow::ensure!(
            bytes <= most_bytes,
            "the vectors of {} patches would take {:.1} GiB of memory; expected at most {:.1} GiB: choose fewer \
             images, a larger search stride or fewer spaces",
            thousands(plan.patches()),
            bytes as f64 / GIB as f64,
            most_bytes as f64 / GIB as f64
        );
        let bank = MemoryBank::new(plan.spec.clone(), plan.images.clone())?;
        let extraction = embed::Extraction::start(plan, limited, 0)?;
        Ok(Self { extraction, bank, paused: false, bytes, skipped: Arc::default() })
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
    pub fn shown(&self) -> state::Extraction {
        state::Extraction {
            progress: self.extraction.progress(),
            patches: (self.extraction.patches(), self.extraction.plan().patches()),
            patches_per_second: self.extraction.patches_per_second(),
            skipped: self.skipped.clone(),
            paused: self.paused,
            finished: self.extraction.is_finished(),
        }
    }
}
