//! How the picture files of a set are read: the choices, and what they came to.

use std::path::{Path, PathBuf};

use anyhow::Result;
use rayon::prelude::*;

use super::decode::{self, PictureFacts};
use super::decoding::{Decoding, DecodingFacts, Exif, ValueRule, ValueWindow};
use super::wide::ImageValues;
use crate::files;

/// The choices for a set of pictures, and the window of values where it is one for all.
#[derive(Default)]
pub(super) struct Reading {
    pub decoding: Decoding,
    window: Option<ValueWindow>,
    /// Samples that are not numbers, where all pictures were looked at.
    not_numbers: u64,
}

impl Reading {
    /// Of a set whose pictures with more than 8 bits are `wide`, and `beside` those of its other split. They are read where
    /// all of them decide, and those that are broken have no say. Errors: one could not be read, or all are broken.
    pub fn new(decoding: Decoding, wide: &[&Path], beside: &[PathBuf]) -> Result<Self> {
        match decoding.value_window {
            ValueRule::Data => Self::looked_at(decoding, wide, beside),
            ValueRule::Window(window) => Ok(Self { decoding, window: Some(window), not_numbers: 0 }),
            ValueRule::File | ValueRule::Image => Ok(Self { decoding, ..Self::default() }),
        }
    }

    /// Of the single picture `wide`, if it has more than 8 bits: it is read, so that its values are known.
    pub fn of_one_picture(decoding: Decoding, wide: &[&Path]) -> Result<Self> {
        Self::looked_at(decoding, wide, &[])
    }

    fn looked_at(decoding: Decoding, wide: &[&Path], beside: &[PathBuf]) -> Result<Self> {
        let alone = Decoding { exif: Exif::Ignore, ..decoding };
        let look = |path: &Path| Ok(decode::decode(path, alone)?.values);
        let found = unless_unread(wide.par_iter().map(|path| look(path)).collect())?;
        let values: Vec<ImageValues> = found.iter().flatten().copied().flatten().collect();
        let Some(first) = values.first() else {
            let error = found.into_iter().find_map(Result::err);
            return error.map_or(Ok(Self { decoding, ..Self::default() }), Err);
        };
        let window = if decoding.value_window == ValueRule::Data {
            let others = unless_unread(beside.par_iter().map(|path| look(path)).collect())?;
            let both = || values.iter().chain(others.iter().flatten().flatten());
            let extent = both().fold(first.extent, |all, values| all.with(values.extent));
            if both().all(|values| values.is_whole) { extent.or_whole_16() } else { extent }
        } else {
            first.window
        };
        let not_numbers = values.iter().map(|values| values.not_numbers).sum();
        Ok(Self { decoding, window: Some(window), not_numbers })
    }

    /// How one of the pictures is decoded: with the values of all where these were asked for.
    pub fn of_each(&self) -> Decoding {
        let value_window = match (self.decoding.value_window, self.window) {
            (ValueRule::Data, Some(window)) => ValueRule::Window(window),
            (rule, _) => rule,
        };
        Decoding { value_window, ..self.decoding }
    }

    /// What the choices came to in a set of such pictures, if they mattered.
    pub fn facts<'a>(&self, pictures: impl Iterator<Item = &'a PictureFacts>) -> Option<DecodingFacts> {
        let (mut images, mut turned, mut wide) = (0, 0, 0);
        for facts in pictures {
            images += 1;
            turned += u64::from(facts.is_turned());
            wide += u64::from(facts.is_wide());
        }
        let Decoding { exif, value_window } = self.decoding;
        let window = self.window.filter(|_| wide > 0);
        let facts =
            DecodingFacts { exif, value_window, images, turned, wide, window, not_numbers: self.not_numbers };
        (turned + wide > 0).then_some(facts)
    }

    /// What a fingerprint of such pictures holds of how they are decoded. Nothing where no choice matters and
    /// early versions of the program decoded them as it does now.
    pub fn mark<'a>(&self, pictures: impl Iterator<Item = &'a PictureFacts> + Clone) -> String {
        let mut mark = String::new();
        if pictures.clone().any(PictureFacts::is_jpeg) {
            mark += "jpeg as libjpeg-turbo\n";
        }
        let (turned, wide) =
            self.facts(pictures).map_or((false, false), |facts| (facts.turned > 0, facts.wide > 0));
        if turned && self.decoding.exif == Exif::Ignore {
            mark += "exif ignore\n";
        }
        match (wide, self.decoding.value_window) {
            (false, _) => {}
            (true, ValueRule::Data) => mark += &format!("values {:?}\n", self.window),
            (true, rule) => mark += &format!("values {rule}\n"),
        }
        mark
    }
}
/// What was found in pictures; the first error of reading, which is none of the picture, stops.
fn unless_unread(mut found: Vec<Result<Option<ImageValues>>>) -> Result<Vec<Result<Option<ImageValues>>>> {
    if let Some(unread) = found.iter().position(|found| found.as_ref().is_err_and(files::is_read_error)) {
        found.swap_remove(unread)?;
    }
    Ok(found)
}
