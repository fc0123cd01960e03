//! The layers of a network in evaluation with operands of bf16 (8 bits) and sums of f32, where the processor multiplies
//! such values: by tiles ([`Unit::Amx`]) or vectors ([`Unit::Avx512`]). Weights are rounded and packed once, with the
//! normalisation that follows folded in; normalisation, softmax, activations and what goes from layer to layer are f32.

#[cfg(target_arch = "x86_64")]
mod amx;
mod attention;
mod conv;
mod layer;
mod ops;
mod product;
#[cfg(test)]
mod tests;
mod tiles;
mod unit;
#[cfg(target_arch = "x86_64")]
mod vectors;
mod winograd;

pub use conv::HalfConvolution;
pub use layer::{HalfFinish, HalfLayer};
pub use ops::{attend, convolution, laid_out, linear};
pub use unit::Unit;
