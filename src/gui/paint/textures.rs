//! Pictures on the GPU: made when their pixels change, never each frame.

use std::collections::HashMap;
use std::sync::Arc;

use eframe::egui::{
    Color32, ColorImage, Context, Rect, TextureFilter, TextureHandle, TextureOptions, TextureWrapMode, pos2,
};

use crate::engine::{Gallery, GalleryView};
use crate::image::Image;

/// Enlarged without smoothing, made smaller with it.
const PIXELS: TextureOptions = TextureOptions {
    magnification: TextureFilter::Nearest,
    minification: TextureFilter::Linear,
    wrap_mode: TextureWrapMode::ClampToEdge,
    mipmap_mode: None,
};

/// Longest side of a texture of one image; larger images are averaged down for show.
const MAX_SIDE: u32 = 2048;
/// Longest side of a patch in an atlas.
const MAX_CELL: u32 = 64;
/// Memory that thumbnails may take, bytes of pixels: about a thousand of full size.
pub const THUMBNAIL_BUDGET: usize = 16 << 20;
/// Images that are remembered as unreadable.
const MAX_UNREADABLE: usize = 4096;
/// Thumbnails that are asked for at a time.
const MAX_REQUESTS: usize = 24;
/// A thumbnail that has not come after this time never will (it was scrolled past), seconds; it may be asked
/// for again.
const REQUEST_SECS: f64 = 10.0;
/// An image that could not be read is asked for again after so many seconds: it may be back.
pub const RETRY_SECS: f64 = 30.0;

/// `image`, averaged down by a whole factor to sides of at most `max_side`.
fn color_image(image: &Image, max_side: u32) -> ColorImage {
    averaged(image, image.width().max(image.height()).div_ceil(max_side).max(1))
}

/// `image`, averaged down by a whole factor.
fn averaged(image: &Image, factor: u32) -> ColorImage {
    let of =
        |image: &Image| ColorImage::from_rgb([image.width() as usize, image.height() as usize], image.rgb());
    if factor == 1 { of(image) } else { of(&image.averaged(factor)) }
}

/// The power of two by which to average down an image of longest side `side` that is `shown` pixels of the screen
/// long: what is left to the GPU, which takes four neighbours only, is less than half; at most `most` pixels.
fn factor_for(side: u32, shown: f32, most: u32) -> u32 {
    let small_enough = |factor: &u32| {
        let left = side as f32 / *factor as f32;
        left < 2.0 * shown.max(1.0) && left <= most as f32
    };
    (0..16).map(|power| 1 << power).find(small_enough).unwrap_or(1 << 15)
}

/// The textures of one picture that changes now and then: one for each size at which it was shown.
#[derive(Default)]
pub struct PictureSlot {
    shown: Option<Arc<Image>>,
    /// By the factor by which they are averaged down.
    textures: Vec<(u32, TextureHandle)>,
}

impl PictureSlot {
    /// The texture of `image` to be shown on `rect`, uploaded if it is another one than last time. Shown smaller than
    /// it is, it is averaged: every pixel of it has its share.
    pub fn texture(&mut self, ctx: &Context, name: &str, image: &Arc<Image>, rect: Rect) -> &TextureHandle {
        self.texture_within(ctx, name, image, rect, MAX_SIDE)
    }

    /// The same with sides of at most `most` pixels.
    pub fn texture_within(
        &mut self,
        ctx: &Context,
        name: &str,
        image: &Arc<Image>,
        rect: Rect,
        most: u32,
    ) -> &TextureHandle {
        if self.shown.as_ref().is_none_or(|shown| !Arc::ptr_eq(shown, image)) {
            self.shown = Some(image.clone());
            self.textures.clear();
        }
        let shown = rect.size().max_elem() * ctx.pixels_per_point();
        let factor = factor_for(image.width().max(image.height()), shown, most);
        let known = self.textures.iter().position(|(other, _)| *other == factor);
        let index = known.unwrap_or_else(|| {
            self.textures.push((factor, ctx.load_texture(name, averaged(image, factor), PIXELS)));
            self.textures.len() - 1
        });
        &self.textures[index].1
    }
}

/// Small pictures of the data set's images: asked for when visible, the longest unseen forgotten first.
#[derive(Default)]
pub struct ThumbnailTextures {
    data: u64,
    textures: HashMap<usize, (TextureHandle, u64)>,
    /// Bytes of all textures.
    bytes: usize,
    /// When those that are to come were asked for, seconds.
    requested: HashMap<usize, f64>,
    /// Why images could not be read, and when they were asked for.
    unreadable: HashMap<usize, (String, f64)>,
    frame: u64,
    /// Time when one was last looked for, seconds.
    now: f64,
}

/// What there is to show of a thumbnail.
pub enum Thumbnail<'a> {
    Ready(&'a TextureHandle),
    /// It is not there yet; `ask` says whether to ask for it now.
    Missing {
        ask: bool,
    },
    /// Its image cannot be read, and why.
    Unreadable(&'a str),
}

impl ThumbnailTextures {
    /// Begins a frame that shows data set `data`.
    pub fn begin_frame(&mut self, data: u64) {
        if self.data != data {
            *self = Self { data, ..Self::default() };
        }
        self.frame += 1;
    }

    /// Takes in a thumbnail that has arrived.
    pub fn insert(&mut self, ctx: &Context, data: u64, index: usize, image: &Image) {
        if data != self.data {
            return;
        }
        self.requested.remove(&index);
        let texture = ctx.load_texture(format!("thumbnail {index}"), color_image(image, MAX_CELL), PIXELS);
        if self.bytes + texture.byte_size() > THUMBNAIL_BUDGET {
            self.forget_oldest();
        }
        self.bytes += texture.byte_size();
        if let Some((old, _)) = self.textures.insert(index, (texture, self.frame)) {
            self.bytes -= old.byte_size();
        }
    }

    /// Takes in that an image cannot be read.
    pub fn mark_unreadable(&mut self, data: u64, index: usize, message: String) {
        if data == self.data {
            let asked = self.requested.remove(&index).unwrap_or(self.now);
            if self.unreadable.len() >= MAX_UNREADABLE {
                self.unreadable.clear();
            }
            self.unreadable.insert(index, (message, asked));
        }
    }

    /// Bytes of pixels that are kept; at most [`THUMBNAIL_BUDGET`].
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lets go of the half that was not seen for longest.
    fn forget_oldest(&mut self) {
        let mut seen: Vec<(u64, usize)> =
            self.textures.iter().map(|(index, (_, frame))| (*frame, *index)).collect();
        seen.sort_unstable();
        for (_, index) in &seen[..seen.len().div_ceil(2)] {
            self.textures.remove(index);
        }
        self.bytes = self.textures.values().map(|(texture, _)| texture.byte_size()).sum();
    }

    /// The thumbnail of image `index` at time `now` in seconds.
    pub fn get(&mut self, index: usize, now: f64) -> Thumbnail<'_> {
        self.now = now;
        if !self.textures.contains_key(&index) {
            if self.unreadable.get(&index).is_some_and(|(_, asked)| now - asked < RETRY_SECS) {
                return Thumbnail::Unreadable(&self.unreadable[&index].0);
            }
            if self.requested.len() >= MAX_REQUESTS {
                self.requested.retain(|_, asked| now - *asked < REQUEST_SECS);
            }
            let ask = self.requested.len() < MAX_REQUESTS && !self.requested.contains_key(&index);
            if ask {
                self.requested.insert(index, now);
            }
            return Thumbnail::Missing { ask };
        }
        let (texture, seen) = self.textures.get_mut(&index).expect("it was just found");
        *seen = self.frame;
        Thumbnail::Ready(texture)
    }
}

/// All patches of the galleries as one texture for each space.
#[derive(Default)]
pub struct GalleryAtlases {
    shown: Option<(Arc<GalleryView>, Vec<Atlas>)>,
}

/// Cells of equal size, row by row; of a gallery, cell 0 is the query.
pub struct Atlas {
    /// All cells in one picture.
    pub texture: TextureHandle,
    columns: usize,
    cell: usize,
}

impl GalleryAtlases {
    /// The atlases of `view`, one for each space, made anew if the view is another one than last time.
    pub fn of(&mut self, ctx: &Context, view: &Arc<GalleryView>) -> &[Atlas] {
        if self.shown.as_ref().is_some_and(|(shown, _)| !Arc::ptr_eq(shown, view)) {
            self.shown = None;
        }
        let (_, atlases) = self.shown.get_or_insert_with(|| {
            let atlas = |gallery| Atlas::new(ctx, &view.query_pixels, gallery);
            (view.clone(), view.spaces.iter().map(atlas).collect())
        });
        atlases
    }
}

impl Atlas {
    fn new(ctx: &Context, query: &Image, gallery: &Gallery) -> Self {
        let patches: Vec<&Image> =
            std::iter::once(query).chain(gallery.neighbours.iter().map(|hit| &*hit.pixels)).collect();
        Self::of(ctx, &format!("gallery {}", gallery.space), &patches)
    }

    /// Of `patches`, each a cell; `name` is the texture's.
    pub fn of(ctx: &Context, name: &str, patches: &[&Image]) -> Self {
        let side = |image: &Image| image.width().max(image.height()).clamp(1, MAX_CELL);
        // One pixel of border on each side repeats the edge, so that no neighbour shines in.
        let cell = patches.iter().map(|image| side(image)).max().unwrap_or(1) as usize + 2;
        let columns = ((patches.len() as f32).sqrt().ceil() as usize).max(1);
        let rows = patches.len().div_ceil(columns).max(1);
        let mut atlas = ColorImage::filled([columns * cell, rows * cell], Color32::TRANSPARENT);
        for (index, patch) in patches.iter().enumerate() {
            let (top, left) = (index / columns * cell, index % columns * cell);
            let small = color_image(patch, MAX_CELL);
            for y in 0..cell {
                for x in 0..cell {
                    let [from_y, from_x] = [(y, small.height()), (x, small.width())].map(|(at, side)| {
                        (at.saturating_sub(1).min(cell - 3) * side / (cell - 2)).min(side - 1)
                    });
                    let to = (top + y) * columns * cell + left + x;
                    atlas.pixels[to] = small.pixels[from_y * small.width() + from_x];
                }
            }
        }
        let texture = ctx.load_texture(name, atlas, PIXELS);
        Self { texture, columns, cell }
    }

    /// Where cell `index` lies on the texture.
    pub fn uv(&self, index: usize) -> Rect {
        let [width, height] = self.texture.size().map(|side| side as f32);
        let (top, left) = (index / self.columns * self.cell + 1, index % self.columns * self.cell + 1);
        let side = self.cell - 2;
        Rect::from_min_max(
            pos2(left as f32 / width, top as f32 / height),
            pos2((left + side) as f32 / width, (top + side) as f32 / height),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_images_are_averaged_down_and_small_ones_kept() {
        let image = Image::new(3, 1, vec![10, 0, 0, 20, 0, 0, 90, 0, 0]);
        assert_eq!(color_image(&image, 3).size, [3, 1]);
        let small = color_image(&image, 2);
        assert_eq!(small.size, [2, 1]);
        assert_eq!(small.pixels, [Color32::from_rgb(15, 0, 0), Color32::from_rgb(90, 0, 0)]);
    }

    #[test]
    fn a_picture_is_averaged_to_less_than_twice_the_pixels_that_show_it() {
        let factor_for = |side, shown| factor_for(side, shown, MAX_SIDE);
        assert_eq!(
            [1600.0, 801.0, 800.0, 300.0, 10.0].map(|shown| factor_for(1600, shown)),
            [1, 1, 2, 4, 128]
        );
        assert_eq!((factor_for(32, 270.0), factor_for(6000, 9000.0), factor_for(1, 0.0)), (1, 4, 1));
        // A lattice of black and white shown at half its size is grey, and not one of the two.
        let lattice = Image::new(4, 2, [[0; 3], [255; 3], [0; 3], [255; 3]].repeat(2).concat());
        let small = averaged(&lattice, factor_for(4, 2.0));
        assert_eq!((small.size, small.pixels), ([2, 1], vec![Color32::from_rgb(128, 128, 128); 2]));
    }

    #[test]
    fn a_thumbnail_is_asked_for_once_and_few_at_a_time() {
        let ctx = Context::default();
        let mut thumbnails = ThumbnailTextures::default();
        thumbnails.begin_frame(1);
        let asks =
            (0..100).filter(|&index| matches!(thumbnails.get(index, 0.0), Thumbnail::Missing { ask: true }));
        assert_eq!(asks.count(), MAX_REQUESTS);
        assert!(matches!(thumbnails.get(0, 1.0), Thumbnail::Missing { ask: false }));
        thumbnails.insert(&ctx, 1, 0, &Image::filled(8, 8, [1; 3]));
        assert!(matches!(thumbnails.get(0, 1.0), Thumbnail::Ready(_)));
        assert!(matches!(thumbnails.get(99, 1.0), Thumbnail::Missing { ask: true }));
        thumbnails.insert(&ctx, 0, 1, &Image::filled(8, 8, [1; 3]));
        assert!(matches!(thumbnails.get(1, 1.0), Thumbnail::Missing { .. }), "of another data set");
        thumbnails.mark_unreadable(1, 2, "2.png: no picture".into());
        assert!(matches!(thumbnails.get(2, 1.0), Thumbnail::Unreadable("2.png: no picture")));
        assert!(matches!(thumbnails.get(98, 1.0), Thumbnail::Missing { ask: true }), "its place is free");
        assert!(matches!(thumbnails.get(2, 31.0), Thumbnail::Missing { ask: true }), "it may be back");
    }

    #[test]
    fn thumbnails_keep_within_their_budget() {
        let ctx = Context::default();
        let mut thumbnails = ThumbnailTextures::default();
        let image = Image::filled(MAX_CELL, MAX_CELL, [1; 3]);
        let fit = THUMBNAIL_BUDGET / (4 * (MAX_CELL * MAX_CELL) as usize);
        for index in 0..3 * fit {
            if index % 10 == 0 {
                thumbnails.begin_frame(1);
            }
            thumbnails.insert(&ctx, 1, index, &image);
            assert!(thumbnails.bytes() <= THUMBNAIL_BUDGET);
        }
        assert!(thumbnails.bytes() > THUMBNAIL_BUDGET / 3, "what was seen last is kept");
        assert!(matches!(thumbnails.get(3 * fit - 1, 0.0), Thumbnail::Ready(_)));
        // All in one frame.
        thumbnails = ThumbnailTextures::default();
        thumbnails.begin_frame(1);
        (0..3 * fit).for_each(|index| thumbnails.insert(&ctx, 1, index, &image));
        assert!(thumbnails.bytes() <= THUMBNAIL_BUDGET);
    }
}
