//! Bits of a JPEG scan, and its Huffman codes.

use anyhow::{Result, ensure};

/// Codes up to so many bits are looked up at once.
const LOOKUP_BITS: u32 = 10;

/// Reads the bits of a scan, without the zeros that are stuffed in. From a marker or the end of the
/// file on, all bits are 0.
pub struct Bits<'a> {
    bytes: &'a [u8],
    /// The next byte; never beyond a marker.
    at: usize,
    /// The next bits, the first one highest.
    held: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    /// From byte `at` on.
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, held: 0, count: 0 }
    }

    /// Makes sure that at least 32 bits are held.
    #[inline]
    pub fn fill(&mut self) {
        if self.count >= 32 {
            return;
        }
        let next = self.bytes.get(self.at..self.at + 4).and_then(|next| next.try_into().ok());
        if let Some(next) = next.map(u32::from_be_bytes)
            && !has_ff(next)
        {
            self.held |= u64::from(next) << (32 - self.count);
            self.at += 4;
            self.count += 32;
            return;
        }
        while self.count <= 56 {
            let byte = match (self.bytes.get(self.at), self.bytes.get(self.at + 1)) {
                (Some(0xFF), Some(0)) => {
                    self.at += 2;
                    0xFF
                }
                (Some(0xFF) | None, _) => 0,
                (Some(&byte), _) => {
                    self.at += 1;
                    byte
                }
            };
            self.held |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// The next `count` bits, at most 16, of which at least so many are held.
    #[inline]
    pub fn take(&mut self, count: u32) -> u32 {
        let bits = (self.held >> 48) as u32 >> (16 - count);
        self.skip(count);
        bits
    }

    #[inline]
    fn skip(&mut self, count: u32) {
        self.held <<= count;
        self.count -= count;
    }

    /// One bit.
    #[inline]
    pub fn bit(&mut self) -> bool {
        self.fill();
        self.take(1) == 1
    }

    /// The next `count` bits (at most 15) as a number.
    #[inline]
    pub fn number(&mut self, count: u32) -> i32 {
        signed(self.take(count), count)
    }

    /// The next symbol, 32 bits being held; 0 for a code that does not exist.
    #[inline]
    pub fn symbol(&mut self, codes: &Codes) -> u8 {
        let Lookup { length, symbol, .. } = codes.lookup[(self.held >> (64 - LOOKUP_BITS)) as usize];
        if length != 0 {
            self.skip(u32::from(length));
            return symbol;
        }
        self.long_symbol(codes)
    }

    /// The next symbol, of `zeros * 16 + size`, as its zeros and the number of so many bits behind it; `None` for
    /// size 0, with the zeros. 32 bits are held.
    #[inline]
    pub fn coefficient(&mut self, codes: &Codes) -> (usize, Option<i16>) {
        let entry = codes.lookup[(self.held >> (64 - LOOKUP_BITS)) as usize];
        if entry.total != 0 {
            self.skip(u32::from(entry.total));
            return (usize::from(entry.symbol >> 4), Some(entry.number));
        }
        let symbol = self.symbol(codes);
        let size = u32::from(symbol & 15);
        (usize::from(symbol >> 4), (size != 0).then(|| self.number(size) as i16))
    }

    fn long_symbol(&mut self, codes: &Codes) -> u8 {
        let next = (self.held >> 48) as u32;
        for length in LOOKUP_BITS + 1..=16 {
            let (code, ends) = (next >> (16 - length), codes.ends[length as usize]);
            if code < ends {
                self.skip(length);
                let index = code.wrapping_add(codes.offsets[length as usize]) as usize;
                return codes.symbols.get(index).copied().unwrap_or(0);
            }
        }
        self.skip(16);
        0
    }

    /// Leaves out what is left of the scan's data: goes to the next marker and says where it stands.
    pub fn seek_marker(&mut self) -> usize {
        (self.held, self.count) = (0, 0);
        while let Some(pair) = self.bytes.get(self.at..self.at + 2) {
            if pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xFF) {
                return self.at;
            }
            self.at += 1;
        }
        self.at = self.bytes.len();
        self.at
    }

    /// Goes past a restart marker, if one comes next.
    pub fn restart(&mut self) {
        let at = self.seek_marker();
        if self.bytes.get(at + 1).is_some_and(|marker| (0xD0..=0xD7).contains(marker)) {
            self.at = at + 2;
        }
    }
}

/// Whether one of the four bytes is FF.
fn has_ff(bytes: u32) -> bool {
    let inverted = !bytes;
    inverted.wrapping_sub(0x0101_0101) & !inverted & 0x8080_8080 != 0
}

/// What the next bits are.
#[derive(Clone, Copy, Default)]
struct Lookup {
    /// Bits of the code; 0: a longer one.
    length: u8,
    symbol: u8,
    /// Bits of the code and of the number behind it, where it has one and both are among these bits; else 0.
    total: u8,
    number: i16,
}

/// A table of Huffman codes.
pub struct Codes {
    /// By the next bits.
    lookup: Box<[Lookup; 1 << LOOKUP_BITS]>,
    symbols: Vec<u8>,
    /// By length: the first number that is no code any more.
    ends: [u32; 17],
    /// By length: what makes a code an index of `symbols`.
    offsets: [u32; 17],
}

impl Lookup {
    /// Of a code of `length` bits, with the bits behind it.
    fn new(length: u32, symbol: u8, rest: u32) -> Self {
        let (size, left) = (u32::from(symbol & 15), LOOKUP_BITS - length);
        let has_number = size > 0 && size <= left;
        let bits = if has_number { rest >> (left - size) } else { 0 };
        Self {
            length: length as u8,
            symbol,
            total: if has_number { (length + size) as u8 } else { 0 },
            number: signed(bits, size) as i16,
        }
    }
}

/// `count` bits as a number, as JPEG writes those of so many bits.
#[inline]
fn signed(bits: u32, count: u32) -> i32 {
    let bits = bits as i32;
    if count > 0 && bits < 1 << (count - 1) { bits - (1 << count) + 1 } else { bits }
}

impl Codes {
    /// `counts[i]` codes of `i + 1` bits, in order. Errors: more codes than there can be.
    pub fn new(counts: &[u8; 16], symbols: &[u8]) -> Result<Self> {
        let mut codes = Self {
            lookup: Box::new([Lookup::default(); 1 << LOOKUP_BITS]),
            symbols: symbols.to_vec(),
            ends: [0; 17],
            offsets: [0; 17],
        };
        let (mut code, mut index) = (0u32, 0u32);
        for length in 1..=16u32 {
            let count = u32::from(counts[length as usize - 1]);
            codes.offsets[length as usize] = index.wrapping_sub(code);
            for next in code..code + count {
                ensure!(
                    next < 1 << length,
                    "a JPEG Huffman table has more codes of {length} bits than there are"
                );
                let symbol = symbols[(index + next - code) as usize];
                if length <= LOOKUP_BITS {
                    let (at, all) = (next << (LOOKUP_BITS - length), 1 << (LOOKUP_BITS - length));
                    for (rest, entry) in codes.lookup[at as usize..(at + all) as usize].iter_mut().enumerate()
                    {
                        *entry = Lookup::new(length, symbol, rest as u32);
                    }
                }
            }
            (code, index) = (code + count, index + count);
            codes.ends[length as usize] = code;
            code <<= 1;
        }
        Ok(codes)
    }
}
