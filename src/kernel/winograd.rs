//! 3x3 convolutions of stride 1 in Winograd's form F(4x4, 3x3): 36 products of matrices for 16
//! outputs, a quarter of the multiplications (Lavin and Gray 2016, "Fast Algorithms for
//! Convolutional Neural Networks"). The points of interpolation are 0, ±1/√2, ±√2 and infinity,
//! whose rounding error is less than half of that of the usual 0, ±1, ±2 and infinity.
//!
//! An output tile `y = A^T [(G w G^T) * (B^T x B)] A`, the product running over input channels
//! for each of the 36 places. A block of tiles is transformed, multiplied and transformed back
//! by one worker while it lies in its cache. The gradient of the weight has the same form read
//! backwards: `G^T [(B^T x B) * (A dy A^T)] G`, summed over tiles.

use rayon::prelude::*;

use super::gemm::{PANEL, Product, Right};
use super::scratch::{self, Kept, Shared};
use super::shape::{Finish, Shape};
use super::simd::{Isa, Job, PAD, Vector, padded};

/// Side of an output tile.
const TILE: usize = 4;
/// Side of an input tile.
const SIDE: usize = 6;
/// Places of an input tile.
const PLACES: usize = SIDE * SIDE;
/// Bytes that a block's transforms may take: the working set stays near a core's cache.
const BLOCK_BYTES: usize = 1 << 20;
/// Most and least tiles of a block; multiples of the product's rows.
const BLOCK_TILES: [usize; 2] = [28, 112];
/// Values of both operands of the weight's gradient held at a time.
const CHUNK_VALUES: usize = 3 << 20;

/// Where tiles lie in a batch of maps.
#[derive(Clone, Copy)]
struct Tiling {
    shape: Shape,
    /// Tiles down and across.
    grid: [usize; 2],
}

impl Tiling {
    fn new(shape: Shape) -> Self {
        Self { shape, grid: shape.out_size().map(|size| size.div_ceil(TILE)) }
    }

    fn count(&self) -> usize {
        self.shape.batch * self.grid[0] * self.grid[1]
    }

    /// Image, and first output row and column, of a tile.
    fn place(&self, tile: usize) -> (usize, usize, usize) {
        let [down, across] = self.grid;
        let within = tile % (down * across);
        (tile / (down * across), within / across * TILE, within % across * TILE)
    }

    /// Offsets of the pixels of an `N` by `N` tile at (y, x) of an image; `None` outside the map.
    #[inline(always)]
    fn pixels<const N: usize>(
        [height, width]: [usize; 2],
        image: usize,
        (y, x): (isize, isize),
        channels: usize,
    ) -> [[Option<usize>; N]; N] {
        std::array::from_fn(|i| {
            std::array::from_fn(|j| {
                let (row, column) = (y + i as isize, x + j as isize);
                let is_inside =
                    row >= 0 && column >= 0 && (row as usize) < height && (column as usize) < width;
                is_inside.then(|| ((image * height + row as usize) * width + column as usize) * channels)
            })
        })
    }

    fn input_pixels(&self, tile: usize) -> [[Option<usize>; SIDE]; SIDE] {
        let (image, y, x) = self.place(tile);
        let padding = self.shape.padding as isize;
        let corner = (y as isize - padding, x as isize - padding);
        Self::pixels(self.shape.size, image, corner, self.shape.channels[0])
    }

    fn output_pixels(&self, tile: usize) -> [[Option<usize>; TILE]; TILE] {
        let (image, y, x) = self.place(tile);
        Self::pixels(self.shape.out_size(), image, (y as isize, x as isize), self.shape.channels[1])
    }
}

/// Whether this form does less work than a plain product, transforms included.
pub fn pays(shape: &Shape) -> bool {
    let out = shape.out_size();
    let covered: usize = out.iter().map(|size| size.div_ceil(TILE) * SIDE).product();
    shape.winograd
        && shape.side == 3
        && shape.stride == 1
        && shape.padding <= 2
        && shape.channels[0] >= 8
        && covered * 3 < out[0] * out[1] * 9 * 2
}

/// Values between two places of a block: one line more, so that 36 places do not share a cache set.
fn place_stride(tiles: usize, channels: usize) -> usize {
    tiles * channels + PAD
}

/// The two pairs of points, and what the transforms need of them.
const NEAR: f32 = std::f32::consts::FRAC_1_SQRT_2;
const FAR: f32 = std::f32::consts::SQRT_2;

/// `B^T v`: one dimension of the input transform.
#[inline(always)]
unsafe fn input_line<V: Vector>(v: [V; SIDE]) -> [V; SIDE] {
    unsafe {
        let (near, far, middle) = (V::splat(NEAR), V::splat(FAR), V::splat(-2.5));
        let even = V::splat(-2.0).mul_add(v[2], v[4]);
        let odd = near.mul(v[3]).sub(far.mul(v[1]));
        let even_far = V::splat(-0.5).mul_add(v[2], v[4]);
        let odd_far = far.mul(v[3]).sub(near.mul(v[1]));
        [
            middle.mul_add(v[2], v[0].add(v[4])),
            even.add(odd),
            even.sub(odd),
            even_far.add(odd_far),
            even_far.sub(odd_far),
            middle.mul_add(v[3], v[1].add(v[5])),
        ]
    }
}

/// `A^T v`: one dimension of the output transform.
#[inline(always)]
unsafe fn output_line<V: Vector>(v: [V; SIDE]) -> [V; TILE] {
    unsafe {
        let (even, odd) = (v[1].add(v[2]), v[1].sub(v[2]));
        let (even_far, odd_far) = (v[3].add(v[4]), v[3].sub(v[4]));
        let third = V::splat(2.0 * FAR).mul_add(odd_far, v[5]);
        [
            v[0].add(even).add(even_far),
            V::splat(FAR).mul_add(odd_far, V::splat(NEAR).mul(odd)),
            V::splat(2.0).mul_add(even_far, V::splat(0.5).mul(even)),
            V::splat(0.5 * NEAR).mul_add(odd, third),
        ]
    }
}

/// `A v`: one dimension of the output gradient's transform.
#[inline(always)]
unsafe fn gradient_line<V: Vector>(v: [V; TILE]) -> [V; SIDE] {
    unsafe {
        let even = V::splat(0.5).mul_add(v[2], v[0]);
        let odd = V::splat(0.5 * NEAR).mul_add(v[3], V::splat(NEAR).mul(v[1]));
        let even_far = V::splat(2.0).mul_add(v[2], v[0]);
        let odd_far = V::splat(2.0 * FAR).mul_add(v[3], V::splat(FAR).mul(v[1]));
        [v[0], even.add(odd), even.sub(odd), even_far.add(odd_far), even_far.sub(odd_far), v[3]]
    }
}

/// `G v`: one dimension of the weight's transform.
#[inline(always)]
unsafe fn weight_line<V: Vector>(v: [V; 3]) -> [V; SIDE] {
    unsafe {
        let even = V::splat(-2.0 / 3.0).mul(V::splat(0.5).mul_add(v[2], v[0]));
        let odd = V::splat(-2.0 / 3.0 * NEAR).mul(v[1]);
        let even_far = V::splat(1.0 / 6.0).mul(V::splat(2.0).mul_add(v[2], v[0]));
        let odd_far = V::splat(1.0 / 6.0 * FAR).mul(v[1]);
        [v[0], even.add(odd), even.sub(odd), even_far.add(odd_far), even_far.sub(odd_far), v[2]]
    }
}

/// `G^T v`: one dimension of the weight gradient's way back.
#[inline(always)]
unsafe fn weight_back_line<V: Vector>(v: [V; SIDE]) -> [V; 3] {
    unsafe {
        let (even, odd) = (v[1].add(v[2]), v[1].sub(v[2]));
        let (even_far, odd_far) = (v[3].add(v[4]), v[3].sub(v[4]));
        let first = V::splat(-2.0 / 3.0).mul_add(even, v[0]);
        let second = V::splat(-2.0 / 3.0 * NEAR).mul(odd);
        [
            V::splat(1.0 / 6.0).mul_add(even_far, first),
            V::splat(1.0 / 6.0 * FAR).mul_add(odd_far, second),
            V::splat(1.0 / 3.0).mul_add(even_far.sub(even), v[5]),
        ]
    }
}

/// A transform of both dimensions: columns, then rows.
macro_rules! both {
    ($line:ident, $from:expr, $to:expr, $v:expr) => {{
        let v = $v;
        let mut half = [[V::splat(0.0); $from]; $to];
        for j in 0..$from {
            let mut column = [V::splat(0.0); $from];
            for i in 0..$from {
                column[i] = v[i][j];
            }
            let line = $line(column);
            for i in 0..$to {
                half[i][j] = line[i];
            }
        }
        let mut full = [[V::splat(0.0); $to]; $to];
        for i in 0..$to {
            full[i] = $line(half[i]);
        }
        full
    }};
}

/// Transforms one tile of pixels to its places in a block, channel by channel.
struct Gather<'a, const N: usize> {
    from: &'a [f32],
    pixels: [[Option<usize>; N]; N],
    channels: usize,
    /// First value of the tile at place 0.
    to: *mut f32,
    stride: usize,
}

impl<const N: usize> Job for Gather<'_, N> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        for channel in (0..padded(self.channels)).step_by(V::LANES) {
            let left = self.channels.saturating_sub(channel);
            unsafe {
                let mut v = [[V::splat(0.0); N]; N];
                for i in 0..N {
                    for j in 0..N {
                        if let Some(offset) = self.pixels[i][j] {
                            let from = self.from.as_ptr().add(offset + channel);
                            v[i][j] = match left {
                                0 => V::splat(0.0),
                                left if left < V::LANES => V::load_part(from, left),
                                _ => V::load(from),
                            };
                        }
                    }
                }
                let full = if N == SIDE {
                    let mut tile = [[V::splat(0.0); SIDE]; SIDE];
                    for i in 0..SIDE {
                        for j in 0..SIDE {
                            tile[i][j] = v[i.min(N - 1)][j.min(N - 1)];
                        }
                    }
                    both!(input_line, SIDE, SIDE, tile)
                } else {
                    let mut tile = [[V::splat(0.0); TILE]; TILE];
                    for i in 0..TILE {
                        for j in 0..TILE {
                            tile[i][j] = v[i][j];
                        }
                    }
                    both!(gradient_line, TILE, SIDE, tile)
                };
                for i in 0..SIDE {
                    for j in 0..SIDE {
                        full[i][j].store(self.to.add((i * SIDE + j) * self.stride + channel));
                    }
                }
            }
        }
    }
}

/// Transforms one tile of products back to its pixels.
struct Scatter<'a> {
    from: *const f32,
    stride: usize,
    pixels: [[Option<usize>; TILE]; TILE],
    channels: usize,
    finish: Finish<'a>,
    out: *mut f32,
}

impl Job for Scatter<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        for channel in (0..self.channels).step_by(V::LANES) {
            let count = V::LANES.min(self.channels - channel);
            unsafe {
                let load = |from: *const f32| {
                    if count < V::LANES { V::load_part(from, count) } else { V::load(from) }
                };
                let mut v = [[V::splat(0.0); SIDE]; SIDE];
                for i in 0..SIDE {
                    for j in 0..SIDE {
                        v[i][j] = V::load(self.from.add((i * SIDE + j) * self.stride + channel));
                    }
                }
                let y = both!(output_line, SIDE, TILE, v);
                let per_channel = |values: Option<&[f32]>, none: f32| match values {
                    Some(values) => load(values.as_ptr().add(channel)),
                    None => V::splat(none),
                };
                let scale = per_channel(self.finish.scale, 1.0);
                let bias = per_channel(self.finish.bias, 0.0);
                for i in 0..TILE {
                    for j in 0..TILE {
                        let Some(offset) = self.pixels[i][j] else { continue };
                        let mut value = y[i][j].mul_add(scale, bias);
                        if let Some(residual) = self.finish.residual {
                            value = value.add(load(residual.as_ptr().add(offset + channel)));
                        }
                        if self.finish.relu {
                            value = value.max(V::splat(0.0));
                        }
                        let to = self.out.add(offset + channel);
                        if count < V::LANES { value.store_part(to, count) } else { value.store(to) }
                    }
                }
            }
        }
    }
}

/// `G w G^T` of [`PAD`] output channels for every input channel, in the product's panels.
struct Weights<'a> {
    value: &'a (dyn Fn(usize, usize, usize) -> f32 + Sync),
    channels: [usize; 2],
    /// First of the output channels.
    first: usize,
    out: *mut f32,
}

impl Job for Weights<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let [input, output] = self.channels;
        let total = padded(output);
        let panel = self.first / PANEL * PANEL;
        let width = PANEL.min(total - panel);
        for c in 0..input {
            let mut raw = [[0.0f32; PAD]; 9];
            for lane in 0..PAD.min(output - self.first) {
                for (tap, row) in raw.iter_mut().enumerate() {
                    row[lane] = (self.value)(self.first + lane, c, tap);
                }
            }
            for lane in (0..PAD).step_by(V::LANES) {
                unsafe {
                    let mut half = [[V::splat(0.0); 3]; SIDE];
                    for j in 0..3 {
                        let mut column = [V::splat(0.0); 3];
                        for i in 0..3 {
                            column[i] = V::load(raw[3 * i + j].as_ptr().add(lane));
                        }
                        let line = weight_line(column);
                        for i in 0..SIDE {
                            half[i][j] = line[i];
                        }
                    }
                    for i in 0..SIDE {
                        let line = weight_line(half[i]);
                        for j in 0..SIDE {
                            let matrix = self.out.add((i * SIDE + j) * input * total);
                            let at = panel * input + c * width + self.first - panel + lane;
                            line[j].store(matrix.add(at));
                        }
                    }
                }
            }
        }
    }
}

/// All 36 transformed weights: `value(output, input, tap)` reads the weight.
fn transformed(isa: Isa, channels: [usize; 2], value: &(dyn Fn(usize, usize, usize) -> f32 + Sync)) -> Kept {
    let mut out = scratch::kept(PLACES * channels[0] * padded(channels[1]));
    // Each worker writes channels of its own.
    let shared = Shared(out.as_mut_ptr());
    (0..channels[1]).into_par_iter().step_by(PAD).for_each(|first| {
        isa.run(Weights { value, channels, first, out: shared.get() });
    });
    out
}

/// The convolution. `x`: `[batch, height, width, in]`, `weight`: `[out, in, 3, 3]`.
pub fn forward(isa: Isa, shape: &Shape, x: &[f32], weight: &[f32], finish: Finish) -> Vec<f32> {
    let input = shape.channels[0];
    convolve(isa, shape, x, &|o, i, tap| weight[(o * input + i) * 9 + tap], finish)
}

/// The gradient of the input: a convolution of the output's gradient with the weight turned by
/// half a turn and its channels swapped. `weight` is that of the forward pass.
pub fn input_gradient(isa: Isa, shape: &Shape, weight: &[f32], dy: &[f32]) -> Vec<f32> {
    let [input, output] = shape.channels;
    let turned =
        Shape { size: shape.out_size(), channels: [output, input], padding: 2 - shape.padding, ..*shape };
    convolve(isa, &turned, dy, &|o, i, tap| weight[(i * input + o) * 9 + 8 - tap], Finish::default())
}

fn convolve(
    isa: Isa,
    shape: &Shape,
    x: &[f32],
    weight: &(dyn Fn(usize, usize, usize) -> f32 + Sync),
    finish: Finish,
) -> Vec<f32> {
    let tiling = Tiling::new(*shape);
    let [input, output] = shape.channels.map(padded);
    let weights = transformed(isa, shape.channels, weight);
    let mut out = scratch::unset(shape.output_len());
    // Each worker writes the pixels of its own tiles.
    let shared = Shared(out.as_mut_ptr());
    let fitting = BLOCK_BYTES / (4 * PLACES * (input + output));
    let even = tiling.count().div_ceil(rayon::current_num_threads());
    let block = fitting.clamp(BLOCK_TILES[0], BLOCK_TILES[1]).min(even).max(1);
    let strides = [place_stride(block, input), place_stride(block, output)];
    (0..tiling.count().div_ceil(block)).into_par_iter().for_each(|index| {
        let tiles = index * block..((index + 1) * block).min(tiling.count());
        scratch::with(PLACES * (strides[0] + strides[1]), |memory| {
            let (left, product) = memory.split_at_mut(PLACES * strides[0]);
            for (t, tile) in tiles.clone().enumerate() {
                let to = left[t * input..].as_mut_ptr();
                let pixels = tiling.input_pixels(tile);
                isa.run(Gather::<SIDE> {
                    from: x,
                    pixels,
                    channels: shape.channels[0],
                    to,
                    stride: strides[0],
                });
            }
            for place in 0..PLACES {
                isa.run(Product {
                    m: tiles.len(),
                    n: output,
                    k: shape.channels[0],
                    a: left[place * strides[0]..].as_ptr(),
                    a_row: input,
                    a_step: 1,
                    b: weights[place * shape.channels[0] * output..].as_ptr(),
                    right: Right::Panels,
                    c: product[place * strides[1]..].as_mut_ptr(),
                    c_row: output,
                    add: false,
                });
            }
            for (t, tile) in tiles.enumerate() {
                let from = product[t * output..].as_ptr();
                let pixels = tiling.output_pixels(tile);
                let channels = shape.channels[1];
                isa.run(Scatter { from, stride: strides[1], pixels, channels, finish, out: shared.get() });
            }
        });
    });
    out
}

/// The gradient of the weight, `[out, in, 3, 3]`; the same to the bit for any number of threads.
pub fn weight_gradient(isa: Isa, shape: &Shape, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let tiling = Tiling::new(*shape);
    let [input, output] = shape.channels.map(padded);
    let chunk = (CHUNK_VALUES / (PLACES * (input + output))).max(64).min(tiling.count());
    let strides = [place_stride(chunk, input), place_stride(chunk, output)];
    let mut left = scratch::kept(PLACES * strides[0]);
    let mut right = scratch::kept(PLACES * strides[1]);
    let mut sums = scratch::kept(PLACES * input * output);
    for first in (0..tiling.count()).step_by(chunk) {
        let tiles = chunk.min(tiling.count() - first);
        // Each worker writes its own tiles.
        let to = (Shared(left.as_mut_ptr()), Shared(right.as_mut_ptr()));
        (0..tiles).into_par_iter().with_min_len(8).for_each(|t| unsafe {
            let pixels = tiling.input_pixels(first + t);
            let channels = shape.channels[0];
            let place = to.0.get().add(t * input);
            isa.run(Gather::<SIDE> { from: x, pixels, channels, to: place, stride: strides[0] });
            let pixels = tiling.output_pixels(first + t);
            let channels = shape.channels[1];
            let place = to.1.get().add(t * output);
            isa.run(Gather::<TILE> { from: dy, pixels, channels, to: place, stride: strides[1] });
        });
        sums.par_chunks_mut(input * output).enumerate().for_each(|(place, sum)| {
            isa.run(Product {
                m: input,
                n: output,
                k: tiles,
                a: left[place * strides[0]..].as_ptr(),
                a_row: 1,
                a_step: input,
                b: right[place * strides[1]..].as_ptr(),
                right: Right::Rows(output),
                c: sum.as_mut_ptr(),
                c_row: output,
                add: first > 0,
            });
        });
    }
    weight_from_places(isa, shape, &sums)
}

/// `G^T u G` for every pair of channels, `[36, in, out]` to `[out, in, 3, 3]`.
fn weight_from_places(isa: Isa, shape: &Shape, sums: &[f32]) -> Vec<f32> {
    let mut out = scratch::unset(shape.weight_len());
    // Each worker writes output channels of its own.
    let shared = Shared(out.as_mut_ptr());
    (0..shape.channels[1]).into_par_iter().step_by(PAD).for_each(|first| {
        isa.run(WeightsBack { sums, channels: shape.channels, first, out: shared.get() });
    });
    out
}

/// The way back of [`Weights`].
struct WeightsBack<'a> {
    sums: &'a [f32],
    channels: [usize; 2],
    first: usize,
    out: *mut f32,
}

impl Job for WeightsBack<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let [input, output] = self.channels;
        let (rows, row) = (padded(input), padded(output));
        for c in 0..input {
            let mut raw = [[0.0f32; PAD]; 9];
            for lane in (0..PAD).step_by(V::LANES) {
                unsafe {
                    let mut half = [[V::splat(0.0); SIDE]; 3];
                    for j in 0..SIDE {
                        let mut column = [V::splat(0.0); SIDE];
                        for i in 0..SIDE {
                            let at = ((i * SIDE + j) * rows + c) * row + self.first + lane;
                            column[i] = V::load(self.sums.as_ptr().add(at));
                        }
                        let line = weight_back_line(column);
                        for i in 0..3 {
                            half[i][j] = line[i];
                        }
                    }
                    for i in 0..3 {
                        let line = weight_back_line(half[i]);
                        for j in 0..3 {
                            line[j].store(raw[3 * i + j].as_mut_ptr().add(lane));
                        }
                    }
                }
            }
            for lane in 0..PAD.min(output - self.first) {
                for (tap, row) in raw.iter().enumerate() {
                    let at = ((self.first + lane) * input + c) * 9 + tap;
                    // SAFETY: within the weight, in output channels of this worker.
                    unsafe { *self.out.add(at) = row[lane] };
                }
            }
        }
    }
}
