//! What killed writers leave: told from what others are writing now, and swept by whoever comes next.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Result;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::lock::leads_to;
use super::open::open_with;

pub(super) const PREFIX: &str = ".bagssl-";
pub(super) const SUFFIX: &str = ".part";

/// Whether a write of ours made this file: one that goes on, or one that was killed.
pub fn is_leftover(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// Marks a temporary file as being written, until it is closed; `false` if it was swept before.
pub(super) fn hold(path: &Path, file: &File) -> bool {
    !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) && leads_to(path, file)
}

/// As [`sweep`], once in the life of this process.
pub(super) fn sweep_once(folder: &Path) {
    static SWEPT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    if SWEPT.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_path_buf())
        && let Err(error) = sweep(folder)
    {
        log::warn!("could not look for what is left over in {}: {error}", folder.display());
    }
}

/// Removes from `folder` what killed writes left there. What cannot be removed stays: it is in nobody's way.
///
/// # Errors
/// The folder cannot be listed.
pub fn sweep(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if is_leftover(&path)
            && let Some(_held) = dead(&path)
            && let Err(error) = std::fs::remove_file(&path)
        {
            log::warn!("could not remove {}: {error}", path.display());
        }
    }
    Ok(())
}

/// A temporary file that nobody holds, held from here on: a writer that has only just made it sees that, and begins
/// another. Where the system knows no locks, none is known to be dead.
fn dead(path: &Path) -> Option<File> {
    open_with(path, OpenOptions::new().write(true)).ok().filter(|file| file.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::write_atomic;

    #[test]
    fn what_a_killed_write_left_goes_and_what_is_being_written_stays() {
        let folder = tempfile::tempdir().unwrap();
        let lay = |name: &str| {
            std::fs::write(folder.path().join(name), "x").unwrap();
            folder.path().join(name)
        };
        let (dead, live, other) = (lay(".bagssl-Ab12.part"), lay(".bagssl-Cd34.part"), lay("mine.part"));
        let writing = File::open(&live).unwrap();
        assert!(hold(&live, &writing));
        write_atomic(&folder.path().join("a"), |_| {
            // The first write of this process to this folder has swept it; its own file is held.
            assert!(!dead.exists() && live.exists() && other.exists());
            sweep(folder.path())?;
            assert_eq!(std::fs::read_dir(folder.path())?.count(), 3);
            Ok(())
        })
        .unwrap();
        drop(writing);
        sweep(folder.path()).unwrap();
        assert!(!live.exists() && other.exists() && folder.path().join("a").exists());
    }

    #[test]
    fn writers_and_sweepers_side_by_side_lose_no_write() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || {
                    for count in 0..50 {
                        let path = place.join(format!("{thread}-{count}"));
                        crate::files::write_bytes_unsynced(&path, b"x").unwrap();
                    }
                });
                scope.spawn(|| (0..50).for_each(|_| sweep(place).unwrap()));
            }
        });
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 200);
    }
}
