//! Data sets: what is in them, fetching and making them.

use std::path::PathBuf;

use serde::Serialize;

use crate::dataset::download::{self, Request};
use crate::dataset::parts::{self, Parts};
use crate::dataset::{self, DataInfo, DataSpec, Dataset, Split, cifar::Variant};
use crate::engine::jobs::Job;
use crate::paths;

/// `bagssl data info`.
pub fn info(spec: &DataSpec, split: Option<Split>) -> anyhow::Result<DataInfo> {
    Ok(DataInfo::of(dataset::open(spec, split)?.as_ref()))
}

/// `bagssl data get`.
pub struct GetRequest {
    /// Which of the two sets.
    pub variant: Variant,
    /// Folder to put it in.
    pub out: PathBuf,
    /// Another address of the archive.
    pub url: Option<String>,
    /// MD5 of an archive that is not the official one.
    pub md5: Option<String>,
}

/// Its result.
#[derive(Clone, Debug, Serialize)]
pub struct GetReport {
    /// The folder that opens as a data set.
    #[serde(serialize_with = "paths::serialize")]
    pub path: PathBuf,
    /// How many it holds.
    pub images: usize,
    /// Whether nothing was downloaded.
    pub already_there: bool,
}

/// Downloads, checks and unpacks.
pub fn get(request: GetRequest, job: Job<'_>) -> anyhow::Result<GetReport> {
    let mut fetch = Request::new(request.variant, request.out);
    fetch.url = request.url;
    fetch.md5 = request.md5;
    let got = download::get(&fetch, job.cancel, job.progress)?;
    Ok(GetReport { path: got.path, images: got.images, already_there: got.already_there })
}

/// `bagssl data synth`.
pub struct SynthRequest {
    /// The folder that is written.
    pub out: PathBuf,
    /// What the scenes are drawn from; that of `demo` by default.
    pub seed: Option<u64>,
    /// How many; as many as `demo` has by default.
    pub images: Option<usize>,
    /// Side of the images, pixels.
    pub size: u32,
    /// Train and test have no image in common.
    pub split: Split,
}

/// Its result.
#[derive(Clone, Debug, Serialize)]
pub struct SynthReport {
    /// The folder.
    #[serde(serialize_with = "paths::serialize")]
    pub path: PathBuf,
    /// How many it holds.
    pub images: usize,
    /// Images that were there before.
    pub resumed: usize,
    /// What the scenes were drawn from.
    pub seed: u64,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Names of the parts in the masks.
    pub parts: Vec<String>,
}

/// Writes the synthetic set.
pub fn synth(request: &SynthRequest, job: Job<'_>) -> anyhow::Result<SynthReport> {
    let images = request.images.unwrap_or_else(|| parts::demo(Some(request.split)).len());
    let set = Parts::new(request.seed.unwrap_or(parts::DEMO_SEED), images, request.size, request.split)?;
    let written = parts::write_image_folder(&set, &request.out, job.cancel, job.progress)?;
    Ok(SynthReport {
        path: written.path,
        images: written.images,
        resumed: written.resumed,
        seed: set.seed(),
        classes: written.classes,
        parts: parts::PART_NAMES.iter().map(|name| name.to_string()).collect(),
    })
}
