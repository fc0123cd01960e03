//! The largest of each 3x3 window of channels-last maps, every other pixel, with a pixel of nothing around each map: what
//! follows the first convolution of a ResNet for large images.

use rayon::prelude::*;

use super::scratch;
use super::simd::{Isa, SimdJob, Vector};

/// One row of the result.
struct PoolRow<'a> {
    /// The map's rows under it.
    rows: &'a [f32],
    /// Pixels of a row of the map, and values of each.
    width: usize,
    channels: usize,
    out: scratch::Shared<'a>,
}

impl SimdJob for PoolRow<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { rows, width, channels, out } = self;
        for pixel in 0..out.len() / channels {
            // SAFETY: the result is this job's alone; a pixel of it is set before it is read.
            let out =
                unsafe { std::slice::from_raw_parts_mut(out.room(pixel * channels, channels), channels) };
            out.fill(f32::NEG_INFINITY);
            for row in rows.chunks_exact(width * channels) {
                for x in (2 * pixel).saturating_sub(1)..width.min(2 * pixel + 2) {
                    let values = &row[x * channels..(x + 1) * channels];
                    // What is no number stays.
                    out.iter_mut().zip(values).for_each(|(most, value)| {
                        *most = if *most >= *value || most.is_nan() { *most } else { *value };
                    });
                }
            }
        }
    }
}

/// The pooled maps. `x`: `[batch, height, width, channels]`, result: `[batch, (height + 1) / 2, (width + 1) / 2,
/// channels]`.
pub fn forward(isa: Isa, x: &[f32], [batch, height, width, channels]: [usize; 4]) -> Vec<f32> {
    assert_eq!(x.len(), batch * height * width * channels);
    let [rows, cols] = [height.div_ceil(2), width.div_ceil(2)];
    let mut out = scratch::unset(batch * rows * cols * channels);
    let line = width * channels;
    out.par_chunks_mut((cols * channels).max(1)).enumerate().for_each(|(index, out)| {
        let (image, row) = (index / rows, index % rows);
        let (first, last) = ((2 * row).saturating_sub(1), height.min(2 * row + 2));
        let rows = &x[(image * height + first) * line..(image * height + last) * line];
        isa.run(PoolRow { rows, width, channels, out: scratch::Shared::unset(out) });
    });
    // SAFETY: each row has set all its pixels.
    unsafe { out.assume_init() }.into_vec()
}

#[cfg(test)]
mod tests {
    use burn::tensor::module::max_pool2d;
    use burn::tensor::ops::MaxPoolOptions;
    use burn::tensor::{Device, Tensor, TensorData};

    use super::*;

    #[test]
    fn it_is_the_pooling_of_burn() {
        for dims in [[2, 8, 8, 16], [1, 7, 5, 3], [3, 1, 1, 20], [1, 2, 9, 33]] {
            let [batch, height, width, channels] = dims;
            let count = batch * height * width * channels;
            let value = |at: usize| ((at as u32).wrapping_mul(2_654_435_761) >> 8) as f32 - 8e6;
            let x: Vec<f32> = (0..count).map(value).collect();
            let options =
                MaxPoolOptions { stride: [2, 2], padding: [(1, 1); 2], ..MaxPoolOptions::new([3, 3]) };
            let maps = Tensor::<4>::from_data(TensorData::new(x.clone(), dims), &Device::flex());
            let right = max_pool2d(maps.permute([0, 3, 1, 2]), options).permute([0, 2, 3, 1]);
            let right: Vec<f32> = right.into_data().try_to_vec().unwrap();
            for isa in [Isa::Avx512, Isa::Avx2, Isa::Baseline].into_iter().filter(|isa| isa.is_here()) {
                assert_eq!(forward(isa, &x, dims), right, "{isa:?} {dims:?}");
            }
        }
    }
}
