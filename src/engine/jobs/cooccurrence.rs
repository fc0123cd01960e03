//! The toy world of section 3: the spectral contrastive loss finds the co-occurrence of patches.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::ensure;
use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};
use serde::Serialize;
use serde_json::json;

use crate::analysis::cooccurrence::{Duality, Losses, World, correlation, products};
use crate::colormap::Colormap;
use crate::device;
use crate::engine::figures::output::Written;
use crate::engine::figures::plotted::{curves, named, page};
use crate::engine::jobs::Job;
use crate::engine::jobs::plot::{PlotFile, write_csv};
use crate::figure::{CurveAxis, MatrixPanel, Panel, PanelsSpec};
use crate::progress::Progress;
use crate::train::optimizer::{LrScale, Optimizer, OptimizerConfig, Rule, norm_of};
use crate::train::schedule::{ScheduleConfig, ScheduleSpan};

/// `bagssl cooccurrence`.
pub struct CooccurrenceRequest {
    /// Images that the world is a mixture of.
    pub images: usize,
    /// Kinds of patches.
    pub patches: usize,
    /// Width of z.
    pub dim: usize,
    /// What z1.z2 is multiplied by to become p12 / (p1 p2); lambda is half of it.
    pub w: f64,
    /// Share of an even distribution in each image, 0 to 1.
    pub noise: f64,
    /// Steps of the optimiser.
    pub steps: u64,
    /// Where the two matrices are drawn, if they are.
    pub plot: Option<PlotFile>,
    /// Where all pairs go, if they are wanted as a table.
    pub csv: Option<PathBuf>,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct CooccurrenceReport {
    /// Images that the world is a mixture of.
    pub images: usize,
    /// Kinds of patches.
    pub patches: usize,
    /// Width of z.
    pub dim: usize,
    /// Of w z1.z2.
    pub w: f64,
    /// lambda = w / 2.
    pub lambda: f64,
    /// Share of an even distribution in each image.
    pub noise: f64,
    /// Of the world and of the first z.
    pub seed: u64,
    /// Steps of the optimiser.
    pub steps: u64,
    /// The device's name.
    pub device: String,
    /// Rank of p12: eigenvalues above 1e-12.
    pub rank: usize,
    /// Eigenvalues of p12 / sqrt(p1 p2), largest first.
    pub eigenvalues: Vec<f64>,
    /// At the end, in float64.
    #[serde(flatten)]
    pub losses: Losses,
    /// L_C - (2 w L_S + constant): rounding.
    pub difference: f64,
    /// The least L_C at this width, in closed form: the sum of the squares of the eigenvalues beyond d.
    pub least: f64,
    /// Pearson's correlation of w z1.z2 with p12 / (p1 p2) over all pairs of kinds.
    pub correlation: f64,
    /// Largest |w z1.z2 - p12 / (p1 p2)|.
    pub largest_error: f64,
    /// Largest p12 / (p1 p2).
    pub largest_ratio: f64,
    /// App. B on the z that was found.
    pub duality: Duality,
    /// Losses by step: step, L_S, L_C.
    pub curve: Vec<(u64, f64, f64)>,
    /// The files that were written.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub files: Option<Written>,
}

/// Most kinds: their pairs are all looked at.
const MOST_KINDS: usize = 2048;
/// Learning rate; the optimum's curvature does not depend on w, and is at most 8.
const LEARNING_RATE: f64 = 0.1;

/// sqrt(p(x)) z(x) for each kind: in these coordinates every kind counts alike.
#[derive(Module, Debug)]
struct KindTable {
    rows: Param<Tensor<2>>,
}

/// Finds z by the program's optimiser and holds it against the closed form.
///
/// # Errors
/// Numbers out of range, cancelled, or a file cannot be written.
pub fn cooccurrence(request: &CooccurrenceRequest, mut job: Job<'_>) -> anyhow::Result<CooccurrenceReport> {
    let CooccurrenceRequest { images, patches, dim, w, noise, steps, .. } = *request;
    ensure!((2..=MOST_KINDS).contains(&patches), "--patches {patches}; expected 2 to {MOST_KINDS} kinds");
    ensure!((1..=4096).contains(&images), "--images {images}; expected 1 to 4,096");
    ensure!((1..=1024).contains(&dim), "--dim {dim}; expected 1 to 1,024");
    ensure!(w > 0.0 && w.is_finite(), "--w {w}; expected a number above 0");
    ensure!((0.0..=1.0).contains(&noise), "--noise {noise}; expected a share from 0 to 1");
    let world = World::draw(images, patches, noise, job.seed);
    let open = device::open(job.device)?;
    let (z, curve) = optimise(&world, request, &open.device, &mut job)?;
    let losses = world.losses(&z, w);
    let (ratios, found) = (world.ratios(), scaled(&products(&z, patches), w));
    let errors = ratios.iter().zip(&found).map(|(a, b)| (a - b).abs());
    let eigenvalues = world.eigenvalues();
    let mut report = CooccurrenceReport {
        images,
        patches,
        dim,
        w,
        lambda: w / 2.0,
        noise,
        seed: job.seed,
        steps,
        device: open.name,
        rank: eigenvalues.iter().filter(|value| **value > 1e-12).count(),
        losses,
        difference: losses.difference(w),
        least: world.least(dim),
        correlation: correlation(&ratios, &found),
        largest_error: errors.fold(0.0, f64::max),
        largest_ratio: ratios.iter().copied().fold(0.0, f64::max),
        duality: Duality::of(&z, patches),
        eigenvalues,
        curve,
        files: None,
    };
    if let Some(plot) = &request.plot {
        report.files = Some(draw(plot, &report, &ratios, &found)?);
    }
    if let Some(csv) = &request.csv {
        let row = |pair: usize| {
            let kinds = [pair / patches, pair % patches].map(|kind| kind.to_string());
            let values = [world.joint[pair], ratios[pair], found[pair]].map(|value| value.to_string());
            kinds.into_iter().chain(values).collect()
        };
        let rows: Vec<Vec<String>> = (0..patches * patches).map(row).collect();
        write_csv(csv, &["first", "second", "p12", "ratio", "w_z1_z2"], &rows)?;
    }
    Ok(report)
}

fn scaled(values: &[f64], w: f64) -> Vec<f64> {
    values.iter().map(|value| w * value).collect()
}

/// Steps whose losses are kept: about as many to each decade.
fn is_kept(step: u64, last: u64) -> bool {
    step == last || step < 10 || step.is_multiple_of(10u64.pow(step.ilog10()) / 5)
}

/// z, `[kinds, dim]`, and the losses on the way.
type Optimum = (Vec<f64>, Vec<(u64, f64, f64)>);

fn optimise(
    world: &World,
    request: &CooccurrenceRequest,
    device: &Device,
    job: &mut Job<'_>,
) -> anyhow::Result<Optimum> {
    let (kinds, dim, steps, lambda) = (world.kinds, request.dim, request.steps, request.w / 2.0);
    let device = device.clone().autodiff();
    let scaled: Vec<f32> = world.scaled().iter().map(|value| *value as f32).collect();
    let scaled = Tensor::<2>::from_data(TensorData::new(scaled, [kinds, kinds]), &device);
    let mut table = first_table(kinds, dim, job.seed, &device);
    let rule = Rule::Sgd { momentum: 0.9 };
    let config = OptimizerConfig {
        rule,
        lr: LEARNING_RATE,
        lr_scale: LrScale::None,
        weight_decay: 0.0,
        clip_norm: None,
    };
    let mut optimizer = Optimizer::new(config);
    let (mut curve, clock) = (vec![], Instant::now());
    for step in 0..=steps {
        job.cancel.check()?;
        if is_kept(step, steps) {
            let losses = world.losses(&vectors(&table, world), request.w);
            curve.push((step, losses.spectral, losses.modelling));
            (job.progress)(Progress {
                what: "optimising",
                done: step,
                total: steps,
                resumed: 0,
                unit: "steps",
                elapsed: clock.elapsed(),
            });
        }
        if step == steps {
            break;
        }
        let rows = table.rows.val();
        let modelled = rows.clone().matmul(rows.transpose()); // [kinds, kinds]
        let loss =
            (scaled.clone() * modelled.clone()).sum().neg() + modelled.square().sum().mul_scalar(lambda);
        let grads = loss.backward();
        let norm = norm_of(&table, &grads);
        let run = ScheduleSpan { steps, per_epoch: 1, warmup_epochs: 10.0 };
        let lr = ScheduleConfig::default().learning_rate(LEARNING_RATE, step, run);
        table = optimizer.step(table, &grads, norm, 1.0, lr);
    }
    Ok((vectors(&table, world), curve))
}

/// Small numbers without pattern.
fn first_table(kinds: usize, dim: usize, seed: u64, device: &Device) -> KindTable {
    use rand::{Rng, SeedableRng};
    let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(seed ^ 0x5eed);
    let scale = 1.0 / ((kinds * dim) as f32).sqrt();
    let values: Vec<f32> = (0..kinds * dim).map(|_| scale * rng.random_range(-1.0f32..1.0)).collect();
    let rows = Tensor::<2>::from_data(TensorData::new(values, [kinds, dim]), device);
    KindTable { rows: Param::initialized(ParamId::from(1), rows.require_grad()) }
}

fn vectors(table: &KindTable, world: &World) -> Vec<f64> {
    let rows = table.rows.val();
    let dim = rows.dims()[1];
    let values: Vec<f32> = rows.into_data().convert::<f32>().try_to_vec().expect("converted to f32");
    let scale = |at: usize| world.marginal[at / dim].sqrt();
    values.iter().enumerate().map(|(at, value)| f64::from(*value) / scale(at)).collect()
}

fn draw(
    plot: &PlotFile,
    report: &CooccurrenceReport,
    ratios: &[f64],
    found: &[f64],
) -> anyhow::Result<Written> {
    let most = report.largest_ratio as f32;
    let matrix = |title: &str, values: &[f64]| {
        Panel::Matrix(MatrixPanel {
            title: title.into(),
            rows: report.patches,
            cols: report.patches,
            values: values.iter().map(|value| *value as f32).collect(),
            range: [0.0, most],
            colormap: Colormap::Magma,
            row_label: "kind of patch".into(),
            col_label: "kind of patch".into(),
        })
    };
    let steps: Vec<f64> = report.curve.iter().map(|(step, ..)| *step as f64 + 1.0).collect();
    let above = |value: f64| if value > 0.0 { value } else { f64::NAN };
    let modelling = report.curve.iter().map(|(_, _, modelling)| above(*modelling)).collect();
    let of_spectral = |spectral: f64| above(2.0 * report.w * spectral + report.losses.constant);
    let spectral = report.curve.iter().map(|(_, spectral, _)| of_spectral(*spectral)).collect();
    let mut series = vec![
        named("L_C", 0, steps.clone(), modelling),
        named("2w L_S + constant", 1, steps.clone(), spectral),
    ];
    if report.least > 0.0 {
        series.push(named("least L_C", 2, steps.clone(), vec![report.least; steps.len()]));
    }
    let axes = (CurveAxis::of("step + 1", ""), CurveAxis::of("loss", ""));
    let mut losses = curves("losses", axes.0, axes.1, series);
    (losses.log_x, losses.log_y) = (true, true);
    let panels = vec![
        matrix("p12 / (p1 p2)", ratios),
        matrix("w z1.z2, found by the optimiser", found),
        Panel::Curves(losses),
    ];
    let notes = vec![
        format!(
            "{} images, {} kinds of patches, noise {}, seed {}",
            report.images, report.patches, report.noise, report.seed
        ),
        format!(
            "z of width {}, rank of p12 {}, w {}, {} steps",
            report.dim, report.rank, report.w, report.steps
        ),
        format!("correlation {:.6}, largest error {:.2e}", report.correlation, report.largest_error),
    ];
    let source = json!({
        "images": report.images, "patches": report.patches, "dim": report.dim, "w": report.w,
        "noise": report.noise, "seed": report.seed, "steps": report.steps,
    });
    plot.write(page(String::new(), panels, notes), PanelsSpec::default(), source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::DeviceChoice;
    use crate::progress::CancelToken;

    fn run(dim: usize, w: f64, steps: u64) -> CooccurrenceReport {
        let request =
            CooccurrenceRequest { images: 4, patches: 12, dim, w, noise: 0.05, steps, plot: None, csv: None };
        let cancel = CancelToken::default();
        let job = Job { device: DeviceChoice::Cpu, seed: 2, cancel: &cancel, progress: &mut |_| {} };
        cooccurrence(&request, job).unwrap()
    }

    /// With d of at least the rank the products are the ratios, but for float32; with less, the loss is the tail.
    #[test]
    fn the_optimiser_finds_the_closed_form() {
        let full = run(4, 3.0, 1500);
        assert_eq!(full.rank, 4);
        assert!(full.least < 1e-15 && full.losses.modelling < 1e-8, "{:?}", full.losses);
        assert!(full.correlation > 0.999_99 && full.largest_error < 1e-3 * full.largest_ratio, "{full:?}");
        let narrow = run(2, 3.0, 1500);
        assert!(
            narrow.least > 1e-3 && (narrow.losses.modelling / narrow.least - 1.0).abs() < 1e-4,
            "{narrow:?}"
        );
        for report in [&full, &narrow] {
            assert!(report.difference.abs() < 1e-12 * report.losses.constant, "{}", report.difference);
            assert!(report.duality.first.abs() < 1e-10 && report.duality.second.abs() < 1e-10);
            let (_, first, _) = report.curve[0];
            assert!(report.losses.spectral < first, "{:?}", report.curve);
        }
    }

    #[test]
    fn kept_steps_are_dense_at_first() {
        let kept: Vec<u64> = (0..=100).filter(|step| is_kept(*step, 100)).collect();
        assert_eq!(kept[..14], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16]);
        assert_eq!((kept.last(), is_kept(57, 57), is_kept(1001, 2000)), (Some(&100), true, false));
    }
}
