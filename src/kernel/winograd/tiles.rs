//! Tiles of maps to the places where they are multiplied, and back.

use std::ops::Range;

use super::lines::{SIDE, TILE, both, gradient_line, input_line, output_line};
use crate::kernel::shape::{Finish, Shape};
use crate::kernel::simd::{Isa, Job, PAD, Vector};

/// Places of an input tile.
pub const PLACES: usize = SIDE * SIDE;

/// Values between two places of a block: one line more, so that 36 places do not share a cache set.
fn place_stride(tiles: usize, channels: usize) -> usize {
    tiles * channels + PAD
}

/// Maps that tiles are read from.
pub struct Maps<'a> {
    values: &'a [f32],
    /// What is around the map: as many zeros as there are channels.
    zeros: Vec<f32>,
}

impl<'a> Maps<'a> {
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

/// Where each pixel's channels begin; pixels outside of the map point to zeros.
type Pixels<const N: usize> = [[*const f32; N]; N];

impl Tiling {
    pub fn new(shape: Shape) -> Self {
        Self { shape, grid: shape.out_size().map(|size| size.div_ceil(TILE)) }
    }

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
    fn input_pixels(&self, tile: usize, maps: &Maps) -> Pixels<SIDE> {
        let (image, row, column) = self.place(tile);
        let corner = [row, column].map(|at| at as isize - self.shape.padding as isize);
        pixels(maps, self.shape.size, image, corner, self.shape.channels[0])
    }

    /// The output pixels of a tile, to read from.
    fn output_pixels(&self, tile: usize, maps: &Maps) -> Pixels<TILE> {
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
    maps: &Maps,
    [height, width]: [usize; 2],
    image: usize,
    [top, left]: [isize; 2],
    channels: usize,
) -> Pixels<N> {
    let mut pixels = [[maps.zeros.as_ptr(); N]; N];
    for (i, row) in pixels.iter_mut().enumerate() {
        let y = top + i as isize;
        if y < 0 || y >= height as isize {
            continue;
        }
        let first = (image * height + y as usize) * width;
        for (j, pixel) in row.iter_mut().enumerate() {
            let x = left + j as isize;
            if x >= 0 && x < width as isize {
                *pixel = &raw const maps.values[(first + x as usize) * channels];
            }
        }
    }
    pixels
}

/// Loads `count` channels.
#[inline(always)]
unsafe fn load<V: Vector>(from: *const f32, count: usize) -> V {
    unsafe { if count < V::LANES { V::load_part(from, count) } else { V::load(from) } }
}

/// Transforms one tile of pixels to its places in a block, channel by channel.
struct Gather<'a, const N: usize> {
    pixels: &'a Pixels<N>,
    channels: usize,
    /// First value of the tile at place 0.
    to: *mut f32,
    /// Values from one place to the next.
    stride: usize,
}

impl<const N: usize> Gather<'_, N> {
    /// The vector of channels that starts at `channel`, `count` of them being there.
    #[inline(always)]
    unsafe fn part<V: Vector>(&self, channel: usize, count: usize) {
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
    #[inline(always)]
    unsafe fn store<V: Vector>(&self, channel: usize, j: usize, column: [V; SIDE]) {
        for i in 0..SIDE {
            unsafe { column[i].store(self.to.add((i * SIDE + j) * self.stride + channel)) };
        }
    }
}

impl<const N: usize> Job for Gather<'_, N> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let whole = self.channels / V::LANES * V::LANES;
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

/// Transforms one tile of products back to its pixels.
struct Scatter<'a> {
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
    #[inline(always)]
    unsafe fn part<V: Vector>(&self, index: usize, count: usize) {
        let channel = self.channels.start + index;
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
                for i in 0..TILE {
                    self.store(i, j, channel, count, column[i].mul_add(scale, bias));
                }
            });
        }
    }

    /// Pixel (i, j) of the tile, where there is one.
    #[inline(always)]
    unsafe fn store<V: Vector>(&self, i: usize, j: usize, channel: usize, count: usize, mut value: V) {
        let (corner, [rows, columns]) = self.corner;
        if i >= rows || j >= columns {
            return;
        }
        let at = corner + i * self.row + j * self.pixel + channel;
        unsafe {
            if let Some(residual) = self.finish.residual {
                value = value.add(load(residual.as_ptr().add(at), count));
            }
            if self.finish.relu {
                value = value.max(V::splat(0.0));
            }
            let to = self.out.add(at);
            if count < V::LANES { value.store_part(to, count) } else { value.store(to) }
        }
    }
}

impl Job for Scatter<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let whole = self.channels.len() / V::LANES * V::LANES;
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
#[derive(Clone, Copy)]
pub struct Block {
    /// The first value.
    pub at: *mut f32,
    /// Values from one tile to the next.
    pub channels: usize,
    /// Values from one place to the next.
    pub stride: usize,
}

// SAFETY: whoever shares one says why its writers do not overlap.
unsafe impl Send for Block {}
unsafe impl Sync for Block {}

impl Block {
    /// Values that a block of `tiles` takes.
    pub fn len(tiles: usize, channels: usize) -> usize {
        PLACES * place_stride(tiles, channels)
    }

    /// A block of `tiles` in `memory`.
    pub fn new(memory: &mut [f32], tiles: usize, channels: usize) -> Self {
        assert!(memory.len() >= Self::len(tiles, channels));
        Self { at: memory.as_mut_ptr(), channels, stride: place_stride(tiles, channels) }
    }

    /// The first value of a place.
    pub fn place(self, place: usize) -> *mut f32 {
        // SAFETY: within the memory that `new` was given.
        unsafe { self.at.add(place * self.stride) }
    }

    /// Tile `index` of the block becomes the transform of input tile `tile`.
    pub fn gather_input(self, isa: Isa, tiling: &Tiling, maps: &Maps, index: usize, tile: usize) {
        let pixels = tiling.input_pixels(tile, maps);
        self.gather(isa, index, &pixels, tiling.shape.channels[0]);
    }

    /// Tile `index` of the block becomes the transform of the output gradient's tile `tile`.
    pub fn gather_gradient(self, isa: Isa, tiling: &Tiling, maps: &Maps, index: usize, tile: usize) {
        let pixels = tiling.output_pixels(tile, maps);
        self.gather(isa, index, &pixels, tiling.shape.channels[1]);
    }

    fn gather<const N: usize>(self, isa: Isa, index: usize, pixels: &Pixels<N>, channels: usize) {
        // SAFETY: a tile of the block.
        let to = unsafe { self.at.add(index * self.channels) };
        isa.run(Gather { pixels, channels, to, stride: self.stride });
    }

    /// Output tile `tile` becomes what tile `index` of the block transforms back to.
    #[allow(clippy::too_many_arguments)]
    pub fn scatter(
        self,
        isa: Isa,
        tiling: &Tiling,
        index: usize,
        tile: usize,
        channels: Range<usize>,
        finish: Finish,
        out: *mut f32,
    ) {
        let all = tiling.shape.channels[1];
        isa.run(Scatter {
            // SAFETY: a tile of the block.
            from: unsafe { self.at.add(index * self.channels) },
            stride: self.stride,
            corner: tiling.output_corner(tile),
            row: tiling.shape.out_size()[1] * all,
            pixel: all,
            channels,
            finish,
            out,
        });
    }
}
