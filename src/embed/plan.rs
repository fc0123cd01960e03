//! What is extracted: the images in their order, the spaces, and what decides the rows of their bank.

use anyhow::{Context, ensure};
use rayon::prelude::*;

use super::{Embedder, PIXELS, pixels_width};
use crate::bank::{BankSpec, DataFacts, Dtype, ImageEntry, PartNumber, SpaceSpec};
use crate::dataset::{Dataset, SPREAD_SEED, spread};
use crate::memory;
use crate::model::Space;
use crate::patch::PatchGrid;
use crate::words::thousands;

/// What to extract, settled before the first patch is embedded.
pub struct ExtractPlan {
    /// What decides the rows.
    pub spec: BankSpec,
    /// The images in the order in which they are embedded.
    pub images: Vec<ImageEntry>,
    /// What is extracted of the model, in this order.
    pub spaces: Vec<Space>,
    /// Whether the patches' own pixels are a further space, the last one.
    pub(super) has_pixels: bool,
}

impl ExtractPlan {
    /// Plans `spaces` of all patches on `grid` of the images of `data`, at most `limit` of them, in the order of
    /// [`spread`]: what is embedded so far is a fair sample at any time.
    ///
    /// # Errors
    /// A limit of 0, no patch fits on any image, or a space that the model lacks.
    pub fn new(
        embedder: &Embedder,
        data: &dyn Dataset,
        limit: Option<usize>,
        grid: PatchGrid,
        spaces: &[Space],
        dtype: Dtype,
    ) -> anyhow::Result<Self> {
        ensure!(limit != Some(0), "a limit of 0 images; expected at least 1");
        let images = entries(data, &spread(data, limit.unwrap_or(data.len()), SPREAD_SEED));
        let patches: usize = images.iter().map(|image| grid.len(image.height, image.width)).sum();
        ensure!(
            patches > 0,
            "no patch of {0} x {0} pixels fits on any of {2} images of {1}; choose a smaller patch",
            grid.patch,
            data.name(),
            thousands(images.len())
        );
        let info = &embedder.info;
        let space_specs = spaces.iter().map(|&space| {
            let width = info
                .width(space)
                .with_context(|| format!("the model {} has no space \"{space}\"", embedder.name))?;
            Ok(SpaceSpec { name: space.to_string(), width: width as u32 })
        });
        let has_places = spaces.iter().any(|space| matches!(space, Space::Token(_)));
        let spec = BankSpec {
            program: concat!("bagssl ", env!("CARGO_PKG_VERSION")).into(),
            model: embedder.facts(),
            data: DataFacts::spread(data, limit)?,
            grid,
            input: info.input,
            resize: info.resize.to_string(),
            resolution: embedder.resolution.filter(|_| has_places),
            tiles: if has_places { embedder.tiles_among(&images) } else { None },
            mean: info.normalization.mean,
            std: info.normalization.std,
            dtype,
            spaces: space_specs.collect::<anyhow::Result<_>>()?,
            classes: data.classes().to_vec(),
        };
        Ok(Self { spec, images, spaces: spaces.to_vec(), has_pixels: false })
    }

    /// What decides the rows, and the images, where more images of `data` are planned than those of `spec`: at most `most`.
    pub(super) fn of_more(
        mut spec: BankSpec,
        data: &dyn Dataset,
        most: usize,
    ) -> (BankSpec, Vec<ImageEntry>) {
        let images = entries(data, &spread(data, most, SPREAD_SEED));
        spec.data.limit = (images.len() < data.len()).then_some(images.len() as u64);
        (spec, images)
    }

    /// Only the images of one of several parts, for a bank that `bank merge` lays end to end with the others.
    ///
    /// # Errors
    /// There are fewer images with patches than parts.
    pub fn of_part(mut self, number: PartNumber) -> anyhow::Result<Self> {
        let (images, facts) = number.take(self.spec.grid, self.images)?;
        self.spec.data.part = Some(facts);
        Ok(Self { images, ..self })
    }

    /// Adds the patches' own pixels as a further space, a baseline.
    pub fn with_pixels(mut self) -> Self {
        let width = pixels_width(self.spec.grid.patch) as u32;
        self.spec.spaces.push(SpaceSpec { name: PIXELS.into(), width });
        self.has_pixels = true;
        self
    }

    /// The vectors of an image are there at once, as they come and as they are written.
    pub(super) fn ensure_rows_fit(&self, budget: memory::MemoryBudget) -> anyhow::Result<()> {
        let width: u64 = self.spec.spaces.iter().map(|space| u64::from(space.width)).sum();
        let grid = self.spec.grid;
        let largest = self.images.iter().max_by_key(|image| grid.len(image.height, image.width));
        let Some(ImageEntry { height, width: across, name, .. }) = largest else { return Ok(()) };
        let patches = grid.len(*height, *across);
        let bytes = (patches as u64).saturating_mul(width).saturating_mul(2 * size_of::<f32>() as u64);
        let what = || {
            format!(
                "{name} ({across} x {height} pixels) with the vectors of its {} patches",
                thousands(patches)
            )
        };
        Ok(budget.ensure(budget.bank(), bytes, what, "a larger --stride")?)
    }

    /// The same of image `index` of the data set alone.
    ///
    /// # Errors
    /// There is no such image, or no patch fits on it.
    pub fn of_image(&self, data: &dyn Dataset, index: usize) -> anyhow::Result<Self> {
        ensure!(index < data.len(), "{} has no image {index}; it has {}", data.name(), data.len());
        let images = entries(data, &[index]);
        let plan = Self {
            spec: self.spec.clone(),
            images,
            spaces: self.spaces.clone(),
            has_pixels: self.has_pixels,
        };
        let (patch, name) = (self.spec.grid.patch, data.image_name(index));
        ensure!(plan.patches() > 0, "no patch of {patch} x {patch} pixels fits on {name}");
        Ok(plan)
    }

    /// Whether every space is of places in whole images.
    pub(super) fn is_of_places(&self) -> bool {
        let mut spaces = self.spaces.iter();
        !self.has_pixels && spaces.all(|space| matches!(space, Space::Token(_)))
    }

    /// Patches in all.
    pub fn patches(&self) -> usize {
        self.images.iter().map(|image| self.spec.grid.len(image.height, image.width)).sum()
    }
}

fn entries(data: &dyn Dataset, indices: &[usize]) -> Vec<ImageEntry> {
    let entry = |&index: &usize| {
        let (height, width) = data.dimensions(index);
        let (label, name) = (data.label(index), data.image_name(index));
        ImageEntry { index: index as u32, height, width, label, name }
    };
    indices.par_iter().map(entry).collect()
}
