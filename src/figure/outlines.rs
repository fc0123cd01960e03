//! Text as paths: an SVG that looks the same wherever it is opened, whatever fonts are there.

use std::collections::HashMap;
use std::fmt::Write as _;

use anyhow::Result;
use clap::ValueEnum;
use resvg::usvg::{Group, Node, Paint, Path, Transform};
use serde::{Deserialize, Serialize};
use tiny_skia::{PathSegment, Point};

use super::canvas::hex;
use super::font;
use super::output;

/// What the text of an SVG is. A PDF holds its font, and a PNG has pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum TextAs {
    /// Paths: looks the same everywhere
    #[default]
    Outlines,
    /// Text, which can be edited; it needs the font where it is opened
    Font,
}

impl TextAs {
    /// What figures were before there was a choice: that of sidecars which do not say.
    pub(super) fn of_old() -> Self {
        Self::Font
    }
}

/// What stands on the page of `svg`, line by line.
pub(super) fn words(svg: &str) -> String {
    let said: Vec<String> = texts(svg).iter().map(|text| unescaped(text.body)).collect();
    said.join("\n")
}

fn unescaped(body: &str) -> String {
    let signs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    signs.into_iter().fold(body.to_owned(), |body, (from, to)| body.replace(from, to))
}

/// `svg` with each text element that is chosen by what it says replaced by a path of the same shape, whose label is
/// the text.
pub(super) fn outlined(svg: &str, is_chosen: impl Fn(&str) -> bool) -> Result<String> {
    let texts: Vec<_> = texts(svg).into_iter().filter(|text| is_chosen(&unescaped(text.body))).collect();
    if texts.is_empty() {
        return Ok(svg.to_owned());
    }
    let start = svg.find('>').map_or(0, |at| at + 1);
    let mut alone = svg[..start].to_owned();
    write!(alone, "<g {}>", font::current().attributes)?;
    for (number, text) in texts.iter().enumerate() {
        write!(alone, "<text id=\"text{number}\"{}", &text.element["<text".len()..])?;
    }
    alone += "</g></svg>";
    let tree = output::tree_from_svg(&alone)?;
    let mut paths = HashMap::new();
    collect(tree.root(), &mut paths);
    // Back from the tree's pixels to the units of the page.
    let scale = output::units_per_pixel(&tree, svg)?;
    let mut out = String::with_capacity(svg.len());
    let mut from = 0;
    for (number, text) in texts.iter().enumerate() {
        out += &svg[from..text.at];
        from = text.at + text.element.len();
        let label = text.body.trim().replace('"', "&quot;");
        for (color, data) in paths.get(&format!("text{number}")).into_iter().flatten() {
            let (fill, data) = (hex(*color), path_data(data, scale));
            write!(out, "<path role=\"img\" aria-label=\"{label}\" fill=\"{fill}\" d=\"{data}\"/>")?;
        }
    }
    out += &svg[from..];
    Ok(out)
}

/// A text element of an SVG that plotters wrote.
struct TextElement<'a> {
    at: usize,
    element: &'a str,
    /// What it says, escaped.
    body: &'a str,
}

fn texts(svg: &str) -> Vec<TextElement<'_>> {
    const END: &str = "</text>";
    let mut found = vec![];
    let mut from = 0;
    while let Some(at) = svg[from..].find("<text ").map(|at| from + at) {
        let Some(end) = svg[at..].find(END).map(|end| at + end) else { break };
        let body = svg[at..end].find('>').map_or("", |open| &svg[at + open + 1..end]);
        from = end + END.len();
        found.push(TextElement { at, element: &svg[at..from], body });
    }
    found
}

/// Colour and shape of every text, by its id, in pixels of the tree.
fn collect(group: &Group, paths: &mut HashMap<String, Vec<([u8; 3], tiny_skia::Path)>>) {
    for node in group.children() {
        match node {
            Node::Group(inner) => collect(inner, paths),
            Node::Text(text) => {
                let found = paths.entry(text.id().to_owned()).or_default();
                shapes(text.flattened(), text.abs_transform(), found);
            }
            Node::Path(_) | Node::Image(_) => {}
        }
    }
}

/// The shapes of a text whose place on the page is `place`.
fn shapes(group: &Group, place: Transform, found: &mut Vec<([u8; 3], tiny_skia::Path)>) {
    for node in group.children() {
        match node {
            Node::Group(inner) => shapes(inner, place, found),
            Node::Path(path) => found.extend(color(path).zip(path.data().clone().transform(place))),
            Node::Text(_) | Node::Image(_) => {}
        }
    }
}

fn color(path: &Path) -> Option<[u8; 3]> {
    match path.fill()?.paint() {
        Paint::Color(color) => Some([color.red, color.green, color.blue]),
        _ => None,
    }
}

/// The `d` of a path, rounded to 1/10 unit (1/200 pt).
fn path_data(path: &tiny_skia::Path, scale: f32) -> String {
    let mut data = String::new();
    let mut put = |command: char, points: &[Point]| {
        data.push(command);
        for (index, point) in points.iter().enumerate() {
            let [x, y] = [point.x, point.y].map(|v| {
                let rounded = (v * scale * 10.0).round() / 10.0;
                if rounded == 0.0 { 0.0 } else { rounded }
            });
            let gap = if index == 0 { "" } else { " " };
            // Writing to a string does not fail.
            let _ = write!(data, "{gap}{x} {y}");
        }
    };
    for segment in path.segments() {
        match segment {
            PathSegment::MoveTo(p) => put('M', &[p]),
            PathSegment::LineTo(p) => put('L', &[p]),
            PathSegment::QuadTo(a, p) => put('Q', &[a, p]),
            PathSegment::CubicTo(a, b, p) => put('C', &[a, b, p]),
            PathSegment::Close => put('Z', &[]),
        }
    }
    data
}
