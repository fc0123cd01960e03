//! Opening files that may be anything: a pipe or a device would hold its reader up for ever, and a file of any
//! size would fill the memory.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result};
use std::path::{Path, PathBuf};

/// Most bytes of a file that says something in words: a configuration, a state, a description.
pub const MOST_WORDS: u64 = 16 << 20;
/// Most bytes of a file of lines, as a run writes them.
pub const MOST_LINES: u64 = 4 << 30;
/// Most bytes of a file of weights or vectors that is read as a whole.
pub const MOST_WEIGHTS: u64 = 64 << 30;

/// Files set aside beside one.
const MOST_ASIDE: u32 = 10;

/// Opens a regular file of at most `most` bytes for reading.
///
/// # Errors
/// As of the system; [`ErrorKind::InvalidData`] for what is no regular file, or larger.
pub fn open(path: &Path, most: u64) -> Result<File> {
    let file = open_with(path, OpenOptions::new().read(true))?;
    let size = file.metadata()?.len();
    if size > most { Err(too_large(size, most)) } else { Ok(file) }
}

/// Opens a regular file in another way than for reading; one that is not there is made where `options` say so.
///
/// # Errors
/// As of the system; [`ErrorKind::InvalidData`] for what is no regular file.
pub fn open_with(path: &Path, options: &mut OpenOptions) -> Result<File> {
    open_checked(path, options, check_kind)
}

/// Opens a file to add to its end; it is made if it is missing. A device may stand in its place: what is written
/// there goes where it goes, and nobody waits.
///
/// # Errors
/// As of the system; [`ErrorKind::InvalidData`] for a pipe and other things that are no file.
pub fn open_to_append(path: &Path) -> Result<File> {
    let check = |meta: &Metadata| if is_device(meta) { Ok(()) } else { check_kind(meta) };
    open_checked(path, OpenOptions::new().create(true).append(true), check)
}

fn open_checked(
    path: &Path,
    options: &mut OpenOptions,
    check: impl Fn(&Metadata) -> Result<()>,
) -> Result<File> {
    // Not even opened: to open a device may do something.
    match std::fs::metadata(path) {
        Ok(meta) => check(&meta)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    #[expect(clippy::disallowed_methods, reason = "the one place that opens files")]
    let file = without_waiting(options).open(path)?;
    // What lies there may have changed since.
    check(&file.metadata()?)?;
    Ok(file)
}

/// Reads a whole regular file of at most `most` bytes.
///
/// # Errors
/// As [`open`]; no memory for so many bytes.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let file = open(path, most)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(file.metadata()?.len() as usize).map_err(|_| ErrorKind::OutOfMemory)?;
    // One more than allowed, so that a file that grows is seen.
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    let size = bytes.len() as u64;
    if size > most { Err(too_large(size, most)) } else { Ok(bytes) }
}

/// The first bytes of a file, by which it is told what it is; none where it cannot be read: to open it says why.
pub fn first_bytes(path: &Path) -> Vec<u8> {
    let mut bytes = vec![];
    if let Ok(file) = open(path, u64::MAX) {
        _ = file.take(512).read_to_end(&mut bytes);
    }
    bytes
}

/// As [`read`], of text in UTF-8.
///
/// # Errors
/// As [`read`]; [`ErrorKind::InvalidData`] for other bytes.
pub fn read_to_string(path: &Path, most: u64) -> Result<String> {
    String::from_utf8(read(path, most)?)
        .map_err(|error| Error::new(ErrorKind::InvalidData, error.utf8_error()))
}

/// Moves what lies at `path` aside, whatever it is, for people to look at: beside it, under a name that is free.
/// Returns where it lies then.
///
/// # Errors
/// As of the system.
pub fn set_aside(path: &Path) -> Result<PathBuf> {
    let numbered = |number: u32| {
        let mut aside = path.as_os_str().to_owned();
        aside.push(if number == 1 { ".bad".to_owned() } else { format!(".bad-{number}") });
        PathBuf::from(aside)
    };
    // The last one makes room: whoever breaks a file at every start does not fill the disk.
    let free = (1..MOST_ASIDE).map(numbered).find(|aside| aside.symlink_metadata().is_err());
    let aside = free.unwrap_or_else(|| numbered(MOST_ASIDE));
    std::fs::rename(path, &aside)?;
    Ok(aside)
}

fn too_large(size: u64, most: u64) -> Error {
    Error::new(ErrorKind::InvalidData, format!("it has {size} bytes; expected at most {most}"))
}

fn check_kind(meta: &Metadata) -> Result<()> {
    if meta.is_file() {
        return Ok(());
    }
    let words = format!("not a regular file but {}", kind(meta));
    Err(Error::new(ErrorKind::InvalidData, words))
}

#[cfg(unix)]
fn kind(meta: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = meta.file_type();
    let known = [
        (kind.is_dir(), "a folder"),
        (kind.is_fifo(), "a pipe"),
        (kind.is_socket(), "a socket"),
        (is_device(meta), "a device"),
    ];
    known.iter().find(|(is, _)| *is).map_or("something else", |(_, name)| name)
}

#[cfg(unix)]
fn is_device(meta: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    let kind = meta.file_type();
    kind.is_char_device() || kind.is_block_device()
}

#[cfg(not(unix))]
fn is_device(_meta: &Metadata) -> bool {
    false
}

#[cfg(not(unix))]
fn kind(meta: &Metadata) -> &'static str {
    if meta.is_dir() { "a folder" } else { "something else" }
}

/// A pipe that took the file's place since it was looked at is opened at once, and seen.
#[cfg(unix)]
fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
}

#[cfg(not(unix))]
fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_beyond_its_bound_or_of_other_text_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, [b'x'; 8]).unwrap();
        assert_eq!(read(&path, 8).unwrap(), [b'x'; 8]);
        let error = read(&path, 7).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::InvalidData, "it has 8 bytes; expected at most 7")
        );
        std::fs::write(&path, [0xff]).unwrap();
        assert!(read_to_string(&path, 8).unwrap_err().to_string().contains("utf-8"));
        assert_eq!(read(&folder.path().join("b"), 7).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(read(folder.path(), 7).unwrap_err().to_string().contains("not a regular file but a folder"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_has_no_length_of_its_own_is_read_to_its_end() {
        assert!(read_to_string(Path::new("/proc/meminfo"), MOST_WORDS).unwrap().contains("MemTotal"));
    }

    #[test]
    #[cfg(unix)]
    fn pipes_and_devices_are_named_and_hold_nobody_up() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for (path, kind) in [(pipe.as_path(), "a pipe"), (Path::new("/dev/zero"), "a device")] {
            let expected = format!("not a regular file but {kind}");
            assert_eq!(open(path, 1).unwrap_err().to_string(), expected);
            let write = open_with(path, OpenOptions::new().write(true).create(true));
            assert_eq!(write.unwrap_err().to_string(), expected);
        }
        assert!(open_to_append(&pipe).unwrap_err().to_string().contains("a pipe"));
        open_to_append(Path::new("/dev/null")).unwrap();
    }

    #[test]
    fn what_is_set_aside_takes_no_others_place_but_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let asides: Vec<_> = (0..12)
            .map(|number| {
                std::fs::write(&path, number.to_string()).unwrap();
                set_aside(&path).unwrap()
            })
            .collect();
        let names = asides.iter().map(|aside| aside.file_name().unwrap().to_str().unwrap());
        let names: Vec<_> = names.collect();
        assert_eq!((names[0], names[1], names[9], names[11]), ("a.bad", "a.bad-2", "a.bad-10", "a.bad-10"));
        assert_eq!(std::fs::read_to_string(&asides[0]).unwrap(), "0");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 10);
        assert!(set_aside(&path).is_err());
    }
}
