//! What is on show as a link, and back.

use crate::engine::training::DataSource;
use crate::engine::{ExploreConfig, QueryPart, QuerySpec, Sign, defaults};
use crate::gui::memory::link::{Link, QueryBox};
use crate::patch::BoxRef;

use super::Session;

impl Session {
    /// Strides that the link does not say follow the patch size that it says.
    fn follow_patch(&self, old: &ExploreConfig, new: &mut ExploreConfig, link: &Link) {
        let Some(side) = self.snapshot.data.as_ref().map(|data| data.side) else { return };
        let mut followed = new.clone();
        defaults::follow_patch(old, &mut followed, side);
        if link.reach.stride.is_none() {
            new.grid.stride = followed.grid.stride;
        }
        if link.reach.search_stride.is_none() {
            new.gallery_stride = followed.gallery_stride;
        }
    }

    /// What is on show, without how it looks.
    pub fn link(&self) -> Link {
        let snapshot = &self.snapshot;
        let mut link = Link {
            model: snapshot.model_source.as_ref().map(|model| model.absolute()),
            data: snapshot
                .data_source
                .as_ref()
                .map(|data| DataSource { spec: data.spec.absolute(), split: data.split }),
            image: snapshot.view.as_ref().map(|view| view.index),
            ..Link::default()
        };
        let side = self.config().map_or(0, |config| config.grid.patch);
        let part = |(sign, area): (Sign, BoxRef)| QueryBox {
            is_minus: sign == Sign::Minus,
            image: area.image,
            y: area.y,
            x: area.x,
            size: ((area.width, area.height) != (side, side)).then_some((area.width, area.height)),
        };
        link.query.extend(self.query().iter().flat_map(|query| query.boxes()).map(part));
        self.config().iter().for_each(|config| link.take_config(config));
        link
    }

    /// Takes over the settings of a link and goes to its image and query. Returns the image.
    pub fn restore(&mut self, link: &Link) -> Option<usize> {
        if let Some(config) = self.config() {
            let mut restored = link.configured(config.clone());
            self.follow_patch(&config, &mut restored, link);
            if restored != config {
                self.send_config(restored);
            }
        }
        let side = self.config().map_or(1, |config| config.grid.patch);
        let part = |part: &QueryBox| {
            let (width, height) = part.size.unwrap_or((side, side));
            let area = BoxRef { image: part.image, y: part.y, x: part.x, height, width };
            let sign = if part.is_minus { Sign::Minus } else { Sign::Plus };
            QueryPart { sign, source: area.into() }
        };
        let query = QuerySpec { parts: link.query.iter().map(part).collect() };
        if query.parts.is_empty() {
            link.image.into_iter().for_each(|index| self.show_image(index));
            return link.image;
        }
        let image = link.image.or(query.home().map(|image| image as usize)).unwrap_or(0);
        self.history.push(query.clone(), false);
        self.ask_on(query, image);
        Some(image)
    }
}
