//! One file over HTTP: resumed where it ended, within its size and time, from a server that nobody need trust.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::patience::{Pace, Patience};
use super::unpack::MAX_ARCHIVE_BYTES;
use super::with_thousands;
use crate::files;
use crate::progress::{CancelToken, Cancelled, Progress};

/// How one connection ended.
enum Attempt {
    Whole,
    /// The server or the network stopped early, for this reason.
    Cut(anyhow::Error),
    /// What is there does not fit what the server has, for this reason: start over.
    Stale(anyhow::Error),
}

/// A download into a file that grows.
pub(super) struct Transfer<'a> {
    url: &'a str,
    part: &'a Path,
    patience: Patience,
    cancel: &'a CancelToken,
    report: &'a mut dyn FnMut(Progress),
    started: Instant,
    /// Bytes that were there before.
    resumed: u64,
    /// Bytes of the whole file, once the server has said so.
    total: Option<u64>,
}

/// What is done about a server that sends other bytes than were asked for.
const OTHER_SERVER: &str = "what has come was deleted; --url names another address";

impl<'a> Transfer<'a> {
    /// Of what lies at `url`, into `part`, which may hold its first bytes already.
    pub fn new(
        url: &'a str,
        part: &'a Path,
        patience: Patience,
        cancel: &'a CancelToken,
        report: &'a mut dyn FnMut(Progress),
    ) -> Self {
        let (started, resumed) = (Instant::now(), length(part));
        Self { url, part, patience, cancel, report, started, resumed, total: None }
    }

    /// Downloads until the file is whole. Returns whether an earlier piece was kept.
    ///
    /// # Errors
    /// Too many connections in a row that bring nothing, a server that is too slow, that goes on elsewhere than
    /// asked, or whose file is too large; [`Cancelled`].
    pub fn run(mut self) -> Result<bool> {
        // `furthest`: a server may bring the same bytes again and again.
        let (mut idle, mut furthest, mut began_again) = (0, self.resumed, false);
        loop {
            self.cancel.check()?;
            let cut = match self.attempt()? {
                Attempt::Whole => return Ok(self.resumed > 0),
                Attempt::Stale(reason) if began_again => {
                    discard(self.part);
                    return Err(reason.context(format!("downloading {} failed; {OTHER_SERVER}", self.url)));
                }
                Attempt::Stale(reason) => {
                    began_again = true;
                    (self.resumed, self.total, furthest, idle) = (0, None, 0, 0);
                    fs::remove_file(self.part).with_context(|| self.part.display().to_string())?;
                    reason
                }
                Attempt::Cut(error) => {
                    let gain = length(self.part).saturating_sub(furthest);
                    idle = if gain >= self.patience.least_gain { 0 } else { idle + 1 };
                    furthest += gain;
                    error
                }
            };
            let is_late = self.time_left().is_zero();
            if is_late || idle >= self.patience.attempts {
                return Err(self.given_up(cut, is_late));
            }
            log::info!("download interrupted at {} bytes, trying again: {cut:#}", length(self.part));
            wait(self.patience.pause_after(idle), self.cancel)?;
        }
    }

    /// Why there is no further connection.
    fn given_up(&self, cut: anyhow::Error, is_late: bool) -> anyhow::Error {
        let kept = format!(
            "{} bytes are kept in {} and the same command resumes",
            with_thousands(length(self.part)),
            self.part.display()
        );
        let why = match is_late {
            true => format!(" after {} s, the most for its size", self.started.elapsed().as_secs()),
            false => String::new(),
        };
        cut.context(format!("downloading {} failed{why}; {kept}", self.url))
    }

    /// Until the deadline for the file's size, or for the largest that is fetched.
    fn time_left(&self) -> Duration {
        let bytes = self.total.unwrap_or(MAX_ARCHIVE_BYTES);
        self.patience.deadline(bytes).saturating_sub(self.started.elapsed())
    }

    fn agent(&self) -> ureq::Agent {
        use ureq::tls::{RootCerts, TlsConfig};
        let silence = Some(self.patience.silence);
        let config = ureq::Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .http_status_as_error(false)
            .timeout_global(Some(self.time_left()))
            .timeout_resolve(silence)
            .timeout_connect(silence)
            .timeout_recv_response(silence)
            .timeout_per_read(silence)
            .user_agent(concat!("bagssl/", env!("CARGO_PKG_VERSION")));
        config.build().into()
    }

    /// One connection: asks for what is missing and appends it to the part. Errors are final.
    fn attempt(&mut self) -> Result<Attempt> {
        let (have, url) = (length(self.part), self.url);
        let mut call = self.agent().get(url);
        if have > 0 {
            call = call.header("Range", format!("bytes={have}-"));
        }
        let mut response = match call.call() {
            Ok(response) => response,
            Err(error) if is_final(&error) => return Err(anyhow!("{url}: {error}{}", hint(&error))),
            Err(error) => return Ok(Attempt::Cut(anyhow!("{error}{}", hint(&error)))),
        };
        let range = response.headers().get("content-range").and_then(|v| v.to_str().ok());
        let range = range.and_then(ContentRange::parse);
        let length = response.body().content_length();
        let (start, total) = match (response.status().as_u16(), range) {
            (200, _) => (0, length),
            (206, Some(range)) if range.start == Some(have) => (have, range.total),
            (206, range) => return Ok(Attempt::Stale(elsewhere(have, range.and_then(|range| range.start)))),
            (416, Some(range)) if have > 0 && range.total == Some(have) => return Ok(Attempt::Whole),
            (416, _) if have > 0 => {
                let have = with_thousands(have);
                return Ok(Attempt::Stale(anyhow!("the server has no bytes from {have} on, where ours end")));
            }
            (status @ (408 | 429 | 500..=599), _) => {
                return Ok(Attempt::Cut(anyhow!("the server answered with status {status}")));
            }
            (status, _) => {
                bail!("{url}: the server answered with status {status}; expected 200 (the archive)")
            }
        };
        if let Some(stale) = self.settle_total(start, total)? {
            return Ok(Attempt::Stale(stale));
        }
        self.append(start, &mut response.body_mut().with_config().limit(u64::MAX).reader())
    }

    /// Takes note of the size that the server says; what it says must stay the same while bytes of it are kept.
    fn settle_total(&mut self, start: u64, said: Option<u64>) -> Result<Option<anyhow::Error>> {
        let (url, bytes) = (self.url, said.unwrap_or(0));
        ensure!(bytes <= MAX_ARCHIVE_BYTES, "{url}: {bytes} bytes; expected at most {MAX_ARCHIVE_BYTES}");
        if start == 0 {
            (self.resumed, self.total) = (0, said);
            return Ok(None);
        }
        match (self.total, said) {
            (Some(before), Some(now)) if before != now => {
                let [before, now] = [before, now].map(with_thousands);
                Ok(Some(anyhow!("the server's file has {now} bytes now, and had {before} before")))
            }
            (before, now) => {
                self.total = before.or(now);
                Ok(None)
            }
        }
    }

    /// Writes the body to the part from byte `start` on.
    fn append(&mut self, start: u64, body: &mut dyn Read) -> Result<Attempt> {
        let at = || self.part.display().to_string();
        let mut options = OpenOptions::new();
        options.create(true).append(start > 0).write(true).truncate(start == 0);
        let mut file = files::open_with(self.part, &mut options).with_context(at)?;
        let (mut done, mut buffer) = (start, vec![0; 1 << 16]);
        let mut pace = Pace::new(self.patience, self.started.elapsed());
        let mut last_report: Option<Instant> = None;
        loop {
            if last_report.is_none_or(|t| t.elapsed() > Duration::from_millis(100)) {
                self.cancel.check()?;
                self.report(done);
                last_report = Some(Instant::now());
            }
            let count = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => return Ok(Attempt::Cut(error.into())),
            };
            done += count as u64;
            if done > self.total.unwrap_or(MAX_ARCHIVE_BYTES) {
                return self.too_long(done);
            }
            file.write_all(&buffer[..count]).with_context(|| self.part.display().to_string())?;
            if let Err(slow) = pace.note(count as u64, self.started.elapsed()) {
                return Ok(Attempt::Cut(slow));
            }
        }
        self.report(done);
        if let Some(total) = self.total.filter(|total| done < *total) {
            return Ok(Attempt::Cut(anyhow!("the connection ended after {done} of {total} bytes")));
        }
        file.sync_all().with_context(|| self.part.display().to_string())?;
        Ok(Attempt::Whole)
    }

    /// More has come than the server said, or than is ever fetched.
    fn too_long(&self, done: u64) -> Result<Attempt> {
        match self.total {
            Some(total) => {
                let [done, total] = [done, total].map(with_thousands);
                Ok(Attempt::Stale(anyhow!("the server sent {done} bytes and more of a file of {total}")))
            }
            None => {
                discard(self.part);
                bail!("{}: over {MAX_ARCHIVE_BYTES} bytes; what had come was deleted", self.url);
            }
        }
    }

    fn report(&mut self, done: u64) {
        (self.report)(Progress {
            what: "downloading",
            done,
            total: self.total.unwrap_or(0).max(done),
            resumed: self.resumed,
            unit: "bytes",
            elapsed: self.started.elapsed(),
        });
    }
}

/// The server goes on at another byte than asked.
fn elsewhere(asked: u64, sent: Option<u64>) -> anyhow::Error {
    let sent = sent.map_or_else(|| "none that it names".to_owned(), with_thousands);
    anyhow!("asked for the bytes from {} on, the server sent those from {sent}", with_thousands(asked))
}

/// Bytes of a file; 0 of one that is not there.
pub(super) fn length(part: &Path) -> u64 {
    fs::metadata(part).map_or(0, |meta| meta.len())
}

/// Removes a download that is of no use.
pub(super) fn discard(part: &Path) {
    fs::remove_file(part).unwrap_or_else(|error| log::warn!("could not remove {}: {error}", part.display()));
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
#[path = "transfer_tests.rs"]
mod tests;
