//! The pages of a column: levels, then values, plain or as places in a dictionary.

use super::coding::{Codec, runs};
use super::thrift::Thrift;
use anyhow::{Context, Result, bail, ensure};
use std::io::{BufReader, Read};

/// No head of a page is longer; it may hold the least and the greatest value.
const MOST_HEAD: u64 = 1 << 20;
/// No page is larger, bytes. Writers make them of about a mebibyte.
const MOST_PAGE: u64 = 512 << 20;
/// No page has more values.
const MOST_SLOTS: u64 = 1 << 26;
// Numbers of the format's enums.
const DATA: i64 = 0;
const DICTIONARY: i64 = 2;
const DATA_V2: i64 = 3;
const PLAIN: i64 = 0;
const PLAIN_DICTIONARY: i64 = 2;
const RLE_DICTIONARY: i64 = 8;

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Physical {
    Int32,
    Int64,
    Half,
    Float,
    Double,
    Text,
}

/// Values that are there, in order.
#[derive(Clone, Debug)]
pub enum Cells {
    /// Whole numbers.
    Ints(Vec<i64>),
    /// Numbers of `size` bytes each, as they lie in files: of half, single or double precision.
    Floats { bytes: Vec<u8>, size: usize },
    /// Texts, which need not be UTF-8.
    Texts(Vec<Vec<u8>>),
}

/// What a page holds.
#[derive(Debug)]
pub struct PageValues {
    /// Values that are there and that are not.
    pub slots: usize,
    /// For each whether it begins a row; empty where each does.
    pub begins_row: Vec<bool>,
    /// For each whether it is there; empty where each is.
    pub is_there: Vec<bool>,
    pub cells: Cells,
}

/// Reads the pages of one chunk of a column.
pub struct PageReader<R> {
    input: BufReader<R>,
    physical: Physical,
    codec: Codec,
    /// Most of the definition and of the repetition.
    levels: (u8, u8),
    dictionary: Option<Cells>,
}

impl<R: Read> PageReader<R> {
    pub fn new(input: R, physical: Physical, codec: Codec, levels: (u8, u8)) -> Self {
        Self { input: BufReader::with_capacity(1 << 16, input), physical, codec, levels, dictionary: None }
    }

    /// The next page of values.
    pub fn next(&mut self) -> Result<PageValues> {
        loop {
            let head = Thrift::read(&mut self.input, MOST_HEAD).context("a page without a head")?;
            let (size, packed) = (head.size(2, "a page's size")?, head.size(3, "a page's packed size")?);
            ensure!(size.max(packed) <= MOST_PAGE, "a page of {size} bytes; expected at most {MOST_PAGE}");
            let mut bytes = vec![];
            (&mut self.input).take(packed).read_to_end(&mut bytes)?;
            ensure!(bytes.len() as u64 == packed, "a page that is cut off");
            match head.int(1) {
                Some(DICTIONARY) => {
                    let facts = head.get(7).context("a dictionary without a head")?;
                    let count = facts.size(1, "a dictionary's length")? as usize;
                    let bytes = self.codec.unpack(bytes, size as usize)?;
                    self.dictionary = Some(plain(self.physical, &bytes, count)?);
                }
                Some(DATA) => {
                    return self.data(head.get(5).context("a page without a head")?, bytes, size as usize);
                }
                Some(DATA_V2) => {
                    return self.data_v2(head.get(8).context("a page without a head")?, bytes, size as usize);
                }
                // Indices and whatever may come say nothing of values.
                _ => {}
            }
        }
    }

    fn data(&self, facts: &Thrift, packed: Vec<u8>, size: usize) -> Result<PageValues> {
        let slots = slots_in(facts)?;
        let bytes = self.codec.unpack(packed, size)?;
        let mut rest = &bytes[..];
        let mut levels = |most: u8| -> Result<Vec<u32>> {
            if most == 0 {
                return Ok(vec![]);
            }
            let (length, after) = rest.split_at_checked(4).context("a page without its levels")?;
            let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize;
            let (levels, after) =
                after.split_at_checked(length).context("a page whose levels are cut off")?;
            rest = after;
            runs(levels, bits_of(most), slots)
        };
        let (definition, repetition) = self.levels;
        let repeats = levels(repetition)?;
        let defined = levels(definition)?;
        self.values(facts.int(2), (slots, repeats, defined), rest)
    }

    fn data_v2(&self, facts: &Thrift, bytes: Vec<u8>, size: usize) -> Result<PageValues> {
        let slots = slots_in(facts)?;
        let lengths = [facts.size(6, "the length of levels")?, facts.size(5, "the length of levels")?];
        let cut = "a page whose levels are cut off";
        let (repeats, rest) = bytes.split_at_checked(lengths[0] as usize).context(cut)?;
        let (defined, rest) = rest.split_at_checked(lengths[1] as usize).context(cut)?;
        let levels = |most: u8, bytes: &[u8]| match most {
            0 => Ok(vec![]),
            _ => runs(bytes, bits_of(most), slots),
        };
        let (repeats, defined) = (levels(self.levels.1, repeats)?, levels(self.levels.0, defined)?);
        let codec = if facts.int(7) == Some(0) { Codec::Plain } else { self.codec };
        let size = size.checked_sub((lengths[0] + lengths[1]) as usize).context(cut)?;
        let values = if rest.is_empty() { vec![] } else { codec.unpack(rest.to_vec(), size)? };
        self.values(facts.int(4), (slots, repeats, defined), &values)
    }

    fn values(
        &self,
        encoding: Option<i64>,
        (slots, repeats, defined): (usize, Vec<u32>, Vec<u32>),
        bytes: &[u8],
    ) -> Result<PageValues> {
        let most = u32::from(self.levels.0);
        let is_there: Vec<bool> = defined.iter().map(|level| *level == most).collect();
        let count = if is_there.is_empty() { slots } else { is_there.iter().filter(|there| **there).count() };
        let cells = match encoding {
            Some(PLAIN) => plain(self.physical, bytes, count)?,
            Some(PLAIN_DICTIONARY | RLE_DICTIONARY) => {
                let dictionary =
                    self.dictionary.as_ref().context("a page without the dictionary that it means")?;
                let places = match bytes.split_first() {
                    Some((bits, runs_of)) => runs(runs_of, *bits, count)?,
                    None => vec![],
                };
                ensure!(places.len() == count, "a page that is cut off");
                chosen(dictionary, &places)?
            }
            other => bail!(
                "its values are written in encoding {}; expected plain ones or a dictionary, as pandas, DuckDB and \
                 Polars write unless told otherwise",
                other.unwrap_or(-1)
            ),
        };
        Ok(PageValues {
            slots,
            begins_row: repeats.iter().map(|level| *level == 0).collect(),
            is_there: if is_there.contains(&false) { is_there } else { vec![] },
            cells,
        })
    }
}

fn slots_in(facts: &Thrift) -> Result<usize> {
    let slots = facts.size(1, "a page's number of values")?;
    ensure!(slots <= MOST_SLOTS, "a page of {slots} values; expected at most {MOST_SLOTS}");
    Ok(slots as usize)
}

/// Bits of a level of at most `most`.
fn bits_of(most: u8) -> u8 {
    (8 - most.leading_zeros()) as u8
}

/// `count` values one after the other.
fn plain(physical: Physical, bytes: &[u8], count: usize) -> Result<Cells> {
    let cut = "a page whose values are cut off";
    let of_size = |size: usize| {
        let length = count.checked_mul(size).context(cut)?;
        bytes.get(..length).context(cut)
    };
    Ok(match physical {
        Physical::Int32 => {
            let (values, _) = of_size(4)?.as_chunks();
            Cells::Ints(values.iter().map(|value| i64::from(i32::from_le_bytes(*value))).collect())
        }
        Physical::Int64 => {
            let (values, _) = of_size(8)?.as_chunks();
            Cells::Ints(values.iter().map(|value| i64::from_le_bytes(*value)).collect())
        }
        Physical::Half => Cells::Floats { bytes: of_size(2)?.to_vec(), size: 2 },
        Physical::Float => Cells::Floats { bytes: of_size(4)?.to_vec(), size: 4 },
        Physical::Double => Cells::Floats { bytes: of_size(8)?.to_vec(), size: 8 },
        Physical::Text => {
            let (mut rest, mut texts) = (bytes, vec![]);
            for _ in 0..count {
                let (length, after) = rest.split_at_checked(4).context(cut)?;
                let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize;
                let (text, after) = after.split_at_checked(length).context(cut)?;
                texts.push(text.to_vec());
                rest = after;
            }
            Cells::Texts(texts)
        }
    })
}

/// The values in `places` of a dictionary.
fn chosen(dictionary: &Cells, places: &[u32]) -> Result<Cells> {
    let beyond = "a place beyond the end of its dictionary";
    Ok(match dictionary {
        Cells::Ints(values) => {
            let value = |place: &u32| values.get(*place as usize).copied().context(beyond);
            Cells::Ints(places.iter().map(value).collect::<Result<_>>()?)
        }
        Cells::Texts(texts) => {
            let text = |place: &u32| texts.get(*place as usize).context(beyond);
            let chosen: Vec<&Vec<u8>> = places.iter().map(text).collect::<Result<_>>()?;
            let bytes: u64 = chosen.iter().map(|text| text.len() as u64).sum();
            ensure!(bytes <= MOST_PAGE, "a page of {bytes} bytes; expected at most {MOST_PAGE}");
            Cells::Texts(chosen.into_iter().cloned().collect())
        }
        Cells::Floats { bytes, size } => {
            let mut out = Vec::with_capacity(places.len() * size);
            for place in places {
                let at = *place as usize * size;
                out.extend_from_slice(bytes.get(at..at + size).context(beyond)?);
            }
            Cells::Floats { bytes: out, size: *size }
        }
    })
}
