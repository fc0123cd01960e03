//! Stored rows: from float32 to what lies in files and memory, and views on it.

use super::layout::Layout;
use super::spec::{BankSpec, Dtype, SpaceSpec};
use super::sums::{SpaceSums, sum_of};
use crate::files::MappedFile;
use anyhow::{Context, Result, bail, ensure};
use half::f16;
use half::slice::HalfFloatSliceExt;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

// Files are little endian and are mapped as they are.
const _: () = assert!(cfg!(target_endian = "little"), "banks need a little-endian processor");

/// Rows with a smaller norm count as zero vectors: one over it would leave float32.
const SMALLEST_NORM: f64 = 1e-30;

/// Stored values, row-major.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// In half precision.
    F16(&'a [f16]),
    /// In single precision.
    F32(&'a [f32]),
}

/// Rows that lie side by side in memory.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// Row of the bank that comes first.
    pub first_row: usize,
    /// `[rows, width]`.
    pub values: Values<'a>,
    /// `[rows]`: one over the Euclidean norm of the stored row; 0 for a zero row
    /// (norm below 1e-30), NaN for one that takes no part in searches.
    pub inv_norms: &'a [f32],
}

impl Piece<'_> {
    /// The sum of its rows `rows`, each of `width` values.
    pub(super) fn sum(&self, rows: Range<usize>, width: usize) -> u32 {
        let values = self.values.slice(rows.start * width..rows.end * width);
        sum_of(values.bytes(), bytemuck::cast_slice(&self.inv_norms[rows]))
    }

    /// How many of its rows take part in searches.
    pub(super) fn searchable(&self) -> u64 {
        self.inv_norms.iter().filter(|inv| !inv.is_nan()).count() as u64
    }
}

impl<'a> Values<'a> {
    /// As they lie in a file.
    pub(super) fn bytes(&self) -> &'a [u8] {
        match self {
            Values::F16(values) => bytemuck::cast_slice(values),
            Values::F32(values) => bytemuck::cast_slice(values),
        }
    }

    /// Values `range`.
    pub fn slice(&self, range: Range<usize>) -> Values<'a> {
        match self {
            Values::F16(values) => Values::F16(&values[range]),
            Values::F32(values) => Values::F32(&values[range]),
        }
    }

    /// Copies values `range` to `out` as float32, exactly.
    pub fn read(&self, range: Range<usize>, out: &mut [f32]) {
        match self {
            Values::F16(values) => values[range].convert_to_f32_slice(out),
            Values::F32(values) => out.copy_from_slice(&values[range]),
        }
    }
}

/// Values that we own.
#[derive(Clone, Debug)]
pub enum OwnedValues {
    /// In half precision.
    F16(Vec<f16>),
    /// In single precision.
    F32(Vec<f32>),
}

/// Rows in their stored form.
#[derive(Clone, Debug)]
pub(super) struct RowBuffer {
    pub values: OwnedValues,
    pub inv_norms: Vec<f32>,
}

impl RowBuffer {
    pub fn new(dtype: Dtype) -> Self {
        let values = match dtype {
            Dtype::F16 => OwnedValues::F16(Vec::new()),
            Dtype::F32 => OwnedValues::F32(Vec::new()),
        };
        Self { values, inv_norms: Vec::new() }
    }

    /// No rows, of the same format.
    pub fn emptied(&self) -> Self {
        Self::new(match self.values {
            OwnedValues::F16(_) => Dtype::F16,
            OwnedValues::F32(_) => Dtype::F32,
        })
    }

    pub fn rows(&self) -> usize {
        self.inv_norms.len()
    }

    pub fn values(&self) -> Values<'_> {
        (&self.values).into()
    }

    /// Rows as they are stored, `[rows, width]`.
    pub fn stored(values: OwnedValues, width: usize) -> Self {
        let inv_norms = match &values {
            OwnedValues::F16(values) => half_norms(values, width),
            OwnedValues::F32(values) => values.chunks_exact(width).map(inverse_norm).collect(),
        };
        Self { values, inv_norms }
    }

    /// Appends rows `range` of `other`, which has the same format and `width`.
    pub fn extend(&mut self, other: &RowBuffer, range: Range<usize>, width: usize) {
        let values = range.start * width..range.end * width;
        match (&mut self.values, &other.values) {
            (OwnedValues::F16(to), OwnedValues::F16(from)) => to.extend_from_slice(&from[values]),
            (OwnedValues::F32(to), OwnedValues::F32(from)) => to.extend_from_slice(&from[values]),
            _ => unreachable!("one bank has one dtype"),
        }
        self.inv_norms.extend_from_slice(&other.inv_norms[range]);
    }

    /// Replaces the content by `source`, `[rows, width]`.
    ///
    /// # Errors
    /// A finite value that float16 cannot hold.
    pub fn encode(&mut self, source: &[f32], width: usize) -> Result<()> {
        self.inv_norms.clear();
        match &mut self.values {
            OwnedValues::F16(values) => {
                values.resize(source.len(), f16::ZERO);
                values.convert_from_f32_slice(source);
                let overflow =
                    values.iter().zip(source).position(|(to, from)| to.is_infinite() && from.is_finite());
                if let Some(at) = overflow {
                    bail!(
                        "the value {} in row {}, column {} is too large for float16 (at most 65,504); \
                         make the bank with float32 (--dtype f32)",
                        source[at],
                        at / width,
                        at % width
                    );
                }
                self.inv_norms = half_norms(values, width);
            }
            OwnedValues::F32(values) => {
                values.clear();
                values.extend_from_slice(source);
                self.inv_norms.extend(source.chunks_exact(width).map(inverse_norm));
            }
        }
        Ok(())
    }

    /// All rows.
    pub fn piece(&self) -> Piece<'_> {
        Piece { first_row: 0, values: self.values(), inv_norms: &self.inv_norms }
    }
}

/// [`inverse_norm`] of each row.
fn half_norms(values: &[f16], width: usize) -> Vec<f32> {
    let mut row = vec![0.0; width];
    let of_row = |stored: &[f16]| {
        stored.convert_to_f32_slice(&mut row);
        inverse_norm(&row)
    };
    values.chunks_exact(width).map(of_row).collect()
}

/// One over the norm of a stored row; see [`Piece::inv_norms`].
fn inverse_norm(row: &[f32]) -> f32 {
    let norm = row.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt();
    if norm.is_nan() || norm > f64::from(f32::MAX) {
        f32::NAN // a NaN, an infinity, or values that a float32 dot product cannot hold
    } else if norm < SMALLEST_NORM {
        0.0
    } else {
        (1.0 / norm) as f32
    }
}

/// Rows of one image, encoded for every space of `spec`: nothing is written before all of it is known to be good.
#[derive(Debug)]
pub(super) struct ImageEncoder {
    buffers: Vec<RowBuffer>,
}

impl ImageEncoder {
    pub fn new(spec: &BankSpec) -> Self {
        Self { buffers: spec.spaces.iter().map(|_| RowBuffer::new(spec.dtype)).collect() }
    }

    /// Encodes `given` for an image of `rows` patches; one buffer per space, in the order of the spec.
    pub fn encode(&mut self, spec: &BankSpec, rows: usize, given: &[(&str, &[f32])]) -> Result<&[RowBuffer]> {
        if let Some((name, _)) = given.iter().find(|(name, _)| spec.spaces.iter().all(|s| s.name != *name)) {
            bail!("space {name:?} is not one of this bank");
        }
        for (space, buffer) in spec.spaces.iter().zip(&mut self.buffers) {
            let mut matching = given.iter().filter(|(name, _)| *name == space.name);
            let (Some((_, values)), None) = (matching.next(), matching.next()) else {
                bail!("space {:?} must be given once per image", space.name);
            };
            let width = space.width as usize;
            ensure!(
                values.len() == rows * width,
                "space {:?} has {} values; expected {rows} patches x {width}",
                space.name,
                values.len()
            );
            buffer.encode(values, width).with_context(|| format!("space {:?}", space.name))?;
        }
        Ok(&self.buffers)
    }

    /// What was encoded last.
    #[cfg(feature = "lance")]
    pub fn buffers(&self) -> &[RowBuffer] {
        &self.buffers
    }

    /// Rows of NaN for an image of `rows` patches that was skipped.
    pub fn encode_skipped(&mut self, spec: &BankSpec, rows: usize) -> Result<&[RowBuffer]> {
        for (space, buffer) in spec.spaces.iter().zip(&mut self.buffers) {
            let width = space.width as usize;
            buffer.encode(&vec![f32::NAN; rows * width], width)?;
        }
        Ok(&self.buffers)
    }
}

/// File of the values of a space.
pub(super) fn values_path(folder: &Path, space: &SpaceSpec, dtype: Dtype) -> PathBuf {
    folder.join(format!("{}.{}", space.name, dtype.as_str()))
}

/// File of the inverse norms of a space.
pub(super) fn norms_path(folder: &Path, space: &SpaceSpec) -> PathBuf {
    folder.join(format!("{}.inv", space.name))
}

/// Every file of rows and its length in bytes.
pub(super) fn row_files(folder: &Path, spec: &BankSpec, patches: usize) -> Vec<(PathBuf, u64)> {
    let of_space = |space: &SpaceSpec| {
        let row = u64::from(space.width) * spec.dtype.bytes() as u64;
        // Saturated lengths fit no file, so a forged count ends as a wrong size.
        [
            (values_path(folder, space, spec.dtype), row.saturating_mul(patches as u64)),
            (norms_path(folder, space), 4u64.saturating_mul(patches as u64)),
        ]
    };
    spec.spaces.iter().flat_map(of_space).collect()
}

/// Checks that every file of rows, and those `beside` them, is there and as long as it must be.
pub(super) fn check_files(
    folder: &Path,
    spec: &BankSpec,
    layout: &Layout,
    beside: Vec<(PathBuf, u64)>,
) -> Result<()> {
    let patches = layout.patches();
    for (path, expected) in row_files(folder, spec, patches).into_iter().chain(beside) {
        let meta = fs::metadata(&path).with_context(|| format!("the bank lacks {}", path.display()))?;
        ensure!(
            meta.is_file() && meta.len() == expected,
            "{} has {} bytes; expected {expected} for {patches} patches; it was cut off or changed: make the bank again",
            path.display(),
            meta.len()
        );
    }
    Ok(())
}

/// The mapped files of one space.
#[derive(Debug)]
pub(super) struct MappedRows {
    values: MappedFile,
    inv_norms: MappedFile,
    dtype: Dtype,
    width: usize,
    /// `None` for a bank of an earlier version.
    sums: Option<SpaceSums>,
}

impl MappedRows {
    /// Maps the files of `space`, of which [`check_files`] has seen the sizes.
    fn open(
        folder: &Path,
        space: &SpaceSpec,
        dtype: Dtype,
        patches: usize,
        sums: Option<SpaceSums>,
    ) -> Result<Self> {
        let width = space.width as usize;
        let bytes = (patches * width * dtype.bytes()) as u64;
        let values = MappedFile::open(&values_path(folder, space, dtype), bytes)?;
        let inv_norms = MappedFile::open(&norms_path(folder, space), patches as u64 * 4)?;
        Ok(Self { values, inv_norms, dtype, width, sums })
    }

    /// All spaces of a bank, which has sums unless an earlier version made it.
    pub fn open_all(folder: &Path, spec: &BankSpec, layout: &Layout, has_sums: bool) -> Result<Vec<Self>> {
        let sums = has_sums.then(|| SpaceSums::read(folder, spec.spaces.len(), layout)).transpose()?;
        let sums = sums.into_iter().flatten().map(Some).chain(std::iter::repeat_with(|| None));
        let spaces = spec.spaces.iter().zip(sums);
        spaces.map(|(space, sums)| Self::open(folder, space, spec.dtype, layout.patches(), sums)).collect()
    }

    /// Whether the rows have sums.
    pub fn has_sums(&self) -> bool {
        self.sums.is_some()
    }

    /// Looks at the sums of the blocks that hold `rows`, each once.
    ///
    /// # Errors
    /// [`super::DamagedRows`]; as [`MappedRows::check_length`].
    pub fn check_sums(&self, layout: &Layout, rows: Range<usize>) -> Result<()> {
        let Some(sums) = &self.sums else { return Ok(()) };
        let sum = |rows: Range<usize>| self.piece(rows.clone()).sum(0..rows.len(), self.width);
        // A file that was cut gives zeros, and another sum: that it was cut says more.
        let checked = sums.check(layout, rows, self.values.path(), sum);
        checked.or_else(|damage| self.check_length().and(Err(damage)))
    }

    /// Takes for looked at what was in `before`, the same rows at an earlier commit.
    pub fn take_over_checked(&self, before: &Self) {
        if let (Some(sums), Some(before)) = (&self.sums, &before.sums) {
            sums.take_over(before);
        }
    }

    /// # Errors
    /// [`crate::files::Shrunk`]: some of what was read of these rows was not there.
    pub fn check_length(&self) -> Result<()> {
        self.values.check().and_then(|()| self.inv_norms.check())
    }

    pub fn piece(&self, rows: Range<usize>) -> Piece<'_> {
        let range = rows.start * self.width..rows.end * self.width;
        let values = match self.dtype {
            Dtype::F16 => Values::F16(&bytemuck::cast_slice(&self.values)[range]),
            Dtype::F32 => Values::F32(&bytemuck::cast_slice(&self.values)[range]),
        };
        Piece { first_row: rows.start, values, inv_norms: &bytemuck::cast_slice(&self.inv_norms)[rows] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_are_those_of_the_stored_values() {
        let mut buffer = RowBuffer::new(Dtype::F16);
        buffer.encode(&[3.0001, 4.0, 0.0, 1e-9, f32::NAN, 1.0, f32::INFINITY, 1.0], 2).unwrap();
        assert_eq!(buffer.inv_norms[..2], [0.2, 0.0]);
        assert!(buffer.inv_norms[2].is_nan() && buffer.inv_norms[3].is_nan());
        assert_eq!(buffer.piece().searchable(), 2);
        let mut buffer = RowBuffer::new(Dtype::F32);
        buffer.encode(&[3e38, 3e38, 1e-20, 0.0, 1e-35, 0.0], 2).unwrap();
        assert!(buffer.inv_norms[0].is_nan());
        assert_eq!(buffer.inv_norms[1..], [1e20, 0.0]);
    }

    #[test]
    fn a_value_beyond_float16_names_its_place_and_the_way_out() {
        let mut buffer = RowBuffer::new(Dtype::F16);
        let error = buffer.encode(&[0.0, 65504.0, -65520.0, 1.0], 2).unwrap_err().to_string();
        assert!(
            error.contains("-65520") && error.contains("row 1, column 0") && error.contains("f32"),
            "{error}"
        );
    }
}
