//! Learning rate over the run: linear warm-up, then a cosine to 0.

/// The learning rate at `step` (from 0) of `total` with `warmup` steps of linear increase.
pub fn learning_rate(base: f64, step: u64, warmup: u64, total: u64) -> f64 {
    if step < warmup {
        return base * (step + 1) as f64 / warmup as f64;
    }
    let after = (step - warmup) as f64 / (total.saturating_sub(warmup)).max(1) as f64;
    0.5 * base * (1.0 + (std::f64::consts::PI * after.min(1.0)).cos())
}

#[cfg(test)]
mod tests {
    use super::learning_rate;

    #[test]
    fn it_rises_to_the_base_and_falls_to_nothing() {
        assert_eq!(learning_rate(0.3, 0, 10, 100), 0.03);
        assert_eq!(learning_rate(0.3, 9, 10, 100), 0.3);
        assert_eq!(learning_rate(0.3, 10, 10, 100), 0.3);
        assert!((learning_rate(0.3, 55, 10, 100) - 0.15).abs() < 1e-12);
        assert!(learning_rate(0.3, 99, 10, 100) < 1e-3);
        assert_eq!(learning_rate(0.3, 0, 0, 1), 0.3);
    }
}
