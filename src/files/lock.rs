//! One writer for a folder, whatever program it runs in.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};

use super::open::{MOST_WORDS, open, open_with, read_to_string};

/// Lies in a folder while it is written.
pub const LOCK_FILE: &str = ".bagssl.lock";

const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// The right to write in a folder, until it is dropped. The system takes it back from a process that ends in any
/// way, so that no lock is stale.
#[derive(Debug)]
pub struct FolderLock {
    path: PathBuf,
    /// The system's lock is on this open file.
    _file: File,
}

impl FolderLock {
    /// Takes the lock of `folder`, which is made if it is missing.
    ///
    /// # Errors
    /// Somebody else holds it: who, and since when.
    pub fn take(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("could not make the folder {}", folder.display()))?;
        let path = folder.join(LOCK_FILE);
        // A child process that is just being started holds copies of our files for a moment.
        for _ in 0..TRIES {
            let opened = open_with(&path, OpenOptions::new().read(true).write(true).create(true));
            let mut file = opened.with_context(|| format!("could not write {}", path.display()))?;
            match file.try_lock() {
                // Who had it before may have removed it since it was opened.
                Ok(()) if !leads_to(&path, &file) => continue,
                Ok(()) => {
                    sign(&mut file).with_context(|| format!("could not write {}", path.display()))?;
                    return Ok(Self { path, _file: file });
                }
                Err(TryLockError::WouldBlock) => std::thread::park_timeout(PAUSE),
                Err(TryLockError::Error(error)) => {
                    // Some network file systems know no locks; then two writers are the user's care.
                    log::warn!("cannot lock {}: {error}", path.display());
                    return Ok(Self { path, _file: file });
                }
            }
        }
        bail!(
            "{} is being written by {}{}; wait until that has ended, or choose another folder",
            folder.display(),
            holder(&path),
            held_for(&path)
        )
    }

    /// Who writes in `folder` at this moment, for people; `None` where nobody does, or the file system knows no locks.
    pub fn holder_of(folder: &Path) -> Option<String> {
        let path = folder.join(LOCK_FILE);
        let file = open(&path, MOST_WORDS).ok()?;
        // Taken for a moment where nobody has it; a writer that comes just then tries again.
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)).then(|| holder(&path))
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Before the lock is given back: nobody else's file goes. A disk may fail for once.
        let removed = std::fs::remove_file(&self.path).or_else(|_| std::fs::remove_file(&self.path));
        if let Err(error) = removed {
            log::warn!("could not remove {}: {error}", self.path.display());
        }
    }
}

/// Writes down who holds the lock; the time of the file says since when.
fn sign(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    let host = read_to_string(Path::new("/proc/sys/kernel/hostname"), MOST_WORDS).unwrap_or_default();
    file.write_all(format!("{} {}", std::process::id(), host.trim()).trim_end().as_bytes())
}

/// Who holds the lock at `path`, for people.
fn holder(path: &Path) -> String {
    let signed = read_to_string(path, MOST_WORDS).unwrap_or_default();
    match signed.trim().split_once(' ') {
        Some((process, host)) => format!("process {process} on {host}"),
        None if signed.trim().is_empty() => "another process".into(),
        None => format!("process {}", signed.trim()),
    }
}

/// ", for 12 s", since the lock at `path` was taken.
fn held_for(path: &Path) -> String {
    let held = std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let since = held.and_then(|time| SystemTime::now().duration_since(time).ok());
    since.map_or(String::new(), |time| format!(", for {}", age(time)))
}

fn age(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

/// Whether `file` is what lies at `path`.
#[cfg(unix)]
pub(super) fn leads_to(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
    file.metadata().is_ok_and(|ours| std::fs::metadata(path).is_ok_and(|there| place(there) == place(ours)))
}

#[cfg(not(unix))]
pub(super) fn leads_to(path: &Path, _file: &File) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_writer_at_a_time_and_the_other_is_told_whom_to_wait_for() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        let lock = FolderLock::take(&run).unwrap();
        let error = FolderLock::take(&run).unwrap_err().to_string();
        let process = format!("process {}", std::process::id());
        let told = error.contains(&format!("run is being written by {process}"));
        assert!(told && error.contains(", for 0 s; wait"), "{error}");
        assert!(FolderLock::holder_of(&run).unwrap().starts_with(&process));
        drop(lock);
        assert_eq!(FolderLock::holder_of(&run), None);
        assert_eq!(std::fs::read_dir(&run).unwrap().count(), 0);
        // What a kill leaves is nobody's.
        std::fs::write(run.join(LOCK_FILE), "1 elsewhere").unwrap();
        FolderLock::take(&run).unwrap();
        assert_eq!(std::fs::read_dir(&run).unwrap().count(), 0);
    }

    #[test]
    fn many_who_want_it_get_it_one_after_another() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, taken) = (std::sync::atomic::AtomicU32::new(0), std::sync::atomic::AtomicU32::new(0));
        let order = std::sync::atomic::Ordering::SeqCst;
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    while taken.load(order) < 200 {
                        let Ok(_lock) = FolderLock::take(folder.path()) else { continue };
                        assert_eq!(inside.fetch_add(1, order), 0);
                        taken.fetch_add(1, order);
                        inside.fetch_sub(1, order);
                    }
                });
            }
        });
    }

    #[test]
    fn ages_are_told_in_the_unit_that_fits() {
        let words = [0, 119, 120, 7199, 7200, 90_000].map(|seconds| age(Duration::from_secs(seconds)));
        assert_eq!(words, ["0 s", "119 s", "2 min", "119 min", "2 h", "25 h"]);
    }
}
