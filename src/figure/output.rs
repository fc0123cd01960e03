//! From one SVG page to a file: SVG, PDF with text as text, or PNG.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use resvg::usvg::{self, Transform, Tree};
use serde::{Deserialize, Serialize};

use super::canvas::UNITS_PER_INCH;
use super::font;
use crate::image::Image;

/// CSS pixels per inch, in which usvg gives sizes.
const CSS_DPI: f32 = 96.0;
/// Most pixels of a PNG.
const MAX_PIXELS: u64 = 200_000_000;

/// A file format of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Scalable, text as paths or as text.
    Svg,
    /// One page, fonts embedded.
    Pdf,
    /// Pixels.
    Png {
        /// Pixels per inch, 36 to 2400.
        dpi: u32,
    },
}

impl Format {
    /// Pixels per inch of a PNG unless told.
    pub const DEFAULT_DPI: u32 = 300;

    /// The format that the extension of `path` asks for; `dpi` counts for PNG only.
    pub fn from_path(path: &Path, dpi: u32) -> Result<Self> {
        let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        match extension.as_deref() {
            Some("svg") => Ok(Format::Svg),
            Some("pdf") => Ok(Format::Pdf),
            Some("png") => Ok(Format::Png { dpi }),
            Some(other) => {
                bail!("{}: cannot write a figure as .{other}; expected .svg, .pdf or .png", path.display())
            }
            None => bail!("{}: no file extension; expected .svg, .pdf or .png", path.display()),
        }
    }

    /// Checks the resolution.
    pub(super) fn check(self) -> Result<()> {
        match self {
            Format::Png { dpi } => {
                ensure!((36..=2400).contains(&dpi), "{dpi} dots per inch; expected 36 to 2400");
                Ok(())
            }
            Format::Svg | Format::Pdf => Ok(()),
        }
    }

    /// The bytes of a file that shows `svg`.
    pub(super) fn bytes_from_svg(self, svg: String) -> Result<Vec<u8>> {
        match self {
            Format::Svg => Ok(svg.into_bytes()),
            Format::Pdf => pdf_from_svg(&svg),
            Format::Png { dpi } => png_from_svg(&svg, dpi),
        }
    }
}

pub(super) fn tree_from_svg(svg: &str) -> Result<Tree> {
    let font = font::current();
    let options = usvg::Options {
        dpi: CSS_DPI,
        // The font of the figure and no others: bytes must not depend on the machine.
        fontdb: Arc::clone(&font.database),
        font_resolver: font.resolver(),
        ..usvg::Options::default()
    };
    Tree::from_str(svg, &options).context("laying out the figure")
}

/// Width and height of a page, inches, as its first element says.
pub(super) fn size_in(svg: &str) -> Result<(f32, f32)> {
    let side = |name: &str| {
        let at = svg.find(&format!(" {name}=\""))? + name.len() + 3;
        svg[at..].split_once("in\"")?.0.parse().ok()
    };
    side("width").zip(side("height")).context("the page does not say its size")
}

/// Units of the page of `svg` in a pixel of its tree.
pub(super) fn units_per_pixel(tree: &Tree, svg: &str) -> Result<f32> {
    Ok(size_in(svg)?.0 * UNITS_PER_INCH as f32 / tree.size().width())
}

/// Heights of paper, inches: US letter, A4.
const PAPER_IN: [(f32, &str); 2] = [(11.0, "US letter"), (11.69, "A4")];

/// What is said of a page of this size that is taller than paper; nothing of one that is not.
pub fn paper_words((width, height): (f32, f32)) -> Option<String> {
    let low: Vec<String> = PAPER_IN
        .iter()
        .filter(|(paper, _)| height > *paper)
        .map(|(paper, name)| format!("{name}, {paper} in"))
        .collect();
    (!low.is_empty()).then(|| {
        format!(
            "the page is {width:.2} x {height:.2} in (width x height), taller than paper ({}): make it narrower, or \
             show fewer queries or neighbours",
            low.join("; ")
        )
    })
}

fn pdf_from_svg(svg: &str) -> Result<Vec<u8>> {
    let page = svg2pdf::PageOptions { dpi: CSS_DPI };
    let mut pdf = svg2pdf::to_pdf(&tree_from_svg(svg)?, svg2pdf::ConversionOptions::default(), page)
        .map_err(|e| anyhow::anyhow!("writing the figure as PDF: {e}"))?;
    sort_resources(&mut pdf);
    Ok(pdf)
}

/// Puts the entries of every resource dictionary in order. svg2pdf writes them
/// as its hash map iterates, another way each time; sorting whole lines in
/// place keeps every length and offset in the file.
fn sort_resources(pdf: &mut [u8]) {
    let mut at = 0;
    while let Some(length) = find(&pdf[at..], b"\nstream\n") {
        sort_entries(&mut pdf[at..at + length + 1]);
        let stream = stream_length(&pdf[at..at + length]);
        at = (at + length + b"\nstream\n".len() + stream).min(pdf.len());
    }
    sort_entries(&mut pdf[at..]);
}

fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    bytes.windows(word.len()).position(|w| w == word)
}

/// The `/Length` of the stream whose dictionary ends `text`; 0 without one.
fn stream_length(text: &[u8]) -> usize {
    let word = b"/Length ";
    let Some(at) = text.windows(word.len()).rposition(|w| w == word) else { return 0 };
    let digits = text[at + word.len()..].iter().take_while(|b| b.is_ascii_digit());
    digits.fold(0, |n: usize, d| n.saturating_mul(10).saturating_add(usize::from(d - b'0')))
}

/// Sorts runs of lines that are entries of one resource dictionary, such as
/// `/xo12 7 0 R`, by number.
fn sort_entries(text: &mut [u8]) {
    let number = |line: &[u8]| -> Option<u32> {
        let name = line.trim_ascii_start().strip_prefix(b"/")?;
        let (kind, rest) = name.split_at_checked(2)?;
        let end = rest.iter().position(|b| !b.is_ascii_digit())?;
        let number = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
        matches!(kind, b"xo" | b"gs" | b"po" | b"sh" | b"fo" | b"cs").then_some(number)
    };
    let mut start = 0;
    let mut run: Vec<(u32, Vec<u8>)> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let end = find(&text[at..], b"\n").map_or(text.len(), |i| at + i + 1);
        if let Some(number) = number(&text[at..end]) {
            run.push((number, text[at..end].to_vec()));
        } else {
            run.sort();
            let sorted: Vec<u8> = run.drain(..).flat_map(|(_, line)| line).collect();
            text[start..start + sorted.len()].copy_from_slice(&sorted);
            start = end;
        }
        at = end;
    }
}

fn png_from_svg(svg: &str, dpi: u32) -> Result<Vec<u8>> {
    Format::Png { dpi }.check()?;
    let tree = tree_from_svg(svg)?;
    let png = pixels_of(&tree, f64::from(dpi))?.encode_png().context("writing the figure as PNG")?;
    Ok(with_resolution(&png, dpi))
}

/// A page as pixels, `dpi` to an inch.
fn pixels_of(tree: &Tree, dpi: f64) -> Result<tiny_skia::Pixmap> {
    let size = tree.size();
    let pixels = |css: f32| (f64::from(css / CSS_DPI) * dpi).round().max(1.0) as u32;
    let (width, height) = (pixels(size.width()), pixels(size.height()));
    ensure!(
        u64::from(width) * u64::from(height) <= MAX_PIXELS,
        "a PNG of {width} x {height} pixels is too large; ask for fewer dots per inch"
    );
    let mut pixmap = tiny_skia::Pixmap::new(width, height)
        .with_context(|| format!("no room for a PNG of {width} x {height} pixels"))?;
    let scale = Transform::from_scale(width as f32 / size.width(), height as f32 / size.height());
    resvg::render(tree, scale, &mut pixmap.as_mut());
    Ok(pixmap)
}

/// The page of `svg` as a picture, `dpi` pixels to an inch, and its width and height in inches.
pub(super) fn picture_from_svg(svg: &str, dpi: f64) -> Result<(Image, (f32, f32))> {
    let tree = tree_from_svg(svg)?;
    let pixmap = pixels_of(&tree, dpi)?;
    // The page is white throughout, so that no pixel is transparent.
    let rgb = pixmap.pixels().iter().flat_map(|p| [p.red(), p.green(), p.blue()]).collect();
    let size = tree.size();
    let picture = Image::new(pixmap.width(), pixmap.height(), rgb);
    Ok((picture, (size.width() / CSS_DPI, size.height() / CSS_DPI)))
}

/// Adds the chunk that says how large a pixel is (pHYs, PNG specification
/// 11.3.5.3), so that LaTeX and others place the picture at its true size.
fn with_resolution(png: &[u8], dpi: u32) -> Vec<u8> {
    const AFTER_HEADER: usize = 8 + 25; // signature, IHDR
    let per_metre = (f64::from(dpi) / 0.0254).round() as u32;
    let mut body = b"pHYs".to_vec();
    body.extend(per_metre.to_be_bytes());
    body.extend(per_metre.to_be_bytes());
    body.push(1); // unit: metre
    let mut crc = flate2::Crc::new();
    crc.update(&body);
    let mut out = Vec::with_capacity(png.len() + 21);
    out.extend(&png[..AFTER_HEADER]);
    out.extend((body.len() as u32 - 4).to_be_bytes());
    out.extend(&body);
    out.extend(crc.sum().to_be_bytes());
    out.extend(&png[AFTER_HEADER..]);
    out
}

/// `a.pdf` -> `a.pdf.json`.
pub(super) fn sidecar_path(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".json");
    PathBuf::from(name)
}

/// Checks that a figure can stand at `path`: a mistyped folder is an error, not a new folder.
pub(super) fn check_place(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    ensure!(folder.is_dir(), "{}: there is no folder {}", path.display(), folder.display());
    ensure!(!path.is_dir(), "{}: is a folder; expected a file name", path.display());
    Ok(())
}

/// Checks a page width and returns it in units.
pub(super) fn page_width(inches: f32) -> Result<i32> {
    ensure!((1.0..=40.0).contains(&inches), "width_in is {inches}; expected 1 to 40 inches");
    Ok((inches * UNITS_PER_INCH as f32).round() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_names_the_format() {
        let format = |name: &str| Format::from_path(Path::new(name), 150);
        assert_eq!(format("a/b.SVG").unwrap(), Format::Svg);
        assert_eq!(format("b.x.pdf").unwrap(), Format::Pdf);
        assert_eq!(format("b.png").unwrap(), Format::Png { dpi: 150 });
        assert!(format("b.jpg").unwrap_err().to_string().contains("expected .svg, .pdf or .png"));
        assert!(format("pdf").unwrap_err().to_string().contains("no file extension"));
    }

    #[test]
    fn resources_are_sorted_outside_streams_only() {
        let mut pdf = b"<<\n  /xo10 3 0 R\n  /xo2 1 0 R\n>>\n<<\n  /Length 14\n>>\nstream\n/xo3 a\n/xo1 b\n\
            endstream\n/gs1 x\n/gs0 y\n>>"
            .to_vec();
        sort_resources(&mut pdf);
        let expected = "<<\n  /xo2 1 0 R\n  /xo10 3 0 R\n>>\n<<\n  /Length 14\n>>\nstream\n/xo3 a\n/xo1 b\n\
            endstream\n/gs0 y\n/gs1 x\n>>";
        assert_eq!(String::from_utf8(pdf).unwrap(), expected);
    }

    #[test]
    fn a_page_says_its_size_and_that_it_is_taller_than_paper() {
        let page = |height: f32| {
            format!("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"6.75in\" height=\"{height}in\"></svg>")
        };
        assert_eq!(size_in(&page(9.5)).unwrap(), (6.75, 9.5));
        assert_eq!(paper_words((6.75, 11.0)), None);
        assert!(
            paper_words((6.75, 11.5))
                .unwrap()
                .contains("6.75 x 11.50 in (width x height), taller than paper (US letter, 11 in)")
        );
        assert!(paper_words((6.75, 14.0)).unwrap().contains("(US letter, 11 in; A4, 11.69 in)"));
    }

    #[test]
    fn a_figure_needs_a_folder_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let error = |path: &Path| check_place(path).unwrap_err().to_string();
        assert!(error(&folder.path().join("none").join("a.svg")).contains("there is no folder"));
        assert!(error(folder.path()).contains("is a folder"));
        check_place(&folder.path().join("a.svg")).unwrap();
    }
}
