//! How many of a query's nearest patches two models (or two checkpoints, or two spaces) agree on.
//!
//! **overlap@k** is the share of the k nearest patches that both lists hold: their number in common
//! divided by k.
//!
//! - A patch counts as the same only if its image, its corner and its size are. A patch that is shifted by
//!   one stride is another patch, however much the two overlap; to count places rather than patches,
//!   leave overlapping patches out of both lists.
//! - Equal cosines at the k-th place are settled by the order of the bank (image by image, row by row),
//!   which is the same for both lists: two equal spaces agree wholly, whatever ties there are.
//! - The order within the lists does not count.
//! - Where fewer than k patches may be found, k is the length of the longer list.
//! - Two lists drawn at random from the same n patches share k / n of them on average: [`Overlap::chance`].

use std::collections::HashSet;
use std::hash::Hash;

use serde::{Deserialize, Serialize};

/// What two lists of neighbours have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlap {
    /// Length of the longer list.
    pub k: usize,
    /// Neighbours that are in both.
    pub common: usize,
    /// Patches among which the neighbours were chosen.
    pub candidates: usize,
}

impl Overlap {
    /// Compares two lists of different elements each, chosen among `candidates`.
    pub fn of<T: Eq + Hash>(a: &[T], b: &[T], candidates: usize) -> Self {
        let in_a: HashSet<&T> = a.iter().collect();
        let common = b.iter().filter(|other| in_a.contains(other)).count();
        Self { k: a.len().max(b.len()), common, candidates }
    }

    /// overlap@k, in [0, 1]; 0 of nothing.
    pub fn share(&self) -> f64 {
        self.common as f64 / self.k.max(1) as f64
    }

    /// What two lists at random would share on average.
    pub fn chance(&self) -> f64 {
        (self.k as f64 / self.candidates.max(1) as f64).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_counts_what_both_lists_hold_in_any_order() {
        let overlap = Overlap::of(&[4, 7, 1, 9], &[9, 2, 4, 3], 100);
        assert_eq!((overlap.k, overlap.common), (4, 2));
        assert_eq!((overlap.share(), overlap.chance()), (0.5, 0.04));
        // A list that a filter left shorter does not make the share larger.
        assert_eq!(Overlap::of(&[4, 7, 1, 9], &[9], 3).share(), 0.25);
        let nothing = Overlap::of::<u8>(&[], &[], 0);
        assert_eq!((nothing.share(), nothing.chance()), (0.0, 0.0));
    }
}
