//! The patches of a bank on a plane, as the window's Scatter shows them.

use std::path::PathBuf;

use serde::Serialize;

use crate::analysis::plane::{PatchPlane, PlaneConfig, PlaneWay};
use crate::bank::{Bank, ModelFacts, open_bank};
use crate::colormap::Colormap;
use crate::dataset::DataSpec;
use crate::engine::ask::{PointColor, QuerySpec};
use crate::engine::figures::output::Written;
use crate::engine::figures::scatter::ScatterFacts;
use crate::engine::jobs::Job;
use crate::engine::jobs::embed::data_of_bank;
use crate::engine::jobs::plot::PlotFile;
use crate::engine::look::plane_table::write_points;
use crate::engine::look::tints::tints;
use crate::patch::PatchGrid;

/// `bagssl scatter`.
pub struct ScatterRequest {
    /// The bank's folder.
    pub bank: PathBuf,
    /// Where its images lie, if they were moved.
    pub data: Option<DataSpec>,
    /// The space.
    pub space: String,
    /// What lays them out.
    pub way: PlaneWay,
    /// What the points are coloured by.
    pub color: PointColor,
    /// Colours of numbers.
    pub colormap: Colormap,
    /// Image, top and left edge of the query patch.
    pub query: Option<(usize, u32, u32)>,
    /// Patches at most; of more, so many are drawn by the job's seed. None: as many as suit.
    pub most: Option<usize>,
    /// Where the figure goes, if it is drawn.
    pub plot: Option<PlotFile>,
    /// Where the table goes, if it is wanted.
    pub csv: Option<PathBuf>,
}

/// What was laid out.
#[derive(Clone, Debug, Serialize)]
pub struct ScatterReport {
    /// What made the vectors.
    pub model: ModelFacts,
    /// The data set's name.
    pub data: String,
    /// Where the patches lie.
    pub grid: PatchGrid,
    /// The space.
    pub space: String,
    /// What laid them out.
    pub by: PlaneWay,
    /// What the points are coloured by.
    pub color: &'static str,
    /// Patches that are laid out.
    pub patches: usize,
    /// Patches with a vector.
    pub of: usize,
    /// Images of the bank.
    pub images: usize,
    /// Patches that the axes were found from.
    pub fitted: usize,
    /// Of the draws.
    pub seed: u64,
    /// Shares of the variance along both axes.
    pub explained: Vec<f32>,
    /// Where the query lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<[f32; 2]>,
    /// The files that were written.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub files: Option<Written>,
}

/// Lays the patches of a bank out, draws them and writes them.
///
/// # Errors
/// A space or a patch that is not there, a colour that is not known of it, cancelled, a file that cannot be written.
pub fn scatter(request: &ScatterRequest, job: Job<'_>) -> anyhow::Result<ScatterReport> {
    let bank = open_bank(&request.bank)?;
    let data = data_of_bank(&request.bank, &bank, request.data.as_ref())?;
    let config = PlaneConfig { seed: job.seed, ..PlaneConfig::by(request.way) };
    let config = PlaneConfig { most: request.most.unwrap_or(config.most), ..config };
    let plane = PatchPlane::of(&bank, &request.space, config, None, job.cancel, job.progress)?;
    let query = request.query.map(|place| query_of(&bank, &request.space, place)).transpose()?;
    let vector = query.as_ref().map(|(_, vector)| vector.as_slice());
    let tints = tints(request.color, (&plane, &bank), data.as_ref(), vector, job.cancel)?;
    let placed = query.and_then(|(query, vector)| {
        let at = plane.place_of(&vector, query.as_patch())?;
        Some((query, at))
    });
    let mut report = ScatterReport {
        model: bank.spec().model.clone(),
        data: bank.spec().data.name.clone(),
        grid: plane.grid,
        space: plane.space.clone(),
        by: plane.way,
        color: request.color.name(),
        patches: plane.rows.len(),
        of: plane.of,
        images: bank.usable_images(),
        fitted: plane.fitted,
        seed: job.seed,
        explained: plane.axes.explained.clone(),
        query: placed.as_ref().map(|(_, at)| *at),
        files: None,
    };
    if let Some(plot) = &request.plot {
        let facts = ScatterFacts {
            spec: bank.spec(),
            plane: &plane,
            images: report.images,
            color: request.color,
            tints: &tints,
            colormap: request.colormap,
            query: placed,
        };
        let page = facts.page();
        report.files = Some(plot.write(page.data, page.spec, page.source)?);
    }
    if let Some(csv) = &request.csv {
        let label = |point: usize| bank.label_of_row(plane.rows[point] as usize);
        let labels: (&dyn Fn(usize) -> Option<u32>, _) = (&label, &bank.spec().classes[..]);
        write_points(csv, &plane, data.as_ref(), labels, 0..plane.rows.len())?;
    }
    Ok(report)
}

/// A patch of the bank as a query, with its vector.
fn query_of(
    bank: &Bank,
    space: &str,
    (image, y, x): (usize, u32, u32),
) -> anyhow::Result<(QuerySpec, Vec<f32>)> {
    let row = bank.row_of(image, y, x)?;
    let mut vector = vec![0.0; bank.width(space)?];
    bank.row_f32(space, row, &mut vector)?;
    Ok((QuerySpec::one(bank.patch_ref(row)), vector))
}
