//! The parts of JPEG that are looked at without decoding: the size, the orientation,
//! and whether the file goes on to its end.

use std::io::{ErrorKind, Read, Seek, SeekFrom};

use anyhow::{Result, bail, ensure};
use image::metadata::Orientation;

use crate::dataset::picture::orientation_from_xmp;

/// Most stray bytes between two segments before the file counts as broken.
const MAX_STRAY_BYTES: usize = 1 << 16;

/// What the segments before the first scan say.
pub struct JpegHeader {
    /// Stored height, pixels.
    pub height: u32,
    /// Stored width, pixels.
    pub width: u32,
    pub orientation: Orientation,
    /// Bytes that decoding takes for each pixel.
    pub cost: u64,
}

/// What a frame header says.
struct Frame {
    height: u32,
    width: u32,
    cost: u64,
}

/// Reads the segments up to the first scan, skipping over what is not needed.
/// Errors: no JPEG, broken, or a coding that the decoder cannot read (lossless, arithmetic, 12 bits).
pub fn read_header<R: Read + Seek>(reader: &mut R) -> Result<JpegHeader> {
    read_segments(reader).map_err(|error| match error.downcast_ref::<std::io::Error>().map(|e| e.kind()) {
        Some(ErrorKind::UnexpectedEof) => {
            anyhow::anyhow!("the JPEG file is truncated: it ends within its header")
        }
        _ => error,
    })
}

fn read_segments<R: Read + Seek>(reader: &mut R) -> Result<JpegHeader> {
    ensure!(read_u16(reader)? == 0xFFD8, "not a JPEG file: it does not begin with FF D8");
    let (mut size, mut exif, mut xmp) = (None, None, None);
    loop {
        let marker = next_marker(reader)?;
        if matches!(marker, 0x01 | 0xD0..=0xD8) {
            continue; // these stand alone, without a length
        }
        ensure!(marker != 0xD9, "the JPEG file ends before its picture begins");
        let Some(length) = read_u16(reader)?.checked_sub(2) else {
            bail!("a JPEG segment has a length below 2")
        };
        match marker {
            0xDA => break,
            0xC4 | 0xC8 | 0xCC => skip(reader, length)?,
            0xC0..=0xCF => size = Some(read_frame(reader, marker, length)?),
            0xE1 => {
                let mut data = vec![0; usize::from(length)];
                reader.read_exact(&mut data)?;
                if let Some(chunk) = data.strip_prefix(b"Exif\0\0") {
                    exif = exif.or_else(|| Orientation::from_exif_chunk(chunk));
                } else if let Some(packet) = data.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0") {
                    xmp = xmp.or_else(|| orientation_from_xmp(packet));
                }
            }
            _ => skip(reader, length)?,
        }
    }
    let Some(Frame { height, width, cost }) = size else {
        bail!("the JPEG file has a scan but no frame header")
    };
    Ok(JpegHeader { height, width, orientation: exif.or(xmp).unwrap_or(Orientation::NoTransforms), cost })
}

/// A frame header (SOFn).
fn read_frame<R: Read + Seek>(reader: &mut R, marker: u8, length: u16) -> Result<Frame> {
    let coding = match marker {
        0xC0..=0xC2 => None,
        0xC3 => Some("lossless"),
        0xC9..=0xCF => Some("arithmetic-coded"),
        _ => Some("hierarchical"),
    };
    if let Some(coding) = coding {
        bail!("{coding} JPEG is not supported; expected baseline or progressive Huffman coding");
    }
    ensure!(length >= 6, "the JPEG frame header is too short: {length} bytes");
    let mut head = [0; 6];
    reader.read_exact(&mut head)?;
    ensure!(head[0] == 8, "JPEG with {} bits per sample is not supported; expected 8", head[0]);
    skip(reader, length - 6)?;
    let side = |high, low| u32::from(u16::from_be_bytes([high, low]));
    // Samples of each channel, of a progressive picture its coefficients of two bytes too, and RGB.
    let of_channel = if marker == 0xC2 { 3 } else { 1 };
    let cost = u64::from(head[5]) * of_channel + 3;
    Ok(Frame { height: side(head[1], head[2]), width: side(head[3], head[4]), cost })
}

/// Finds the next marker: its second byte. Fill bytes and a little stray data are passed over.
fn next_marker<R: Read>(reader: &mut R) -> Result<u8> {
    let mut last = 0;
    for _ in 0..MAX_STRAY_BYTES {
        let mut byte = [0];
        reader.read_exact(&mut byte)?;
        if last == 0xFF && !matches!(byte[0], 0x00 | 0xFF) {
            return Ok(byte[0]);
        }
        last = byte[0];
    }
    bail!("the JPEG file is broken: no marker within {MAX_STRAY_BYTES} bytes of its header");
}

fn read_u16<R: Read>(reader: &mut R) -> std::io::Result<u16> {
    let mut bytes = [0; 2];
    reader.read_exact(&mut bytes)?;
    Ok(u16::from_be_bytes(bytes))
}

/// Passes over `length` bytes. Running past the end shows at the next read.
fn skip<R: Read + Seek>(reader: &mut R, length: u16) -> Result<()> {
    reader.seek_relative(i64::from(length))?;
    Ok(())
}

/// Refuses a JPEG that ends before its end marker (EOI). The decoder would fill the missing
/// rows with grey, which is worse than an error. Only a file that does not end in FF D9
/// (truncated, or with something appended) is read through.
pub fn ensure_complete<R: Read + Seek>(reader: &mut R) -> Result<()> {
    let length = reader.seek(SeekFrom::End(0))?;
    if length >= 2 {
        reader.seek(SeekFrom::End(-2))?;
        if read_u16(reader)? == 0xFFD9 {
            return Ok(());
        }
    }
    let mut bytes = Vec::new();
    reader.seek(SeekFrom::Start(0))?;
    reader.read_to_end(&mut bytes)?;
    ensure!(
        has_end_marker(&bytes),
        "the JPEG file is truncated: its {length} bytes end before the end marker (FF D9)"
    );
    Ok(())
}

/// Walks segments and scans to the end marker.
fn has_end_marker(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(pair) = bytes.get(at..at + 2) {
        match (pair[0], pair[1]) {
            (0xFF, 0xD9) => return true,
            // Within a scan: data, stuffed zeros, restart markers. Between segments: fill bytes.
            (0xFF, 0xFF) => at += 1,
            (0xFF, 0x00 | 0x01 | 0xD0..=0xD8) => at += 2,
            (0xFF, _) => {
                let Some(length) = bytes.get(at + 2..at + 4) else { return false };
                at += 2 + usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
            }
            _ => at += 1,
        }
    }
    false
}
