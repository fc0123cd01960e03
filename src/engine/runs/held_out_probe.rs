//! Probes a model while it trains: how h and z of fixed patches are spread, and how well
//! neighbours in h tell the class of held-out images. In units small enough for an engine that
//! answers queries in between.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use burn::tensor::Device;
use rayon::prelude::*;

use crate::augment::Crop;
use crate::dataset::{DataSpec, Dataset, SPREAD_SEED, spread_among};
use crate::embed::{Embedder, PatchSource};
use crate::engine::runs::held_out_images::HeldOutImages;
use crate::engine::runs::run_data::RunData;
use crate::eval::knn::KnnConfig;
use crate::eval::online::{OnlineConfig, OnlineKnn, OnlineResult, OnlineRound};
use crate::files;
use crate::image::Image;
use crate::memory;
use crate::model::Space;
use crate::stats::spectrum::Spread;
use crate::train::run::{ProbePatches, ProbeVectors};
use crate::train::{KnnScore, ProbeConfig, ProbeReport, TrainConfig, Trainer, TrainingImages, metrics};
use crate::words::thousands;

/// Fixed patches of an image: a grid of so many a side.
const GRID: u32 = 4;
/// Rows whose spread is measured, at most; every n-th where there are more.
const SPREAD_ROWS: usize = 512;
/// Patches of one unit of work.
const UNIT: usize = 128;

/// What a run is probed with, the same from its first step to its last.
pub struct HeldOutProbe {
    images: HeldOutImages,
    patches: ProbePatches,
    /// Absent without labels.
    knn: Option<Arc<OnlineKnn>>,
    /// How an image becomes a vector of the classifier: "central", or a number of patches.
    knn_patches: String,
    /// Whether the classifier is asked about images that were kept from training.
    knn_held_out: bool,
    /// What cannot be probed, and why.
    warnings: Vec<String>,
    device: Device,
}

impl HeldOutProbe {
    /// Picks the images and patches; the patches that a run was looked at with before, `kept`, where they are of the
    /// same images.
    pub fn new(
        config: &TrainConfig,
        data: &RunData,
        kept: Option<ProbePatches>,
        device: &Device,
    ) -> anyhow::Result<Self> {
        let images = HeldOutImages::choose(config, data)?;
        let RunData { source, set, .. } = data;
        let fixed = config.views.iter().find_map(|view| match view.crop {
            Crop::Fixed { size } => Some(size),
            Crop::Scale { .. } => None,
        });
        let patches = fixed_patches(&source.spec, &images, config.probe.images, fixed)?;
        let is_same =
            |kept: &ProbePatches| (&kept.fingerprint, kept.size) == (&patches.fingerprint, patches.size);
        let patches = kept.filter(is_same).unwrap_or(patches);
        let mut warnings: Vec<String> = images.warning.iter().cloned().collect();
        if patches.patches.is_empty() {
            let size = patches.size;
            warnings.push(format!(
                "h and z are not probed: none of {} held-out images has {size} x {size} pixels",
                images.count()
            ));
        }
        let knn = match online_knn(config, set.as_ref(), &images, fixed, &mut warnings) {
            Err(error) if files::is_read_error(&error) => return Err(error),
            Err(error) => {
                warnings.push(format!("online kNN accuracy is left out: {error:#}"));
                None
            }
            Ok(knn) => knn,
        };
        let knn_held_out = images.kept_from_training;
        Ok(Self {
            patches,
            knn,
            knn_patches: fixed.map_or("central".into(), |_| config.probe.patches.to_string()),
            knn_held_out,
            warnings,
            images,
            device: device.clone(),
        })
    }

    /// The images that it looks at.
    pub fn images(&self) -> &HeldOutImages {
        &self.images
    }

    /// The fixed patches.
    pub fn patches(&self) -> &ProbePatches {
        &self.patches
    }

    /// What cannot be probed, one sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Begins to look at the trainer's model as it is now: with the classifier where it `probes`,
    /// for the fixed patches' vectors where it `saves`.
    pub fn start(&self, trainer: &Trainer, probes: bool, saves: bool) -> ProbeRound {
        let state = trainer.state();
        let todo = self.units();
        let embedder = || Embedder::new(trainer.model(), &self.device);
        let fixed = embedder();
        let spaces = fixed.info.spaces();
        ProbeRound {
            step: state.step,
            epoch: trainer.epoch(),
            vectors: vec![vec![]; spaces.len()],
            spaces,
            knn_round: self.knn.as_ref().filter(|_| probes).map(|knn| knn.start(embedder())),
            embedder: fixed,
            todo,
            knn: None,
            probes,
            saves,
            active: Duration::ZERO,
        }
    }
}

impl HeldOutProbe {
    /// The fixed patches, as many at a time as one batch has and as there is room for their images.
    fn units(&self) -> VecDeque<Range<usize>> {
        let mut before = None;
        let sizes = self.patches.patches.iter().map(|[image, ..]| {
            let is_new = before.replace(*image) != Some(*image);
            if is_new { decoded_bytes(self.images.data.as_ref(), *image as usize) } else { 0 }
        });
        memory::groups(sizes, UNIT, memory::budget().for_command().ahead()).into()
    }
}

/// Bytes of an image once it is decoded.
fn decoded_bytes(data: &dyn Dataset, index: usize) -> u64 {
    let (height, width) = data.dimensions(index);
    3 * u64::from(height) * u64::from(width)
}

/// The first so many of each, in equal shares, whose images fit into memory together: they stay decoded.
fn within_memory(
    (data, voters): (&dyn Dataset, &mut Vec<usize>),
    (held_out, asked): (&dyn Dataset, &mut Vec<usize>),
) -> Option<String> {
    let bytes = |data: &dyn Dataset, images: &[usize]| -> u64 {
        images.iter().map(|index| decoded_bytes(data, *index)).sum()
    };
    let (whole, most) =
        (bytes(data, voters) + bytes(held_out, asked), memory::budget().for_command().ahead());
    if whole <= most {
        return None;
    }
    let (known, questions) = (voters.len(), asked.len());
    while bytes(data, voters) + bytes(held_out, asked) > most && voters.len() + asked.len() > 2 {
        let fewer = |count: usize| (count * 9 / 10).max(1);
        voters.truncate(fewer(voters.len()));
        asked.truncate(fewer(asked.len()));
    }
    Some(format!(
        "the online kNN classifier knows {} of {} images and is asked about {} of {}: all of them would need about {} \
         GiB, and there are {} GiB for them (--memory)",
        thousands(voters.len()),
        thousands(known),
        thousands(asked.len()),
        thousands(questions),
        memory::gib(whole),
        memory::gib(most)
    ))
}

fn online_knn(
    config: &TrainConfig,
    data: &dyn Dataset,
    held_out: &HeldOutImages,
    patch: Option<u32>,
    warnings: &mut Vec<String>,
) -> anyhow::Result<Option<Arc<OnlineKnn>>> {
    let ProbeConfig { every, known, patches, .. } = config.probe;
    let labelled = data.classes().len() >= 2 && data.classes() == held_out.data.classes();
    if known == 0 || every == 0 || !labelled {
        return Ok(None);
    }
    let (mut voters, mut asked) = knn_images(config, data, held_out);
    let config = OnlineConfig { patch, patches, seed: 0 };
    let questions = held_out.data.as_ref();
    warnings.extend(within_memory((data, &mut voters), (questions, &mut asked)));
    OnlineKnn::new((data, &voters), (questions, &asked), config).map(Some)
}

/// Images of `data` that vote and images of `held_out` that are asked about; none does both.
fn knn_images(
    config: &TrainConfig,
    data: &dyn Dataset,
    held_out: &HeldOutImages,
) -> (Vec<usize>, Vec<usize>) {
    let known = config.probe.known.min(data.len());
    let asked = config.probe.asked.min(held_out.data.len());
    let label = |index| data.label(index);
    let drawn = TrainingImages::drawn(config, data);
    if held_out.kept_from_training {
        return (spread_among(drawn, label, known, SPREAD_SEED), held_out.spread(asked));
    }
    let mut voters = spread_among(drawn, label, known + asked, SPREAD_SEED);
    let asked = voters.split_off(voters.len() * known / (known + asked).max(1));
    (voters, asked)
}

/// A grid of patches over evenly spread images that can be read: of the regime's size, or of half
/// the shortest side where crops come in many sizes.
fn fixed_patches(
    spec: &DataSpec,
    held_out: &HeldOutImages,
    images: usize,
    fixed: Option<u32>,
) -> anyhow::Result<ProbePatches> {
    let chosen = held_out.spread(images);
    let sides = chosen.par_iter().filter_map(|&index| {
        let image = held_out.data.image_if_readable(index).transpose()?;
        Some(image.map(|image| (index, image.height(), image.width())))
    });
    let sides: Vec<(usize, u32, u32)> = sides.collect::<anyhow::Result<_>>()?;
    let shortest = sides.iter().map(|&(_, height, width)| height.min(width)).min();
    let shortest = shortest.with_context(|| format!("none of {} images can be read", chosen.len()))?;
    let size = fixed.unwrap_or((shortest / 2).max(1));
    let place = |side: u32, i: u32| (side - size) * i / (GRID - 1);
    let grid = |&(index, height, width): &(usize, u32, u32)| {
        (0..GRID * GRID).map(move |i| [index as u32, place(height, i / GRID), place(width, i % GRID)])
    };
    let large = sides.iter().filter(|(_, height, width)| *height.min(width) >= size);
    Ok(ProbePatches {
        data: spec.to_string(),
        split: held_out.data.split().map(|split| split.name().into()),
        fingerprint: held_out.data.fingerprint()?,
        held_out: held_out.kept_from_training,
        size,
        patches: large.flat_map(grid).collect(),
    })
}

/// One probe of the model of one step, as far as it is.
pub struct ProbeRound {
    step: u64,
    epoch: f64,
    embedder: Embedder,
    spaces: Vec<(Space, usize)>,
    /// Fixed patches, by their place in the list.
    todo: VecDeque<Range<usize>>,
    /// Of the fixed patches, space by space.
    vectors: Vec<Vec<f32>>,
    knn_round: Option<OnlineRound>,
    knn: Option<OnlineResult>,
    probes: bool,
    saves: bool,
    active: Duration,
}

/// What a probe found.
pub struct ProbeResult {
    pub report: ProbeReport,
    pub vectors: ProbeVectors,
    /// Whether the report is to be kept.
    pub probes: bool,
    /// Whether the vectors are to be kept.
    pub saves: bool,
}

impl ProbeRound {
    /// The vectors are to be kept, too: a checkpoint was written meanwhile.
    pub fn save(&mut self) {
        self.saves = true;
    }

    /// Only what a checkpoint comes with: the classifier is left to the run's next part.
    pub fn only_save(&mut self) {
        self.saves = true;
        self.probes = false;
        self.knn_round = None;
    }

    /// Does one unit of work; says whether it was the last.
    pub fn advance(&mut self, probe: &HeldOutProbe) -> anyhow::Result<bool> {
        let started = Instant::now();
        if let Some(range) = self.todo.front().cloned() {
            self.embed_fixed(probe, range)?;
            // One that was left is to be done still.
            self.todo.pop_front();
        } else if let Some(round) = &mut self.knn_round
            && let Some(result) = round.advance()?
        {
            self.knn = Some(result);
            self.knn_round = None;
        }
        self.active += started.elapsed();
        Ok(self.todo.is_empty() && self.knn_round.is_none())
    }

    fn embed_fixed(&mut self, probe: &HeldOutProbe, range: Range<usize>) -> anyhow::Result<()> {
        let patches = &probe.patches.patches[range];
        let mut indices: Vec<usize> = patches.iter().map(|patch| patch[0] as usize).collect();
        indices.dedup();
        let images: Vec<(usize, Arc<Image>)> = indices
            .par_iter()
            .map(|&index| Ok((index, Arc::new(probe.images.data.image(index)?))))
            .collect::<anyhow::Result<_>>()?;
        let source = |&[index, y, x]: &[u32; 3]| {
            let found = images.iter().find(|(read, _)| *read == index as usize);
            let (_, image) = found.expect("read above");
            PatchSource { image: image.clone(), y, x }
        };
        let sources: Vec<PatchSource> = patches.iter().map(source).collect();
        let spaces: Vec<Space> = self.spaces.iter().map(|(space, _)| *space).collect();
        let embedded = self.embedder.patches(&sources, probe.patches.size, &spaces)?;
        self.vectors.iter_mut().zip(embedded).for_each(|(all, more)| all.extend(more));
        Ok(())
    }

    /// The report and the vectors.
    pub fn finish(self, probe: &HeldOutProbe) -> ProbeResult {
        let started = Instant::now();
        let mut report = ProbeReport { step: self.step, epoch: self.epoch, ..ProbeReport::default() };
        let mut vectors = ProbeVectors::new();
        for ((space, width), values) in self.spaces.into_iter().zip(self.vectors) {
            if self.probes {
                let every = (values.len() / width).div_ceil(SPREAD_ROWS).max(1);
                let rows: Vec<f32> = values.chunks_exact(width).step_by(every).flatten().copied().collect();
                let spread = Spread::of(&rows, width);
                report.spaces.extend(spread.map(|spread| (space.to_string(), spread)));
            }
            vectors.insert(space.to_string(), (width, values));
        }
        report.knn = self.knn.map(|result| knn_score(probe, &result));
        report.time = metrics::now();
        report.seconds = (self.active + started.elapsed()).as_secs_f64();
        ProbeResult { report, vectors, probes: self.probes, saves: self.saves }
    }
}

fn knn_score(probe: &HeldOutProbe, result: &OnlineResult) -> KnnScore {
    let config = KnnConfig::default();
    KnnScore {
        accuracy: result.h,
        accuracy_z: result.z,
        k: config.k,
        temperature: f64::from(config.temperature),
        patches: probe.knn_patches.clone(),
        known_images: result.train_images,
        asked_images: result.images,
        held_out: probe.knn_held_out,
        classes: (1.0 / result.chance).round() as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{DataSource, Split};

    /// With images to spare and with none.
    #[test]
    fn no_image_votes_on_itself() {
        let source = DataSource { spec: "demo".into(), split: Some(Split::Test) };
        let data = RunData::open(source).unwrap();
        let mut config = crate::train::recipes::find("quick-parts").unwrap().config;
        (config.probe.known, config.probe.asked) = (60, 30);
        for images in [None, Some(100)] {
            config.images = images;
            let held_out = HeldOutImages::choose(&config, &data).unwrap();
            let (voters, asked) = knn_images(&config, data.set.as_ref(), &held_out);
            assert_eq!((voters.len(), asked.len()), (60, 30));
            assert!(asked.iter().all(|index| !voters.contains(index)), "{images:?}");
            for chosen in [&voters, &asked] {
                let mut counts = [0usize; 10];
                chosen.iter().for_each(|index| counts[data.set.label(*index).unwrap() as usize] += 1);
                assert!(counts.iter().all(|count| (10 * count).abs_diff(chosen.len()) <= 20), "{counts:?}");
            }
        }
    }
}
