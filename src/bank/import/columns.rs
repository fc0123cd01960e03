//! The vectors of a Parquet file: a list of numbers for each row, in one column.

use super::parquet::{Cells, PageValues, ParquetFile, Physical};
use super::stored::{ArrayFacts, Element, StoredArray};
use crate::progress::CancelToken;
use anyhow::{Context, Result, bail, ensure};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// The column of the vectors where none is named.
pub const VECTOR: &str = "vector";

/// Copies the vectors in column `name` of `path` into a file without a name in `scratch`, where each is found at once.
pub fn vectors(path: &Path, name: &str, scratch: &Path, cancel: &CancelToken) -> Result<StoredArray> {
    let table = ParquetFile::open(path)?;
    let column = table.column(name).with_context(|| {
        format!(
            "it has no column {name}, a list of numbers for each row; it has {}",
            table.names().join(", ")
        )
    })?;
    let element = match column.physical {
        Some(Physical::Half) => Element::Half,
        Some(Physical::Float) => Element::Single,
        Some(Physical::Double) => Element::Double,
        _ => bail!("its column {name} holds no float16, float32 or float64"),
    };
    ensure!(column.is_list, "its column {name} holds no list of numbers for each row");
    let out = BufWriter::new(tempfile::tempfile_in(scratch)?);
    let mut rows = VectorRows { out, width: 0, present: 0, rows: 0 };
    for group in 0..table.groups() {
        table.pages(group, name, &mut |page| {
            cancel.check()?;
            rows.take(&page)
        })?;
    }
    rows.finish(element, table.rows())
}

/// The rows so far.
struct VectorRows {
    out: BufWriter<File>,
    /// Values of a row; 0 as long as the first is not whole.
    width: usize,
    /// Values of the row that is not whole yet.
    present: usize,
    /// Whole rows.
    rows: usize,
}

impl VectorRows {
    fn take(&mut self, page: &PageValues) -> Result<()> {
        if let Some(at) = page.is_there.iter().position(|there| !there) {
            let begun = page.begins_row[..=at].iter().filter(|begins| **begins).count();
            let row = self.rows + usize::from(self.present > 0) + begun.max(1) - 1;
            bail!("row {row} has no vector, or one with a value missing; leave such rows out");
        }
        for begins in &page.begins_row {
            if *begins && self.present > 0 {
                self.end_row()?;
            }
            self.present += 1;
        }
        let Cells::Floats { bytes, .. } = &page.cells else {
            bail!("its column of vectors holds no numbers")
        };
        Ok(self.out.write_all(bytes)?)
    }

    fn end_row(&mut self) -> Result<()> {
        let present = std::mem::take(&mut self.present);
        if self.width == 0 {
            self.width = present;
        }
        ensure!(
            present == self.width,
            "row {} has {present} values, the first has {}; expected as many in each",
            self.rows,
            self.width
        );
        self.rows += 1;
        Ok(())
    }

    fn finish(mut self, element: Element, expected: u64) -> Result<StoredArray> {
        if self.present > 0 {
            self.end_row()?;
        }
        ensure!(
            self.rows as u64 == expected,
            "it has {} vectors; its description says {expected} rows",
            self.rows
        );
        self.out.flush()?;
        let file = self.out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        Ok(StoredArray { file, offset: 0, facts: ArrayFacts::new(element, &[self.rows, self.width])? })
    }
}
