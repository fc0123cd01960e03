//! All patches of a data set into a bank, one group of images at a time.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use anyhow::{Context, ensure};
use crossbeam_channel::{Receiver, bounded};
use rayon::prelude::*;

use super::{BATCH, Embedder, PatchSource};
use crate::bank::{BankSink, BankSpec, DataFacts, Dtype, ImageEntry, ModelFacts, SpaceSpec};
use crate::dataset::{Dataset, Skipped};
use crate::image::Image;
use crate::model::Space;
use crate::patch::PatchGrid;
use crate::progress::Progress;

/// Decoded images that may wait for the network.
const AHEAD: usize = 16;

/// What to extract, settled before the first patch is embedded.
pub struct ExtractPlan {
    pub spec: BankSpec,
    pub images: Vec<ImageEntry>,
    pub spaces: Vec<Space>,
}

impl ExtractPlan {
    /// Plans `spaces` of all patches of `data` on `grid`.
    ///
    /// # Errors
    /// No patch fits on any image, or a space that the model lacks.
    pub fn new(
        embedder: &Embedder,
        data: &dyn Dataset,
        grid: PatchGrid,
        spaces: &[Space],
        dtype: Dtype,
    ) -> anyhow::Result<Self> {
        let images = entries(data);
        let patches: usize = images.iter().map(|image| grid.len(image.height, image.width)).sum();
        ensure!(
            patches > 0,
            "no patch of {0} x {0} pixels fits on any image of {1}; choose a smaller patch",
            grid.patch,
            data.name()
        );
        let info = &embedder.info;
        let space_specs = spaces.iter().map(|&space| {
            let width = info.width(space).with_context(|| {
                format!("the model {} has no space \"{space}\"", embedder.name)
            })?;
            Ok(SpaceSpec { name: space.to_string(), width: width as u32 })
        });
        let spec = BankSpec {
            program: concat!("bagssl ", env!("CARGO_PKG_VERSION")).into(),
            model: ModelFacts {
                name: embedder.name.clone(),
                hash: embedder.hash.clone(),
                arch: info.backbone.title(),
            },
            data: DataFacts {
                kind: data.kind().into(),
                name: data.name(),
                fingerprint: data.fingerprint()?,
                split: data.split(),
                limit: None,
            },
            grid,
            input: info.input,
            resize: info.resize.to_string(),
            mean: info.normalization.mean,
            std: info.normalization.std,
            dtype,
            spaces: space_specs.collect::<anyhow::Result<_>>()?,
            classes: data.classes().to_vec(),
        };
        Ok(Self { spec, images, spaces: spaces.to_vec() })
    }

    /// Patches in all.
    pub fn patches(&self) -> usize {
        self.images.iter().map(|image| self.spec.grid.len(image.height, image.width)).sum()
    }
}

fn entries(data: &dyn Dataset) -> Vec<ImageEntry> {
    let entry = |index: usize| {
        let (height, width) = data.dimensions(index);
        ImageEntry { height, width, label: data.label(index), name: data.image_name(index) }
    };
    (0..data.len()).into_par_iter().map(entry).collect()
}

/// Extraction in progress. Images are read ahead on a thread of their own.
pub struct Extraction {
    plan: ExtractPlan,
    images: Receiver<(usize, anyhow::Result<Image>)>,
    first: usize,
    done: usize,
    patches: usize,
    skipped: Vec<Skipped>,
    started: Instant,
}

impl Extraction {
    /// Starts to read images from `first` on.
    pub fn start(plan: ExtractPlan, data: Arc<dyn Dataset>, first: usize) -> anyhow::Result<Self> {
        let (sender, images) = bounded(AHEAD);
        let count = plan.images.len();
        let read = move || {
            for index in first..count {
                if sender.send((index, data.image(index))).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("decode".into()).spawn(read).context("could not start a thread")?;
        let started = Instant::now();
        Ok(Self { plan, images, first, done: first, patches: 0, skipped: vec![], started })
    }

    /// Whether every image is in the bank or skipped.
    pub fn is_finished(&self) -> bool {
        self.done == self.plan.images.len()
    }

    /// Embeds the next few images, about one batch of patches, into `sink`.
    pub fn advance(&mut self, embedder: &Embedder, sink: &mut dyn BankSink) -> anyhow::Result<()> {
        let mut group: Vec<(usize, anyhow::Result<Arc<Image>>)> = vec![];
        let mut patches: Vec<PatchSource> = vec![];
        let grid = self.plan.spec.grid;
        while patches.len() < BATCH && self.done + group.len() < self.plan.images.len() {
            let (index, image) = self.images.recv().context("the thread that reads images has stopped")?;
            let image = self.checked(index, image).map(Arc::new);
            if let Ok(image) = &image {
                let (rows, cols) = grid.shape(image.height(), image.width());
                let sources = (0..rows * cols).map(|i| {
                    let (y, x) = grid.corner(i, cols);
                    PatchSource { image: image.clone(), y, x }
                });
                patches.extend(sources);
            }
            group.push((index, image));
        }
        let vectors = embedder.patches(&patches, grid.patch, &self.plan.spaces);
        self.patches += patches.len();
        self.push(group, &vectors, sink)
    }

    /// An image must have the size that its place in the bank was planned for.
    fn checked(&self, index: usize, image: anyhow::Result<Image>) -> anyhow::Result<Image> {
        let image = image?;
        let ImageEntry { height, width, .. } = self.plan.images[index];
        ensure!(
            (image.height(), image.width()) == (height, width),
            "it is {} x {} pixels now, and was {height} x {width} when the data set was opened",
            image.height(),
            image.width()
        );
        Ok(image)
    }

    fn push(
        &mut self,
        group: Vec<(usize, anyhow::Result<Arc<Image>>)>,
        vectors: &[Vec<f32>],
        sink: &mut dyn BankSink,
    ) -> anyhow::Result<()> {
        let names: Vec<String> = self.plan.spaces.iter().map(Space::to_string).collect();
        let widths: Vec<usize> = self.plan.spec.spaces.iter().map(|space| space.width as usize).collect();
        let mut row = 0;
        for (index, image) in group {
            match image {
                Ok(image) => {
                    let count = self.plan.spec.grid.len(image.height(), image.width());
                    let rows: Vec<(&str, &[f32])> = names
                        .iter()
                        .zip(vectors.iter().zip(&widths))
                        .map(|(name, (all, width))| (name.as_str(), &all[row * width..(row + count) * width]))
                        .collect();
                    sink.push_image(index, &rows)?;
                    row += count;
                }
                Err(error) => {
                    let reason = format!("{error:#}");
                    sink.push_skipped(index, &reason)?;
                    self.skipped.push(Skipped { file: self.plan.images[index].name.clone(), reason });
                }
            }
            self.done += 1;
        }
        Ok(())
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        Progress {
            what: "embedding",
            done: self.done as u64,
            total: self.plan.images.len() as u64,
            resumed: self.first as u64,
            unit: "images",
            elapsed: self.started.elapsed(),
        }
    }

    /// Patches embedded per second of this run; `None` before the first.
    pub fn patches_per_second(&self) -> Option<f64> {
        let secs = self.started.elapsed().as_secs_f64();
        (self.patches > 0 && secs > 0.0).then(|| self.patches as f64 / secs)
    }

    /// Patches embedded in this run.
    pub fn patches(&self) -> usize {
        self.patches
    }

    /// Images that could not be read in this run, with the reason.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// What is being extracted.
    pub fn plan(&self) -> &ExtractPlan {
        &self.plan
    }
}
