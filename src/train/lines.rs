//! Files of lines of JSON, as a run writes them.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::files;

/// Adds one line.
pub fn append<T: Serialize>(path: &Path, value: &T) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    add(path, &line)
}

/// All lines that can be read; none where there is no file.
pub fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Vec<T>> {
    if !path.exists() {
        return Ok(vec![]);
    }
    let bytes = bytes_of(path)?;
    Ok(bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// Takes out the lines that do not stay; the others are kept byte for byte. Lines that cannot be read are added to
/// the file that [`unreadable`] names, and counted. A last line that a kill cut short just goes.
pub fn keep<T: DeserializeOwned>(path: &Path, stays: impl Fn(&T) -> bool) -> anyhow::Result<usize> {
    if !path.exists() {
        files::write_bytes_atomic(path, b"")?;
        return Ok(0);
    }
    let bytes = bytes_of(path)?;
    let (mut kept, mut aside, mut count) = (vec![], vec![], 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let (text, is_whole) = line.strip_suffix(b"\n").map_or((line, false), |text| (text, true));
        match serde_json::from_slice(text) {
            Ok(value) if stays(&value) => kept.extend([text, b"\n"].concat()),
            Ok(_) => {}
            Err(_) if is_whole && !text.is_empty() => {
                aside.extend(line);
                count += 1;
            }
            Err(_) => {}
        }
    }
    // First they stand beside, then they go.
    if count > 0 {
        add(&unreadable(path), &aside)?;
    }
    files::write_bytes_atomic(path, &kept)?;
    Ok(count)
}

/// Where lines of a file are kept that cannot be read.
pub fn unreadable(path: &Path) -> PathBuf {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".unreadable");
    aside.into()
}

fn add(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let add = || files::open_to_append(path)?.write_all(bytes);
    add().with_context(|| format!("could not write {}", path.display()))
}

fn bytes_of(path: &Path) -> anyhow::Result<Vec<u8>> {
    files::read(path, files::MOST_LINES).with_context(|| format!("could not read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_cannot_be_read_are_kept_beside_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers.jsonl");
        std::fs::write(&path, b"1\n 2 \nhalf of a\n\xff\xfe\n9\n3\n{\"cut").unwrap();
        assert_eq!(read::<u32>(&path).unwrap(), [1, 2, 9, 3]);
        assert_eq!(keep(&path, |number: &u32| *number < 5).unwrap(), 2);
        assert_eq!(std::fs::read(&path).unwrap(), b"1\n 2 \n3\n");
        let beside = unreadable(&path);
        assert_eq!(beside, folder.path().join("numbers.jsonl.unreadable"));
        assert_eq!(std::fs::read(&beside).unwrap(), b"half of a\n\xff\xfe\n");
        std::fs::write(&path, b"broken again\n4\n").unwrap();
        assert_eq!(keep(&path, |_: &u32| true).unwrap(), 1);
        assert_eq!(std::fs::read(&beside).unwrap(), b"half of a\n\xff\xfe\nbroken again\n");
        assert_eq!(keep(&path, |_: &u32| true).unwrap(), 0);
    }
}
