//! Atomic writes: a kill at any moment leaves the old file or the new one.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context;

/// Writes `path` through a temporary file in the same folder, flushed to disk and renamed
/// into place. Missing parent folders are made. On an error nothing is left behind.
pub fn write_atomic(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    replace(path, true, write)
}

/// As [`write_atomic`], of `bytes`, but not flushed to disk: a kill leaves the old file or the new one, a power
/// cut may leave neither. For files by the thousand that the same call makes again.
pub fn write_bytes_unsynced(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    replace(path, false, |out| Ok(out.write_all(bytes)?))
}

fn replace(
    path: &Path,
    synced: bool,
    write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let attempt = || -> anyhow::Result<()> {
        std::fs::create_dir_all(folder)?;
        let temporary = tempfile::Builder::new().prefix(PREFIX).suffix(SUFFIX).tempfile_in(folder)?;
        let mut out = BufWriter::with_capacity(1 << 16, temporary);
        write(&mut out)?;
        let temporary = out.into_inner().map_err(|e| e.into_error())?;
        make_readable(temporary.as_file())?;
        if synced {
            temporary.as_file().sync_all()?;
        }
        temporary.persist(path)?;
        // Makes the rename last through a power cut, where the system has a way to say so.
        if synced && cfg!(unix) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    };
    attempt().with_context(|| format!("could not write {}", path.display()))
}

const PREFIX: &str = ".bagssl-";
const SUFFIX: &str = ".part";

/// Whether a killed write left this file.
pub fn is_leftover(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
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

/// Temporary files are private to their owner; a finished file is as readable as others.
#[cfg(unix)]
fn make_readable(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_file: &File) -> std::io::Result<()> {
    Ok(())
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
        assert_eq!(files().collect::<Vec<_>>(), [path.clone()]);
        assert!(!is_leftover(&path));
    }

    #[test]
    fn missing_folders_are_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x/y/z.txt");
        write_bytes_atomic(&path, b"1").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"1");
    }
}
