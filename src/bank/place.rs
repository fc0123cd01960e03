//! Where a bank lies: in a folder, or in Lance, on a folder or an object store.

use super::layout::ImageEntry;
use super::output::BankOutput;
use super::spec::BankSpec;
use super::store::Bank;
use super::uri::lance_uri;
use super::writer::BankWriter;
use crate::files;
use crate::progress::CancelToken;
use anyhow::{Context, Result};
use std::path::Path;

/// Opens the bank in `place`: [`Bank::open`] in a folder. `lance:URI` is one in Lance, whose rows are read when they are
/// asked for.
///
/// # Errors
/// As there; a place in Lance in a program that was built without.
pub fn open_bank(place: &Path) -> Result<Bank> {
    match lance_uri(place) {
        Some(uri) => open_lance(uri),
        None => Bank::open(place),
    }
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
use super::lance::{
    create as create_lance, merge as merge_lance, open as open_lance, read_beside as read_beside_lance,
    write_beside as write_beside_lance,
};

#[cfg(not(feature = "lance"))]
mod without {
    use super::{Bank, BankOutput, BankSpec, ImageEntry, Result};
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
use without::{create_lance, merge_lance, open_lance, read_beside_lance, write_beside_lance};
