//! JPEG to RGB, the same as libjpeg-turbo's (and so Pillow's) to the bit: baseline, extended and progressive Huffman
//! coding with 8 bits, 1, 3 or 4 channels, whole sampling ratios.

use anyhow::{Context, Result, bail, ensure};

use super::colour::{ColourSpace, to_rgb};
use super::frame::JpegFrame;
use super::tables::Tables;

/// What application segments say of the channels.
#[derive(Default)]
struct Signs {
    is_jfif: bool,
    /// The transform of an Adobe segment.
    adobe: Option<u8>,
}

/// Interleaved RGB of a JPEG file whose header was read and said `width` x `height` pixels.
pub fn decode(bytes: &[u8], width: u32, height: u32) -> Result<Vec<u8>> {
    let (mut tables, mut signs, mut frame) = (Tables::default(), Signs::default(), None::<JpegFrame>);
    let mut at = 2;
    while let Some(marker) = next_marker(bytes, &mut at) {
        if matches!(marker, 0x01 | 0xD0..=0xD8) {
            continue;
        }
        if marker == 0xD9 {
            break;
        }
        let data = segment(bytes, at).context("a JPEG segment is longer than the file")?;
        let end = at + 2 + data.len();
        match marker {
            0xDB => tables.take_steps(data)?,
            0xC4 => tables.take_codes(data)?,
            0xDD if data.len() >= 2 => tables.restart = usize::from(u16::from_be_bytes([data[0], data[1]])),
            0xC0..=0xC2 => {
                ensure!(frame.is_none(), "the JPEG file has two frames");
                frame = Some(JpegFrame::new(data, (width, height), marker == 0xC2)?);
            }
            0xC3 | 0xC5..=0xCF => bail!("JPEG of this coding is not supported"),
            0xE0 => signs.is_jfif |= data.starts_with(b"JFIF\0") && data.len() >= 14,
            0xEE if data.starts_with(b"Adobe") && data.len() >= 12 => signs.adobe = Some(data[11]),
            0xDA => {
                let frame = frame.as_mut().context("the JPEG file has a scan but no frame header")?;
                at = frame.scan(data, bytes, end, &tables)?;
                continue;
            }
            _ => {}
        }
        at = end;
    }
    let mut frame = frame.context("the JPEG file ends before its picture begins")?;
    frame.finish()?;
    let channels = channels(&frame, &signs);
    Ok(to_rgb(&frame, channels))
}

/// The byte after the next FF that is no stuffing; `at` is left behind it.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        let pair = bytes.get(*at..*at + 2)?;
        if pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xFF) {
            *at += 2;
            return Some(pair[1]);
        }
        *at += 1;
    }
}

/// What follows the length at byte `at`.
fn segment(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let length = bytes.get(at..at + 2)?;
    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
    bytes.get(at + 2..at + length.max(2))
}

/// As libjpeg guesses it.
fn channels(frame: &JpegFrame, signs: &Signs) -> ColourSpace {
    let ids: Vec<u8> = frame.components.iter().map(|component| component.id).collect();
    match (frame.components.len(), signs.adobe) {
        (1, _) => ColourSpace::Grey,
        (3, _) if signs.is_jfif => ColourSpace::YCbCr,
        (3, Some(0)) => ColourSpace::Rgb,
        (3, None) if ids == *b"RGB" => ColourSpace::Rgb,
        (3, _) => ColourSpace::YCbCr,
        (_, None | Some(0)) => ColourSpace::Cmyk,
        _ => ColourSpace::Ycck,
    }
}
