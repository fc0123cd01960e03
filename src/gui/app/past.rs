//! When a failure is past: what was asked for then is not asked for any more.

use crate::engine::{
    ABOUT_GALLERIES, ABOUT_GPU, ABOUT_LINK, ABOUT_MEASURES, ABOUT_PICKED, ABOUT_PICTURE, ExploreConfig,
    QuerySpec,
};
use crate::gui::desk::Desk;
use crate::gui::widgets::notices::Past;

/// What makes the failure of something past, by what it is said to be about.
pub(super) fn past_of(about: &str) -> Past {
    match about {
        "opening the model" => Past::Model,
        // Once it is open again, so is the data set.
        "opening the data set" | ABOUT_LINK => Past::Data,
        // A device or a driver; nothing that is asked for changes it.
        ABOUT_GPU | "the engine" => Past::Never,
        ABOUT_GALLERIES | "changing the patches" | "the spaces as pictures" => Past::Patches,
        "the query"
        | "showing the image"
        | "showing a neighbour"
        | "searching for neighbours"
        | "the galleries of several places"
        | "the microscope"
        | ABOUT_MEASURES
        | ABOUT_PICTURE
        | "the picture of a pin" => Past::Query,
        "the figure" | "exporting the measures" | ABOUT_PICKED => Past::Figure,
        _ => Past::Open,
    }
}

/// What the user asks for, as a failure may be about it.
#[derive(Default)]
pub(super) struct Wishes {
    config: Option<ExploreConfig>,
    query: Option<QuerySpec>,
    image: Option<usize>,
    microscope: Vec<u32>,
}

impl Wishes {
    /// What is asked for now.
    pub(super) fn of(desk: &Desk) -> Self {
        let session = &desk.session;
        let microscope = desk.settings.microscope.clone();
        Self { config: session.config(), query: session.query(), image: session.image(), microscope }
    }

    /// What is past, of what failed while this was asked for, where `now` is.
    pub(super) fn past(&self, now: &Self) -> Option<Past> {
        // What is embedded; of what is found in it, another number or filter needs no other patches.
        let patches = |asked: &Self| {
            let config = asked.config.clone()?;
            Some((config.grid, config.gallery_stride, config.gallery_images, config.spaces))
        };
        let looked_for = |asked: &Self| (asked.query.clone(), asked.image, asked.microscope.clone());
        match () {
            () if patches(self) != patches(now) => Some(Past::Patches),
            () if self.config != now.config || looked_for(self) != looked_for(now) => Some(Past::Query),
            () => None,
        }
    }
}
