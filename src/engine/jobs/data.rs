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
    pub variant: Variant,
    pub out: PathBuf,
    pub url: Option<String>,
    pub md5: Option<String>,
}

/// Its result.
#[derive(Clone, Debug, Serialize)]
pub struct GetReport {
    pub path: PathBuf,
    pub images: usize,
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
    pub out: PathBuf,
    pub images: usize,
    pub size: u32,
    pub split: Split,
}

/// Its result.
#[derive(Clone, Debug, Serialize)]
pub struct SynthReport {
    pub path: PathBuf,
    pub images: usize,
    pub resumed: usize,
    pub classes: Vec<String>,
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
