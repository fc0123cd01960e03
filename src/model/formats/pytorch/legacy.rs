//! The container of PyTorch before 1.6: five pickles one after the other, then the storages.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};

use super::objects::{self, storages};
use crate::files::pickle::Pickle;
use crate::model::formats::foreign_file::FileContent;

/// The number by which PyTorch knows its files, as it stands in a pickle.
const MAGIC: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
/// What stands before it: the protocol, from the fourth on with the length of what follows.
const PROTOCOLS: [&[u8]; 4] =
    [b"\x80\x02", b"\x80\x03", b"\x80\x04\x95\x0d\0\0\0\0\0\0\0", b"\x80\x05\x95\x0d\0\0\0\0\0\0\0"];

/// Whether these are the first bytes of such a file.
pub(super) fn is_legacy(bytes: &[u8]) -> bool {
    after_magic(bytes).is_some()
}

fn after_magic(bytes: &[u8]) -> Option<&[u8]> {
    PROTOCOLS.into_iter().find_map(|protocol| bytes.strip_prefix(protocol)?.strip_prefix(MAGIC))
}

/// The arrays of a file.
pub(super) fn content(bytes: &[u8]) -> Result<FileContent<'_>> {
    let mut rest = after_magic(bytes).context("no file of PyTorch")?;
    let mut next = |what: &str| -> Result<Pickle<'_>> {
        let pickle = Pickle::read(rest, objects::RULES)
            .with_context(|| format!("{what}, from byte {} on", bytes.len() - rest.len()))?;
        rest = &rest[pickle.length()..];
        Ok(pickle)
    };
    let version = next("the version")?;
    ensure!(
        version.int(version.root()).is_ok_and(|version| version == 1001),
        "the version of the file is not 1001"
    );
    next("what the system is")?;
    let pickle = next("the objects")?;
    let keys = next("the list of storages")?;
    let sizes: HashMap<Vec<u8>, usize> =
        storages(&pickle).into_iter().map(|storage| (storage.key.to_vec(), storage.kind.size())).collect();
    let mut held: HashMap<Vec<u8>, &[u8]> = HashMap::new();
    for key in keys.items(keys.root()).context("the list of storages")? {
        let key = keys.text(*key).context("the list of storages")?;
        let words = || format!("storage {}", String::from_utf8_lossy(key));
        let (count, data) = rest.split_first_chunk::<8>().with_context(|| format!("{}: cut off", words()))?;
        let size = *sizes.get(key).with_context(|| format!("{}: of no known kind", words()))?;
        let length =
            usize::try_from(u64::from_le_bytes(*count)).ok().and_then(|count| count.checked_mul(size));
        let split = length.and_then(|length| data.split_at_checked(length));
        let (storage, after) = split.with_context(|| format!("{}: cut off", words()))?;
        held.insert(key.to_vec(), storage);
        rest = after;
    }
    objects::content(&pickle, |key| {
        held.get(key.as_bytes()).copied().with_context(|| format!("storage {key} is not in the file"))
    })
}
