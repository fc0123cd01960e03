//! Bars by group: accuracies of models under evaluations, with their intervals.

use anyhow::{Result, ensure};
use plotters::prelude::{ChartBuilder, LabelAreaPosition, PathElement, Rectangle};
use plotters::style::Color as _;
use plotters::style::text_anchor::{HPos, VPos};
use serde::{Deserialize, Serialize};

use super::canvas::{BORDER, FAINT, INK, PT, PageCanvas, Text, fitting, font, rgb, text_width, wrap};
use super::codec;
use super::curve::CurveAxis;
use super::legend::{Legend, LegendEntry};
use super::scale::{CurveScale, tick};

/// A panel of bars.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BarsPanel {
    /// Heading.
    pub title: String,
    /// The vertical axis, which begins at 0.
    pub y: CurveAxis,
    /// Names of the groups, from left to right.
    pub groups: Vec<String>,
    /// The bars of each group, from left to right, in the legend's order.
    pub series: Vec<BarSeries>,
}

/// One bar of each group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BarSeries {
    /// Name in the legend.
    pub name: String,
    /// One for each group, at least 0; no bar where it is NaN.
    #[serde(with = "codec::floats")]
    pub values: Vec<f64>,
    /// Lower ends of their intervals; none is drawn where it is NaN.
    #[serde(with = "codec::floats")]
    pub low: Vec<f64>,
    /// Upper ends.
    #[serde(with = "codec::floats")]
    pub high: Vec<f64>,
}

/// Share of a group's width that its bars take.
const FILLED: f64 = 0.8;
/// Colours of the first and the last of several bars; those between lie between, so that they stay apart in grey.
const ENDS: [[u8; 3]; 2] = [[0xc4, 0xdd, 0xda], [0x0f, 0x55, 0x50]];

impl BarsPanel {
    pub(super) fn check(&self) -> Result<()> {
        let (groups, count) = (self.groups.len(), self.series.len());
        ensure!((1..=64).contains(&groups), "groups: {groups} given; expected 1 to 64");
        ensure!((1..=16).contains(&count), "series: {count} given; expected 1 to 16");
        for BarSeries { name, values, low, high } in &self.series {
            for (what, given) in [("values", values), ("low", low), ("high", high)] {
                ensure!(
                    given.len() == groups,
                    "series \"{name}\": {} {what} for {groups} groups",
                    given.len()
                );
                let wrong = given.iter().find(|value| !value.is_nan() && !(0.0..1e15).contains(*value));
                ensure!(
                    wrong.is_none(),
                    "series \"{name}\": {what}: {}; expected 0 or more",
                    wrong.unwrap_or(&0.0)
                );
            }
        }
        ensure!(self.most() > 0.0, "series: no value above 0 in any of them");
        Ok(())
    }

    /// The greatest of all that is drawn.
    fn most(&self) -> f64 {
        let all = self.series.iter().flat_map(|series| series.values.iter().chain(&series.high));
        all.copied().filter(|value| value.is_finite()).fold(0.0, f64::max)
    }

    fn color(&self, index: usize) -> [u8; 3] {
        let part = index as f64 / (self.series.len() - 1).max(1) as f64;
        let mix = |a: u8, b: u8| (f64::from(a) + part * (f64::from(b) - f64::from(a))).round() as u8;
        let [first, last] = ENDS;
        [0, 1, 2].map(|channel| mix(first[channel], last[channel]))
    }

    /// Heading and legend from `at` down, in a width and with a size of text; returns the y below them.
    pub(super) fn head(&self, canvas: &mut PageCanvas, title: &str, at: (i32, i32), size: (i32, i32)) -> i32 {
        let entry = |(index, series): (usize, &BarSeries)| LegendEntry {
            name: series.name.clone(),
            color: self.color(index),
        };
        let entries: Vec<LegendEntry> = self.series.iter().enumerate().map(entry).collect();
        Legend(&entries).head(canvas, title, at, size)
    }

    /// Axes, bars and names of groups, with the upper left corner at `at`.
    pub(super) fn body(
        &self,
        canvas: &mut PageCanvas,
        at: (i32, i32),
        (width, height): (i32, i32),
        text: i32,
    ) -> Result<()> {
        let small = text * 7 / 8;
        let count = self.groups.len();
        let scale =
            || CurveScale::new([0.0, 1.05 * self.most()], false, (height / (text * 3)).clamp(2, 10) as usize);
        let labels = scale().ticks.iter().map(|&v| text_width(&tick(v), small)).max().unwrap_or(0);
        let left = labels + text * 5 / 2;
        let room = (width - left - text) / count as i32;
        let names: Vec<Vec<String>> =
            self.groups.iter().map(|name| words_in(name, small, room - small / 2)).collect();
        let lines = names.iter().map(Vec::len).max().unwrap_or(1) as i32;
        let below = text / 2 + lines * small * 5 / 4;
        let mut places = vec![];
        canvas.plot(at.1 + height, |page| {
            let area = page.clone().shrink(at, (width, height));
            let mut chart = ChartBuilder::on(&area)
                .margin_right(text)
                .set_label_area_size(LabelAreaPosition::Left, left)
                .set_label_area_size(LabelAreaPosition::Bottom, below)
                .build_cartesian_2d(CurveScale::of_places([-0.5, count as f64 - 0.5], 0), scale())?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .bold_line_style(rgb([0xe2; 3]).stroke_width(PT as u32 / 2))
                .axis_style(rgb(BORDER).stroke_width(PT as u32 / 2))
                .set_all_tick_mark_size(2 * PT)
                .y_label_formatter(&|v| tick(*v))
                .label_style(font(small).color(&rgb(FAINT)))
                .axis_desc_style(font(text).color(&rgb(INK)))
                .y_desc(self.y.words())
                .draw()?;
            let bar = FILLED / self.series.len() as f64;
            for (index, series) in self.series.iter().enumerate() {
                let style = rgb(self.color(index)).filled();
                for group in 0..count {
                    let value = series.values[group];
                    if value.is_nan() {
                        continue;
                    }
                    let start = group as f64 - FILLED / 2.0 + index as f64 * bar;
                    let (from, to) = ((start + 0.04 * bar, 0.0), (start + 0.96 * bar, value));
                    chart.draw_series([Rectangle::new([from, to], style)])?;
                    let (low, high) = (series.low[group], series.high[group]);
                    if low.is_finite() && high.is_finite() {
                        let middle = start + bar / 2.0;
                        let line = rgb(INK).stroke_width(PT as u32 / 2);
                        chart.draw_series([PathElement::new([(middle, low), (middle, high)], line)])?;
                    }
                }
            }
            places.extend((0..count).map(|group| chart.backend_coord(&(group as f64, 0.0))));
            Ok(())
        })?;
        for ((x, y), lines) in places.into_iter().zip(names) {
            for (line, body) in lines.into_iter().enumerate() {
                let y = y + text / 2 + line as i32 * small * 5 / 4;
                let (h, v, upwards) = (HPos::Center, VPos::Top, false);
                canvas.text(Text { x, y, size: small, color: FAINT, h, v, upwards, body });
            }
        }
        Ok(())
    }
}

/// The words of a name in lines of that width. A word that is wider is broken after a sign within it, and what is wider
/// still is cut off: names of neighbours never run into each other.
fn words_in(name: &str, size: i32, width: i32) -> Vec<String> {
    let words: Vec<String> = name.split_whitespace().map(str::to_owned).collect();
    let broken = |line: String| {
        if text_width(&line, size) <= width {
            return vec![line];
        }
        let parts = line.split_inclusive(['-', '_', '/', '.']).map(str::to_owned);
        let parts: Vec<String> = parts.map(|part| fitting(&[part], size, width)).collect();
        wrap(&parts, "", size, width)
    };
    wrap(&words, " ", size, width).into_iter().flat_map(broken).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{Figure, Format, Panel, PanelsData, PanelsFigure, PanelsSpec};

    fn panel() -> BarsPanel {
        let series = |name: &str, values: [f64; 2]| BarSeries {
            name: name.into(),
            values: values.to_vec(),
            low: vec![values[0] - 2.0, f64::NAN],
            high: vec![values[0] + 2.0, f64::NAN],
        };
        BarsPanel {
            title: "linear".into(),
            y: CurveAxis::of("accuracy", "%"),
            groups: vec!["VICReg".into(), "SimCLR".into()],
            series: vec![series("central", [40.0, 80.0]), series("16 patches", [60.0, f64::NAN])],
        }
    }

    fn svg(panel: BarsPanel) -> Result<String> {
        let data = PanelsData { title: String::new(), panels: vec![Panel::Bars(panel)], notes: vec![] };
        let figure = Figure::Panels(PanelsFigure { spec: PanelsSpec::default(), data });
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("bars.svg");
        figure.save(&path, Format::DEFAULT_DPI, serde_json::Value::Null)?;
        Ok(std::fs::read_to_string(path)?)
    }

    /// Heights of the bars of a colour, as the SVG has them.
    fn heights(svg: &str, color: [u8; 3]) -> Vec<f64> {
        let [r, g, b] = color;
        let fill = format!("fill=\"#{r:02X}{g:02X}{b:02X}\"");
        let of = |line: &str| {
            let (_, rest) = line.split_once(" height=\"")?;
            rest.split_once('"')?.0.parse().ok()
        };
        svg.lines().filter(|line| line.starts_with("<rect") && line.contains(&fill)).filter_map(of).collect()
    }

    #[test]
    fn bars_are_as_high_as_their_values_and_absent_ones_are_not_drawn() {
        let panel = panel();
        let svg = svg(panel.clone()).unwrap();
        let [first, second] = [0, 1].map(|index| heights(&svg, panel.color(index)));
        let bars = &first[first.len() - 2..];
        assert!((bars[1] / bars[0] - 2.0).abs() < 0.01, "{first:?}");
        assert!((second[second.len() - 1] / bars[0] - 1.5).abs() < 0.01, "{second:?}");
        assert_eq!(first.len(), second.len() + 1, "one bar is absent");
        assert!(svg.contains("VICReg") || svg.contains("<path"), "names stand below");
    }

    #[test]
    fn names_stay_within_their_group() {
        let size = PT * 7;
        let width = text_width("vicreg-mm", size);
        let lines = words_in("vicreg-patch14, wholeimagewithoutend", size, width);
        assert!(lines.iter().all(|line| text_width(line, size) <= width), "{lines:?}");
        assert_eq!((&*lines[0], &*lines[1]), ("vicreg-", "patch14,"), "{lines:?}");
        assert!(lines[2].starts_with("whole") && lines[2].ends_with('…'), "{lines:?}");
        assert_eq!(words_in("two words", size, 2 * width), ["two words"]);
    }

    #[test]
    fn what_cannot_be_drawn_is_named() {
        let error = |change: fn(&mut BarsPanel)| {
            let mut panel = panel();
            change(&mut panel);
            format!("{:#}", svg(panel).unwrap_err())
        };
        assert!(error(|panel| panel.groups.clear()).contains("groups: 0 given"));
        assert!(error(|panel| panel.series[1].values[0] = -1.0).contains("\"16 patches\": values: -1"));
        assert!(error(|panel| _ = panel.series[0].low.pop()).contains("1 low for 2 groups"));
    }
}
