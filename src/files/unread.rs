//! What cannot be read for now, told from what is read and found to be broken.

use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::shrunk::Shrunk;

/// A file could not be read: it is gone, nobody may, the disk gives errors, or something else lies in its place. What
/// stood in it is not known, and may be read another time.
#[derive(Debug, thiserror::Error)]
#[error("{} could not be read", path.display())]
pub struct Unread {
    /// The file, or folder.
    pub path: PathBuf,
    /// What the system says.
    #[source]
    pub error: Error,
}

impl Unread {
    /// Says which file an error of the system is of.
    pub fn of(path: &Path) -> impl FnOnce(Error) -> Self {
        let path = path.to_path_buf();
        move |error| Self { path, error }
    }
}

/// Whether `error` is that of a file that could not be read ([`Unread`], [`Shrunk`]), which passes: it says nothing of
/// what the file holds. Work stops at such a one, and what it was to read is not called broken.
pub fn is_read_error(error: &anyhow::Error) -> bool {
    error.is::<Unread>() || error.is::<Shrunk>()
}

/// Whether `error` is that of a folder or file that may not be written, however much room there is: not by this user, or
/// by nobody.
pub fn is_write_forbidden(error: &anyhow::Error) -> bool {
    kinds(error).any(|kind| matches!(kind, ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem))
}

/// Whether `error` is that of a disk, or of a user's share of it, that has no room left.
pub fn is_disk_full(error: &anyhow::Error) -> bool {
    kinds(error).any(|kind| matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
}

/// What kinds of errors of the system led to `error`.
fn kinds(error: &anyhow::Error) -> impl Iterator<Item = ErrorKind> {
    error.chain().filter_map(|cause| Some(cause.downcast_ref::<Error>()?.kind()))
}

/// Whether a reason in words, which earlier versions wrote down for a file that they left out, is that of an error of
/// reading.
pub fn tells_of_read_error(reason: &str) -> bool {
    reason.contains("(os error ") || reason.contains("not a regular file but ")
}

/// Whether `error`, met at `path`, is that of a link that leads nowhere: what stands there is known, and it is no file.
pub fn is_dead_link(path: &Path, error: &Error) -> bool {
    let leads_nowhere = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
    (leads_nowhere || is_loop(error)) && std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink())
}

#[cfg(unix)]
fn is_loop(error: &Error) -> bool {
    error.raw_os_error() == Some(libc::ELOOP)
}

#[cfg(not(unix))]
fn is_loop(_error: &Error) -> bool {
    false
}

/// Remembers that a read failed, for whoever hands it to a parser: that wraps errors in words of its own.
pub struct FailureKept<R> {
    inner: R,
    /// The last read that failed.
    pub failure: Option<Error>,
}

impl<R> FailureKept<R> {
    /// Reads from `inner`.
    pub fn new(inner: R) -> Self {
        Self { inner, failure: None }
    }
}

impl<R: Read> Read for FailureKept<R> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        self.inner.read(bytes).inspect_err(|error| {
            if error.kind() != ErrorKind::Interrupted {
                self.failure = Some(copy(error));
            }
        })
    }
}

// A place to seek to is what the bytes say: one that cannot be is theirs.
impl<R: Seek> Seek for FailureKept<R> {
    fn seek(&mut self, place: SeekFrom) -> Result<u64> {
        self.inner.seek(place)
    }
}

fn copy(error: &Error) -> Error {
    error.raw_os_error().map_or_else(|| Error::new(error.kind(), error.to_string()), Error::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn read_errors_are_told_from_others_below_any_words() {
        let gone = std::fs::read("/nowhere/a.png").map_err(Unread::of(Path::new("/nowhere/a.png")));
        let error = gone.context("the images").context("embedding").unwrap_err();
        assert!(is_read_error(&error));
        let words = format!("{error:#}");
        assert!(words.starts_with("embedding: the images: /nowhere/a.png could not be read: "), "{words}");
        assert!(tells_of_read_error(&words));
        let cut = Shrunk { path: "a".into(), was: 2, now: 1 };
        assert!(is_read_error(&anyhow::Error::from(cut).context("x")));
        let broken = anyhow::anyhow!("a.png: not a readable Png picture: unexpected end of file");
        assert!(!is_read_error(&broken) && !tells_of_read_error(&broken.to_string()));
    }

    #[test]
    fn a_failed_read_is_remembered_and_an_impossible_place_is_not() {
        let mut folder = FailureKept::new(std::fs::File::open("/").unwrap());
        assert!(folder.read(&mut [0]).is_err() && folder.failure.is_some());
        let mut bytes = FailureKept::new(std::io::Cursor::new([1, 2]));
        assert!(bytes.seek(SeekFrom::Current(-1)).is_err());
        assert!(bytes.read(&mut [0; 4]).is_ok() && bytes.failure.is_none());
    }

    #[test]
    #[cfg(unix)]
    fn a_link_to_nothing_or_to_itself_is_dead_and_what_is_gone_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink(at("nothing"), at("dangling")).unwrap();
        std::os::unix::fs::symlink(at("ring"), at("ring")).unwrap();
        let is_dead = |name: &str| is_dead_link(&at(name), &std::fs::metadata(at(name)).unwrap_err());
        assert!(is_dead("dangling") && is_dead("ring") && !is_dead("nothing"));
    }
}
