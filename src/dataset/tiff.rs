//! TIFF kinds that the `image` crate leaves out or rounds otherwise than Pillow:
//! palettes, CMYK and grey with alpha. Everything else goes the common way.

use std::io::{Cursor, Read, Seek, SeekFrom};

use anyhow::{Context, Result, anyhow, bail, ensure};
use image::metadata::Orientation;
use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;

use super::picture::{orientation_from_xmp, rgb_from_cmyk};

const PHOTOMETRIC_TAG: u16 = 262;
const PHOTOMETRIC_PALETTE: u16 = 3;
const PHOTOMETRIC_BLACK_IS_ZERO: u16 = 1;
const XMP_TAG: u16 = 700;

/// What the first directory says.
pub(super) struct TiffHeader {
    /// Stored height, pixels.
    pub height: u32,
    /// Stored width, pixels.
    pub width: u32,
    pub orientation: Orientation,
}

fn broken(error: tiff::TiffError) -> anyhow::Error {
    anyhow!("not a readable TIFF picture: {error}")
}

/// Reads size and orientation from the first directory.
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
    Ok(TiffHeader { height, width, orientation: orientation.unwrap_or(Orientation::NoTransforms) })
}

/// Interleaved RGB of a palette, CMYK or grey-with-alpha picture; `None` for every other kind.
/// The caller has checked the size by the header.
pub(super) fn decode_special(bytes: &[u8]) -> Result<Option<Vec<u8>>> {
    let mut decoder = decoder_of(bytes)?;
    let photometric = decoder.find_tag_unsigned::<u16>(Tag::PhotometricInterpretation).map_err(broken)?;
    if photometric == Some(PHOTOMETRIC_PALETTE) {
        return palette(bytes).map(Some);
    }
    match decoder.colortype().map_err(broken)? {
        ColorType::CMYK(_) => cmyk(&mut decoder).map(Some),
        // Without a colour meaning, the `tiff` crate calls grey with more channels "multiband".
        ColorType::Multiband { num_samples, .. } if photometric == Some(PHOTOMETRIC_BLACK_IS_ZERO) => {
            grey_with_more(&mut decoder, usize::from(num_samples)).map(Some)
        }
        _ => Ok(None),
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

fn ensure_interleaved(decoder: &mut Decoder<Cursor<&[u8]>>) -> Result<()> {
    let planar = decoder.find_tag_unsigned::<u16>(Tag::PlanarConfiguration).map_err(broken)? == Some(2);
    ensure!(!planar, "TIFF of this kind in separate planes is not supported");
    Ok(())
}

/// Keeps the first of `samples` channels.
fn grey_with_more(decoder: &mut Decoder<Cursor<&[u8]>>, samples: usize) -> Result<Vec<u8>> {
    ensure_interleaved(decoder)?;
    Ok(match decoder.read_image().map_err(broken)? {
        DecodingResult::U8(v) => v.chunks_exact(samples.max(1)).flat_map(|p| [p[0]; 3]).collect(),
        DecodingResult::U16(v) => v.chunks_exact(samples.max(1)).flat_map(|p| [high(p[0]); 3]).collect(),
        _ => bail!("grey TIFF with {samples} channels is supported with 8 or 16 bits per channel"),
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
