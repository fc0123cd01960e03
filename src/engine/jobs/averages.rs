//! Figure 3a of several models, in a folder that keeps what is done.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::analysis::convergence::PatchCount;
use crate::dataset::{self, DataSpec};
use crate::engine::ask::PlannedModel;
use crate::engine::figures::averages::{CONVERGENCE_NOTE, convergence_panels};
use crate::engine::figures::plotted::page;
use crate::engine::jobs::Job;
use crate::engine::jobs::convergence::{
    ConvergenceReport, ConvergenceRequest, ConvergenceSource, convergence_of, convergence_spec,
};
use crate::engine::jobs::figures::FileLook;
use crate::engine::jobs::plot::PlotFile;
use crate::engine::tables::table::escaped;
use crate::figure::{MAX_PANELS, Panel, PanelsData, PanelsSpec};
use crate::files::{self, FolderLock};
use crate::words::thousands;

/// What a folder of these figures is told by.
pub const AVERAGES_FILE: &str = "averages.json";
/// The figure in it.
const FIGURE_FILE: &str = "fig3a.pdf";
/// Largest file of numbers that is read.
const MAX_BYTES: u64 = 256 << 20;

/// `bagssl eval --figure 3a`.
pub struct AveragesRequest {
    /// The models, each by another name.
    pub models: Vec<PlannedModel>,
    /// On which images: the test split where there is one.
    pub data: DataSpec,
    /// Images at most, spread over the data set and its classes.
    pub limit: usize,
    /// Means over how many patches.
    pub counts: Vec<PatchCount>,
    /// The folder.
    pub out: PathBuf,
}

/// What the folder holds.
#[derive(Deserialize, Serialize)]
struct StoredAverages {
    models: Vec<ModelAverages>,
}

/// One model.
#[derive(Clone, Deserialize, Serialize)]
pub struct ModelAverages {
    /// What it is called here.
    pub name: String,
    /// What decides its numbers: they are taken from before where it is the same.
    pub asked: Value,
    /// The numbers.
    #[serde(flatten)]
    pub found: ConvergenceReport,
}

/// What was measured and drawn.
#[derive(Serialize)]
pub struct AveragesReport {
    /// In the order that was asked for.
    pub models: Vec<ModelAverages>,
    /// Models whose numbers were there before.
    pub kept: usize,
    /// The figure's file.
    #[serde(serialize_with = "crate::paths::serialize")]
    pub figure: PathBuf,
    /// Cosines with the whole image: a row for each model and space, a column for each number of patches.
    pub markdown: String,
}

/// What is kept in a folder of these figures.
///
/// # Errors
/// It cannot be read, or is none; names the file.
pub fn stored(folder: &Path) -> anyhow::Result<Vec<ConvergenceReport>> {
    Ok(read(&folder.join(AVERAGES_FILE))?.into_iter().map(|model| model.found).collect())
}

fn read(path: &Path) -> anyhow::Result<Vec<ModelAverages>> {
    let text = files::read_to_string(path, MAX_BYTES)?;
    let stored: StoredAverages = serde_json::from_str(&text)
        .with_context(|| format!("{}: not what bagssl eval --figure 3a keeps", path.display()))?;
    Ok(stored.models)
}

/// Measures each model that is not there yet, and draws all.
///
/// # Errors
/// A model, a data set or a folder that cannot be used; a folder of other models; cancelled: what is done is kept.
pub fn averages(request: &AveragesRequest, job: Job<'_>) -> anyhow::Result<AveragesReport> {
    PlannedModel::ensure_told_apart(&request.models)?;
    // Known before hours go into them: each has two panels.
    let most = MAX_PANELS / 2;
    ensure!(
        request.models.len() <= most,
        "{} models; expected at most {most}, as many as one page holds",
        request.models.len()
    );
    fs::create_dir_all(&request.out).with_context(|| format!("{}: cannot be made", request.out.display()))?;
    let _lock = FolderLock::take(&request.out)?;
    let file = request.out.join(AVERAGES_FILE);
    let known = if file.is_file() { read(&file)? } else { vec![] };
    ensure_goes_on(request, &known)?;
    let split = dataset::open_held_out(&request.data, None)?.split();
    let (mut models, mut kept) = (Vec::<ModelAverages>::new(), 0);
    for model in &request.models {
        let source = ConvergenceSource {
            model: model.spec(),
            data: request.data.clone(),
            split,
            fit: None,
            patch: None,
            stride: None,
            as_in_paper: true,
            spaces: vec![],
        };
        let (limit, counts) = (request.limit, request.counts.clone());
        let one = ConvergenceRequest { source, limit, counts, plot: None, csv: None };
        let Job { device, seed, cancel, .. } = job;
        let own = Job { device, seed, cancel, progress: &mut *job.progress };
        let (found, was_there) =
            of_model(model, &one, &known, own).with_context(|| format!("model \"{}\"", model.name))?;
        kept += usize::from(was_there);
        models.push(found);
        if !was_there {
            keep(&file, &models, &known)?;
        }
    }
    keep(&file, &models, &known)?;
    let figure = draw(request, &models)?;
    Ok(AveragesReport { markdown: markdown(&models), models, kept, figure })
}

/// Passes a folder that has nothing yet, or at least one of these models: nothing is put beside the numbers of others only.
fn ensure_goes_on(request: &AveragesRequest, known: &[ModelAverages]) -> anyhow::Result<()> {
    let stays = |model: &ModelAverages| request.models.iter().any(|asked| asked.name == model.name);
    ensure!(
        known.is_empty() || known.iter().any(stays),
        "{}: holds Figure 3a of other models (first {}), none of which is asked for; expected a new folder, or that of these",
        request.out.display(),
        known[0].name
    );
    Ok(())
}

/// The numbers of a model, and whether they were there.
fn of_model(
    model: &PlannedModel,
    request: &ConvergenceRequest,
    known: &[ModelAverages],
    job: Job<'_>,
) -> anyhow::Result<(ModelAverages, bool)> {
    let opened = request.source.open(&job)?;
    let of = opened.deciding()?;
    let asked = json!({
        "data": request.source.data, "of": of, "options": model.options, "limit": request.limit,
        "counts": request.counts, "seed": job.seed,
    });
    if let Some(it) = known.iter().find(|known| known.name == model.name && known.asked == asked) {
        return Ok((it.clone(), true));
    }
    let found = convergence_of(opened, request, job)?;
    Ok((ModelAverages { name: model.name.clone(), asked, found }, false))
}

/// Writes what is done, and of what was there all other models: those that are still to come, and those that are not asked
/// for this time.
fn keep(file: &Path, done: &[ModelAverages], known: &[ModelAverages]) -> anyhow::Result<()> {
    let rest = known.iter().filter(|known| done.iter().all(|done| done.name != known.name)).cloned();
    let stored = StoredAverages { models: done.iter().cloned().chain(rest).collect() };
    files::write_bytes_atomic(file, serde_json::to_string_pretty(&stored)?.as_bytes())
}

fn draw(request: &AveragesRequest, models: &[ModelAverages]) -> anyhow::Result<PathBuf> {
    let (out, look) = (request.out.join(FIGURE_FILE), FileLook::default());
    let plot = PlotFile { out, caption: None, width_in: PanelsSpec::default().width_in, look };
    let asked: Vec<&Value> = models.iter().map(|model| &model.asked).collect();
    Ok(plot.write(averages_page(models), convergence_spec(), json!({ "asked": asked }))?.out)
}

/// The two panels of each model, one model a row.
fn averages_page(models: &[ModelAverages]) -> PanelsData {
    let panels = models.iter().flat_map(|model| {
        convergence_panels(&model.found.spaces).into_iter().map(|panel| match panel {
            Panel::Curves(mut curves) => {
                curves.curves.title = format!("{}: {}", model.name, curves.curves.title);
                Panel::Curves(curves)
            }
            other => other,
        })
    });
    let about = |ModelAverages { name, found, .. }: &ModelAverages| {
        let (images, of) = (thousands(found.images), thousands(found.of));
        let fit = found.fit.map_or_else(String::new, |side| format!(" on the centre of {side} x {side} px"));
        format!(
            "{name}: {images} of {of} images of {}, patches of {1} x {1} px every {2} px{fit}",
            found.data, found.patch, found.stride
        )
    };
    let notes = models.iter().map(about).chain([CONVERGENCE_NOTE.to_owned()]).collect();
    page(String::new(), panels.collect(), notes)
}

fn markdown(models: &[ModelAverages]) -> String {
    let mut text =
        "Cosine of the mean of N patches with the whole image's vector, mean over images; in brackets its \
                    interval of 95 %.\n"
            .to_owned();
    let counts = models.first().and_then(|model| model.found.spaces.first());
    let counts: Vec<String> = counts
        .map_or_else(Vec::new, |space| space.points.iter().map(|point| point.count.to_string()).collect());
    let _ = writeln!(
        text,
        "\n| | images | space | {} |\n|---|---|---|{}",
        counts.join(" | "),
        "---|".repeat(counts.len())
    );
    for ModelAverages { name, found, .. } in models {
        for space in &found.spaces {
            let cells = space.points.iter().map(|point| {
                point.whole.map_or_else(
                    || "-".to_owned(),
                    |whole| format!("{:.3} [{:.3}, {:.3}]", whole.mean, whole.low, whole.high),
                )
            });
            let (images, cells) = (thousands(found.images), cells.collect::<Vec<_>>().join(" | "));
            let _ = writeln!(text, "| {} | {images} | {} | {cells} |", escaped(name), space.space);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::DeviceChoice;
    use crate::progress::CancelToken;

    #[test]
    fn more_models_than_a_page_holds_are_refused_before_any_is_measured() {
        let folder = tempfile::tempdir().unwrap();
        let model = |number: usize| PlannedModel {
            name: format!("model {number}"),
            path: "demo".into(),
            options: Default::default(),
        };
        let request = AveragesRequest {
            models: (0..33).map(model).collect(),
            data: DataSpec::default(),
            limit: 1,
            counts: vec![],
            out: folder.path().join("out"),
        };
        let cancel = CancelToken::default();
        let job = Job { device: DeviceChoice::Cpu, seed: 0, cancel: &cancel, progress: &mut |_| () };
        let error = averages(&request, job).err().unwrap().to_string();
        assert!(error.contains("33 models; expected at most 32") && !request.out.exists(), "{error}");
    }
}
