//! Which kinds of patches stand together on images, and whether the products of their vectors say so (section 3 of the
//! paper on real patches).
//!
//! Two patches of one image that are not the same are drawn at random; p(x1, x2) is the mean over images, p(x) its
//! marginal. Prop. 3.1 has `w z1.z2` model `p(x1, x2) / (p(x1) p(x2))`, each pair weighted by `p(x1) p(x2)`; so are the
//! pairs in what is measured here.

use crate::stats::Interval;
use crate::stats::bootstrap::resampled;

/// The kinds on each image.
#[derive(Clone, Debug, Default)]
pub struct KindCounts {
    kinds: usize,
    /// For each image the kinds that are on it, and how many patches of each.
    images: Vec<Vec<(u32, f64)>>,
}

impl KindCounts {
    /// Of so many kinds.
    pub fn new(kinds: usize) -> Self {
        Self { kinds, images: vec![] }
    }

    /// Adds an image by the kinds of its patches; one of fewer than two patches has no pair.
    pub fn add(&mut self, patches: &[u32]) {
        if patches.len() < 2 {
            return;
        }
        let mut counts: Vec<(u32, f64)> = vec![];
        let mut sorted = patches.to_vec();
        sorted.sort_unstable();
        for kind in sorted {
            match counts.last_mut().filter(|(last, _)| *last == kind) {
                Some((_, count)) => *count += 1.0,
                None => counts.push((kind, 1.0)),
            }
        }
        self.images.push(counts);
    }

    /// Images with pairs.
    pub fn images(&self) -> usize {
        self.images.len()
    }

    /// p(x1, x2) over these images, `[kinds, kinds]`.
    pub fn joint(&self, images: &[usize]) -> Vec<f64> {
        let mut joint = vec![0.0; self.kinds * self.kinds];
        for image in images {
            let counts = &self.images[*image];
            let patches: f64 = counts.iter().map(|(_, count)| count).sum();
            let each = 1.0 / (patches * (patches - 1.0) * images.len() as f64);
            for (first, a) in counts {
                let row = &mut joint[*first as usize * self.kinds..][..self.kinds];
                for (second, b) in counts {
                    let others = if first == second { b - 1.0 } else { *b };
                    row[*second as usize] += a * others * each;
                }
            }
        }
        joint
    }

    /// The same over all images.
    pub fn whole(&self) -> Vec<f64> {
        self.joint(&(0..self.images.len()).collect::<Vec<_>>())
    }

    /// The weighted correlation of `products`, `[kinds, kinds]`, with p12 / (p1 p2), and its normal interval of 95 % by the
    /// deviation over `resamples` draws of images with replacement: drawn images count less well, so that percentiles would
    /// lie below the value. `None` where one of the two does not vary.
    pub fn agreement(&self, products: &[f64], resamples: usize, seed: u64) -> Option<Interval> {
        let value = agreement(products, &self.whole(), self.kinds)?;
        let drawn = resampled(self.images.len(), resamples, seed, |images| {
            agreement(products, &self.joint(images), self.kinds)
        });
        let drawn: Vec<f64> = drawn.into_iter().flatten().collect();
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        let squares = drawn.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let half = 1.96 * (squares / (drawn.len() as f64 - 1.0)).sqrt();
        half.is_finite().then(|| Interval {
            value,
            low: (value - half).max(-1.0),
            high: (value + half).min(1.0),
        })
    }
}

/// p(x1, x2) / (p(x1) p(x2)) of a joint distribution, `[kinds, kinds]`; 0 where a kind does not occur.
pub fn ratios(joint: &[f64], kinds: usize) -> Vec<f64> {
    let marginal = marginal(joint, kinds);
    let ratio = |(pair, p): (usize, &f64)| {
        let independent = marginal[pair / kinds] * marginal[pair % kinds];
        if independent > 0.0 { p / independent } else { 0.0 }
    };
    joint.iter().enumerate().map(ratio).collect()
}

/// p(x) of each kind.
pub fn marginal(joint: &[f64], kinds: usize) -> Vec<f64> {
    joint.chunks_exact(kinds).map(|row| row.iter().sum()).collect()
}

/// Pearson's correlation of `products` with the ratios of `joint`, pairs weighted by p1 p2.
fn agreement(products: &[f64], joint: &[f64], kinds: usize) -> Option<f64> {
    let (marginal, ratios) = (marginal(joint, kinds), ratios(joint, kinds));
    let weight = |pair: usize| marginal[pair / kinds] * marginal[pair % kinds];
    let all = || products.iter().zip(&ratios).enumerate();
    // The weights sum to 1, and so does the joint distribution: the mean of the ratios is 1.
    let mean: f64 = all().map(|(pair, (product, _))| weight(pair) * product).sum();
    let [mut both, mut of_products, mut of_ratios] = [0.0; 3];
    for (pair, (product, ratio)) in all() {
        let (a, b, weight) = (product - mean, ratio - 1.0, weight(pair));
        both += weight * a * b;
        of_products += weight * a * a;
        of_ratios += weight * b * b;
    }
    let scale = (of_products * of_ratios).sqrt();
    (scale > 1e-12).then(|| both / scale)
}

/// Pairs of kinds that stand together about as often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatioBin {
    /// Their mean p12 / (p1 p2).
    pub ratio: f64,
    /// Their mean product.
    pub mean: f64,
    /// A tenth of the products are below.
    pub low: f64,
    /// A tenth are above.
    pub high: f64,
}

/// The products of pairs by their ratio: first those that never stand together, then `bins` of like weight. Pairs are
/// weighted by p1 p2; kinds that do not occur are left out. `joint` and `products` are `[kinds, kinds]`.
pub fn by_ratio(joint: &[f64], products: &[f64], kinds: usize, bins: usize) -> Vec<RatioBin> {
    let (marginal, ratios) = (marginal(joint, kinds), ratios(joint, kinds));
    let weight = |pair: usize| marginal[pair / kinds] * marginal[pair % kinds];
    let pairs = (0..joint.len()).map(|pair| (ratios[pair], weight(pair), products[pair]));
    let (never, mut others): (Vec<_>, Vec<_>) =
        pairs.filter(|(_, weight, _)| *weight > 0.0).partition(|(ratio, ..)| *ratio == 0.0);
    others.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = others.iter().map(|(_, weight, _)| weight).sum();
    let mut of_bins = vec![vec![]; bins];
    let mut before = 0.0;
    for pair in others {
        // The middle of its weight says where it belongs.
        let at = (before + pair.1 / 2.0) / total * bins as f64;
        of_bins[(at as usize).min(bins - 1)].push(pair);
        before += pair.1;
    }
    let all = std::iter::once(never).chain(of_bins);
    all.filter(|pairs| !pairs.is_empty()).map(bin).collect()
}

/// Of pairs with ratio, weight and product.
fn bin(mut pairs: Vec<(f64, f64, f64)>) -> RatioBin {
    pairs.sort_by(|a, b| a.2.total_cmp(&b.2));
    let total: f64 = pairs.iter().map(|(_, weight, _)| weight).sum();
    let mean =
        |of: fn(&(f64, f64, f64)) -> f64| pairs.iter().map(|pair| pair.1 * of(pair)).sum::<f64>() / total;
    let quantile = |share: f64| {
        let mut below = 0.0;
        let found = pairs.iter().find(|pair| {
            below += pair.1;
            below >= share * total
        });
        found.or(pairs.last()).map_or(f64::NAN, |pair| pair.2)
    };
    RatioBin {
        ratio: mean(|pair| pair.0),
        mean: mean(|pair| pair.2),
        low: quantile(0.1),
        high: quantile(0.9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> KindCounts {
        let mut counts = KindCounts::new(3);
        [&[0, 1, 0][..], &[2, 1], &[2]].into_iter().for_each(|image| counts.add(image));
        counts
    }

    #[test]
    fn pairs_are_of_two_patches_of_one_image() {
        let counts = three();
        assert_eq!(counts.images(), 2);
        // Of three patches there are six pairs: 0 0 twice, 0 1 and 1 0 twice each; of two there are two.
        let sixth = 1.0 / 6.0;
        let right = [sixth, sixth, 0.0, sixth, 0.0, 0.25, 0.0, 0.25, 0.0];
        assert!(counts.whole().iter().zip(right).all(|(found, right)| (found - right).abs() < 1e-12));
        let found = ratios(&counts.whole(), 3);
        let marginal = [2.0 * sixth, sixth + 0.25, 0.25];
        assert!((found[1] - sixth / (marginal[0] * marginal[1])).abs() < 1e-12);
    }

    #[test]
    fn products_that_are_the_ratios_but_for_scale_and_shift_agree_wholly() {
        let counts = three();
        let found = ratios(&counts.whole(), 3);
        let scaled: Vec<f64> = found.iter().map(|ratio| 0.3 * ratio - 2.0).collect();
        assert!((agreement(&scaled, &counts.whole(), 3).unwrap() - 1.0).abs() < 1e-12);
        let turned: Vec<f64> = found.iter().map(|ratio| 1.0 - ratio).collect();
        assert!((agreement(&turned, &counts.whole(), 3).unwrap() + 1.0).abs() < 1e-12);
        assert_eq!(counts.agreement(&[1.0; 9], 10, 0), None);
        // By hand: pairs of the diagonal against all others.
        let identity: Vec<f64> = (0..9).map(|pair| f64::from(u8::from(pair % 4 == 0))).collect();
        let p = marginal(&counts.whole(), 3);
        let mean: f64 = p.iter().map(|p| p * p).sum();
        let both: f64 = (0..9).map(|at| counts.whole()[at] * (identity[at] - mean)).sum();
        let of_ratios: f64 = (0..9).map(|at| p[at / 3] * p[at % 3] * (found[at] - 1.0).powi(2)).sum();
        let right = both / ((mean - mean * mean) * of_ratios).sqrt();
        let interval = counts.agreement(&identity, 50, 4).unwrap();
        assert!(
            (interval.value - right).abs() < 1e-12
                && interval.low < interval.value
                && interval.value < interval.high
        );
    }

    #[test]
    fn products_are_told_by_ratio_with_the_pairs_that_never_stand_together_first() {
        let counts = three();
        let (joint, found) = (counts.whole(), ratios(&counts.whole(), 3));
        let bins = by_ratio(&joint, &found, 3, 4);
        // Of nine pairs, 0 2 and 2 0 and 1 1 and 2 2 never stand together.
        assert_eq!((bins[0].ratio, bins[0].mean, bins[0].high), (0.0, 0.0, 0.0));
        assert!(bins.len() <= 5 && bins.windows(2).all(|pair| pair[0].ratio <= pair[1].ratio), "{bins:?}");
        for bin in &bins {
            assert!((bin.mean - bin.ratio).abs() < 1e-12 && bin.low <= bin.high, "the product is the ratio");
        }
        // By hand: two pairs of ratio 1.2 weigh nearly half, then one of 1.5 and two of 2.4.
        let [_, less, more] = by_ratio(&joint, &found, 3, 2)[..] else { panic!("three bins") };
        let right = (1.0 / 6.0 + 0.5) / (1.0 / 9.0 + 5.0 / 24.0);
        assert!((less.ratio - 1.2).abs() < 1e-12 && (more.ratio - right).abs() < 1e-12, "{less:?} {more:?}");
        // One bin for all that stand together: the mean ratio is their joint weight, 1, over their independent one.
        let p = marginal(&joint, 3);
        let weight: f64 =
            (0..9).filter(|pair| joint[*pair] > 0.0).map(|pair| p[pair / 3] * p[pair % 3]).sum();
        let one = by_ratio(&joint, &found, 3, 1);
        assert!((one[1].ratio - 1.0 / weight).abs() < 1e-12, "{one:?}");
        // A kind that does not occur has no pairs.
        let mut wider = vec![0.0; 16];
        (0..9).for_each(|pair| wider[pair / 3 * 4 + pair % 3] = joint[pair]);
        let products: Vec<f64> = ratios(&wider, 4).iter().map(|ratio| ratio + 1.0).collect();
        assert_eq!(by_ratio(&wider, &products, 4, 4).len(), bins.len());
    }
}
