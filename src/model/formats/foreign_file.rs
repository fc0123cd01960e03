//! From the arrays of another program's file to a model.

use anyhow::{Result, ensure};
use burn::tensor::Device;
use sha2::{Digest, Sha256};

use crate::files;
use crate::model::encoder::Encoder;
use crate::model::footprint;
use crate::model::foreign::{self, Hints};
use crate::model::format::Model;
use crate::model::loose::LooseArrays;
use crate::model::spec::Overrides;
use crate::model::weights;

/// What a file holds.
pub(in crate::model) struct FileContent<'a> {
    /// What kind of file it is.
    pub format: &'static str,
    /// Its arrays by their names.
    pub arrays: LooseArrays<'a>,
    /// What it says besides.
    pub hints: Hints,
}

/// The model in `content`, which was read from `files`.
///
/// # Errors
/// No network that can be opened; what is missing of it or does not fit.
pub(in crate::model) fn open(
    files: &[&[u8]],
    content: FileContent<'_>,
    device: &Device,
    name: String,
    overrides: &Overrides,
) -> Result<Model> {
    let found = foreign::find(&content.arrays, &content.hints, overrides.weights.as_deref())?;
    let mut info = found.info.clone();
    overrides.apply(&mut info)?;
    info.validate()?;
    footprint::ensure_room(files.iter().map(|bytes| bytes.len()).sum(), &info)?;
    let weights = found.weights()?;
    let (encoder, mismatch) = weights::assign(Encoder::uninitialized(&info, device), weights)?;
    ensure!(
        mismatch.missing.is_empty(),
        "weights are missing: {}",
        crate::words::name_list(&mismatch.missing)
    );
    ensure!(
        mismatch.unexpected.is_empty(),
        "layers that a {} does not have: {}",
        info.backbone.title(),
        crate::words::name_list(&mismatch.unexpected)
    );
    let mut sum = Sha256::new();
    files.iter().for_each(|bytes| sum.update(bytes));
    let hash = overrides.hash(files::hex(&sum.finalize()));
    Ok(Model { name, hash, format: content.format, info, encoder, has_sums: false })
}
