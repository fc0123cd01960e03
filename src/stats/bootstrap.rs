//! What a number would be on other samples of the same (Efron 1979).

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rayon::prelude::*;

/// `of` each of `resamples` draws of `count` of `count` things with replacement, by their places. The same seed gives the
/// same draws, on any number of threads. Nothing of no things.
pub fn resampled<T: Send>(
    count: usize,
    resamples: usize,
    seed: u64,
    of: impl Fn(&[usize]) -> T + Sync + Send,
) -> Vec<T> {
    let draw = |resample: usize| {
        let mut rng = Pcg64Mcg::seed_from_u64(seed ^ (resample as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let drawn: Vec<usize> = (0..count).map(|_| rng.random_range(0..count)).collect();
        of(&drawn)
    };
    match count {
        0 => vec![],
        _ => (0..resamples).into_par_iter().map(draw).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_differ_by_resample_and_by_seed_and_repeat() {
        let draws = |seed| resampled(5, 3, seed, <[usize]>::to_vec);
        let found = draws(1);
        assert_eq!((found.len(), found[0].len(), &found), (3, 5, &draws(1)));
        assert!(found[0] != found[1] && found != draws(2) && found.iter().flatten().all(|place| *place < 5));
        assert!(resampled(0, 3, 1, <[usize]>::to_vec).is_empty());
    }
}
