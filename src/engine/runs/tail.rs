//! A file of lines that another thread or process adds to, read as it grows.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::Context;

use crate::files;

/// Bytes that are read at a time.
const MOST_BYTES: u64 = 8 << 20;

/// How far a file of a run folder is read.
pub struct Tail {
    name: &'static str,
    /// Bytes that are read, and which file they were in.
    read: u64,
    file: Option<u64>,
    /// A last line that is not whole yet.
    rest: Vec<u8>,
}

/// What a look at the file brought.
#[derive(Default)]
pub struct AddedLines {
    /// Whole lines, the line ends among them.
    pub lines: String,
    pub grew: bool,
    /// Whether another file stands where the one stood that was read before.
    pub is_new_file: bool,
    /// Whether nothing had been read before.
    pub is_first: bool,
}

impl Tail {
    /// Of the file `name`, from its beginning.
    pub fn new(name: &'static str) -> Self {
        Self { name, read: 0, file: None, rest: vec![] }
    }

    /// Reads what was added to the file in `folder`; nothing while there is none.
    pub fn read(&mut self, folder: &Path) -> anyhow::Result<AddedLines> {
        let path = folder.join(self.name);
        let mut file = match files::open(&path, files::MOST_LINES) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(AddedLines::default()),
            Err(error) => return Err(error).with_context(|| format!("could not read {}", path.display())),
        };
        let meta = file.metadata().with_context(|| format!("could not read {}", path.display()))?;
        let identity = identity(&meta);
        let is_other = self.file.is_some() && self.file != identity;
        let mut added = AddedLines { is_first: self.file.is_none(), ..AddedLines::default() };
        if meta.len() < self.read || is_other {
            (self.read, added.is_new_file) = (0, true);
            self.rest.clear();
        }
        self.file = identity;
        if meta.len() == self.read {
            return Ok(added);
        }
        let mut bytes = vec![];
        file.seek(SeekFrom::Start(self.read))
            .and_then(|_| file.take(MOST_BYTES).read_to_end(&mut bytes))
            .with_context(|| format!("could not read {}", path.display()))?;
        self.read += bytes.len() as u64;
        self.rest.extend(bytes);
        if let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') {
            added.lines = String::from_utf8_lossy(&self.rest.drain(..=end).collect::<Vec<u8>>()).into_owned();
        }
        added.grew = true;
        Ok(added)
    }
}

/// Tells a file from one that took its place.
#[cfg(unix)]
fn identity(meta: &fs::Metadata) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    Some(meta.ino())
}

#[cfg(not(unix))]
fn identity(_meta: &fs::Metadata) -> Option<u64> {
    None
}
