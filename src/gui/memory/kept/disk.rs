//! The file of the settings: read, merged with what other windows wrote, written.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{fields, merge, older};
use crate::files::{self, FolderLock};
use crate::gui::memory::settings::Settings;

/// Faults that are told; more are counted.
const TOLD: usize = 3;
/// Tries for the right to write, each a fifth of a second: another window holds it for as long as it writes.
const TRIES: usize = 15;

/// The file as this window knows it.
pub struct Disk {
    path: PathBuf,
    /// What ours was when it was last stored: what differs from it is what this window changed.
    base: Value,
    /// Whether it is known, and said, that nothing can be stored.
    has_failed: bool,
}

/// What stands in a file.
enum OnDisk {
    Nothing,
    Stored(Value),
    /// Some of it could not be read; why.
    Partly(Value, Vec<String>),
}

impl Disk {
    /// Reads the file, or what an earlier version left in its place. What cannot be read is kept aside and told in
    /// words.
    pub fn open(path: PathBuf) -> (Self, Settings, Vec<String>) {
        let mut complaints = vec![];
        let older = path.with_file_name(older::NAME);
        let (is_older, found) = match read(&path, |text| Ok(fields::from_text(text))) {
            OnDisk::Nothing => (true, read(&older, older::from_text)),
            found => (false, found),
        };
        let is_new = matches!(found, OnDisk::Nothing);
        let (stored, mut lost) = match found {
            OnDisk::Nothing => (Value::Object(serde_json::Map::new()), vec![]),
            OnDisk::Stored(stored) => (stored, vec![]),
            OnDisk::Partly(stored, lost) => (stored, lost),
        };
        let (settings, wrong) = fields::settings(&stored);
        lost.extend(wrong);
        if !lost.is_empty() {
            complaints.push(set_aside(if is_older { &older } else { &path }, &lost));
        }
        let base = serde_json::to_value(&settings).unwrap_or_default();
        let mut disk = Self { path, base, has_failed: false };
        // What was sound in a file that is aside now, or in an older one, is stored again at once.
        if !is_new && (!lost.is_empty() || is_older) {
            let failure = disk.write(disk.base.clone());
            if failure.is_none() && lost.is_empty() {
                // It is not read again, should ours be removed. If it cannot be moved, it may be.
                let _ = std::fs::rename(&older, older.with_extension("ron.old"));
            }
            complaints.extend(failure);
        }
        (disk, settings, complaints)
    }

    /// Stores `ours` where it differs from what was stored before. Returns what is to be said: that it failed, once.
    pub fn write(&mut self, ours: Value) -> Option<String> {
        match self.store(&ours) {
            Ok(told) => {
                self.base = ours;
                self.has_failed = false;
                told
            }
            Err(_) if self.has_failed => None,
            Err(error) => {
                self.has_failed = true;
                Some(format!("What is set here lasts only until the window is closed: {error:#}."))
            }
        }
    }

    fn store(&self, ours: &Value) -> anyhow::Result<Option<String>> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut lock = FolderLock::take(folder);
        for _ in 1..TRIES {
            if lock.is_err() {
                lock = FolderLock::take(folder);
            }
        }
        let _lock = lock?;
        let (theirs, told) = match read(&self.path, |text| Ok(fields::from_text(text))) {
            OnDisk::Nothing => (None, None),
            OnDisk::Stored(theirs) => (Some(theirs), None),
            OnDisk::Partly(_, lost) => (None, Some(set_aside(&self.path, &lost))),
        };
        let merged = match &theirs {
            Some(theirs) => merge::merged(&self.base, ours, theirs),
            None => ours.clone(),
        };
        if theirs.as_ref() != Some(&merged) {
            files::write_bytes_atomic(&self.path, fields::to_text(&merged).as_bytes())?;
        }
        Ok(told)
    }
}

fn read(path: &Path, parse: impl FnOnce(&str) -> anyhow::Result<(Value, Vec<String>)>) -> OnDisk {
    let nothing_but = |fault: String| OnDisk::Partly(Value::Object(serde_json::Map::new()), vec![fault]);
    let text = match files::read_to_string(path, files::MOST_WORDS) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return OnDisk::Nothing;
        }
        Err(error) => return nothing_but(error.to_string()),
    };
    match parse(&text) {
        Ok((stored, lost)) if lost.is_empty() => OnDisk::Stored(stored),
        Ok((stored, lost)) => OnDisk::Partly(stored, lost),
        Err(error) => nothing_but(format!("{error:#}")),
    }
}

/// Keeps a file aside in which something is wrong, and says so.
fn set_aside(path: &Path, lost: &[String]) -> String {
    let more = match lost.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let told = lost.iter().take(TOLD).cloned().collect::<Vec<_>>().join("; ");
    let kept = match files::set_aside(path) {
        Ok(aside) => format!("The file as it was is {}.", aside.display()),
        Err(error) => format!("The file cannot be moved aside: {error}."),
    };
    format!("{}: {told}{more}. What could not be read has its default. {kept}", path.display())
}
