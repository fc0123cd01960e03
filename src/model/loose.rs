//! Arrays in the files of other programs, before they are read: any kind of number, any strides.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use half::{bf16, f16};

use super::weights::Array;

/// Kind of an array's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberKind {
    /// 64-bit floating point.
    F64,
    /// 32-bit floating point.
    F32,
    /// 16-bit floating point of IEEE 754.
    F16,
    /// 16-bit floating point with the exponent of 32 bits.
    Bf16,
    /// No floating point, of so many bytes: counters, indices.
    Whole(usize),
}

impl NumberKind {
    /// Bytes of one number.
    pub fn size(self) -> usize {
        match self {
            NumberKind::F64 => 8,
            NumberKind::F32 => 4,
            NumberKind::F16 | NumberKind::Bf16 => 2,
            NumberKind::Whole(size) => size,
        }
    }
}

/// An array in a file.
#[derive(Clone, Debug)]
pub struct Loose<'a> {
    kind: NumberKind,
    shape: Vec<usize>,
    /// In numbers, not bytes.
    strides: Vec<usize>,
    /// From its first number on.
    bytes: &'a [u8],
}

/// All arrays of a file by their names.
pub type LooseArrays<'a> = BTreeMap<String, Loose<'a>>;

impl<'a> Loose<'a> {
    /// An array in row-major order that `bytes` holds as a whole.
    ///
    /// # Errors
    /// `bytes` are too few.
    pub fn contiguous(kind: NumberKind, shape: Vec<usize>, bytes: &'a [u8]) -> Result<Self> {
        let mut strides = vec![1_usize; shape.len()];
        for index in (1..shape.len()).rev() {
            strides[index - 1] = strides[index].saturating_mul(shape[index]);
        }
        Self::strided(kind, shape, strides, 0, bytes)
    }

    /// An array whose numbers lie in `bytes`, the first at number `offset`, with so many numbers from one to the
    /// next along each dimension.
    ///
    /// # Errors
    /// It reaches beyond `bytes`, or repeats numbers.
    pub fn strided(
        kind: NumberKind,
        shape: Vec<usize>,
        strides: Vec<usize>,
        offset: usize,
        bytes: &'a [u8],
    ) -> Result<Self> {
        ensure!(
            shape.len() == strides.len() && shape.len() <= 8,
            "{} dimensions with {} strides",
            shape.len(),
            strides.len()
        );
        let held = bytes.len() / kind.size();
        let count = shape.iter().try_fold(1_usize, |count, side| count.checked_mul(*side));
        let last = shape
            .iter()
            .zip(&strides)
            .try_fold(0_usize, |last, (side, stride)| {
                last.checked_add(side.saturating_sub(1).checked_mul(*stride)?)
            })
            .and_then(|last| last.checked_add(offset));
        let fits = count.is_some_and(|count| count <= held)
            && (count == Some(0) || last.is_some_and(|last| last < held));
        ensure!(fits, "shape {shape:?} with strides {strides:?} from number {offset} on, of {held} numbers");
        let bytes = bytes.get(offset * kind.size()..).unwrap_or_default();
        Ok(Self { kind, shape, strides, bytes })
    }

    /// Length of each dimension.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Whether its numbers are floating point.
    pub fn is_float(&self) -> bool {
        !matches!(self.kind, NumberKind::Whole(_))
    }

    /// Its numbers as float32, row-major.
    ///
    /// # Errors
    /// They are no floating-point numbers, or not finite.
    pub fn array(&self) -> Result<Array> {
        let values = match self.kind {
            NumberKind::F64 => self.gather(|b: [u8; 8]| f64::from_le_bytes(b) as f32),
            NumberKind::F32 => self.gather(f32::from_le_bytes),
            NumberKind::F16 => self.gather(|b| f16::from_le_bytes(b).to_f32()),
            NumberKind::Bf16 => self.gather(|b| bf16::from_le_bytes(b).to_f32()),
            NumberKind::Whole(_) => bail!("whole numbers; expected floating point"),
        };
        let wrong = values.iter().position(|value| !value.is_finite());
        ensure!(wrong.is_none(), "value {} is not finite", wrong.unwrap_or_default());
        Ok(Array { shape: self.shape.clone(), values })
    }

    fn gather<const N: usize>(&self, number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        let count: usize = self.shape.iter().product();
        let at = |index: usize| {
            let bytes = &self.bytes[index * N..(index + 1) * N];
            number(bytes.try_into().expect("N bytes"))
        };
        if self.is_row_major() {
            return (0..count).map(at).collect();
        }
        let mut values = Vec::with_capacity(count);
        let mut place = vec![0; self.shape.len()];
        for _ in 0..count {
            values.push(at(place.iter().zip(&self.strides).map(|(place, stride)| place * stride).sum()));
            // The last dimension runs fastest.
            for (place, side) in place.iter_mut().zip(&self.shape).rev() {
                *place += 1;
                if *place < *side {
                    break;
                }
                *place = 0;
            }
        }
        values
    }

    /// Bytes from its first number to behind its last.
    fn reach(&self) -> usize {
        if self.shape.contains(&0) {
            return 0;
        }
        let last: usize =
            self.shape.iter().zip(&self.strides).map(|(side, stride)| (side - 1) * stride).sum();
        (last + 1) * self.kind.size()
    }

    fn is_row_major(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(side, stride)| {
            let right = *side == 1 || *stride == expected;
            expected *= side;
            right
        })
    }
}

/// Checks that `arrays` have their numbers each to itself, but for a few: those of a small file could become as many as one
/// likes.
///
/// # Errors
/// They have more than twice as many as there are.
pub fn ensure_apart<'a>(arrays: impl Iterator<Item = &'a Loose<'a>>) -> Result<()> {
    let mut places: Vec<(usize, usize)> = vec![];
    let mut told = 0_usize;
    for array in arrays {
        let bytes = array.shape.iter().product::<usize>() * array.kind.size();
        told = told.saturating_add(bytes);
        let first = array.bytes.as_ptr().addr();
        places.push((first, first + array.reach().min(array.bytes.len())));
    }
    places.sort_unstable();
    let (mut held, mut end) = (0, 0);
    for (first, last) in places {
        held += last.saturating_sub(first.max(end));
        end = end.max(last);
    }
    ensure!(
        told <= held.saturating_mul(2),
        "its arrays have {told} bytes in {held}: they lie over one another, as no program writes them"
    );
    Ok(())
}

/// The array of a name, read.
///
/// # Errors
/// It is not there or cannot be read; names it.
pub fn array(arrays: &LooseArrays<'_>, name: &str) -> Result<Array> {
    let found = arrays.get(name).with_context(|| format!("{name} is missing"))?;
    found.array().with_context(|| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_and_kinds_are_followed() {
        let numbers: Vec<f32> = (0..12).map(|v| v as f32).collect();
        let bytes: &[u8] = bytemuck::cast_slice(&numbers);
        let plain = Loose::contiguous(NumberKind::F32, vec![3, 4], bytes).unwrap();
        assert_eq!(plain.array().unwrap().values, numbers);
        // The transpose, from the second number on: columns 1 to 3.
        let turned = Loose::strided(NumberKind::F32, vec![3, 3], vec![1, 4], 1, bytes).unwrap();
        assert_eq!(turned.array().unwrap().values, [1., 5., 9., 2., 6., 10., 3., 7., 11.]);
        let halves = [f16::from_f32(1.5), f16::from_f32(-2.0)].map(f16::to_le_bytes).concat();
        assert_eq!(
            Loose::contiguous(NumberKind::F16, vec![2], &halves).unwrap().array().unwrap().values,
            [1.5, -2.0]
        );
        let brain = [bf16::from_f32(1.5), bf16::from_f32(-256.0)].map(bf16::to_le_bytes).concat();
        assert_eq!(
            Loose::contiguous(NumberKind::Bf16, vec![2, 1], &brain).unwrap().array().unwrap().values,
            [1.5, -256.0]
        );
        let double = [0.1_f64, 2.0].map(f64::to_le_bytes).concat();
        assert_eq!(
            Loose::contiguous(NumberKind::F64, vec![2], &double).unwrap().array().unwrap().values,
            [0.1, 2.0]
        );
        assert_eq!(Loose::contiguous(NumberKind::F32, vec![], bytes).unwrap().array().unwrap().values, [0.0]);
    }

    #[test]
    fn arrays_that_lie_over_one_another_are_refused() {
        let bytes = [0; 400];
        let part = |offset: usize, count: usize| {
            Loose::strided(NumberKind::F32, vec![count], vec![1], offset, &bytes).unwrap()
        };
        let ensure = |arrays: &[Loose<'_>]| ensure_apart(arrays.iter());
        assert!(ensure(&[part(0, 50), part(50, 50)]).is_ok());
        assert!(ensure(&[part(0, 100), part(0, 100)]).is_ok(), "two names of one array");
        assert!(
            ensure(&[part(0, 98), part(1, 98), part(2, 98)])
                .unwrap_err()
                .to_string()
                .contains("over one another")
        );
        assert!(ensure(&[part(0, 0), part(7, 1)]).is_ok());
    }

    #[test]
    fn what_reaches_beyond_its_storage_is_refused() {
        let bytes = [0; 48];
        for (shape, strides, offset) in [
            (vec![3, 5], vec![5, 1], 0),
            (vec![3, 4], vec![4, 1], 1),
            (vec![2, 2], vec![11, 1], 0),
            // Repeats numbers: a small file would become a large array.
            (vec![1 << 40], vec![0], 0),
            (vec![usize::MAX, 2], vec![1, 1], 0),
            (vec![2], vec![usize::MAX], 0),
            (vec![1], vec![1], usize::MAX),
        ] {
            let words = format!("{shape:?} {strides:?}");
            assert!(Loose::strided(NumberKind::F32, shape, strides, offset, &bytes).is_err(), "{words}");
        }
        assert!(
            Loose::contiguous(NumberKind::F32, vec![0, 7], &bytes)
                .unwrap()
                .array()
                .unwrap()
                .values
                .is_empty()
        );
        let infinite = f32::INFINITY.to_le_bytes();
        let error = Loose::contiguous(NumberKind::F32, vec![1], &infinite).unwrap().array().unwrap_err();
        assert!(error.to_string().contains("not finite"));
        assert!(Loose::contiguous(NumberKind::Whole(8), vec![2], &bytes).unwrap().array().is_err());
    }
}
