//! The toy world of section 3: the spectral contrastive loss finds the co-occurrence of patches.

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;

use crate::device;
use crate::engine::ask::{WorldLimits, WorldPlan, WorldReport};
use crate::engine::figures::cooccurrence::cooccurrence_page;
use crate::engine::figures::output::Written;
use crate::engine::jobs::Job;
use crate::engine::jobs::plot::{PlotFile, write_csv};
use crate::engine::runs::world_fit::WorldFit;
use crate::progress::Progress;

/// `bagssl cooccurrence`.
pub struct CooccurrenceRequest {
    /// The world, and how z is found in it.
    pub plan: WorldPlan,
    /// Where the two matrices are drawn, if they are.
    pub plot: Option<PlotFile>,
    /// Where all pairs go, if they are wanted as a table.
    pub csv: Option<PathBuf>,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct CooccurrenceReport {
    /// The numbers.
    #[serde(flatten)]
    pub world: WorldReport,
    /// The files that were written.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub files: Option<Written>,
}

/// Finds z by the program's optimiser and holds it against the closed form.
///
/// # Errors
/// Numbers out of range, cancelled, z is not finite, or a file cannot be written.
pub fn cooccurrence(request: &CooccurrenceRequest, mut job: Job<'_>) -> anyhow::Result<CooccurrenceReport> {
    WorldLimits::COMMAND.check(&request.plan)?;
    let open = device::open(job.device)?;
    let mut fit = WorldFit::begin(request.plan, &open.device);
    find(&mut fit, &mut job)?;
    let (world, found) = fit.report(&open.name);
    let draw = |plot: &PlotFile| {
        let page = cooccurrence_page(&world, &fit.ratios, &found);
        plot.write(page.data, page.spec, page.source)
    };
    let files = request.plot.as_ref().map(draw).transpose()?;
    if let Some(csv) = &request.csv {
        let patches = fit.plan.patches;
        let row = |pair: usize| {
            let kinds = [pair / patches, pair % patches].map(|kind| kind.to_string());
            let values =
                [fit.world.joint[pair], fit.ratios[pair], found[pair]].map(|value| value.to_string());
            kinds.into_iter().chain(values).collect()
        };
        let rows: Vec<Vec<String>> = (0..patches * patches).map(row).collect();
        write_csv(csv, &["first", "second", "p12", "ratio", "w_z1_z2"], &rows)?;
    }
    Ok(CooccurrenceReport { world, files })
}

/// All steps.
fn find(fit: &mut WorldFit, job: &mut Job<'_>) -> anyhow::Result<()> {
    let clock = Instant::now();
    while !fit.is_finished() {
        job.cancel.check()?;
        if fit.step()? {
            (job.progress)(Progress {
                what: "optimising",
                done: fit.done(),
                total: fit.plan.steps,
                resumed: 0,
                unit: "steps",
                elapsed: clock.elapsed(),
            });
        }
    }
    Ok(())
}
