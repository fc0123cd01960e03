//! Fetches the official CIFAR archives: resumes, checks, unpacks safely, puts in place at once.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use md5::{Digest, Md5};

use super::cifar::{Cifar, Variant};
use super::unpack::{MAX_ARCHIVE_BYTES, unpack};
use super::{Dataset, Split, hex, with_thousands};
use crate::files::{self, FolderLock};
use crate::progress::{CancelToken, Cancelled, Progress};

/// Attempts in a row that bring nothing new before giving up.
const MAX_IDLE_ATTEMPTS: u32 = 3;

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
    /// How long to wait for a connection, an answer or the next bytes.
    pub patience: Duration,
}

impl Request {
    /// The official archive, with 20 seconds of patience.
    pub fn new(variant: Variant, out: PathBuf) -> Self {
        Self { variant, out, url: None, md5: None, patience: Duration::from_secs(20) }
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
        return already_there(request);
    }
    let md5 = request.md5();
    let is_md5 = md5.len() == 32 && md5.bytes().all(|b| b.is_ascii_hexdigit());
    ensure!(is_md5, "the checksum {md5:?} is no MD5; expected 32 hexadecimal digits");
    let _lock = FolderLock::take(&request.out)?;
    if target.exists() {
        // Another process has put it there while we came.
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

/// Removes a download that is of no use.
fn discard(part: &Path) {
    fs::remove_file(part).unwrap_or_else(|error| log::warn!("could not remove {}: {error}", part.display()));
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

/// How one attempt ended.
enum Attempt {
    Whole,
    /// The server or the network stopped early, for this reason.
    Cut(anyhow::Error),
    /// What is there does not fit what the server has: start over.
    Stale,
}

/// Downloads until the archive is whole. Returns whether an earlier piece was kept.
fn fetch(request: &Request, cancel: &CancelToken, report: &mut dyn FnMut(Progress)) -> Result<bool> {
    let part = request.part();
    let kept_bytes = part_length(&part);
    let mut download = Download { request, cancel, report, started: Instant::now(), resumed: kept_bytes };
    let (mut idle, mut before) = (0, kept_bytes);
    loop {
        cancel.check()?;
        let cut = match download.attempt(&part)? {
            Attempt::Whole => return Ok(download.resumed > 0),
            Attempt::Stale => {
                fs::remove_file(&part).with_context(|| part.display().to_string())?;
                download.resumed = 0;
                anyhow!("the server does not go on where the earlier download ended")
            }
            Attempt::Cut(error) => error,
        };
        let now = part_length(&part);
        idle = if now > before { 0 } else { idle + 1 };
        before = now;
        if idle >= MAX_IDLE_ATTEMPTS {
            let kept = with_thousands(now);
            return Err(cut.context(format!(
                "downloading {} failed; {kept} bytes are kept in {} and the same command resumes",
                request.url(),
                part.display()
            )));
        }
        log::info!("download interrupted at {now} bytes, trying again: {cut:#}");
        wait(Duration::from_millis(250 << idle), cancel)?;
    }
}

fn part_length(part: &Path) -> u64 {
    fs::metadata(part).map_or(0, |meta| meta.len())
}

/// Waits in small steps, so that a cancellation is soon seen.
fn wait(duration: Duration, cancel: &CancelToken) -> Result<(), Cancelled> {
    let until = Instant::now() + duration;
    while Instant::now() < until {
        cancel.check()?;
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Ok(())
}

struct Download<'a> {
    request: &'a Request,
    cancel: &'a CancelToken,
    report: &'a mut dyn FnMut(Progress),
    started: Instant,
    /// Bytes that were there before.
    resumed: u64,
}

impl Download<'_> {
    fn agent(&self) -> ureq::Agent {
        use ureq::tls::{RootCerts, TlsConfig};
        let patience = Some(self.request.patience);
        let config = ureq::Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .http_status_as_error(false)
            .timeout_resolve(patience)
            .timeout_connect(patience)
            .timeout_recv_response(patience)
            .timeout_per_read(patience)
            .user_agent(concat!("bagssl/", env!("CARGO_PKG_VERSION")));
        config.build().into()
    }

    /// One connection: asks for what is missing and appends it to `part`. Errors are final.
    fn attempt(&mut self, part: &Path) -> Result<Attempt> {
        let have = part_length(part);
        let url = self.request.url();
        let mut call = self.agent().get(url);
        if have > 0 {
            call = call.header("Range", format!("bytes={have}-"));
        }
        let mut response = match call.call() {
            Ok(response) => response,
            Err(error) if is_final(&error) => return Err(anyhow!("{url}: {error}{}", hint(&error))),
            Err(error) => return Ok(Attempt::Cut(anyhow!("{error}{}", hint(&error)))),
        };
        let range = response
            .headers()
            .get("content-range")
            .and_then(|v| v.to_str().ok())
            .and_then(ContentRange::parse);
        let length = response.body().content_length();
        let (start, total) = match (response.status().as_u16(), range) {
            (200, _) => (0, length),
            (206, Some(range)) if range.start == Some(have) => (have, range.total),
            (206, _) => return Ok(Attempt::Stale),
            (416, Some(range)) if have > 0 && range.total == Some(have) => return Ok(Attempt::Whole),
            (416, _) if have > 0 => return Ok(Attempt::Stale),
            (status @ (408 | 429 | 500..=599), _) => {
                return Ok(Attempt::Cut(anyhow!("the server answered with status {status}")));
            }
            (status, _) => {
                bail!("{url}: the server answered with status {status}; expected 200 (the archive)")
            }
        };
        let total = total.unwrap_or(0);
        ensure!(total <= MAX_ARCHIVE_BYTES, "{url}: {total} bytes; expected at most {MAX_ARCHIVE_BYTES}");
        if start == 0 {
            self.resumed = 0;
        }
        self.append(part, start, total, &mut response.body_mut().with_config().limit(u64::MAX).reader())
    }

    /// Writes the body to `part` from byte `start` on.
    fn append(&mut self, part: &Path, start: u64, total: u64, body: &mut dyn Read) -> Result<Attempt> {
        let at = || part.display().to_string();
        let mut options = OpenOptions::new();
        options.create(true).append(start > 0).write(true).truncate(start == 0);
        let mut file = files::open_with(part, &mut options).with_context(at)?;
        let (mut done, mut buffer) = (start, vec![0; 1 << 16]);
        let mut last_report: Option<Instant> = None;
        loop {
            if last_report.is_none_or(|t| t.elapsed() > Duration::from_millis(100)) {
                self.cancel.check()?;
                self.report(done, total.max(done));
                last_report = Some(Instant::now());
            }
            let count = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => return Ok(Attempt::Cut(error.into())),
            };
            done += count as u64;
            if done > MAX_ARCHIVE_BYTES {
                discard(part);
                bail!("{}: over {MAX_ARCHIVE_BYTES} bytes; what had come was deleted", self.request.url());
            }
            file.write_all(&buffer[..count]).with_context(at)?;
        }
        self.report(done, total.max(done));
        if total > 0 && done < total {
            return Ok(Attempt::Cut(anyhow!("the connection ended after {done} of {total} bytes")));
        }
        file.sync_all().with_context(at)?;
        Ok(Attempt::Whole)
    }

    fn report(&mut self, done: u64, total: u64) {
        (self.report)(Progress {
            what: "downloading",
            done,
            total,
            resumed: self.resumed,
            unit: "bytes",
            elapsed: self.started.elapsed(),
        });
    }
}

/// `Content-Range: bytes START-END/TOTAL`, or `bytes */TOTAL`.
struct ContentRange {
    start: Option<u64>,
    total: Option<u64>,
}

impl ContentRange {
    fn parse(value: &str) -> Option<Self> {
        let (range, total) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
        let start = range.split_once('-').and_then(|(start, _)| start.trim().parse().ok());
        Some(Self { start, total: total.trim().parse().ok() })
    }
}

/// Whether trying again is of no use.
fn is_final(error: &ureq::Error) -> bool {
    use ureq::Error::*;
    matches!(error, BadUri(_) | Http(_) | Tls(_) | Rustls(_) | TooManyRedirects | InvalidProxyUrl)
}

/// What to do about certificates, where they are the trouble.
fn hint(error: &ureq::Error) -> &'static str {
    if matches!(error, ureq::Error::Tls(_) | ureq::Error::Rustls(_)) {
        " (the system's certificates are used; on Debian they are in the package ca-certificates)"
    } else {
        ""
    }
}

#[cfg(test)]
#[path = "download_tests.rs"]
mod tests;
