//! All views of a batch, in parallel.

use std::borrow::Borrow;

use anyhow::{Context, ensure};
use rayon::prelude::*;

use super::preset::ViewConfig;
use super::view::view_rng;
use crate::image::{Image, Normalization};

/// What the views of a batch have in common.
#[derive(Clone, Copy, Debug)]
pub struct ViewBatch<'a> {
    /// The run's seed.
    pub seed: u64,
    /// The training step (or any number that makes this batch's draws its own).
    pub step: u64,
    /// One config for each view of an image.
    pub views: &'a [ViewConfig],
    /// Side of the views, pixels.
    pub size: u32,
    /// What the values are normalised with.
    pub norm: Normalization,
}

/// Makes all views of a batch in parallel, on the rayon pool of the caller.
///
/// `images` are N pairs of an image and its number in the data set, which names its random stream.
/// `out` is `[V, N, 3, size, size]`: view 0 of all images, then view 1, ...
///
/// # Errors
/// Where a view cannot be made, with the number of its image; or `out` has another length.
pub fn make_views<I>(batch: &ViewBatch<'_>, images: &[(u64, I)], out: &mut [f32]) -> anyhow::Result<()>
where
    I: Borrow<Image> + Sync,
{
    let (count, values) = (images.len(), 3 * batch.size as usize * batch.size as usize);
    let expected = batch.views.len() * count * values;
    ensure!(
        out.len() == expected,
        "{} values for {} views of {count} images of 3 x {} x {}; expected {expected}",
        out.len(),
        batch.views.len(),
        batch.size,
        batch.size
    );
    if expected == 0 {
        return Ok(());
    }
    out.par_chunks_exact_mut(values).enumerate().try_for_each(|(i, out)| {
        let (view, (id, image)) = (i / count, &images[i % count]);
        let image = image.borrow();
        let mut rng = view_rng(batch.seed, batch.step, *id, view as u64);
        let params = batch.views[view].sample(&mut rng, image.height(), image.width());
        params
            .and_then(|params| params.apply(image, batch.size, &batch.norm, out))
            .with_context(|| format!("view {view} of image {id}"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Crop, Preset, Resize, ViewParams, fixture};
    use super::*;

    fn batch(views: &[ViewConfig]) -> ViewBatch<'_> {
        ViewBatch { seed: 3, step: 5, views, size: 32, norm: Normalization::CIFAR10 }
    }

    fn byol() -> [ViewConfig; 2] {
        let crop = Crop::Scale { min: 0.08, max: 1.0 };
        [Preset::ByolView1, Preset::ByolView2]
            .map(|preset| ViewConfig::preset(preset, crop, Resize::Bilinear, 32))
    }

    fn images(count: u32) -> Vec<(u64, Image)> {
        (0..count).map(|i| (100 + i as u64, fixture::image(32, 40, i))).collect()
    }

    fn views_on(threads: usize, images: &[(u64, Image)]) -> Vec<f32> {
        let mut out = vec![0.0; 2 * images.len() * 3 * 32 * 32];
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| make_views(&batch(&byol()), images, &mut out)).unwrap();
        out
    }

    #[test]
    fn views_do_not_depend_on_threads_or_on_their_place_in_the_batch() {
        let images = images(9);
        let one = views_on(1, &images);
        assert_eq!(one, views_on(4, &images));
        let tail = views_on(2, &images[7..]);
        let view = 3 * 32 * 32;
        assert_eq!(tail[..2 * view], one[7 * view..9 * view]);
        assert_eq!(tail[2 * view..], one[16 * view..]);
    }

    #[test]
    fn the_batch_is_view_major_and_each_view_is_its_sampled_one() {
        let images = images(3);
        let out = views_on(2, &images);
        for (i, got) in out.chunks_exact(3 * 32 * 32).enumerate() {
            let (view, (id, image)) = (i / 3, &images[i % 3]);
            let params = byol()[view].sample(&mut view_rng(3, 5, *id, view as u64), 32, 40).unwrap();
            let params: ViewParams = serde_json::from_str(&serde_json::to_string(&params).unwrap()).unwrap();
            let mut expected = vec![0.0; got.len()];
            params.apply(image, 32, &Normalization::CIFAR10, &mut expected).unwrap();
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn an_image_that_is_too_small_is_named() {
        let config = [ViewConfig::preset(Preset::Quick, Crop::Fixed { size: 14 }, Resize::Bilinear, 32)];
        let images = [(7, Image::filled(20, 20, [9; 3])), (8, Image::filled(13, 20, [9; 3]))];
        let mut out = vec![0.0; 2 * 3 * 32 * 32];
        let error = format!("{:#}", make_views(&batch(&config), &images, &mut out).unwrap_err());
        assert!(error.starts_with("view 0 of image 8: a patch of 14 x 14 pixels does not fit"), "{error}");
        assert!(make_views(&batch(&config), &images, &mut out[1..]).is_err());
    }
}
