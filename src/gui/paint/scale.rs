//! The one colour scale of all heatmaps on show, in each way to look at them.

use crate::colormap::Colormap;
use crate::engine::MapMode;

use crate::gui::nouns::MapLook;

/// Ends, colours and meaning of a scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MapScale {
    /// Values at its two ends.
    pub range: [f32; 2],
    /// The colours.
    pub colormap: Colormap,
    /// What its numbers are, along the bar.
    pub label: &'static str,
    /// The same in a sentence.
    pub explanation: &'static str,
}

impl MapScale {
    /// The scale of maps that look so.
    pub fn of(look: &MapLook) -> Self {
        let (range, colormap) = (look.range, look.colormap);
        match look.mode {
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
            MapMode::Lengths => Self {
                range: [0.0, 1.0],
                colormap,
                label: "length, of the longest",
                explanation: "Length (L2 norm) of each patch's vector, of the longest in this image and space. Cosines do \
                              not see it; a few that are far longer than the rest are artefacts of a transformer.",
            },
            MapMode::Difference => Self {
                range: [-look.difference, look.difference],
                colormap: Colormap::Coolwarm,
                label: "difference of cosines",
                explanation: "Cosine in the first space less that in the other: red where the first finds a patch \
                              more like the query.",
            },
        }
    }
}
