//! Where a bank lies: in a folder, or in Lance, on a folder or an object store.

use super::layout::ImageEntry;
use super::output::BankOutput;
use super::spec::BankSpec;
use super::writer::BankWriter;
use crate::files;
use crate::progress::CancelToken;
use anyhow::{Context, Result};
use std::path::Path;

/// What a place in Lance begins with, before its URI.
const LANCE: &str = "lance:";

/// The URI of a place in Lance; `None` where `place` is a folder.
pub(super) fn lance_uri(place: &Path) -> Option<&str> {
    place.to_str()?.strip_prefix(LANCE)
}

/// Whether `place` is no folder of this machine but a bank's URI.
pub fn lies_far(place: &Path) -> bool {
    lance_uri(place).is_some()
}

/// Starts the bank in `place`, or continues the one that is there: [`BankWriter::create_or_resume`] in a folder. Returns
/// how many images are in already, too.
///
/// # Errors
/// As there.
pub fn create_or_resume(
    place: &Path,
    spec: &BankSpec,
    images: &[ImageEntry],
    cancel: &CancelToken,
) -> Result<(Box<dyn BankOutput>, usize)> {
    if let Some(uri) = lance_uri(place) {
        return create_lance(uri, spec, images);
    }
    let (writer, done) = BankWriter::create_or_resume(place, spec, images, cancel)?;
    Ok((Box::new(writer), done))
}

/// The content of a small file beside the bank in `place`, of at most `most` bytes.
///
/// # Errors
/// It is not there, or cannot be read.
pub fn read_beside(place: &Path, name: &str, most: u64) -> Result<Vec<u8>> {
    if let Some(uri) = lance_uri(place) {
        return read_beside_lance(uri, name, most);
    }
    let path = place.join(name);
    files::read(&path, most).with_context(|| format!("could not read {}", path.display()))
}

/// Writes a small file beside the bank in `place`, at once or not at all.
///
/// # Errors
/// It cannot be written.
pub fn write_beside(place: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    match lance_uri(place) {
        Some(uri) => write_beside_lance(uri, name, bytes),
        None => files::write_bytes_atomic(&place.join(name), bytes),
    }
}

/// Makes one bank of the parts in `place`, which is in Lance, and says of how many.
///
/// # Errors
/// Parts that are missing, not complete, or of different banks; a failed write.
pub fn merge_far(place: &Path) -> Result<u32> {
    merge_lance(lance_uri(place).context("its parts do not lie in Lance")?)
}

#[cfg(feature = "lance")]
pub(super) use super::lance::open as open_lance;
#[cfg(feature = "lance")]
use super::lance::{
    create as create_lance, merge as merge_lance, read_beside as read_beside_lance,
    write_beside as write_beside_lance,
};

#[cfg(not(feature = "lance"))]
mod without {
    use super::super::store::Bank;
    use super::{BankOutput, BankSpec, ImageEntry, Result};
    use anyhow::bail;

    fn absent<T>(uri: &str) -> Result<T> {
        bail!(
            "lance:{uri} lies in Lance, which this program was built without; build it with \
             `cargo build --release --features lance` (README, Banks in Lance)"
        )
    }

    pub fn open_lance(uri: &str) -> Result<Bank> {
        absent(uri)
    }

    pub fn create_lance(uri: &str, _: &BankSpec, _: &[ImageEntry]) -> Result<(Box<dyn BankOutput>, usize)> {
        absent(uri)
    }

    pub fn merge_lance(uri: &str) -> Result<u32> {
        absent(uri)
    }

    pub fn read_beside_lance(uri: &str, _: &str, _: u64) -> Result<Vec<u8>> {
        absent(uri)
    }

    pub fn write_beside_lance(uri: &str, _: &str, _: &[u8]) -> Result<()> {
        absent(uri)
    }
}
#[cfg(not(feature = "lance"))]
pub(super) use without::open_lance;
#[cfg(not(feature = "lance"))]
use without::{create_lance, merge_lance, read_beside_lance, write_beside_lance};
