//! Parquet as pandas, pyarrow, DuckDB, Polars and this program write it: flat columns, and a list of numbers for each
//! row. <https://parquet.apache.org/docs/file-format/>
//!
//! A reader of our own beside the writer of our own, for its reason: the crate would change the features of crates that
//! the tensor stack is built on. Lengths and places are checked before they are believed.

mod coding;
mod page;
mod thrift;

use self::coding::Codec;
use self::page::PageReader;
pub use self::page::{Cells, PageValues, Physical};
use self::thrift::Thrift;
use crate::files;
use anyhow::{Context, Result, bail, ensure};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// No description of a file is longer.
const MOST_FOOTER: u64 = 32 << 20;
const MAGIC: &[u8; 4] = b"PAR1";

/// A column: one value for each row, or a list of them.
#[derive(Clone, Debug)]
pub struct TableColumn {
    pub name: String,
    /// `None` for a kind that no reader here takes.
    pub physical: Option<Physical>,
    /// Whether a row has a list of values.
    pub is_list: bool,
    /// Levels of a value that is there, and of one that goes on with a list.
    most_definition: u8,
    most_repetition: u8,
}

/// A part of a column, in one row group.
#[derive(Clone, Debug)]
struct Chunk {
    codec: i64,
    start: u64,
    bytes: u64,
    values: u64,
}

/// An open file.
#[derive(Debug)]
pub struct ParquetFile {
    file: File,
    columns: Vec<TableColumn>,
    groups: Vec<Vec<Chunk>>,
    rows: u64,
}

impl ParquetFile {
    /// Reads the description at the end of the file.
    ///
    /// # Errors
    /// No Parquet file, or a damaged or encrypted one.
    pub fn open(path: &Path) -> Result<Self> {
        let mut file = files::open(path, u64::MAX)?;
        let length = file.metadata()?.len();
        ensure!(length >= 12, "it is no Parquet file: {length} bytes are too few");
        let mut tail = [0; 8];
        file.seek(SeekFrom::End(-8))?;
        file.read_exact(&mut tail)?;
        let footer = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
        ensure!(tail[4..] != *b"PARE", "it is encrypted; expected a plain Parquet file");
        ensure!(tail[4..] == *MAGIC, "it is no whole Parquet file: it does not end with PAR1");
        ensure!(footer <= length - 12, "its description of {footer} bytes is longer than the file");
        file.seek(SeekFrom::Start(length - 8 - footer))?;
        let description = Thrift::read(&mut (&file).take(footer), MOST_FOOTER)?;
        let columns = columns_of(description.list(2))?;
        let groups = description.list(4).iter().map(|group| chunks_of(group, columns.len(), length));
        let groups = groups.collect::<Result<_>>()?;
        Ok(Self { file, columns, groups, rows: description.size(3, "its number of rows")? })
    }

    /// Rows in all, as the description says.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The names of all columns.
    pub fn names(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }

    /// The column called `name`.
    pub fn column(&self, name: &str) -> Option<&TableColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Row groups, which are read one after the other.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Hands the pages of column `name` in row group `group` to `take`, in order.
    ///
    /// # Errors
    /// Damage, a way of writing that is not read here, or what `take` says.
    pub fn pages(
        &self,
        group: usize,
        name: &str,
        take: &mut dyn FnMut(PageValues) -> Result<()>,
    ) -> Result<()> {
        let at = self.columns.iter().position(|column| column.name == name);
        let at = at.with_context(|| format!("it has no column {name}"))?;
        let (column, chunk) = (&self.columns[at], &self.groups[group][at]);
        let said = || format!("column {name}");
        let physical =
            column.physical.with_context(|| format!("column {name} holds values of another kind"))?;
        let codec = Codec::from_number(chunk.codec).with_context(said)?;
        let mut file = &self.file;
        file.seek(SeekFrom::Start(chunk.start))?;
        let mut pages = PageReader::new(file.take(chunk.bytes), physical, codec, column.levels());
        let mut values = 0;
        while values < chunk.values {
            let page = pages.next().with_context(said)?;
            values += page.slots as u64;
            take(page)?;
        }
        ensure!(
            values == chunk.values,
            "column {name} has {values} values; its description says {}",
            chunk.values
        );
        Ok(())
    }
}

impl TableColumn {
    fn levels(&self) -> (u8, u8) {
        (self.most_definition, self.most_repetition)
    }
}

/// The leaves of the schema, of which the elements lie in the order of a walk through the tree.
fn columns_of(elements: &[Thrift]) -> Result<Vec<TableColumn>> {
    let mut next = elements.iter();
    let root = next.next().context("its description has no schema")?;
    let mut columns = vec![];
    // Children that are to come, the first name, and the levels, of each element that the walk is within.
    let mut within: Vec<(i64, Option<String>, u8, u8)> = vec![(root.int(5).unwrap_or(0), None, 0, 0)];
    while let Some((left, top, definition, repetition)) = within.last_mut() {
        if *left == 0 {
            within.pop();
            continue;
        }
        *left -= 1;
        let (top, mut definition, mut repetition) = (top.clone(), *definition, *repetition);
        let element = next.next().context("its schema is cut off")?;
        ensure!(within.len() < 16, "its schema is nested more than 16 times");
        let name =
            top.unwrap_or(element.text(4).context("its schema has a column without a name")?.to_owned());
        let kind = element.int(3).unwrap_or(0);
        definition += u8::from(kind != 0);
        repetition += u8::from(kind == 2);
        match element.int(5) {
            Some(children) if children > 0 => within.push((children, Some(name), definition, repetition)),
            _ => columns.push(TableColumn {
                name,
                physical: physical_of(element),
                is_list: repetition == 1,
                most_definition: definition,
                most_repetition: repetition,
            }),
        }
    }
    Ok(columns)
}

fn physical_of(element: &Thrift) -> Option<Physical> {
    Some(match element.int(1)? {
        1 => Physical::Int32,
        2 => Physical::Int64,
        4 => Physical::Float,
        5 => Physical::Double,
        6 => Physical::Text,
        // Half precision: two bytes, and the logical type that says so.
        7 if element.int(2) == Some(2) && element.get(10)?.get(15).is_some() => Physical::Half,
        _ => return None,
    })
}

fn chunks_of(group: &Thrift, columns: usize, length: u64) -> Result<Vec<Chunk>> {
    let chunks = group.list(1);
    ensure!(chunks.len() == columns, "a row group has {} columns; its schema has {columns}", chunks.len());
    let chunk = |chunk: &Thrift| {
        if chunk.get(1).is_some() {
            bail!("a column lies in another file; expected all in one");
        }
        let facts = chunk.get(3).context("a column without a description")?;
        let pages = facts.size(9, "where a column begins")?;
        // A dictionary comes first; writers of before put 0 where there is none.
        let dictionary = facts.int(11).and_then(|at| u64::try_from(at).ok()).filter(|at| *at > 0);
        let start = dictionary.map_or(pages, |at| at.min(pages));
        let bytes = facts.size(7, "how long a column is")?;
        let is_inside = start.checked_add(bytes).is_some_and(|end| end <= length);
        ensure!(is_inside, "a column of {bytes} bytes at {start} reaches beyond the end of the file");
        let values = facts.size(5, "how many values a column has")?;
        Ok(Chunk { codec: facts.int(4).unwrap_or(0), start, bytes, values })
    };
    chunks.iter().map(chunk).collect()
}
