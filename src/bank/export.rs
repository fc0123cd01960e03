//! Hands the rows of a bank to other tools: float32, un-normalised, in bank order, streamed.

use super::store::Bank;
use crate::files::{npy_header, write_atomic};
use crate::progress::CancelToken;
use anyhow::{Result, ensure};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

/// Rows that are converted at a time.
const STEP: usize = 4096;

/// Writes the committed rows of `space` as `.npy`, float32 `[patches, width]`; rows of skipped images are NaN.
/// Returns the number of rows.
///
/// # Errors
/// No such space, nothing committed, cancelled, or a failed write; `path` then is as it was.
pub fn export_npy(bank: &Bank, space: &str, path: &Path, cancel: &CancelToken) -> Result<usize> {
    let (rows, width) = (committed(bank)?, bank.width(space)?);
    write_atomic(path, |out| {
        out.write_all(&npy_header(&[rows, width]))?;
        write_rows(bank, space, out, cancel)
    })?;
    Ok(rows)
}

/// Writes the committed rows of `space` as `.safetensors`: one float32 tensor `[patches, width]`
/// named after the space, and what made the bank under the metadata key `bank` (JSON).
/// Rows of skipped images are NaN. Returns the number of rows.
///
/// # Errors
/// As [`export_npy`].
pub fn export_safetensors(bank: &Bank, space: &str, path: &Path, cancel: &CancelToken) -> Result<usize> {
    let (rows, width) = (committed(bank)?, bank.width(space)?);
    let info =
        TensorInfo { dtype: Dtype::F32, shape: vec![rows, width], data_offsets: (0, rows * width * 4) };
    let facts = HashMap::from([("bank".to_string(), serde_json::to_string(bank.spec())?)]);
    // The crate's own writer wants all values in memory; its header is enough.
    let header = serde_json::to_string(&Metadata::new(Some(facts), vec![(space.to_string(), info)])?)?;
    let padded = header.len().next_multiple_of(8);
    write_atomic(path, |out| {
        out.write_all(&(padded as u64).to_le_bytes())?;
        out.write_all(header.as_bytes())?;
        out.write_all(&vec![b' '; padded - header.len()])?;
        write_rows(bank, space, out, cancel)
    })?;
    Ok(rows)
}

fn committed(bank: &Bank) -> Result<usize> {
    let rows = bank.patches();
    ensure!(
        rows > 0,
        "the bank holds none of its {} patches yet; there is nothing to export",
        bank.total_patches()
    );
    Ok(rows)
}

fn write_rows(bank: &Bank, space: &str, out: &mut dyn Write, cancel: &CancelToken) -> Result<()> {
    let space = bank.space(space)?;
    let mut buffer = vec![0.0f32; STEP.min(bank.patches()) * space.width()];
    for first in (0..bank.patches()).step_by(STEP) {
        cancel.check()?;
        let rows = first..bank.patches().min(first + STEP);
        let values = &mut buffer[..rows.len() * space.width()];
        space.read_rows(rows, values)?;
        out.write_all(bytemuck::cast_slice(values))?;
    }
    Ok(())
}
