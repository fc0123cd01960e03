//! Fetches the official CIFAR archives: resumes, checks, unpacks safely, puts in place at once.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use md5::{Digest, Md5};

use super::cifar::{Cifar, Variant};
pub use super::patience::Patience;
use super::transfer::{Transfer, discard};
use super::unpack::{MAX_ARCHIVE_BYTES, unpack};
use super::{Dataset, Split, hex};
use crate::files::{self, FolderLock};
use crate::progress::{CancelToken, Cancelled, Progress};

/// The official archive of a set: address and MD5, as published with it.
fn official(variant: Variant) -> (&'static str, &'static str) {
    match variant {
        Variant::Cifar10 => {
            ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530")
        }
        Variant::Cifar100 => {
            ("https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8")
        }
    }
}

/// What to fetch, and where to.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which set.
    pub variant: Variant,
    /// Folder that will hold `cifar-10-batches-bin` or `cifar-100-binary`; made if it is not there.
    pub out: PathBuf,
    /// Another address (`http` or `https`) than the official one.
    pub url: Option<String>,
    /// MD5 of the archive in hexadecimal, where it is not the official one.
    pub md5: Option<String>,
    /// How long to wait, and for what.
    pub patience: Patience,
}

impl Request {
    /// The official archive, with the usual patience.
    pub fn new(variant: Variant, out: PathBuf) -> Self {
        Self { variant, out, url: None, md5: None, patience: Patience::default() }
    }

    fn url(&self) -> &str {
        self.url.as_deref().unwrap_or(official(self.variant).0)
    }

    fn md5(&self) -> String {
        self.md5.as_deref().unwrap_or(official(self.variant).1).trim().to_ascii_lowercase()
    }

    /// The folder that holds the set in the end.
    fn target(&self) -> PathBuf {
        self.out.join(self.variant.folder())
    }

    /// Where the archive grows.
    fn part(&self) -> PathBuf {
        self.out.join(format!("{}.tar.gz.part", self.variant.folder()))
    }
}

/// A set that is in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The folder with the binaries.
    pub path: PathBuf,
    /// Images of both splits together.
    pub images: usize,
    /// It was there, whole, before; nothing was done.
    pub already_there: bool,
}

/// Downloads, checks, unpacks and opens a set. A partial download (`*.part` in `out`) is resumed.
/// `report` is called now and then with bytes done of bytes in all.
///
/// # Errors
/// A folder that is there but not whole; the network (what has come is kept); another checksum
/// (the download is deleted); an archive that holds anything unexpected; [`Cancelled`].
pub fn get(request: &Request, cancel: &CancelToken, report: &mut dyn FnMut(Progress)) -> Result<Fetched> {
    let target = request.target();
    if target.exists() {
        let there = already_there(request)?;
        // Where another call works here, or nobody may write, it is not ours to tidy.
        if let Ok(_lock) = FolderLock::take(&request.out) {
            tidy(request);
        }
        return Ok(there);
    }
    let md5 = request.md5();
    let is_md5 = md5.len() == 32 && md5.bytes().all(|b| b.is_ascii_hexdigit());
    ensure!(is_md5, "the checksum {md5:?} is no MD5; expected 32 hexadecimal digits");
    let _lock = FolderLock::take(&request.out)?;
    if target.exists() {
        // Another process has put it there while we came.
        tidy(request);
        return already_there(request);
    }
    sweep(&request.out)?;
    let part = request.part();
    let resumed = fetch(request, cancel, report)?;
    if let Err(error) = check_md5(&part, &md5) {
        if !resumed {
            return Err(error);
        }
        // The earlier piece may be of another file: once more, from the start.
        log::warn!("{error:#}; starting over");
        fetch(request, cancel, report)?;
        check_md5(&part, &md5)?;
    }
    let staging = tempfile::Builder::new().prefix(STAGING).tempdir_in(&request.out);
    let staging = staging.with_context(|| request.out.display().to_string())?;
    let images = unpack_whole(request, &part, staging.path(), cancel).inspect_err(|error| {
        if is_of_the_bytes(error) {
            discard(&part);
        }
    })?;
    let unpacked = staging.path().join(request.variant.folder());
    fs::rename(&unpacked, &target).with_context(|| format!("putting {} in place", target.display()))?;
    fs::remove_file(&part).with_context(|| part.display().to_string())?;
    Ok(Fetched { path: target, images, already_there: false })
}

/// Where an archive is unpacked, before a random part.
const STAGING: &str = ".unpacking-";

/// The set that is there.
fn already_there(request: &Request) -> Result<Fetched> {
    let path = request.target();
    let images = count_images(&path, request.variant).with_context(|| {
        format!("{} is there but not whole; move it away, or choose another --out", path.display())
    })?;
    Ok(Fetched { path, images, already_there: true })
}

/// Removes what a call that ended at its very last steps has left beside the set. The folder's lock is held.
fn tidy(request: &Request) {
    if request.part().exists() {
        discard(&request.part());
    }
    sweep(&request.out).unwrap_or_else(|error| log::warn!("{error:#}"));
}

/// Removes what killed calls have unpacked in `out`, whose lock is held.
fn sweep(out: &Path) -> Result<()> {
    for entry in fs::read_dir(out).with_context(|| out.display().to_string())? {
        let path = entry.with_context(|| out.display().to_string())?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(STAGING) && path.is_dir() {
            fs::remove_dir_all(&path).with_context(|| format!("could not remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Unpacks the archive `part` into `folder`; returns the number of images.
fn unpack_whole(request: &Request, part: &Path, folder: &Path, cancel: &CancelToken) -> Result<usize> {
    unpack(part, request.variant, folder, cancel)?;
    count_images(&folder.join(request.variant.folder()), request.variant)
        .context("the archive does not hold the whole set")
}

/// Whether an archive was refused for what its bytes say: the same archive would be refused again.
fn is_of_the_bytes(error: &anyhow::Error) -> bool {
    // A name that comes twice in an archive is there already in a folder that was empty.
    use std::io::ErrorKind::{AlreadyExists, InvalidData, InvalidInput, Other, UnexpectedEof};
    let of_the_bytes = [AlreadyExists, InvalidData, InvalidInput, Other, UnexpectedEof];
    let of_the_system = |error: &std::io::Error| !of_the_bytes.contains(&error.kind());
    !error.is::<Cancelled>() && !error.chain().any(|cause| cause.downcast_ref().is_some_and(of_the_system))
}

/// Images of both splits, which must both be there.
fn count_images(folder: &Path, variant: Variant) -> Result<usize> {
    let count = |split| Cifar::open(folder, variant, Some(split)).map(|set| set.len());
    Ok(count(Split::Train)? + count(Split::Test)?)
}

/// Compares the archive's MD5; deletes it if it is another.
fn check_md5(part: &Path, expected: &str) -> Result<()> {
    let at = || part.display().to_string();
    let mut hash = Md5::new();
    std::io::copy(&mut files::open(part, MAX_ARCHIVE_BYTES).with_context(at)?, &mut hash).with_context(at)?;
    let found = hex(&hash.finalize());
    if found == expected {
        return Ok(());
    }
    fs::remove_file(part).with_context(at)?;
    bail!(
        "the downloaded archive has MD5 {found}; expected {expected}. It was deleted. \
         Is the address right? Another archive can be named with its own --md5"
    )
}

/// Downloads until the archive is whole. Returns whether an earlier piece was kept.
fn fetch(request: &Request, cancel: &CancelToken, report: &mut dyn FnMut(Progress)) -> Result<bool> {
    let part = request.part();
    Transfer::new(request.url(), &part, request.patience, cancel, report).run()
}

#[cfg(test)]
#[path = "download_tests.rs"]
mod tests;
