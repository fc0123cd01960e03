//! A file that got shorter while it was in use.

use std::path::PathBuf;

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
