//! The splits of a data set, and how both are mixed into one.

use serde::{Deserialize, Serialize};

/// A part of a data set that is kept for one purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(
    missing_docs,
    reason = "the doc of a variant is its help on the command line, and these words say enough"
)]
pub enum Split {
    Train,
    Test,
    /// Both, evenly mixed.
    All,
}

impl Split {
    /// `train`, `test` or `all`.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Test => "test",
            Split::All => "all",
        }
    }
}

/// A data set has no such split, in words that say which was expected.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoSplit(pub String);

/// How many images of each split are mixed; where each comes to lie follows from that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mix {
    /// Images of the training split.
    pub train: u64,
    /// Images of the test split.
    pub test: u64,
}

impl Mix {
    /// The split that image `index` is of, and its index there.
    pub fn place(self, index: usize) -> (Split, usize) {
        let (index, all) = (index as u128, u128::from(self.train) + u128::from(self.test));
        let before = |index: u128| index * u128::from(self.test) / all.max(1);
        let test = before(index);
        match before(index + 1) > test {
            true => (Split::Test, test as usize),
            false => (Split::Train, (index - test) as usize),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_of_both_splits_has_one_place_and_they_are_mixed_evenly() {
        for (train, test) in [(5, 1), (7, 3), (4, 4), (1, 9), (3, 0)] {
            let mix = Mix { train, test };
            let places: Vec<_> = (0..(train + test) as usize).map(|index| mix.place(index)).collect();
            for (split, count) in [(Split::Train, train), (Split::Test, test)] {
                let of_split = places.iter().filter(|place| place.0 == split).map(|place| place.1);
                assert!(of_split.eq(0..count as usize), "{mix:?} {split:?}");
            }
            let first = places[..places.len() / 2].iter().filter(|place| place.0 == Split::Test).count();
            assert!(first.abs_diff(test as usize / 2) <= 1, "{mix:?}: {first} in the first half");
        }
    }
}
