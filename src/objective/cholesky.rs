//! Cholesky factorisation of a small symmetric positive definite matrix, float64 on the CPU.

use rayon::prelude::*;

/// A = L L^T, with L lower triangular and row-major.
pub struct Cholesky {
    lower: Vec<f64>,
    side: usize,
}

impl Cholesky {
    /// Factorises a row-major `side` x `side` matrix, of which the lower triangle is read.
    /// `None` if it is not positive definite, as one with NaN is not.
    pub fn of(mut matrix: Vec<f64>, side: usize) -> Option<Self> {
        assert_eq!(matrix.len(), side * side, "a square matrix");
        for row in 0..side {
            let (above, rest) = matrix.split_at_mut(row * side);
            let current = &mut rest[..side];
            for column in 0..row {
                let other = &above[column * side..][..=column];
                current[column] =
                    (current[column] - dot(&current[..column], &other[..column])) / other[column];
            }
            let pivot = current[row] - dot(&current[..row], &current[..row]);
            if pivot.is_nan() || pivot <= 0.0 {
                return None;
            }
            current[row] = pivot.sqrt();
            current[row + 1..].fill(0.0);
        }
        Some(Self { lower: matrix, side })
    }

    /// log det A = 2 sum log L_ii.
    pub fn log_determinant(&self) -> f64 {
        let diagonal = self.lower.iter().step_by(self.side + 1);
        2.0 * diagonal.map(|value| value.ln()).sum::<f64>()
    }

    /// A^-1, row-major.
    pub fn inverse(&self) -> Vec<f64> {
        let side = self.side;
        // Row j holds column j of L^-1, whose first j entries are 0.
        let mut columns = vec![0.0; side * side];
        columns.par_chunks_mut(side).enumerate().for_each(|(j, x)| {
            for i in j..side {
                let row = &self.lower[i * side..][..side];
                let right = if i == j { 1.0 } else { 0.0 };
                x[i] = (right - dot(&row[j..i], &x[j..i])) / row[i];
            }
        });
        // A^-1 = L^-T L^-1.
        let mut inverse = vec![0.0; side * side];
        inverse.par_chunks_mut(side).enumerate().for_each(|(i, row)| {
            for (j, value) in row.iter_mut().enumerate() {
                let from = i.max(j);
                *value = dot(
                    &columns[i * side + from..][..side - from],
                    &columns[j * side + from..][..side - from],
                );
            }
        });
        inverse
    }
}

/// Eight sums side by side, which the compiler turns into vector instructions.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    let (chunks_a, chunks_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail: f64 = chunks_a.remainder().iter().zip(chunks_b.remainder()).map(|(x, y)| x * y).sum();
    let mut sums = [0.0; LANES];
    for (x, y) in chunks_a.zip(chunks_b) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f64>() + tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_times_the_matrix_is_the_identity() {
        for side in [1, 2, 9, 40] {
            let root: Vec<f64> = (0..side * side).map(|i| ((i * 37 % 101) as f64 * 0.31).sin()).collect();
            let entry = |i: usize, j: usize| {
                let product: f64 = (0..side).map(|k| root[i * side + k] * root[j * side + k]).sum();
                product + if i == j { 1.0 } else { 0.0 }
            };
            let matrix: Vec<f64> = (0..side * side).map(|p| entry(p / side, p % side)).collect();
            let inverse = Cholesky::of(matrix.clone(), side).unwrap().inverse();
            for i in 0..side {
                for j in 0..side {
                    let product: f64 = (0..side).map(|k| inverse[i * side + k] * matrix[k * side + j]).sum();
                    let expected = if i == j { 1.0 } else { 0.0 };
                    assert!((product - expected).abs() < 1e-11, "{side}: {i}, {j}: {product}");
                }
            }
        }
    }

    #[test]
    fn the_determinant_is_right_and_indefinite_matrices_are_refused() {
        let factor = Cholesky::of(vec![4.0, 2.0, 2.0, 3.0], 2).unwrap();
        assert!((factor.log_determinant() - 8.0_f64.ln()).abs() < 1e-14);
        assert!(Cholesky::of(vec![1.0, 2.0, 2.0, 1.0], 2).is_none());
        assert!(Cholesky::of(vec![f64::NAN], 1).is_none());
    }
}
