//! What the window shows as one line of text, to keep, send and open again:
//! `bagssl:1?model=demo&data=demo&split=test&image=3&query=3:8:12&patch=16&stride=2&spaces=z,h&mode=cosine`.
//!
//! The number is the version of the form. Everything may be left out; what is left out stays as it is. A key
//! or value that is not understood is an error, so that nothing is shown as something else in silence.

mod escape;
mod text;

use crate::colormap::Colormap;
use crate::engine::facts::ModelSpec;
use crate::engine::training::DataSource;
use crate::engine::{ExploreConfig, GalleryFilter, MapMode};
use crate::gui::memory::settings::Settings;

/// How links begin.
pub const LINK_START: &str = "bagssl:";

/// The parts of a link.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link {
    /// The model, with what was told about it.
    pub model: Option<ModelSpec>,
    /// The data set and its split.
    pub data: Option<DataSource>,
    /// Index of the image on show.
    pub image: Option<usize>,
    /// The parts of the query.
    pub query: Vec<QueryBox>,
    /// Patches, and how far the galleries reach.
    pub reach: LinkReach,
    /// The spaces side by side; none leaves them as they are.
    pub spaces: Vec<String>,
    /// How the maps look.
    pub look: LinkLook,
    /// What the galleries leave out; `None` leaves it as it is.
    pub filter: Option<GalleryFilter>,
}

/// A part of a query: a box on an image of the data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryBox {
    /// Whether it is to be unlike.
    pub is_minus: bool,
    /// Index of the image.
    pub image: u32,
    /// Row of its upper left pixel.
    pub y: u32,
    /// Column of its upper left pixel.
    pub x: u32,
    /// `(width, height)`, pixels; `None` for a square of the patch size.
    pub size: Option<(u32, u32)>,
}

/// Patches, and how far the galleries reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkReach {
    /// Side of a patch, pixels.
    pub patch: Option<u32>,
    /// Distance between the patches of the maps, pixels.
    pub stride: Option<u32>,
    /// Distance between the patches that are searched, pixels.
    pub search_stride: Option<u32>,
    /// How many images are searched, spread over the data set.
    pub search_images: Option<usize>,
    /// Neighbours in a gallery.
    pub neighbours: Option<usize>,
}

/// How the maps look.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LinkLook {
    /// What of the cosines is shown.
    pub mode: Option<MapMode>,
    /// The colours.
    pub colors: Option<Colormap>,
    /// Cosines at the ends of the scale.
    pub range: Option<[f32; 2]>,
    /// End of the scale of differences.
    pub difference: Option<f32>,
    /// `Some(None)`: no contour.
    pub contour: Option<Option<f32>>,
    /// Opacity over the image, percent.
    pub opacity: Option<i32>,
    /// Whether cells are outlined.
    pub grid: Option<bool>,
    /// Zoom and the point of the image in the middle, in [0, 1].
    pub zoom: Option<[f32; 3]>,
}

impl Link {
    /// Whether a text means to be a link.
    pub fn is_meant(text: &str) -> bool {
        text.trim_start().starts_with(LINK_START)
    }

    /// Takes over how the maps look.
    pub fn dress(&self, settings: &mut Settings) {
        let LinkLook { mode, colors, range, difference, contour, opacity, grid, zoom: _ } = self.look;
        settings.mode = mode.unwrap_or(settings.mode);
        settings.colormap = colors.unwrap_or(settings.colormap);
        settings.range = range.unwrap_or(settings.range);
        settings.difference = difference.unwrap_or(settings.difference);
        settings.contour = contour.unwrap_or(settings.contour);
        settings.opacity = opacity.unwrap_or(settings.opacity);
        settings.grid = grid.unwrap_or(settings.grid);
    }

    /// Says how the maps look.
    pub fn take_look(&mut self, settings: &Settings, zoom: Option<[f32; 3]>) {
        self.look = LinkLook {
            mode: Some(settings.mode),
            colors: Some(settings.colormap),
            range: Some(settings.range),
            difference: Some(settings.difference),
            contour: Some(settings.contour),
            opacity: Some(settings.opacity),
            grid: Some(settings.grid),
            zoom,
        };
    }

    /// Says what patches, spaces and galleries are like.
    pub fn take_config(&mut self, config: &ExploreConfig) {
        self.reach = LinkReach {
            patch: Some(config.grid.patch),
            stride: Some(config.grid.stride),
            search_stride: Some(config.gallery_stride),
            search_images: Some(config.gallery_images),
            neighbours: Some(config.neighbours),
        };
        self.spaces.clone_from(&config.spaces);
        self.filter = Some(config.filter);
    }

    /// `config` with what the link says of patches, spaces and galleries.
    pub fn configured(&self, mut config: ExploreConfig) -> ExploreConfig {
        let LinkReach { patch, stride, search_stride, search_images, neighbours } = self.reach;
        config.grid.patch = patch.unwrap_or(config.grid.patch);
        config.grid.stride = stride.unwrap_or(config.grid.stride);
        config.gallery_stride = search_stride.unwrap_or(config.gallery_stride);
        config.gallery_images = search_images.unwrap_or(config.gallery_images);
        config.neighbours = neighbours.unwrap_or(config.neighbours);
        if !self.spaces.is_empty() {
            config.spaces.clone_from(&self.spaces);
        }
        config.filter = self.filter.unwrap_or(config.filter);
        config
    }
}
