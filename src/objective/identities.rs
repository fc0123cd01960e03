//! Prop. 3.1 and the duality of App. B, in numbers, tied to the loss that is trained with.

use burn::tensor::{Device, Tensor, TensorData};

use super::method::Method;
use super::spectral::Spectral;

/// Numbers in [-1, 1] without pattern.
fn numbers(count: usize, salt: u64) -> Vec<f64> {
    let mix = |i: u64| {
        let x = (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 32)) >> 40) as f64 / (1_u64 << 23) as f64 - 1.0
    };
    (0..count as u64).map(mix).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// A symmetric joint distribution of two patches out of `kinds`, and its marginal.
fn co_occurrence(kinds: usize) -> (Vec<f64>, Vec<f64>) {
    let raw: Vec<f64> = numbers(kinds * kinds, 5).iter().map(|v| (v + 1.0).powi(3)).collect();
    let entry = |i: usize, j: usize| raw[i * kinds + j] + raw[j * kinds + i];
    let total: f64 = (0..kinds * kinds).map(|p| entry(p / kinds, p % kinds)).sum();
    let joint: Vec<f64> = (0..kinds * kinds).map(|p| entry(p / kinds, p % kinds) / total).collect();
    let marginal = joint.chunks(kinds).map(|row| row.iter().sum()).collect();
    (joint, marginal)
}

/// Prop. 3.1 over the full product distribution: L_C = 2w L_S + the integral of p(x1, x2)^2 / (p(x1) p(x2)),
/// with lambda = w/2, whatever z is.
#[test]
fn modelling_co_occurrence_is_the_spectral_loss_but_for_a_constant() {
    let (kinds, width) = (12, 5);
    let (joint, marginal) = co_occurrence(kinds);
    for w in [0.5, 2.0, 7.0] {
        for salt in 0..4 {
            let z = numbers(kinds * width, salt);
            let (mut spectral, mut modelling, mut constant) = (0.0, 0.0, 0.0);
            for i in 0..kinds {
                for j in 0..kinds {
                    let product = dot(&z[i * width..][..width], &z[j * width..][..width]);
                    let (p, independent) = (joint[i * kinds + j], marginal[i] * marginal[j]);
                    spectral += -p * product + w / 2.0 * independent * product.powi(2);
                    modelling += independent * (w * product - p / independent).powi(2);
                    constant += p * p / independent;
                }
            }
            let error = modelling - (2.0 * w * spectral + constant);
            assert!(error.abs() <= 1e-12 * modelling, "w {w}: {modelling} differs by {error}");
        }
    }
}

fn spectral_loss(a: &[f64], b: &[f64], width: usize, lambda: f64) -> [f64; 3] {
    let tensor = |values: &[f64]| {
        let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
        let rows = values.len() / width;
        Tensor::<2>::from_data(TensorData::new(values, [rows, width]), &Device::flex())
    };
    let loss = Spectral { lambda }.loss(&[tensor(a), tensor(b)], &[]);
    let scalar = |t: &Tensor<1>| f64::from(t.clone().into_scalar::<f32>());
    [scalar(&loss.total), scalar(&loss.terms[0].1), scalar(&loss.terms[1].1)]
}

/// The trained loss on all images of a finite world (two patches an image) against eq. 1 on that
/// world: its pairs of different images are all independent draws but those that hit one image twice.
#[test]
fn the_trained_loss_estimates_equation_one() {
    let (images, width, lambda) = (24, 6, 1.5);
    let (a, b) = (numbers(images * width, 8), numbers(images * width, 9));
    let row = |z: &[f64], i: usize| z[i * width..][..width].to_vec();
    let product = |i: usize, j: usize| dot(&row(&a, i), &row(&b, j));
    let count = images as f64;
    let together = (0..images).map(|i| product(i, i)).sum::<f64>() / count;
    let squares = |i: usize| (0..images).map(|j| product(i, j).powi(2)).sum::<f64>();
    let independent = (0..images).map(squares).sum::<f64>() / count.powi(2);
    let twice = (0..images).map(|i| product(i, i).powi(2)).sum::<f64>() / count;

    let [total, attraction, repulsion] = spectral_loss(&a, &b, width, lambda);
    // 1e-5: float32 against float64.
    assert!((attraction + together).abs() <= 1e-5 * together.abs().max(1.0));
    let estimate = (count - 1.0) / count * repulsion + twice / count;
    assert!((estimate - independent).abs() <= 1e-5 * independent, "{estimate} against {independent}");
    let exact = -together + lambda * independent;
    let correction = lambda * (twice - repulsion) / count;
    assert!((total + correction - exact).abs() <= 1e-5 * exact.abs().max(1.0));
}

/// App. B as settled, with Z of d x N and unit columns: |Z'Z - I_N|^2 = |ZZ' - I_d|^2 + N - d, and
/// |ZZ' - I_d|^2 = |ZZ' - (N/d) I_d|^2 + (N - d)^2 / d; the left side is N (N - 1) times the spectral
/// regulariser of two identical views.
#[test]
fn contrastive_and_covariance_regularisers_are_dual() {
    for (batch, width) in [(4, 9), (16, 16), (30, 7)] {
        let raw = numbers(batch * width, 3);
        let unit = |row: &[f64]| {
            let length = dot(row, row).sqrt();
            row.iter().map(|v| v / length).collect::<Vec<f64>>()
        };
        let rows: Vec<Vec<f64>> = raw.chunks(width).map(unit).collect();
        let square =
            |product: f64, diagonal: bool, level: f64| (product - if diagonal { level } else { 0.0 }).powi(2);
        let samples: f64 = (0..batch * batch)
            .map(|p| square(dot(&rows[p / batch], &rows[p % batch]), p / batch == p % batch, 1.0))
            .sum();
        let dimensions = |level: f64| -> f64 {
            let covariance = |i: usize, j: usize| rows.iter().map(|row| row[i] * row[j]).sum::<f64>();
            (0..width * width)
                .map(|p| square(covariance(p / width, p % width), p / width == p % width, level))
                .sum()
        };
        let (n, d) = (batch as f64, width as f64);
        let first = samples - (dimensions(1.0) + n - d);
        let second = dimensions(1.0) - (dimensions(n / d) + (n - d).powi(2) / d);
        assert!(first.abs() <= 1e-12 * samples && second.abs() <= 1e-12 * samples, "{first}, {second}");

        let z: Vec<f64> = rows.concat();
        let [_, _, repulsion] = spectral_loss(&z, &z, width, 1.0);
        // 1e-5: float32 against float64.
        assert!((n * (n - 1.0) * repulsion - samples).abs() <= 1e-5 * samples);
    }
}
