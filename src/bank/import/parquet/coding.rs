//! How pages of Parquet are packed: Snappy, and runs of small numbers.
//! <https://parquet.apache.org/docs/file-format/data-pages/encodings/>

use anyhow::{Context, Result, bail, ensure};
use flate2::read::MultiGzDecoder;
use std::io::Read;

/// How a column's pages are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    Plain,
    Snappy,
    Gzip,
    Zstd,
}

impl Codec {
    pub fn from_number(number: i64) -> Result<Self> {
        Ok(match number {
            0 => Self::Plain,
            1 => Self::Snappy,
            2 => Self::Gzip,
            6 => Self::Zstd,
            other => {
                let name = ["", "", "", "LZO", "Brotli", "LZ4", "", "LZ4"]
                    .get(other as usize)
                    .unwrap_or(&"another way");
                bail!(
                    "it is compressed with {name}; expected Snappy (pandas' and DuckDB's own choice), Zstd, gzip or none"
                )
            }
        })
    }

    /// The `size` bytes of a page.
    pub fn unpack(self, packed: Vec<u8>, size: usize) -> Result<Vec<u8>> {
        let bytes = match self {
            Self::Plain => packed,
            Self::Snappy => snappy(&packed, size)?,
            Self::Gzip => read_to(&mut MultiGzDecoder::new(&packed[..]), size)?,
            Self::Zstd => {
                let mut decoder = ruzstd::decoding::StreamingDecoder::new(&packed[..])
                    .map_err(|error| anyhow::anyhow!("a page that Zstd cannot read: {error}"))?;
                read_to(&mut decoder, size)?
            }
        };
        ensure!(bytes.len() == size, "a page of {} bytes; its head says {size}", bytes.len());
        Ok(bytes)
    }
}

/// At most one byte more than `size`, so that too much is seen.
fn read_to(input: &mut dyn Read, size: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![];
    input.take(size as u64 + 1).read_to_end(&mut bytes).context("a page that cannot be unpacked")?;
    Ok(bytes)
}

/// Bytes that Snappy packed: <https://github.com/google/snappy/blob/main/format_description.txt>. No more than `size`.
fn snappy(packed: &[u8], size: usize) -> Result<Vec<u8>> {
    let cut = "a page that Snappy cannot read: it is cut off";
    let mut input = packed;
    let mut take = |count: usize| -> Result<&[u8]> {
        let (now, rest) = input.split_at_checked(count).context(cut)?;
        input = rest;
        Ok(now)
    };
    // The length of it all, seven bits a byte.
    while take(1)?[0] >= 0x80 {}
    let mut out: Vec<u8> = vec![];
    while let Ok(head) = take(1) {
        let (kind, upper) = (head[0] & 3, usize::from(head[0] >> 2));
        let number =
            |bytes: &[u8]| bytes.iter().rev().fold(0usize, |all, byte| all << 8 | usize::from(*byte));
        if kind == 0 {
            let length = if upper < 60 { upper } else { number(take(upper - 59)?) } + 1;
            ensure!(
                length <= size - out.len(),
                "a page that unpacks to more than the {size} bytes its head says"
            );
            out.extend_from_slice(take(length)?);
            continue;
        }
        let (length, offset) = match kind {
            1 => (upper % 8 + 4, (upper >> 3) << 8 | number(take(1)?)),
            2 => (upper + 1, number(take(2)?)),
            _ => (upper + 1, number(take(4)?)),
        };
        ensure!(
            (1..=out.len()).contains(&offset),
            "a page that Snappy cannot read: it copies from before its start"
        );
        ensure!(
            length <= size - out.len(),
            "a page that unpacks to more than the {size} bytes its head says"
        );
        // Byte by byte: what is copied may reach into what is being written.
        for _ in 0..length {
            out.push(out[out.len() - offset]);
        }
    }
    Ok(out)
}

/// `count` numbers of `bits` bits each, as runs of one value and groups of eight packed ones.
pub fn runs(mut input: &[u8], bits: u8, count: usize) -> Result<Vec<u32>> {
    ensure!(bits <= 32, "numbers of {bits} bits; expected at most 32");
    let cut = "a page whose runs are cut off";
    let mut out = Vec::with_capacity(count.min(input.len().saturating_mul(64)));
    while out.len() < count {
        let mut head = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = input.split_first().context(cut)?;
            input = rest;
            head |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                break;
            }
        }
        let (room, length) = (count - out.len(), (head >> 1) as usize);
        if head & 1 == 0 {
            let (value, rest) = input.split_at_checked(usize::from(bits).div_ceil(8)).context(cut)?;
            input = rest;
            let value = value.iter().rev().fold(0, |all, byte| all << 8 | u32::from(*byte));
            ensure!(length > 0, "a page with a run of nothing");
            out.extend(std::iter::repeat_n(value, length.min(room)));
        } else {
            let bytes = length.checked_mul(bits.into()).context(cut)?;
            // The last group may be cut where its numbers are no longer wanted.
            let (packed, rest) = input.split_at(bytes.min(input.len()));
            input = rest;
            let wanted = room.min(length.saturating_mul(8));
            ensure!(wanted > 0, "a page with a run of nothing");
            ensure!(packed.len() * 8 >= wanted * usize::from(bits), "{cut}");
            out.extend((0..wanted).map(|place| packed_number(packed, place * usize::from(bits), bits)));
        }
    }
    Ok(out)
}

/// The number of `bits` bits that begins at bit `start`, the lowest first.
fn packed_number(packed: &[u8], start: usize, bits: u8) -> u32 {
    let bytes = packed[start / 8..].iter().take(5);
    let window = bytes.rev().fold(0u64, |all, byte| all << 8 | u64::from(*byte));
    ((window >> (start % 8)) & ((1u64 << bits) - 1)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_numbers_are_those_of_the_specification() {
        // The example of the specification: 0 to 7 in three bits each.
        assert_eq!(runs(&[3, 0x88, 0xc6, 0xfa], 3, 8).unwrap(), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(runs(&[10, 1, 4, 0], 1, 7).unwrap(), [1, 1, 1, 1, 1, 0, 0]);
        assert_eq!(runs(&[6, 0x39, 0x30], 14, 3).unwrap(), [12345; 3]);
        assert!(runs(&[], 0, 0).unwrap().is_empty());
        assert!(runs(&[3, 0x88], 3, 8).is_err() && runs(&[6, 0x39], 14, 3).is_err());
        assert!(runs(&[0, 1], 1, 3).is_err() && runs(&[1], 1, 3).is_err());
    }

    #[test]
    fn snappy_unpacks_literals_and_copies_that_overlap() {
        // What python-snappy makes of "abcabcabcabcX".
        let packed = [13, 8, b'a', b'b', b'c', 0x15, 3, 0, b'X'];
        assert_eq!(snappy(&packed, 13).unwrap(), b"abcabcabcabcX");
        for end in [1, 2, 4, 6] {
            assert!(
                snappy(&packed[..end], 13).is_ok_and(|out| out.len() < 13)
                    || snappy(&packed[..end], 13).is_err()
            );
        }
        assert!(snappy(&packed, 12).unwrap_err().to_string().contains("more than"));
        assert!(snappy(&[3, 0x15, 3], 9).unwrap_err().to_string().contains("before its start"));
    }
}
