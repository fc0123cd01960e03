//! Which images are taken where not all are: spread over the data set and its classes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Dataset;
use super::scramble::scramble;

/// The seed of the order in which images are taken, the same everywhere: 1,000 images are the same 1,000 in the
/// window, in a bank and in a figure.
pub const SPREAD_SEED: u64 = 0;

/// In which order images of a data set are taken; what is recorded with whatever was made of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum ImageOrder {
    /// That of [`spread`].
    Spread {
        /// Its seed.
        seed: u64,
        /// Images of the data set that they are taken of.
        of: u64,
    },
}

impl fmt::Display for ImageOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Spread { seed, .. } = self;
        write!(f, "spread, seed {seed}")
    }
}

/// The first `count` images of `set` in the order of `seed`, all where there are no more: in it, whatever is in
/// front holds of each class its share of the data set within one image, and images of one class follow each other
/// at random. Images without a label count as a class. A function of number, labels and seed alone, so that fewer
/// images are always among more.
pub fn spread(set: &dyn Dataset, count: usize, seed: u64) -> Vec<usize> {
    spread_among((0..set.len()).collect(), |index| set.label(index), count, seed)
}

/// As [`spread`], among `images`, which are different ones.
pub fn spread_among(
    mut images: Vec<usize>,
    label: impl Fn(usize) -> Option<u32>,
    count: usize,
    seed: u64,
) -> Vec<usize> {
    let seed = scramble(seed);
    images.par_sort_unstable_by_key(|index| scramble(seed ^ *index as u64));
    let mut classes: BTreeMap<Option<u32>, Vec<usize>> = BTreeMap::new();
    for index in images.iter().copied() {
        classes.entry(label(index)).or_default().push(index);
    }
    let classes: Vec<Vec<usize>> = classes.into_values().collect();
    let mut next = vec![0; classes.len()];
    let mut take = |class: usize| {
        next[class] += 1;
        classes[class][next[class] - 1]
    };
    let sizes: Vec<usize> = classes.iter().map(Vec::len).collect();
    turns(&sizes, count.min(images.len()), seed).into_iter().map(&mut take).collect()
}

/// Whose turn it is at each of `count` places, so that after any of them no class is more than one turn away from
/// its share: of what may come the most urgent comes first, which finds such an order where there is one
/// (Steiner and Yeomans 1993), and there always is one (Tijdeman 1980). Equally urgent classes come at random.
fn turns(sizes: &[usize], count: usize, seed: u64) -> Vec<usize> {
    let all: u64 = sizes.iter().map(|size| *size as u64).sum();
    // The turn after `had` of a class of `size`: the first place where it is not too early, and the last where it
    // is not too late.
    let earliest = |had: u64, size: u64| (had * all).div_ceil(size).max(1);
    let latest = |had: u64, size: u64| (had + 1) * all / size + 1;
    let mut had = vec![0; sizes.len()];
    let mut later: BinaryHeap<Reverse<(u64, usize)>> = sizes
        .iter()
        .enumerate()
        .filter(|(_, size)| **size > 0)
        .map(|(class, _)| Reverse((1, class)))
        .collect();
    let mut now: BinaryHeap<Reverse<(u64, u64, usize)>> = BinaryHeap::new();
    let mut order = Vec::with_capacity(count);
    for place in 1..=count as u64 {
        while let Some(Reverse((_, class))) =
            later.peek().copied().filter(|Reverse((from, _))| *from <= place)
        {
            later.pop();
            let chance = scramble(scramble(seed ^ class as u64) ^ had[class]);
            now.push(Reverse((latest(had[class], sizes[class] as u64), chance, class)));
        }
        let Reverse((_, _, class)) =
            now.pop().expect("before all had their turns someone is behind its share");
        order.push(class);
        had[class] += 1;
        if had[class] < sizes[class] as u64 {
            later.push(Reverse((earliest(had[class], sizes[class] as u64), class)));
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Images of each class one after the other, as in a folder.
    fn labels(sizes: &[usize]) -> Vec<Option<u32>> {
        let class = |(class, size): (usize, &usize)| std::iter::repeat_n(Some(class as u32), *size);
        sizes.iter().enumerate().flat_map(class).collect()
    }

    fn order(sizes: &[usize], count: usize, seed: u64) -> Vec<usize> {
        let labels = labels(sizes);
        spread_among((0..labels.len()).collect(), |index| labels[index], count, seed)
    }

    #[test]
    fn whatever_is_in_front_holds_the_share_of_every_class_within_one_image() {
        let long_tail: Vec<usize> = (1..60).map(|rank| 600 / rank).collect();
        let one_large = [&[900][..], &[1; 100]].concat();
        for sizes in [vec![100; 10], vec![1, 1, 98], vec![7, 0, 3], vec![50], long_tail, one_large] {
            let (labels, all): (Vec<_>, usize) = (labels(&sizes), sizes.iter().sum());
            let mut found = vec![0usize; sizes.len()];
            for (place, index) in order(&sizes, all, 3).into_iter().enumerate() {
                found[labels[index].unwrap() as usize] += 1;
                for (class, size) in sizes.iter().enumerate() {
                    // Times the number of images, to stay exact.
                    let away = (found[class] * all).abs_diff(size * (place + 1));
                    assert!(away <= all, "{sizes:?}: class {class} has {} at place {place}", found[class]);
                }
            }
            assert_eq!(found, sizes);
        }
    }

    #[test]
    fn fewer_images_are_among_more_and_all_are_all() {
        let sizes = [13, 40, 7, 1];
        let all = order(&sizes, 61, 0);
        for count in 0..=61 {
            assert_eq!(order(&sizes, count, 0), all[..count]);
        }
        assert_eq!(order(&sizes, 1000, 0), all);
        let mut sorted = all;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..61).collect::<Vec<_>>());
    }

    #[test]
    fn the_order_is_the_seeds_and_the_same_for_ever() {
        assert_ne!(order(&[20, 20], 8, 0), order(&[20, 20], 8, 1));
        // Recorded with banks and figures as "spread, seed 0": it must not change.
        assert_eq!(order(&[5, 5, 5], 9, 0), [1, 5, 13, 4, 7, 11, 12, 6, 0]);
        assert_eq!(spread_among((0..8).collect(), |_| None, 4, 0), [1, 4, 5, 7]);
    }

    /// Of 100 classes in order of the alphabet the first are not preferred, nor the first images of each.
    #[test]
    fn images_in_front_lie_anywhere_in_the_data_set() {
        let first = order(&[50; 100], 100, 0);
        let mean = first.iter().sum::<usize>() as f64 / 100.0;
        let of_class = first.iter().map(|index| index % 50).sum::<usize>() as f64 / 100.0;
        // 4 deviations of the mean of 100 numbers below 50; the classes are all there, once each.
        assert!(
            (mean - of_class - 2475.0).abs() < 1e-9 && (of_class - 24.5).abs() < 5.8,
            "{mean} {of_class}"
        );
        let few = order(&[50; 100], 10, 0);
        let mean = few.iter().map(|index| index / 50).sum::<usize>() as f64 / 10.0;
        assert!((mean - 49.5).abs() < 36.6, "{few:?}");
    }
}
