//! A file that got shorter while it was in use.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The file had another length when it was opened: somebody cut it, or its disk is going. What stood in it is
/// gone for now; nothing is known of what was to be read.
#[derive(Debug, thiserror::Error)]
#[error("{} was cut while it was in use: {now} bytes are left of {was}; put it back, and start again", path.display())]
pub struct Shrunk {
    /// The file.
    pub path: PathBuf,
    /// Bytes when it was opened.
    pub was: u64,
    /// Bytes at the time of the error.
    pub now: u64,
}

/// Fills `buffer` with the bytes from `offset` on of the open file `path`, which had `length` bytes when it was
/// opened and holds them.
///
/// # Errors
/// [`Shrunk`]; as of the system.
pub fn read_at(file: &File, path: &Path, length: u64, offset: u64, buffer: &mut [u8]) -> anyhow::Result<()> {
    let error = match read_exact_at(file, buffer, offset) {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    match file.metadata() {
        Ok(meta) if error.kind() == ErrorKind::UnexpectedEof => {
            Err(Shrunk { path: path.into(), was: length, now: meta.len() }.into())
        }
        _ => Err(anyhow::Error::new(error).context(format!("could not read {}", path.display()))),
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(not(unix))]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> std::io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !buffer.is_empty() {
        let count = file.seek_read(buffer, offset)?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        buffer = &mut buffer[count..];
        offset += count as u64;
    }
    Ok(())
}
