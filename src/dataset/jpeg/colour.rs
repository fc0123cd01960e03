//! From a frame's samples to RGB, as libjpeg-turbo does: "fancy" upsampling, and its colour conversion.

use super::frame::{Component, JpegFrame};
use crate::dataset::picture::rgb_from_cmyk;

/// What the channels are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColourSpace {
    Grey,
    Rgb,
    YCbCr,
    /// Inverted, as Adobe's programs write it and Pillow takes all for.
    Cmyk,
    /// The same, its first three as YCbCr.
    Ycck,
}

/// Interleaved RGB.
pub fn to_rgb(frame: &JpegFrame, channels: ColourSpace) -> Vec<u8> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has the feature.
        return unsafe { to_rgb_avx2(frame, channels) };
    }
    to_rgb_here(frame, channels)
}

/// The same with wider instructions.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn to_rgb_avx2(frame: &JpegFrame, channels: ColourSpace) -> Vec<u8> {
    to_rgb_here(frame, channels)
}

#[inline(always)]
fn to_rgb_here(frame: &JpegFrame, channels: ColourSpace) -> Vec<u8> {
    let mut rgb = vec![0; 3 * frame.width * frame.height];
    // Whole groups of samples are written, so that a row may be longer than the picture.
    let mut rows = vec![Vec::new(); frame.components.len()];
    let mut sums = Vec::new();
    for (y, out) in rgb.chunks_exact_mut(3 * frame.width).enumerate() {
        for (component, row) in frame.components.iter().zip(&mut rows) {
            let (across, down) = (frame.most_across / component.across, frame.most_down / component.down);
            full_row(component, (across, down), y, row, &mut sums);
        }
        convert(&rows, channels, out);
    }
    rgb
}

#[inline(always)]
fn convert(rows: &[Vec<u8>], channels: ColourSpace, out: &mut [u8]) {
    let (out, _) = out.as_chunks_mut::<3>();
    match (channels, rows) {
        (ColourSpace::Grey, [grey, ..]) => out.iter_mut().zip(grey).for_each(|(rgb, &v)| *rgb = [v; 3]),
        (ColourSpace::Rgb, [r, g, b]) => {
            for ((rgb, r), (g, b)) in out.iter_mut().zip(r).zip(g.iter().zip(b)) {
                *rgb = [*r, *g, *b];
            }
        }
        (ColourSpace::YCbCr, [y, cb, cr]) => {
            for ((rgb, y), (cb, cr)) in out.iter_mut().zip(y).zip(cb.iter().zip(cr)) {
                *rgb = rgb_from_ycc(*y, *cb, *cr);
            }
        }
        (_, [c, m, y, k]) => {
            let inks = c.iter().zip(m).zip(y.iter().zip(k));
            for (rgb, ((&c, &m), (&y, &k))) in out.iter_mut().zip(inks) {
                let ink = match channels {
                    // What YCbCr gives is the inverse of the inverted ink.
                    ColourSpace::Ycck => rgb_from_ycc(c, m, y),
                    _ => [!c, !m, !y],
                };
                *rgb = rgb_from_cmyk([ink[0], ink[1], ink[2], !k]);
            }
        }
        _ => {}
    }
}

/// With 16 bits behind the point, as in libjpeg's `jdcolor.c`.
#[inline(always)]
fn rgb_from_ycc(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    let r = y + ((91_881 * cr + HALF) >> 16);
    let g = y + ((-22_554 * cb - 46_802 * cr + HALF) >> 16);
    let b = y + ((116_130 * cb + HALF) >> 16);
    [r, g, b].map(|v| v.clamp(0, 255) as u8)
}

/// Row `y` of the picture from a component that has one sample for `across` x `down` pixels.
#[inline(always)]
fn full_row(
    component: &Component,
    (across, down): (usize, usize),
    y: usize,
    row: &mut Vec<u8>,
    sums: &mut Vec<u16>,
) {
    let Component { width, height, .. } = *component;
    let line = |y: usize| &component.samples[y * component.stride..][..width];
    let (at, inner) = (y / down, y % down);
    // The row that is nearer to this pixel's upper or lower half, and the one beyond; edges are repeated.
    let beyond = if inner == 0 { at.saturating_sub(1) } else { (at + 1).min(height - 1) };
    row.clear();
    match (across, down) {
        (1, 1) => row.extend_from_slice(line(at)),
        (2, 1) if width > 2 => {
            row.resize(2 * width, 0);
            wider(line(at), row);
        }
        (1, 2) => {
            let bias = 1 + inner as u16;
            let pairs = line(at).iter().zip(line(beyond));
            row.extend(pairs.map(|(&a, &b)| ((3 * u16::from(a) + u16::from(b) + bias) >> 2) as u8));
        }
        (2, 2) if width > 2 => {
            sums.clear();
            let pairs = line(at).iter().zip(line(beyond));
            sums.extend(pairs.map(|(&a, &b)| 3 * u16::from(a) + u16::from(b)));
            row.resize(2 * width, 0);
            wider_sums(sums, row);
        }
        _ => row.extend(line(at).iter().flat_map(|&v| std::iter::repeat_n(v, across))),
    }
}

/// Twice as wide: 3/4 of the nearer sample and 1/4 of the other, rounded down and up in turn.
#[inline(always)]
fn wider(line: &[u8], out: &mut [u8]) {
    let (last, count) = (line.len() - 1, out.len());
    (out[0], out[count - 1]) = (line[0], line[last]);
    // Between each two samples lie two pixels.
    let (between, _) = out[1..count - 1].as_chunks_mut::<2>();
    for (pair, out) in line.windows(2).zip(between) {
        let (a, b) = (u16::from(pair[0]), u16::from(pair[1]));
        *out = [((3 * a + b + 2) >> 2) as u8, ((3 * b + a + 1) >> 2) as u8];
    }
}

/// The same of sums of rows, each four samples.
#[inline(always)]
fn wider_sums(sums: &[u16], out: &mut [u8]) {
    let (last, count) = (sums.len() - 1, out.len());
    (out[0], out[count - 1]) = (((4 * sums[0] + 8) >> 4) as u8, ((4 * sums[last] + 7) >> 4) as u8);
    let (between, _) = out[1..count - 1].as_chunks_mut::<2>();
    for (pair, out) in sums.windows(2).zip(between) {
        let (a, b) = (pair[0], pair[1]);
        *out = [((3 * a + b + 7) >> 4) as u8, ((3 * b + a + 8) >> 4) as u8];
    }
}
