//! How much of what is near the codes find, on queries of the bank's own rows; kept in `SPACE.codes.json`.

use super::file::{RowCodes, codes_path, measured_path};
use super::find::{FoundByCodes, find_many};
use crate::bank::{Bank, VectorCache};
use crate::files;
use crate::progress::CancelToken;
use crate::search::many::{Question, top_k_many};
use crate::search::recall::{MeasuredRecall, settle};
use crate::search::topk::Options;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Deviations that are tried.
const TRIED: [f32; 5] = [1.5, 2.0, 2.5, 3.0, 4.0];

/// A bank's codes with what they are known to find.
#[derive(Debug)]
pub struct Quantised {
    codes: RowCodes,
    measured: MeasuredRecall,
}

impl Quantised {
    /// The codes of `space` of `bank`, with what was measured; `None` where they are not there, or not measured.
    ///
    /// # Errors
    /// As [`RowCodes::open`].
    pub fn open(bank: &Bank, space: &str, cache: Option<&VectorCache>) -> Result<Option<Self>> {
        let Some(codes) = RowCodes::open(bank, space, cache)? else { return Ok(None) };
        let Some(path) = Some(measured_path(codes.path())).filter(|path| path.is_file()) else {
            return Ok(None);
        };
        let read = files::read(&path, files::MOST_WORDS).map_err(anyhow::Error::new);
        let measured = read.and_then(|bytes| Ok(serde_json::from_slice::<MeasuredRecall>(&bytes)?));
        let measured = measured.with_context(|| format!("{} is damaged", path.display()))?;
        Ok((measured.rows == codes.rows()).then_some(Self { codes, measured }))
    }

    /// When what is known of the codes of `space` was last written down, beside `bank` or in `cache`: they may be made, or
    /// made again, while a bank is open.
    pub fn written(bank: &Bank, space: &str, cache: Option<&VectorCache>) -> Option<SystemTime> {
        let place = cache.and_then(|cache| cache.place_of_codes(bank.spec()));
        let folders = bank.folder().map(Path::to_path_buf).into_iter().chain(place);
        let time = |folder: PathBuf| {
            std::fs::metadata(measured_path(&codes_path(&folder, space)))
                .and_then(|meta| meta.modified())
                .ok()
        };
        folders.filter_map(time).max()
    }

    /// Measures what `codes` find, and writes it down beside them.
    ///
    /// # Errors
    /// As of a search; cancelled; the write failed.
    pub fn measure(bank: &Bank, space: &str, codes: RowCodes, cancel: &CancelToken) -> Result<Self> {
        let find = |deviations: f32, questions: &[Question], k: usize| {
            let found = find_many(&codes, deviations, bank, questions, k)?;
            Ok(found.into_iter().map(|found| (found.hits, found.compared)).collect())
        };
        let exact = |questions: &[Question], k: usize| top_k_many(bank, space, questions, k);
        let (deviations, measured) = settle(bank, space, codes.rows(), &TRIED, (&find, &exact), cancel)?;
        let measured = MeasuredRecall { deviations, ..measured };
        files::write_bytes_atomic(&measured_path(codes.path()), &serde_json::to_vec_pretty(&measured)?)?;
        Ok(Self { codes, measured })
    }

    /// As [`super::super::top_k`], of which some may be missed: as many as [`Quantised::measured`] says.
    ///
    /// # Errors
    /// As [`super::super::top_k`]; [`super::StaleCodes`].
    pub fn top_k(&self, bank: &Bank, query: &[f32], k: usize, options: &Options) -> Result<FoundByCodes> {
        let question = Question { query: query.to_vec(), options: options.clone() };
        let found = self.top_k_many(bank, &[question], k)?;
        found.into_iter().next().context("one question has one answer")
    }

    /// What [`Quantised::top_k`] gives for each of `questions`, to the bit: the codes are read once for many of them.
    ///
    /// # Errors
    /// As [`Quantised::top_k`], for any of them.
    pub fn top_k_many(&self, bank: &Bank, questions: &[Question], k: usize) -> Result<Vec<FoundByCodes>> {
        find_many(&self.codes, self.measured.deviations, bank, questions, k)
    }

    /// What they find.
    pub fn measured(&self) -> MeasuredRecall {
        self.measured
    }

    /// The codes.
    pub fn codes(&self) -> &RowCodes {
        &self.codes
    }

    /// The codes alone, to be made again.
    pub fn into_codes(self) -> RowCodes {
        self.codes
    }
}
