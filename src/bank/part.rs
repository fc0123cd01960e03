//! One of several parts of a bank, each made where and when it suits: which images it has, and of what whole.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::images;
use super::layout::{ImageEntry, Layout};
use crate::patch::PatchGrid;
use crate::words::thousands;

/// Most parts of a bank.
const MOST_PARTS: u32 = 1_000_000;

/// Which part of how many: `2/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartNumber {
    /// Which one, from 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

impl fmt::Display for PartNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for PartNumber {
    type Err = anyhow::Error;

    fn from_str(words: &str) -> Result<Self> {
        let numbers = words.split_once('/').and_then(|(number, of)| {
            let [number, of] = [number, of].map(|digits| digits.trim().parse().ok());
            Some(Self { number: number?, of: of? })
        });
        let part = numbers.context("expected I/N, such as 2/8 for the second of eight parts")?;
        ensure!(part.is_one(), "{part} is no part; expected I/N with I from 1 to N, and N at most 1,000,000");
        Ok(part)
    }
}

impl PartNumber {
    fn is_one(self) -> bool {
        self.of <= MOST_PARTS && (1..=self.of).contains(&self.number)
    }

    /// The images of this part of `images`, and what is noted of the whole. Parts are runs of it, one after the other,
    /// with as many images that have patches in each, but for one: laid end to end they are the whole.
    ///
    /// # Errors
    /// There are fewer images with patches than parts; or as [`super::BankSpec::bytes`].
    pub fn take(self, grid: PatchGrid, images: Vec<ImageEntry>) -> Result<(Vec<ImageEntry>, PartFacts)> {
        let images_sha256 = images::sha256(&images);
        let whole = Layout::new(grid, images)?;
        let places = 0..whole.images().len();
        let filled: Vec<usize> = places.filter(|place| !whole.rows_of(*place).is_empty()).collect();
        ensure!(
            self.is_one() && self.of as usize <= filled.len(),
            "{} cannot be divided in {} parts; expected at most one for each image",
            match filled.len() {
                1 => "1 image with patches".to_owned(),
                count => format!("{} images with patches", thousands(count)),
            },
            thousands(self.of)
        );
        // The image that the part after `parts` others begins with; images without patches go with the one before.
        let first = |parts: u32| match u64::from(parts) * filled.len() as u64 / u64::from(self.of) {
            0 => 0,
            before => filled.get(before as usize).copied().unwrap_or(whole.images().len()),
        };
        let part = whole.images()[first(self.number - 1)..first(self.number)].to_vec();
        let (Self { number, of }, images) = (self, whole.images().len() as u64);
        Ok((part, PartFacts { number, of, images, patches: whole.patches() as u64, images_sha256 }))
    }
}

/// What a bank notes that is a part of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartFacts {
    /// Which part it is, from 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
    /// Images of the whole.
    pub images: u64,
    /// Patches of the whole.
    pub patches: u64,
    /// Hex SHA-256 of the whole's `images.bin`.
    pub images_sha256: String,
}

impl fmt::Display for PartFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, of, images, .. } = self;
        write!(f, "part {} of {} of a bank of {} images", thousands(number), thousands(of), thousands(images))
    }
}

impl PartFacts {
    /// Which part of how many.
    pub fn part_number(&self) -> PartNumber {
        PartNumber { number: self.number, of: self.of }
    }

    /// Checks what may come from a file.
    pub(super) fn validate(&self) -> Result<()> {
        let part = self.part_number();
        ensure!(part.is_one(), "it is part {part}; expected I/N with I from 1 to N");
        ensure!(
            u64::from(self.of) <= self.images,
            "it is one of {} parts of {} images; expected at most one for each",
            self.of,
            self.images
        );
        Ok(())
    }

    /// Whether both are parts of the same whole, divided alike.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        Self { number: other.number, ..self.clone() } == *other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Patch 4, stride 4: an image of 3 pixels has no patch.
    fn images(sides: &[u32]) -> Vec<ImageEntry> {
        let entry = |(place, side): (usize, &u32)| ImageEntry {
            index: place as u32,
            height: *side,
            width: *side,
            label: None,
            name: place.to_string(),
        };
        sides.iter().enumerate().map(entry).collect()
    }

    #[test]
    fn parts_lie_end_to_end_and_each_has_patches() {
        let grid = PatchGrid::new(4, 4).unwrap();
        for sides in [&[8, 4, 8, 4, 4, 8, 8][..], &[3, 8, 3, 3, 4, 8, 3], &[3, 3, 8, 40, 4]] {
            let whole = images(sides);
            let most = sides.iter().filter(|side| **side >= 4).count() as u32;
            for of in 1..=most {
                let taken =
                    (1..=of).map(|number| PartNumber { number, of }.take(grid, whole.clone()).unwrap());
                let (parts, facts): (Vec<_>, Vec<_>) = taken.unzip();
                assert_eq!(parts.concat(), whole, "{of} parts");
                let counts: Vec<usize> =
                    parts.iter().map(|part| part.iter().filter(|image| image.height >= 4).count()).collect();
                let [least, most] = [counts.iter().min(), counts.iter().max()].map(|count| *count.unwrap());
                assert!(least > 0 && most - least <= 1, "{counts:?}");
                assert!(
                    facts.iter().all(|part| part.is_beside(&facts[0]) && part.images == sides.len() as u64)
                );
            }
            let error = PartNumber { number: 1, of: most + 1 }.take(grid, whole).unwrap_err().to_string();
            assert!(error.contains("images with patches cannot be divided"), "{error}");
        }
    }

    #[test]
    fn a_part_is_typed_as_a_number_of_how_many() {
        assert_eq!("2/8".parse::<PartNumber>().unwrap(), PartNumber { number: 2, of: 8 });
        assert_eq!("8/8".parse::<PartNumber>().unwrap().to_string(), "8/8");
        for words in ["", "2", "/", "2/", "0/8", "9/8", "0/0", "-1/8", "1/2/3", "1/99999999999"] {
            assert!(words.parse::<PartNumber>().unwrap_err().to_string().contains("expected I/N"), "{words}");
        }
    }
}
