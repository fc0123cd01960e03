//! The few largest eigenvalues of a large symmetric matrix with their eigenvectors, in float64: a block
//! Davidson iteration without preconditioner, which spans the same spaces as block Lanczos with thick restarts
//! (Saad, "Numerical Methods for Large Eigenvalue Problems", 7.3 and 8.4). The matrix is known by its products alone.
//!
//! A Rayleigh-Ritz step in every round finds near-equal eigenvalues apart, where plain subspace iteration mixes
//! them for as long as their ratio is near 1. No crate, for the reasons that `eigen` gives.

use super::eigen::dot;

/// Eigenpairs, largest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Leading {
    /// Eigenvalues, downwards.
    pub values: Vec<f64>,
    /// Unit eigenvectors, orthogonal to one another, one for each value.
    pub vectors: Vec<Vec<f64>>,
}

/// Vectors that are tried beyond those asked for: an eigenvalue that stands close behind the last one is known then.
const GUARDS: usize = 2;
/// Basis vectors at most; then the best of them go on.
const MAX_BASIS: usize = 48;
/// Basis vectors that go on.
const KEPT: usize = 16;
/// Rounds at most. Spectra of images take 5 to 30; a flat one takes some hundred.
const MAX_ROUNDS: usize = 1000;
/// Largest error of an eigenvector's direction, radians: residual over the gap to the next eigenvalue.
const DIRECTION: f64 = 1e-5;
/// Residual, as a share of the largest eigenvalue, that rounding does not allow to go below.
const ROUNDING: f64 = 1e-13;

/// The `count` largest eigenpairs of a positive semi-definite matrix of `side` rows, fewer where it has fewer rows.
/// `times` gives the products of the matrix with a block of vectors. The same start each time, thus the same answer.
pub fn leading(side: usize, count: usize, times: impl Fn(&[Vec<f64>]) -> Vec<Vec<f64>>) -> Leading {
    let count = count.min(side);
    let block = (count + GUARDS).min(side);
    let mut basis = Basis::default();
    let mut next = start(side, block);
    for _ in 0..MAX_ROUNDS {
        basis.grow(next, &times);
        let ritz = basis.ritz();
        let residuals: Vec<Vec<f64>> =
            (0..block.min(ritz.values.len())).map(|i| basis.residual(&ritz, i)).collect();
        if is_found(&ritz.values, &residuals, count) {
            return basis.leading(&ritz, count);
        }
        if basis.vectors.len() + block > MAX_BASIS.min(side) && basis.vectors.len() > KEPT {
            basis.restart(&ritz);
        }
        next = basis.outside(residuals);
        if next.is_empty() {
            break; // the basis holds the eigenvectors as well as rounding allows
        }
    }
    let ritz = basis.ritz();
    basis.leading(&ritz, count)
}

/// Whether the first `count` directions are right: each residual is small beside the gap to the neighbouring values.
fn is_found(values: &[f64], residuals: &[Vec<f64>], count: usize) -> bool {
    let floor = ROUNDING * values[0].abs();
    (0..count).all(|i| {
        let length = dot(&residuals[i], &residuals[i]).sqrt();
        let above = if i == 0 { f64::INFINITY } else { values[i - 1] - values[i] };
        let below = values.get(i + 1).map_or(f64::INFINITY, |next| values[i] - next);
        length <= floor || length <= DIRECTION * above.min(below)
    })
}

/// Vectors that no real data is orthogonal to.
fn start(side: usize, count: usize) -> Vec<Vec<f64>> {
    let entry = |i: usize, c: usize| {
        ((i * (c + 2) + c) as f64 * 0.7).sin() + 0.01 * (i as f64 * 1.3 + c as f64).cos()
    };
    let raw = (0..count).map(|c| (0..side).map(|i| entry(i, c)).collect()).collect();
    Basis::default().outside(raw)
}

/// Orthonormal vectors, and the products of the matrix with them.
#[derive(Default)]
struct Basis {
    vectors: Vec<Vec<f64>>,
    products: Vec<Vec<f64>>,
}

impl Basis {
    fn grow(&mut self, vectors: Vec<Vec<f64>>, times: impl Fn(&[Vec<f64>]) -> Vec<Vec<f64>>) {
        self.products.extend(times(&vectors));
        self.vectors.extend(vectors);
    }

    /// The eigenpairs of the matrix as the basis sees it; vectors are in its coordinates.
    fn ritz(&self) -> Leading {
        let side = self.vectors.len();
        let mut seen = vec![0.0; side * side];
        for i in 0..side {
            for j in 0..=i {
                let entry = (dot(&self.vectors[i], &self.products[j])
                    + dot(&self.vectors[j], &self.products[i]))
                    / 2.0;
                seen[i * side + j] = entry;
                seen[j * side + i] = entry;
            }
        }
        jacobi(seen, side)
    }

    /// `A x - value x` of Ritz pair `i`.
    fn residual(&self, ritz: &Leading, i: usize) -> Vec<f64> {
        let mut residual = combined(&self.products, &ritz.vectors[i]);
        let vector = combined(&self.vectors, &ritz.vectors[i]);
        residual.iter_mut().zip(&vector).for_each(|(r, v)| *r -= ritz.values[i] * v);
        residual
    }

    fn restart(&mut self, ritz: &Leading) {
        let turned =
            |rows: &[Vec<f64>]| ritz.vectors.iter().take(KEPT).map(|way| combined(rows, way)).collect();
        (self.vectors, self.products) = (turned(&self.vectors), turned(&self.products));
    }

    /// What of `candidates` is new: orthonormal, and orthogonal to the basis.
    fn outside(&self, candidates: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
        let mut found: Vec<Vec<f64>> = vec![];
        for mut vector in candidates {
            let before = dot(&vector, &vector).sqrt();
            if before == 0.0 || self.vectors.len() + found.len() == vector.len() {
                continue;
            }
            vector.iter_mut().for_each(|v| *v /= before);
            // Twice is enough (Kahan and Parlett): the second round takes what rounding left of the first.
            for _ in 0..2 {
                for other in self.vectors.iter().chain(&found) {
                    let along = dot(&vector, other);
                    vector.iter_mut().zip(other).for_each(|(v, o)| *v -= along * o);
                }
            }
            let left = dot(&vector, &vector).sqrt();
            if left > 1e-10 {
                vector.iter_mut().for_each(|v| *v /= left);
                found.push(vector);
            }
        }
        found
    }

    fn leading(&self, ritz: &Leading, count: usize) -> Leading {
        let vectors = ritz.vectors.iter().take(count).map(|way| combined(&self.vectors, way)).collect();
        Leading { values: ritz.values.iter().take(count).copied().collect(), vectors }
    }
}

/// The sum of `rows`, each times its entry of `weights`.
fn combined(rows: &[Vec<f64>], weights: &[f64]) -> Vec<f64> {
    let mut sum = vec![0.0; rows[0].len()];
    for (row, weight) in rows.iter().zip(weights) {
        sum.iter_mut().zip(row).for_each(|(s, v)| *s += weight * v);
    }
    sum
}

/// Sweeps over all pairs that Jacobi's method may take; ten are plenty for a basis.
const MAX_SWEEPS: usize = 30;

/// All eigenpairs of a small symmetric matrix by Jacobi's rotations (Golub and Van Loan, 8.5), largest first.
fn jacobi(mut a: Vec<f64>, n: usize) -> Leading {
    let mut turns = vec![0.0; n * n];
    (0..n).for_each(|i| turns[i * n + i] = 1.0);
    for _ in 0..MAX_SWEEPS {
        let off: f64 =
            (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i * n + j].powi(2)).sum();
        let on: f64 = (0..n).map(|i| a[i * n + i].powi(2)).sum();
        if off <= f64::EPSILON.powi(2) * on {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut a, &mut turns, n, p, q);
            }
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|i, j| a[j * n + j].total_cmp(&a[i * n + i]));
    Leading {
        values: order.iter().map(|i| a[i * n + i]).collect(),
        vectors: order.iter().map(|i| turns[i * n..(i + 1) * n].to_vec()).collect(),
    }
}

/// The rotation that clears entry `(p, q)`. Row `i` of `turns` becomes eigenvector `i`.
fn rotate(a: &mut [f64], turns: &mut [f64], n: usize, p: usize, q: usize) {
    let entry = a[p * n + q];
    if entry == 0.0 {
        return;
    }
    let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * entry);
    let tangent = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let cosine = 1.0 / (tangent * tangent + 1.0).sqrt();
    let sine = tangent * cosine;
    for k in 0..n {
        let (x, y) = (a[k * n + p], a[k * n + q]);
        (a[k * n + p], a[k * n + q]) = (cosine * x - sine * y, sine * x + cosine * y);
    }
    for k in 0..n {
        let (x, y) = (a[p * n + k], a[q * n + k]);
        (a[p * n + k], a[q * n + k]) = (cosine * x - sine * y, sine * x + cosine * y);
        let (x, y) = (turns[p * n + k], turns[q * n + k]);
        (turns[p * n + k], turns[q * n + k]) = (cosine * x - sine * y, sine * x + cosine * y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Block = Vec<Vec<f64>>;

    /// A matrix with these eigenvalues: a diagonal turned by two reflections. Gives its product and its eigenvectors.
    fn turned(values: &[f64]) -> (impl Fn(&[Vec<f64>]) -> Block, Block) {
        let n = values.len();
        let normal = |seed: f64| -> Vec<f64> {
            let raw: Vec<f64> = (0..n).map(|i| (i as f64 * seed).sin() + 0.1).collect();
            let length = dot(&raw, &raw).sqrt();
            raw.iter().map(|v| v / length).collect()
        };
        let normals = [normal(0.37), normal(1.71)];
        let reflect = |vector: &mut Vec<f64>, normal: &Vec<f64>| {
            let along = 2.0 * dot(vector, normal);
            vector.iter_mut().zip(normal).for_each(|(v, m)| *v -= along * m);
        };
        let vectors: Vec<Vec<f64>> = (0..n)
            .map(|i| {
                let mut unit = vec![0.0; n];
                unit[i] = 1.0;
                normals.iter().for_each(|normal| reflect(&mut unit, normal));
                unit
            })
            .collect();
        let (values, ways) = (values.to_vec(), vectors.clone());
        let product = move |block: &[Vec<f64>]| -> Vec<Vec<f64>> {
            let one = |x: &Vec<f64>| {
                let weights: Vec<f64> = ways.iter().zip(&values).map(|(way, v)| v * dot(way, x)).collect();
                combined(&ways, &weights)
            };
            block.iter().map(one).collect()
        };
        (product, vectors)
    }

    fn check(values: &[f64], direction: f64) {
        let (times, vectors) = turned(values);
        let found = leading(values.len(), 3, times);
        for i in 0..3.min(values.len()) {
            assert!((found.values[i] - values[i]).abs() < 1e-10 * values[0], "{i}: {:?}", found.values);
            let along = dot(&found.vectors[i], &vectors[i]).abs();
            assert!(1.0 - along < direction, "{i}: 1 - {along:e}, values {:?}", &values[..3]);
        }
    }

    #[test]
    fn eigenvectors_are_those_the_matrix_was_made_of() {
        let falling: Vec<f64> = (0..200).map(|i| 0.9f64.powi(i)).collect();
        check(&falling, 1e-9);
        let flat: Vec<f64> = (0..300).map(|i| 1.0 - 0.002 * f64::from(i)).collect();
        check(&flat, 1e-9);
        check(&[5.0, 3.0, 1.0], 1e-12);
        check(&[2.0, 1.0], 1e-12);
        check(&[7.0], 1e-12);
    }

    #[test]
    fn values_that_are_nearly_equal_are_told_apart() {
        let mut values: Vec<f64> = (0..128).map(|i| 0.5 / f64::from(i + 1)).collect();
        values[..4].copy_from_slice(&[1.0, 1.0 - 1e-6, 1.0 - 2e-6, 1.0 - 3e-6]);
        check(&values, 1e-9);
    }

    #[test]
    fn a_value_that_stands_several_times_is_found_each_time() {
        let values: Vec<f64> = (0..100).map(|i| if i < 4 { 2.0 } else { 1.0 / f64::from(i) }).collect();
        let found = leading(100, 3, turned(&values).0);
        assert!(found.values.iter().all(|v| (v - 2.0).abs() < 1e-12), "{:?}", found.values);
    }

    #[test]
    fn no_spread_at_all_gives_zeros() {
        let found = leading(10, 3, |block| vec![vec![0.0; 10]; block.len()]);
        assert_eq!((found.values.len(), found.values[0]), (3, 0.0));
    }
}
