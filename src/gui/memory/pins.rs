//! Queries that are kept at hand, for each data set its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::{Command, QuerySpec, Snapshot};
use crate::image::Image;

/// Pins of a data set at most.
const MOST: usize = 48;

/// Leaves so many that there are not too many; the oldest stand first.
pub fn forget_oldest(pins: &mut Vec<QuerySpec>) {
    let excess = pins.len().saturating_sub(MOST);
    pins.drain(..excess);
}

/// The pins of all data sets, and those of the open one on show.
#[derive(Default)]
pub struct PinnedQueries {
    /// By the words that open the data set.
    kept: BTreeMap<String, Vec<QuerySpec>>,
    /// The open data set: its words and its number.
    open: Option<(String, u64)>,
    /// Pictures of pins of the open data set; `None` until they come.
    pictures: Vec<(QuerySpec, Option<Arc<Image>>)>,
}

impl PinnedQueries {
    /// Those that were stored.
    pub fn new(kept: BTreeMap<String, Vec<QuerySpec>>) -> Self {
        Self { kept, ..Self::default() }
    }

    /// All that can be stored: pictures from outside cannot.
    pub fn stored(&self) -> BTreeMap<String, Vec<QuerySpec>> {
        let storable = |pin: &&QuerySpec| pin.boxes().count() == pin.parts.len();
        let of_data = |(data, pins): (&String, &Vec<QuerySpec>)| {
            (data.clone(), pins.iter().filter(storable).cloned().collect())
        };
        self.kept.iter().filter(|(_, pins)| !pins.is_empty()).map(of_data).collect()
    }

    /// Follows the open data set.
    pub fn follow(&mut self, snapshot: &Snapshot) {
        let open = snapshot.data.as_ref().zip(snapshot.data_source.as_ref());
        let open = open.map(|(data, source)| {
            let split = source.split.map_or("", |split| split.name());
            (format!("{} {split} {}", source.spec.absolute(), data.images), data.id)
        });
        if self.open != open {
            self.open = open;
            self.pictures.clear();
        }
    }

    /// Those of the open data set.
    pub fn list(&self) -> &[QuerySpec] {
        let open = self.open.as_ref().and_then(|(words, _)| self.kept.get(words));
        open.map_or(&[], Vec::as_slice)
    }

    /// Puts others in their place.
    pub fn set(&mut self, pins: Vec<QuerySpec>) {
        if let Some((words, _)) = &self.open {
            self.kept.insert(words.clone(), pins);
        }
    }

    /// Adds one, if it is not there already. The oldest goes when there are too many.
    pub fn add(&mut self, pin: QuerySpec) {
        let mut pins = self.list().to_vec();
        if !pins.contains(&pin) {
            pins.push(pin);
            forget_oldest(&mut pins);
            self.set(pins);
        }
    }

    /// Takes pin `index` off the list of the open data set.
    pub fn remove(&mut self, index: usize) {
        let mut pins = self.list().to_vec();
        if index < pins.len() {
            pins.remove(index);
            self.set(pins);
        }
    }

    /// The picture of a pin, which is asked for the first time that it is wanted.
    pub fn picture(&mut self, pin: &QuerySpec, ask: impl FnOnce(Command)) -> Option<Arc<Image>> {
        if let Some((_, picture)) = self.pictures.iter().find(|(of, _)| of == pin) {
            return picture.clone();
        }
        self.pictures.push((pin.clone(), None));
        let excess = self.pictures.len().saturating_sub(2 * MOST);
        self.pictures.drain(..excess);
        let (_, data) = self.open.as_ref()?;
        ask(Command::QueryPicture { data: *data, query: pin.clone() });
        None
    }

    /// Takes in a picture that has come.
    pub fn take_picture(&mut self, data: u64, query: &QuerySpec, image: Arc<Image>) {
        if self.open.as_ref().is_none_or(|(_, open)| *open != data) {
            return;
        }
        if let Some((_, picture)) = self.pictures.iter_mut().find(|(of, _)| of == query) {
            *picture = Some(image);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::training::DataSource;
    use crate::engine::{DataDescription, OutsidePicture, Source};
    use crate::patch::PatchRef;

    fn opened(spec: &str, id: u64) -> Snapshot {
        let data = DataDescription { name: spec.into(), ..DataDescription::of_test(id, 9) };
        let source = DataSource { spec: spec.into(), split: None };
        Snapshot { data: Some(Arc::new(data)), data_source: Some(Arc::new(source)), ..Snapshot::default() }
    }

    fn pin(x: u32) -> QuerySpec {
        QuerySpec::one(PatchRef { image: 0, y: 0, x, size: 8 })
    }

    #[test]
    fn each_data_set_has_its_own_pins_also_after_a_restart() {
        let mut pins = PinnedQueries::default();
        pins.follow(&opened("a", 1));
        pins.add(pin(3));
        pins.add(pin(3));
        let picture = OutsidePicture { name: "p".into(), image: Arc::new(Image::filled(2, 2, [0; 3])) };
        pins.add(QuerySpec::one(Source::Outside(Arc::new(picture))));
        assert_eq!(pins.list().len(), 2);
        pins.follow(&opened("b", 2));
        assert!(pins.list().is_empty());
        pins.add(pin(5));
        let text = serde_json::to_string(&pins.stored()).unwrap();
        let mut again = PinnedQueries::new(serde_json::from_str(&text).unwrap());
        again.follow(&opened("a", 1));
        assert_eq!(again.list(), [pin(3)]);
        again.follow(&opened("b", 2));
        assert_eq!(again.list(), [pin(5)]);
        again.remove(0);
        assert!(again.list().is_empty());
    }
}
