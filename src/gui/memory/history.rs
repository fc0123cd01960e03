//! The queries that were looked at, to go back and forward in.

use crate::engine::QuerySpec;

/// Longest list that is kept; the oldest are forgotten first.
const CAPACITY: usize = 500;

/// Queries in the order in which they were made, and which of them is on show.
#[derive(Default)]
pub struct History {
    queries: Vec<QuerySpec>,
    position: usize,
    /// Whether the one on show came from a small move, which the next small move replaces.
    moving: bool,
}

impl History {
    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// All that are kept, oldest first.
    pub fn queries(&self) -> &[QuerySpec] {
        &self.queries
    }

    /// The query on show.
    pub fn current(&self) -> Option<QuerySpec> {
        self.queries.get(self.position).cloned()
    }

    /// Queries of the patches' size follow it to another one.
    pub fn follow_patch_size(&mut self, old: u32, new: u32) {
        self.queries.iter_mut().for_each(|query| query.follow_patch_size(old, new));
    }

    /// Adds a new query after the one on show, in place of those that came
    /// after it. A `small_move` on the same images replaces a small move before it.
    pub fn push(&mut self, query: QuerySpec, small_move: bool) {
        let Some(current) = self.current() else {
            self.queries.push(query);
            return;
        };
        if current == query {
            return;
        }
        self.queries.truncate(self.position + 1);
        let images = |query: &QuerySpec| query.boxes().map(|(_, area)| area.image).collect::<Vec<_>>();
        if small_move && self.moving && images(&current) == images(&query) {
            self.queries[self.position] = query;
        } else {
            self.queries.push(query);
        }
        if self.queries.len() > CAPACITY {
            self.queries.remove(0);
        }
        self.position = self.queries.len() - 1;
        self.moving = small_move;
    }

    /// Whether there is a query before the one on show.
    pub fn can_go_back(&self) -> bool {
        self.position > 0
    }

    /// Whether there is a query after the one on show.
    pub fn can_go_forward(&self) -> bool {
        self.position + 1 < self.queries.len()
    }

    /// Goes back by one; `None` at the first.
    pub fn back(&mut self) -> Option<QuerySpec> {
        self.moving = false;
        self.position = self.position.checked_sub(1)?;
        self.current()
    }

    /// Goes forward by one; `None` at the last.
    pub fn forward(&mut self) -> Option<QuerySpec> {
        self.moving = false;
        if !self.can_go_forward() {
            return None;
        }
        self.position += 1;
        self.current()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::PatchRef;

    fn patch(image: u32, x: u32) -> QuerySpec {
        QuerySpec::one(PatchRef { image, y: 0, x, size: 14 })
    }

    #[test]
    fn going_back_and_forward_meets_the_same_queries() {
        let mut history = History::default();
        for image in 0..3 {
            history.push(patch(image, 0), false);
        }
        assert_eq!(history.back(), Some(patch(1, 0)));
        assert_eq!(history.back(), Some(patch(0, 0)));
        assert_eq!(history.back(), None);
        assert_eq!(history.forward(), Some(patch(1, 0)));
        history.push(patch(7, 0), false);
        assert_eq!(history.forward(), None);
        assert_eq!(history.back(), Some(patch(1, 0)));
    }

    #[test]
    fn small_moves_on_one_image_count_as_one() {
        let mut history = History::default();
        history.push(patch(0, 0), false);
        for x in 1..9 {
            history.push(patch(0, x), true);
        }
        assert_eq!(history.current(), Some(patch(0, 8)));
        assert_eq!(history.back(), Some(patch(0, 0)));
        assert!(!history.can_go_back());
    }
}
