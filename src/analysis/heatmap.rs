//! Cosine similarity of one vector with many (Fig. 4).

use crate::search::{self, KnownRows, Mirror, Processor};

/// Cosines of `query` with each row of `vectors`, `[n, width]`; in [-1, 1]. A zero vector is
/// similar to nothing: its cosine is 0.
pub fn cosine_map(query: &[f32], vectors: &[f32]) -> Vec<f32> {
    let norms: Vec<f32> = vectors.chunks_exact(query.len()).map(norm).collect();
    cosine_map_of(query, vectors, &norms)
}

/// The sum of `factor` times the unit vector of each part, all of one width. A zero vector adds nothing.
/// `None` where the parts cancel out, so that the sum points nowhere.
pub fn unit_sum(parts: &[(f32, &[f32])]) -> Option<Vec<f32>> {
    let width = parts.first().map_or(0, |(_, vector)| vector.len());
    let mut sum = vec![0.0f32; width];
    let mut longest = 0.0f32;
    for (factor, vector) in parts {
        let norm = norm(vector);
        if norm > 0.0 {
            sum.iter_mut().zip(*vector).for_each(|(sum, value)| *sum += factor * (value / norm));
            longest = longest.max(factor.abs());
        }
    }
    // Rounding leaves about 1e-7 of what cancels out.
    (longest == 0.0 || norm(&sum) > 1e-5 * longest).then_some(sum)
}

/// As [`cosine_map`], with the norm of each row known: what a click costs once an image's patches are known.
pub fn cosine_map_of(query: &[f32], vectors: &[f32], norms: &[f32]) -> Vec<f32> {
    let query_norm = norm(query);
    let mut map = vec![0.0; norms.len()];
    search::dots(query, vectors, &mut map);
    for (dot, norm) in map.iter_mut().zip(norms) {
        let scale = query_norm * norm;
        *dot = if scale > 0.0 { (*dot / scale).clamp(-1.0, 1.0) } else { 0.0 };
    }
    map
}

/// As [`cosine_map_of`] of the rows that are known, where `processor` does it best. On a GPU a value is within
/// [`crate::kernel::similarity::BOUND`] of the CPU's.
pub fn cosine_map_on(processor: &Processor, mirror: &Mirror, query: &[f32], rows: KnownRows<'_>) -> Vec<f32> {
    let cosines = processor.cosines(mirror, query, rows);
    cosines.unwrap_or_else(|| cosine_map_of(query, rows.vectors, rows.norms))
}

/// Euclidean length of a vector.
pub fn norm(vector: &[f32]) -> f32 {
    let mut square = [0.0];
    search::dots(vector, vector, &mut square);
    square[0].sqrt()
}

#[cfg(test)]
mod tests {
    use super::{cosine_map, unit_sum};

    #[test]
    fn a_vector_is_most_alike_to_itself_at_any_length() {
        let map = cosine_map(&[3.0, 4.0], &[6.0, 8.0, -3.0, -4.0, 4.0, -3.0, 0.0, 0.0]);
        assert_eq!(map, [1.0, -1.0, 0.0, 0.0]);
    }

    #[test]
    fn parts_count_alike_whatever_their_length() {
        let (long, short) = ([30.0, 40.0], [0.08, -0.06]);
        let mean = unit_sum(&[(1.0, &long), (1.0, &short)]).unwrap();
        assert!((mean[0] - 1.4).abs() < 1e-6 && (mean[1] - 0.2).abs() < 1e-6, "{mean:?}");
        let less = unit_sum(&[(1.0, &long), (-1.0, &short)]).unwrap();
        assert!((less[0] + 0.2).abs() < 1e-6 && (less[1] - 1.4).abs() < 1e-6, "{less:?}");
        // One part alone keeps its direction, a zero vector stays one.
        assert_eq!(unit_sum(&[(1.0, &[0.0, 3.0])]).unwrap(), [0.0, 1.0]);
        assert_eq!(unit_sum(&[(1.0, &[0.0, 0.0])]).unwrap(), [0.0, 0.0]);
        assert_eq!(unit_sum(&[(1.0, &[3.0, 4.0]), (-1.0, &[6.0, 8.0])]), None);
    }

    #[test]
    fn maps_of_any_width_agree_with_float64() {
        use rand::{Rng, SeedableRng};
        let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(5);
        for (width, rows) in [(1, 9), (27, 500), (513, 700), (8192, 90)] {
            let vectors: Vec<f32> = (0..rows * width).map(|_| rng.random_range(-1.0..2.0)).collect();
            let query = &vectors[3 * width..4 * width];
            let sum = |a: &[f32], b: &[f32]| -> f64 {
                a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
            };
            for (row, found) in vectors.chunks_exact(width).zip(cosine_map(query, &vectors)) {
                let cosine = sum(query, row) / (sum(query, query) * sum(row, row)).sqrt();
                assert!((cosine - f64::from(found)).abs() < 2e-6, "{found} is {cosine} at width {width}");
            }
        }
    }
}
