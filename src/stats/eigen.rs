//! Eigenvalues of symmetric matrices of some hundred rows, in float64: Householder's reduction to
//! three diagonals, then the QL algorithm with implicit shifts (Golub and Van Loan, "Matrix
//! Computations", 8.3). Values only.
//!
//! No crate, as these hundred lines are less than what one costs: `nalgebra` (0.34, default features
//! off) brings 8 crates, 18 entries of `glam` in the lock file and `std` for `num-complex`, with which the
//! whole tensor stack is built anew; `faer` is a minute of compiling; burn's own decomposition (`burn-linalg`)
//! is float32 on tensors, which belong to the engine's thread.

use rayon::prelude::*;

/// A matrix, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// Columns.
    pub width: usize,
    /// `[rows, width]`.
    pub values: Vec<f64>,
}

impl Rows {
    /// Number of rows.
    pub fn count(&self) -> usize {
        self.values.len() / self.width
    }
}

/// Eigenvalues of `X' X`, largest first, none below 0, min(rows, width) of them: through the
/// smaller of `X' X` and `X X'`, which have the same ones above 0.
pub fn of_gram(rows: &Rows) -> Vec<f64> {
    let side = rows.count().min(rows.width);
    let gram = if rows.count() <= rows.width { outer(rows) } else { outer(&transposed(rows)) };
    let mut values = of_symmetric(gram, side);
    values.iter_mut().for_each(|value| *value = value.max(0.0));
    values.sort_by(|a, b| b.total_cmp(a));
    values
}

/// `X X'`, row-major.
fn outer(rows: &Rows) -> Vec<f64> {
    let (count, width) = (rows.count(), rows.width);
    let mut gram = vec![0.0; count * count];
    gram.par_chunks_exact_mut(count).zip(rows.values.par_chunks_exact(width)).for_each(|(out, row)| {
        out.iter_mut().zip(rows.values.chunks_exact(width)).for_each(|(out, other)| *out = dot(row, other));
    });
    gram
}

fn transposed(rows: &Rows) -> Rows {
    let column = |c: usize| rows.values.iter().skip(c).step_by(rows.width).copied();
    Rows { width: rows.count(), values: (0..rows.width).flat_map(column).collect() }
}

/// Eight sums side by side, so that the compiler may use vector registers.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        (0..8).for_each(|i| sums[i] += a[i] * b[i]);
    }
    sums.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

/// Eigenvalues of a symmetric matrix of `side` rows in any order.
fn of_symmetric(matrix: Vec<f64>, side: usize) -> Vec<f64> {
    let (diagonal, beside) = tridiagonal(matrix, side);
    of_tridiagonal(diagonal, beside)
}

/// The diagonal and the entries beside it (the last is 0) of a matrix with the same eigenvalues.
/// Each reflection `I - 2 v v'` clears one column: `A - 2 v q' - 2 q v'` with `q = A v - (v' A v) v`.
fn tridiagonal(mut a: Vec<f64>, n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut beside = vec![0.0; n];
    for k in 0..n.saturating_sub(2) {
        let mut v: Vec<f64> = (k + 1..n).map(|i| a[i * n + k]).collect();
        let length = dot(&v, &v).sqrt();
        beside[k] = if v[0] > 0.0 { -length } else { length };
        v[0] -= beside[k];
        let norm = dot(&v, &v).sqrt();
        if norm == 0.0 {
            continue;
        }
        v.iter_mut().for_each(|value| *value /= norm);
        let mut q: Vec<f64> = (k + 1..n).map(|i| dot(&a[i * n + k + 1..(i + 1) * n], &v)).collect();
        let along = dot(&v, &q);
        q.iter_mut().zip(&v).for_each(|(q, v)| *q -= along * v);
        for i in k + 1..n {
            let (vi, qi) = (2.0 * v[i - k - 1], 2.0 * q[i - k - 1]);
            let row = &mut a[i * n + k + 1..(i + 1) * n];
            row.iter_mut().zip(q.iter().zip(&v)).for_each(|(a, (q, v))| *a -= vi * q + qi * v);
        }
    }
    if n >= 2 {
        beside[n - 2] = a[(n - 1) * n + n - 2];
    }
    ((0..n).map(|i| a[i * n + i]).collect(), beside)
}

/// Sweeps of QL that one eigenvalue may take; a handful is usual.
const MOST_SWEEPS: usize = 60;

fn of_tridiagonal(mut d: Vec<f64>, mut e: Vec<f64>) -> Vec<f64> {
    let n = d.len();
    for first in 0..n {
        for _ in 0..MOST_SWEEPS {
            let small = |i: usize| e[i].abs() <= f64::EPSILON * (d[i].abs() + d[i + 1].abs());
            let last = (first..n - 1).find(|&i| small(i)).unwrap_or(n - 1);
            if last == first {
                break;
            }
            sweep(&mut d, &mut e, first, last);
        }
    }
    d
}

/// One QL sweep with Wilkinson's shift over the block `first..=last`.
fn sweep(d: &mut [f64], e: &mut [f64], first: usize, last: usize) {
    let half = (d[first + 1] - d[first]) / (2.0 * e[first]);
    let mut g = d[last] - d[first] + e[first] / (half + half.hypot(1.0).copysign(half));
    let (mut sine, mut cosine, mut shift) = (1.0, 1.0, 0.0);
    for i in (first..last).rev() {
        let (f, b) = (sine * e[i], cosine * e[i]);
        let r = f.hypot(g);
        e[i + 1] = r;
        if r == 0.0 {
            d[i + 1] -= shift;
            e[last] = 0.0;
            return;
        }
        (sine, cosine) = (f / r, g / r);
        g = d[i + 1] - shift;
        let turn = (d[i] - g) * sine + 2.0 * cosine * b;
        shift = sine * turn;
        d[i + 1] = g + shift;
        g = cosine * turn - b;
    }
    d[first] -= shift;
    e[first] = g;
    e[last] = 0.0;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize) -> Vec<f64> {
        (0..count).map(|i| (((i * 7919 + 13) % 10_007) as f64 * 0.61).sin()).collect()
    }

    #[test]
    fn the_second_difference_matrix_has_its_known_eigenvalues() {
        for n in [1, 2, 3, 50] {
            let entry = |i: usize| match (i / n).abs_diff(i % n) {
                0 => 2.0,
                1 => -1.0,
                _ => 0.0,
            };
            let mut values = of_symmetric((0..n * n).map(entry).collect(), n);
            values.sort_by(f64::total_cmp);
            for (k, value) in values.iter().enumerate() {
                let angle = std::f64::consts::PI * (k + 1) as f64 / (2 * (n + 1)) as f64;
                assert!((value - 4.0 * angle.sin().powi(2)).abs() < 1e-12, "{value} of {n}");
            }
        }
    }

    /// The sums of the first three powers of the eigenvalues are traces of powers of the matrix.
    #[test]
    fn full_matrices_keep_their_traces() {
        for (count, width) in [(40, 7), (7, 40), (33, 33), (2, 1)] {
            let rows = Rows { width, values: noise(count * width) };
            let values = of_gram(&rows);
            assert_eq!(values.len(), count.min(width));
            assert!(values.is_sorted_by(|a, b| a >= b));
            let gram = outer(&rows);
            let square = outer(&Rows { width: count, values: gram.clone() });
            let trace = |m: &[f64]| (0..count).map(|i| m[i * count + i]).sum::<f64>();
            let cube: f64 = gram.iter().zip(&square).map(|(a, b)| a * b).sum();
            let expected = [trace(&gram), trace(&square), cube];
            for (power, expected) in (1..).zip(expected) {
                let got: f64 = values.iter().map(|value| value.powi(power)).sum();
                assert!((got - expected).abs() <= 1e-12 * expected, "{count} x {width}: {got} {expected}");
            }
        }
    }

    #[test]
    fn equal_rows_and_rows_of_zeros_are_no_trouble() {
        let same = Rows { width: 5, values: (0..20).flat_map(|_| noise(5)).collect() };
        let values = of_gram(&same);
        assert!(values[0] > 1.0 && values[1..].iter().all(|v| *v < 1e-12 * values[0]), "{values:?}");
        assert_eq!(of_gram(&Rows { width: 3, values: vec![0.0; 12] }), [0.0; 3]);
    }
}
