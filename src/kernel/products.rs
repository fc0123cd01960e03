//! Dot products of stored rows with many queries at once, on the calling thread; and which of them are large.

use super::gemm::{Product, Right};
use super::panels::Panels;
use super::simd::{Isa, PAD, SimdJob, Vector, padded};

/// Queries as a product takes them.
pub struct QueryPanels {
    isa: Isa,
    panels: Panels,
    count: usize,
}

impl QueryPanels {
    /// Packs `queries`, `[count, width]`.
    ///
    /// # Panics
    /// If there are not so many values.
    pub fn new(queries: &[f32], count: usize) -> Self {
        Self { isa: Isa::best(), panels: Panels::lasting(queries, count, 1), count }
    }

    /// Values from one row of products to the next: one for each query, and some more.
    pub fn stride(&self) -> usize {
        padded(self.count)
    }

    /// `out[r * stride + q] = rows[r] . queries[q]`, summed in float32 in whatever order. What lies behind the last
    /// query of a row is anything.
    ///
    /// # Shapes
    /// - rows: `[n, width]`
    /// - out: `[n, stride]`
    ///
    /// # Panics
    /// If they are not of these shapes.
    pub fn products(&self, rows: &[f32], out: &mut [f32]) {
        let (k, n) = (self.panels.depth(), self.stride());
        let m = out.len() / n;
        assert!(rows.len() == m * k && out.len() == m * n, "rows and their products");
        self.isa.run(Product {
            m,
            n,
            k,
            a: rows,
            a_row: k,
            a_step: 1,
            b: self.panels.values(),
            right: Right::Panels,
            c: out,
            c_row: n,
            add: false,
        });
    }

    /// Adds to `found` the queries whose product, times `scale`, is not below the query's `least`; of both there are
    /// [`QueryPanels::stride`].
    ///
    /// # Panics
    /// If there are not so many.
    pub fn reached(&self, products: &[f32], scale: f32, least: &[f32], found: &mut Vec<u32>) {
        assert!(products.len() == self.stride() && least.len() == self.stride(), "a row of products");
        self.isa.run(Reached { products, scale, least, count: self.count, found });
    }
}

struct Reached<'a> {
    products: &'a [f32],
    scale: f32,
    least: &'a [f32],
    count: usize,
    found: &'a mut Vec<u32>,
}

impl SimdJob for Reached<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let chunks = self.products.as_chunks::<PAD>().0.iter().zip(self.least.as_chunks::<PAD>().0);
        for (chunk, (products, least)) in chunks.enumerate() {
            let is_far = |at: usize| products[at] * self.scale < least[at];
            // Most have none.
            if (0..PAD).fold(true, |all, at| all & is_far(at)) {
                continue;
            }
            let first = chunk * PAD;
            let near = (0..PAD.min(self.count - first)).filter(|at| !is_far(*at));
            self.found.extend(near.map(|at| (first + at) as u32));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_those_of_two_loops_and_the_large_ones_are_found() {
        // Small whole numbers: exact in any order.
        let values = |count: usize, step: usize| {
            (0..count).map(|i| ((i * step) % 13) as f32 - 6.0).collect::<Vec<_>>()
        };
        for (rows, width, count) in [(1, 1, 1), (5, 33, 16), (31, 20, 37), (3, 300, 50)] {
            let (left, right) = (values(rows * width, 5), values(count * width, 3));
            let panels = QueryPanels::new(&right, count);
            let mut out = vec![f32::NAN; rows * panels.stride()];
            panels.products(&left, &mut out);
            for (row, products) in left.chunks_exact(width).zip(out.chunks_exact(panels.stride())) {
                let dot = |query: &[f32]| row.iter().zip(query).map(|(a, b)| a * b).sum::<f32>();
                let expected: Vec<f32> = right.chunks_exact(width).map(dot).collect();
                assert_eq!(products[..count], expected);
                let mut least = vec![10.0; panels.stride()];
                least[count / 2] = f32::INFINITY;
                let mut found = vec![];
                panels.reached(products, 0.5, &least, &mut found);
                let large = |at: &u32| 0.5 * expected[*at as usize] >= least[*at as usize];
                assert_eq!(found, (0..count as u32).filter(large).collect::<Vec<_>>());
            }
        }
    }
}
