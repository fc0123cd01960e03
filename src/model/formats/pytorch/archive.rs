//! The container of PyTorch since 1.6: a ZIP archive without compression, with the objects in `data.pkl` and each
//! storage in a file of its own.

use std::collections::HashMap;
use std::io::Cursor;

use anyhow::{Context, Result, bail, ensure};
use zip::read::{ArchiveOffset, Config};
use zip::{CompressionMethod, ZipArchive};

use super::objects;
use crate::files::pickle::Pickle;
use crate::model::formats::foreign_file::FileContent;

/// Whether these are the first bytes of an archive.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

/// Whether they are of one that PyTorch wrote, by the name of its first file.
pub(super) fn is_of_pytorch(bytes: &[u8]) -> bool {
    let length = bytes.get(26..28).map_or(0, |b| usize::from(u16::from_le_bytes([b[0], b[1]])));
    let name = bytes.get(30..30 + length).map(String::from_utf8_lossy).unwrap_or_default();
    let (_, last) = name.rsplit_once('/').unwrap_or(("", &name));
    is_archive(bytes)
        && ["data.pkl", "constants.pkl", "version", "byteorder", ".format_version"].contains(&last)
}

/// The arrays of an archive.
pub(super) fn content(bytes: &[u8]) -> Result<FileContent<'_>> {
    let entries = entries(bytes)?;
    let objects = entries.keys().find(|name| **name == "data.pkl" || name.ends_with("/data.pkl"));
    let objects = objects.context("a ZIP archive without data.pkl; expected one that torch.save wrote")?;
    let folder = objects.trim_end_matches("data.pkl");
    let order = entries.get(&format!("{folder}byteorder")).copied().unwrap_or(b"little");
    ensure!(order == b"little", "its numbers are big-endian; expected little-endian");
    let pickle = Pickle::read(entries[objects], objects::RULES).context("data.pkl")?;
    objects::content(&pickle, |key| {
        let name = format!("{folder}data/{key}");
        entries.get(&name).copied().with_context(|| format!("the archive has no {name}"))
    })
}

/// What the files of an archive hold, by their names.
fn entries(bytes: &[u8]) -> Result<HashMap<String, &[u8]>> {
    // Nothing stands before the archive. To look for what might, the reader takes PyTorch's 64-bit record for part of
    // its list of files, and begins to read that at the second one where the first one's entry is as long as the record.
    let begins = Config { archive_offset: ArchiveOffset::Known(0) };
    let archive = ZipArchive::with_config(begins, Cursor::new(bytes));
    let mut archive = archive.context("a ZIP archive that is cut off or damaged")?;
    let mut entries = HashMap::new();
    let mut left = bytes.len() as u64;
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).with_context(|| format!("file {index} of the archive"))?;
        let name = entry.name().context("a name of the archive")?.into_owned();
        // TorchScript's programs, which nobody runs here.
        if name.contains("/code/") {
            continue;
        }
        if entry.compression() != CompressionMethod::Stored {
            bail!("{name} is compressed in the archive; expected it as torch.save writes it, without");
        }
        let rest = left.checked_sub(entry.size());
        left =
            rest.with_context(|| format!("{name} lies over others in the archive, as no program writes it"))?;
        let place = entry.data_start().and_then(|start| {
            let (start, size) = (usize::try_from(start).ok()?, usize::try_from(entry.size()).ok()?);
            bytes.get(start..start.checked_add(size)?)
        });
        let held = place.with_context(|| format!("{name} reaches beyond the end of the archive"))?;
        ensure!(
            crc32fast::hash(held) == entry.crc32(),
            "{name} is damaged: its sum is another. (If it was saved without sums, by \
             torch.serialization.set_crc32_options(False), save it again with them.)"
        );
        entries.insert(name, held);
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive as PyTorch writes it: also with the records of 64 bits, whether they are needed or not.
    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        archive_listing(files, 1)
    }

    /// One that lists each file so many times, under as many names.
    fn archive_listing(files: &[(&str, &[u8])], times: usize) -> Vec<u8> {
        let (mut bytes, mut list) = (vec![], vec![]);
        let number = |value: usize| (value as u32).to_le_bytes();
        for (name, held) in files {
            let common =
                [&crc32fast::hash(held).to_le_bytes()[..], &number(held.len()), &number(held.len())].concat();
            let common = [&[0; 10][..], &common, &(name.len() as u16).to_le_bytes(), &[0; 2]].concat();
            for again in 0..times {
                let mut name = name.as_bytes().to_vec();
                *name.last_mut().unwrap() += again as u8;
                list.extend(
                    [&b"PK\x01\x02\0\0"[..], &common, &[0; 10], &number(bytes.len()), &name].concat(),
                );
            }
            bytes.extend([&b"PK\x03\x04"[..], &common, name.as_bytes(), held].concat());
        }
        let (start, count) = (bytes.len(), (files.len() * times) as u16);
        bytes.extend(&list);
        let long = |value: usize| (value as u64).to_le_bytes();
        let record = bytes.len();
        let counts = [long(count.into()), long(count.into()), long(list.len()), long(start)].concat();
        bytes.extend([&b"PK\x06\x06"[..], &long(44), &[0; 12], &counts].concat());
        bytes.extend([&b"PK\x06\x07\0\0\0\0"[..], &long(record), &number(1)].concat());
        let counts = [count.to_le_bytes(), count.to_le_bytes()].concat();
        bytes.extend(
            [&b"PK\x05\x06\0\0\0\0"[..], &counts, &number(list.len()), &number(start), &[0; 2]].concat(),
        );
        bytes
    }

    /// Of a small file as many sums would be computed as one likes.
    #[test]
    fn files_that_lie_over_one_another_are_refused() {
        let held = [7; 100_000];
        let files = [("a/A", &held[..]), ("a/a", &held)];
        assert_eq!(entries(&archive(&files)).unwrap().len(), 2);
        let error = entries(&archive_listing(&files, 9)).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("lies over others"), "{error}");
    }

    #[test]
    fn archives_open_whatever_their_files_are_called() {
        for length in 0..64 {
            let names = ["data.pkl", "data/0"].map(|name| format!("{}/{name}", "n".repeat(length)));
            let bytes = archive(&[(&names[0], b"pickle"), (&names[1], b"numbers")]);
            let found = entries(&bytes).unwrap_or_else(|error| panic!("{length}: {error:#}"));
            assert_eq!((found[&names[0]], found[&names[1]]), (&b"pickle"[..], &b"numbers"[..]));
        }
    }
}
