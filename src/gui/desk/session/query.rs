//! What is asked: patches, boxes, sums of them, the steps of the keyboard, back and forward.

use crate::engine::{Command, ExploreConfig, QueryPart, QuerySpec, Sign, Source};
use crate::gui::nouns::QueryRole;
use crate::patch::{BoxRef, PatchGrid, PatchRef};

use super::Session;

impl Session {
    fn ask(&mut self, query: QuerySpec) {
        let image = self.image_for(&query);
        self.ask_on(query, image);
    }

    pub(super) fn ask_on(&mut self, query: QuerySpec, image: usize) {
        self.last_id += 1;
        self.wanted_image = Some(image);
        if let Some(data) = self.data_id() {
            self.send(Command::Query { id: self.last_id, data, query: query.clone(), image });
        }
        self.asked = Some((self.last_id, query));
    }

    /// The image to look for `query` on: the one on show if a part lies there or none lies anywhere,
    /// otherwise where the query is at home.
    fn image_for(&self, query: &QuerySpec) -> usize {
        let shown = self.snapshot.view.as_ref().map(|view| view.index);
        let is_there = |image: &usize| query.boxes_on(*image).next().is_some();
        let home = query.home().map(|image| image as usize);
        shown.filter(is_there).or(home).or(shown).unwrap_or(0)
    }

    /// Makes a patch or a box the query.
    pub fn go_to(&mut self, source: impl Into<Source>) {
        self.look_for(QuerySpec::one(source));
    }

    /// Makes the patch about the same centre the query that has the size which is set now.
    pub fn go_to_place(&mut self, patch: PatchRef) {
        let size = self.config().map_or(patch.size, |config| config.grid.patch);
        let (height, width) = self.size_of(patch.image).unwrap_or((u32::MAX, u32::MAX));
        self.go_to(patch.about_same_centre(size, height, width));
    }

    /// Makes `source` the query, or a part of the one that is there.
    pub fn take(&mut self, role: QueryRole, source: Source) {
        match (role, self.query()) {
            (QueryRole::Part(sign), Some(query)) => self.look_for(query.toggled(sign, source)),
            (QueryRole::Part(sign), None) => {
                self.look_for(QuerySpec { parts: vec![QueryPart { sign, source }] })
            }
            (QueryRole::Alone, _) => self.go_to(source),
        }
    }

    /// Makes `other` the query, or all its parts further ones of the query that is there; subtracted, each
    /// with the other sign.
    pub fn take_all(&mut self, role: QueryRole, other: &QuerySpec) {
        match (role, self.query()) {
            (QueryRole::Part(sign), Some(query)) => {
                let signed =
                    |part: &QueryPart| if sign == Sign::Plus { part.sign } else { part.sign.other() };
                let with = |query: QuerySpec, part: &QueryPart| query.with(signed(part), part.source.clone());
                self.look_for(other.parts.iter().fold(query, with));
            }
            _ => self.look_for(other.clone()),
        }
    }

    /// Takes part `index` out of the query, if it is not the only one.
    pub fn remove_part(&mut self, index: usize) {
        if let Some(query) = self.query().and_then(|query| query.without(index)) {
            self.look_for(query);
        }
    }

    /// Takes the last part out of the query, if it is not the only one.
    pub fn remove_last_part(&mut self) {
        let last = self.query().and_then(|query| query.parts.len().checked_sub(1));
        last.into_iter().for_each(|index| self.remove_part(index));
    }

    /// Adds part `index` where it was subtracted, and the other way round.
    pub fn turn_part(&mut self, index: usize) {
        if let Some(mut query) = self.query()
            && let Some(part) = query.parts.get_mut(index)
        {
            part.sign = part.sign.other();
            self.look_for(query);
        }
    }

    /// Looks at all this again: settings, query and image.
    pub fn look_again(&mut self, config: ExploreConfig, query: QuerySpec, image: usize) {
        if Some(&config) != self.config().as_ref() {
            self.send_config(config);
        }
        if Some(&query) == self.query().as_ref() {
            self.show_image(image);
        } else {
            self.history.push(query.clone(), false);
            self.ask_on(query, image);
        }
    }

    /// Makes `query` the query.
    pub fn look_for(&mut self, query: QuerySpec) {
        self.history.push(query.clone(), false);
        self.ask(query);
    }

    /// Moves the query's last part on the image on show by strides, within the image; asks for the middle
    /// where there is none.
    pub fn step(&mut self, right: i32, down: i32) {
        let (Some(view), Some(config)) = (self.snapshot.view.clone(), self.config()) else { return };
        let (height, width) = (view.image.height(), view.image.width());
        let PatchGrid { patch: size, stride } = config.grid;
        let (rows, cols) = config.grid.shape(height, width);
        if rows == 0 || cols == 0 {
            return;
        }
        // Patches stay on the grid, whose last corner may lie before the last that fits.
        let next = |corner: u32, by: i32, extent: u32, side: u32, count: usize| {
            let last = if extent == size { (count as u32 - 1) * stride } else { side.saturating_sub(extent) };
            (i64::from(corner) + i64::from(by) * i64::from(stride)).clamp(0, i64::from(last)) as u32
        };
        let mut query = self.query();
        let parts = query.iter_mut().flat_map(|query| query.parts.iter_mut());
        let on_show = parts.filter_map(|part| match &mut part.source {
            Source::Box(area) if area.image as usize == view.index => Some(area),
            _ => None,
        });
        match on_show.last() {
            Some(at) => {
                at.y = next(at.y, down, at.height, height, rows);
                at.x = next(at.x, right, at.width, width, cols);
            }
            None => {
                let (y, x) = (rows as u32 / 2 * stride, cols as u32 / 2 * stride);
                let middle = BoxRef { image: view.index as u32, y, x, height: size, width: size };
                query = Some(QuerySpec::one(middle));
            }
        }
        if let Some(query) = query.filter(|query| Some(query) != self.query().as_ref()) {
            self.history.push(query.clone(), true);
            self.ask(query);
        }
    }

    /// Whether there is a query before the one on show.
    pub fn can_go_back(&self) -> bool {
        self.history.can_go_back()
    }

    /// Whether there is a query after the one on show.
    pub fn can_go_forward(&self) -> bool {
        self.history.can_go_forward()
    }

    /// Asks the query before the one on show again.
    pub fn back(&mut self) {
        if let Some(query) = self.history.back() {
            self.ask(query);
        }
    }

    /// Asks the query after the one on show again.
    pub fn forward(&mut self) {
        if let Some(query) = self.history.forward() {
            self.ask(query);
        }
    }

    /// Shows an image of the data set, on which the query is looked for; nothing happens if it is on show, or on its way,
    /// or does not exist.
    pub fn show_image(&mut self, index: usize) {
        let data = self.snapshot.data.as_ref().filter(|data| index < data.images).map(|data| data.id);
        let Some(data) = data else { return };
        if self.image() != Some(index) {
            self.wanted_image = Some(index);
            self.send(Command::ShowImage { data, index });
        }
    }
}
