//! The tables of a JPEG file.

use anyhow::{Context, Result, ensure};

use super::bits::Codes;

/// Place of coefficient `i` of a scan in its block. Broken data may count beyond 63.
pub const ZIGZAG: [u8; 80] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
    14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39,
    46, 53, 60, 61, 54, 47, 55, 62, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
];

/// What came before a scan: tables, and after how many groups of blocks it starts anew.
#[derive(Default)]
pub struct Tables {
    pub steps: [Option<Box<[u16; 64]>>; 4],
    pub means: [Option<Codes>; 4],
    pub others: [Option<Codes>; 4],
    pub restart: usize,
}

impl Tables {
    /// A segment with quantisation tables.
    pub fn take_steps(&mut self, mut data: &[u8]) -> Result<()> {
        while let [head, rest @ ..] = data {
            let (is_wide, index) = (head >> 4 != 0, usize::from(head & 15));
            let size = if is_wide { 128 } else { 64 };
            ensure!(index < 4 && rest.len() >= size, "a JPEG quantisation table is broken");
            let mut steps = Box::new([0; 64]);
            for (i, &place) in ZIGZAG[..64].iter().enumerate() {
                steps[usize::from(place)] = match is_wide {
                    true => u16::from_be_bytes([rest[2 * i], rest[2 * i + 1]]),
                    false => u16::from(rest[i]),
                };
            }
            self.steps[index] = Some(steps);
            data = &rest[size..];
        }
        Ok(())
    }

    /// A segment with Huffman tables.
    pub fn take_codes(&mut self, mut data: &[u8]) -> Result<()> {
        while let Some((head, rest)) = data.split_first() {
            let counts: Option<&[u8; 16]> = rest.first_chunk();
            let counts = counts.context("a JPEG Huffman table is broken")?;
            let total: usize = counts.iter().map(|&count| usize::from(count)).sum();
            let symbols = rest.get(16..16 + total).context("a JPEG Huffman table is broken")?;
            let (class, index) = (head >> 4, usize::from(head & 15));
            ensure!(class < 2 && index < 4 && total <= 256, "a JPEG Huffman table is broken");
            let codes = Some(Codes::new(counts, symbols)?);
            if class == 0 {
                self.means[index] = codes
            } else {
                self.others[index] = codes
            }
            data = &rest[16 + total..];
        }
        Ok(())
    }
}
