//! Vectors in a file, as they lie there, and a range of rows at a time as float32.

use super::arrays::{self, ArrayChoice};
use super::columns;
use super::stored::{Element, StoredArray};
use crate::progress::CancelToken;
use anyhow::{Context, Result, bail};
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use sha2::{Digest, Sha256};
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Bytes that are hashed between two looks at whether to stop.
const STEP: usize = 4 << 20;

/// Where vectors lie: a file, and the name of the array, tensor or column in it where one is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VectorPlace {
    /// The file.
    pub path: PathBuf,
    /// Without it the only array, or the one that is called like the space; of Parquet the column `vector`.
    pub key: Option<String>,
}

impl VectorPlace {
    /// Reads `FILE` or `FILE#key`. A file that is itself called so is meant as it is.
    pub fn parse(text: &Path) -> Self {
        let whole = Self { path: text.into(), key: None };
        let parts = text.to_str().and_then(|text| text.rsplit_once('#'));
        match parts.filter(|(path, key)| !path.is_empty() && !key.is_empty() && !text.exists()) {
            Some((path, key)) => Self { path: path.into(), key: Some(key.into()) },
            None => whole,
        }
    }
}

/// Vectors that another program made: a `.npy`, `.npz`, `.safetensors` or `.parquet` file.
#[derive(Debug)]
pub struct VectorFile {
    path: PathBuf,
    array: StoredArray,
    bytes: Vec<u8>,
}

impl VectorFile {
    /// Opens the vectors of `space` that lie at `place`. What is compressed, or lies in pieces, is unpacked into a file
    /// without a name in `scratch`, so that memory does not grow with it.
    ///
    /// # Errors
    /// Another ending, a damaged file, no array of the key, several arrays of which none is called `space`, or not numbers
    /// `[..., width]`.
    pub fn open(place: &VectorPlace, space: &str, scratch: &Path, cancel: &CancelToken) -> Result<Self> {
        let VectorPlace { path, key } = place;
        let wanted = key.as_deref().map_or(ArrayChoice::Space(space), ArrayChoice::Key);
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
        let array = match ending.as_str() {
            "npy" => arrays::npy(path, key.as_deref()),
            "npz" => arrays::npz(path, wanted, scratch),
            "safetensors" => arrays::safetensors(path, wanted),
            "parquet" => columns::vectors(path, key.as_deref().unwrap_or(columns::VECTOR), scratch, cancel),
            _ => bail!(
                "{}: expected a name that ends with .npy, .npz, .safetensors or .parquet",
                path.display()
            ),
        };
        let array = array.with_context(|| path.display().to_string())?;
        Ok(Self { path: path.clone(), array, bytes: vec![] })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many vectors there are.
    pub fn rows(&self) -> usize {
        self.array.facts.rows
    }

    /// Values of a vector.
    pub fn width(&self) -> usize {
        self.array.facts.width
    }

    /// Whether float16 holds its values as they are.
    pub fn is_half(&self) -> bool {
        self.array.facts.element == Element::Half
    }

    /// Appends rows `rows` to `out`, as float32. Panics beyond the last row.
    ///
    /// # Errors
    /// A value that is no finite float32, with its row and column; the file was cut.
    pub fn read(&mut self, rows: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        let facts = self.array.facts;
        assert!(rows.end <= facts.rows, "rows {rows:?} of {}", facts.rows);
        let offset = self.array.offset + (rows.start * facts.row_bytes()) as u64;
        self.bytes.resize(rows.len() * facts.row_bytes(), 0);
        self.array.file.seek(SeekFrom::Start(offset))?;
        let read = self.array.file.read_exact(&mut self.bytes);
        read.with_context(|| format!("{} cannot be read, or was cut meanwhile", self.path.display()))?;
        let first = out.len();
        append(facts.element, &self.bytes, out);
        if let Some(at) = out[first..].iter().position(|value| !value.is_finite()) {
            let (row, column) = (rows.start + at / facts.width, at % facts.width);
            bail!(
                "{}: row {row}, column {column} is {}; expected finite numbers that float32 holds (rows and columns count \
                 from 0)",
                self.path.display(),
                out[first + at]
            );
        }
        Ok(())
    }

    /// Adds what the vectors are, all of them, to `hash`; so all are looked at before anything is made of them.
    ///
    /// # Errors
    /// Cancelled; as [`VectorFile::read`].
    pub fn hash(&mut self, hash: &mut Sha256, cancel: &CancelToken) -> Result<()> {
        let facts = self.array.facts;
        hash.update(facts.to_string());
        let (step, mut values) = ((STEP / facts.row_bytes()).max(1), vec![]);
        for first in (0..facts.rows).step_by(step) {
            cancel.check()?;
            values.clear();
            self.read(first..facts.rows.min(first + step), &mut values)?;
            hash.update(&self.bytes);
        }
        Ok(())
    }
}

/// Appends the values of whole rows.
fn append(element: Element, bytes: &[u8], out: &mut Vec<f32>) {
    let first = out.len();
    out.resize(first + bytes.len() / element.bytes(), 0.0);
    let to = &mut out[first..];
    match element {
        Element::Half => {
            let values: Vec<f16> =
                bytes.as_chunks().0.iter().map(|value| f16::from_le_bytes(*value)).collect();
            values.convert_to_f32_slice(to);
        }
        Element::Brain => {
            let values = bytes.as_chunks().0.iter().map(|value| bf16::from_le_bytes(*value).to_f32());
            to.iter_mut().zip(values).for_each(|(to, value)| *to = value);
        }
        Element::Single => {
            let values = bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value));
            to.iter_mut().zip(values).for_each(|(to, value)| *to = value);
        }
        Element::Double => {
            let values = bytes.as_chunks().0.iter().map(|value| f64::from_le_bytes(*value) as f32);
            to.iter_mut().zip(values).for_each(|(to, value)| *to = value);
        }
    }
}
