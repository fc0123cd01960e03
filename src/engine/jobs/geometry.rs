//! How the spaces of a bank lie, and how alike two of them are.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use crate::analysis::spaces::{Geometry, GeometryConfig, SpaceGeometry, measure_spaces};
use crate::bank::{Bank, ModelFacts, open_bank};
use crate::dataset::Skipped;
use crate::engine::figures::output::Written;
use crate::engine::figures::spaces::geometry_page;
use crate::engine::jobs::Job;
use crate::engine::jobs::compare::common_images;
use crate::engine::jobs::fresh::FreshPatches;
use crate::engine::jobs::plot::{PlotFile, write_csv};
use crate::patch::PatchGrid;

/// Whose spaces are measured.
pub enum GeometrySource {
    /// A bank, and perhaps a second one of the same patches.
    Banks(PathBuf, Option<PathBuf>),
    /// Patches that are embedded for this.
    Fresh(FreshPatches),
}

/// `bagssl geometry`.
pub struct GeometryRequest {
    /// Whose.
    pub source: GeometrySource,
    /// Which spaces; none: all.
    pub spaces: Vec<String>,
    /// Patches at most, drawn by the job's seed: for everything but norms.
    pub sample: usize,
    /// Neighbours of each, for hubs and overlap.
    pub k: usize,
    /// Where the plots go, if they are drawn.
    pub plot: Option<PlotFile>,
    /// Where the table goes, if it is wanted as one.
    pub csv: Option<PathBuf>,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct GeometryReport {
    /// The model, or both.
    pub models: Vec<ModelFacts>,
    /// The data set's name.
    pub data: String,
    /// Where the patches lie.
    pub grid: PatchGrid,
    /// Images that could not be used, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
    /// How the spaces lie.
    #[serde(flatten)]
    pub geometry: Geometry,
    /// The files that were written.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub files: Option<Written>,
}

/// Measures the spaces of one or two banks.
///
/// # Errors
/// Banks of other patches, a space that is not there, no room, cancelled, a file that cannot be written.
pub fn geometry(request: &GeometryRequest, mut job: Job<'_>) -> anyhow::Result<GeometryReport> {
    let banks = request.source.open(&request.spaces, &mut job)?;
    let first = banks.first().context("no bank")?;
    let names: Vec<String> = match request.spaces.is_empty() {
        true => first.spaces().map(str::to_owned).collect(),
        false => request.spaces.clone(),
    };
    let config = GeometryConfig { sample: request.sample, k: request.k, seed: job.seed };
    let geometry = measure_spaces(&banks, &names, config, job.cancel, job.progress)?;
    let spec = first.spec();
    let mut report = GeometryReport {
        models: banks.iter().map(|bank| bank.spec().model.clone()).collect(),
        data: spec.data.name.clone(),
        grid: spec.grid,
        skipped: first.skipped_files()?,
        geometry,
        files: None,
    };
    if let Some(plot) = &request.plot {
        let page = geometry_page(&banks, &report.geometry);
        report.files = Some(plot.write(page.data, page.spec, page.source)?);
    }
    if let Some(csv) = &request.csv {
        write_table(csv, &report)?;
    }
    Ok(report)
}

impl GeometrySource {
    fn open(&self, spaces: &[String], job: &mut Job<'_>) -> anyhow::Result<Vec<Bank>> {
        match self {
            Self::Banks(bank, None) => Ok(vec![open_bank(bank)?]),
            Self::Banks(one, Some(other)) => {
                let banks = [open_bank(one)?, open_bank(other)?];
                let images = common_images(banks.each_ref()).with_context(|| {
                    format!("{} and {} cannot be compared", one.display(), other.display())
                })?;
                Ok(banks.iter().map(|bank| bank.first_images(images)).collect())
            }
            Self::Fresh(fresh) => {
                let spaces = spaces.iter().map(|name| name.parse()).collect::<anyhow::Result<Vec<_>>>()?;
                Ok(vec![fresh.embed(&spaces, job)?])
            }
        }
    }
}

fn write_table(path: &Path, report: &GeometryReport) -> anyhow::Result<()> {
    let heading = [
        "space",
        "width",
        "rows",
        "of",
        "rank_me",
        "participation_ratio",
        "components_90",
        "two_nn",
        "deviation",
        "unit_deviation",
        "norm_mean",
        "norm_p5",
        "norm_p25",
        "norm_p50",
        "norm_p75",
        "norm_p95",
        "hub_skewness",
        "hub_largest",
        "never_a_neighbour",
    ];
    let some = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let row = |space: &SpaceGeometry| -> Vec<String> {
        let SpaceGeometry { spread, norms, hubs, .. } = space;
        let mut cells = vec![
            space.space.clone(),
            spread.width.to_string(),
            spread.count.to_string(),
            report.geometry.of.to_string(),
            spread.rank.to_string(),
            some(space.participation_ratio),
            space.components_90.to_string(),
            some(space.two_nn.map(|found| found.dimension)),
            spread.deviation.to_string(),
            spread.unit_deviation.to_string(),
            norms.mean.to_string(),
        ];
        cells.extend(norms.quantiles.map(|value| value.to_string()));
        cells.extend([hubs.skewness.to_string(), hubs.largest.to_string(), hubs.never.to_string()]);
        cells
    };
    write_csv(path, &heading, &report.geometry.spaces.iter().map(row).collect::<Vec<_>>())
}
