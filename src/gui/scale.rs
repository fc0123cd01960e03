//! The one colour scale of all heatmaps on show, in each way to look at them.

use crate::colormap::Colormap;
use crate::engine::MapMode;

use crate::gui::settings::Settings;

/// Ends, colours and meaning of a scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    pub range: [f32; 2],
    pub colormap: Colormap,
    /// What its numbers are, along the bar.
    pub label: &'static str,
    /// The same in a sentence.
    pub explanation: &'static str,
}

impl Scale {
    /// The scale that belongs to the settings.
    pub fn of(settings: &Settings) -> Self {
        let (range, colormap) = (settings.range, settings.colormap);
        match settings.mode {
            MapMode::Cosine | MapMode::Pictures => {
                let explanation = "Cosine similarity to the query.";
                Self { range, colormap, label: "cosine similarity", explanation }
            }
            MapMode::Ranks => Self {
                range: [0.0, 1.0],
                colormap,
                label: "rank in the image",
                explanation: "Rank of the cosine among those of this image in this space, from 0 (least alike) to \
                              1 (most alike): it shows the order and says nothing about how alike.",
            },
            MapMode::Difference => Self {
                range: [-settings.difference, settings.difference],
                colormap: Colormap::Coolwarm,
                label: "difference of cosines",
                explanation: "Cosine in the first space less that in the other: red where the first finds a patch \
                              more like the query.",
            },
        }
    }
}
