//! In what numbers a network computes when it embeds.

use anyhow::ensure;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::kernel::{self, half::Unit};

/// In what numbers a network computes when it embeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum EmbedPrecision {
    /// float32 throughout, the reference
    #[default]
    F32,
    /// Backbone in bfloat16 with sums in float32; on CPUs that multiply bfloat16
    Bf16,
}

impl EmbedPrecision {
    /// Bytes that `weights` bytes of float32 take at most once they are laid out beside.
    pub fn with_laid_out(self, weights: u64) -> u64 {
        let halves = match self {
            EmbedPrecision::F32 if kernel::half::is_faster_in_parts() => 5,
            EmbedPrecision::F32 => 4,
            EmbedPrecision::Bf16 => 3,
        };
        weights.saturating_mul(halves) / 2
    }

    /// Passes what can be computed on `device`.
    ///
    /// # Errors
    /// bf16 on a GPU, or on a processor that does not multiply it.
    pub fn ensure_on(self, device: &Device) -> anyhow::Result<()> {
        if self == EmbedPrecision::F32 {
            return Ok(());
        }
        ensure!(
            kernel::runs_on(device),
            "precision bf16 is computed on the CPU only, and tensors are on a GPU here; choose --device cpu or --precision f32"
        );
        ensure!(
            Unit::best().is_some(),
            "precision bf16 needs a processor that multiplies bfloat16 (AVX512-BF16, with or without AMX-BF16), and this one \
             does not; choose --precision f32"
        );
        Ok(())
    }
}
