//! Tiles of maps to the places where they are multiplied, and back.

use std::ops::{Deref, DerefMut, Range};

use rayon::prelude::*;

use super::lines::{SIDE, TILE, both, gradient_line, input_line, output_line};
use crate::kernel::scratch::Shared;
use crate::kernel::shape::{Finish, Shape};
use crate::kernel::simd::{Isa, PAD, SimdJob, Vector};

/// Places of an input tile.
pub const PLACES: usize = SIDE * SIDE;

/// Tiles that a worker takes at a time where all share them.
const TILES_AT_ONCE: usize = 4;

/// Whose work it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Workers {
    /// The calling thread's.
    This,
    /// All threads'.
    All,
}

/// Values between two places of a block: one line more, so that 36 places do not share a cache set.
fn place_stride(tiles: usize, channels: usize) -> usize {
    tiles * channels + PAD
}

/// Maps that tiles are read from.
pub struct TileMaps<'a> {
    values: &'a [f32],
    /// What is around the map: as many zeros as there are channels.
    zeros: Vec<f32>,
}

impl<'a> TileMaps<'a> {
    /// `values`: `[batch, height, width, channels]`.
    pub fn new(values: &'a [f32], channels: usize) -> Self {
        Self { values, zeros: vec![0.0; channels] }
    }
}

/// Where tiles lie in a batch of maps.
#[derive(Clone, Copy)]
pub struct Tiling {
    pub shape: Shape,
    /// Tiles down and across.
    grid: [usize; 2],
}

/// Where each pixel's channels begin, all of them; pixels outside of the map point to zeros.
type Pixels<const N: usize> = [[*const f32; N]; N];

impl Tiling {
    /// The tiles of a convolution that has this form.
    pub fn new(shape: Shape) -> Self {
        shape.check();
        assert!(shape.side == 3 && shape.stride == 1 && shape.padding <= 2, "{shape:?}");
        Self { shape, grid: shape.out_size().map(|size| size.div_ceil(TILE)) }
    }

    /// Tiles of all maps.
    pub fn count(&self) -> usize {
        self.shape.batch * self.grid[0] * self.grid[1]
    }

    /// Image, and first output row and column, of a tile.
    fn place(&self, tile: usize) -> (usize, usize, usize) {
        let [down, across] = self.grid;
        let (image, within) = (tile / (down * across), tile % (down * across));
        (image, within / across * TILE, within % across * TILE)
    }

    /// The input pixels of a tile.
    fn input_pixels(&self, tile: usize, maps: &TileMaps<'_>) -> Pixels<SIDE> {
        let (image, row, column) = self.place(tile);
        let corner = [row, column].map(|at| at as isize - self.shape.padding as isize);
        pixels(maps, self.shape.size, image, corner, self.shape.channels[0])
    }

    /// The output pixels of a tile, to read from.
    fn output_pixels(&self, tile: usize, maps: &TileMaps<'_>) -> Pixels<TILE> {
        let (image, row, column) = self.place(tile);
        let corner = [row as isize, column as isize];
        pixels(maps, self.shape.out_size(), image, corner, self.shape.channels[1])
    }

    /// Where the first output pixel's channels begin, and how many rows and columns of the tile there are.
    fn output_corner(&self, tile: usize) -> (usize, [usize; 2]) {
        let (image, row, column) = self.place(tile);
        let [height, width] = self.shape.out_size();
        let offset = ((image * height + row) * width + column) * self.shape.channels[1];
        (offset, [TILE.min(height - row), TILE.min(width - column)])
    }
}

#[inline(always)]
fn pixels<const N: usize>(
    maps: &TileMaps<'_>,
    [height, width]: [usize; 2],
    image: usize,
    [top, left]: [isize; 2],
    channels: usize,
) -> Pixels<N> {
    let mut pixels = [[maps.zeros[..channels].as_ptr(); N]; N];
    for (i, row) in pixels.iter_mut().enumerate() {
        let y = top + i as isize;
        if y < 0 || y >= height as isize {
            continue;
        }
        let first = (image * height + y as usize) * width;
        for (j, pixel) in row.iter_mut().enumerate() {
            let x = left + j as isize;
            if x >= 0 && x < width as isize {
                *pixel = maps.values[(first + x as usize) * channels..][..channels].as_ptr();
            }
        }
    }
    pixels
}

/// Loads `count` channels.
///
/// # Safety
/// The processor has the vector's instructions; `from` is good for `count` values, at most as many as there are
/// lanes.
#[inline(always)]
unsafe fn load<V: Vector>(from: *const f32, count: usize) -> V {
    // SAFETY: the caller's.
    unsafe { if count < V::LANES { V::load_part(from, count) } else { V::load(from) } }
}

/// Transforms one tile of pixels to its places in a block, channel by channel. Made by [`Block::gather`] only.
struct Gather<'a, const N: usize> {
    /// Good for `channels` values each.
    pixels: &'a Pixels<N>,
    channels: usize,
    /// First value of the tile at place 0: here and at every other place it is good for the channels, padded.
    to: *mut f32,
    /// Values from one place to the next.
    stride: usize,
}

impl<const N: usize> Gather<'_, N> {
    /// The vector of channels that starts at `channel`, `count` of them being there.
    ///
    /// # Safety
    /// The processor has the vector's instructions; there are so many channels.
    #[inline(always)]
    unsafe fn part<V: Vector>(&self, channel: usize, count: usize) {
        // SAFETY: pixels are good for all channels; the rest is the caller's.
        unsafe {
            if N == SIDE {
                both!(input_line: SIDE => SIDE,
                    load(i, j) load::<V>(self.pixels[i][j].add(channel), count),
                    store(j, column) self.store(channel, j, column));
            } else {
                both!(gradient_line: TILE => SIDE,
                    load(i, j) load::<V>(self.pixels[i][j].add(channel), count),
                    store(j, column) self.store(channel, j, column));
            }
        }
    }

    /// Column `j` of the transformed tile.
    ///
    /// # Safety
    /// The processor has the vector's instructions; `channel` is a multiple of its lanes, and there.
    #[inline(always)]
    unsafe fn store<V: Vector>(&self, channel: usize, j: usize, column: [V; SIDE]) {
        for (i, value) in column.into_iter().enumerate() {
            // SAFETY: the tile has the padded channels at every place.
            unsafe { value.store(self.to.add((i * SIDE + j) * self.stride + channel)) };
        }
    }
}

impl<const N: usize> SimdJob for Gather<'_, N> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let whole = self.channels / V::LANES * V::LANES;
        // SAFETY: the parts make up the channels; the vector is the caller's.
        unsafe {
            for channel in (0..whole).step_by(V::LANES) {
                self.part::<V>(channel, V::LANES);
            }
            if whole < self.channels {
                self.part::<V>(whole, self.channels - whole);
            }
        }
    }
}

/// Where the results of a convolution go.
pub struct TileOutput<'a> {
    tiling: &'a Tiling,
    finish: Finish<'a>,
    values: Shared<'a>,
}

impl<'a> TileOutput<'a> {
    /// `values`: `[batch, out height, out width, out]`.
    pub fn new(tiling: &'a Tiling, finish: Finish<'a>, values: Shared<'a>) -> Self {
        finish.check(&tiling.shape);
        assert_eq!(values.len(), tiling.shape.output_len());
        Self { tiling, finish, values }
    }

    /// The pixels of output tile `tile`, finished, from tile `index` of `products`, whose channels are the output's
    /// `channels`.
    ///
    /// # Safety
    /// Nobody else reads or writes these channels of the tile meanwhile.
    pub unsafe fn scatter<M: Deref<Target = [f32]>>(
        &self,
        isa: Isa,
        products: &Block<M>,
        index: usize,
        tile: usize,
        channels: Range<usize>,
    ) {
        let all = self.tiling.shape.channels[1];
        assert!(index < products.tiles && channels.len() <= products.channels);
        assert!(tile < self.tiling.count() && channels.end <= all);
        isa.run(Scatter {
            from: products.memory[index * products.channels..].as_ptr(),
            stride: products.stride,
            corner: self.tiling.output_corner(tile),
            row: self.tiling.shape.out_size()[1] * all,
            pixel: all,
            channels,
            finish: self.finish,
            out: self.values.at(0),
        });
    }
}

/// Transforms one tile of products back to its pixels. Made by [`TileOutput::scatter`] only, of a tile that is there
/// in an output and a finish that are whole.
struct Scatter<'a> {
    /// First value of the tile at place 0: here and at every other place it is good for the channels, padded.
    from: *const f32,
    /// Values from one place to the next.
    stride: usize,
    /// Offset of the first pixel, and rows and columns that are there.
    corner: (usize, [usize; 2]),
    /// Values from one row of the map to the next.
    row: usize,
    /// Values from one pixel to the next.
    pixel: usize,
    /// The channels that the block holds.
    channels: Range<usize>,
    finish: Finish<'a>,
    out: *mut f32,
}

impl Scatter<'_> {
    /// The vector of the block's channels that starts at `index`, `count` of them being there.
    ///
    /// # Safety
    /// The processor has the vector's instructions; there are so many channels, `index` a multiple of its lanes.
    #[inline(always)]
    unsafe fn part<V: Vector>(&self, index: usize, count: usize) {
        let channel = self.channels.start + index;
        // SAFETY: scale and bias have every channel, the tile the padded ones; the rest is the caller's.
        unsafe {
            let scale = match self.finish.scale {
                Some(scale) => load(scale.as_ptr().add(channel), count),
                None => V::splat(1.0),
            };
            let bias = match self.finish.bias {
                Some(bias) => load(bias.as_ptr().add(channel), count),
                None => V::splat(0.0),
            };
            both!(output_line: SIDE => TILE,
            load(i, j) V::load(self.from.add((i * SIDE + j) * self.stride + index)),
            store(j, column) {
                for (i, value) in column.into_iter().enumerate() {
                    self.store(i, j, channel, count, value.mul_add(scale, bias));
                }
            });
        }
    }

    /// Pixel (i, j) of the tile, where there is one.
    ///
    /// # Safety
    /// As [`Scatter::part`].
    #[inline(always)]
    unsafe fn store<V: Vector>(&self, i: usize, j: usize, channel: usize, count: usize, mut value: V) {
        let (corner, [rows, columns]) = self.corner;
        if i >= rows || j >= columns {
            return;
        }
        let at = corner + i * self.row + j * self.pixel + channel;
        // SAFETY: a pixel that is there, in the output and the residual; the rest is the caller's.
        unsafe {
            if let Some(residual) = self.finish.residual {
                value = value.add(load(residual.as_ptr().add(at), count));
            }
            if self.finish.relu {
                value = V::splat(0.0).max(value);
            }
            let to = self.out.add(at);
            if count < V::LANES { value.store_part(to, count) } else { value.store(to) }
        }
    }
}

impl SimdJob for Scatter<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let whole = self.channels.len() / V::LANES * V::LANES;
        // SAFETY: the parts make up the channels; the vector is the caller's.
        unsafe {
            for index in (0..whole).step_by(V::LANES) {
                self.part::<V>(index, V::LANES);
            }
            if whole < self.channels.len() {
                self.part::<V>(whole, self.channels.len() - whole);
            }
        }
    }
}

/// Tiles of a map, side by side in every place.
pub struct Block<M> {
    memory: M,
    tiles: usize,
    /// Values from one tile to the next: a multiple of [`PAD`].
    channels: usize,
    /// Values from one place to the next.
    stride: usize,
}

/// Values that a block of `tiles` takes.
pub fn block_len(tiles: usize, channels: usize) -> usize {
    PLACES * place_stride(tiles, channels)
}

impl<M: Deref<Target = [f32]>> Block<M> {
    /// A block of `tiles` in `memory`, of `channels` padded.
    pub fn new(memory: M, tiles: usize, channels: usize) -> Self {
        assert!(memory.len() >= block_len(tiles, channels) && channels.is_multiple_of(PAD));
        Self { memory, tiles, channels, stride: place_stride(tiles, channels) }
    }

    /// Values from one tile to the next.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// A place, `[tiles, channels]`.
    pub fn place(&self, place: usize) -> &[f32] {
        &self.memory[place * self.stride..][..self.tiles * self.channels]
    }
}

impl<M: DerefMut<Target = [f32]>> Block<M> {
    /// A place, `[tiles, channels]`.
    pub fn place_mut(&mut self, place: usize) -> &mut [f32] {
        &mut self.memory[place * self.stride..][..self.tiles * self.channels]
    }

    /// The first tiles of the block become the transforms of input tiles `tiles`.
    pub fn gather_input(
        &mut self,
        isa: Isa,
        workers: Workers,
        tiling: &Tiling,
        maps: &TileMaps<'_>,
        tiles: Range<usize>,
    ) {
        let channels = tiling.shape.channels[0];
        self.gather(isa, workers, tiles, channels, |tile| tiling.input_pixels(tile, maps));
    }

    /// The first tiles of the block become the transforms of the output gradient's tiles `tiles`.
    pub fn gather_gradient(
        &mut self,
        isa: Isa,
        workers: Workers,
        tiling: &Tiling,
        maps: &TileMaps<'_>,
        tiles: Range<usize>,
    ) {
        let channels = tiling.shape.channels[1];
        self.gather(isa, workers, tiles, channels, |tile| tiling.output_pixels(tile, maps));
    }

    /// `pixels` are good for `channels` values each.
    #[inline(always)]
    fn gather<const N: usize>(
        &mut self,
        isa: Isa,
        workers: Workers,
        tiles: Range<usize>,
        channels: usize,
        pixels: impl Fn(usize) -> Pixels<N> + Sync,
    ) {
        assert!(tiles.len() <= self.tiles && channels <= self.channels);
        let (count, row, stride) = (tiles.len(), self.channels, self.stride);
        // Each tile is written by one worker.
        let memory = Shared::new(&mut self.memory);
        let tile = |index: usize| {
            let pixels = &pixels(tiles.start + index);
            isa.run(Gather { pixels, channels, to: memory.at(index * row), stride });
        };
        match workers {
            Workers::This => (0..count).for_each(tile),
            Workers::All => (0..count).into_par_iter().with_min_len(TILES_AT_ONCE).for_each(tile),
        }
    }
}
