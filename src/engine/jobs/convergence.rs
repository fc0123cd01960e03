//! Figure 3a: the mean of some patches' vectors against the vector of the whole image; and which patches carry it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::ensure;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::analysis::carried::{SpaceCarried, leave_one_out};
use crate::analysis::convergence::{
    ConvergencePlan, ConvergencePoint, ImageCosines, OverDraws, PatchCount, SpaceConvergence,
};
use crate::augment;
use crate::dataset::{self, DataSpec, Dataset, ImageOrder, SPREAD_SEED, Skipped, Split, spread};
use crate::embed::Embedder;
use crate::engine::ask::defaults;
use crate::engine::figures::averages::{CARRIED_NOTE, CONVERGENCE_NOTE, carried_panels, convergence_panels};
use crate::engine::figures::compose::title_in;
use crate::engine::figures::output::Written;
use crate::engine::figures::plotted::page;
use crate::engine::jobs::plot::{PlotFile, write_csv};
use crate::engine::jobs::{Job, open_embedder};
use crate::figure::{MAX_PANELS, PanelsData, PanelsSpec};
use crate::files;
use crate::image::Image;
use crate::model::{ModelSpec, Space};
use crate::patch::PatchGrid;
use crate::progress::Progress;
use crate::words::thousands;

/// Images, and the patches on them.
pub struct ConvergenceSource {
    /// What is measured.
    pub model: ModelSpec,
    /// On which images.
    pub data: DataSpec,
    /// Which split of them.
    pub split: Option<Split>,
    /// Patches are cut from the centre of so many pixels a side, scaled as a model's input is; from the whole image
    /// where absent.
    pub fit: Option<u32>,
    /// Side of a patch, pixels; none: what suits the images and the model.
    pub patch: Option<u32>,
    /// Distance between patches, pixels; none: at most 25 x 25 patches.
    pub stride: Option<u32>,
    /// Whether what is not told of the patches is as in the paper's figure, where the images and the model are of that size.
    pub as_in_paper: bool,
    /// Which spaces; none: every stage, h, and the projector's layers.
    pub spaces: Vec<Space>,
}

/// `bagssl figure fig3a` and `bagssl converge`.
pub struct ConvergenceRequest {
    /// Of what.
    pub source: ConvergenceSource,
    /// Images at most, spread over the data set and its classes.
    pub limit: usize,
    /// Means over how many patches.
    pub counts: Vec<PatchCount>,
    /// Where the figure goes, if it is wanted.
    pub plot: Option<PlotFile>,
    /// Where the numbers go, if they are wanted as a table.
    pub csv: Option<PathBuf>,
}

impl ConvergenceRequest {
    /// Images unless told.
    pub const USUAL_LIMIT: usize = 512;
}

/// Figure 3a in numbers. What documents of earlier versions may lack has a default.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ConvergenceReport {
    /// The model's name.
    pub model: String,
    /// Hex SHA-256 of the model file.
    pub model_hash: String,
    /// The data set's name.
    pub data: String,
    /// Which split of it.
    #[serde(default)]
    pub split: Option<Split>,
    /// Images that were measured.
    pub images: usize,
    /// Images of the data set, of which some are taken.
    pub of: usize,
    /// In which order they are taken.
    #[serde(default)]
    pub images_order: String,
    /// Images that could not be used, and why.
    #[serde(default)]
    pub skipped: Vec<Skipped>,
    /// Side of the patches, pixels.
    pub patch: u32,
    /// Distance between patches, pixels.
    pub stride: u32,
    /// Patches are cut from the centre of so many pixels a side.
    #[serde(default)]
    pub fit: Option<u32>,
    /// Of the order of an image's patches, and of the intervals.
    #[serde(default)]
    pub seed: u64,
    /// One for each space, in the order in which a patch passes them.
    pub spaces: Vec<SpaceConvergence>,
    /// The files that were written.
    #[serde(flatten, skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub files: Option<Written>,
}

/// What is open: the images, the model, the patches.
pub(super) struct Opened {
    data: Arc<dyn Dataset>,
    embedder: Embedder,
    grid: PatchGrid,
    spaces: Vec<Space>,
    fit: Option<u32>,
}

impl ConvergenceSource {
    pub(super) fn open(&self, job: &Job<'_>) -> anyhow::Result<Opened> {
        let data = dataset::open(&self.data, self.split)?;
        let (_, embedder) = open_embedder(job.device, &self.model)?;
        for space in &self.spaces {
            embedder.info.ensure_space(*space, &embedder.name)?;
        }
        let of_crops = || embedder.info.crop_spaces().into_iter().rev().collect();
        let spaces = if self.spaces.is_empty() { of_crops() } else { self.spaces.clone() };
        let paper = defaults::averaged_patches(embedder.info.input, data.size()).filter(|_| self.as_in_paper);
        let (of_fit, of_grid) = paper.unzip();
        let fit = self.fit.or(of_fit);
        let side = fit.unwrap_or(data.short_side());
        let patch = self.patch.or(of_grid.map(|grid| grid.patch));
        let patch = patch.unwrap_or_else(|| defaults::patch_for(side, &embedder.info.trained_crops()));
        let stride = self.stride.or(of_grid.map(|grid| grid.stride));
        let grid = PatchGrid::new(patch, stride.unwrap_or(defaults::map_stride(side, patch)))?;
        Ok(Opened { data, embedder, grid, spaces, fit })
    }
}

impl Opened {
    /// What decides the numbers, beside the request: the model's hash, the fingerprint of the images, and what the source left
    /// open.
    ///
    /// # Errors
    /// The images cannot be read.
    pub(super) fn deciding(&self) -> anyhow::Result<Value> {
        let fingerprint = self.data.fingerprint()?;
        let spaces: Vec<String> = self.spaces.iter().map(Space::to_string).collect();
        Ok(json!({
            "model": self.embedder.hash, "split": self.data.split(), "images": self.data.len(),
            "fingerprint": fingerprint, "fit": self.fit, "patch": self.grid.patch, "stride": self.grid.stride,
            "spaces": spaces,
        }))
    }

    /// What patches are cut from. Without a size it is the image itself, not a copy, so that its maps are found again.
    fn fitted(&self, image: &Arc<Image>) -> Arc<Image> {
        let resize = self.embedder.info.resize;
        self.fit.map_or_else(|| image.clone(), |side| Arc::new(augment::fit(image, side, resize)))
    }
}

/// Measures and draws Figure 3a.
///
/// # Errors
/// No image can be used, those of the model, cancelled, or a file cannot be written.
pub fn convergence(request: &ConvergenceRequest, job: Job<'_>) -> anyhow::Result<ConvergenceReport> {
    convergence_of(request.source.open(&job)?, request, job)
}

/// [`convergence`] of what is open already.
pub(super) fn convergence_of(
    opened: Opened,
    request: &ConvergenceRequest,
    mut job: Job<'_>,
) -> anyhow::Result<ConvergenceReport> {
    let (cosines, skipped) = measure(&opened, request, &mut job)?;
    let (Opened { data, embedder, grid, spaces, fit }, seed) = (opened, job.seed);
    let spaces = spaces.iter().enumerate();
    let spaces: anyhow::Result<Vec<SpaceConvergence>> =
        spaces.map(|(at, space)| space_curve(at, *space, &request.counts, &cosines, seed)).collect();
    let spaces = spaces?;
    let images = cosines.len();
    let of = data.len();
    let source = json!({
        "model": embedder.facts(), "data": data.name(), "split": data.split(), "images": images, "of": of,
        "patch": grid.patch, "stride": grid.stride, "fit": fit, "seed": seed,
    });
    let mut report = ConvergenceReport {
        model: embedder.name,
        model_hash: embedder.hash,
        data: data.name(),
        split: data.split(),
        images,
        of,
        images_order: ImageOrder::Spread { seed: SPREAD_SEED, of: of as u64 }.to_string(),
        skipped,
        patch: grid.patch,
        stride: grid.stride,
        fit,
        seed,
        spaces,
        files: None,
    };
    if let Some(plot) = &request.plot {
        report.files = Some(plot.write(convergence_page(&report), convergence_spec(), source)?);
    }
    if let Some(csv) = &request.csv {
        write_table(csv, &report.spaces)?;
    }
    Ok(report)
}

/// The cosines of each image, and the images that could not be used.
fn measure(
    opened: &Opened,
    request: &ConvergenceRequest,
    job: &mut Job<'_>,
) -> anyhow::Result<(Vec<ImageCosines>, Vec<Skipped>)> {
    let (data, clock) = (opened.data.as_ref(), Instant::now());
    let plan = ConvergencePlan {
        embedder: &opened.embedder,
        grid: opened.grid,
        spaces: opened.spaces.clone(),
        counts: request.counts.clone(),
        seed: job.seed,
    };
    let indices = spread(data, request.limit, SPREAD_SEED);
    let (mut cosines, mut skipped) = (vec![], vec![]);
    for (done, &index) in indices.iter().enumerate() {
        job.cancel.check()?;
        let image = data.image(index).map(Arc::new).and_then(|image| {
            let fitted = opened.fitted(&image);
            let shape = opened.grid.shape(fitted.height(), fitted.width());
            ensure!(shape.0 * shape.1 > 0, "no patch of {} pixels fits on it", opened.grid.patch);
            Ok((image, fitted))
        });
        match image {
            Ok((image, fitted)) => cosines.push(plan.of_image(index, &fitted, &image, job.cancel)?),
            Err(error) if files::is_read_error(&error) => return Err(error),
            Err(error) => {
                skipped.push(Skipped { file: data.image_name(index), reason: format!("{error:#}") });
            }
        }
        (job.progress)(Progress {
            what: "averaging",
            done: done as u64 + 1,
            total: indices.len() as u64,
            resumed: 0,
            unit: "images",
            elapsed: clock.elapsed(),
        });
    }
    let first = skipped.first().map_or(String::new(), |s| format!(", first {}: {}", s.file, s.reason));
    ensure!(!cosines.is_empty(), "none of {} images can be used{first}", indices.len());
    Ok((cosines, skipped))
}

fn space_curve(
    at: usize,
    space: Space,
    counts: &[PatchCount],
    images: &[ImageCosines],
    seed: u64,
) -> anyhow::Result<SpaceConvergence> {
    let point = |(index, count): (usize, &PatchCount)| {
        let of = |values: &dyn Fn(&ImageCosines) -> f64| {
            OverDraws::of(&images.iter().map(values).collect::<Vec<f64>>(), seed)
        };
        let patches = images.iter().map(|image| count.of(image.patches));
        let fewest = patches.clone().min().unwrap_or_default();
        Ok(ConvergencePoint {
            count: *count,
            patches: (fewest, patches.max().unwrap_or_default()),
            whole: Some(of(&|image| image.whole[at][index])?),
            mean: of(&|image| image.mean[at][index])?,
        })
    };
    let points = counts.iter().enumerate().map(point).collect::<anyhow::Result<_>>()?;
    Ok(SpaceConvergence { space: space.to_string(), points })
}

/// How Figure 3a looks.
pub(super) fn convergence_spec() -> PanelsSpec {
    PanelsSpec { height_in: 2.2, ..PanelsSpec::default() }
}

/// Figure 3a of a model on a data set.
pub(super) fn convergence_page(found: &ConvergenceReport) -> PanelsData {
    let (images, of) = (thousands(found.images), thousands(found.of));
    let notes = vec![
        format!("model {}, {}: {images} of {of} images", found.model, found.data),
        format!("patches of {0} x {0} px every {1} px", found.patch, found.stride),
        CONVERGENCE_NOTE.into(),
    ];
    page(String::new(), convergence_panels(&found.spaces), notes)
}

fn write_table(path: &Path, spaces: &[SpaceConvergence]) -> anyhow::Result<()> {
    let heading =
        ["space", "with", "count", "fewest", "most", "mean", "low", "high", "deviation", "p10", "p90"];
    let mut rows = vec![];
    for space in spaces {
        for point in &space.points {
            let whole = point.whole.map(|whole| ("whole", whole));
            for (with, o) in whole.into_iter().chain([("mean", point.mean)]) {
                let (fewest, most) = point.patches;
                let names = [space.space.clone(), with.into(), point.count.to_string()];
                let counts = [fewest.to_string(), most.to_string()];
                let values = [o.mean, o.low, o.high, o.deviation, o.p10, o.p90].map(|v| v.to_string());
                rows.push(names.into_iter().chain(counts).chain(values).collect());
            }
        }
    }
    write_csv(path, &heading, &rows)
}

/// `bagssl figure fig3a --leave-one-out`.
pub struct CarriedRequest {
    /// Of what.
    pub source: ConvergenceSource,
    /// Index of the image.
    pub index: usize,
    /// Where the map goes.
    pub plot: PlotFile,
    /// Where the numbers go, if they are wanted as a table.
    pub csv: Option<PathBuf>,
}

/// Which patches carry R, the mean over an image's patches.
#[derive(Clone, Debug, Serialize)]
pub struct CarriedReport {
    /// The model's name.
    pub model: String,
    /// The data set's name.
    pub data: String,
    /// Index of the image.
    pub image: usize,
    /// Side of the patches, pixels.
    pub patch: u32,
    /// Distance between patches, pixels.
    pub stride: u32,
    /// Rows of patches.
    pub rows: usize,
    /// Columns of patches.
    pub cols: usize,
    /// By name of the space.
    pub spaces: BTreeMap<String, SpaceCarried>,
    /// The files that were written.
    #[serde(flatten)]
    pub files: Written,
}

/// Leaves each patch out in turn, and draws which ones matter.
///
/// # Errors
/// As [`convergence`]; no such image.
pub fn carried(request: &CarriedRequest, job: Job<'_>) -> anyhow::Result<CarriedReport> {
    let opened = request.source.open(&job)?;
    let (index, count) = (request.index, opened.data.len());
    ensure!(
        index < count,
        "--leave-one-out {index}: {} has {count} images (0 to {})",
        opened.data.name(),
        count - 1
    );
    // The image is a panel too.
    let (spaces, most) = (opened.spaces.len(), MAX_PANELS - 1);
    ensure!(
        spaces <= most,
        "--leave-one-out: {spaces} spaces; expected at most {most}, as many as one page holds: name some with --space"
    );
    let image = opened.fitted(&Arc::new(opened.data.image(index)?));
    let found = leave_one_out(&opened.embedder, &image, opened.grid, &opened.spaces, job.cancel)?;
    let Opened { data, embedder, grid, spaces, fit } = opened;
    let (rows, cols) = found.shape;
    let names: Vec<String> = spaces.iter().map(Space::to_string).collect();
    let each: Vec<SpaceCarried> =
        found.turns.iter().map(|turns| SpaceCarried::of(turns, grid, cols)).collect();
    let title = title_in(data.as_ref(), index);
    let panels = carried_panels(&title, &image, &names, &each, found.shape);
    let notes = vec![
        CARRIED_NOTE.into(),
        format!("model {}, {}: {title}", embedder.name, data.name()),
        format!("{} patches of {1} x {1} px every {2} px", thousands(rows * cols), grid.patch, grid.stride),
    ];
    let source = json!({
        "model": embedder.facts(), "data": data.name(), "split": data.split(), "image": index,
        "patch": grid.patch, "stride": grid.stride, "fit": fit,
    });
    let spec = PanelsSpec { across: 3, ..PanelsSpec::default() };
    let files = request.plot.write(page(String::new(), panels, notes), spec, source)?;
    if let Some(csv) = &request.csv {
        let cells = names.iter().zip(&each).flat_map(|(name, space)| {
            space.relative.iter().enumerate().map(move |(cell, relative)| {
                let (y, x) = grid.corner(cell, cols);
                let turn = relative * space.mean_turn;
                vec![name.clone(), y.to_string(), x.to_string(), turn.to_string(), relative.to_string()]
            })
        });
        let heading = ["space", "y", "x", "turn", "relative"];
        write_csv(csv, &heading, &cells.collect::<Vec<_>>())?;
    }
    Ok(CarriedReport {
        model: embedder.name,
        data: data.name(),
        image: index,
        patch: grid.patch,
        stride: grid.stride,
        rows,
        cols,
        spaces: names.into_iter().zip(each).collect(),
        files,
    })
}
