//! Picture files to 8-bit RGB, as Pillow's
//! `ImageOps.exif_transpose(Image.open(f)).convert("RGB")` gives them.
//!
//! JPEG, PNG, WebP, BMP, GIF and TIFF, told apart by content and never by name.
//! Grey is repeated, palettes are looked up, alpha is dropped (not blended), CMYK is
//! multiplied out without a colour profile (of 16 bits the high byte), five-bit BMP is rounded (within 1 of Pillow),
//! an animation gives its first frame, the EXIF (or XMP) orientation is applied unless told. Of samples with more
//! than 8 bits, [`ValueRule`] says which values become black and white; where all of 16 bits is
//! used, that gives the high byte (for 16-bit grey, too, where Pillow clips at 255).

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::decoding::{Decoding, Exif, ValueRule};
use super::picture::orientation_from_xmp;
use super::wide::{self, ImageValues, Placing, Stated};
use super::{jpeg, tiff};
use crate::files::{self, FailureKept, Unread};
use crate::image::Image;
use crate::memory::{self, NoRoom};

/// Longest side of a picture that is read, pixels.
pub const MAX_SIDE: u32 = 32_768;
/// Most pixels of a picture that is read (16,384 x 16,384).
pub const MAX_PIXELS: u64 = 1 << 28;
/// Largest picture file that is read, bytes.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// What is accepted, in words for messages.
pub(super) const READABLE: &str = "JPEG, PNG, WebP, BMP, GIF or TIFF";

/// What a picture's header says.
#[derive(Clone, Copy)]
pub struct PictureFacts {
    format: ImageFormat,
    /// As stored, before the orientation.
    height: u32,
    width: u32,
    orientation: Orientation,
    is_wide: bool,
    /// Bytes that decoding takes for each pixel.
    cost: u64,
}

/// A decoded picture.
pub struct Decoded {
    /// Its pixels.
    pub image: Image,
    /// What became of its values, where samples have more than 8 bits.
    pub values: Option<ImageValues>,
}

impl PictureFacts {
    /// `(height, width)` of the picture that [`decode`] will give.
    pub fn size(&self, exif: Exif) -> (u32, u32) {
        use Orientation::*;
        match self.orientation {
            Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH if exif == Exif::Apply => {
                (self.width, self.height)
            }
            _ => (self.height, self.width),
        }
    }

    /// Whether its EXIF (or XMP) orientation turns or mirrors it.
    pub fn is_turned(&self) -> bool {
        self.orientation != Orientation::NoTransforms
    }

    /// Bytes that decoding takes at most, those of the file included.
    fn decoding_bytes(&self, file: u64, exif: Exif) -> u64 {
        let pixels = u64::from(self.height) * u64::from(self.width);
        // What is turned is there twice.
        let turned = if exif == Exif::Apply && self.is_turned() { 3 } else { 0 };
        file + pixels * (self.cost + turned)
    }

    /// Whether it is a JPEG.
    pub fn is_jpeg(&self) -> bool {
        self.format == ImageFormat::Jpeg
    }

    /// Whether samples have more than 8 bits, so that a [`ValueRule`] decides.
    pub fn is_wide(&self) -> bool {
        self.is_wide
    }
}

/// Decodes a picture file. Alone, it is all of its data set ([`ValueRule::Data`]). Errors name the file: [`Unread`];
/// by what its bytes say not a picture, truncated, too large (a side over [`MAX_SIDE`] or more than [`MAX_PIXELS`]
/// pixels; refused by the header, before any pixel is allocated), or of a kind that is not supported.
pub fn decode(path: &Path, decoding: Decoding) -> Result<Decoded> {
    let header = open_file(path).and_then(|file| {
        let size = file.metadata()?.len();
        Ok((header_of(&mut BufReader::new(file))?, size))
    });
    // What is wrong with it, decoding says.
    let Ok((header, size)) = header else { return decode_now(path, decoding) };
    let (bytes, (height, width)) =
        (header.decoding_bytes(size, decoding.exif), (header.height, header.width));
    let what = || format!("decoding its {width} x {height} pixels");
    memory::decoding(bytes, what, || decode_now(path, decoding)).map_err(|error| {
        // What stands in it is not known then, and may be read another time.
        let no_room =
            error.downcast::<NoRoom>().map(|no_room| std::io::Error::new(ErrorKind::OutOfMemory, no_room));
        no_room.map_or_else(|error| error, |no_room| Unread::of(path)(no_room).into())
    })
}

fn decode_now(path: &Path, decoding: Decoding) -> Result<Decoded> {
    let bytes = files::read(path, MAX_FILE_BYTES).map_err(Unread::of(path))?;
    decode_bytes(&bytes, &path.display().to_string(), decoding)
}

/// Decodes a picture held in memory; `what` names it in errors. See [`decode`].
pub fn decode_bytes(bytes: &[u8], what: &str, decoding: Decoding) -> Result<Decoded> {
    decode_inner(bytes, decoding).with_context(|| what.to_string())
}

/// What the picture's header says, and a look at where the file ends: a truncated JPEG, PNG or WebP is already found
/// here, and so is a kind of TIFF that is not read. An error of reading is [`Unread`].
pub fn probe(path: &Path) -> Result<PictureFacts> {
    let mut reader = BufReader::new(FailureKept::new(open_file(path)?));
    let probed = header_of(&mut reader).and_then(|header| {
        ensure_complete(&mut reader, header.format)?;
        Ok(header)
    });
    match reader.get_mut().failure.take() {
        // Whatever the parser made of it.
        Some(error) => Err(Unread::of(path)(error).into()),
        None => probed.with_context(|| path.display().to_string()),
    }
}

/// Whether a file begins like a picture of a kind that is read here. `false` if nobody may read it, `true` if that
/// fails: [`probe`] then says why.
pub fn looks_like_image(path: &Path) -> bool {
    match open_file(path) {
        Ok(mut file) => sniff(&mut file).map_or(true, |format| format.is_some()),
        Err(error) => {
            let unread = error.downcast_ref::<Unread>();
            unread.is_some_and(|unread| unread.error.kind() != ErrorKind::PermissionDenied)
        }
    }
}

/// Opens a regular file of bearable size; a pipe or device could block for ever.
fn open_file(path: &Path) -> Result<File> {
    files::open(path, MAX_FILE_BYTES).map_err(|error| match error.kind() {
        // What lies there is known, and no picture.
        ErrorKind::InvalidData => anyhow::Error::new(error).context(path.display().to_string()),
        _ => Unread::of(path)(error).into(),
    })
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
fn header_of<R: BufRead + Seek>(reader: &mut R) -> Result<PictureFacts> {
    let Some(format) = sniff(reader)? else { bail!("not a picture: expected {READABLE} by content") };
    let header = if format == ImageFormat::Jpeg {
        let jpeg::JpegHeader { height, width, orientation, cost } = jpeg::read_header(reader)?;
        PictureFacts { format, height, width, orientation, is_wide: false, cost }
    } else if format == ImageFormat::Tiff {
        let tiff::TiffHeader { height, width, orientation, is_wide, cost } = tiff::read_header(reader)?;
        PictureFacts { format, height, width, orientation, is_wide, cost }
    } else {
        let mut limited = ImageReader::with_format(&mut *reader, format);
        limited.limits(limits(0));
        let mut decoder = limited.into_decoder().map_err(|e| broken(format, e))?;
        let (width, height) = decoder.dimensions();
        let color = decoder.color_type();
        let is_wide = color.bytes_per_pixel() > color.channel_count();
        let orientation = orientation_of(&mut decoder).map_err(|e| broken(format, e))?;
        // What comes out of the decoder, RGB where that is something else, and what WebP and GIF keep beside.
        let beside = if matches!(format, ImageFormat::WebP | ImageFormat::Gif) { 4 } else { 0 };
        let cost = u64::from(color.bytes_per_pixel()) + 3 + beside;
        PictureFacts { format, height, width, orientation, is_wide, cost }
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

/// How many bits carry something, by the sBIT chunk of a complete PNG.
fn png_significant_bits(bytes: &[u8]) -> Stated {
    let mut at = 8;
    while let Some(head) = bytes.get(at..at + 8) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        match &head[4..] {
            b"sBIT" => {
                // Grey and colour come first, alpha last.
                let bits = bytes.get(at + 8..at + 8 + length.min(3)).unwrap_or_default();
                let colours = if length >= 3 { 3 } else { 1 };
                let most = bits.iter().take(colours).max().filter(|bits| (1..=16).contains(*bits));
                return most.map_or(Stated::Nothing, |&bits| Stated::Bits(u32::from(bits)));
            }
            b"IDAT" => break,
            _ => at = at.saturating_add(12).saturating_add(length),
        }
    }
    Stated::Nothing
}

fn decode_inner(bytes: &[u8], decoding: Decoding) -> Result<Decoded> {
    let mut cursor = Cursor::new(bytes);
    let header = header_of(&mut cursor)?;
    ensure_complete(&mut cursor, header.format)?;
    let pixels = u64::from(header.width) * u64::from(header.height);
    let rule = decoding.value_window;
    let special = match header.format {
        ImageFormat::Tiff => tiff::decode_special(bytes, rule)?,
        ImageFormat::Jpeg => Some((jpeg::decode(bytes, header.width, header.height)?, None)),
        _ => None,
    };
    let (rgb, values) = match special {
        Some(decoded) => decoded,
        None => {
            let mut reader = ImageReader::with_format(Cursor::new(bytes), header.format);
            reader.limits(limits(pixels));
            let picture = reader.decode().map_err(|e| broken(header.format, e))?;
            let is_png = header.format == ImageFormat::Png && header.is_wide;
            rgb_from_dynamic(
                picture,
                rule,
                if is_png { png_significant_bits(bytes) } else { Stated::Nothing },
            )?
        }
    };
    let same_size = rgb.len() as u64 == 3 * pixels;
    ensure!(same_size, "the picture's data has another size than its header says");
    let orientation =
        if decoding.exif == Exif::Apply { header.orientation } else { Orientation::NoTransforms };
    Ok(Decoded { image: oriented(rgb, &header, orientation)?, values })
}

/// Turns stored pixels the way they are to be seen.
fn oriented(rgb: Vec<u8>, header: &PictureFacts, orientation: Orientation) -> Result<Image> {
    if orientation == Orientation::NoTransforms {
        return Ok(Image::new(header.width, header.height, rgb));
    }
    let buffer = image::RgbImage::from_raw(header.width, header.height, rgb);
    let mut picture = DynamicImage::ImageRgb8(buffer.context("the picture's data is too short")?);
    picture.apply_orientation(orientation);
    Ok(Image::new(picture.width(), picture.height(), picture.into_rgb8().into_raw()))
}

/// Drops alpha, repeats grey, brings 16-bit samples to 8.
fn rgb_from_dynamic(
    picture: DynamicImage,
    rule: ValueRule,
    stated: Stated,
) -> Result<(Vec<u8>, Option<ImageValues>)> {
    let wide = |samples: &[u16], colours, channels| {
        let placing = Placing::interleaved(samples.len() / channels, colours, channels);
        wide::to_rgb(samples, &placing, rule, stated).map(|(rgb, values)| (rgb, Some(values)))
    };
    let rgb = match picture {
        DynamicImage::ImageRgb8(p) => p.into_raw(),
        DynamicImage::ImageLuma8(p) => p.into_raw().into_iter().flat_map(|v| [v; 3]).collect(),
        DynamicImage::ImageLumaA8(p) => p.pixels().flat_map(|p| [p.0[0]; 3]).collect(),
        DynamicImage::ImageRgba8(p) => p.pixels().flat_map(|p| [p.0[0], p.0[1], p.0[2]]).collect(),
        DynamicImage::ImageLuma16(p) => return wide(&p, 1, 1),
        DynamicImage::ImageLumaA16(p) => return wide(&p, 1, 2),
        DynamicImage::ImageRgb16(p) => return wide(&p, 3, 3),
        DynamicImage::ImageRgba16(p) => return wide(&p, 3, 4),
        other => {
            bail!("pixels of type {:?} are not supported; expected 8 or 16 bits per channel", other.color())
        }
    };
    Ok((rgb, None))
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
