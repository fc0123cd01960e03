//! A query that is no patch of the grid: a drawn box, a picture from outside, several parts with their signs.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::canvas::{PageCanvas, Rect};
use crate::patch::BoxRef;
use crate::search::Sign;

/// All that was asked, where one patch does not say it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComposedQuery {
    /// Index of the image that heatmaps are of; parts may lie on others.
    pub image: u32,
    /// Its parts, in the order in which they were added. The query's vector is the sum of their unit vectors.
    pub parts: Vec<ComposedPart>,
}

/// One part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComposedPart {
    /// Whether it is added or subtracted.
    pub sign: Sign,
    /// Where its pixels come from.
    pub source: PartSource,
}

/// Where the pixels of a part come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartSource {
    /// A box on an image of the data set.
    Box(BoxRef),
    /// A whole picture that is not of the data set.
    Outside {
        /// Its height, pixels.
        height: u32,
        /// Its width, pixels.
        width: u32,
        /// Hex SHA-256 of its pixels (RGB, row by row).
        sha256: String,
    },
}

/// Most parts of a query.
const MAX_PARTS: usize = 256;

impl PartSource {
    fn words(&self) -> String {
        match self {
            PartSource::Box(BoxRef { image, y, x, height, width }) => {
                format!("a box of {width} × {height} px at y {y}, x {x} of image {image}")
            }
            PartSource::Outside { height, width, sha256 } => {
                format!("a picture of {width} × {height} px from outside (sha256 {sha256:.8})")
            }
        }
    }
}

impl ComposedQuery {
    /// "a box of 20 × 31 px at y 6, x 9 of image 3"; of several parts their signed sum.
    pub fn words(&self) -> String {
        let mut words = String::new();
        for (index, ComposedPart { sign, source }) in self.parts.iter().enumerate() {
            words += match (index, sign) {
                (0, Sign::Plus) => "",
                (0, Sign::Minus) => "minus ",
                (_, Sign::Plus) => " plus ",
                (_, Sign::Minus) => " minus ",
            };
            words += &source.words();
        }
        if self.parts.len() > 1 { words + " (unit vectors)" } else { words }
    }

    /// Checks it, on an image of `height` x `width` pixels where that is shown.
    pub(super) fn validate(&self, shown: Option<(u32, u32)>) -> Result<()> {
        let count = self.parts.len();
        ensure!((1..=MAX_PARTS).contains(&count), "query: {count} parts; expected 1 to {MAX_PARTS}");
        let Some((height, width)) = shown else { return Ok(()) };
        for (_, area) in self.shown() {
            let [y, x, h, w] = [area.y, area.x, area.height, area.width].map(u64::from);
            ensure!(
                h > 0 && w > 0 && y + h <= u64::from(height) && x + w <= u64::from(width),
                "query: a box of {w} x {h} pixels at y {y}, x {x} leaves the image of {width} x {height}"
            );
        }
        Ok(())
    }

    /// The parts that lie on the image of the heatmaps.
    fn shown(&self) -> impl Iterator<Item = (Sign, BoxRef)> + '_ {
        self.parts.iter().filter_map(|part| match part.source {
            PartSource::Box(area) if area.image == self.image => Some((part.sign, area)),
            _ => None,
        })
    }

    /// Dashes around the parts on an image that lies over `panel`, `scale` units for a pixel; with their signs where
    /// there are several.
    pub(super) fn draw(
        &self,
        canvas: &mut PageCanvas,
        panel: Rect,
        scale: f64,
        (small, color): (i32, [u8; 3]),
    ) {
        let has_signs = self.parts.len() > 1 || self.parts.iter().any(|part| part.sign == Sign::Minus);
        for (sign, area) in self.shown() {
            let [y, x, height, width] =
                [area.y, area.x, area.height, area.width].map(|pixels| f64::from(pixels) * scale);
            let place = Rect { x: panel.x + x, y: panel.y + y, width, height };
            canvas.query(place, color);
            if has_signs {
                canvas.tag(place, small, "sign", sign.symbol(), color);
            }
        }
    }
}
