//! The layers of a network in evaluation with operands of bf16 (8 bits) and sums of f32, where the processor multiplies
//! such values: by tiles ([`Unit::Amx`]) or vectors ([`Unit::Avx512`]). Tiles are so much faster than vectors of f32 that
//! linear layers and convolutions of single pixels in f32 are computed by them as well, each value as three of bf16
//! ([`ValueParts::Whole`]). Weights are rounded and packed once, with the
//! normalisation that follows folded in. A ResNet's maps are rounded once they are finished and go so from layer to layer;
//! a transformer's normalisation, softmax, activations and what goes from layer to layer are f32.

#[cfg(target_arch = "x86_64")]
mod amx;
mod attention;
mod conv;
mod layer;
mod left;
mod maps;
mod ops;
mod pool;
mod product;
mod shares;
#[cfg(test)]
mod tests;
mod tiles;
mod unit;
mod value_parts;
mod values;
#[cfg(target_arch = "x86_64")]
mod vectors;
mod winograd;

pub use conv::{ConvolutionFinish, HalfConvolution, HalfInput};
pub use layer::{HalfFinish, HalfLayer};
pub use maps::HalfMaps;
pub use ops::{
    attend, convolution, images, is_faster_in_parts, laid_out, linear, maps, max_pool, means, pointwise,
};
pub use unit::Unit;
pub use value_parts::ValueParts;
