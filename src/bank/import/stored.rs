//! An array of vectors as it lies in a file.

use anyhow::{Context, Result, bail, ensure};
use std::fmt;
use std::fs::File;

/// How a value lies in a file, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    Half,
    Brain,
    Single,
    Double,
}

impl Element {
    pub fn bytes(self) -> usize {
        match self {
            Self::Half | Self::Brain => 2,
            Self::Single => 4,
            Self::Double => 8,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Half => "float16",
            Self::Brain => "bfloat16",
            Self::Single => "float32",
            Self::Double => "float64",
        }
    }
}

/// What an array of vectors is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrayFacts {
    pub element: Element,
    pub rows: usize,
    pub width: usize,
}

impl fmt::Display for ArrayFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows of {} values, {}", self.rows, self.width, self.element.name())
    }
}

impl ArrayFacts {
    /// An array of `shape`: `[rows, width]`, or with the rows on several sides, as in `[images, tokens, width]`.
    pub fn new(element: Element, shape: &[usize]) -> Result<Self> {
        let [sides @ .., width] = shape else { bail!("its shape is []; expected [rows, width]") };
        ensure!(
            !sides.is_empty(),
            "its shape is {shape:?}; expected [rows, width] or [images, patches, width]: one vector for each patch"
        );
        let rows = sides.iter().try_fold(1usize, |rows, side| rows.checked_mul(*side));
        let (rows, width) = (rows.with_context(|| format!("its shape is {shape:?}: too many rows"))?, *width);
        ensure!(rows > 0 && width > 0, "its shape is {shape:?}: it holds nothing");
        Ok(Self { element, rows, width })
    }

    /// Bytes of all values.
    pub fn bytes(self) -> Result<u64> {
        let bytes = (self.rows as u64).checked_mul(self.row_bytes() as u64);
        bytes.with_context(|| format!("{self} are more than can be counted"))
    }

    /// Bytes of a row.
    pub fn row_bytes(self) -> usize {
        self.width.saturating_mul(self.element.bytes())
    }
}

/// An array and the file that it lies in.
#[derive(Debug)]
pub struct StoredArray {
    pub file: File,
    /// Where its values begin.
    pub offset: u64,
    pub facts: ArrayFacts,
}
