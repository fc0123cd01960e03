//! Points on a plane, coloured by kind or value.

use anyhow::{Result, ensure};
use plotters::prelude::{ChartBuilder, LabelAreaPosition};
use plotters::style::Color as _;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::canvas::{BORDER, FAINT, INK, PT, PageCanvas, Rect, font, hex, rgb, text_width};
use super::codec;
use super::curve::CurveAxis;
use super::legend::{Legend, LegendEntry};
use super::scale::{CurveScale, tick};
use crate::colormap;

/// A panel of points. One unit is as long along either axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointsPanel {
    /// Heading.
    pub title: String,
    /// The horizontal axis.
    pub x: CurveAxis,
    /// The vertical axis.
    pub y: CurveAxis,
    /// The points' first coordinates.
    #[serde(with = "codec::floats")]
    pub first: Vec<f32>,
    /// Their second ones, as many.
    #[serde(with = "codec::floats")]
    pub second: Vec<f32>,
    /// Three bytes for each: red, green, blue.
    #[serde(with = "codec::floats")]
    pub rgb: Vec<u8>,
    /// What the colours say.
    pub legend: Vec<LegendEntry>,
    /// Where the query lies, if there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub query: Option<[f32; 2]>,
}

/// Points of a panel at most: each is drawn.
pub const MOST_POINTS: usize = 20_000;
/// Points whose dots are put together by colour: what comes later lies on top, nearly.
const BATCH: usize = 256;

impl PointsPanel {
    pub(super) fn check(&self) -> Result<()> {
        let (count, others, bytes) = (self.first.len(), self.second.len(), self.rgb.len());
        ensure!((1..=MOST_POINTS).contains(&count), "points: {count} given; expected 1 to {MOST_POINTS}");
        ensure!(
            others == count && bytes == 3 * count,
            "{count} points: {others} second coordinates, {bytes} bytes of colour"
        );
        let mut all = self.first.iter().chain(&self.second).chain(self.query.iter().flatten());
        let wrong = all.find(|value| !value.is_finite() || value.abs() > 1e12);
        ensure!(wrong.is_none(), "points: {}; expected numbers", wrong.unwrap_or(&0.0));
        Ok(())
    }

    fn legend(&self) -> Legend<'_> {
        Legend(&self.legend)
    }

    /// Heading and legend from `at` down; returns the y below them.
    pub(super) fn head(&self, canvas: &mut PageCanvas, title: &str, at: (i32, i32), size: (i32, i32)) -> i32 {
        self.legend().head(canvas, title, at, size)
    }

    /// Smallest and largest coordinates of all that is drawn, a little further out, in a place so many times as wide as high.
    fn ranges(&self, aspect: f64) -> [[f64; 2]; 2] {
        let range = |values: &[f32], c: usize| {
            let all = values.iter().chain(self.query.iter().map(|at| &at[c])).map(|v| f64::from(*v));
            all.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], v| [low.min(v), high.max(v)])
        };
        let ranges = [range(&self.first, 0), range(&self.second, 1)];
        let extent = |[low, high]: [f64; 2]| (high - low).max(1e-9);
        let height = extent(ranges[1]).max(extent(ranges[0]) / aspect) * 1.06;
        let around =
            |[low, high]: [f64; 2], half: f64| [(low + high) / 2.0 - half, (low + high) / 2.0 + half];
        [around(ranges[0], height * aspect / 2.0), around(ranges[1], height / 2.0)]
    }

    /// Axes and points with the upper left corner at `at`.
    pub(super) fn body(
        &self,
        canvas: &mut PageCanvas,
        at: (i32, i32),
        (width, height): (i32, i32),
        text: i32,
    ) -> Result<()> {
        let small = text * 7 / 8;
        let below = text * 3;
        let left = text_width(&tick(-0.25), small) + text * 5 / 2;
        let inner = [width - left - text, height - below - text / 2].map(|side| side.max(1));
        let [across, up] = self.ranges(f64::from(inner[0]) / f64::from(inner[1]));
        let ticks = |side: i32, apart: i32| (side / (text * apart)).clamp(2, 8) as usize;
        let mut places = vec![];
        let mut mark = None;
        canvas.plot(at.1 + height, |page| {
            let area = page.clone().shrink(at, (width, height));
            let mut chart = ChartBuilder::on(&area)
                .margin_right(text)
                .margin_top(text / 2)
                .set_label_area_size(LabelAreaPosition::Left, left)
                .set_label_area_size(LabelAreaPosition::Bottom, below)
                .build_cartesian_2d(
                    CurveScale::new(across, false, ticks(inner[0], 6)),
                    CurveScale::new(up, false, ticks(inner[1], 3)),
                )?;
            chart
                .configure_mesh()
                .bold_line_style(rgb([0xe8; 3]).stroke_width(PT as u32 / 2))
                .axis_style(rgb(BORDER).stroke_width(PT as u32 / 2))
                .set_all_tick_mark_size(2 * PT)
                .x_label_formatter(&|v| tick(*v))
                .y_label_formatter(&|v| tick(*v))
                .label_style(font(small).color(&rgb(FAINT)))
                .axis_desc_style(font(text).color(&rgb(INK)))
                .x_desc(self.x.words())
                .y_desc(self.y.words())
                .draw()?;
            let place = |x: f32, y: f32| chart.backend_coord(&(f64::from(x), f64::from(y)));
            places.extend(self.first.iter().zip(&self.second).map(|(x, y)| place(*x, *y)));
            mark = self.query.map(|[x, y]| place(x, y));
            Ok(())
        })?;
        self.dots(canvas, &places);
        if let Some((x, y)) = mark {
            let side = 8 * PT;
            canvas.query(Rect::new(x - side / 2, y - side / 2, side, side), colormap::QUERY);
        }
        Ok(())
    }

    /// A round dot at each place.
    fn dots(&self, canvas: &mut PageCanvas, places: &[(i32, i32)]) {
        let side = match places.len() {
            0..=1000 => PT * 5 / 2,
            1001..=5000 => PT * 2,
            _ => PT * 3 / 2,
        };
        let mut svg = format!(
            "<g class=\"points\" fill=\"none\" stroke-linecap=\"round\" stroke-width=\"{side}\" stroke-opacity=\"0.75\">"
        );
        for (places, rgb) in places.chunks(BATCH).zip(self.rgb.chunks(3 * BATCH)) {
            let mut by_color: BTreeMap<[u8; 3], String> = BTreeMap::new();
            for ((x, y), color) in places.iter().zip(rgb.as_chunks::<3>().0) {
                // A line of next to no length with round ends is a dot.
                let _ = write!(by_color.entry(*color).or_default(), "M{x} {y}h.1");
            }
            for (color, path) in by_color {
                let _ = write!(svg, "<path stroke=\"{}\" d=\"{path}\"/>", hex(color));
            }
        }
        canvas.element(&(svg + "</g>"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{Figure, Format, Panel, PanelsData, PanelsFigure, PanelsSpec};

    fn panel() -> PointsPanel {
        PointsPanel {
            title: "h".into(),
            x: CurveAxis::of("component 1", ""),
            y: CurveAxis::of("component 2", ""),
            first: vec![-1.0, 1.0, 1.0],
            second: vec![0.0, 0.0, 0.5],
            rgb: vec![1, 2, 3, 1, 2, 3, 200, 0, 0],
            legend: vec![LegendEntry { name: "car".into(), color: [1, 2, 3] }],
            query: Some([0.0, 0.25]),
        }
    }

    fn saved(panel: PointsPanel, ending: &str) -> Result<Vec<u8>> {
        let data = PanelsData { title: String::new(), panels: vec![Panel::Points(panel)], notes: vec![] };
        let figure = Figure::Panels(PanelsFigure { spec: PanelsSpec::default(), data });
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(format!("points.{ending}"));
        figure.save(&path, Format::DEFAULT_DPI, serde_json::Value::Null)?;
        Ok(std::fs::read(path)?)
    }

    /// The places of the dots of a colour.
    fn places(svg: &str, color: &str) -> Vec<[i32; 2]> {
        let (_, rest) = svg.split_once(&format!("<path stroke=\"{color}\" d=\"")).unwrap();
        let path = rest.split('"').next().unwrap();
        let place = |dot: &str| {
            let mut numbers = dot.trim_end_matches("h.1").split(' ').map(|number| number.parse().unwrap());
            [numbers.next().unwrap(), numbers.next().unwrap()]
        };
        path.split('M').skip(1).map(place).collect()
    }

    #[test]
    fn dots_lie_in_proportion_and_the_query_is_marked() {
        let svg = String::from_utf8(saved(panel(), "svg").unwrap()).unwrap();
        let [blue, red] = ["#010203", "#c80000"].map(|color| places(&svg, color));
        let ([[left, y], [right, _]], [[x, above]]) = (&blue[..], &red[..]) else {
            panic!("{blue:?} {red:?}")
        };
        assert!((x - right).abs() <= 1 && y > above, "{blue:?} {red:?}");
        // Two units across and half a unit up: one unit is as long either way.
        let ratio = f64::from(right - left) / f64::from(y - above);
        assert!((ratio - 4.0).abs() < 0.05, "{ratio}");
        assert!(svg.contains("class=\"query\""));
    }

    #[test]
    fn dots_are_drawn_in_rasters_too() {
        let png = saved(panel(), "png").unwrap();
        let image = ::image::load_from_memory(&png).unwrap().to_rgb8();
        let is_red = |pixel: &::image::Rgb<u8>| {
            pixel[0] > 190 && pixel[1] < 90 && pixel[2] < 90 && pixel[2] == pixel[1]
        };
        assert!(image.pixels().filter(|pixel| is_red(pixel)).count() >= 4);
    }

    #[test]
    fn what_cannot_be_drawn_is_named() {
        let error = |change: fn(&mut PointsPanel)| {
            let mut panel = panel();
            change(&mut panel);
            format!("{:#}", saved(panel, "svg").unwrap_err())
        };
        assert!(error(|panel| panel.first.clear()).contains("points: 0 given"));
        assert!(error(|panel| _ = panel.rgb.pop()).contains("8 bytes of colour"));
        assert!(error(|panel| panel.second[1] = f32::NAN).contains("NaN; expected numbers"));
    }
}
