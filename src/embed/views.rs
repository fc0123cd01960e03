//! Changed patches: vectors of views whose every change is told.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Embedder, PIXELS_SIDE};
use crate::augment::ViewParams;
use crate::image::Image;
use crate::model::Space;

/// Side at which the pixels of patches of `size` pixels are compared.
pub fn pixels_side(size: u32) -> u32 {
    size.min(PIXELS_SIDE)
}

/// A view of an image.
#[derive(Clone)]
pub struct ChangedView {
    /// What is cut from.
    pub image: Arc<Image>,
    /// The crop, and what becomes of it.
    pub view: ViewParams,
}

impl Embedder {
    /// Vectors of views, each made at the network's input size.
    ///
    /// # Shapes
    /// - as [`Embedder::patches`]
    ///
    /// # Errors
    /// A view that cannot be made ([`ViewParams::apply`]); as [`Embedder::patches`].
    pub fn views(&self, views: &[ChangedView], spaces: &[Space]) -> anyhow::Result<Vec<Vec<f32>>> {
        let (input, trouble) = (self.info.input, Mutex::new(None));
        let vectors = self.embed_with(views.len(), spaces, |index, out| {
            if let Err(error) = self.fill_view(&views[index], input, out) {
                trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        });
        let trouble = trouble.into_inner().unwrap_or_else(PoisonError::into_inner);
        trouble.map_or(vectors, Err)
    }

    /// The normalised pixels of views of patches of `size` pixels, made at the size at which pixels are compared.
    ///
    /// # Errors
    /// As [`Embedder::views`]; as [`Embedder::pixels`].
    pub fn view_pixels(&self, views: &[ChangedView], size: u32) -> anyhow::Result<Vec<f32>> {
        let (side, width) = (pixels_side(size), super::pixels_width(size));
        let mut values = vec![0.0; views.len() * width];
        for (view, out) in views.iter().zip(values.chunks_exact_mut(width)) {
            self.fill_view(view, side, out)?;
        }
        self.checked_pixels(values, width)
    }

    fn fill_view(&self, source: &ChangedView, side: u32, out: &mut [f32]) -> anyhow::Result<()> {
        source.view.apply(&source.image, side, &self.info.normalization, out)
    }
}
