//! How local the spaces of a model are, and the report on it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::analysis::locality::{self, LocalityConfig, LocalityReport, SpaceLocality};
use crate::dataset::{self, DataSpec, ImageOrder, SPREAD_SEED, Split};
use crate::engine::ask::PatchSpace;
use crate::engine::figures::locality::{LocalityFacts, locality_page, locality_panels};
use crate::engine::figures::output::Written;
use crate::engine::jobs::fresh;
use crate::engine::jobs::plot::{PlotFile, write_csv};
use crate::engine::jobs::{Job, open_embedder};
use crate::figure::PanelsData;
use crate::model::ModelSpec;
use crate::patch::PatchGrid;
use crate::search::Processor;
use crate::stats::Interval;
use crate::tiles::ImageTiles;

/// `bagssl locality`.
pub struct LocalityRequest {
    /// What is measured.
    pub model: ModelSpec,
    /// On which images.
    pub data: DataSpec,
    /// Which split of it; none: the test split where there is one.
    pub split: Option<Split>,
    /// Only so many images, spread over the data set and its classes; all where absent.
    pub limit: Option<usize>,
    /// Where the patches lie.
    pub grid: PatchGrid,
    /// Which spaces; none: every one from pixels to z.
    pub spaces: Vec<PatchSpace>,
    /// How.
    pub config: LocalityConfig,
    /// Where the report is drawn, if it is.
    pub plot: Option<PlotFile>,
    /// Where the numbers go, if they are wanted as a table.
    pub csv: Option<PathBuf>,
}

/// Its result.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LocalityResult {
    /// The model's name.
    pub model: String,
    /// Hex SHA-256 of the model file; empty in results of before.
    #[serde(default)]
    pub model_hash: String,
    /// The data set's name.
    pub data: String,
    /// Which split of it.
    pub split: Option<Split>,
    /// Side of the patches, pixels.
    pub patch: u32,
    /// Distance between patches, pixels.
    pub stride: u32,
    /// Images of the data set, of which some are taken.
    pub of: usize,
    /// In which order they are taken.
    pub images_order: String,
    /// The tiles in which images went through that are larger, where a space is one of places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiles: Option<ImageTiles>,
    /// The measures.
    #[serde(flatten)]
    pub report: LocalityReport,
    /// The files that were written.
    #[serde(flatten, skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub files: Option<Written>,
}

/// Measures, and draws the report.
///
/// # Errors
/// As [`locality::measure`]; a space that the model lacks; a file that cannot be written.
pub fn locality(request: &LocalityRequest, job: Job<'_>) -> anyhow::Result<LocalityResult> {
    let data = dataset::open_held_out(&request.data, request.split)?;
    let (device, embedder) = open_embedder(job.device, &request.model)?;
    // There are thousands of queries: what is brought to a GPU pays.
    let processor = Processor::of(&device);
    let plan = fresh::plan(&embedder, data.as_ref(), request.limit, request.grid, &request.spaces)?;
    // The plan has them where a space is one of places.
    let tiles = plan.spec.tiles;
    let report =
        locality::measure(&embedder, &data, (plan, &processor), &request.config, job.cancel, job.progress)?;
    let mut result = LocalityResult {
        model: embedder.name.clone(),
        model_hash: embedder.hash.clone(),
        data: data.name(),
        split: data.split(),
        patch: request.grid.patch,
        stride: request.grid.stride,
        of: data.len(),
        images_order: ImageOrder::Spread { seed: SPREAD_SEED, of: data.len() as u64 }.to_string(),
        tiles,
        report,
        files: None,
    };
    if let Some(plot) = &request.plot {
        let facts = LocalityFacts {
            model: &embedder.facts(),
            data: &result.data,
            split: result.split,
            of: result.of,
            grid: request.grid,
            tiles,
        };
        let page = locality_page(&facts, &result.report);
        result.files = Some(plot.write(page.data, page.spec, page.source)?);
    }
    if let Some(csv) = &request.csv {
        write_table(csv, &result.report)?;
    }
    Ok(result)
}

/// The report, one page of plots.
pub(super) fn report_page(result: &LocalityResult) -> PanelsData {
    let grid = PatchGrid { patch: result.patch, stride: result.stride };
    locality_panels((&result.model, &result.data, result.of), (grid, result.tiles), &result.report)
}

fn write_table(path: &Path, report: &LocalityReport) -> anyhow::Result<()> {
    let mut rows: Vec<Vec<String>> = vec![];
    let mut add = |space: &str, measure: &str, at: f64, value: Interval| {
        let numbers = [at, value.value, value.low, value.high].map(|number| number.to_string());
        rows.push([space.to_owned(), measure.to_owned()].into_iter().chain(numbers).collect());
    };
    for (space, found) in &report.purity {
        let value = Interval { value: found.mean, low: found.low, high: found.high };
        add(space, "part purity", f64::from(report.config.neighbours as u32), value);
    }
    for space in &report.spaces {
        let SpaceLocality { space, composition, displacement, positions } = space;
        let relations = [
            ("same image", &composition.same_image),
            ("same class", &composition.same_class),
            ("other class", &composition.other_class),
            ("other image", &composition.other_image),
        ];
        for (name, shares) in relations {
            for (rank, share) in shares.iter().enumerate() {
                add(space, name, rank as f64 + 1.0, *share);
            }
        }
        displacement.points.iter().for_each(|point| add(space, "displacement", point.pixels, point.cosine));
        displacement.floor.into_iter().for_each(|floor| add(space, "floor", 0.0, floor));
        displacement.near_minus_far.into_iter().for_each(|value| add(space, "near minus far", 0.0, value));
        let share = displacement.near_minus_far_share;
        share.into_iter().for_each(|value| add(space, "near minus far of 1 - floor", 0.0, value));
        if let Some(positions) = positions {
            add(space, "position entropy", 0.0, positions.neighbours);
            add(space, "shuffled entropy", 0.0, positions.shuffled);
        }
    }
    for curve in &report.invariance {
        for (space, values) in &curve.cosines {
            for (amount, value) in curve.amounts.iter().zip(values) {
                value.iter().for_each(|value| add(space, &curve.change.to_string(), *amount, *value));
            }
        }
    }
    write_csv(path, &["space", "measure", "at", "value", "low", "high"], &rows)
}
