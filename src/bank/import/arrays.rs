//! Where the values of an array lie: NumPy's `.npy` and `.npz`, safetensors.

use super::stored::{ArrayFacts, Element, StoredArray};
use crate::files::{self, MappedFile};
use anyhow::{Context, Result, bail, ensure};
use flate2::read::DeflateDecoder;
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use zip::{CompressionMethod, ZipArchive};

/// No header of an array is longer: the format's first version has two bytes for it.
const MOST_NPY_HEADER: u64 = 1 << 20;

/// Which of the arrays of a file is meant.
#[derive(Clone, Copy)]
pub enum ArrayChoice<'a> {
    /// The only one, or that called like the space.
    Space(&'a str),
    /// That of this name.
    Key(&'a str),
}

impl ArrayChoice<'_> {
    /// Its name among `names`.
    fn among(self, names: &[String]) -> Result<String> {
        let list = || {
            let some: Vec<&str> = names.iter().take(8).map(String::as_str).collect();
            format!("{}{}", some.join(", "), if names.len() > some.len() { ", ..." } else { "" })
        };
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        match (self, names) {
            (_, []) => bail!("it holds no array"),
            (Self::Key(key), _) if has(key) => Ok(key.to_owned()),
            (Self::Key(key), _) => bail!("it holds no array called {key:?}; it has {}", list()),
            (Self::Space(_), [only]) => Ok(only.clone()),
            (Self::Space(space), _) if has(space) => Ok(space.to_owned()),
            (Self::Space(space), _) => bail!(
                "it holds {} arrays ({}); expected one, or one called like the space, {space:?} (--space); another is named as FILE#key",
                names.len(),
                list()
            ),
        }
    }
}

/// The array in a `.npy` file, which has no name.
pub fn npy(path: &Path, key: Option<&str>) -> Result<StoredArray> {
    ensure!(key.is_none(), "it holds one array without a name; expected no #{}", key.unwrap_or_default());
    let mut file = files::open(path, u64::MAX)?;
    let (facts, offset) = npy_header(&mut file)?;
    let (has, expected) = (file.metadata()?.len(), offset + facts.bytes()?);
    ensure!(
        has == expected,
        "it has {has} bytes; expected {expected} for {facts}: it was cut off or changed"
    );
    Ok(StoredArray { file, offset, facts })
}

/// The array of a `.npz` file that is `wanted`. It is unpacked into a file without a name in `scratch`, and its sum is
/// checked.
pub fn npz(path: &Path, wanted: ArrayChoice<'_>, scratch: &Path) -> Result<StoredArray> {
    let mut archive =
        ZipArchive::new(files::open(path, u64::MAX)?).context("a ZIP archive that is cut off or damaged")?;
    let mut names = vec![];
    for name in archive.file_names() {
        names.push(name.context("a name of the archive")?.trim_end_matches(".npy").to_owned());
    }
    let name = wanted.among(&names)?;
    let at = names.iter().position(|other| *other == name).context("no such array")?;
    let entry = archive.by_index_raw(at).with_context(|| format!("array {name}"))?;
    let (method, sum, size) = (entry.compression(), entry.crc32(), entry.size());
    let mut input: Box<dyn Read> = match method {
        CompressionMethod::STORE => Box::new(entry),
        CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(entry)),
        other => bail!("array {name} is compressed by {other:?}; expected what numpy.savez writes"),
    };
    let mut head = Summed { input: &mut input, sum: crc32fast::Hasher::new() };
    let (facts, offset) = npy_header(&mut head).with_context(|| format!("array {name}"))?;
    let expected = facts.bytes()?;
    ensure!(
        offset + expected == size,
        "array {name} has {size} bytes; expected {} for {facts}",
        offset + expected
    );
    let mut file = BufWriter::new(tempfile::tempfile_in(scratch)?);
    let unpacked = std::io::copy(&mut (&mut head).take(expected), &mut file)
        .with_context(|| format!("array {name} cannot be unpacked into {}", scratch.display()))?;
    ensure!(unpacked == expected, "array {name} is cut off after {unpacked} of {expected} bytes");
    ensure!(head.sum.finalize() == sum, "array {name} is damaged: its sum is another");
    file.flush()?;
    let file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    Ok(StoredArray { file, offset: 0, facts })
}

/// The tensor of a safetensors file that is `wanted`.
pub fn safetensors(path: &Path, wanted: ArrayChoice<'_>) -> Result<StoredArray> {
    let file = files::open(path, u64::MAX)?;
    let has = file.metadata()?.len();
    let mapped = MappedFile::open(path, has)?;
    let (length, metadata) =
        SafeTensors::read_metadata(&mapped).context("it is no whole safetensors file")?;
    let tensors = metadata.tensors();
    let mut names: Vec<String> = tensors.keys().cloned().collect();
    names.sort_unstable();
    let name = wanted.among(&names)?;
    let tensor = tensors[&name];
    let element = match tensor.dtype {
        Dtype::F16 => Element::Half,
        Dtype::BF16 => Element::Brain,
        Dtype::F32 => Element::Single,
        Dtype::F64 => Element::Double,
        other => bail!("tensor {name} holds {other:?}; expected F16, BF16, F32 or F64"),
    };
    let facts = ArrayFacts::new(element, &tensor.shape).with_context(|| format!("tensor {name}"))?;
    let offset = (8 + length + tensor.data_offsets.0) as u64;
    let (end, held) = (offset + facts.bytes()?, (tensor.data_offsets.1 - tensor.data_offsets.0) as u64);
    ensure!(
        has >= end && held == facts.bytes()?,
        "tensor {name} has {held} bytes; expected those of {facts}"
    );
    Ok(StoredArray { file, offset, facts })
}

/// What is read, and its sum so far.
struct Summed<'a> {
    input: &'a mut dyn Read,
    sum: crc32fast::Hasher,
}

impl Read for Summed<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let count = self.input.read(out)?;
        self.sum.update(&out[..count]);
        Ok(count)
    }
}

/// Reads the header of NumPy's format: what the array is, and how many bytes the header has.
/// <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>
fn npy_header(input: &mut dyn Read) -> Result<(ArrayFacts, u64)> {
    let mut start = [0; 8];
    input.read_exact(&mut start).context("it is no NumPy array: it is too short")?;
    ensure!(start[..6] == *b"\x93NUMPY", "it is no NumPy array: it does not begin with \\x93NUMPY");
    let bytes = if start[6] == 1 { 2 } else { 4 };
    let mut length = [0; 4];
    input.read_exact(&mut length[..bytes]).context("its header is cut off")?;
    let length = u64::from(u32::from_le_bytes(length));
    ensure!(length <= MOST_NPY_HEADER, "its header would have {length} bytes");
    let mut text = vec![];
    input.take(length).read_to_end(&mut text)?;
    ensure!(text.len() as u64 == length, "its header is cut off");
    let text = String::from_utf8_lossy(&text);
    let after = |key: &str| {
        let (_, rest) = text.split_once(&format!("'{key}':"))?;
        Some(rest.trim_start())
    };
    let missing = |key| format!("its header says nothing of {key}: {text:?}");
    let kind = after("descr").with_context(|| missing("descr"))?;
    let kind = kind.strip_prefix('\'').and_then(|kind| kind.split('\'').next()).unwrap_or("a record");
    let element = match kind {
        "<f2" => Element::Half,
        "<f4" => Element::Single,
        "<f8" => Element::Double,
        _ => bail!(
            "its values are {kind}; expected float16, float32 or float64, little-endian (<f2, <f4, <f8)"
        ),
    };
    let order = after("fortran_order").with_context(|| missing("fortran_order"))?;
    let shape = after("shape").with_context(|| missing("shape"))?;
    let shape =
        shape.strip_prefix('(').and_then(|shape| shape.split_once(')')).with_context(|| missing("shape"))?.0;
    let sides = shape.split(',').map(str::trim).filter(|side| !side.is_empty());
    let sides = sides.map(|side| side.parse().with_context(|| format!("its shape is ({shape})")));
    let sides: Vec<usize> = sides.collect::<Result<_>>()?;
    let facts = ArrayFacts::new(element, &sides)?;
    ensure!(
        order.starts_with("False"),
        "it lies column by column (Fortran order); save numpy.ascontiguousarray of it"
    );
    Ok((facts, 8 + bytes as u64 + length))
}
