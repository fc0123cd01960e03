//! Exported rows as Parquet, which pandas, Polars, DuckDB and the like read:
//! <https://parquet.apache.org/docs/file-format/>.
//!
//! A writer of our own, since these columns need the plainest form only (plain values, no compression), while the
//! crate would change the features of crates that the tensor stack is built on.

use super::rows::{ExportRows, IndexEntry};
use super::thrift::{ThriftStruct, put_varint};
use crate::progress::CancelToken;
use anyhow::Result;
use std::io::Write;

/// Most rows of a row group, which readers take in at once, and about the bytes of its vectors.
const GROUP_ROWS: usize = 1 << 16;
const GROUP_BYTES: usize = 64 << 20;
/// Vectors of a page take about so many bytes.
const PAGE_BYTES: usize = 1 << 20;

const MAGIC: &[u8; 4] = b"PAR1";
// Numbers of the format's enums.
const INT32: i32 = 1;
const FLOAT: i32 = 4;
const BYTE_ARRAY: i32 = 6;
const UTF8: i32 = 0;
const LIST: i32 = 3;
const UINT_32: i32 = 13;
const REQUIRED: i32 = 0;
const OPTIONAL: i32 = 1;
const REPEATED: i32 = 2;
const PLAIN: i32 = 0;
const RLE: i32 = 3;
const UNCOMPRESSED: i32 = 0;

/// A column of the index: its name, its physical and its logical type, whether values may be missing, and the value
/// of an entry.
struct IndexColumn {
    name: &'static str,
    physical: i32,
    logical: i32,
    is_optional: bool,
    value: Put,
}

const COLUMNS: [IndexColumn; 8] = [
    number("image", false, |entry, out| put_number(out, Some(entry.patch.image))),
    text("path", false, |entry, out| put_text(out, Some(entry.path))),
    number("y", false, |entry, out| put_number(out, Some(entry.patch.y))),
    number("x", false, |entry, out| put_number(out, Some(entry.patch.x))),
    number("size", false, |entry, out| put_number(out, Some(entry.patch.size))),
    number("label", true, |entry, out| put_number(out, entry.label)),
    text("class", true, |entry, out| put_text(out, entry.class)),
    text("split", true, |entry, out| put_text(out, entry.split)),
];

/// Writes the value of an entry; says whether there is one.
type Put = fn(&IndexEntry<'_>, &mut Vec<u8>) -> bool;

const fn number(name: &'static str, is_optional: bool, value: Put) -> IndexColumn {
    IndexColumn { name, physical: INT32, logical: UINT_32, is_optional, value }
}

const fn text(name: &'static str, is_optional: bool, value: Put) -> IndexColumn {
    IndexColumn { name, physical: BYTE_ARRAY, logical: UTF8, is_optional, value }
}

fn put_number(out: &mut Vec<u8>, value: Option<u32>) -> bool {
    out.extend(value.into_iter().flat_map(u32::to_le_bytes));
    value.is_some()
}

fn put_text(out: &mut Vec<u8>, text: Option<&str>) -> bool {
    let Some(text) = text else { return false };
    out.extend((text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    true
}

/// Writes the index of `rows`, and their vectors with it if `with_vectors`.
pub fn write(
    rows: &ExportRows<'_>,
    with_vectors: bool,
    out: &mut dyn Write,
    cancel: &CancelToken,
) -> Result<()> {
    let mut file = TableFile { out, offset: 0 };
    file.put(MAGIC)?;
    let of_bytes = if with_vectors { GROUP_BYTES / (4 * rows.width()) } else { GROUP_ROWS };
    let mut groups = vec![];
    for group in rows.groups(of_bytes.clamp(1, GROUP_ROWS)) {
        let start = file.offset;
        let entries = group.iter().map(|row| rows.entry(*row)).collect::<Result<Vec<_>>>()?;
        let mut chunks: Vec<ThriftStruct> =
            COLUMNS.iter().map(|column| file.index_column(column, &entries)).collect::<Result<_>>()?;
        if with_vectors {
            chunks.push(file.vectors(rows, &group, cancel)?);
        }
        cancel.check()?;
        let bytes = file.offset - start;
        groups.push(ThriftStruct::default().records(1, chunks).int64(2, bytes).int64(3, group.len()));
    }
    let spec = rows.bank().spec();
    let bank = ThriftStruct::default().text(1, "bank").text(2, &serde_json::to_string(spec)?);
    let footer = ThriftStruct::default()
        .int32(1, 1)
        .records(2, schema(with_vectors))
        .int64(3, rows.len())
        .records(4, groups)
        .records(5, vec![bank])
        .text(6, &spec.program)
        .finish();
    file.put(&footer)?;
    file.put(&(footer.len() as u32).to_le_bytes())?;
    file.put(MAGIC)
}

/// The root, its columns, and the three levels of a list, in the order of a walk through the tree.
fn schema(with_vectors: bool) -> Vec<ThriftStruct> {
    let children = (COLUMNS.len() + usize::from(with_vectors)) as i32;
    let mut elements = vec![ThriftStruct::default().text(4, "patches").int32(5, children)];
    elements.extend(COLUMNS.iter().map(|column| {
        let repetition = if column.is_optional { OPTIONAL } else { REQUIRED };
        ThriftStruct::default()
            .int32(1, column.physical)
            .int32(3, repetition)
            .text(4, column.name)
            .int32(6, column.logical)
    }));
    if with_vectors {
        elements.extend([
            ThriftStruct::default().int32(3, REQUIRED).text(4, "vector").int32(5, 1).int32(6, LIST),
            ThriftStruct::default().int32(3, REPEATED).text(4, "list").int32(5, 1),
            ThriftStruct::default().int32(1, FLOAT).int32(3, REQUIRED).text(4, "element"),
        ]);
    }
    elements
}

/// The file so far.
struct TableFile<'a> {
    out: &'a mut dyn Write,
    offset: usize,
}

impl TableFile<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes)?;
        self.offset += bytes.len();
        Ok(())
    }

    /// A page of `count` values: levels, each with its length before it, then the values that are there.
    fn page(&mut self, count: usize, levels: &[Vec<u8>], values: &[u8]) -> Result<()> {
        let bytes = levels.iter().map(|levels| 4 + levels.len()).sum::<usize>() + values.len();
        let facts =
            ThriftStruct::default().int32(1, count as i32).int32(2, PLAIN).int32(3, RLE).int32(4, RLE);
        let (kind, bytes) = (0, bytes as i32);
        let header = ThriftStruct::default().int32(1, kind).int32(2, bytes).int32(3, bytes).record(5, facts);
        self.put(&header.finish())?;
        for levels in levels {
            self.put(&(levels.len() as u32).to_le_bytes())?;
            self.put(levels)?;
        }
        self.put(values)
    }

    /// Describes the column whose pages begin at `start` and end here.
    fn chunk(&self, path: &[&str], physical: i32, count: usize, start: usize) -> ThriftStruct {
        let bytes = self.offset - start;
        let facts = ThriftStruct::default()
            .int32(1, physical)
            .int32s(2, &[PLAIN, RLE])
            .texts(3, path)
            .int32(4, UNCOMPRESSED)
            .int64(5, count)
            .int64(6, bytes)
            .int64(7, bytes)
            .int64(9, start);
        ThriftStruct::default().int64(2, start).record(3, facts)
    }

    fn index_column(&mut self, column: &IndexColumn, entries: &[IndexEntry<'_>]) -> Result<ThriftStruct> {
        let start = self.offset;
        let mut values = vec![];
        let is_there: Vec<bool> = entries.iter().map(|entry| (column.value)(entry, &mut values)).collect();
        let levels = if column.is_optional { vec![runs(is_there.into_iter())] } else { vec![] };
        self.page(entries.len(), &levels, &values)?;
        Ok(self.chunk(&[column.name], column.physical, entries.len(), start))
    }

    fn vectors(
        &mut self,
        rows: &ExportRows<'_>,
        group: &[usize],
        cancel: &CancelToken,
    ) -> Result<ThriftStruct> {
        let (start, width) = (self.offset, rows.width());
        let mut values = vec![];
        for part in group.chunks((PAGE_BYTES / (4 * width)).max(1)) {
            cancel.check()?;
            rows.read(part, &mut values)?;
            // The first value of a row begins a list, the others go on with it; each is there.
            let goes_on = runs((0..values.len()).map(|at| at % width != 0));
            let is_there = runs(values.iter().map(|_| true));
            self.page(values.len(), &[goes_on, is_there], bytemuck::cast_slice(&values))?;
        }
        Ok(self.chunk(&["vector", "list", "element"], FLOAT, group.len() * width, start))
    }
}

/// Levels of 0 and 1 as runs: twice the length, then the level.
fn runs(levels: impl Iterator<Item = bool>) -> Vec<u8> {
    let mut out = vec![];
    let mut levels = levels.peekable();
    while let Some(level) = levels.next() {
        let mut length = 1u64;
        while levels.next_if_eq(&level).is_some() {
            length += 1;
        }
        put_varint(&mut out, length << 1);
        out.push(level.into());
    }
    out
}
