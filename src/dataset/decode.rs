//! Picture files to 8-bit RGB, as Pillow's
//! `ImageOps.exif_transpose(Image.open(f)).convert("RGB")` gives them.
//!
//! JPEG, PNG, WebP, BMP, GIF and TIFF, told apart by content and never by name.
//! Grey is repeated, palettes are looked up, alpha is dropped (not blended), CMYK is
//! multiplied out without a colour profile, 16-bit samples keep their high byte (for
//! 16-bit grey, too, where Pillow clips at 255; five-bit BMP is rounded, within 1), an animation gives its first frame,
//! and the EXIF (or XMP) orientation is applied.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::picture::orientation_from_xmp;
use super::{jpeg, tiff};
use crate::files;
use crate::image::Image;

/// Longest side of a picture that is read, pixels.
pub const MAX_SIDE: u32 = 32_768;
/// Most pixels of a picture that is read (16,384 x 16,384).
pub const MAX_PIXELS: u64 = 1 << 28;
/// Largest picture file that is read, bytes.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// What is accepted, in words for messages.
pub(super) const READABLE: &str = "JPEG, PNG, WebP, BMP, GIF or TIFF";

/// What a picture's header says. `height` and `width` are as stored, before the orientation.
struct PictureHeader {
    format: ImageFormat,
    height: u32,
    width: u32,
    orientation: Orientation,
}

/// Decodes a picture file. Errors name the file: not a picture, truncated, too large
/// (a side over [`MAX_SIDE`] or more than [`MAX_PIXELS`] pixels; refused by the header,
/// before any pixel is allocated), or of a kind that is not supported.
pub fn decode(path: &Path) -> Result<Image> {
    let what = path.display().to_string();
    let file = open_file(path)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).with_context(|| format!("{what}: reading failed"))?;
    decode_bytes(&bytes, &what)
}

/// Decodes a picture held in memory; `what` names it in errors. See [`decode`].
pub fn decode_bytes(bytes: &[u8], what: &str) -> Result<Image> {
    decode_inner(bytes).with_context(|| what.to_string())
}

/// `(height, width)` of the picture that [`decode`] will give, from its header, and a look
/// at where the file ends: a truncated JPEG, PNG or WebP is already found here.
pub fn probe(path: &Path) -> Result<(u32, u32)> {
    let mut reader = BufReader::new(open_file(path)?);
    let probed = header_of(&mut reader).and_then(|header| {
        ensure_complete(&mut reader, header.format)?;
        Ok(oriented_size(&header))
    });
    probed.with_context(|| path.display().to_string())
}

/// Whether a file begins like a picture of a kind that is read here. `false` if it cannot be read.
pub fn looks_like_image(path: &Path) -> bool {
    open_file(path).is_ok_and(|mut file| sniff(&mut file).is_ok_and(|format| format.is_some()))
}

/// Opens a regular file of bearable size; a pipe or device could block for ever.
fn open_file(path: &Path) -> Result<File> {
    files::open(path, MAX_FILE_BYTES).with_context(|| path.display().to_string())
}

/// The format by the first bytes; the reader is put back to the start.
fn sniff<R: Read + Seek>(reader: &mut R) -> Result<Option<ImageFormat>> {
    let mut start = Vec::with_capacity(16);
    reader.seek(SeekFrom::Start(0))?;
    reader.by_ref().take(16).read_to_end(&mut start)?;
    reader.seek(SeekFrom::Start(0))?;
    use ImageFormat::*;
    Ok(image::guess_format(&start).ok().filter(|f| matches!(f, Jpeg | Png | WebP | Bmp | Gif | Tiff)))
}

/// Reads and checks the header; refuses what is too large.
fn header_of<R: BufRead + Seek>(reader: &mut R) -> Result<PictureHeader> {
    let Some(format) = sniff(reader)? else { bail!("not a picture: expected {READABLE} by content") };
    let header = if format == ImageFormat::Jpeg {
        let head = jpeg::read_header(reader)?;
        PictureHeader { format, height: head.height, width: head.width, orientation: head.orientation }
    } else if format == ImageFormat::Tiff {
        let head = tiff::read_header(reader)?;
        PictureHeader { format, height: head.height, width: head.width, orientation: head.orientation }
    } else {
        let mut limited = ImageReader::with_format(&mut *reader, format);
        limited.limits(limits(0));
        let mut decoder = limited.into_decoder().map_err(|e| broken(format, e))?;
        let (width, height) = decoder.dimensions();
        let orientation = orientation_of(&mut decoder).map_err(|e| broken(format, e))?;
        PictureHeader { format, height, width, orientation }
    };
    check_size(header.height, header.width)?;
    Ok(header)
}

/// EXIF orientation, else the one in the XMP packet, as Pillow looks for it.
fn orientation_of(decoder: &mut impl ImageDecoder) -> image::ImageResult<Orientation> {
    let exif = decoder.exif_metadata()?.and_then(|chunk| Orientation::from_exif_chunk(&chunk));
    if let Some(orientation) = exif {
        return Ok(orientation);
    }
    let xmp = decoder.xmp_metadata()?;
    Ok(xmp.and_then(|packet| orientation_from_xmp(&packet)).unwrap_or(Orientation::NoTransforms))
}

/// Refuses empty and oversized pictures before a pixel is allocated.
fn check_size(height: u32, width: u32) -> Result<()> {
    ensure!(height >= 1 && width >= 1, "a picture of {width} x {height} pixels; expected at least 1 x 1");
    let pixels = u64::from(height) * u64::from(width);
    ensure!(
        height <= MAX_SIDE && width <= MAX_SIDE && pixels <= MAX_PIXELS,
        "{width} x {height} pixels is too large: at most {MAX_SIDE} on a side and {MAX_PIXELS} in all are read"
    );
    Ok(())
}

/// Bounds for the decoder of a picture of so many pixels: 16 bytes for each, and some for itself.
fn limits(pixels: u64) -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = None; // `check_size` says it in better words
    limits.max_image_height = None;
    limits.max_alloc = Some(pixels.saturating_mul(16).saturating_add(64 << 20));
    limits
}

fn broken(format: ImageFormat, error: image::ImageError) -> anyhow::Error {
    anyhow!("not a readable {format:?} picture: {error}")
}

fn oriented_size(header: &PictureHeader) -> (u32, u32) {
    use Orientation::*;
    match header.orientation {
        Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH => (header.width, header.height),
        _ => (header.height, header.width),
    }
}

/// Refuses a file that ends too early, where that is cheap to see.
fn ensure_complete<R: Read + Seek>(reader: &mut R, format: ImageFormat) -> Result<()> {
    let length = reader.seek(SeekFrom::End(0))?;
    reader.seek(SeekFrom::Start(0))?;
    match format {
        ImageFormat::Jpeg => jpeg::ensure_complete(reader),
        ImageFormat::Png => ensure_png_complete(reader, length),
        ImageFormat::WebP => {
            let mut head = [0; 8];
            reader.read_exact(&mut head)?;
            let expected = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]])) + 8;
            ensure!(length >= expected, "the WebP file is truncated: {length} of {expected} bytes are there");
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Walks the chunks of a PNG up to IEND without reading them.
fn ensure_png_complete<R: Read + Seek>(reader: &mut R, length: u64) -> Result<()> {
    let mut at = 8;
    loop {
        let mut head = [0; 8];
        reader.seek(SeekFrom::Start(at))?;
        let complete = at + 12 <= length && reader.read_exact(&mut head).is_ok();
        ensure!(complete, "the PNG file is truncated: its {length} bytes end before the IEND chunk");
        if &head[4..] == b"IEND" {
            return Ok(());
        }
        at += 12 + u64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
    }
}

fn decode_inner(bytes: &[u8]) -> Result<Image> {
    let mut cursor = Cursor::new(bytes);
    let header = header_of(&mut cursor)?;
    ensure_complete(&mut cursor, header.format)?;
    let pixels = u64::from(header.width) * u64::from(header.height);
    let special = if header.format == ImageFormat::Tiff { tiff::decode_special(bytes)? } else { None };
    let rgb = match special {
        Some(rgb) => rgb,
        None => {
            let mut reader = ImageReader::with_format(Cursor::new(bytes), header.format);
            reader.limits(limits(pixels));
            rgb_from_dynamic(reader.decode().map_err(|e| broken(header.format, e))?)?
        }
    };
    let same_size = rgb.len() as u64 == 3 * pixels;
    ensure!(same_size, "the picture's data has another size than its header says");
    oriented(rgb, &header)
}

/// Turns stored pixels the way they are to be seen.
fn oriented(rgb: Vec<u8>, header: &PictureHeader) -> Result<Image> {
    if header.orientation == Orientation::NoTransforms {
        return Ok(Image::new(header.width, header.height, rgb));
    }
    let buffer = image::RgbImage::from_raw(header.width, header.height, rgb);
    let mut picture = DynamicImage::ImageRgb8(buffer.context("the picture's data is too short")?);
    picture.apply_orientation(header.orientation);
    Ok(Image::new(picture.width(), picture.height(), picture.into_rgb8().into_raw()))
}

/// Drops alpha, repeats grey, keeps the high byte of 16-bit samples.
fn rgb_from_dynamic(picture: DynamicImage) -> Result<Vec<u8>> {
    let high = |v: u16| (v >> 8) as u8;
    Ok(match picture {
        DynamicImage::ImageRgb8(p) => p.into_raw(),
        DynamicImage::ImageLuma8(p) => p.into_raw().into_iter().flat_map(|v| [v; 3]).collect(),
        DynamicImage::ImageLumaA8(p) => p.pixels().flat_map(|p| [p.0[0]; 3]).collect(),
        DynamicImage::ImageRgba8(p) => p.pixels().flat_map(|p| [p.0[0], p.0[1], p.0[2]]).collect(),
        DynamicImage::ImageLuma16(p) => p.pixels().flat_map(|p| [high(p.0[0]); 3]).collect(),
        DynamicImage::ImageLumaA16(p) => p.pixels().flat_map(|p| [high(p.0[0]); 3]).collect(),
        DynamicImage::ImageRgb16(p) => p.into_raw().into_iter().map(high).collect(),
        DynamicImage::ImageRgba16(p) => {
            p.pixels().flat_map(|p| [high(p.0[0]), high(p.0[1]), high(p.0[2])]).collect()
        }
        other => {
            bail!("pixels of type {:?} are not supported; expected 8 or 16 bits per channel", other.color())
        }
    })
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
