//! The transforms of tiles by vectors of channels.

#[cfg(target_arch = "x86_64")]
mod by_vectors {
    use std::arch::x86_64::*;

    use super::super::super::product::{PANEL, STEP};
    use super::super::super::vectors::{put, widened, widened_half};
    use super::super::{HalfBlock, OUT, PLACES, SIDE};

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
            assert!((PLACES - 1) * place + (run - 1) * self.row + LANES <= to.len(), "room for tiles");
            let pixels = PixelLines::new(self, &from, channel);
            let (mut first, mut second) = (pixels.column(from.left), pixels.column(from.left + 1));
            for index in 0..run {
                let x = from.left + index * OUT;
                let (third, fourth) = (pixels.column(x + 2), pixels.column(x + 3));
                for row in 0..SIDE {
                    let values = turned([first[row], second[row], third[row], fourth[row]]);
                    for (column, value) in values.into_iter().enumerate() {
                        // SAFETY: there is room for sixteen values of every place, as was just seen.
                        unsafe {
                            let to = to.as_mut_ptr().add((row * SIDE + column) * place + index * self.row);
                            let bf16 = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(value));
                            _mm256_storeu_si256(to.cast(), bf16);
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
            for (index, tile) in self.tiles.clone().enumerate() {
                self.finish_tile(&sums[index * PANEL..], place, panel * PANEL, self.place(tile));
            }
        }

        /// The outputs of a panel of one tile.
        #[expect(clippy::needless_range_loop, reason = "rows and columns of registers, by number")]
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
        fn finish_tile(&self, sums: &[f32], place: usize, channel: usize, at: TilePlace) {
            let ([height, width], row) = (self.shape.out_size(), self.finish.row);
            assert!((PLACES - 1) * place + PANEL <= sums.len(), "sums of a tile");
            let bias = self.finish.bias[channel..][..PANEL].as_ptr();
            let mut values = [[[_mm512_setzero_ps(); 2]; OUT]; OUT];
            for half in 0..2 {
                let mut columns = [[_mm512_setzero_ps(); OUT]; SIDE];
                // SAFETY: sixteen values are there, as was just seen.
                let bias = unsafe {
                    for column in 0..SIDE {
                        let from = sums.as_ptr().add(column * place + half * LANES);
                        columns[column] =
                            back([0, 1, 2, 3].map(|row| _mm512_loadu_ps(from.add(row * SIDE * place))));
                    }
                    _mm512_loadu_ps(bias.add(half * LANES))
                };
                for row in 0..OUT {
                    let both = back([columns[0][row], columns[1][row], columns[2][row], columns[3][row]]);
                    for column in 0..OUT {
                        values[row][column][half] = _mm512_add_ps(both[column], bias);
                    }
                }
            }
            for down in 0..OUT.min(height - at.top) {
                for right in 0..OUT.min(width - at.left) {
                    let pixel = (at.image * height + at.top + down) * width + at.left + right;
                    let to = pixel * row + channel;
                    let mut both = values[down][right];
                    if let Some(residual) = self.finish.residual {
                        // SAFETY: 32 values are there.
                        let residual = unsafe { widened(residual.values()[to..][..PANEL].as_ptr()) };
                        both = [_mm512_add_ps(both[0], residual[0]), _mm512_add_ps(both[1], residual[1])];
                    }
                    // SAFETY: there is room for 32 values, which no other task has.
                    unsafe { put(both, self.finish.relu, self.finish.out.room(to, PANEL)) };
                }
            }
        }
    }

    /// What is around the maps.
    static NOTHING: [u16; LANES] = [0; LANES];

    /// Four lines of pixels of one map, of each pixel some channels.
    struct PixelLines {
        /// The first pixel of each, and values from one to the next: none where there is no such line.
        lines: [(*const u16, usize); SIDE],
        width: usize,
        padding: usize,
    }

    impl PixelLines {
        fn new(block: &HalfBlock<'_>, at: &TilePlace, channel: usize) -> Self {
            let ([height, width], padding) = (block.shape.size, block.shape.padding);
            let (values, row) = (block.x.values(), block.x.row());
            let lines = std::array::from_fn(|line| {
                match (at.top + line).checked_sub(padding).filter(|y| *y < height) {
                    Some(y) => {
                        let first = (at.image * height + y) * width * row + channel;
                        (values[first..first + (width - 1) * row + LANES].as_ptr(), row)
                    }
                    None => (NOTHING.as_ptr(), 0),
                }
            });
            Self { lines, width, padding }
        }

        /// The transformed column of pixels `at`, of the padded map.
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
        fn column(&self, at: usize) -> [__m512; SIDE] {
            let x = at.wrapping_sub(self.padding);
            if x >= self.width {
                return [_mm512_setzero_ps(); SIDE];
            }
            let [a, b, c, d] = self.lines;
            // SAFETY: every line has so many pixels of so many values, or is one of sixteen zeros.
            let pixel = |(line, row): (*const u16, usize)| unsafe { widened_half(line.add(x * row)) };
            turned([pixel(a), pixel(b), pixel(c), pixel(d)])
        }
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
