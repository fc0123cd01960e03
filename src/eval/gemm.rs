//! Products of row-major float32 matrices on one thread: `gemm` with its pointers kept in.

/// A `[rows, cols]` view of a slice: value (r, c) is at `r * row_step + c * col_step`.
#[derive(Clone, Copy)]
pub struct MatrixView<'a> {
    pub values: &'a [f32],
    pub rows: usize,
    pub cols: usize,
    row_step: usize,
    col_step: usize,
}

impl<'a> MatrixView<'a> {
    /// A row-major matrix. Panics if the slice has another length.
    pub fn row_major(values: &'a [f32], rows: usize, cols: usize) -> Self {
        assert_eq!(values.len(), rows * cols, "values of a {rows} x {cols} matrix");
        Self { values, rows, cols, row_step: cols, col_step: 1 }
    }

    /// The transpose, nothing moved.
    pub fn transposed(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row_step: self.col_step, col_step: self.row_step, ..self }
    }
}

/// `out = a b`, or `out += a b` where `adds`.
///
/// # Shapes
/// - a: `[m, k]`, b: `[k, n]`, out: `[m, n]`, row-major
pub fn product(a: MatrixView<'_>, b: MatrixView<'_>, out: &mut [f32], adds: bool) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    assert_eq!((b.rows, out.len()), (k, m * n), "shapes of a product");
    let step = |step: usize| step as isize;
    // SAFETY: the views reach no further than their slices (checked when they were made), `out` has
    // m x n values and no alias, and all three are initialised.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            step(n),
            adds,
            a.values.as_ptr(),
            step(a.col_step),
            step(a.row_step),
            b.values.as_ptr(),
            step(b.col_step),
            step(b.row_step),
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_those_of_three_loops() {
        let values = |count: usize, step: usize| -> Vec<f32> {
            (0..count).map(|i| ((i * step) % 17) as f32 - 8.0).collect()
        };
        for (m, k, n) in [(1, 1, 1), (3, 5, 2), (33, 70, 10), (100, 64, 7)] {
            let (a, b) = (values(m * k, 5), values(k * n, 3));
            let mut expected = vec![0.0; m * n];
            for (r, c, i) in (0..m).flat_map(|r| (0..n).flat_map(move |c| (0..k).map(move |i| (r, c, i)))) {
                expected[r * n + c] += a[r * k + i] * b[i * n + c]; // small integers: exact
            }
            let mut out = vec![f32::NAN; m * n];
            product(MatrixView::row_major(&a, m, k), MatrixView::row_major(&b, k, n), &mut out, false);
            assert_eq!(out, expected);
            let (at, bt): (Vec<f32>, Vec<f32>) = (
                (0..k * m).map(|i| a[i % m * k + i / m]).collect(),
                (0..n * k).map(|i| b[i % k * n + i / k]).collect(),
            );
            let (at, bt) = (
                MatrixView::row_major(&at, k, m).transposed(),
                MatrixView::row_major(&bt, n, k).transposed(),
            );
            product(at, bt, &mut out, true);
            assert!(out.iter().zip(&expected).all(|(o, e)| *o == 2.0 * e));
        }
    }
}
