//! Operations of our own for the CPU: convolutions in Winograd's form and by unrolling, batch
//! normalisation with what follows it, all over maps in channels-last order.
//!
//! burn's CPU backend computes a convolution channels-first and normalises in several passes;
//! a ResNet spends nearly all its time there. [`conv2d`], [`conv2d_finished`] and
//! [`batch_norm_train`] take a tensor wherever [`serves`] says so; elsewhere (a GPU) burn's own
//! operations serve, which are also the reference in the tests. The instruction set is chosen at
//! run time ([`simd`]).
//!
//! [`similarity`] is the host's side of a compute shader: cosines and nearest rows on a GPU.

pub mod conv;
mod gemm;
pub mod norm;
mod ops;
mod scratch;
pub mod shape;
pub mod simd;
pub mod similarity;
#[cfg(test)]
mod tests;
mod unrolled;
mod winograd;

pub use ops::{Normalized, Window, batch_norm_train, conv2d, conv2d_finished, runs_on, serves};
