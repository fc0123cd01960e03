//! The images that a run is looked at with: chosen once, for its probe and its pinned patches alike.

use std::ops::Range;
use std::sync::Arc;

use crate::dataset::{self, Dataset, Split};
use crate::engine::runs::run_data::RunData;
use crate::train::{TrainConfig, TrainingImages};

/// Images that training does not see, where there are such.
#[derive(Clone)]
pub struct HeldOutImages {
    pub data: Arc<dyn Dataset>,
    /// Those of `data` that are meant.
    range: Range<usize>,
    /// Whether training never sees them.
    pub kept_from_training: bool,
}

impl HeldOutImages {
    /// The test split where there is one, else the images beyond those that the run uses, else the training
    /// images themselves.
    pub fn choose(config: &TrainConfig, data: &RunData) -> Self {
        let RunData { source, set } = data;
        if set.split() == Some(Split::Train)
            && let Ok(test) = dataset::open(&source.spec, Some(Split::Test))
        {
            return Self { range: 0..test.len(), data: test, kept_from_training: true };
        }
        let used = TrainingImages::first(config, set.as_ref());
        let kept_from_training = used < set.len();
        let range = if kept_from_training { used..set.len() } else { 0..set.len() };
        Self { data: set.clone(), range, kept_from_training }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.range.len()
    }

    /// `count` of them, or all where there are fewer, spread evenly: their numbers in `data`.
    pub fn spread(&self, count: usize) -> Vec<usize> {
        spread_over(&self.range, count)
    }
}

fn spread_over(range: &Range<usize>, count: usize) -> Vec<usize> {
    let count = count.min(range.len());
    (0..count).map(|i| range.start + i * range.len() / count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::DataSource;

    #[test]
    fn chosen_images_are_spread_over_the_range() {
        assert_eq!(spread_over(&(10..20), 5), [10, 12, 14, 16, 18]);
        assert_eq!(spread_over(&(0..3), 9), [0, 1, 2]);
        assert!(spread_over(&(0..3), 0).is_empty());
    }

    /// Opened with its test split, with images to spare, and with none.
    #[test]
    fn images_that_training_does_not_see_come_first() {
        let open = |split| RunData::open(DataSource { spec: "demo".into(), split }).unwrap();
        let mut config = crate::train::recipes::find("quick-parts").unwrap().config;
        config.images = Some(10);
        let of_test = HeldOutImages::choose(&config, &open(Some(Split::Train)));
        assert!(of_test.kept_from_training && of_test.data.split() == Some(Split::Test));
        let test = open(Some(Split::Test));
        let rest = HeldOutImages::choose(&config, &test);
        assert_eq!((rest.kept_from_training, rest.count()), (true, test.set.len() - 10));
        assert_eq!(rest.spread(1), [10]);
        config.images = None;
        let same = HeldOutImages::choose(&config, &test);
        assert_eq!((same.kept_from_training, same.count()), (false, test.set.len()));
    }
}
