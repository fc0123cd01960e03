//! Thrift's compact protocol as it is read: values of any shape, of which Parquet's descriptions use a few fields.
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>

use anyhow::{Context, Result, bail, ensure};
use std::io::Read;

/// Structs and lists within each other; Parquet's descriptions have seven.
const MOST_DEPTH: u32 = 16;

/// A value as it was written.
#[derive(Debug)]
pub enum Thrift {
    /// A number, or a truth value as 0 or 1.
    Int(i64),
    /// A text, or a double as its eight bytes.
    Bytes(Vec<u8>),
    List(Vec<Thrift>),
    /// By the numbers of its fields.
    Record(Vec<(i64, Thrift)>),
}

impl Thrift {
    /// Reads one struct of at most `most` bytes.
    pub fn read(input: &mut dyn Read, most: u64) -> Result<Self> {
        ThriftSource { input: input.take(most) }.record(0)
    }

    /// Field `number` of a struct.
    pub fn get(&self, number: i64) -> Option<&Thrift> {
        let Self::Record(fields) = self else { return None };
        fields.iter().find(|(field, _)| *field == number).map(|(_, value)| value)
    }

    /// The number in field `number`.
    pub fn int(&self, number: i64) -> Option<i64> {
        match self.get(number) {
            Some(Self::Int(value)) => Some(*value),
            _ => None,
        }
    }

    /// The number in field `number`, which must be there and can be a size.
    pub fn size(&self, number: i64, what: &str) -> Result<u64> {
        let value = self.int(number).with_context(|| format!("its description lacks {what}"))?;
        u64::try_from(value).ok().with_context(|| format!("its description has {value} for {what}"))
    }

    /// The text in field `number`.
    pub fn text(&self, number: i64) -> Option<&str> {
        match self.get(number) {
            Some(Self::Bytes(bytes)) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The list in field `number`; empty where there is none.
    pub fn list(&self, number: i64) -> &[Thrift] {
        match self.get(number) {
            Some(Self::List(values)) => values,
            _ => &[],
        }
    }
}

struct ThriftSource<R> {
    input: R,
}

impl<R: Read> ThriftSource<R> {
    fn byte(&mut self) -> Result<u8> {
        let mut byte = [0];
        self.input.read_exact(&mut byte).context("its description is cut off or too long")?;
        Ok(byte[0])
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        bail!("its description holds a number of more than 64 bits")
    }

    fn signed(&mut self) -> Result<i64> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn bytes(&mut self, count: u64) -> Result<Vec<u8>> {
        let mut bytes = vec![];
        (&mut self.input).take(count).read_to_end(&mut bytes)?;
        ensure!(bytes.len() as u64 == count, "its description is cut off or too long");
        Ok(bytes)
    }

    fn record(&mut self, depth: u32) -> Result<Thrift> {
        ensure!(depth < MOST_DEPTH, "its description is nested more than {MOST_DEPTH} times");
        let (mut fields, mut last) = (vec![], 0i64);
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(Thrift::Record(fields));
            }
            last = match head >> 4 {
                0 => self.signed()?,
                more => last.wrapping_add(i64::from(more)),
            };
            let value = match head & 15 {
                truth @ (1 | 2) => Thrift::Int(i64::from(truth == 1)),
                kind => self.value(kind, depth)?,
            };
            fields.push((last, value));
        }
    }

    fn value(&mut self, kind: u8, depth: u32) -> Result<Thrift> {
        Ok(match kind {
            // Truth values in a list; in a struct they stand in the field's head.
            1 | 2 => Thrift::Int(i64::from(self.byte()? == 1)),
            3 => Thrift::Int(i64::from(self.byte()? as i8)),
            4..=6 => Thrift::Int(self.signed()?),
            7 => Thrift::Bytes(self.bytes(8)?),
            8 => {
                let length = self.varint()?;
                Thrift::Bytes(self.bytes(length)?)
            }
            9 | 10 => {
                ensure!(depth < MOST_DEPTH, "its description is nested more than {MOST_DEPTH} times");
                let head = self.byte()?;
                let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                // Grows as values come: each takes a byte at least.
                let mut values = vec![];
                for _ in 0..count {
                    values.push(self.value(head & 15, depth + 1)?);
                }
                Thrift::List(values)
            }
            12 => self.record(depth + 1)?,
            other => bail!("its description holds a value of kind {other}, which Parquet has not"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_numbers_and_forged_lengths_are_errors() {
        // 1: -1, 2: [1, 2], 4: "ab", 5: {1: true}, 37: 3
        let bytes = [0x15, 1, 0x19, 0x25, 2, 4, 0x28, 2, b'a', b'b', 0x1c, 0x11, 0, 0x05, 74, 6, 0];
        let value = Thrift::read(&mut &bytes[..], 100).unwrap();
        assert_eq!((value.int(1), value.text(4), value.int(37)), (Some(-1), Some("ab"), Some(3)));
        assert_eq!(value.list(2).len(), 2);
        assert_eq!(value.get(5).unwrap().int(1), Some(1));
        for end in 0..bytes.len() {
            assert!(Thrift::read(&mut &bytes[..end], 100).is_err());
        }
        assert!(Thrift::read(&mut &bytes[..], 5).is_err());
        let endless = [0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert!(Thrift::read(&mut &endless[..], 100).is_err());
        let nested = [0x1c; 100];
        assert!(Thrift::read(&mut &nested[..], 1000).unwrap_err().to_string().contains("nested"));
    }
}
