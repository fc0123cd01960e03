//! Named series over a common axis: a loss curve, a metric against steps.

use std::ops::Range;

use anyhow::{Result, ensure};
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::{ChartBuilder, Circle, LabelAreaPosition, LineSeries};
use plotters::style::Color as _;
use plotters::style::text_anchor::{HPos, VPos};
use serde::{Deserialize, Serialize};

use super::canvas::{
    Area, BORDER, FAINT, INK, MARGIN, PT, PageCanvas, Text, UNITS_PER_INCH, font, hex, rgb, text_width,
    thousands, wrap,
};
use super::font::FontChoice;
use super::outlines::TextAs;
use super::{codec, output, page};
use crate::colormap::space_color;

/// How a curve figure looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CurveSpec {
    /// Page width, inches (a column is 3.25, a text width 5.5 or 6.75).
    pub width_in: f32,
    /// Height of the plotting area with its axes, inches.
    pub height_in: f32,
    /// Size of axis labels, points; numbers are 7/8 of it.
    pub text_pt: f32,
    /// What text is in an SVG.
    #[serde(default = "TextAs::of_old")]
    pub text: TextAs,
    /// The font, where it is not the program's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub font: Option<FontChoice>,
    /// Whether x is on a logarithmic scale.
    pub log_x: bool,
    /// Whether y is on a logarithmic scale.
    pub log_y: bool,
}

impl Default for CurveSpec {
    fn default() -> Self {
        Self {
            width_in: 3.25,
            height_in: 2.0,
            text_pt: 8.0,
            text: TextAs::default(),
            font: None,
            log_x: false,
            log_y: false,
        }
    }
}

/// What a curve figure shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurveData {
    /// Heading; empty for none.
    pub title: String,
    /// The horizontal axis.
    pub x: CurveAxis,
    /// The vertical axis.
    pub y: CurveAxis,
    /// The lines, in the legend's order.
    pub series: Vec<CurveSeries>,
    /// Further facts to print below; no paths, no times.
    pub notes: Vec<String>,
}

/// An axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurveAxis {
    /// What is measured ("loss").
    pub label: String,
    /// In what ("nats"); empty for a pure number.
    pub unit: String,
}

impl CurveAxis {
    fn words(&self) -> String {
        if self.unit.is_empty() { self.label.clone() } else { format!("{} ({})", self.label, self.unit) }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurveSeries {
    /// Name in the legend.
    pub name: String,
    /// The space that it is of, whose hue it has; empty for none. A series named "z" or "h" is of that space.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub space: String,
    /// Which run it is of, from 0: told by the stroke (solid, dashed, dotted, ...), as hues tell spaces.
    #[serde(default, skip_serializing_if = "is_first")]
    pub run: usize,
    /// Positions, one for each value, all finite.
    #[serde(with = "codec::floats")]
    pub x: Vec<f64>,
    /// Values; a gap where one is NaN or infinite.
    #[serde(with = "codec::floats")]
    pub y: Vec<f64>,
}

/// A curve figure.
#[derive(Clone, Debug, PartialEq)]
pub struct CurveFigure {
    /// How it looks.
    pub spec: CurveSpec,
    /// What it shows.
    pub data: CurveData,
}

/// Width of a line.
const LINE: i32 = PT * 4 / 5;

/// Hues of the series of a run that are of no space; none of them is the hue of z or of h.
const HUES: [[u8; 3]; 5] =
    [INK, [0x1b, 0x7f, 0x79], [0x7a, 0x4f, 0xa0], [0xc2, 0x3b, 0x5e], [0x7d, 0x89, 0x97]];
/// Lengths of dashes and gaps by run, in widths of a line; the first is solid.
const STROKES: [&[f32]; 5] = [&[], &[6.0, 3.0], &[1.5, 2.5], &[14.0, 4.0], &[1.5, 6.0]];

fn is_first(run: &usize) -> bool {
    *run == 0
}

impl CurveFigure {
    pub(super) fn svg(&self) -> Result<String> {
        let (x, y) = self.ranges()?;
        let spec = &self.spec;
        let width = output::page_width(spec.width_in)?;
        ensure!(
            (0.5..=40.0).contains(&spec.height_in),
            "height_in is {}; expected 0.5 to 40",
            spec.height_in
        );
        let text = page::text_units(spec.text_pt)?;
        let height = (spec.height_in * UNITS_PER_INCH as f32).round() as i32;
        let mut canvas = PageCanvas::new(width);
        let top = self.head(&mut canvas, width, text);
        let mut dashed = vec![];
        canvas.plot(top + height, |page| {
            let area = page.clone().shrink((MARGIN, top), (width - 2 * MARGIN, height));
            let x = CurveScale::new(x, spec.log_x, (width / (text * 6)).clamp(2, 10) as usize);
            let y = CurveScale::new(y, spec.log_y, (height / (text * 3)).clamp(2, 10) as usize);
            dashed = self.chart(&area, x, y, text)?;
            Ok(())
        })?;
        dashed.iter().for_each(|line| canvas.element(line));
        let small = text * 7 / 8;
        let notes = wrap(&self.data.notes, " · ", small, width - 2 * MARGIN);
        let end = canvas.notes(notes, MARGIN, top + height + small / 4, small);
        canvas.finish(end + MARGIN)
    }

    /// The ranges of both axes, a little wider than the data.
    fn ranges(&self) -> Result<([f64; 2], [f64; 2])> {
        let series = &self.data.series;
        ensure!((1..=64).contains(&series.len()), "series: {} given; expected 1 to 64", series.len());
        for one in series {
            let name = &one.name;
            ensure!(
                one.x.len() == one.y.len(),
                "series \"{name}\": {} positions but {} values",
                one.x.len(),
                one.y.len()
            );
            if let Some(i) = one.x.iter().position(|x| !x.is_finite()) {
                anyhow::bail!("series \"{name}\": position {i} is {}; expected a number", one.x[i]);
            }
            let shown = one.x.iter().zip(&one.y).filter(|(_, y)| y.is_finite());
            for (&x, &y) in shown {
                ensure!(
                    !(self.spec.log_x && x <= 0.0 || self.spec.log_y && y <= 0.0),
                    "series \"{name}\": ({x}, {y}) cannot stand on a logarithmic axis; expected values above 0"
                );
                ensure!(
                    x.abs() < 1e15 && y.abs() < 1e15,
                    "series \"{name}\": ({x}, {y}) is too large to draw"
                );
            }
        }
        let points = || series.iter().flat_map(|s| s.x.iter().zip(&s.y)).filter(|(_, y)| y.is_finite());
        ensure!(points().next().is_some(), "series: no finite value in any of them");
        let x = padded(points().map(|(&x, _)| x), self.spec.log_x, 0.0);
        let y = padded(points().map(|(_, &y)| y), self.spec.log_y, 0.05);
        Ok((x, y))
    }

    /// Title and legend above the plot; returns the y below them.
    fn head(&self, canvas: &mut PageCanvas, width: i32, text: i32) -> i32 {
        let (mut x, mut y) = (MARGIN, MARGIN + text * 3 / 4);
        let (h, v, upwards) = (HPos::Left, VPos::Center, false);
        if !self.data.title.is_empty() {
            canvas.text(Text { x, y, size: text, color: INK, h, v, upwards, body: self.data.title.clone() });
            y += text * 3 / 2;
        }
        let (size, line) = (text * 7 / 8, text * 5 / 2);
        for (i, series) in self.data.series.iter().enumerate() {
            let entry = line + size / 2 + text_width(&series.name, size);
            if x > MARGIN && x + entry > width - MARGIN {
                (x, y) = (MARGIN, y + text * 3 / 2);
            }
            let end = x + line;
            canvas.element(&self.path(i, &format!("M{x} {y}H{end}"), LINE * 3 / 2));
            let body = series.name.clone();
            canvas.text(Text { x: end + size / 2, y, size, color: INK, h, v, upwards, body });
            x += entry + size * 3 / 2;
        }
        y + text * 5 / 4
    }

    /// The hue of series `index`: that of its space, or the next of those that its stroke does not have yet.
    fn hue(&self, index: usize) -> [u8; 3] {
        let space = |series: &'_ CurveSeries| match (series.space.as_str(), series.name.as_str()) {
            ("", name @ ("z" | "h")) => name.to_owned(),
            (space, _) => space.to_owned(),
        };
        let series = &self.data.series[index];
        let of = space(series);
        if !of.is_empty() {
            return space_color(&of);
        }
        let stroke = |series: &CurveSeries| series.run % STROKES.len();
        let earlier = self.data.series[..index]
            .iter()
            .filter(|other| space(other).is_empty() && stroke(other) == stroke(series));
        HUES[earlier.count() % HUES.len()]
    }

    /// A line of series `index` as an SVG element, `width` units wide.
    fn path(&self, index: usize, d: &str, width: i32) -> String {
        let dashes = STROKES[self.data.series[index].run % STROKES.len()];
        let lengths: Vec<String> =
            dashes.iter().map(|part| (part * width as f32).round().to_string()).collect();
        let dashes = match lengths.is_empty() {
            true => String::new(),
            false => format!(" stroke-dasharray=\"{}\"", lengths.join(" ")),
        };
        let color = hex(self.hue(index));
        format!(
            "<path d=\"{d}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\" stroke-linejoin=\"round\"{dashes}/>"
        )
    }

    /// Draws axes, solid lines and single values; returns the dashed lines as SVG elements.
    fn chart(&self, area: &Area<'_>, x: CurveScale, y: CurveScale, text: i32) -> Result<Vec<String>> {
        let small = text * 7 / 8;
        let labels = y.ticks.iter().map(|&v| text_width(&tick(v), small)).max().unwrap_or(0);
        let mut chart = ChartBuilder::on(area)
            .margin_right(text)
            .set_label_area_size(LabelAreaPosition::Left, labels + text * 5 / 2)
            .set_label_area_size(LabelAreaPosition::Bottom, text * 3)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .bold_line_style(rgb([0xe2; 3]).stroke_width(PT as u32 / 2))
            .axis_style(rgb(BORDER).stroke_width(PT as u32 / 2))
            .set_all_tick_mark_size(2 * PT)
            .x_label_formatter(&|v| tick(*v))
            .y_label_formatter(&|v| tick(*v))
            .label_style(font(small).color(&rgb(FAINT)))
            .axis_desc_style(font(text).color(&rgb(INK)))
            .x_desc(self.data.x.words())
            .y_desc(self.data.y.words())
            .draw()?;
        let mut dashed = vec![];
        for (i, series) in self.data.series.iter().enumerate() {
            let style = rgb(self.hue(i)).stroke_width(LINE as u32);
            let is_dashed = !STROKES[series.run % STROKES.len()].is_empty();
            let points: Vec<(f64, f64)> = series.x.iter().copied().zip(series.y.iter().copied()).collect();
            for run in points.split(|(_, y)| !y.is_finite()).filter(|run| !run.is_empty()) {
                // A single value would be a line of no length.
                if let [point] = run {
                    chart.draw_series([Circle::new(*point, PT * 3 / 2, style.filled())])?;
                } else if is_dashed {
                    let places = run.iter().map(|point| chart.backend_coord(point));
                    let places: Vec<String> = places.map(|(x, y)| format!("{x} {y}")).collect();
                    dashed.push(self.path(i, &format!("M{}", places.join("L")), LINE));
                } else {
                    chart.draw_series(LineSeries::new(run.iter().copied(), style))?;
                }
            }
        }
        Ok(dashed)
    }
}

/// A linear or logarithmic axis with its own round numbers: those of plotters
/// leave a logarithmic axis shorter than a decade bare.
struct CurveScale {
    ends: [f64; 2],
    log: bool,
    ticks: Vec<f64>,
}

impl CurveScale {
    fn new(ends: [f64; 2], log: bool, most: usize) -> Self {
        Self { ends, log, ticks: ticks(ends, log, most) }
    }
}

impl Ranged for CurveScale {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (start, end): (i32, i32)) -> i32 {
        let [v, lo, hi] = [*value, self.ends[0], self.ends[1]].map(|v| if self.log { v.ln() } else { v });
        start + ((v - lo) / (hi - lo) * f64::from(end - start)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.ends[0]..self.ends[1]
    }
}

/// Least and greatest of `values`, `part` wider at both ends, never of no width.
fn padded(values: impl Iterator<Item = f64>, log: bool, part: f64) -> [f64; 2] {
    let values = values.map(|v| if log { v.ln() } else { v });
    let (lo, hi) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
    let least = if log { 0.1 } else { 1e-6 * lo.abs().max(hi.abs()).max(1e-30) };
    let pad = if hi - lo < least { (hi - lo + least).max(lo.abs() * 0.05) } else { part * (hi - lo) };
    let [lo, hi] = [lo - pad, hi + pad];
    if log { [lo.exp(), hi.exp()] } else { [lo, hi] }
}

/// At most about `most` round numbers within a range: 1, 2 or 5 times powers
/// of ten on a linear axis and on a short logarithmic one, else powers of ten.
fn ticks([lo, hi]: [f64; 2], log: bool, most: usize) -> Vec<f64> {
    if log {
        let (first, last) = (lo.log10().floor() as i32, hi.log10().ceil() as i32);
        let values = |parts: &[f64], step: usize| -> Vec<f64> {
            let decades = (first..=last).filter(|e| e.rem_euclid(step as i32) == 0).map(|e| 10f64.powi(e));
            decades.flat_map(|d| parts.iter().map(move |p| p * d)).filter(|v| (lo..=hi).contains(v)).collect()
        };
        let powers = (hi.log10().floor() - lo.log10().ceil() + 1.0).max(1.0) as usize;
        let fine = values(&[1.0, 2.0, 5.0], 1);
        return match fine.len() {
            n if n < 2 => ticks([lo, hi], false, most),
            n if n <= most => fine,
            _ => values(&[1.0], powers.div_ceil(most)),
        };
    }
    let rough = (hi - lo) / most as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|s| s * power >= rough * 0.999).unwrap_or(10.0) * power;
    ((lo / step).ceil() as i64..=(hi / step).floor() as i64).map(|i| i as f64 * step).collect()
}

/// A number on an axis: 20,000, 0.25, 1e−6.
fn tick(value: f64) -> String {
    let size = value.abs();
    let text = if size == 0.0 {
        "0".to_owned()
    } else if !(1e-4..1e7).contains(&size) {
        format!("{value:.2e}").replace(".00e", "e")
    } else if size >= 1e4 && value.fract() == 0.0 {
        format!("{}{}", if value < 0.0 { "-" } else { "" }, thousands(size as u64))
    } else {
        format!("{value:.6}").trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    text.replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_on_axes_are_short() {
        let ticks = [0.0, 20_000.0, -0.25, 1e-6, 2.5e9, 1500.0, 0.30000000000000004].map(tick);
        assert_eq!(ticks, ["0", "20,000", "\u{2212}0.25", "1e\u{2212}6", "2.50e9", "1500", "0.3"]);
    }

    #[test]
    fn ticks_are_round_numbers_within_the_range() {
        assert_eq!(ticks([-0.5, 10.2], false, 6), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks([1.5, 30.0], true, 6), [2.0, 5.0, 10.0, 20.0]);
        assert_eq!(ticks([0.5, 2e4], true, 5), [1.0, 10.0, 100.0, 1000.0, 10_000.0]);
        assert_eq!(ticks([6.0, 9.0], true, 6), [6.0, 6.5, 7.0, 7.5, 8.0, 8.5, 9.0]);
        assert!(ticks([1e-14, 1e14], true, 5).len() <= 6);
        assert!(ticks([999_999.0, 1_000_001.0], false, 6).len() >= 2);
    }

    #[test]
    fn a_range_is_never_empty() {
        for (value, log) in [(0.0, false), (5.0, false), (-1e12, false), (3.0, true)] {
            let [lo, hi] = padded([value].into_iter(), log, 0.05);
            assert!(lo < value && value < hi && lo.is_finite() && hi.is_finite(), "{value}: {lo} {hi}");
        }
        assert_eq!(padded([0.0, 10.0].into_iter(), false, 0.1), [-1.0, 11.0]);
    }
}
