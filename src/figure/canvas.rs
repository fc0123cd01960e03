//! One SVG page: text and charts drawn by plotters, and what plotters cannot
//! draw (embedded rasters, dashes, clipped parts) written around them.
//!
//! All coordinates are in units of 1/20 pt ([`PT`]), so that plotters' whole
//! numbers are finer than any printer.

use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use plotters::coord::Shift;
use plotters::prelude::{DrawingArea, IntoDrawingArea, RGBColor, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontDesc, FontFamily, FontStyle, FontTransform, IntoFont, TextStyle};

use super::codec;
use super::font::{LoadedFont, current};
use crate::image::Image;
pub(super) use crate::words::thousands;

/// Units in a printer's point (1/72 inch).
pub(super) const PT: i32 = 20;
/// Units in an inch.
pub(super) const UNITS_PER_INCH: i32 = 72 * PT;
/// White around everything on a page.
pub(super) const MARGIN: i32 = 3 * PT;

/// Text and lines.
pub(super) const INK: [u8; 3] = [0x22, 0x22, 0x22];
/// Secondary text.
pub(super) const FAINT: [u8; 3] = [0x66, 0x66, 0x66];
/// Thin borders.
pub(super) const BORDER: [u8; 3] = [0x88, 0x88, 0x88];

/// PDF readers refuse longer pages (200 inches).
const MAX_HEIGHT: i32 = 14_400 * PT;
/// Rasters are enlarged, without smoothing, to about this many pixels per
/// inch, so that a viewer that smooths them does it below what one sees.
const RASTER_DPI: f64 = 300.0;
/// plotters-svg divides every font size by this.
const PLOTTERS_SIZE_PER_EM: f64 = 1.24;

/// A drawing area of plotters that covers the page.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// `#rrggbb`.
pub(super) fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// The same colour for plotters.
pub(super) fn rgb([r, g, b]: [u8; 3]) -> RGBColor {
    RGBColor(r, g, b)
}

/// A number as printed: a true minus sign, `decimals` places.
pub(super) fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let is_zero = !text.bytes().any(|b| (b'1'..=b'9').contains(&b));
    let text = if is_zero { text.replace('-', "") } else { text };
    text.replace('-', "\u{2212}")
}

/// `text` without what XML cannot hold.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') { ' ' } else { c })
        .collect()
}

/// `text` inside an XML element.
fn escape(text: &str) -> String {
    printable(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The font at `size` units per em, as plotters wants it.
pub(super) fn font(size: i32) -> FontDesc<'static> {
    (current().key.as_str(), f64::from(size) * PLOTTERS_SIZE_PER_EM).into_font()
}

/// Width of `text` in units at `size` units per em.
pub(super) fn text_width(text: &str, size: i32) -> i32 {
    let LoadedFont { key, line_per_em, .. } = current();
    let font = FontDesc::new(FontFamily::Name(key), f64::from(size) * line_per_em, FontStyle::Normal);
    font.layout_box(text).map_or(0, |(_, (width, _))| width)
}

/// The first of `forms` that fits in `width` units, else the last, cut off with an ellipsis.
pub(super) fn fitting(forms: &[String], size: i32, width: i32) -> String {
    if let Some(form) = forms.iter().find(|form| text_width(form, size) <= width) {
        return form.clone();
    }
    let mut cut = forms.last().cloned().unwrap_or_default();
    while !cut.is_empty() {
        cut.pop();
        let form = format!("{}…", cut.trim_end());
        if text_width(&form, size) <= width {
            return form;
        }
    }
    cut
}

/// Puts as many of `parts` as fit into each line of `width` units; a part
/// that is too long for a line is broken between words.
pub(super) fn wrap(parts: &[String], separator: &str, size: i32, width: i32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        if let Some(line) = lines.last_mut() {
            let joined = format!("{line}{separator}{part}");
            if text_width(&joined, size) <= width {
                *line = joined;
                continue;
            }
        }
        if separator != " " && text_width(part, size) > width {
            let words: Vec<String> = part.split_whitespace().map(str::to_owned).collect();
            lines.extend(wrap(&words, " ", size, width));
        } else {
            lines.push(part.clone());
        }
    }
    lines
}

/// A rectangle on the page, in units.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

/// Left-aligned text in one line around `y`.
pub(super) fn label(x: i32, y: i32, size: i32, color: [u8; 3], body: impl Into<String>) -> Text {
    Text { x, y, size, color, h: HPos::Left, v: VPos::Center, upwards: false, body: body.into() }
}

impl Rect {
    pub fn new(x: i32, y: i32, width: i32, height: i32) -> Self {
        let [x, y, width, height] = [x, y, width, height].map(f64::from);
        Self { x, y, width, height }
    }

    /// The four attributes, rounded to 1/100 unit.
    fn attributes(&self) -> String {
        let round = |v: f64| (v * 100.0).round() / 100.0;
        let [x, y, width, height] = [self.x, self.y, self.width, self.height].map(round);
        format!("x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"")
    }
}

/// The largest rectangle of the sides' ratio in the upper left of a place.
pub(super) fn fitted(
    (width, height): (u32, u32),
    (x, y): (i32, i32),
    (most_width, most_height): (i32, i32),
) -> Rect {
    let (width, height) = (f64::from(width), f64::from(height));
    let scale = (f64::from(most_width) / width).min(f64::from(most_height) / height);
    Rect { x: f64::from(x), y: f64::from(y), width: width * scale, height: height * scale }
}

/// One line of text.
pub(super) struct Text {
    pub x: i32,
    pub y: i32,
    /// Units per em.
    pub size: i32,
    pub color: [u8; 3],
    pub h: HPos,
    pub v: VPos,
    /// Runs upwards, turned by 90 degrees.
    pub upwards: bool,
    pub body: String,
}

/// An SVG page that is being drawn; its height is known last.
pub(super) struct PageCanvas {
    width: i32,
    body: String,
    texts: Vec<Text>,
}

impl PageCanvas {
    /// An empty page of `width` units.
    pub fn new(width: i32) -> Self {
        Self { width, body: String::new(), texts: Vec::new() }
    }

    /// Adds an SVG element as it is.
    pub fn element(&mut self, svg: &str) {
        self.body.push_str(svg);
        self.body.push('\n');
    }

    /// Adds a line of text, drawn above everything else.
    pub fn text(&mut self, text: Text) {
        self.texts.push(text);
    }

    /// Adds lines of left-aligned, faint text from `y` down; returns the y below them.
    pub fn notes(&mut self, lines: Vec<String>, x: i32, y: i32, size: i32) -> i32 {
        let pitch = size * 3 / 2;
        let count = lines.len() as i32;
        for (i, body) in lines.into_iter().enumerate() {
            let y = y + i as i32 * pitch;
            self.text(Text { x, y, size, color: FAINT, h: HPos::Left, v: VPos::Top, upwards: false, body });
        }
        y + count * pitch
    }

    /// Embeds `image` over `rect`, every pixel a sharp rectangle; `title` is shown on hover.
    pub fn image(&mut self, image: &Image, rect: Rect, title: Option<&str>) {
        let pixels = |units: f64| units / f64::from(UNITS_PER_INCH) * RASTER_DPI;
        let [wide, high] =
            [pixels(rect.width) / f64::from(image.width()), pixels(rect.height) / f64::from(image.height())];
        let factor = wide.min(high).round().clamp(1.0, 64.0) as u32;
        let data = codec::picture::encode(&enlarge(image, factor));
        let title = title.map(|t| format!("<title>{}</title>", escape(t))).unwrap_or_default();
        let attributes = rect.attributes();
        self.element(&format!(
            "<image {attributes} preserveAspectRatio=\"none\" image-rendering=\"optimizeSpeed\" \
             style=\"image-rendering:pixelated\" xlink:href=\"data:image/png;base64,{data}\">{title}</image>"
        ));
    }

    /// Fills `rect`.
    pub fn fill(&mut self, rect: Rect, color: [u8; 3]) {
        let (attributes, color) = (rect.attributes(), hex(color));
        self.element(&format!("<rect {attributes} fill=\"{color}\"/>"));
    }

    /// Outlines `rect`, the line centred on its edge, `width` in units.
    pub fn frame(&mut self, rect: Rect, color: [u8; 3], width: i32) {
        let (attributes, color) = (rect.attributes(), hex(color));
        self.element(&format!(
            "<rect {attributes} fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\"/>"
        ));
    }

    /// The query's dashes on a white line, so that they show on any picture.
    pub fn query(&mut self, rect: Rect, color: [u8; 3]) {
        let (attributes, color) = (rect.attributes(), hex(color));
        let (line, halo, dash, gap) = (PT * 9 / 10, PT * 3 / 2, PT * 5 / 2, PT * 3 / 2);
        self.element(&format!(
            "<rect {attributes} fill=\"none\" stroke=\"#ffffff\" stroke-width=\"{halo}\"/>\n\
             <rect class=\"query\" {attributes} fill=\"none\" stroke=\"{color}\" stroke-width=\"{line}\" \
             stroke-dasharray=\"{dash} {gap}\"/>"
        ));
    }

    /// A white line of straight pieces on a dark one, so that it shows on any colour.
    pub fn line(&mut self, pieces: impl Iterator<Item = [[f64; 2]; 2]>) {
        let mut path = String::new();
        for [from, to] in pieces {
            let [x, y, u, v] = [from[0], from[1], to[0], to[1]].map(|value| (value * 100.0).round() / 100.0);
            path += &format!("M{x} {y}L{u} {v}");
        }
        if path.is_empty() {
            return;
        }
        let (line, halo) = (PT * 6 / 10, PT * 3 / 2);
        self.element(&format!(
            "<g fill=\"none\" stroke-linecap=\"round\"><path d=\"{path}\" stroke=\"#000000\" stroke-opacity=\"0.6\" \
             stroke-width=\"{halo}\"/><path class=\"contour\" d=\"{path}\" stroke=\"#ffffff\" \
             stroke-width=\"{line}\"/></g>"
        ));
    }

    /// `body` on a filled tag in the upper left corner of `place`; `class` names it in an SVG.
    pub fn tag(&mut self, place: Rect, small: i32, class: &str, body: &str, color: [u8; 3]) {
        let (width, height) = (text_width(body, small) + small * 2 / 3, small * 5 / 4);
        let (x, y) = (place.x as i32, place.y as i32);
        let color = hex(color);
        self.element(&format!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{color}\"/>"
        ));
        self.text(label(x + small / 3, y + height / 2, small, [0xff; 3], body));
    }

    /// Draws with plotters on an area of the page's width and `height` units.
    pub fn plot(&mut self, height: i32, draw: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<()> {
        let mut svg = String::new();
        let root = SVGBackend::with_string(&mut svg, (self.width as u32, height as u32)).into_drawing_area();
        draw(&root)?;
        root.present().context("drawing a chart")?;
        drop(root);
        let start = svg.find('>').map_or(0, |at| at + 1);
        let end = svg.rfind("</svg>").unwrap_or(svg.len());
        let (inner, attributes) = (current().named(svg[start..end].trim()), &current().attributes);
        self.element(&format!("<g stroke-linejoin=\"round\" {attributes}>\n{inner}\n</g>"));
        Ok(())
    }

    /// The whole page, `height` units high.
    pub fn finish(mut self, height: i32) -> Result<String> {
        ensure!(
            (1..=MAX_HEIGHT).contains(&height),
            "the figure would be {} inches high; expected at most 200: make it narrower or show fewer rows",
            height / UNITS_PER_INCH
        );
        let texts = std::mem::take(&mut self.texts);
        self.plot(height, |area| {
            for text in &texts {
                let turn = if text.upwards { FontTransform::Rotate270 } else { FontTransform::None };
                let color = rgb(text.color);
                let style = TextStyle::from(font(text.size).transform(turn))
                    .color(&color)
                    .pos(Pos::new(text.h, text.v));
                area.draw_text(&printable(&text.body), &style, (text.x, text.y))?;
            }
            Ok(())
        })?;
        let inches = |units: i32| f64::from(units) / f64::from(UNITS_PER_INCH);
        let mut svg = String::new();
        writeln!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" \
             width=\"{}in\" height=\"{}in\" viewBox=\"0 0 {} {height}\">",
            inches(self.width),
            inches(height),
            self.width
        )?;
        writeln!(svg, "<rect width=\"{}\" height=\"{height}\" fill=\"#ffffff\"/>", self.width)?;
        svg.push_str(&self.body);
        svg.push_str("</svg>\n");
        Ok(svg)
    }
}

/// Every pixel repeated `factor` x `factor` times.
fn enlarge(image: &Image, factor: u32) -> Image {
    let (width, height) = (image.width() * factor, image.height() * factor);
    let mut rgb = Vec::with_capacity(3 * width as usize * height as usize);
    for y in 0..image.height() {
        let row: Vec<u8> = (0..width).flat_map(|x| image.pixel(y, x / factor)).collect();
        for _ in 0..factor {
            rgb.extend_from_slice(&row);
        }
    }
    Image::new(width, height, rgb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_with_separators_and_a_true_minus() {
        assert_eq!(thousands(1_204_000), "1,204,000");
        assert_eq!(thousands(999), "999");
        assert_eq!(fixed(-0.5, 2), "\u{2212}0.50");
        assert_eq!(fixed(-0.001, 2), "0.00");
    }

    #[test]
    fn enlarging_repeats_pixels() {
        let image = Image::new(2, 1, vec![1, 2, 3, 4, 5, 6]);
        assert_eq!(enlarge(&image, 2).rgb(), &[1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6].repeat(2)[..]);
    }

    #[test]
    fn text_that_does_not_fit_is_shorter_or_ends_in_an_ellipsis() {
        let forms = ["a long form".to_owned(), "short form".to_owned()];
        assert_eq!(fitting(&forms, 160, 100_000), "a long form");
        assert_eq!(fitting(&forms, 160, text_width("short form", 160)), "short form");
        assert_eq!(fitting(&forms, 160, text_width("short…", 160)), "short…");
        assert_eq!(fitting(&forms, 160, 1), "");
    }

    #[test]
    fn lines_are_wrapped_at_the_width() {
        let parts = ["one two three".to_owned(), "four".to_owned(), "five".to_owned()];
        assert_eq!(wrap(&parts, " · ", 160, 100_000).len(), 1);
        let lines = wrap(&parts, " · ", 160, text_width("four · five", 160));
        assert_eq!(lines, ["one two", "three", "four · five"]);
    }

    #[test]
    fn text_cannot_leave_its_element() {
        let mut canvas = PageCanvas::new(1000);
        canvas.notes(vec!["</text><b>\u{0} & \"x\"".to_owned()], 0, 0, 160);
        canvas.image(&Image::filled(1, 1, [0; 3]), Rect::new(0, 0, 10, 10), Some("<i>&"));
        let svg = canvas.finish(1000).unwrap();
        assert!(svg.contains("&lt;/text&gt;&lt;b&gt;") && svg.contains("<title>&lt;i&gt;&amp;</title>"));
        assert!(!svg.contains("<b>") && !svg.contains('\u{0}'));
    }
}
