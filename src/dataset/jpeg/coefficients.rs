//! From the bits of a scan to the coefficients of a block.

use anyhow::{Context, Result};

use super::bits::{Bits, Codes};
use super::idct::Coefficients;
use super::tables::{Tables, ZIGZAG};

/// Which coefficients and bits of them a scan brings.
pub struct Band {
    pub start: usize,
    pub end: usize,
    pub is_first: bool,
    /// The lowest of the bits.
    pub low: u32,
}

/// A component in a scan.
pub struct ScanPart {
    pub component: usize,
    /// Its tables.
    pub means: usize,
    pub others: usize,
    /// The mean of the block before.
    pub previous: i32,
}

const NO_CODES: &str = "a JPEG scan names a Huffman table that is missing";

/// A block of a sequential picture. Returns whether it has only its mean.
#[inline]
pub fn sequential(
    block: &mut Coefficients,
    part: &mut ScanPart,
    bits: &mut Bits,
    tables: &Tables,
) -> Result<bool> {
    let means = tables.means[part.means].as_ref().context(NO_CODES)?;
    let others = tables.others[part.others].as_ref().context(NO_CODES)?;
    block[0] = mean(means, part, bits);
    let mut index = 1;
    while index < 64 {
        bits.fill();
        let (zeros, number) = bits.coefficient(others);
        match number {
            Some(number) => {
                index += zeros;
                block[usize::from(ZIGZAG[index]) & 63] = number;
                index += 1;
            }
            None if zeros == 15 => index += 16,
            None => break,
        }
    }
    Ok(index == 1)
}

/// The next mean, from its difference to the one before.
#[inline]
fn mean(codes: &Codes, part: &mut ScanPart, bits: &mut Bits) -> i16 {
    bits.fill();
    let size = u32::from(bits.symbol(codes)).min(15);
    part.previous = part.previous.wrapping_add(bits.number(size));
    part.previous as i16
}

/// What a scan of a progressive picture says of a block. `run`: blocks that follow without anything new.
pub fn progress(
    block: &mut Coefficients,
    band: &Band,
    part: &mut ScanPart,
    run: &mut u32,
    bits: &mut Bits,
    tables: &Tables,
) -> Result<()> {
    let Band { start, is_first, low, .. } = *band;
    match (start, is_first) {
        (0, true) => {
            let means = tables.means[part.means].as_ref().context(NO_CODES)?;
            block[0] = mean(means, part, bits) << low;
        }
        (0, false) => block[0] |= i16::from(bits.bit()) << low,
        (_, true) => {
            first_bits(block, band, run, bits, tables.others[part.others].as_ref().context(NO_CODES)?)
        }
        (_, false) => {
            next_bits(block, band, run, bits, tables.others[part.others].as_ref().context(NO_CODES)?)
        }
    }
    Ok(())
}

/// How many blocks from this one on have nothing new, by a symbol with `size` 0.
fn run_length(zeros: u32, bits: &mut Bits) -> u32 {
    (1 << zeros) + bits.take(zeros)
}

fn first_bits(block: &mut Coefficients, band: &Band, run: &mut u32, bits: &mut Bits, codes: &Codes) {
    if *run > 0 {
        *run -= 1;
        return;
    }
    let mut index = band.start;
    while index <= band.end {
        bits.fill();
        let symbol = bits.symbol(codes);
        let (zeros, size) = (symbol >> 4, u32::from(symbol & 15));
        if size == 0 {
            if zeros != 15 {
                *run = run_length(u32::from(zeros), bits) - 1;
                break;
            }
            index += 16;
            continue;
        }
        index += usize::from(zeros);
        block[usize::from(ZIGZAG[index]) & 63] = (bits.number(size) << band.low) as i16;
        index += 1;
    }
}

fn next_bits(block: &mut Coefficients, band: &Band, run: &mut u32, bits: &mut Bits, codes: &Codes) {
    let mut index = band.start;
    while index <= band.end && *run == 0 {
        bits.fill();
        let symbol = bits.symbol(codes);
        let (mut zeros, size) = (symbol >> 4, symbol & 15);
        if size == 0 && zeros != 15 {
            *run = run_length(u32::from(zeros), bits);
            break;
        }
        let new = if size == 0 {
            0
        } else if bits.bit() {
            1 << band.low
        } else {
            -1 << band.low
        };
        while index <= band.end {
            let coefficient = &mut block[usize::from(ZIGZAG[index])];
            if *coefficient != 0 {
                refine(coefficient, band.low, bits);
            } else if zeros == 0 {
                *coefficient = new;
                index += 1;
                break;
            } else {
                zeros -= 1;
            }
            index += 1;
        }
    }
    if *run > 0 {
        for &place in ZIGZAG.get(index..=band.end).unwrap_or_default() {
            let coefficient = &mut block[usize::from(place)];
            if *coefficient != 0 {
                refine(coefficient, band.low, bits);
            }
        }
        *run -= 1;
    }
}

/// One more bit of a coefficient that is not 0.
fn refine(coefficient: &mut i16, low: u32, bits: &mut Bits) {
    let step = 1i16 << low;
    if bits.bit() && *coefficient & step == 0 {
        let signed = if *coefficient >= 0 { step } else { -step };
        *coefficient = coefficient.wrapping_add(signed);
    }
}
