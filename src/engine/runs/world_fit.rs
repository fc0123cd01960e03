//! Finds z in the toy world of section 3 by the program's optimiser, a step at a time.

use anyhow::ensure;
use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};

use crate::analysis::cooccurrence::{Duality, World, correlation, products};
use crate::engine::ask::{WorldPlan, WorldReport};
use crate::train::optimizer::{LrScale, Optimizer, OptimizerConfig, Rule, norm_of};
use crate::train::schedule::{ScheduleConfig, ScheduleSpan};

/// Learning rate; the optimum's curvature does not depend on w, and is at most 8.
const LEARNING_RATE: f64 = 0.1;

/// sqrt(p(x)) z(x) for each kind: in these coordinates every kind counts alike.
#[derive(Module, Debug)]
struct KindTable {
    rows: Param<Tensor<2>>,
}

/// z of a world, on its way.
pub struct WorldFit {
    /// What was set.
    pub plan: WorldPlan,
    /// The world.
    pub world: World,
    /// p12 / (p1 p2), `[kinds, kinds]`.
    pub ratios: Vec<f64>,
    eigenvalues: Vec<f64>,
    /// p12 / sqrt(p1 p2), `[kinds, kinds]`.
    scaled: Tensor<2>,
    table: KindTable,
    optimizer: Optimizer,
    done: u64,
    /// Losses of the steps that are kept: step, L_S, L_C.
    curve: Vec<(u64, f64, f64)>,
}

impl WorldFit {
    /// Before the first step.
    pub fn begin(plan: WorldPlan, device: &Device) -> Self {
        let device = device.clone().autodiff();
        let world = World::draw(plan.images, plan.patches, plan.noise, plan.seed);
        let scaled: Vec<f32> = world.scaled().iter().map(|value| *value as f32).collect();
        let config = OptimizerConfig {
            rule: Rule::Sgd { momentum: 0.9 },
            lr: LEARNING_RATE,
            lr_scale: LrScale::None,
            weight_decay: 0.0,
            clip_norm: None,
        };
        let mut fit = Self {
            ratios: world.ratios(),
            eigenvalues: world.eigenvalues(),
            scaled: Tensor::from_data(TensorData::new(scaled, [plan.patches; 2]), &device),
            table: first_table(&plan, &device),
            optimizer: Optimizer::new(config),
            done: 0,
            curve: vec![],
            plan,
            world,
        };
        fit.keep();
        fit
    }

    /// Steps that are done.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Whether all are.
    pub fn is_finished(&self) -> bool {
        self.done == self.plan.steps
    }

    /// One step; nothing after the last one. Returns whether its losses were kept.
    ///
    /// # Errors
    /// z is not finite.
    pub fn step(&mut self) -> anyhow::Result<bool> {
        if self.is_finished() {
            return Ok(false);
        }
        let rows = self.table.rows.val();
        let modelled = rows.clone().matmul(rows.transpose()); // [kinds, kinds]
        let together = (self.scaled.clone() * modelled.clone()).sum();
        let loss = together.neg() + modelled.square().sum().mul_scalar(self.plan.w / 2.0);
        let grads = loss.backward();
        let norm = norm_of(&self.table, &grads);
        let run = ScheduleSpan { steps: self.plan.steps, per_epoch: 1, warmup_epochs: 10.0 };
        let lr = ScheduleConfig::default().learning_rate(LEARNING_RATE, self.done, run);
        self.table = self.optimizer.step(self.table.clone(), &grads, norm, 1.0, lr);
        self.done += 1;
        let is_kept = is_kept(self.done, self.plan.steps);
        if is_kept {
            self.keep();
            let finite = self.curve.last().is_some_and(|(_, _, modelling)| modelling.is_finite());
            let WorldPlan { w, .. } = self.plan;
            ensure!(finite, "z is not finite after step {}; expected w of a usual size, not {w}", self.done);
        }
        Ok(is_kept)
    }

    fn keep(&mut self) {
        let losses = self.world.losses(&self.vectors(), self.plan.w);
        self.curve.push((self.done, losses.spectral, losses.modelling));
    }

    /// z by now, `[kinds, dim]`.
    fn vectors(&self) -> Vec<f64> {
        let rows = self.table.rows.val();
        let values: Vec<f32> = rows.into_data().convert::<f32>().try_to_vec().expect("converted to f32");
        let scale = |at: usize| self.world.marginal[at / self.plan.dim].sqrt();
        values.iter().enumerate().map(|(at, value)| f64::from(*value) / scale(at)).collect()
    }

    /// How z stands by now, and w z1.z2 of all pairs, `[kinds, kinds]`. `device` is the device's name.
    pub fn report(&self, device: &str) -> (WorldReport, Vec<f64>) {
        let WorldPlan { patches, dim, w, .. } = self.plan;
        let z = self.vectors();
        let found: Vec<f64> = products(&z, patches).iter().map(|value| w * value).collect();
        let losses = self.world.losses(&z, w);
        let errors = self.ratios.iter().zip(&found).map(|(a, b)| (a - b).abs());
        let report = WorldReport {
            plan: self.plan,
            lambda: w / 2.0,
            done: self.done,
            device: device.to_owned(),
            rank: self.eigenvalues.iter().filter(|value| **value > 1e-12).count(),
            eigenvalues: self.eigenvalues.clone(),
            losses,
            difference: losses.difference(w),
            least: self.world.least(dim),
            correlation: correlation(&self.ratios, &found),
            largest_error: errors.fold(0.0, f64::max),
            largest_ratio: self.ratios.iter().copied().fold(0.0, f64::max),
            duality: Duality::of(&z, patches),
            curve: self.curve.clone(),
        };
        (report, found)
    }
}

/// Small numbers without pattern; smaller with a larger w, as the z that is looked for is, so that the way there is
/// the same for every w.
fn first_table(plan: &WorldPlan, device: &Device) -> KindTable {
    use rand::{Rng, SeedableRng};
    let WorldPlan { patches, dim, w, seed, .. } = *plan;
    let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(seed ^ 0x5eed);
    let scale = (1.0 / ((patches * dim) as f64 * w).sqrt()) as f32;
    let values: Vec<f32> = (0..patches * dim).map(|_| scale * rng.random_range(-1.0f32..1.0)).collect();
    let rows = Tensor::<2>::from_data(TensorData::new(values, [patches, dim]), device);
    KindTable { rows: Param::initialized(ParamId::from(1), rows.require_grad()) }
}

/// Steps whose losses are kept: about as many to each decade.
fn is_kept(step: u64, last: u64) -> bool {
    step == last || step < 10 || step.is_multiple_of(10u64.pow(step.ilog10()) / 5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{WirePool, pack, unpack};

    fn run(dim: usize, w: f64, steps: u64) -> WorldReport {
        let plan = WorldPlan { images: 4, patches: 12, dim, w, noise: 0.05, seed: 2, steps };
        let mut fit = WorldFit::begin(plan, &Device::flex());
        while !fit.is_finished() {
            fit.step().unwrap();
        }
        fit.report("here").0
    }

    /// With d of at least the rank the products are the ratios, but for float32; with less, the loss is the tail.
    #[test]
    fn the_optimiser_finds_the_closed_form() {
        let full = run(4, 3.0, 1500);
        assert_eq!((full.rank, full.done), (4, 1500));
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

    /// In sqrt(w) z the loss is the same but for its scale, and so is every step.
    #[test]
    fn the_way_there_is_the_same_for_every_w() {
        let [usual, small, large] = [1.0, 1e-2, 1e5].map(|w| run(4, w, 60));
        for other in [small, large] {
            for ((step, _, expected), (_, _, found)) in usual.curve.iter().zip(&other.curve) {
                let w = other.plan.w;
                assert!((found / expected - 1.0).abs() < 1e-2, "w {w}, step {step}: {found}, not {expected}");
            }
        }
    }

    #[test]
    fn a_report_is_the_same_in_another_process() {
        let report = run(2, 3.0, 3);
        let bytes = pack(&report, &mut WirePool::default()).unwrap();
        let read: WorldReport = unpack(&bytes, &mut WirePool::default()).unwrap();
        assert_eq!(format!("{read:?}"), format!("{report:?}"));
    }

    #[test]
    fn kept_steps_are_dense_at_first() {
        let kept: Vec<u64> = (0..=100).filter(|step| is_kept(*step, 100)).collect();
        assert_eq!(kept[..14], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16]);
        assert_eq!((kept.last(), is_kept(57, 57), is_kept(1001, 2000)), (Some(&100), true, false));
    }
}
