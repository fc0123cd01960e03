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

fn norm(vector: &[f32]) -> f32 {
    vector.iter().map(|v| v * v).sum::<f32>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::cosine_map;

    #[test]
    fn a_vector_is_most_alike_to_itself_at_any_length() {
        let map = cosine_map(&[3.0, 4.0], &[6.0, 8.0, -3.0, -4.0, 4.0, -3.0, 0.0, 0.0]);
        assert_eq!(map, [1.0, -1.0, 0.0, 0.0]);
    }
}
