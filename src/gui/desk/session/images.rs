//! The images that are open, under a number that stays.

use std::sync::Arc;

use crate::engine::training::DataSource;
use crate::engine::{DataDescription, Snapshot};

/// Tells the open images from others by what they are. A data set has another number each time that it is opened, and
/// once the line to another machine is up again nobody has asked for another one.
#[derive(Default)]
pub struct OpenImages {
    data: Option<Arc<DataDescription>>,
    source: Option<Arc<DataSource>>,
    first: Option<u64>,
}

impl OpenImages {
    /// Follows what is open.
    pub fn follow(&mut self, shown: &Snapshot) {
        let id = |data: &Option<Arc<DataDescription>>| data.as_ref().map(|data| data.id);
        if id(&self.data) != id(&shown.data) {
            self.first = if self.are_again(shown) { self.first } else { id(&shown.data) };
        }
        (self.data, self.source) = (shown.data.clone(), shown.data_source.clone());
    }

    /// Whether what is open has only another number.
    fn are_again(&self, shown: &Snapshot) -> bool {
        let (Some(before), Some(now)) = (&self.data, &shown.data) else { return false };
        self.source.is_some() && self.source == shown.data_source && before.has_same_images(now)
    }

    /// The number of the data set that they were first opened as.
    pub fn first(&self) -> Option<u64> {
        self.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(id: u64, spec: &str, images: usize) -> Snapshot {
        let data = DataDescription::of_test(id, images);
        let source = DataSource { spec: spec.into(), split: None };
        Snapshot { data: Some(Arc::new(data)), data_source: Some(Arc::new(source)), ..Snapshot::default() }
    }

    #[test]
    fn the_same_images_keep_their_number_and_others_have_their_own() {
        let mut images = OpenImages::default();
        let mut first = |shown: &Snapshot| {
            images.follow(shown);
            images.first()
        };
        assert_eq!(first(&Snapshot::default()), None);
        assert_eq!(first(&opened(3, "/a", 9)), Some(3));
        assert_eq!(first(&opened(4, "/a", 9)), Some(3));
        assert_eq!(first(&opened(5, "/a", 9)), Some(3), "the line dropped twice");
        assert_eq!(first(&opened(6, "/a", 8)), Some(6), "an image is gone");
        assert_eq!(first(&opened(7, "/b", 8)), Some(7));
        assert_eq!(first(&opened(8, "/a", 8)), Some(8), "another was open in between");
    }
}
