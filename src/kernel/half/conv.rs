//! Convolutions in bf16, in Winograd's form where that is faster; elsewhere pixels under the kernel are laid out as rows
//! (im2col), rounded, a block at a time.

use super::layer::{HalfFinish, HalfLayer, HalfRows};
use super::unit::Unit;
use super::winograd::HalfWinograd;
use crate::kernel::shape::Shape;

/// Input channels from which on Winograd's form is the faster one: with fewer, most of a step would be zeros.
const WINOGRAD_INPUTS: usize = 16;

/// Weights of a convolution and of the normalisation after it, made once.
#[derive(Clone, Debug)]
pub enum HalfConvolution {
    /// Every product is summed.
    Full(HalfLayer),
    /// 3x3, stride 1.
    Winograd(HalfWinograd),
}

impl HalfConvolution {
    /// The form that is the faster one by `unit`: tiles multiply so fast that transforms would take longer. `weight`:
    /// `[out, in, side, side]`; `scale` and `bias`, one per output, are what follows it.
    pub fn by(unit: Unit, weight: &[f32], [side, stride]: [usize; 2], scale: &[f32], bias: &[f32]) -> Self {
        let inputs = weight.len() / (side * side * bias.len()).max(1);
        if unit == Unit::Avx512 && (side, stride) == (3, 1) && inputs >= WINOGRAD_INPUTS {
            return Self::Winograd(HalfWinograd::new(weight, scale, bias));
        }
        Self::Full(HalfLayer::convolution(weight, side, scale, bias))
    }

    /// Outputs.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Full(layer) => layer.bias.len(),
            Self::Winograd(layer) => layer.outputs(),
        }
    }

    /// The convolution. `x`: `[batch, height, width, in]`, result and residual: `[batch, out height, out width, out]`.
    pub fn forward(&self, unit: Unit, shape: &Shape, x: &[f32], finish: HalfFinish<'_>) -> Vec<f32> {
        shape.check();
        assert_eq!(x.len(), shape.input_len(), "the input of {shape:?}");
        match self {
            Self::Full(layer) => summed(unit, shape, x, layer, finish),
            Self::Winograd(layer) => layer.forward(unit, shape, x, finish),
        }
    }
}

fn summed(unit: Unit, shape: &Shape, x: &[f32], layer: &HalfLayer, finish: HalfFinish<'_>) -> Vec<f32> {
    let k = shape.side * shape.side * shape.channels[0];
    assert_eq!(
        [k, shape.channels[1]],
        [layer.weights.k(), layer.weights.columns()],
        "the weight of {shape:?}"
    );
    if shape.is_rows() {
        return layer.over(unit, x, finish);
    }
    let [height, width] = shape.out_size();
    layer.forward(unit, shape.batch * height * width, finish, |first, rows| {
        let rows = HalfUnrolled { shape, x, first, rows };
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a unit of bf16 is here, all of which have these vectors.
        unsafe {
            rows.fill();
        }
        #[cfg(not(target_arch = "x86_64"))]
        unreachable!("no unit of bf16 is here, {} rows", rows.rows.count());
    })
}

/// The values under output pixels from `first` on.
struct HalfUnrolled<'a, 'b> {
    shape: &'a Shape,
    x: &'a [f32],
    first: usize,
    rows: &'a mut HalfRows<'b>,
}

#[cfg(target_arch = "x86_64")]
impl HalfUnrolled<'_, '_> {
    /// # Safety
    /// The processor has AVX512-BF16.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn fill(self) {
        let [out_height, out_width] = self.shape.out_size();
        let of_image = out_height * out_width;
        let (mut image, mut at) = (self.first / of_image, self.first % of_image);
        self.rows.each(|_, row| {
            pixel(self.shape, self.x, image, [at / out_width, at % out_width], row);
            at += 1;
            if at == of_image {
                (image, at) = (image + 1, 0);
            }
        });
    }
}

/// The values under one output pixel. Those of a row of the kernel follow each other in the maps too.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
fn pixel(shape: &Shape, x: &[f32], image: usize, [y, left]: [usize; 2], to: &mut [u16]) {
    let Shape { size: [height, width], channels: [channels, _], side, stride, padding, .. } = *shape;
    let (top, left) = (y * stride, left * stride);
    // Columns of the kernel that lie over the map.
    let begin = padding.saturating_sub(left).min(side);
    let end = (width + padding).saturating_sub(left).min(side).max(begin);
    let line = side * channels;
    if end - begin == side && top >= padding && top + side <= height + padding {
        // Nothing is cut off, as almost everywhere.
        let first = (image * height + top - padding) * width + left - padding;
        for down in 0..side {
            let from = &x[(first + down * width) * channels..][..line];
            super::vectors::round_over(from, &mut to[down * line..]);
        }
        to[side * line..].fill(0);
        return;
    }
    for down in 0..side {
        let to = &mut to[down * line..];
        let Some(y) = (top + down).checked_sub(padding).filter(|y| *y < height && begin < end) else {
            to[..line].fill(0);
            continue;
        };
        // Mostly there is nothing to fill, and a call would cost as much as what it surrounds.
        if begin > 0 {
            to[..begin * channels].fill(0);
        }
        let from = ((image * height + y) * width + left + begin - padding) * channels;
        super::vectors::round_over(&x[from..from + (end - begin) * channels], &mut to[begin * channels..]);
        if end < side {
            to[end * channels..line].fill(0);
        }
    }
    to[side * line..].fill(0);
}
