//! One thread's matrix product: a tile of rows by two vectors is held in registers over all of k.
//!
//! The kernels keep the operands in cache and in an order that needs no packing here.

use super::simd::{PAD, SimdJob, Vector, prefetch};

/// Columns of a panel of the right-hand matrix.
pub const PANEL: usize = 2 * PAD;
/// Most rows of a panel that are multiplied at a time: they stay in a core's first cache.
const DEPTH: usize = 384;

/// How the right-hand matrix lies in memory.
#[derive(Clone, Copy)]
pub enum Right {
    /// Rows of this many values.
    Rows(usize),
    /// Panels of [`PANEL`] columns (the last one narrower), each `k` rows without gaps: see [`pack`].
    Panels,
    /// `k` rows from `first` on of panels that are `depth` rows deep.
    PartOfPanels { depth: usize, first: usize },
}

/// `c = a b`, or `c += a b`. Element (i, p) of `a` lies at `i * a_row + p * a_step`, one of which is 1.
/// `n` is a multiple of [`PAD`].
pub struct Product<'a> {
    /// Rows of `a` and `c`.
    pub m: usize,
    /// Columns of `b` and `c`.
    pub n: usize,
    /// Columns of `a`, rows of `b`.
    pub k: usize,
    pub a: &'a [f32],
    pub a_row: usize,
    pub a_step: usize,
    pub b: &'a [f32],
    pub right: Right,
    pub c: &'a mut [f32],
    /// Values from one row of `c` to the next.
    pub c_row: usize,
    /// Whether the product is added to what is in `c`.
    pub add: bool,
}

impl Product<'_> {
    /// Passes operands that hold all their values.
    ///
    /// # Panics
    /// On others.
    fn check(&self) {
        let Product { m, n, k, .. } = *self;
        // Where `count` stretches of `len` end that begin `step` apart.
        let end = |count: usize, step: usize, len: usize| match count.checked_sub(1) {
            Some(steps) if len > 0 => steps.saturating_mul(step).saturating_add(len),
            _ => 0,
        };
        let b = match self.right {
            Right::Rows(row) => end(k, row, n),
            Right::Panels => k.saturating_mul(n),
            Right::PartOfPanels { depth, first } => {
                assert!(first <= depth && k <= depth - first, "rows of the right operand");
                depth.saturating_mul(n)
            }
        };
        assert!(n.is_multiple_of(PAD) && (self.a_row == 1 || self.a_step == 1));
        assert!(end(m, self.a_row, end(k, self.a_step, 1)) <= self.a.len(), "the left operand");
        assert!(b <= self.b.len(), "the right operand");
        assert!(end(m, self.c_row, n) <= self.c.len(), "the product");
    }
}

impl SimdJob for Product<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        self.check();
        let Product { m, n, k, a_row, a_step, c_row, .. } = self;
        if m == 0 {
            return;
        }
        // Parts of about the same depth.
        let depth = k.div_ceil(k.div_ceil(DEPTH).max(1)).max(1);
        for column in (0..n).step_by(PANEL) {
            let width = PANEL.min(n - column);
            // Where it begins, and where what is multiplied after it does.
            let (panel, b_row, next) = match self.right {
                Right::Rows(row) => (column, row, column),
                Right::Panels => (column * k, width, (column + PANEL) * k),
                Right::PartOfPanels { depth, first } => {
                    (column * depth + first * width, width, (column + PANEL) * depth + first * width)
                }
            };
            let mut first = 0;
            while first == 0 || first < k {
                let count = depth.min(k - first);
                let ahead = if first + count < k { panel + (first + count) * b_row } else { next };
                for part in (0..width).step_by(2 * V::LANES) {
                    let add = self.add || first > 0;
                    // SAFETY: `check` has seen that the operands hold every row and column; the vector is the
                    // caller's. No step behind the last value is ever followed, so it may lead anywhere.
                    unsafe {
                        let a = self.a.as_ptr().wrapping_add(first * a_step);
                        let b = self.b.as_ptr().wrapping_add(panel + first * b_row + part);
                        let c = self.c.as_mut_ptr().add(column + part);
                        let ahead = self.b.as_ptr().wrapping_add(ahead);
                        let tile =
                            Tile { a, a_row, a_step, b, b_row, c, c_row, m, k: count, add, ahead, lead: 0 };
                        if width - part >= 2 * V::LANES { tile.all::<V, 2>() } else { tile.all::<V, 1>() }
                    }
                }
                first += depth;
            }
        }
    }
}

/// Some rows of up to two vectors of columns of a product, over some of its depth.
#[derive(Clone, Copy)]
struct Tile {
    a: *const f32,
    a_row: usize,
    a_step: usize,
    b: *const f32,
    b_row: usize,
    c: *mut f32,
    c_row: usize,
    m: usize,
    k: usize,
    add: bool,
    /// The part of the right operand that is needed next, brought near meanwhile: its first use would wait for memory.
    ahead: *const f32,
    /// Values of it that a step brings near.
    lead: usize,
}

impl Tile {
    /// Every row, in groups of about the same height.
    ///
    /// # Safety
    /// The processor has the vector's instructions; `a` is good for `m` by `k` values, `b` for `k` rows and `c`
    /// for `m` rows of `N` vectors, `c` to be written too; `a_row` or `a_step` is 1.
    #[inline(always)]
    unsafe fn all<V: Vector, const N: usize>(self) {
        let groups = self.m.div_ceil(V::ROWS).max(1);
        let (base, extra) = (self.m / groups, self.m % groups);
        let mut row = 0;
        for group in 0..groups {
            let rows = base + usize::from(group < extra);
            // SAFETY: the caller's, of the rows from `row` on.
            unsafe {
                let (a, c) = (self.a.wrapping_add(row * self.a_row), self.c.add(row * self.c_row));
                let lead = PANEL.div_ceil(groups);
                let ahead = self.ahead.wrapping_add(group * lead * self.k);
                Tile { a, c, ahead, lead, ..self }.rows::<V, N>(rows);
            }
            row += rows;
        }
    }

    /// Calls the copy of [`Tile::run`] for `rows`.
    ///
    /// # Safety
    /// As [`Tile::all`], of `rows` rows.
    #[inline(always)]
    unsafe fn rows<V: Vector, const N: usize>(self, rows: usize) {
        macro_rules! pick {
            ($($count:literal)*) => {
                match rows {
                    // SAFETY: the caller's.
                    $($count => unsafe {
                        if self.a_row == 1 {
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

    /// `R` rows, held in registers. `NEAR`: `a_row` is 1, else `a_step` is.
    ///
    /// # Safety
    /// As [`Tile::all`], of `R` rows.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "rows and columns of registers, by number")]
    unsafe fn run<V: Vector, const R: usize, const N: usize, const NEAR: bool>(self) {
        if R > V::ROWS {
            return;
        }
        let a_row = if NEAR { 1 } else { self.a_row };
        let a_step = if NEAR { self.a_step } else { 1 };
        // SAFETY: the caller's: row `i` of the `R`, step of the `k`, vector `j` of the `N`.
        unsafe {
            let mut sums = [[V::splat(0.0); N]; R];
            let (mut a, mut b, mut ahead) = (self.a, self.b, self.ahead);
            for _ in 0..self.k {
                prefetch(ahead);
                ahead = ahead.wrapping_add(self.lead);
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
                // The last step leads behind the operands.
                a = a.wrapping_add(a_step);
                b = b.wrapping_add(self.b_row);
            }
            for i in 0..R {
                for j in 0..N {
                    let to = self.c.add(i * self.c_row + j * V::LANES);
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
