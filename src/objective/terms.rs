//! Pieces that several losses share.

use burn::tensor::Tensor;

/// Rows scaled to length 1; rows shorter than 1e-12 are divided by that, as
/// `torch.nn.functional.normalize` does, so that a row of zeros stays finite.
///
/// # Shapes
/// - input, output: `[N, d]`
pub fn unit_rows(z: Tensor<2>) -> Tensor<2> {
    const LEAST_LENGTH: f64 = 1e-12;
    let length = z.clone().square().sum_dim(1).clamp_min(LEAST_LENGTH * LEAST_LENGTH).sqrt(); // [N, 1]
    z / length
}

/// Mean over rows of the products of equal rows.
///
/// # Shapes
/// - inputs: `[N, d]`
/// - output: `[1]`
pub fn mean_dot(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    let rows = a.dims()[0] as f64;
    (a * b).sum().div_scalar(rows)
}

/// A square matrix with its diagonal set to 0.
///
/// # Shapes
/// - input, output: `[n, n]`
pub fn off_diagonal(matrix: Tensor<2>) -> Tensor<2> {
    let [side, _] = matrix.dims();
    let device = matrix.device();
    matrix * (Tensor::<2>::ones([side, side], &device) - Tensor::<2>::eye(side, &device))
}

/// Mean of what `term` gives for each pair of views.
pub fn mean_over_pairs(views: &[Tensor<2>], term: impl Fn(Tensor<2>, Tensor<2>) -> Tensor<1>) -> Tensor<1> {
    let pairs = pairs(views.len());
    mean(pairs.into_iter().map(|(v, w)| term(views[v].clone(), views[w].clone())).collect())
}

/// All (v, w) with v < w < count.
pub fn pairs(count: usize) -> Vec<(usize, usize)> {
    (0..count).flat_map(|v| (v + 1..count).map(move |w| (v, w))).collect()
}

/// Mean of tensors.
pub fn mean<const D: usize>(terms: Vec<Tensor<D>>) -> Tensor<D> {
    let count = terms.len() as f64;
    let total = terms.into_iter().reduce(|a, b| a + b);
    total.expect("at least one term, as the caller checks").div_scalar(count)
}
