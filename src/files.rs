//! Files on disk. Writes are atomic: a kill at any moment leaves the old file or the new one. What is read is
//! looked at first.

mod large_pages;
mod litter;
mod lock;
mod mapped;
mod open;
pub mod pickle;
mod same;
mod shrunk;
mod space;
mod tensors;
mod unread;

pub use large_pages::LargePages;
pub use litter::{is_leftover, sweep};
pub use lock::{FolderLock, LOCK_FILE};
pub use mapped::MappedFile;
pub use open::{
    MOST_LINES, MOST_WEIGHTS, MOST_WORDS, first_bytes, open, open_to_append, open_with, read, read_to_string,
    set_aside,
};
pub use same::{is_same, resolved};
pub use shrunk::Shrunk;
pub use space::{bytes_on_disk, free_bytes};
pub use tensors::{Tensors, tensors_from_bytes, tensors_to_bytes};
pub use unread::{
    FailureKept, Unread, is_dead_link, is_disk_full, is_read_error, is_write_forbidden, tells_of_read_error,
};

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::{Builder, NamedTempFile};

/// A file that is complete under a temporary name; it goes when dropped.
struct Staged<'a> {
    file: NamedTempFile,
    path: &'a Path,
    /// The file itself, where `path` is a link to it.
    target: PathBuf,
    /// Whether it is a pipe or the like, which nothing may take the place of.
    is_stream: bool,
    synced: bool,
}

impl<'a> Staged<'a> {
    /// Writes a temporary file in the folder of `path`, which is made if it is missing; flushes it to disk
    /// if `synced`.
    fn write(
        path: &'a Path,
        synced: bool,
        write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let (target, is_stream) = (link_target(path), is_stream(path));
        let attempt = || -> anyhow::Result<NamedTempFile> {
            let elsewhere = std::env::temp_dir();
            let folder = if is_stream { &elsewhere } else { folder_of(&target) };
            std::fs::create_dir_all(folder)?;
            litter::sweep_once(folder);
            let mut out = BufWriter::with_capacity(1 << 16, temporary_in(folder)?);
            write(&mut out)?;
            let file = out.into_inner().map_err(|e| e.into_error())?;
            if synced {
                file.as_file().sync_all()?;
            }
            Ok(file)
        };
        let file = attempt().with_context(|| failed(path))?;
        Ok(Self { file, path, target, is_stream, synced })
    }

    /// Renames it into place.
    fn place(self) -> anyhow::Result<()> {
        let Self { file, path, target, is_stream, synced } = self;
        if is_stream {
            return pour(file, path).with_context(|| failed(path));
        }
        file.persist(&target).with_context(|| failed(path))?;
        // Makes the rename last through a power cut, where the system has a way to say so.
        if synced && cfg!(unix) {
            #[expect(clippy::disallowed_methods, reason = "a folder, to flush its entries")]
            let sync = || File::open(folder_of(&target))?.sync_all();
            sync().with_context(|| failed(path))?;
        }
        Ok(())
    }
}

/// Whether `path` is there and neither a file nor a folder, or stands for one that is open, as `/dev/stdout` does.
fn is_stream(path: &Path) -> bool {
    let open_ones = ["/dev/fd", "/dev/stdout", "/dev/stderr", "/proc"];
    let is_open_one = open_ones.iter().any(|name| path.starts_with(name));
    std::fs::metadata(path).is_ok_and(|meta| !meta.is_dir() && (is_open_one || !meta.is_file()))
}

/// The file that `path` is a link to, there or not; else itself.
fn link_target(path: &Path) -> PathBuf {
    let mut target = path.to_path_buf();
    // As many links as systems follow.
    for _ in 0..40 {
        let Ok(next) = std::fs::read_link(&target) else { break };
        target = folder_of(&target).join(next);
    }
    target
}

/// Writes what `file` holds into something that is no file.
fn pour(file: NamedTempFile, path: &Path) -> anyhow::Result<()> {
    let mut from = file.reopen()?;
    #[expect(clippy::disallowed_methods, reason = "it is no file, and was named as the output")]
    let mut to = std::fs::OpenOptions::new().write(true).open(path)?;
    std::io::copy(&mut from, &mut to)?;
    Ok(to.flush()?)
}

/// A temporary file that is swept as soon as it is made is made anew, so many times.
const TRIES: u32 = 100;

/// A temporary file that nobody sweeps while it is open.
fn temporary_in(folder: &Path) -> std::io::Result<NamedTempFile> {
    for _ in 0..TRIES {
        let mut builder = Builder::new();
        builder.prefix(litter::PREFIX).suffix(litter::SUFFIX);
        let temporary = as_readable_as_others(&mut builder).tempfile_in(folder)?;
        if litter::hold(temporary.path(), temporary.as_file()) {
            return Ok(temporary);
        }
    }
    let words = format!("a temporary file in {} is gone as soon as it is made", folder.display());
    Err(std::io::Error::other(words))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn failed(path: &Path) -> String {
    format!("could not write {}", path.display())
}

/// Writes `path` through a temporary file in the same folder, flushed to disk and renamed
/// into place. Missing parent folders are made. On an error nothing is left behind.
pub fn write_atomic(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    Staged::write(path, true, write)?.place()
}

/// As [`write_atomic`], of `bytes`, but not flushed to disk: a kill leaves the old file or the new one, a power
/// cut may leave neither. For files by the thousand that the same call makes again.
pub fn write_bytes_unsynced(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    Staged::write(path, false, |out| Ok(out.write_all(bytes)?))?.place()
}

/// Writes all `files` or, if any cannot be written, none: each is complete on disk under a
/// temporary name before the first is renamed into place.
pub fn write_together(files: &[(&Path, &[u8])]) -> anyhow::Result<()> {
    let mut staged = Vec::with_capacity(files.len());
    for &(path, bytes) in files {
        staged.push(Staged::write(path, true, |out| Ok(out.write_all(bytes)?))?);
    }
    staged.into_iter().try_for_each(Staged::place)
}

/// Writes all of `bytes` to `path`, atomically.
pub fn write_bytes_atomic(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write_atomic(path, |out| Ok(out.write_all(bytes)?))
}

/// The header of a float32 array in NumPy's format, version 1.0.
pub fn npy_header(shape: &[usize]) -> Vec<u8> {
    let sides = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    // A tuple of one needs its comma.
    let comma = if shape.len() == 1 { "," } else { "" };
    let dict = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({sides}{comma}), }}");
    // Magic, version, length and text fill a multiple of 64 bytes and end with a line feed.
    let length = (10 + dict.len() + 1).next_multiple_of(64) - 10;
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((length as u16).to_le_bytes());
    header.extend(format!("{dict:<width$}\n", width = length - 1).into_bytes());
    header
}

/// Lower-case hexadecimal digits of a digest.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Removes a file that nobody needs; where that fails it stays, and is in nobody's way.
pub fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        log::warn!("could not remove {}: {error}", path.display());
    }
}

/// Temporary files are private to their owner; a finished file is as readable as the umask allows.
#[cfg(unix)]
fn as_readable_as_others<'a, 'b>(builder: &'a mut Builder<'b, 'static>) -> &'a mut Builder<'b, 'static> {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(std::fs::Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn as_readable_as_others<'a, 'b>(builder: &'a mut Builder<'b, 'static>) -> &'a mut Builder<'b, 'static> {
    builder
}

/// Does `work` where nothing can be written into `folder`: as nobody, where this is done by who may write anything.
#[cfg(all(test, target_os = "linux"))]
pub(crate) fn without_writing<T>(folder: &Path, work: impl FnOnce() -> T) -> T {
    use std::os::unix::fs::PermissionsExt;
    const NOBODY: libc::uid_t = 65534;
    let allow = |mode| std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode)).unwrap();
    allow(0o555);
    // SAFETY: it asks, and nothing more.
    let is_root = unsafe { libc::geteuid() } == 0;
    let touch_files_as = |user| {
        if is_root {
            // SAFETY: it changes what files this thread alone may touch.
            unsafe { libc::setfsuid(user) };
        }
    };
    touch_files_as(NOBODY);
    let done = work();
    touch_files_as(0);
    allow(0o755);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        write_bytes_atomic(&path, b"old").unwrap();
        let failed = write_atomic(&path, |out| {
            out.write_all(b"new")?;
            anyhow::bail!("disk on fire")
        });
        assert!(format!("{:#}", failed.unwrap_err()).contains("a.bin"));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    #[cfg(unix)]
    fn a_link_stays_one_and_a_pipe_gets_what_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("real")).unwrap();
        std::os::unix::fs::symlink("real/a", at("way")).unwrap();
        std::os::unix::fs::symlink("way", at("b")).unwrap();
        for words in ["new", "newer"] {
            write_bytes_atomic(&at("b"), words.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(at("real/a")).unwrap(), words);
        }
        assert!(at("b").is_symlink() && at("way").is_symlink());
        let name = std::ffi::CString::new(at("pipe").to_str().unwrap()).unwrap();
        // SAFETY: a name that ends with a zero.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let pipe = at("pipe");
        let reads = std::thread::spawn(move || std::fs::read(pipe));
        write_bytes_atomic(&at("pipe"), b"y, x").unwrap();
        assert_eq!(reads.join().unwrap().unwrap(), b"y, x");
        assert!(!std::fs::metadata(at("pipe")).unwrap().is_file(), "nothing took its place");
    }

    #[test]
    fn what_a_kill_leaves_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        let mut seen = vec![];
        let files = || std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        write_atomic(&path, |_| {
            seen.extend(files());
            Ok(())
        })
        .unwrap();
        assert!(seen.len() == 1 && is_leftover(&seen[0]), "{seen:?}");
        write_bytes_unsynced(&path, b"new").unwrap();
        assert_eq!(files().collect::<Vec<_>>(), std::slice::from_ref(&path));
        assert!(!is_leftover(&path));
    }

    #[test]
    fn files_are_written_together_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        // A file where the second file's folder should be.
        std::fs::write(&b, "a file").unwrap();
        let inside = b.join("c");
        let error = write_together(&[(&a, b"new"), (&inside, b"new")]).unwrap_err();
        assert!(format!("{error:#}").contains("could not write"), "{error:#}");
        assert!(!a.exists());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        write_together(&[(&a, b"1"), (&b, b"2")]).unwrap();
        assert_eq!((std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap()), (b"1".to_vec(), b"2".to_vec()));
    }

    #[test]
    #[cfg(unix)]
    fn a_finished_file_is_as_readable_as_any_other() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
        let (plain, atomic) = (folder.path().join("plain"), folder.path().join("atomic"));
        std::fs::write(&plain, "1").unwrap();
        write_bytes_atomic(&atomic, b"1").unwrap();
        assert_eq!(mode(&plain), mode(&atomic));
    }

    #[test]
    fn missing_folders_are_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x/y/z.txt");
        write_bytes_atomic(&path, b"1").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"1");
    }
}
