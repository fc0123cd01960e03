//! Cosine similarity of one vector with many (Fig. 4).

/// Cosines of `query` with each row of `vectors`, `[n, width]`; in [-1, 1]. A zero vector is
/// similar to nothing: its cosine is 0.
pub fn cosine_map(query: &[f32], vectors: &[f32]) -> Vec<f32> {
    let query_norm = norm(query);
    let cosine = |row: &[f32]| {
        let scale = query_norm * norm(row);
        let dot: f32 = query.iter().zip(row).map(|(a, b)| a * b).sum();
        if scale > 0.0 { (dot / scale).clamp(-1.0, 1.0) } else { 0.0 }
    };
    vectors.chunks_exact(query.len()).map(cosine).collect()
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

fn norm(vector: &[f32]) -> f32 {
    vector.iter().map(|v| v * v).sum::<f32>().sqrt()
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
}
