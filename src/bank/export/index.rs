//! The index of exported rows as CSV.

use super::rows::{ExportRows, IndexEntry, STEP};
use crate::progress::CancelToken;
use crate::words::csv_cell;
use anyhow::Result;
use std::io::Write;

pub fn write_csv(rows: &ExportRows<'_>, out: &mut dyn Write, cancel: &CancelToken) -> Result<()> {
    out.write_all(b"image,path,y,x,size,label,class,split\n")?;
    for group in rows.groups(STEP) {
        cancel.check()?;
        for row in group {
            let IndexEntry { patch, path, label, class, split } = rows.entry(row)?;
            let label = label.map_or(String::new(), |label| label.to_string());
            let (path, class) = (csv_cell(path), csv_cell(class.unwrap_or_default()));
            let split = split.unwrap_or_default();
            writeln!(
                out,
                "{},{path},{},{},{},{label},{class},{split}",
                patch.image, patch.y, patch.x, patch.size
            )?;
        }
    }
    Ok(())
}
