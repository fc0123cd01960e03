//! Files of weights and vectors: safetensors with a sum over each tensor and each word of metadata, so that damage
//! is found and named. Other programs read them as any safetensors file.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, bail, ensure};
use safetensors::tensor::{Metadata, SafeTensors, TensorView};
use serde_json::{Map, Value};

/// Key of the sums in the file's metadata: a JSON object, by name CRC-32C in hexadecimal.
const SUMS_KEY: &str = "crc32c";
const METADATA: &str = "__metadata__";

/// A file that was read, its sums found right where it has any.
pub struct Tensors<'a> {
    /// The tensors.
    pub file: SafeTensors<'a>,
    /// The metadata, without the sums.
    pub metadata: HashMap<String, String>,
    /// Whether it has sums; files of other programs and of earlier versions have none.
    pub has_sums: bool,
}

/// Serialises tensors with `metadata` and sums. The same tensors give the same bytes.
pub fn tensors_to_bytes<'a, N: AsRef<str> + Ord + std::fmt::Display>(
    tensors: impl IntoIterator<Item = (N, TensorView<'a>)>,
    metadata: BTreeMap<String, String>,
) -> anyhow::Result<Vec<u8>> {
    // The crate's own order of tensors; its metadata have none.
    let plain = safetensors::serialize(tensors, None::<HashMap<String, String>>)?;
    let (length, parsed) = SafeTensors::read_metadata(&plain)?;
    let data = &plain[8 + length..];
    let sums = serde_json::to_string(&sums_of(&parsed, data, metadata.iter()))?;
    let mut words: Map<String, Value> = metadata.into_iter().map(|(key, word)| (key, word.into())).collect();
    words.insert(SUMS_KEY.into(), sums.into());
    let header = serde_json::to_string(&Value::Object(words))?;
    let rest = std::str::from_utf8(&plain[8..8 + length])?.trim_end();
    let rest = rest.strip_prefix('{').context("a header without an object")?;
    let comma = if rest.starts_with('}') { "" } else { "," };
    let header = format!("{{\"{METADATA}\":{header}{comma}{rest}");
    let padded = header.len().next_multiple_of(8);
    let mut bytes = Vec::with_capacity(8 + padded + data.len());
    bytes.extend((padded as u64).to_le_bytes());
    bytes.extend(header.into_bytes());
    bytes.resize(8 + padded, b' ');
    bytes.extend(data);
    Ok(bytes)
}

/// Reads a file of tensors.
///
/// # Errors
/// Not a whole safetensors file; damage, by the name of the tensor.
pub fn tensors_from_bytes(bytes: &[u8]) -> anyhow::Result<Tensors<'_>> {
    let (length, parsed) = SafeTensors::read_metadata(bytes)?;
    let file = SafeTensors::deserialize(bytes)?;
    let mut metadata = parsed.metadata().clone().unwrap_or_default();
    let Some(sums) = metadata.remove(SUMS_KEY) else {
        return Ok(Tensors { file, metadata, has_sums: false });
    };
    let expected: BTreeMap<String, String> =
        serde_json::from_str(&sums).context("its list of sums is damaged")?;
    let found = sums_of(&parsed, &bytes[8 + length..], metadata.iter());
    for (name, found) in &found {
        match expected.get(name) {
            Some(expected) if expected == found => {}
            Some(expected) => bail!("\"{name}\" is damaged: its sum is {found}, written down is {expected}"),
            None => bail!("\"{name}\" is damaged: it has no sum"),
        }
    }
    let lost = expected.keys().find(|name| !found.contains_key(*name));
    ensure!(lost.is_none(), "\"{}\" is gone: only its sum is there", lost.map_or("", String::as_str));
    Ok(Tensors { file, metadata, has_sums: true })
}

/// By name, CRC-32C of what a tensor is and holds, and of each word of metadata.
fn sums_of<'a>(
    parsed: &Metadata,
    data: &[u8],
    metadata: impl Iterator<Item = (&'a String, &'a String)>,
) -> BTreeMap<String, String> {
    let tensors = parsed.tensors().into_iter().map(|(name, info)| {
        let (start, end) = info.data_offsets;
        let kind = crc32c::crc32c(format!("{:?} {:?}", info.dtype, info.shape).as_bytes());
        (name, crc32c::crc32c_append(kind, &data[start..end]))
    });
    let words = metadata.map(|(key, word)| (format!("{METADATA}.{key}"), crc32c::crc32c(word.as_bytes())));
    tensors.chain(words).map(|(name, sum)| (name, format!("{sum:08x}"))).collect()
}

#[cfg(test)]
mod tests {
    use safetensors::Dtype;

    use super::*;

    fn sample() -> Vec<u8> {
        let (a, b) = ([1.0f32, -2.0, 0.5, 3.0], [7u32, 8]);
        let tensors = [
            ("a", TensorView::new(Dtype::F32, vec![2, 2], bytemuck::cast_slice(&a)).unwrap()),
            ("b", TensorView::new(Dtype::U32, vec![2], bytemuck::cast_slice(&b)).unwrap()),
        ];
        let words = [("zeta", "last"), ("about", "{\"width\": 2}")];
        tensors_to_bytes(tensors, words.map(|(key, word)| (key.into(), word.into())).into()).unwrap()
    }

    fn content(read: &Tensors<'_>) -> BTreeMap<String, (Vec<usize>, Vec<u8>)> {
        let tensors = read.file.tensors().into_iter();
        tensors.map(|(name, view)| (name, (view.shape().to_vec(), view.data().to_vec()))).collect()
    }

    /// A ResNet-101 or a ViT-L: its header is longer than the widest column of text.
    #[test]
    fn many_tensors_are_written_and_read() {
        let names: Vec<String> = (0..1000).map(|index| format!("layer3.{index}.bn1.running_mean")).collect();
        let value = 1.0f32.to_le_bytes();
        let view = || TensorView::new(Dtype::F32, vec![1], &value).unwrap();
        let bytes = tensors_to_bytes(names.iter().map(|name| (name, view())), BTreeMap::new()).unwrap();
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap());
        assert!(header > 1 << 16 && header % 8 == 0, "{header} bytes");
        assert_eq!(tensors_from_bytes(&bytes).unwrap().file.len(), 1000);
    }

    #[test]
    fn what_is_written_is_read_and_any_flipped_bit_is_found() {
        let bytes = sample();
        assert_eq!(bytes, sample());
        let read = tensors_from_bytes(&bytes).unwrap();
        assert!(read.has_sums && read.metadata["about"] == "{\"width\": 2}" && read.metadata.len() == 2);
        let whole = content(&read);
        assert_eq!(read.file.tensor("b").unwrap().data(), [7, 0, 0, 0, 8, 0, 0, 0]);
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[place] ^= 1 << bit;
                let Ok(read) = tensors_from_bytes(&damaged) else { continue };
                // White space that is another white space changes nothing that is read; the key of the sums under
                // another name makes a file without sums, in which that name is unknown.
                assert!(content(&read) == whole, "bit {bit} of byte {place}");
                assert!(read.has_sums || read.metadata.len() == 3, "bit {bit} of byte {place}");
            }
        }
    }

    #[test]
    fn damage_is_named() {
        let bytes = sample();
        let error = |from: &[u8], to: &[u8]| {
            let at = bytes.windows(from.len()).rposition(|window| window == from).unwrap();
            let mut damaged = bytes.clone();
            damaged[at..at + to.len()].copy_from_slice(to);
            tensors_from_bytes(&damaged).err().unwrap().to_string()
        };
        assert!(error(&7u32.to_le_bytes(), &6u32.to_le_bytes()).contains("\"b\" is damaged: its sum is"));
        assert!(error(b"last", b"lost").contains("\"__metadata__.zeta\" is damaged"));
        assert!(error(b"\"U32\"", b"\"I32\"").contains("\"b\" is damaged"));
    }

    #[test]
    fn files_without_sums_are_read_and_say_so() {
        let view = TensorView::new(Dtype::U8, vec![3], &[1, 2, 3]).unwrap();
        let words = HashMap::from([("made".to_string(), "elsewhere".to_string())]);
        let bytes = safetensors::serialize([("a", view)], Some(words)).unwrap();
        let read = tensors_from_bytes(&bytes).unwrap();
        assert!(!read.has_sums && read.metadata["made"] == "elsewhere");
    }
}
