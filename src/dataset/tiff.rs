//! TIFF kinds that the `image` crate leaves out or rounds otherwise than Pillow:
//! palettes, CMYK, grey with alpha, and all samples of more than 8 bits. Everything else goes the common way.

use std::io::{Cursor, Read, Seek, SeekFrom};

use anyhow::{Context, Result, anyhow, bail, ensure};
use image::metadata::Orientation;
use tiff::ColorType;
use tiff::decoder::ifd::Value;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::{SampleFormat, Tag};

use super::decoding::{ValueRule, ValueWindow};
use super::picture::{orientation_from_xmp, rgb_from_cmyk};
use super::wide::{self, ImageValues, Placing, Stated};

const PHOTOMETRIC_TAG: u16 = 262;
const PHOTOMETRIC_PALETTE: u16 = 3;
const PHOTOMETRIC_WHITE_IS_ZERO: u16 = 0;
const PHOTOMETRIC_BLACK_IS_ZERO: u16 = 1;
const XMP_TAG: u16 = 700;
/// Most bytes that samples of more than 8 bits may take in memory.
const MAX_WIDE_BYTES: u64 = 4 << 30;

/// What the first directory says.
pub(super) struct TiffHeader {
    /// Stored height, pixels.
    pub height: u32,
    /// Stored width, pixels.
    pub width: u32,
    pub orientation: Orientation,
    /// Whether samples have more than 8 bits, or others than whole numbers from 0 on.
    pub is_wide: bool,
    /// Bytes that decoding takes for each pixel.
    pub cost: u64,
}

/// How samples become RGB.
enum Kind {
    Palette,
    Cmyk,
    /// 8-bit grey, and so many channels in all.
    GreyAndMore(usize),
    Wide(WideKind),
    /// What the `image` crate reads as Pillow does: grey, RGB and RGBA of 8 bits, black and white.
    Common,
}

/// Grey or RGB of 16, 32 or 64 bits, whole or floating-point, with what other channels there are.
struct WideKind {
    bits: u8,
    colours: usize,
    channels: usize,
    is_planar: bool,
    format: SampleFormat,
    white_is_zero: bool,
}

impl Kind {
    /// Bytes that decoding takes for each pixel: its samples, as many again for the strip that they come from (all of
    /// the picture may be one), and RGB.
    fn cost(&self) -> u64 {
        let samples = match self {
            Kind::Palette => 1,
            Kind::Cmyk => 8,
            Kind::GreyAndMore(channels) => *channels as u64,
            Kind::Wide(kind) => u64::from(kind.bits / 8) * kind.channels as u64,
            Kind::Common => 4,
        };
        2 * samples + 3
    }
}

fn broken(error: tiff::TiffError) -> anyhow::Error {
    anyhow!("not a readable TIFF picture: {error}")
}

/// Reads size, orientation and kind from the first directory; refuses kinds that are not read.
pub(super) fn read_header<R: Read + Seek>(reader: &mut R) -> Result<TiffHeader> {
    reader.seek(SeekFrom::Start(0))?;
    let mut decoder = Decoder::new(&mut *reader).map_err(broken)?;
    let (width, height) = decoder.dimensions().map_err(broken)?;
    let tag = decoder.find_tag_unsigned::<u16>(Tag::Orientation).map_err(broken)?;
    let mut orientation = tag.and_then(|v| Orientation::from_exif(v.min(255) as u8));
    if tag.is_none() {
        let packet = decoder.get_tag_u8_vec(Tag::Unknown(XMP_TAG)).ok();
        orientation = packet.and_then(|packet| orientation_from_xmp(&packet));
    }
    let kind = kind_of(&mut decoder)?;
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    Ok(TiffHeader { height, width, orientation, is_wide: matches!(kind, Kind::Wide(_)), cost: kind.cost() })
}

fn kind_of<R: Read + Seek>(decoder: &mut Decoder<R>) -> Result<Kind> {
    let photometric = decoder.find_tag_unsigned::<u16>(Tag::PhotometricInterpretation).map_err(broken)?;
    if photometric == Some(PHOTOMETRIC_PALETTE) {
        return Ok(Kind::Palette);
    }
    let kind = decoder.colortype().map_err(broken)?;
    let number = |decoder: &mut Decoder<R>, tag| decoder.find_tag_unsigned_vec::<u16>(tag).map_err(broken);
    let formats = number(decoder, Tag::SampleFormat)?.unwrap_or_default();
    let format =
        formats.first().map_or(SampleFormat::Uint, |&format| SampleFormat::from_u16_exhaustive(format));
    let samples = number(decoder, Tag::SamplesPerPixel)?.and_then(|n| n.first().copied()).unwrap_or(1);
    let (is_planar, is_grey) = (is_planar(decoder)?, photometric == Some(PHOTOMETRIC_BLACK_IS_ZERO));
    let wide = |bits: u8, colours| {
        Kind::Wide(WideKind {
            bits,
            colours,
            channels: usize::from(samples),
            is_planar,
            format,
            white_is_zero: photometric == Some(PHOTOMETRIC_WHITE_IS_ZERO),
        })
    };
    let is_alike = formats.iter().all(|&other| other == formats[0]);
    let is_wide = |bits| match format {
        SampleFormat::Uint => matches!(bits, 16 | 32 | 64),
        SampleFormat::Int => matches!(bits, 8 | 16 | 32 | 64),
        SampleFormat::IEEEFP => matches!(bits, 16 | 32 | 64),
        _ => false,
    };
    Ok(match kind {
        ColorType::CMYK(8 | 16) if format == SampleFormat::Uint => Kind::Cmyk,
        ColorType::Gray(bits) | ColorType::GrayA(bits) if is_alike && is_wide(bits) => wide(bits, 1),
        ColorType::RGB(bits) | ColorType::RGBA(bits) if is_alike && is_wide(bits) => wide(bits, 3),
        // Without a colour meaning, the `tiff` crate calls grey with more channels "multiband".
        ColorType::Multiband { bit_depth, .. } if is_grey && is_alike && is_wide(bit_depth) => {
            wide(bit_depth, 1)
        }
        ColorType::Multiband { bit_depth: 8, num_samples } if is_grey && format == SampleFormat::Uint => {
            Kind::GreyAndMore(usize::from(num_samples))
        }
        ColorType::Gray(1 | 8) | ColorType::GrayA(8) | ColorType::RGB(8) | ColorType::RGBA(8)
            if format == SampleFormat::Uint =>
        {
            Kind::Common
        }
        other => bail!(
            "TIFF of kind {other:?} with {} samples is not supported; expected grey, RGB, CMYK or a palette of 8 \
             bits, or grey or RGB of 16, 32 or 64 bits, whole or floating-point",
            format_words(format)
        ),
    })
}

fn format_words(format: SampleFormat) -> &'static str {
    match format {
        SampleFormat::Uint => "unsigned",
        SampleFormat::Int => "signed",
        SampleFormat::IEEEFP => "floating-point",
        _ => "untyped",
    }
}

/// Interleaved RGB of a palette, CMYK, grey-with-alpha or wide picture; `None` for every other kind.
/// The caller has checked the size by the header.
pub(super) fn decode_special(
    bytes: &[u8],
    rule: ValueRule,
) -> Result<Option<(Vec<u8>, Option<ImageValues>)>> {
    let mut decoder = decoder_of(bytes)?;
    let rgb = match kind_of(&mut decoder)? {
        Kind::Palette => palette(bytes)?,
        Kind::Cmyk => cmyk(&mut decoder)?,
        Kind::GreyAndMore(channels) => grey_with_more(&mut decoder, channels)?,
        Kind::Wide(kind) => {
            return wide(bytes, &kind, rule).map(|(rgb, values)| Some((rgb, Some(values))));
        }
        Kind::Common => return Ok(None),
    };
    Ok(Some((rgb, None)))
}

fn wide(bytes: &[u8], kind: &WideKind, rule: ValueRule) -> Result<(Vec<u8>, ImageValues)> {
    let mut decoder = decoder_of(bytes)?;
    let (width, height) = decoder.dimensions().map_err(broken)?;
    let (pixels, channels) = (width as usize * height as usize, kind.channels);
    let mut limits = Limits::default();
    limits.decoding_buffer_size = usize::from(kind.bits / 8) * channels * pixels + (1 << 20);
    ensure!(
        limits.decoding_buffer_size as u64 <= MAX_WIDE_BYTES,
        "{channels} channels of {} bits in {width} x {height} pixels are too many; at most {MAX_WIDE_BYTES} bytes are read",
        kind.bits
    );
    limits.intermediate_buffer_size = limits.decoding_buffer_size;
    let stated = stated(&mut decoder);
    let mut decoder = decoder.with_limits(limits);
    let mut found = DecodingResult::U8(Vec::new());
    decoder.read_image_to_buffer(&mut found).map_err(broken)?;
    let inverted_from = kind.white_is_zero.then(|| match kind.format {
        SampleFormat::IEEEFP => 1.0,
        _ => 2f64.powi(i32::from(kind.bits)) - 1.0,
    });
    let mut placing = Placing::interleaved(pixels, kind.colours, channels);
    placing.inverted_from = inverted_from;
    if kind.is_planar {
        (placing.pixel_step, placing.channel_step) = (1, pixels);
    }
    match found {
        DecodingResult::U16(v) => wide::to_rgb(&v, &placing, rule, stated),
        DecodingResult::U32(v) => wide::to_rgb(&v, &placing, rule, stated),
        DecodingResult::U64(v) => wide::to_rgb(&v, &placing, rule, stated),
        DecodingResult::F16(v) => wide::to_rgb(&v, &placing, rule, stated),
        DecodingResult::F32(v) => wide::to_rgb(&v, &placing, rule, stated),
        DecodingResult::F64(v) => wide::to_rgb(&v, &placing, rule, stated),
        DecodingResult::I8(v) => wide::to_rgb(&v, &placing, rule, stated),
        DecodingResult::I16(v) => wide::to_rgb(&v, &placing, rule, stated),
        DecodingResult::I32(v) => wide::to_rgb(&v, &placing, rule, stated),
        DecodingResult::I64(v) => wide::to_rgb(&v, &placing, rule, stated),
        DecodingResult::U8(_) => bail!("the TIFF file's samples are of another kind than its header says"),
    }
}

/// The smallest and largest sample value that the file names, over its channels. (MinSampleValue and
/// MaxSampleValue are no such thing: TIFF 6.0 says that they are not for display.)
fn stated(decoder: &mut Decoder<Cursor<&[u8]>>) -> Stated {
    let mut ends = |tag| {
        let mut values = Vec::new();
        numbers(&decoder.find_tag(tag).ok()??, &mut values);
        let (low, high) = values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (v.min(low), v.max(high)));
        (!values.is_empty()).then_some((low, high))
    };
    match (ends(Tag::SMinSampleValue), ends(Tag::SMaxSampleValue)) {
        (Some((low, _)), Some((_, high))) if low.is_finite() && high.is_finite() && low < high => {
            Stated::Window(ValueWindow { low, high })
        }
        _ => Stated::Nothing,
    }
}

fn numbers(value: &Value, into: &mut Vec<f64>) {
    match value {
        Value::Byte(v) => into.push(f64::from(*v)),
        Value::Short(v) => into.push(f64::from(*v)),
        Value::SignedByte(v) => into.push(f64::from(*v)),
        Value::SignedShort(v) => into.push(f64::from(*v)),
        Value::Signed(v) => into.push(f64::from(*v)),
        Value::SignedBig(v) => into.push(*v as f64),
        Value::Unsigned(v) => into.push(f64::from(*v)),
        Value::UnsignedBig(v) => into.push(*v as f64),
        Value::Float(v) => into.push(f64::from(*v)),
        Value::Double(v) => into.push(*v),
        Value::List(list) => list.iter().for_each(|value| numbers(value, into)),
        _ => {}
    }
}

/// A decoder that may allocate 8 bytes for each pixel of the picture and a little more.
fn decoder_of(bytes: &[u8]) -> Result<Decoder<Cursor<&[u8]>>> {
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(broken)?;
    let (width, height) = decoder.dimensions().map_err(broken)?;
    let mut limits = Limits::default();
    limits.decoding_buffer_size = 8 * width as usize * height as usize + (1 << 20);
    limits.intermediate_buffer_size = limits.decoding_buffer_size;
    Ok(decoder.with_limits(limits))
}

fn high(v: u16) -> u8 {
    (v >> 8) as u8
}

fn is_planar<R: Read + Seek>(decoder: &mut Decoder<R>) -> Result<bool> {
    Ok(decoder.find_tag_unsigned::<u16>(Tag::PlanarConfiguration).map_err(broken)? == Some(2))
}

fn ensure_interleaved(decoder: &mut Decoder<Cursor<&[u8]>>) -> Result<()> {
    ensure!(!is_planar(decoder)?, "TIFF of this kind in separate planes is not supported");
    Ok(())
}

/// Keeps the first of `samples` channels.
fn grey_with_more(decoder: &mut Decoder<Cursor<&[u8]>>, samples: usize) -> Result<Vec<u8>> {
    ensure_interleaved(decoder)?;
    Ok(match decoder.read_image().map_err(broken)? {
        DecodingResult::U8(v) => v.chunks_exact(samples.max(1)).flat_map(|p| [p[0]; 3]).collect(),
        _ => bail!("the TIFF file's samples are of another kind than its header says"),
    })
}

fn cmyk(decoder: &mut Decoder<Cursor<&[u8]>>) -> Result<Vec<u8>> {
    ensure_interleaved(decoder)?;
    Ok(match decoder.read_image().map_err(broken)? {
        DecodingResult::U8(v) => v.as_chunks::<4>().0.iter().flat_map(|&ink| rgb_from_cmyk(ink)).collect(),
        DecodingResult::U16(v) => {
            v.as_chunks::<4>().0.iter().flat_map(|ink| rgb_from_cmyk(ink.map(high))).collect()
        }
        _ => bail!("CMYK TIFF is supported with 8 or 16 bits per channel"),
    })
}

/// The `tiff` crate reads no palettes, but indices are stored just as grey values are:
/// a copy whose directory says "grey" is decoded, and its values looked up.
fn palette(bytes: &[u8]) -> Result<Vec<u8>> {
    let map = decoder_of(bytes)?.get_tag_u16_vec(Tag::ColorMap).map_err(broken)?;
    let mut decoder = decoder_of(bytes)?;
    let position = photometric_position(bytes).context("a palette in a BigTIFF is not supported")?;
    let mut grey = bytes.to_vec();
    grey[position.at] = if position.little { PHOTOMETRIC_BLACK_IS_ZERO as u8 } else { 0 };
    grey[position.at + 1] = if position.little { 0 } else { PHOTOMETRIC_BLACK_IS_ZERO as u8 };
    let bits = decoder.find_tag_unsigned::<u16>(Tag::BitsPerSample).map_err(broken)?.unwrap_or(1);
    ensure!(
        matches!(bits, 1 | 2 | 4 | 8),
        "palette TIFF with {bits} bits is not supported; expected 1, 2, 4 or 8"
    );
    ensure!(map.len() == 3 << bits, "the TIFF palette has {} entries; expected {}", map.len(), 3 << bits);
    let (width, _) = decoder.dimensions().map_err(broken)?;
    let DecodingResult::U8(packed) = decoder_of(&grey)?.read_image().map_err(broken)? else {
        bail!("palette TIFF with wide indices is not supported");
    };
    let (bits, size) = (usize::from(bits), 1 << bits);
    let mut rgb = Vec::new();
    for row in packed.chunks_exact((width as usize * bits).div_ceil(8)) {
        for x in 0..width as usize {
            let shift = 8 - bits - x * bits % 8;
            let index = usize::from(row[x * bits / 8] >> shift) & (size - 1);
            rgb.extend([index, size + index, 2 * size + index].map(|i| high(map[i])));
        }
    }
    Ok(rgb)
}

/// Where the value of the photometric entry stands, and in which byte order.
struct Position {
    at: usize,
    little: bool,
}

/// Finds the entry in the first directory of a classic (not Big) TIFF.
fn photometric_position(bytes: &[u8]) -> Option<Position> {
    let little = bytes.starts_with(b"II*\0");
    if !little && !bytes.starts_with(b"MM\0*") {
        return None;
    }
    let u16_at = |at: usize| {
        let pair = [*bytes.get(at)?, *bytes.get(at + 1)?];
        Some(if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) })
    };
    let u32_at = |at: usize| {
        let (a, b) = (u32::from(u16_at(at)?), u32::from(u16_at(at + 2)?));
        Some(if little { b << 16 | a } else { a << 16 | b })
    };
    let directory = u32_at(4)? as usize;
    let count = usize::from(u16_at(directory)?);
    let entries = (0..count).map(|i| directory + 2 + 12 * i);
    let entry = entries.into_iter().find(|&at| u16_at(at) == Some(PHOTOMETRIC_TAG))?;
    let at = entry + 8;
    (u16_at(at)? == PHOTOMETRIC_PALETTE).then_some(Position { at, little })
}
