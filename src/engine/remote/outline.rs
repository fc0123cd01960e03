//! Galleries before all their pictures are there: on a slow line these are most of what travels, and what is nearest is
//! known without them.

use std::sync::Arc;

use crate::engine::ask::GalleryView;
use crate::image::Image;
use crate::wire::WirePool;

/// Bytes of pixels that go with the words: some 20 ms at 5 Mbit/s once they are deflated.
const AT_ONCE: usize = 24 << 10;

/// `view` with pictures for the nearest neighbours alone, and one pixel of its mean colour for each other one that the
/// other end does not hold; `None` where all are few enough to go at once.
pub fn outline_of(view: &GalleryView, pool: &WirePool) -> Option<GalleryView> {
    let mut outline = view.clone();
    let share = AT_ONCE / view.spaces.len().max(1);
    for gallery in &mut outline.spaces {
        let mut bytes = 0;
        for neighbour in gallery.neighbours.iter_mut().filter(|neighbour| !pool.holds(&neighbour.pixels)) {
            bytes += neighbour.pixels.rgb().len();
            if bytes > share {
                neighbour.pixels = Arc::new(mean_colour(&neighbour.pixels));
                outline.pictures_follow = true;
            }
        }
    }
    outline.pictures_follow.then_some(outline)
}

/// One pixel.
fn mean_colour(picture: &Image) -> Image {
    let pixels = picture.rgb().chunks_exact(3);
    let count = pixels.len().max(1) as u64;
    let mut sums = [0; 3];
    pixels.for_each(|pixel| sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u64::from(*value)));
    Image::filled(1, 1, sums.map(|sum| (sum / count) as u8))
}
