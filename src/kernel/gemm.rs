//! One thread's matrix product: a tile of rows by two vectors is held in registers over all of k.
//!
//! The kernels keep the operands in cache and in an order that needs no packing here.

use super::simd::{Job, PAD, Vector};

/// Columns of a panel of the right-hand matrix.
pub const PANEL: usize = 2 * PAD;
/// Rows of a panel that are multiplied at a time: they stay in a core's first cache.
const DEPTH: usize = 256;

/// How the right-hand matrix lies in memory.
#[derive(Clone, Copy)]
pub enum Right {
    /// Rows of this many values.
    Rows(usize),
    /// Panels of [`PANEL`] columns (the last one narrower), each `k` rows without gaps: see [`pack`].
    Panels,
}

/// `c = a b`, or `c += a b`. Element (i, p) of `a` lies at `i * a_row + p * a_step`.
/// `n` is a multiple of [`PAD`].
#[derive(Clone, Copy)]
pub struct Product {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a: *const f32,
    pub a_row: usize,
    pub a_step: usize,
    pub b: *const f32,
    pub right: Right,
    pub c: *mut f32,
    pub c_row: usize,
    pub add: bool,
}

impl Job for Product {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        debug_assert!(self.n % PAD == 0 && self.a_row > 0);
        for column in (0..self.n).step_by(PANEL) {
            let width = PANEL.min(self.n - column);
            let (panel, b_row) = match self.right {
                Right::Rows(row) => (column, row),
                Right::Panels => (column * self.k, width),
            };
            let mut first = 0;
            while first == 0 || first < self.k {
                let k = DEPTH.min(self.k - first);
                for part in (0..width).step_by(2 * V::LANES) {
                    unsafe {
                        let tile = Tile {
                            a: self.a.add(first * self.a_step),
                            b: self.b.add(panel + first * b_row + part),
                            b_row,
                            c: self.c.add(column + part),
                            k,
                            add: self.add || first > 0,
                            product: &self,
                        };
                        if width - part >= 2 * V::LANES { tile.all::<V, 2>() } else { tile.all::<V, 1>() }
                    }
                }
                first += DEPTH;
            }
        }
    }
}

struct Tile<'a> {
    a: *const f32,
    b: *const f32,
    b_row: usize,
    c: *mut f32,
    k: usize,
    add: bool,
    product: &'a Product,
}

impl Tile<'_> {
    /// Every row, in groups of about the same height.
    #[inline(always)]
    unsafe fn all<V: Vector, const N: usize>(&self) {
        let Product { m, a_row, c_row, .. } = *self.product;
        let groups = m.div_ceil(V::ROWS).max(1);
        let (base, extra) = (m / groups, m % groups);
        let mut row = 0;
        for group in 0..groups {
            let rows = base + usize::from(group < extra);
            unsafe {
                let (a, c) = (self.a.add(row * a_row), self.c.add(row * c_row));
                Tile { a, c, ..*self }.rows::<V, N>(rows);
            }
            row += rows;
        }
    }

    /// Calls the copy of [`Tile::run`] for `rows`.
    #[inline(always)]
    unsafe fn rows<V: Vector, const N: usize>(&self, rows: usize) {
        macro_rules! pick {
            ($($count:literal)*) => {
                match rows {
                    $($count => unsafe {
                        if self.product.a_row == 1 {
                            self.run::<V, $count, N, true>()
                        } else {
                            self.run::<V, $count, N, false>()
                        }
                    },)*
                    _ => {}
                }
            };
        }
        pick!(1 2 3 4 5 6 7 8 9 10 11 12 13 14)
    }

    #[inline(always)]
    unsafe fn run<V: Vector, const R: usize, const N: usize, const NEAR: bool>(&self) {
        if R > V::ROWS {
            return;
        }
        let Product { a_row, a_step, c_row, .. } = *self.product;
        let a_row = if NEAR { 1 } else { a_row };
        let a_step = if NEAR { a_step } else { 1 };
        unsafe {
            let mut sums = [[V::splat(0.0); N]; R];
            let (mut a, mut b) = (self.a, self.b);
            for _ in 0..self.k {
                let mut right = [V::splat(0.0); N];
                for j in 0..N {
                    right[j] = V::load(b.add(j * V::LANES));
                }
                for i in 0..R {
                    let left = V::splat(*a.add(i * a_row));
                    for j in 0..N {
                        sums[i][j] = left.mul_add(right[j], sums[i][j]);
                    }
                }
                a = a.add(a_step);
                b = b.add(self.b_row);
            }
            for i in 0..R {
                for j in 0..N {
                    let to = self.c.add(i * c_row + j * V::LANES);
                    let sum = if self.add { sums[i][j].add(V::load(to)) } else { sums[i][j] };
                    sum.store(to);
                }
            }
        }
    }
}

/// Lays a `k` by `n` matrix out in panels for [`Right::Panels`]; columns beyond `n` are zero.
pub fn pack(k: usize, n: usize, value: impl Fn(usize, usize) -> f32 + Sync) -> Vec<f32> {
    use rayon::prelude::*;
    let total = n.next_multiple_of(PAD);
    let mut packed = vec![0.0; k * total];
    packed.par_chunks_mut((k * PANEL).max(1)).enumerate().for_each(|(index, panel)| {
        let width = PANEL.min(total - index * PANEL);
        for (p, row) in panel.chunks_exact_mut(width).enumerate() {
            for (j, to) in row.iter_mut().enumerate() {
                let column = index * PANEL + j;
                if column < n {
                    *to = value(p, column);
                }
            }
        }
    });
    packed
}
