//! Mixed precision: float16 where the work is, float32 where the sums are.

use serde::{Deserialize, Serialize};

/// In which numbers a training step computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// float32 throughout.
    #[default]
    Full,
    /// Convolutions and linear layers in float16; weights, normalisation, the loss and the optimiser in
    /// float32. For GPUs that have float16; a processor is slower with it.
    Mixed,
}

/// What the loss is multiplied by before it is differentiated, so that small gradients are not lost in float16
/// (Micikevicius et al. 2018, Mixed precision training, 3.2); the gradients are divided by it again. It halves
/// when a gradient overflows and doubles after many steps without: powers of two, so that nothing else changes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossScale {
    /// What the loss is multiplied by.
    pub value: f64,
    /// Steps since it last changed.
    pub steps: u64,
}

impl LossScale {
    const FIRST: f64 = 65_536.0;
    const LARGEST: f64 = 16_777_216.0;
    /// Steps without overflow before it doubles.
    const PATIENCE: u64 = 2000;

    /// The scale to begin with.
    pub fn new(precision: Precision) -> Self {
        let value = if precision == Precision::Mixed { Self::FIRST } else { 1.0 };
        Self { value, steps: 0 }
    }

    /// A step was taken.
    pub fn note_step(&mut self, precision: Precision) {
        self.steps += 1;
        if precision == Precision::Mixed && self.steps >= Self::PATIENCE {
            *self = Self { value: (2.0 * self.value).min(Self::LARGEST), steps: 0 };
        }
    }

    /// A gradient overflowed: whether the step may be tried again, with half the scale.
    pub fn back_off(&mut self) -> bool {
        *self = Self { value: 0.5 * self.value, steps: 0 };
        self.value >= 1.0
    }
}

impl Default for LossScale {
    fn default() -> Self {
        Self::new(Precision::Full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_halves_on_overflow_and_doubles_after_2000_good_steps() {
        let mut scale = LossScale::new(Precision::Mixed);
        assert!(scale.back_off());
        assert_eq!(scale.value, 32_768.0);
        (0..1999).for_each(|_| scale.note_step(Precision::Mixed));
        assert_eq!(scale.value, 32_768.0);
        scale.note_step(Precision::Mixed);
        assert_eq!(scale, LossScale { value: 65_536.0, steps: 0 });
        (0..100_000).for_each(|_| scale.note_step(Precision::Mixed));
        assert_eq!(scale.value, LossScale::LARGEST);
    }

    #[test]
    fn without_float16_an_overflow_is_final_and_the_scale_stays_one() {
        let mut scale = LossScale::new(Precision::Full);
        (0..5000).for_each(|_| scale.note_step(Precision::Full));
        assert_eq!(scale.value, 1.0);
        assert!(!scale.back_off());
    }
}
