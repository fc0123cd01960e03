//! `images.bin`: what is known of every image before a bank is filled.
//!
//! Little endian: 8 bytes `BAGSIMG1`, u64 count; per image u32 height, u32 width, u32 label
//! (`u32::MAX`: none), u32 bytes of its name; then all names, UTF-8, end to end. Where the images do not lie
//! in the data set's order from its first on, `BAGSIMG2`: a fifth u32 follows per image, its index in the data set.

use super::layout::ImageEntry;
use crate::files;
use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

const IN_ORDER: &[u8; 8] = b"BAGSIMG1";
const WITH_INDICES: &[u8; 8] = b"BAGSIMG2";
const HEADER: usize = 16;
const RECORD: usize = 16;
const RECORD_WITH_INDEX: usize = 20;

/// The bytes of the file.
pub(super) fn encode(images: &[ImageEntry]) -> Vec<u8> {
    let names: usize = images.iter().map(|image| image.name.len()).sum();
    let in_order = images.iter().enumerate().all(|(place, image)| image.index as usize == place);
    let (magic, size) = if in_order { (IN_ORDER, RECORD) } else { (WITH_INDICES, RECORD_WITH_INDEX) };
    let mut bytes = Vec::with_capacity(HEADER + size * images.len() + names);
    bytes.extend_from_slice(magic);
    bytes.extend_from_slice(&(images.len() as u64).to_le_bytes());
    for image in images {
        let record = [image.height, image.width, image.label.unwrap_or(u32::MAX), image.name.len() as u32];
        bytes.extend(record.iter().flat_map(|value| value.to_le_bytes()));
        if !in_order {
            bytes.extend(image.index.to_le_bytes());
        }
    }
    images.iter().for_each(|image| bytes.extend_from_slice(image.name.as_bytes()));
    bytes
}

/// Hex SHA-256 of the bytes of the file.
pub(super) fn sha256(images: &[ImageEntry]) -> String {
    sha256_of(&encode(images))
}

/// Hex SHA-256 of bytes that were read.
pub(super) fn sha256_of(bytes: &[u8]) -> String {
    files::hex(&Sha256::digest(bytes))
}

/// Reads the bytes of the file; every length is checked before it is believed.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<ImageEntry>> {
    let size = match bytes.get(..8) {
        Some(magic) if magic == IN_ORDER => RECORD,
        Some(magic) if magic == WITH_INDICES => RECORD_WITH_INDEX,
        _ => bail!("it does not start with \"BAGSIMG1\" or \"BAGSIMG2\""),
    };
    ensure!(bytes.len() >= HEADER, "it is cut off: {} bytes are too few for its header", bytes.len());
    let count = u64::from_le_bytes(bytes[8..16].try_into()?);
    let (records, mut names) = usize::try_from(count)
        .ok()
        .and_then(|count| count.checked_mul(size))
        .and_then(|length| bytes[HEADER..].split_at_checked(length))
        .with_context(|| format!("it is cut off: {} bytes are too few for {count} images", bytes.len()))?;
    let mut images = Vec::with_capacity(records.len() / size);
    for (i, record) in records.chunks_exact(size).enumerate() {
        let value =
            |at: usize| u32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]]);
        let (name, rest) = names
            .split_at_checked(value(12) as usize)
            .with_context(|| format!("it is cut off in the name of image {i}"))?;
        names = rest;
        let name =
            std::str::from_utf8(name).with_context(|| format!("the name of image {i} is not UTF-8"))?;
        let label = Some(value(8)).filter(|label| *label != u32::MAX);
        let index = if size == RECORD { i as u32 } else { value(RECORD) };
        images.push(ImageEntry { index, height: value(0), width: value(4), label, name: name.into() });
    }
    ensure!(names.is_empty(), "{} bytes follow the last name", names.len());
    Ok(images)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(indices: [u32; 2]) -> Vec<ImageEntry> {
        let [a, b] = indices;
        vec![
            ImageEntry { index: a, height: 32, width: 31, label: Some(7), name: "hörse.png".into() },
            ImageEntry { index: b, height: 1, width: 2, label: None, name: String::new() },
        ]
    }

    #[test]
    fn images_survive_the_way_to_disk_and_back() {
        for indices in [[0, 1], [1, 0], [0, 4_000_000_000]] {
            assert_eq!(decode(&encode(&some(indices))).unwrap(), some(indices));
        }
        // What older banks hold, byte for byte.
        assert_eq!(&encode(&some([0, 1]))[..8], b"BAGSIMG1");
        assert_eq!(encode(&some([0, 1])).len(), 16 + 2 * 16 + 10);
    }

    #[test]
    fn cut_or_forged_tables_are_errors() {
        let bytes = encode(&some([0, 1]));
        for bytes in [&bytes, &encode(&some([5, 3]))] {
            for length in 0..bytes.len() {
                assert!(decode(&bytes[..length]).is_err(), "{length} bytes");
            }
        }
        let mut forged = bytes.clone();
        forged[8..16].fill(0xff);
        assert!(decode(&forged).unwrap_err().to_string().contains("too few for"));
        assert!(decode(&[bytes, vec![0]].concat()).unwrap_err().to_string().contains("follow the last name"));
    }
}
