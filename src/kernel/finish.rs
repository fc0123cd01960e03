//! What follows the sums of some rows and columns, in one pass over them.

use crate::kernel::scratch::Shared;
use crate::kernel::shape::Finish;
use crate::kernel::simd::{SimdJob, Vector};

/// Sums of some output pixels and channels, to be finished and written where they belong.
pub struct FinishBlock<'a> {
    /// Rows of `stride` values, of which the first `width` are sums.
    pub sums: &'a [f32],
    pub stride: usize,
    pub width: usize,
    /// The first output pixel, and the first channel.
    pub first: usize,
    pub column: usize,
    /// Channels of the output.
    pub channels: usize,
    pub finish: Finish<'a>,
    /// The whole output; nobody else writes these pixels' channels meanwhile.
    pub out: Shared<'a>,
}

impl FinishBlock<'_> {
    /// `LANES` values, or `count` of them.
    ///
    /// # Safety
    /// The processor has the vector's instructions; `sums` and `out` are good for so many values; `channel` and `at` with
    /// so many behind them lie in the finish's values.
    #[inline(always)]
    unsafe fn values<V: Vector, const WHOLE: bool>(
        &self,
        sums: *const f32,
        out: *mut f32,
        [channel, at, count]: [usize; 3],
    ) {
        // SAFETY: the caller's.
        unsafe {
            let load = |from: *const f32| if WHOLE { V::load(from) } else { V::load_part(from, count) };
            let mut value = load(sums);
            if let Some(scale) = self.finish.scale {
                let bias = self.finish.bias.map_or(V::splat(0.0), |bias| load(bias.as_ptr().add(channel)));
                value = value.mul_add(load(scale.as_ptr().add(channel)), bias);
            } else if let Some(bias) = self.finish.bias {
                value = value.add(load(bias.as_ptr().add(channel)));
            }
            if let Some(residual) = self.finish.residual {
                value = value.add(load(residual.as_ptr().add(at)));
            }
            if self.finish.relu {
                // NaN stays.
                value = V::splat(0.0).max(value);
            }
            if WHOLE { value.store(out) } else { value.store_part(out, count) }
        }
    }
}

impl SimdJob for FinishBlock<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { stride, width, first, column, channels, finish, out, .. } = self;
        let rows = self.sums.len() / stride;
        let holds = |values: Option<&[f32]>, count: usize| values.is_none_or(|values| values.len() >= count);
        assert!(width <= stride && column + width <= channels && (first + rows) * channels <= out.len());
        assert!(holds(finish.scale, channels) && holds(finish.bias, channels));
        assert!(holds(finish.residual, out.len()));
        for row in 0..rows {
            let at = (first + row) * channels + column;
            let mut lane = 0;
            while lane < width {
                let count = V::LANES.min(width - lane);
                let places = [column + lane, at + lane, count];
                // SAFETY: checked above: `lane` and the values behind it lie within `width` of this row, of the
                // channels and of the output; the vector is the caller's.
                unsafe {
                    let (sums, to) = (self.sums.as_ptr().add(row * stride + lane), out.at(at + lane));
                    match count == V::LANES {
                        true => self.values::<V, true>(sums, to, places),
                        false => self.values::<V, false>(sums, to, places),
                    }
                }
                lane += V::LANES;
            }
        }
    }
}
