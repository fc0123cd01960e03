//! The images that a run is looked at with: chosen once, for its probe and its pinned patches alike.

use std::sync::Arc;

use crate::dataset::{self, Dataset, NoSplit, SPREAD_SEED, Split};
use crate::engine::runs::run_data::RunData;
use crate::files;
use crate::train::{TrainConfig, TrainingImages};

/// Images that training does not see, where there are such.
#[derive(Clone)]
pub struct HeldOutImages {
    pub data: Arc<dyn Dataset>,
    /// Those of `data` that are meant, upwards.
    images: Arc<[usize]>,
    /// Whether training never sees them.
    pub kept_from_training: bool,
    /// Why they are not those of the test split that is there, where they are not.
    pub warning: Option<String>,
}

impl HeldOutImages {
    /// What was drawn to be held out, or the test split where there is one that can be used, else the images beyond those that the run uses, else the training
    /// images themselves.
    ///
    /// # Errors
    /// There is a test split, and it could not be read.
    pub fn choose(config: &TrainConfig, data: &RunData) -> anyhow::Result<Self> {
        let RunData { source, set, held_out } = data;
        if let Some(drawn) = held_out {
            let images = (0..drawn.len()).collect();
            return Ok(Self { images, data: drawn.clone(), kept_from_training: true, warning: None });
        }
        let mut warning = None;
        if set.split() == Some(Split::Train) {
            match dataset::open(&source.spec, Some(Split::Test)) {
                Err(error) if files::is_read_error(&error) => return Err(error),
                Err(error) if error.is::<NoSplit>() => {}
                Err(error) => warning = Some(format!("the test split is not looked at: {error:#}")),
                Ok(test) => {
                    let images = (0..test.len()).collect();
                    return Ok(Self { images, data: test, kept_from_training: true, warning });
                }
            }
        }
        let mut is_used = vec![false; set.len()];
        TrainingImages::drawn(config, set.as_ref()).into_iter().for_each(|index| is_used[index] = true);
        let kept_from_training = is_used.contains(&false);
        let images = (0..set.len()).filter(|index| !(kept_from_training && is_used[*index])).collect();
        Ok(Self { data: set.clone(), images, kept_from_training, warning })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.images.len()
    }

    /// `count` of them, or all where there are fewer, spread over them and their classes: their numbers in `data`,
    /// upwards.
    pub fn spread(&self, count: usize) -> Vec<usize> {
        let label = |index| self.data.label(index);
        let mut chosen = dataset::spread_among(self.images.to_vec(), label, count, SPREAD_SEED);
        chosen.sort_unstable();
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::DataSource;
    use crate::train::ImagesOrder;

    /// Opened with its test split, with images to spare, and with none.
    #[test]
    fn images_that_training_does_not_see_come_first() {
        let open = |split| RunData::open(DataSource { spec: "demo".into(), split }).unwrap();
        let mut config = crate::train::recipes::find("quick-parts").unwrap().config;
        config.images = Some(10);
        let of_test = HeldOutImages::choose(&config, &open(Some(Split::Train))).unwrap();
        assert!(of_test.kept_from_training && of_test.data.split() == Some(Split::Test));
        let test = open(Some(Split::Test));
        let rest = HeldOutImages::choose(&config, &test).unwrap();
        assert_eq!((rest.kept_from_training, rest.count()), (true, test.set.len() - 10));
        let used = TrainingImages::drawn(&config, test.set.as_ref());
        assert!(used.len() == 10 && rest.spread(usize::MAX).iter().all(|index| !used.contains(index)));
        // As runs of before have it in their folder.
        let all: Vec<usize> = (0..10).collect();
        assert_eq!(TrainingImages::drawn(&config, test.set.as_ref()), all);
        config.images_order = Some(ImagesOrder::Spread);
        let rest = HeldOutImages::choose(&config, &test).unwrap();
        let used = TrainingImages::drawn(&config, test.set.as_ref());
        assert!(used.len() == 10 && used != all && used.is_sorted());
        let mut classes: Vec<_> = used.iter().map(|index| test.set.label(*index)).collect();
        classes.sort_unstable();
        classes.dedup();
        assert_eq!(classes.len(), 10, "one image of each class");
        assert!(rest.spread(usize::MAX).iter().all(|index| !used.contains(index)));
        config.images = None;
        let same = HeldOutImages::choose(&config, &test).unwrap();
        assert_eq!((same.kept_from_training, same.count()), (false, test.set.len()));
    }

    /// A test split with nothing in it is not as none: the images that are looked at in its place come with the reason.
    #[test]
    fn a_test_split_that_cannot_be_used_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let classes = folder.path().join("train/cat");
        std::fs::create_dir_all(&classes).unwrap();
        for name in ["a.png", "b.png"] {
            image::RgbImage::new(8, 8).save(classes.join(name)).unwrap();
        }
        let mut config = crate::train::recipes::find("quick-parts").unwrap().config;
        config.images = Some(1);
        let spec = folder.path().to_str().unwrap().to_owned();
        let choose = || {
            let source = DataSource { spec: spec.as_str().into(), split: Some(Split::Train) };
            HeldOutImages::choose(&config, &RunData::open(source).unwrap()).unwrap()
        };
        assert_eq!(choose().warning, None, "there is no test split");
        std::fs::create_dir_all(folder.path().join("val/cat")).unwrap();
        std::fs::write(folder.path().join("val/cat/torn.png"), b"").unwrap();
        let beside = choose();
        assert_eq!((beside.kept_from_training, beside.count()), (true, 1));
        let warning = beside.warning.unwrap();
        assert!(
            warning.starts_with("the test split is not looked at: ") && warning.contains("val"),
            "{warning}"
        );
    }
}
