//! What the neighbours of a patch are, by rank: patches of the same image, of other images of its class, of other classes.

use serde::{Deserialize, Serialize};

use crate::bank::Bank;
use crate::search::Relation;
use crate::stats::Interval;
use crate::stats::clusters::ClusterSums;

/// Shares by rank, the nearest first, each with its interval over the queries' images.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Composition {
    /// Patches of the query's image.
    pub same_image: Vec<Interval>,
    /// Patches of other images of its class.
    pub same_class: Vec<Interval>,
    /// Patches of other classes.
    pub other_class: Vec<Interval>,
    /// Patches of other images, where one of the two has no label.
    pub other_image: Vec<Interval>,
}

/// The relations in the order of [`Composition`].
const RELATIONS: [Relation; 4] =
    [Relation::SameImage, Relation::SameClass, Relation::OtherClass, Relation::OtherImage];

/// Counts the relations of `hits[i]`, rows by rank, to row `queries[i]`. A rank that a query lacks does not count.
pub fn composition(
    bank: &Bank,
    queries: &[usize],
    hits: &[Vec<usize>],
    resamples: usize,
    seed: u64,
) -> Composition {
    let ranks = hits.iter().map(Vec::len).max().unwrap_or(0);
    let mut sums = ClusterSums::new(RELATIONS.len() * ranks);
    for (query, hits) in queries.iter().zip(hits) {
        let (image, label) = (bank.image_of_row(*query), bank.label_of_row(*query));
        for (rank, row) in hits.iter().enumerate() {
            let found = Relation::of(bank, *row, Some(image), label);
            for (place, relation) in RELATIONS.iter().enumerate() {
                sums.add(image, place * ranks + rank, f64::from(u8::from(*relation == found)));
            }
        }
    }
    let means = sums.means(resamples, seed);
    let of = |place: usize| means[place * ranks..(place + 1) * ranks].iter().copied().flatten().collect();
    Composition { same_image: of(0), same_class: of(1), other_class: of(2), other_image: of(3) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture;

    #[test]
    fn relations_are_counted_by_rank() {
        let bank = fixture::bank(4, 2, 1, |_| vec![1.0]);
        let row = |image: usize, cell: usize| image * 25 + cell;
        // Images 0 and 2 are of one class, 1 and 3 of the other.
        let queries = [row(0, 3), row(1, 0)];
        let hits = vec![vec![row(0, 4), row(2, 3), row(1, 3)], vec![row(1, 2), row(0, 0)]];
        let found = composition(&bank, &queries, &hits, 200, 1);
        let shares = |values: &[Interval]| values.iter().map(|share| share.value).collect::<Vec<f64>>();
        assert_eq!(shares(&found.same_image), [1.0, 0.0, 0.0]);
        assert_eq!(shares(&found.same_class), [0.0, 0.5, 0.0]);
        // The third rank is that of one query alone.
        assert_eq!(shares(&found.other_class), [0.0, 0.5, 1.0]);
        assert_eq!(shares(&found.other_image), [0.0; 3]);
        let second = found.same_class[1];
        assert_eq!((second.low, second.high), (0.0, 1.0));
        let unlabelled = fixture::bank(2, 0, 1, |_| vec![1.0]);
        let found = composition(&unlabelled, &[0], &[vec![26]], 10, 1);
        assert_eq!(found.other_image[0].value, 1.0);
    }
}
