//! The entries of a tar archive that nobody need trust. Names that do not fit a header come as entries of their own,
//! before that which they name (GNU tar and POSIX); none is read that is longer than a name can be.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use tar::EntryType;

/// Most bytes of a long name, or of all that an extended header says of an entry.
const MAX_NAME_BYTES: u64 = 64 << 10;
/// Most entries that are looked at.
const MAX_ENTRIES: usize = 64;
/// Most headers; an entry has up to three of its own.
const MAX_HEADERS: usize = 4 * MAX_ENTRIES;

/// A file, folder or link of an archive.
pub(super) struct TarEntry<'a> {
    /// As the archive says, wherever that leads.
    pub path: PathBuf,
    /// What it is.
    pub kind: EntryType,
    /// As the archive says.
    pub size: u64,
    /// What is in it.
    pub bytes: &'a mut dyn Read,
}

/// Calls `visit` with each entry, until it returns `false`.
///
/// # Errors
/// No tar archive, one that ends early, more than 64 entries, a name of more than 64 KiB, and those of `visit`.
pub(super) fn walk(tar: impl Read, visit: &mut dyn FnMut(TarEntry<'_>) -> Result<bool>) -> Result<()> {
    let mut archive = tar::Archive::new(tar);
    let (mut entries, mut long_name) = (0, None);
    // Raw, since the crate itself reads a long name into memory whatever size its header claims.
    for (headers, entry) in archive.entries()?.raw(true).enumerate() {
        let mut entry = entry.context("not a readable tar archive, or it ends early")?;
        ensure!(headers < MAX_HEADERS, "more than {MAX_HEADERS} headers; no archive of CIFAR has");
        let (kind, size) = (entry.header().entry_type(), entry.size());
        match kind {
            EntryType::GNULongName => long_name = Some(gnu_name(&mut entry)?),
            EntryType::XHeader => long_name = posix_name(&mut entry)?.or(long_name),
            EntryType::GNULongLink | EntryType::XGlobalHeader => ensure_short(size)?,
            _ => {
                entries += 1;
                ensure!(entries <= MAX_ENTRIES, "more than {MAX_ENTRIES} entries");
                let path = match long_name.take() {
                    Some(name) => name,
                    None => entry.path().context("an entry has no readable name")?.into_owned(),
                };
                if !visit(TarEntry { path, kind, size, bytes: &mut entry })? {
                    break;
                }
            }
        }
    }
    Ok(())
}

fn ensure_short(size: u64) -> Result<()> {
    ensure!(size <= MAX_NAME_BYTES, "an entry's name has {size} bytes; expected at most {MAX_NAME_BYTES}");
    Ok(())
}

/// The name that GNU tar writes before an entry, with a zero at its end.
fn gnu_name<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<PathBuf> {
    ensure_short(entry.size())?;
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).context("the archive ends within a name")?;
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    Ok(String::from_utf8_lossy(&bytes[..end]).into_owned().into())
}

/// The name in an extended header of POSIX, if it says one.
fn posix_name<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<Option<PathBuf>> {
    ensure_short(entry.size())?;
    let mut name = None;
    let words = entry.pax_extensions().context("the archive ends within an extended header")?;
    for word in words.into_iter().flatten() {
        let word = word.context("an extended header cannot be read")?;
        match word.key_bytes() {
            b"path" => name = Some(String::from_utf8_lossy(word.value_bytes()).into_owned().into()),
            // Only for 8 GiB and more, which its own header cannot say.
            b"size" => bail!("an entry says its size in an extended header; expected files below 8 GiB"),
            _ => {}
        }
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// What [`walk`] finds in these bytes: names and contents.
    fn found(tar: impl Read) -> Result<Vec<(String, Vec<u8>)>> {
        let mut found = vec![];
        walk(tar, &mut |entry| {
            let mut bytes = vec![];
            entry.bytes.read_to_end(&mut bytes)?;
            found.push((entry.path.display().to_string(), bytes));
            Ok(true)
        })?;
        Ok(found)
    }

    fn header(kind: EntryType, size: u64) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_path("short").unwrap();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_cksum();
        header
    }

    #[test]
    fn names_that_fit_no_header_are_read_in_both_forms() {
        let long = format!("folder/{}", "n".repeat(300));
        let mut tar = tar::Builder::new(vec![]);
        tar.append_data(&mut header(EntryType::Regular, 3), &long, &b"gnu"[..]).unwrap();
        tar.append_pax_extensions([("path", long.as_bytes()), ("mtime", b"1.5")]).unwrap();
        tar.append(&header(EntryType::Regular, 3), &b"pax"[..]).unwrap();
        tar.append(&header(EntryType::Regular, 5), &b"plain"[..]).unwrap();
        let tar = tar.into_inner().unwrap();
        let expected =
            [(&long, b"gnu".to_vec()), (&long, b"pax".to_vec()), (&"short".into(), b"plain".to_vec())];
        assert_eq!(found(&tar[..]).unwrap(), expected.map(|(name, bytes)| (name.clone(), bytes)));
    }

    /// Counts what is read.
    struct Counted<'a, R>(R, &'a Cell<u64>);

    impl<R: Read> Read for Counted<'_, R> {
        fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
            let count = self.0.read(to)?;
            self.1.set(self.1.get() + count as u64);
            Ok(count)
        }
    }

    #[test]
    fn a_name_of_2_gib_is_refused_before_it_is_read() {
        use EntryType::{GNULongLink, GNULongName, XGlobalHeader, XHeader};
        for kind in [GNULongName, GNULongLink, XHeader, XGlobalHeader] {
            let start = header(kind, 2 << 30);
            let (read, endless) = (Cell::new(0), std::io::repeat(b'n').take(2 << 30));
            let error = found(Counted(start.as_bytes().chain(endless), &read)).unwrap_err();
            assert!(format!("{error:#}").contains("2147483648 bytes; expected at most 65536"), "{error:#}");
            assert!(read.get() < 1 << 20, "{kind:?}: {} bytes were read", read.get());
        }
    }

    #[test]
    fn headers_without_end_and_sizes_beside_the_header_are_refused() {
        let many = |kind| header(kind, 0).as_bytes().repeat(1000);
        let error = |bytes: &[u8]| format!("{:#}", found(bytes).unwrap_err());
        assert!(error(&many(EntryType::GNULongName)).contains("more than 256 headers"));
        assert!(error(&many(EntryType::Regular)).contains("more than 64 entries"));
        let mut tar = tar::Builder::new(vec![]);
        tar.append_pax_extensions([("size", b"99999999999".as_slice())]).unwrap();
        assert!(error(&tar.into_inner().unwrap()).contains("its size in an extended header"));
    }
}
