//! The images around neighbours: asked for when one is looked at, the last ones kept.

use std::collections::HashMap;
use std::sync::Arc;

use eframe::egui::{Context, Rect, TextureId, Vec2, vec2};

use crate::gui::paint::textures::{PictureSlot, RETRY_SECS};
use crate::image::Image;

/// Images that are kept, some megabytes on the GPU.
const KEPT: usize = 48;
/// What has not come after this time, in seconds, is asked for again: newer requests pushed it out.
const WAIT_SECS: f64 = 10.0;

/// The images of one data set that were looked at last.
#[derive(Default)]
pub struct SourceImages {
    data: u64,
    sources: HashMap<usize, SourceImage>,
    asked: HashMap<usize, f64>,
    /// Those that could not be read, and when they were asked for.
    lost: HashMap<usize, f64>,
    /// Counts looks, to know which image was looked at last.
    looks: u64,
}

/// One image.
pub struct SourceImage {
    image: Arc<Image>,
    /// Its width and height before it was made smaller for the screen, pixels.
    pub size: Vec2,
    picture: PictureSlot,
    looked_at: u64,
}

/// What there is to show.
pub enum SourceState<'a> {
    Ready(&'a mut SourceImage),
    /// It is not there yet; `ask` says whether to ask for it now.
    Coming {
        ask: bool,
    },
    /// It cannot be read.
    Lost,
}

impl SourceImage {
    /// It on the GPU, to be shown on `rect`.
    pub fn texture(&mut self, ctx: &Context, rect: Rect) -> TextureId {
        self.picture.texture(ctx, "source of a neighbour", &self.image, rect).id()
    }
}

impl SourceImages {
    /// Takes in an image that has arrived; `size` is its height and width.
    pub fn insert(&mut self, data: u64, index: usize, (height, width): (u32, u32), image: Arc<Image>) {
        if data != self.data {
            return;
        }
        self.asked.remove(&index);
        if self.sources.len() >= KEPT {
            let oldest = self.sources.iter().min_by_key(|(_, source)| source.looked_at);
            let oldest = oldest.map(|(index, _)| *index);
            oldest.map(|index| self.sources.remove(&index));
        }
        let size = vec2(width as f32, height as f32);
        let source = SourceImage { image, size, picture: PictureSlot::default(), looked_at: self.looks };
        self.sources.insert(index, source);
    }

    /// Image `index` of data set `data` cannot be read.
    pub fn lose(&mut self, data: u64, index: usize) {
        if data == self.data {
            let asked = self.asked.remove(&index).unwrap_or_default();
            self.lost.insert(index, asked);
        }
    }

    /// Image `index` of data set `data` at time `now`, in seconds.
    pub fn look(&mut self, data: u64, index: usize, now: f64) -> SourceState<'_> {
        if self.data != data {
            *self = Self { data, ..Self::default() };
        }
        self.looks += 1;
        if let Some(source) = self.sources.get_mut(&index) {
            source.looked_at = self.looks;
            return SourceState::Ready(source);
        }
        if self.lost.get(&index).is_some_and(|asked| now - asked < RETRY_SECS) {
            return SourceState::Lost;
        }
        let ask = self.asked.get(&index).is_none_or(|asked| now - asked > WAIT_SECS);
        if ask {
            self.asked.insert(index, now);
        }
        SourceState::Coming { ask }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_ready(sources: &mut SourceImages, index: usize) -> bool {
        matches!(sources.look(1, index, 0.0), SourceState::Ready(_))
    }

    #[test]
    fn an_image_is_asked_for_once_and_the_longest_unseen_is_forgotten() {
        let mut sources = SourceImages::default();
        assert!(matches!(sources.look(1, 0, 0.0), SourceState::Coming { ask: true }));
        assert!(matches!(sources.look(1, 0, 1.0), SourceState::Coming { ask: false }));
        assert!(matches!(sources.look(1, 0, 20.0), SourceState::Coming { ask: true }), "it was pushed out");
        sources.lose(2, 0);
        assert!(
            matches!(sources.look(1, 0, 20.0), SourceState::Coming { ask: false }),
            "that is of other data"
        );
        sources.lose(1, 0);
        assert!(matches!(sources.look(1, 0, 40.0), SourceState::Lost));
        assert!(matches!(sources.look(1, 0, 51.0), SourceState::Coming { ask: true }), "it may be back");
        let image = Arc::new(Image::filled(4, 8, [9; 3]));
        for index in 0..KEPT {
            sources.insert(1, index, (8, 4), image.clone());
            assert!(is_ready(&mut sources, index));
        }
        assert!(is_ready(&mut sources, 0));
        sources.insert(1, 100, (8, 4), image.clone());
        assert!(is_ready(&mut sources, 0) && is_ready(&mut sources, 100));
        assert!(!is_ready(&mut sources, 1), "nobody looked at it for longest");
        sources.insert(2, 5, (8, 4), image);
        assert!(matches!(sources.look(2, 5, 0.0), SourceState::Coming { ask: true }), "it came unasked");
    }
}
