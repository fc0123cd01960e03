//! The drawing of curves: legend, axes, bands and lines, anywhere on a page.

use anyhow::{Result, bail, ensure};
use plotters::prelude::{ChartBuilder, Circle, LabelAreaPosition, LineSeries, Polygon};
use plotters::style::Color as _;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{
    Area, BORDER, FAINT, INK, MARGIN, PT, PageCanvas, Text, UNITS_PER_INCH, font, hex, rgb, text_width, wrap,
};
use super::curve::{CurveData, CurveFigure, CurveSeries};
use super::scale::{CurveScale, padded, tick};
use super::{output, page};
use crate::colormap::space_color;

/// Width of a line.
const LINE: i32 = PT * 4 / 5;

/// Hues of the series of a run that are of no space; none of them is the hue of z or of h.
const HUES: [[u8; 3]; 5] =
    [INK, [0x1b, 0x7f, 0x79], [0x7a, 0x4f, 0xa0], [0xc2, 0x3b, 0x5e], [0x7d, 0x89, 0x97]];
/// Lengths of dashes and gaps by run, in widths of a line; the first is solid.
const STROKES: [&[f32]; 5] = [&[], &[6.0, 3.0], &[1.5, 2.5], &[14.0, 4.0], &[1.5, 6.0]];

/// How strong a band is, of 1.
const BAND: f64 = 0.18;

impl CurveFigure {
    pub(super) fn svg(&self) -> Result<String> {
        let spec = &self.spec;
        let width = output::page_width(spec.width_in)?;
        ensure!(
            (0.5..=40.0).contains(&spec.height_in),
            "height_in is {}; expected 0.5 to 40",
            spec.height_in
        );
        let text = page::text_units(spec.text_pt)?;
        let plot = CurvePlot::new(&self.data, (spec.log_x, spec.log_y), text)?;
        let height = (spec.height_in * UNITS_PER_INCH as f32).round() as i32;
        let mut canvas = PageCanvas::new(width);
        let inner = width - 2 * MARGIN;
        let top = plot.head(&mut canvas, &self.data.title, (MARGIN, MARGIN), inner);
        plot.body(&mut canvas, (MARGIN, top), (inner, height))?;
        let small = text * 7 / 8;
        let notes = wrap(&self.data.notes, " · ", small, inner);
        let end = canvas.notes(notes, MARGIN, top + height + small / 4, small);
        canvas.finish(end + MARGIN)
    }
}

/// Curves that are checked, and ready to be drawn.
pub(super) struct CurvePlot<'a> {
    data: &'a CurveData,
    /// Whether x and y are on logarithmic scales.
    log: (bool, bool),
    /// Size of labels, units.
    text: i32,
    /// The ranges of both axes, a little wider than the data.
    ends: ([f64; 2], [f64; 2]),
}

impl<'a> CurvePlot<'a> {
    /// # Errors
    /// Says which series cannot be drawn, and why.
    pub fn new(data: &'a CurveData, log: (bool, bool), text: i32) -> Result<Self> {
        let count = data.series.len();
        ensure!((1..=64).contains(&count), "series: {count} given; expected 1 to 64");
        let places = data.x.names.len() as f64;
        for series in data.series.iter().filter(|_| places > 0.0) {
            // What lies far beyond the axis would leave the page's whole numbers.
            let beyond = series.x.iter().find(|x| !(-0.5..places - 0.5).contains(*x));
            ensure!(
                beyond.is_none(),
                "series \"{}\": position {} on an axis of {places} names",
                series.name,
                beyond.unwrap_or(&0.0)
            );
        }
        ensure!(data.y.names.is_empty(), "y: {} names; expected a scale of numbers", data.y.names.len());
        data.series.iter().try_for_each(|series| check(series, log))?;
        let points = || data.series.iter().flat_map(shown);
        ensure!(points().next().is_some(), "series: no finite value in any of them");
        let x = match data.x.names.len() {
            0 => padded(points().map(|(x, _)| x), log.0, 0.0),
            count => [-0.3, count as f64 - 0.7],
        };
        let y = padded(points().map(|(_, y)| y), log.1, 0.05);
        Ok(Self { data, log, text, ends: (x, y) })
    }

    /// Title and legend from `(left, top)` down, `width` units wide; returns the y below them.
    pub fn head(&self, canvas: &mut PageCanvas, title: &str, (left, top): (i32, i32), width: i32) -> i32 {
        let text = self.text;
        let (mut x, mut y) = (left, top + text * 3 / 4);
        let (h, v, upwards) = (HPos::Left, VPos::Center, false);
        if !title.is_empty() {
            canvas.text(Text { x, y, size: text, color: INK, h, v, upwards, body: title.to_owned() });
            y += text * 3 / 2;
        }
        let (size, line) = (text * 7 / 8, text * 5 / 2);
        for (i, series) in self.data.series.iter().enumerate() {
            let entry = line + size / 2 + text_width(&series.name, size);
            if x > left && x + entry > left + width {
                (x, y) = (left, y + text * 3 / 2);
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

    /// Axes and lines, with their upper left corner at `at`.
    pub fn body(&self, canvas: &mut PageCanvas, at: (i32, i32), (width, height): (i32, i32)) -> Result<()> {
        let text = self.text;
        let mut dashed = vec![];
        canvas.plot(at.1 + height, |page| {
            let area = page.clone().shrink(at, (width, height));
            let most = |side: i32, room: i32| (side / room).clamp(2, 10) as usize;
            let x = match self.data.x.names.len() {
                0 => CurveScale::new(self.ends.0, self.log.0, most(width + 2 * MARGIN, text * 6)),
                count => CurveScale::of_places(self.ends.0, count),
            };
            let y = CurveScale::new(self.ends.1, self.log.1, most(height, text * 3));
            dashed = self.chart(&area, x, y)?;
            Ok(())
        })?;
        dashed.iter().for_each(|line| canvas.element(line));
        Ok(())
    }

    /// What stands at place `x` of the horizontal axis.
    fn x_label(&self, x: f64) -> String {
        let names = &self.data.x.names;
        if names.is_empty() { tick(x) } else { names.get(x.round() as usize).cloned().unwrap_or_default() }
    }

    /// Draws axes, bands, solid lines and single values; returns the dashed lines as SVG elements.
    fn chart(&self, area: &Area<'_>, x: CurveScale, y: CurveScale) -> Result<Vec<String>> {
        let text = self.text;
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
            .x_label_formatter(&|v| self.x_label(*v))
            .y_label_formatter(&|v| tick(*v))
            .label_style(font(small).color(&rgb(FAINT)))
            .axis_desc_style(font(text).color(&rgb(INK)))
            .x_desc(self.data.x.words())
            .y_desc(self.data.y.words())
            .draw()?;
        for (i, series) in self.data.series.iter().enumerate() {
            let style = rgb(self.hue(i)).mix(BAND).filled();
            chart.draw_series(outlines(series).map(|outline| Polygon::new(outline, style)))?;
        }
        let mut dashed = vec![];
        for (i, series) in self.data.series.iter().enumerate() {
            let style = rgb(self.hue(i)).stroke_width(LINE as u32);
            let is_dashed = !STROKES[series.run % STROKES.len()].is_empty();
            let points: Vec<(f64, f64)> = series.x.iter().copied().zip(series.y.iter().copied()).collect();
            for run in points.split(|(_, y)| !y.is_finite()).filter(|run| !run.is_empty()) {
                // Between names there is nothing, so that their values are marked.
                if !self.data.x.names.is_empty() && run.len() > 1 {
                    chart.draw_series(run.iter().map(|point| Circle::new(*point, PT, style.filled())))?;
                }
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

/// The outlines of a series' band: forth along its upper edge, back along its lower one; several where it has gaps.
fn outlines(series: &CurveSeries) -> impl Iterator<Item = Vec<(f64, f64)>> + '_ {
    let edges = series.band.as_ref().map_or(vec![], |band| {
        let edges = band.low.iter().copied().zip(band.high.iter().copied());
        series.x.iter().copied().zip(edges).collect::<Vec<_>>()
    });
    let is_gap = |(_, (low, high)): &(f64, (f64, f64))| !low.is_finite() || !high.is_finite();
    let runs: Vec<Vec<(f64, f64)>> = edges
        .split(is_gap)
        .filter(|run| run.len() > 1)
        .map(|run| {
            let back = run.iter().rev().map(|(x, (low, _))| (*x, *low));
            run.iter().map(|(x, (_, high))| (*x, *high)).chain(back).collect()
        })
        .collect();
    runs.into_iter()
}

/// The finite points of a series, those of its band included.
fn shown(series: &CurveSeries) -> impl Iterator<Item = (f64, f64)> + '_ {
    let edges = series.band.iter().flat_map(|band| [&band.low, &band.high]);
    let lines = std::iter::once(&series.y).chain(edges);
    lines.flat_map(|y| series.x.iter().copied().zip(y.iter().copied())).filter(|(_, y)| y.is_finite())
}

/// Whether there is a value, and where there is a band both its edges, at each position.
pub(super) fn check_lengths(series: &CurveSeries) -> Result<()> {
    let (name, positions) = (&series.name, series.x.len());
    ensure!(
        positions == series.y.len(),
        "series \"{name}\": {positions} positions but {} values",
        series.y.len()
    );
    if let Some(band) = &series.band {
        ensure!(
            positions == band.low.len() && positions == band.high.len(),
            "series \"{name}\": {positions} positions but {} and {} edges of its band",
            band.low.len(),
            band.high.len()
        );
    }
    Ok(())
}

fn check(series: &CurveSeries, log: (bool, bool)) -> Result<()> {
    check_lengths(series)?;
    let name = &series.name;
    if let Some(i) = series.x.iter().position(|x| !x.is_finite()) {
        bail!("series \"{name}\": position {i} is {}; expected a number", series.x[i]);
    }
    for (x, y) in shown(series) {
        ensure!(
            !(log.0 && x <= 0.0 || log.1 && y <= 0.0),
            "series \"{name}\": ({x}, {y}) cannot stand on a logarithmic axis; expected values above 0"
        );
        ensure!(x.abs() < 1e15 && y.abs() < 1e15, "series \"{name}\": ({x}, {y}) is too large to draw");
    }
    Ok(())
}
