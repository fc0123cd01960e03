//! The transforms of tiles by vectors of channels.

#[cfg(target_arch = "x86_64")]
mod by_vectors {
    use std::arch::x86_64::*;

    use super::super::super::product::{PANEL, STEP};
    use super::super::{HalfBlock, OUT, SIDE};

    /// Channels of a vector.
    const LANES: usize = 16;

    /// Where a run of tiles begins: those of one line of tiles of one map that follow each other.
    struct TilePlace {
        image: usize,
        /// First row and column of its outputs.
        top: usize,
        left: usize,
    }

    impl HalfBlock<'_> {
        fn place(&self, tile: usize) -> TilePlace {
            let [down, across] = self.shape.out_size().map(|side| side.div_ceil(OUT));
            let (line, left) = (tile / across, tile % across * OUT);
            TilePlace { image: line / down, top: line % down * OUT, left }
        }

        /// # Safety
        /// The processor has AVX512-BF16.
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
        pub unsafe fn transform_by_vectors(&self, to: &mut [u16], place: usize) {
            let across = self.shape.out_size()[1].div_ceil(OUT);
            let mut tile = self.tiles.start;
            while tile < self.tiles.end {
                let run = (across - tile % across).min(self.tiles.end - tile);
                for channel in (0..self.row - STEP).step_by(LANES) {
                    let first = (tile - self.tiles.start) * self.row + channel;
                    self.transform_run(self.place(tile), run, channel, &mut to[first..], place);
                }
                tile += run;
            }
        }

        /// Some channels of `run` tiles, each of whose columns of pixels is transformed once.
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
        fn transform_run(&self, from: TilePlace, run: usize, channel: usize, to: &mut [u16], place: usize) {
            let ([height, width], padding) = (self.shape.size, self.shape.padding);
            let channels = self.shape.channels[0];
            let mask = mask(channels.saturating_sub(channel));
            let lines: [Option<usize>; SIDE] = std::array::from_fn(|row| {
                let y = (from.top + row).checked_sub(padding).filter(|y| *y < height)?;
                Some((from.image * height + y) * width)
            });
            let column = |at: usize| {
                let x = at.checked_sub(padding).filter(|x| *x < width);
                let pixel = |row: usize| {
                    let Some((line, x)) = lines[row].zip(x) else { return _mm512_setzero_ps() };
                    // SAFETY: of the pixel's values from `channel` on only those of the mask are read, which are there.
                    unsafe {
                        let from = self.x.as_ptr().wrapping_add((line + x) * channels + channel);
                        _mm512_maskz_loadu_ps(mask, from)
                    }
                };
                turned([pixel(0), pixel(1), pixel(2), pixel(3)])
            };
            let (mut first, mut second) = (column(from.left), column(from.left + 1));
            for index in 0..run {
                let x = from.left + index * OUT;
                let (third, fourth) = (column(x + 2), column(x + 3));
                for row in 0..SIDE {
                    let values = turned([first[row], second[row], third[row], fourth[row]]);
                    for (column, value) in values.into_iter().enumerate() {
                        let to = &mut to[(row * SIDE + column) * place + index * self.row..][..LANES];
                        // SAFETY: there is room for sixteen values.
                        unsafe {
                            let bf16 = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(value));
                            _mm256_storeu_si256(to.as_mut_ptr().cast(), bf16);
                        }
                    }
                }
                (first, second) = (third, fourth);
            }
        }

        /// # Safety
        /// The processor has AVX512-BF16.
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
        pub unsafe fn finish_by_vectors(&self, sums: &[f32], place: usize, panel: usize) {
            let outputs = self.layer.bias.len();
            for first in (0..PANEL).step_by(LANES) {
                let channel = panel * PANEL + first;
                if channel >= outputs {
                    return;
                }
                for (index, tile) in self.tiles.clone().enumerate() {
                    self.finish_tile(&sums[index * PANEL + first..], place, channel, self.place(tile));
                }
            }
        }

        /// Some outputs of one tile.
        #[expect(clippy::needless_range_loop, reason = "rows and columns of registers, by number")]
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
        fn finish_tile(&self, sums: &[f32], place: usize, channel: usize, at: TilePlace) {
            let ([height, width], outputs) = (self.shape.out_size(), self.layer.bias.len());
            let count = (outputs - channel).min(LANES);
            let mask = mask(count);
            let sum = |row: usize, column: usize| {
                let from = &sums[(row * SIDE + column) * place..][..LANES];
                // SAFETY: sixteen values are there.
                unsafe { _mm512_loadu_ps(from.as_ptr()) }
            };
            // By hand: what the library calls for each place would not be compiled for these vectors.
            let column = |at: usize| back([sum(0, at), sum(1, at), sum(2, at), sum(3, at)]);
            let columns = [column(0), column(1), column(2), column(3)];
            // SAFETY: of the values only those of the mask are read.
            let bias = unsafe { _mm512_maskz_loadu_ps(mask, self.layer.bias.as_ptr().add(channel)) };
            for row in 0..OUT.min(height - at.top) {
                let values = back([columns[0][row], columns[1][row], columns[2][row], columns[3][row]]);
                for (column, value) in values.into_iter().enumerate().take(width - at.left) {
                    let pixel = (at.image * height + at.top + row) * width + at.left + column;
                    let to = pixel * outputs + channel;
                    let mut value = _mm512_add_ps(value, bias);
                    // SAFETY: of the values only those of the mask are read and written; no other task has them.
                    unsafe {
                        if let Some(residual) = self.finish.residual {
                            let residual = _mm512_maskz_loadu_ps(mask, residual[to..][..count].as_ptr());
                            value = _mm512_add_ps(value, residual);
                        }
                        if self.finish.relu {
                            // NaN stays.
                            value = _mm512_max_ps(_mm512_setzero_ps(), value);
                        }
                        _mm512_mask_storeu_ps(self.out.room(to, count), mask, value);
                    }
                }
            }
        }
    }

    /// The first `count` lanes.
    fn mask(count: usize) -> __mmask16 {
        if count < LANES { (1 << count) - 1 } else { __mmask16::MAX }
    }

    /// `B^T` of four values.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn turned(x: [__m512; SIDE]) -> [__m512; SIDE] {
        [
            _mm512_sub_ps(x[0], x[2]),
            _mm512_add_ps(x[1], x[2]),
            _mm512_sub_ps(x[2], x[1]),
            _mm512_sub_ps(x[1], x[3]),
        ]
    }

    /// `A^T` of four values.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn back(s: [__m512; SIDE]) -> [__m512; OUT] {
        [_mm512_add_ps(_mm512_add_ps(s[0], s[1]), s[2]), _mm512_sub_ps(_mm512_sub_ps(s[1], s[2]), s[3])]
    }
}
