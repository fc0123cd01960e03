//! The positions of the instance view: marked on images by the user, each with a gallery of its own.

use crate::engine::MOST_PLACES;
use crate::patch::PatchRef;

/// Marked positions, in the order in which they were marked.
#[derive(Default)]
pub struct Places {
    /// The images that they are of.
    images: Option<u64>,
    list: Vec<PatchRef>,
    /// The same as they were marked: of a size that is there for a moment nothing stays.
    marked: Vec<PatchRef>,
    /// The space of the galleries, once one was chosen.
    space: Option<String>,
}

impl Places {
    /// All, in the order in which they were marked.
    pub fn list(&self) -> &[PatchRef] {
        &self.list
    }

    /// Whether no more can be marked.
    pub fn is_full(&self) -> bool {
        self.list.len() >= MOST_PLACES
    }

    /// Whether it is marked.
    pub fn contains(&self, patch: PatchRef) -> bool {
        self.list.contains(&patch)
    }

    /// Whether all lie on one image.
    pub fn are_on_one_image(&self) -> bool {
        self.list.iter().all(|patch| patch.image == self.list[0].image)
    }

    /// Marks a position, if it is not marked and there is room.
    pub fn add(&mut self, patch: PatchRef) {
        if !self.is_full() && !self.contains(patch) {
            self.list.push(patch);
            self.marked.push(patch);
        }
    }

    /// Marks a position, or lets go of it if it is marked.
    pub fn toggle(&mut self, patch: PatchRef) {
        match self.list.iter().position(|marked| *marked == patch) {
            Some(index) => self.remove(index),
            None => self.add(patch),
        }
    }

    /// Lets go of position `index`.
    pub fn remove(&mut self, index: usize) {
        if index < self.list.len() {
            self.list.remove(index);
            self.marked.remove(index);
        }
    }

    /// Lets go of all.
    pub fn clear(&mut self) {
        self.list.clear();
        self.marked.clear();
    }

    /// Forgets the positions of other images; the patches about the same centres get this size.
    pub fn follow(&mut self, images: Option<u64>, size: Option<u32>) {
        if self.images != images {
            self.images = images;
            self.clear();
        }
        let Some(size) = size else { return };
        let places = self.list.iter_mut().zip(&self.marked);
        for (patch, marked) in places.filter(|(patch, _)| patch.size != size) {
            // The engine, which knows the sizes of all images, moves it inside.
            *patch = marked.about_same_centre(size, u32::MAX, u32::MAX);
        }
    }

    /// The space of the galleries, of those that are shown: the chosen one, else h, else the first.
    pub fn space<'a>(&self, shown: &'a [String]) -> Option<&'a str> {
        let find = |name: &str| shown.iter().find(|space| *space == name);
        let chosen = self.space.as_deref().and_then(find);
        chosen.or_else(|| find("h")).or(shown.first()).map(String::as_str)
    }

    /// Takes the galleries of `space`.
    pub fn choose_space(&mut self, space: &str) {
        self.space = Some(space.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(image: u32, x: u32) -> PatchRef {
        PatchRef { image, y: 8, x, size: 8 }
    }

    #[test]
    fn a_position_is_marked_once_and_a_second_time_lets_go_of_it() {
        let mut places = Places::default();
        places.follow(Some(1), Some(8));
        for x in [0, 4, 8] {
            places.toggle(patch(3, x));
        }
        places.add(patch(3, 4));
        places.toggle(patch(3, 4));
        assert_eq!(places.list(), [patch(3, 0), patch(3, 8)]);
        assert!(places.are_on_one_image());
        places.add(patch(5, 0));
        assert!(!places.are_on_one_image());
        (0..100).for_each(|x| places.add(patch(6, x)));
        assert_eq!(places.list().len(), MOST_PLACES);
    }

    #[test]
    fn positions_keep_their_centres_and_end_with_their_data_set() {
        let mut places = Places::default();
        places.follow(Some(1), Some(8));
        places.add(patch(3, 12));
        places.follow(Some(1), Some(12));
        assert_eq!(places.list(), [PatchRef { image: 3, y: 6, x: 10, size: 12 }]);
        places.add(PatchRef { image: 3, y: 0, x: 2, size: 12 });
        // Larger than fits about that corner, and as before.
        places.follow(Some(1), Some(30));
        assert_eq!(places.list()[1], PatchRef { image: 3, y: 0, x: 0, size: 30 });
        places.follow(Some(1), Some(12));
        assert_eq!(places.list()[1], PatchRef { image: 3, y: 0, x: 2, size: 12 });
        places.follow(Some(2), Some(12));
        assert!(places.list().is_empty());
    }

    #[test]
    fn the_space_is_the_chosen_one_while_it_is_shown() {
        let shown = ["z", "h", "pixels"].map(String::from);
        let mut places = Places::default();
        assert_eq!(places.space(&shown), Some("h"));
        places.choose_space("pixels");
        assert_eq!(places.space(&shown), Some("pixels"));
        assert_eq!(places.space(&shown[..1]), Some("z"));
        assert_eq!(places.space(&[]), None);
    }
}
