//! Images of queries that are not among those that galleries search: embedded too, so that a query's own image has its
//! patches among the neighbours, whatever sample is searched. They are no part of the sample.

use std::sync::Arc;

use crate::bank::{Bank, MemoryBank};
use crate::dataset::Dataset;
use crate::embed::{BATCH, Embedder, ExtractPlan, Extraction};

/// Guests that are kept: as many as positions can be marked, and some more.
const MOST: usize = 48;

/// The guests of a bank, those that were asked for last at the end.
#[derive(Default)]
pub struct Guests(Vec<Guest>);

struct Guest {
    image: u32,
    /// `None` once it cannot be embedded.
    work: Option<(Extraction, MemoryBank)>,
}

impl Guest {
    fn is_due(&self) -> bool {
        self.work.as_ref().is_some_and(|(extraction, _)| !extraction.is_finished())
    }
}

impl Guests {
    /// Sees to it that `images` are embedded as `plan` says, unless they are in `bank`.
    pub fn invite(&mut self, plan: &ExtractPlan, data: &Arc<dyn Dataset>, bank: &MemoryBank, images: &[u32]) {
        for image in images.iter().copied().filter(|image| !bank.holds(*image as usize)) {
            let known = self.0.iter().position(|guest| guest.image == image);
            let guest = match known {
                Some(place) => self.0.remove(place),
                None => Guest { image, work: begin(plan, data, image).ok() },
            };
            self.0.push(guest);
        }
        self.0.drain(..self.0.len().saturating_sub(MOST));
    }

    /// Whether all are embedded.
    pub fn are_settled(&self) -> bool {
        !self.0.iter().any(Guest::is_due)
    }

    /// Embeds the next batch of the one that was asked for last. What cannot be embedded, as an image whose file has gone
    /// since it was shown, is no guest.
    pub fn advance(&mut self, embedder: &Embedder) {
        let Some(guest) = self.0.iter_mut().rev().find(|guest| guest.is_due()) else { return };
        if let Some((extraction, bank)) = &mut guest.work
            && let Err(error) = extraction.advance(embedder, bank, embedder.turn(BATCH))
        {
            log::info!("image {} is not among the neighbours: {error:#}", guest.image);
            guest.work = None;
        }
    }

    /// What is in `bank` now, with those of `images` that are guests.
    ///
    /// # Errors
    /// As [`MemoryBank::snapshot_with`].
    pub fn beside(&self, bank: &MemoryBank, images: &[u32]) -> anyhow::Result<Bank> {
        let asked = self.0.iter().filter(|guest| images.contains(&guest.image));
        let banks: Vec<&MemoryBank> = asked.filter_map(|guest| Some(&guest.work.as_ref()?.1)).collect();
        bank.snapshot_with(&banks)
    }
}

fn begin(
    plan: &ExtractPlan,
    data: &Arc<dyn Dataset>,
    image: u32,
) -> anyhow::Result<(Extraction, MemoryBank)> {
    let plan = plan.of_image(data.as_ref(), image as usize)?;
    let bank = MemoryBank::new(plan.spec.clone(), plan.images.clone())?;
    Ok((Extraction::start(plan, data.clone())?, bank))
}
