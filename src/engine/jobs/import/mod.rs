//! A bank of vectors that another program computed.

mod names;
mod plan;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, ensure};
use serde::Serialize;

use self::plan::ImportPlan;
pub use self::plan::ImportRows;
pub use crate::bank::VectorPlace;
use crate::bank::{Dtype, VectorFile, create_or_resume, lies_far};
use crate::engine::jobs::Job;
use crate::engine::jobs::embed::kept;
use crate::engine::look::kept::keep_source;
use crate::progress::Progress;

/// `bagssl bank import`.
#[derive(Clone, Debug)]
pub struct ImportRequest {
    /// The vectors: a place for each space.
    pub vectors: Vec<VectorPlace>,
    /// Names of the spaces, one for each file.
    pub spaces: Vec<String>,
    /// What the vectors are of.
    pub rows: ImportRows,
    /// Number format of the bank; none: float16 where all files have it, else float32.
    pub dtype: Option<Dtype>,
    /// Folder of the bank.
    pub out: PathBuf,
}

/// What was done.
#[derive(Clone, Debug, Serialize)]
pub struct ImportReport {
    /// Images of the bank.
    pub images: usize,
    /// Images of the data set.
    pub of: usize,
    /// Images that were in the bank before.
    pub resumed_images: usize,
    /// Patches with a vector.
    pub patches: usize,
    /// Places of the grid that the table has no row for.
    pub without_vector: usize,
    /// Side of the patches, pixels.
    pub patch: u32,
    /// Distance between patches, pixels.
    pub stride: u32,
    /// Names of the spaces, in the order of the files.
    pub spaces: Vec<String>,
    /// Number format.
    pub dtype: &'static str,
    /// What the bank takes.
    pub bytes: u64,
    /// Name of the data set.
    pub data: String,
}

/// Makes the bank; resumes where an earlier run of the same request stopped.
///
/// # Errors
/// A file that is damaged or of no known kind; counts that do not agree, with the numbers; a value that is not finite,
/// with its row and column; a table whose patches are of several sizes or of images that the data set has not;
/// another bank in that folder; cancelled, or a failed write.
pub fn import(request: &ImportRequest, job: Job<'_>) -> anyhow::Result<ImportReport> {
    let ImportRequest { vectors, spaces, rows, dtype, out } = request;
    ensure!(
        vectors.len() == spaces.len(),
        "{} files of vectors and {} names of spaces ({}); expected one for each: --space NAME,NAME",
        vectors.len(),
        spaces.len(),
        spaces.join(", ")
    );
    let plan = ImportPlan::of(rows, job.cancel)?;
    // What is unpacked goes where the bank goes: there is room for as much again.
    let scratch = match lies_far(out) {
        true => &std::env::temp_dir(),
        false => out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")),
    };
    fs::create_dir_all(scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    let opened = vectors.iter().zip(spaces).map(|(place, space)| {
        let file = VectorFile::open(place, space, scratch, job.cancel)?;
        plan.check_rows(&file)?;
        Ok(file)
    });
    let mut files: Vec<VectorFile> = opened.collect::<anyhow::Result<_>>()?;
    let all_half = files.iter().all(VectorFile::is_half);
    let dtype = dtype.unwrap_or(if all_half { Dtype::F16 } else { Dtype::F32 });
    let spec = plan.spec(&mut files, spaces, dtype, job.cancel)?;
    plan.ensure_rows_fit(&spec)?;
    let bytes = spec.bytes(&plan.images)?;
    let opened = create_or_resume(out, &spec, &plan.images, job.cancel);
    let (mut writer, committed) = opened.map_err(kept)?;
    keep_source(out, &plan.source, None)?;
    let [damaged, _] = writer.again();
    let repaired = damaged.len();
    let chosen: Vec<usize> = damaged.into_iter().chain(committed..plan.images.len()).collect();
    let (clock, resumed) = (Instant::now(), plan.images.len() - chosen.len());
    for (done, place) in chosen.into_iter().enumerate() {
        if let Err(error) = plan.push(place, &mut files, spaces, &mut *writer, job.cancel) {
            writer.commit()?;
            return Err(kept(error));
        }
        (job.progress)(Progress {
            what: "importing",
            done: (resumed + done + 1) as u64,
            total: plan.images.len() as u64,
            resumed: resumed as u64,
            unit: "images",
            elapsed: clock.elapsed(),
        });
    }
    let bank = writer.finish()?;
    Ok(ImportReport {
        images: bank.total_images(),
        of: plan.data.len(),
        resumed_images: committed - repaired,
        patches: bank.searchable(),
        without_vector: bank.patches() - bank.searchable(),
        patch: spec.grid.patch,
        stride: spec.grid.stride,
        spaces: spaces.clone(),
        dtype: spec.dtype.as_str(),
        bytes,
        data: spec.data.name,
    })
}

#[cfg(test)]
mod tests;
