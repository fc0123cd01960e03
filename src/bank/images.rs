//! `images.bin`: what is known of every image before a bank is filled.
//!
//! Little endian: 8 bytes `BAGSIMG1`, u64 count; per image u32 height, u32 width, u32 label
//! (`u32::MAX`: none), u32 bytes of its name; then all names, UTF-8, end to end.

use super::layout::ImageEntry;
use anyhow::{Context, Result, ensure};

const MAGIC: &[u8; 8] = b"BAGSIMG1";
const HEADER: usize = 16;
const RECORD: usize = 16;

/// The bytes of the file.
pub(super) fn encode(images: &[ImageEntry]) -> Vec<u8> {
    let names: usize = images.iter().map(|image| image.name.len()).sum();
    let mut bytes = Vec::with_capacity(HEADER + RECORD * images.len() + names);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&(images.len() as u64).to_le_bytes());
    for image in images {
        let record = [image.height, image.width, image.label.unwrap_or(u32::MAX), image.name.len() as u32];
        bytes.extend(record.iter().flat_map(|value| value.to_le_bytes()));
    }
    images.iter().for_each(|image| bytes.extend_from_slice(image.name.as_bytes()));
    bytes
}

/// Reads the bytes of the file; every length is checked before it is believed.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<ImageEntry>> {
    ensure!(bytes.len() >= HEADER && &bytes[..8] == MAGIC, "it does not start with {:?}", "BAGSIMG1");
    let count = u64::from_le_bytes(bytes[8..16].try_into()?);
    let (records, mut names) = usize::try_from(count)
        .ok()
        .and_then(|count| count.checked_mul(RECORD))
        .and_then(|length| bytes[HEADER..].split_at_checked(length))
        .with_context(|| format!("it is cut off: {} bytes are too few for {count} images", bytes.len()))?;
    let mut images = Vec::with_capacity(records.len() / RECORD);
    for (i, record) in records.chunks_exact(RECORD).enumerate() {
        let value =
            |at: usize| u32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]]);
        let (name, rest) = names
            .split_at_checked(value(12) as usize)
            .with_context(|| format!("it is cut off in the name of image {i}"))?;
        names = rest;
        let name =
            std::str::from_utf8(name).with_context(|| format!("the name of image {i} is not UTF-8"))?;
        let label = Some(value(8)).filter(|label| *label != u32::MAX);
        images.push(ImageEntry { height: value(0), width: value(4), label, name: name.into() });
    }
    ensure!(names.is_empty(), "{} bytes follow the last name", names.len());
    Ok(images)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<ImageEntry> {
        vec![
            ImageEntry { height: 32, width: 31, label: Some(7), name: "hörse.png".into() },
            ImageEntry { height: 1, width: 2, label: None, name: String::new() },
        ]
    }

    #[test]
    fn images_survive_the_way_to_disk_and_back() {
        assert_eq!(decode(&encode(&some())).unwrap(), some());
    }

    #[test]
    fn cut_or_forged_tables_are_errors() {
        let bytes = encode(&some());
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "{length} bytes");
        }
        let mut forged = bytes.clone();
        forged[8..16].fill(0xff);
        assert!(decode(&forged).unwrap_err().to_string().contains("too few for"));
        assert!(decode(&[bytes, vec![0]].concat()).unwrap_err().to_string().contains("follow the last name"));
    }
}
