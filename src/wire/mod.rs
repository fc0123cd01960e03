//! Values on their way to another process of the same program: as CBOR, deflated, with pictures and long lists of numbers
//! sent once ([`WirePool`]), in small frames of several kinds ([`WireFrame`]).
//!
//! What comes in is somebody else's: it is read with bounds, and what makes no sense is an error.

pub mod fields;
mod frames;
mod pool;
mod predict;

use std::cell::RefCell;
use std::io::{Read, Write};

use anyhow::{Context, ensure};
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use frames::{Assembled, Assembly, MOST_IN_FRAME, MOST_PACKED, WireFrame, read_frame};
pub use pool::WirePool;

/// A value takes so many bytes at most once it is inflated.
const MOST_INFLATED: u64 = 96 << 20;

/// A picture that travels whole has so many bytes of pixels at most: 30 megapixels.
pub const MOST_WHOLE_PICTURE: usize = 88 << 20;

/// What pictures and lists of a value take at most, which are told in fewer bytes than they have.
const MOST_MADE: u64 = 1 << 30;

/// No value holds others deeper than this.
const DEEPEST: usize = 64;

thread_local! {
    /// What both ends hold, while a value is packed or unpacked on this thread.
    static OPEN: RefCell<Option<WirePool>> = const { RefCell::new(None) };
}

/// `value` as bytes that [`unpack`] reads with the pool of the other end, which has unpacked all that was packed with this
/// one, in the same order.
///
/// # Errors
/// The value cannot be written down.
pub fn pack<T: Serialize>(value: &T, pool: &mut WirePool) -> anyhow::Result<Vec<u8>> {
    let mut plain = Vec::new();
    within(pool, || ciborium::into_writer(value, &mut plain))
        .map_err(|error| anyhow::anyhow!("a value cannot be sent: {error}"))?;
    let mut out = DeflateEncoder::new(Vec::new(), Compression::new(6));
    out.write_all(&plain)?;
    Ok(out.finish()?)
}

/// The value that [`pack`] made `bytes` of.
///
/// # Errors
/// They are no such value, or one that is too large.
pub fn unpack<T: DeserializeOwned>(bytes: &[u8], pool: &mut WirePool) -> anyhow::Result<T> {
    unpack_within(bytes, pool, MOST_MADE)
}

/// The same, of which pictures and lists take `room` bytes at most.
fn unpack_within<T: DeserializeOwned>(bytes: &[u8], pool: &mut WirePool, room: u64) -> anyhow::Result<T> {
    let mut plain = Vec::new();
    let inflated = DeflateDecoder::new(bytes).take(MOST_INFLATED + 1).read_to_end(&mut plain);
    inflated.context("what came cannot be inflated")?;
    ensure!(
        plain.len() as u64 <= MOST_INFLATED,
        "what came is larger than {MOST_INFLATED} bytes, which nothing is"
    );
    pool.begin(room);
    within(pool, || ciborium::de::from_reader_with_recursion_limit(&plain[..], DEEPEST))
        .map_err(|error| anyhow::anyhow!("what came makes no sense: {error}"))
}

/// Does `work` with the pool at hand for [`fields`].
fn within<R>(pool: &mut WirePool, work: impl FnOnce() -> R) -> R {
    OPEN.set(Some(std::mem::take(pool)));
    let done = work();
    *pool = OPEN.take().unwrap_or_default();
    done
}

/// Whether no value is on its way: what is of no use in a file is left out of it.
///
/// For `#[serde(skip_serializing_if = "wire::is_for_a_file", default)]`.
pub fn is_for_a_file<T>(_: &T) -> bool {
    OPEN.with_borrow(Option::is_none)
}

#[cfg(test)]
mod tests;
