//! Learning rate over the run: linear warm-up, then a cosine. How both begin and end is told, as released code differs.

use serde::{Deserialize, Serialize};

/// How warm-up and cosine begin and end. The default is the paper's: per step, from a first step that moves to lr, then
/// from there to 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleConfig {
    /// Where the warm-up begins.
    pub start: WarmupStart,
    /// Where the cosine begins.
    pub cosine: CosineStart,
    /// What the cosine ends at, as a share of the learning rate, 0 to 1; VICReg's code: 0.001.
    pub end: f64,
    /// How often the learning rate changes.
    pub every: LrChange,
}

/// Where the warm-up begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WarmupStart {
    /// One part above 0, so that the last step of the warm-up has the whole learning rate.
    #[default]
    Above,
    /// At 0, so that the first step after the warm-up has the whole learning rate, as in VICReg's code.
    Zero,
}

/// Where the cosine begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CosineStart {
    /// After the warm-up.
    #[default]
    Warmup,
    /// With the run, beneath the warm-up, whose last learning rate it goes on from, as in NMCE's code (and, without a
    /// warm-up, EMP-SSL's): each learning rate is the one before times the ratio of the cosines, as PyTorch's scheduler
    /// chains them.
    Run,
}

/// How often the learning rate changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LrChange {
    /// With every step.
    #[default]
    Step,
    /// With every pass over the data, as in NMCE's code.
    Epoch,
}

/// The length of a run and of its warm-up.
#[derive(Clone, Copy, Debug)]
pub struct ScheduleSpan {
    /// Steps in all.
    pub steps: u64,
    /// Steps of a pass over the data.
    pub per_epoch: u64,
    /// Passes of warm-up.
    pub warmup_epochs: f64,
}

impl ScheduleConfig {
    /// The learning rate at `step` (from 0) of a run, of which `base` is the highest.
    pub fn learning_rate(&self, base: f64, step: u64, run: ScheduleSpan) -> f64 {
        let per_epoch = run.per_epoch.max(1);
        // In steps, or in passes.
        let (at, warmup, total) = match self.every {
            LrChange::Step => (step, (run.warmup_epochs * per_epoch as f64).round(), run.steps),
            LrChange::Epoch => (step / per_epoch, run.warmup_epochs.ceil(), run.steps.div_ceil(per_epoch)),
        };
        let (at, total) = (at as f64, total as f64);
        if at < warmup {
            let part = if self.start == WarmupStart::Above { at + 1.0 } else { at };
            return base * part / warmup;
        }
        let share = self.cosine_share(at, warmup, total);
        base * share + base * self.end * (1.0 - share)
    }

    /// Of the way from the learning rate down to its end, what is left; 1 to 0.
    fn cosine_share(&self, at: f64, warmup: f64, total: f64) -> f64 {
        let height = |part: f64| 1.0 + (std::f64::consts::PI * part.min(1.0)).cos();
        match self.cosine {
            CosineStart::Warmup => 0.5 * height((at - warmup) / (total - warmup).max(1.0)),
            // The last turn of the warm-up has the whole learning rate.
            CosineStart::Run => {
                height(at / total.max(1.0)) / height((warmup - 1.0).max(0.0) / total.max(1.0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(schedule: ScheduleConfig, base: f64, step: u64, warmup: u64, steps: u64) -> f64 {
        schedule.learning_rate(base, step, ScheduleSpan { steps, per_epoch: 1, warmup_epochs: warmup as f64 })
    }

    #[test]
    fn it_rises_to_the_base_and_falls_to_nothing() {
        let usual = |base, step, warmup, total| rate(ScheduleConfig::default(), base, step, warmup, total);
        assert_eq!(usual(0.3, 0, 10, 100), 0.03);
        assert_eq!(usual(0.3, 9, 10, 100), 0.3);
        assert_eq!(usual(0.3, 10, 10, 100), 0.3);
        assert!((usual(0.3, 55, 10, 100) - 0.15).abs() < 1e-12);
        assert!(usual(0.3, 99, 10, 100) < 1e-3);
        assert_eq!(usual(0.3, 0, 0, 1), 0.3);
    }

    #[test]
    fn vicregs_ends_are_zero_and_a_thousandth() {
        let schedule = ScheduleConfig { start: WarmupStart::Zero, end: 0.001, ..ScheduleConfig::default() };
        assert_eq!([0, 5, 10].map(|step| rate(schedule, 0.4, step, 10, 100)), [0.0, 0.2, 0.4]);
        let q = 0.5 * (1.0 + (std::f64::consts::PI * 80.0 / 90.0).cos());
        assert!((rate(schedule, 0.4, 90, 10, 100) - (0.4 * q + 0.0004 * (1.0 - q))).abs() < 1e-15);
        assert!((rate(schedule, 0.4, 100, 10, 100) - 0.0004).abs() < 1e-15);
    }

    /// The chain of PyTorch's `CosineAnnealingLR`, which each pass of the warm-up overwrites.
    #[test]
    fn nmces_cosine_runs_beneath_its_warm_up_and_changes_with_the_passes() {
        let schedule =
            ScheduleConfig { cosine: CosineStart::Run, every: LrChange::Epoch, ..ScheduleConfig::default() };
        let (base, epochs, warmup, per_epoch) = (0.3, 50u64, 10u64, 7u64);
        let run = ScheduleSpan { steps: epochs * per_epoch, per_epoch, warmup_epochs: warmup as f64 };
        let height = |epoch: u64| 1.0 + (std::f64::consts::PI * epoch as f64 / epochs as f64).cos();
        let mut lr = base;
        for epoch in 0..epochs {
            if epoch < warmup {
                lr = base * (epoch + 1) as f64 / warmup as f64;
            }
            for step in [0, per_epoch - 1] {
                let found = schedule.learning_rate(base, epoch * per_epoch + step, run);
                assert!((found - lr).abs() < 1e-12, "epoch {epoch}: {found}, {lr}");
            }
            lr *= height(epoch + 1) / height(epoch);
        }
    }
}
