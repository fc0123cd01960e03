//! The toy world of section 3 (Prop. 3.1, App. A and B): what is set of it, and what is found in it.

use std::ops::RangeInclusive;
use std::sync::Arc;

use anyhow::ensure;
use serde::{Deserialize, Serialize};

use crate::analysis::cooccurrence::{Duality, Losses};
use crate::figure::Panel;

/// A world, and how z is found in it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorldPlan {
    /// Images that the world is a mixture of: the rank of p12 is at most as large.
    pub images: usize,
    /// Kinds of patches.
    pub patches: usize,
    /// Width of z.
    pub dim: usize,
    /// What z1.z2 is multiplied by to become p12 / (p1 p2); lambda is half of it.
    pub w: f64,
    /// Share of an even distribution in each image, 0 to 1.
    pub noise: f64,
    /// Of the world and of the first z.
    pub seed: u64,
    /// Steps of the optimiser.
    pub steps: u64,
}

/// What a plan may hold; w is above 0 and noise a share wherever it is.
pub struct WorldLimits {
    /// Images.
    pub images: RangeInclusive<usize>,
    /// Kinds of patches, whose pairs are all looked at.
    pub patches: RangeInclusive<usize>,
    /// Width of z.
    pub dim: RangeInclusive<usize>,
    /// w.
    pub w: RangeInclusive<f64>,
    /// Steps.
    pub steps: RangeInclusive<u64>,
}

impl WorldLimits {
    /// Of the command line.
    pub const COMMAND: Self = Self {
        images: 1..=4096,
        patches: 2..=2048,
        dim: 1..=1024,
        w: f64::MIN_POSITIVE..=f64::MAX,
        steps: 0..=u64::MAX,
    };
    /// Of the window: matrices that are drawn and sent many times a second.
    pub const WINDOW: Self =
        Self { images: 1..=64, patches: 2..=128, dim: 1..=64, w: 0.01..=1000.0, steps: 10..=100_000 };

    /// Whether `plan` is within them.
    ///
    /// # Errors
    /// The first number that is not, and what is expected of it.
    pub fn check(&self, plan: &WorldPlan) -> anyhow::Result<()> {
        let WorldPlan { images, patches, dim, w, noise, steps, .. } = *plan;
        let range = |range: &RangeInclusive<usize>| format!("expected {} to {}", range.start(), range.end());
        ensure!(self.patches.contains(&patches), "--patches {patches}; {} kinds", range(&self.patches));
        ensure!(self.images.contains(&images), "--images {images}; {}", range(&self.images));
        ensure!(self.dim.contains(&dim), "--dim {dim}; {}", range(&self.dim));
        ensure!(w > 0.0 && w.is_finite(), "--w {w}; expected a number above 0");
        ensure!(self.w.contains(&w), "--w {w}; expected {} to {}", self.w.start(), self.w.end());
        ensure!((0.0..=1.0).contains(&noise), "--noise {noise}; expected a share from 0 to 1");
        let (least, most) = (self.steps.start(), self.steps.end());
        ensure!(self.steps.contains(&steps), "--steps {steps}; expected {least} to {most}");
        Ok(())
    }
}

impl WorldPlan {
    /// What is there before anything is set.
    pub const USUAL: Self = Self { images: 8, patches: 48, dim: 8, w: 2.0, noise: 0.0, seed: 0, steps: 3000 };
}

impl Default for WorldPlan {
    fn default() -> Self {
        Self::USUAL
    }
}

/// z after some steps, held against the closed form.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorldReport {
    /// What was set.
    #[serde(flatten)]
    pub plan: WorldPlan,
    /// lambda = w / 2.
    pub lambda: f64,
    /// Steps that are done.
    pub done: u64,
    /// The device's name.
    pub device: String,
    /// Rank of p12: eigenvalues above 1e-12.
    pub rank: usize,
    /// Eigenvalues of p12 / sqrt(p1 p2), largest first.
    pub eigenvalues: Vec<f64>,
    /// By now, in float64.
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
}

/// What the window asks about the toy world.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum WorldCommand {
    /// Shows this world before its first step, unless there is one already.
    Show(WorldPlan),
    /// Finds z in this world, from its first step on; instead of the one that there is.
    Start(WorldPlan),
    /// Rests, or goes on.
    Pause(bool),
}

/// How the toy world stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WorldPhase {
    /// It waits before a step.
    Paused,
    /// Steps are done.
    Running,
    /// All steps are done.
    Finished,
    /// It could not go on, and why.
    Failed(String),
}

/// The toy world on show.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorldView {
    /// How it stands.
    pub phase: WorldPhase,
    /// The numbers, and what was set.
    pub report: WorldReport,
    /// p12 / (p1 p2), `[kinds, kinds]`.
    #[serde(with = "crate::wire::fields::numbers")]
    pub ratios: Arc<Vec<f32>>,
    /// w z1.z2, as `ratios`.
    #[serde(with = "crate::wire::fields::numbers")]
    pub found: Arc<Vec<f32>>,
    /// `found` less `ratios`.
    #[serde(with = "crate::wire::fields::numbers")]
    pub errors: Arc<Vec<f32>>,
    /// The losses by step, as the page has them.
    pub losses: Panel,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_out_of_range_is_told_by_its_number_and_what_is_expected() {
        let window = WorldLimits::WINDOW;
        assert!(window.check(&WorldPlan::USUAL).is_ok());
        let told = |plan: WorldPlan| window.check(&plan).unwrap_err().to_string();
        assert_eq!(
            told(WorldPlan { patches: 129, ..WorldPlan::USUAL }),
            "--patches 129; expected 2 to 128 kinds"
        );
        assert_eq!(told(WorldPlan { dim: 0, ..WorldPlan::USUAL }), "--dim 0; expected 1 to 64");
        assert!(told(WorldPlan { w: f64::NAN, ..WorldPlan::USUAL }).contains("above 0"));
        assert!(told(WorldPlan { noise: -0.1, ..WorldPlan::USUAL }).contains("from 0 to 1"));
        assert!(WorldLimits::COMMAND.check(&WorldPlan { steps: 0, w: 1e6, ..WorldPlan::USUAL }).is_ok());
    }
}
