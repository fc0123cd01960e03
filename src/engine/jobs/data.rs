//! Data sets: what is in them, fetching and making them.

use std::path::PathBuf;

use serde::Serialize;

use crate::dataset::download::{self, Request};
use crate::dataset::parts::{self, Parts};
use crate::dataset::{self, DataInfo, DataSpec, Split, cifar::Variant};
use crate::engine::jobs::Job;

/// `bagssl data info`.
pub fn info(spec: &DataSpec, split: Option<Split>) -> anyhow::Result<DataInfo> {
    Ok(DataInfo::of(dataset::open(spec, split)?.as_ref()))
}

/// `bagssl data get`.
pub struct GetRequest {
    /// Which set.
    pub variant: Variant,
    /// Folder that will hold the set's own folder; made if it is not there.
    pub out: PathBuf,
    /// Another address than the official one.
    pub url: Option<String>,
    /// MD5 of the archive in hexadecimal, where it is not the official one.
    pub md5: Option<String>,
}

/// Its result.
#[derive(Clone, Debug, Serialize)]
pub struct GetReport {
    /// The folder with the binaries.
    pub path: PathBuf,
    /// Images of both splits together.
    pub images: usize,
    /// It was there, whole, before; nothing was done.
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
    /// Folder that is written; made if it is not there.
    pub out: PathBuf,
    /// Number of images, at least 1.
    pub images: usize,
    /// Side of the images, 32 to 512 pixels.
    pub size: u32,
    /// Train or test; not both at once.
    pub split: Split,
}

/// Its result.
#[derive(Clone, Debug, Serialize)]
pub struct SynthReport {
    /// The folder to open.
    pub path: PathBuf,
    /// Images of this split that lie there now.
    pub images: usize,
    /// Those of them that were there before.
    pub resumed: usize,
    /// Class names, the folders' names.
    pub classes: Vec<String>,
    /// Part names, in the order of the masks' values.
    pub parts: Vec<String>,
}

/// Writes the synthetic set.
pub fn synth(request: &SynthRequest, job: Job<'_>) -> anyhow::Result<SynthReport> {
    let set = Parts::new(job.seed, request.images, request.size, request.split)?;
    let written = parts::write_image_folder(&set, &request.out, job.cancel, job.progress)?;
    Ok(SynthReport {
        path: written.path,
        images: written.images,
        resumed: written.resumed,
        classes: written.classes,
        parts: parts::PART_NAMES.iter().map(|name| name.to_string()).collect(),
    })
}
