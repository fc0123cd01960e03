//! Thrift's compact protocol, as far as Parquet's descriptions need it:
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.

const INT32: u8 = 5;
const INT64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// A struct that is written field by field, by rising number.
#[derive(Default)]
pub struct ThriftStruct {
    bytes: Vec<u8>,
    last: u8,
}

impl ThriftStruct {
    pub fn int32(mut self, field: u8, value: i32) -> Self {
        self.begin(field, INT32);
        put_signed(&mut self.bytes, value.into());
        self
    }

    pub fn int64(mut self, field: u8, value: usize) -> Self {
        self.begin(field, INT64);
        put_signed(&mut self.bytes, value as i64);
        self
    }

    pub fn text(mut self, field: u8, text: &str) -> Self {
        self.begin(field, BINARY);
        put_text(&mut self.bytes, text);
        self
    }

    pub fn record(mut self, field: u8, record: ThriftStruct) -> Self {
        self.begin(field, STRUCT);
        self.bytes.extend(record.finish());
        self
    }

    pub fn int32s(mut self, field: u8, values: &[i32]) -> Self {
        self.begin_list(field, INT32, values.len());
        values.iter().for_each(|value| put_signed(&mut self.bytes, (*value).into()));
        self
    }

    pub fn texts(mut self, field: u8, texts: &[&str]) -> Self {
        self.begin_list(field, BINARY, texts.len());
        texts.iter().for_each(|text| put_text(&mut self.bytes, text));
        self
    }

    pub fn records(mut self, field: u8, records: Vec<ThriftStruct>) -> Self {
        self.begin_list(field, STRUCT, records.len());
        records.into_iter().for_each(|record| self.bytes.extend(record.finish()));
        self
    }

    /// The bytes of the whole struct.
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }

    fn begin(&mut self, field: u8, kind: u8) {
        debug_assert!(field > self.last && field - self.last < 16, "field {field} after {}", self.last);
        self.bytes.push((field - self.last) << 4 | kind);
        self.last = field;
    }

    fn begin_list(&mut self, field: u8, kind: u8, len: usize) {
        self.begin(field, LIST);
        match len < 15 {
            true => self.bytes.push((len as u8) << 4 | kind),
            false => {
                self.bytes.push(0xf0 | kind);
                put_varint(&mut self.bytes, len as u64);
            }
        }
    }
}

/// Seven bits a byte, the lowest first; the high bit says that more follow.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Small numbers of either sign take few bytes.
fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, (value << 1 ^ value >> 63) as u64);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_the_bytes_that_the_specification_shows() {
        let varint = |value| {
            let mut bytes = vec![];
            put_varint(&mut bytes, value);
            bytes
        };
        // 50399 is the specification's example; zigzag turns 0, -1, 1, -2 into 0, 1, 2, 3.
        assert_eq!(varint(50_399), [0xdf, 0x89, 0x03]);
        for (value, byte) in [(0, 0), (-1, 1), (1, 2), (-2, 3)] {
            assert_eq!(ThriftStruct::default().int32(1, value).finish(), [0x15, byte, 0]);
        }
        let long = ThriftStruct::default().int32s(2, &[1; 20]).finish();
        assert_eq!(long[..3], [0x29, 0xf5, 20]);
        assert_eq!(long.len(), 3 + 20 + 1);
    }
}
