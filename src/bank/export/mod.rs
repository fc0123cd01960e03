//! Hands the rows of a bank to other tools: float32, un-normalised, in bank order, streamed; and beside them, or in
//! a file of its own, what each row is of.
//!
//! Rows without a vector are left out and counted: those of images that could not be read, and such as hold a value
//! that is no number.

mod index;
mod rows;
mod table;
mod thrift;

pub use self::rows::Exported;
use self::rows::{ExportRows, STEP};
use super::store::Bank;
use crate::files::{npy_header, write_atomic};
use crate::progress::CancelToken;
use anyhow::Result;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

/// What vectors are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VectorFormat {
    /// NumPy's: float32 `[rows, width]`.
    Npy,
    /// One float32 tensor `[rows, width]` named after the space, and what made the bank under the metadata key
    /// `bank` (JSON).
    Safetensors,
    /// The columns of [`IndexFormat`] and `vector`, a list of float32; what made the bank under the key `bank`.
    Parquet,
}

/// What the index of the rows is written as: in the order of the vectors, with the columns `image`, `path`, `y`, `x`
/// and `size` (top left and side, pixels), `label`, `class` and `split` (empty or null where there is none).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexFormat {
    /// Text with a line of names first, quoted as RFC 4180 says.
    Csv,
    /// Parquet.
    Parquet,
}

/// Writes the rows of `space` that have a vector.
///
/// # Errors
/// No such space, no row with a vector, cancelled, or a failed write; `path` then is as it was.
pub fn export_vectors(
    bank: &Bank,
    space: &str,
    path: &Path,
    format: VectorFormat,
    cancel: &CancelToken,
) -> Result<Exported> {
    let rows = ExportRows::new(bank, space)?;
    write_atomic(path, |out| match format {
        VectorFormat::Npy => {
            out.write_all(&npy_header(&[rows.len(), rows.width()]))?;
            write_values(&rows, out, cancel)
        }
        VectorFormat::Safetensors => {
            write_safetensors_header(&rows, space, out)?;
            write_values(&rows, out, cancel)
        }
        VectorFormat::Parquet => table::write(&rows, true, out, cancel),
    })?;
    Ok(rows.counts())
}

/// Writes what each row of [`export_vectors`] is of, in the same order.
///
/// # Errors
/// As [`export_vectors`].
pub fn export_index(
    bank: &Bank,
    space: &str,
    path: &Path,
    format: IndexFormat,
    cancel: &CancelToken,
) -> Result<()> {
    let rows = ExportRows::new(bank, space)?;
    write_atomic(path, |out| match format {
        IndexFormat::Csv => index::write_csv(&rows, out, cancel),
        IndexFormat::Parquet => table::write(&rows, false, out, cancel),
    })
}

/// The crate's own writer wants all values in memory; its header is enough.
fn write_safetensors_header(rows: &ExportRows<'_>, space: &str, out: &mut dyn Write) -> Result<()> {
    let shape = vec![rows.len(), rows.width()];
    let info = TensorInfo { dtype: Dtype::F32, data_offsets: (0, shape[0] * shape[1] * 4), shape };
    let facts = HashMap::from([("bank".to_string(), serde_json::to_string(rows.bank().spec())?)]);
    let header = serde_json::to_string(&Metadata::new(Some(facts), vec![(space.to_string(), info)])?)?;
    let padded = header.len().next_multiple_of(8);
    out.write_all(&(padded as u64).to_le_bytes())?;
    out.write_all(header.as_bytes())?;
    Ok(out.write_all(&vec![b' '; padded - header.len()])?)
}

fn write_values(rows: &ExportRows<'_>, out: &mut dyn Write, cancel: &CancelToken) -> Result<()> {
    let mut values = Vec::new();
    for group in rows.groups(STEP) {
        cancel.check()?;
        rows.read(&group, &mut values)?;
        out.write_all(bytemuck::cast_slice(&values))?;
    }
    Ok(())
}
