//! From an 8-bit picture to the numbers that a network sees: clean patches for
//! inference, random views for training. CPU only, seeded, no tensors.
//!
//! Pixels are float32 in **planar** order (channel, row, column): that is the order
//! a batch has, so a view is resized straight into its place in the batch and every
//! later step works there, in place; and each colour operation reads three plain
//! slices, which the compiler turns into vector code. Nothing is rounded. Values
//! stay unclamped after resizing (bicubic overshoots) until a colour operation
//! clamps them as torchvision does.
//!
//! - `resize`: separable bilinear and bicubic weights, equal to torch's;
//! - `values`: clean patches, whole images and central crops, normalised;
//! - `crop`, `color`, `blur`: single operations, equal to torchvision's on float tensors;
//! - `view`: what does happen to one view, and applying it;
//! - `preset`: what may happen to a view (ranges and probabilities), named presets, and sampling;
//! - `batch`: all views of a batch, in parallel.

pub mod batch;
pub mod blur;
pub mod color;
pub mod crop;
pub mod preset;
pub mod resize;
pub mod values;
pub mod view;

#[cfg(test)]
mod fixture;

pub use crate::image::Normalization;
pub use batch::{ViewBatch, make_views};
pub use crop::{Crop, CropBox};
pub use preset::{BlurConfig, JitterConfig, Preset, ViewConfig, whole_kernel};
pub use resize::{Resize, ResizePlan};
pub use values::{central_tensor_values, fit, image_tensor_values, patch_tensor_values};
pub use view::{Blur, ColorStep, ViewParams, view_rng};
