//! Patches on a plane, as a page.

use serde_json::json;

use crate::analysis::plane::{PatchPlane, PlaneWay};
use crate::bank::BankSpec;
use crate::colormap::{Colormap, category, place_color};
use crate::engine::ask::{MeasuredPage, PointColor, QuerySpec, Tints};
use crate::engine::figures::plotted::page;
use crate::engine::figures::tiling::{tiles_behind, tiles_note};
use crate::figure::{CurveAxis, LegendEntry, MOST_POINTS, Panel, PanelsSpec, PointsPanel};
use crate::words::thousands;

/// What is drawn of a plane.
pub struct ScatterFacts<'a> {
    /// What the bank was made of.
    pub spec: &'a BankSpec,
    /// The points.
    pub plane: &'a PatchPlane,
    /// Images that they are of.
    pub images: usize,
    /// What they are coloured by.
    pub color: PointColor,
    /// The values.
    pub tints: &'a Tints,
    /// Colours of numbers.
    pub colormap: Colormap,
    /// What is looked for, and where it lies.
    pub query: Option<(QuerySpec, [f32; 2])>,
}

/// Kinds that a legend names at most.
const MOST_NAMED: usize = 40;
/// Numbers that a legend shows.
const STEPS: usize = 5;
/// Colour of a point of no kind, or of no number.
const PLAIN: [u8; 3] = [0x99; 3];

impl ScatterFacts<'_> {
    /// The page. Of more points than a figure holds, so many are drawn, evenly spread over their order; it says how many.
    pub fn page(&self) -> MeasuredPage {
        let Self { spec, plane, .. } = self;
        let count = plane.at.len();
        let drawn: Vec<usize> =
            (0..count.min(MOST_POINTS)).map(|i| i * count / count.min(MOST_POINTS)).collect();
        let panel = PointsPanel {
            title: format!("{}, coloured by {}", plane.space, self.color.name()),
            x: CurveAxis::of(plane.axis_words(0), ""),
            y: CurveAxis::of(plane.axis_words(1), ""),
            first: drawn.iter().map(|point| plane.at[*point][0]).collect(),
            second: drawn.iter().map(|point| plane.at[*point][1]).collect(),
            rgb: drawn.iter().flat_map(|point| self.color_of(*point)).collect(),
            legend: self.legend(),
            query: self.query.as_ref().map(|(_, at)| *at),
        };
        let look = PanelsSpec { height_in: 4.5, across: 1, ..PanelsSpec::default() };
        let source = json!({
            "model": spec.model, "data": spec.data, "grid": spec.grid, "space": plane.space, "by": plane.way, "color": self.color.name(),
            "patches": count, "of": plane.of, "images": self.images, "fitted": plane.fitted,
            "explained": plane.axes.explained, "query": self.query.as_ref().map(|(query, _)| query),
            "tiles": tiles_behind(spec, [&plane.space]),
        });
        MeasuredPage {
            spec: look,
            data: page(String::new(), vec![Panel::Points(panel)], self.notes(drawn.len())),
            source,
        }
    }

    fn notes(&self, drawn: usize) -> Vec<String> {
        let Self { spec, plane, .. } = self;
        let mut notes = vec![
            format!("model {}, {}", spec.model.name, spec.data.name),
            format!("patches of {0} x {0} pixels every {1}", spec.grid.patch, spec.grid.stride),
            format!(
                "{} of {} patches of {} images drawn",
                thousands(drawn),
                thousands(plane.of),
                thousands(self.images)
            ),
            match plane.way {
                PlaneWay::Pca => {
                    format!(
                        "principal components of vectors at unit length, found from {}",
                        thousands(plane.fitted)
                    )
                }
                PlaneWay::Tsne => {
                    "t-SNE of vectors at unit length, from their principal components".to_owned()
                }
            },
        ];
        notes.extend(tiles_behind(spec, [&plane.space]).map(tiles_note));
        notes.extend(self.query.is_some().then(|| "dashes: the query".to_owned()));
        notes
    }

    fn color_of(&self, point: usize) -> [u8; 3] {
        match self.tints {
            Tints::Kinds { index, .. } if index[point] == Tints::NO_KIND => PLAIN,
            Tints::Kinds { index, .. } => category(index[point].into()),
            Tints::Places(places) => place_color(places[point]),
            Tints::Numbers { values, .. } if values[point].is_nan() => PLAIN,
            Tints::Numbers { values, range: [low, high] } => {
                self.colormap.on_ground((values[point] - low) / (high - low), false)
            }
        }
    }

    /// The kinds that there are; the corners of an image; a few numbers.
    fn legend(&self) -> Vec<LegendEntry> {
        let entry = |name: &str, color| LegendEntry { name: name.to_owned(), color };
        match self.tints {
            Tints::Kinds { names, there, .. } => {
                let named = there.iter().take(MOST_NAMED).map(|kind| usize::from(*kind));
                let mut legend: Vec<LegendEntry> =
                    named.map(|kind| entry(&names[kind], category(kind))).collect();
                let more = there.len().saturating_sub(MOST_NAMED);
                legend.extend((more > 0).then(|| entry(&format!("and {more} more"), [0xff; 3])));
                legend
            }
            Tints::Places(_) => [
                ("upper left of the image", [0.0, 0.0]),
                ("upper right", [1.0, 0.0]),
                ("lower left", [0.0, 1.0]),
                ("lower right", [1.0, 1.0]),
            ]
            .map(|(name, place)| entry(name, place_color(place)))
            .to_vec(),
            Tints::Numbers { range: [low, high], .. } => (0..STEPS)
                .map(|step| {
                    let t = step as f32 / (STEPS - 1) as f32;
                    let words = format!("{:.3}", low + t * (high - low)).replace('-', "\u{2212}");
                    entry(&words, self.colormap.on_ground(t, false))
                })
                .collect(),
        }
    }
}
