//! What is kept beside a bank: where its images lie and what embedded them, so that both are found again.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::bank::{Bank, read_beside, write_beside};
use crate::dataset::{DataSpec, Dataset};
use crate::engine::ask::BankSource;
use crate::files;
use crate::model::ModelSpec;

const SOURCE_FILE: &str = "source.json";

/// The content of the file.
#[derive(Serialize, Deserialize)]
struct SourceInFile {
    #[serde(flatten)]
    source: BankSource,
    /// What embedded them; earlier versions of the program did not say, and of imported vectors it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<ModelSpec>,
}

/// Keeps with the bank in `folder` where its images lie, and what embeds them where that is known.
pub fn keep_source(folder: &Path, source: &BankSource, model: Option<&ModelSpec>) -> anyhow::Result<()> {
    let kept = SourceInFile { source: source.absolute(), model: model.map(ModelSpec::absolute) };
    write_beside(folder, SOURCE_FILE, &serde_json::to_vec_pretty(&kept)?)
}

/// Where the images of the bank in `folder` lie, and what embedded them.
pub fn source_of(folder: &Path) -> anyhow::Result<(BankSource, Option<ModelSpec>)> {
    let text = read_beside(folder, SOURCE_FILE, files::MOST_WORDS)?;
    let damaged = || format!("{} is damaged", folder.join(SOURCE_FILE).display());
    let SourceInFile { source, model } = serde_json::from_slice(&text).with_context(damaged)?;
    Ok((source, model))
}

/// Opens the images that a bank was made of: those noted with it, or `moved` where they lie now.
/// They must be the same images.
pub fn data_of_bank(
    folder: &Path,
    bank: &Bank,
    moved: Option<&DataSpec>,
) -> anyhow::Result<Arc<dyn Dataset>> {
    let (mut source, _) = source_of(folder)?;
    if let Some(moved) = moved {
        source.data = moved.clone().decoded_as(source.data.decoding());
    }
    let data = source.open().with_context(|| {
        format!("the images of the bank {}; --data says where they lie now", folder.display())
    })?;
    ensure!(
        source.is_of(bank, data.as_ref())?,
        "{} holds other images now than the bank {} was made of; --data says where they lie",
        source.data,
        folder.display()
    );
    Ok(data)
}
