//! Operations of our own for the CPU: convolutions in Winograd's form and by unrolling, batch
//! normalisation with what follows it, all over maps in channels-last order.
//!
//! burn's CPU backend computes a convolution channels-first and normalises in several passes;
//! a ResNet spends nearly all its time there. [`conv2d`], [`conv2d_finished`] and
//! [`batch_norm_train`] take a tensor wherever [`serves`] says so; elsewhere (a GPU) burn's own
//! operations serve, which are also the reference in the tests. The instruction set is chosen at
//! run time ([`simd`]).
//!
//! A transformer's layers ([`linear()`], [`layer_norm`], [`attention()`], [`gate`]) are in evaluation ours too, tokens as rows.
//!
//! [`half`] computes the layers of a network in bf16, where the processor has it and somebody asks for it.
//!
//! [`QueryPanels`] multiplies stored rows with many queries.
//!
//! [`similarity`] is the host's side of a compute shader: cosines and nearest rows on a GPU.

pub mod attention;
pub mod conv;
mod finish;
mod gemm;
pub mod half;
mod linear;
pub mod norm;
mod ops;
mod panels;
mod pointwise;
mod pool;
mod products;
mod scratch;
pub mod shape;
pub mod simd;
pub mod similarity;
#[cfg(test)]
mod tests;
mod tokens;
mod unrolled;
mod winograd;

pub use attention::{Heads, Rotation};
pub use ops::{Normalized, Window, batch_norm_train, conv2d, conv2d_finished, max_pool, runs_on, serves};
pub use panels::Panels;
pub use pointwise::Activation;
pub use products::QueryPanels;
pub use tokens::{LinearFinish, attention, gate, layer_norm, linear};
