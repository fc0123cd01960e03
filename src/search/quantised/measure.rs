//! How much of what is near the codes find, on queries of the bank's own rows; kept in `SPACE.codes.json`.

use super::file::{RowCodes, codes_path};
use super::find::{FoundByCodes, find_many};
use crate::bank::{Bank, VectorCache};
use crate::files;
use crate::progress::CancelToken;
use crate::search::many::{Question, top_k_many};
use crate::search::topk::{Hit, Options};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Neighbours of a query.
const NEIGHBOURS: usize = 255;
/// Deviations that are tried, on queries other than those that the recall is then measured on.
const TRIED: [f32; 5] = [1.5, 2.0, 2.5, 3.0, 4.0];
/// The first of them with so much recall is taken.
const ENOUGH: f64 = 0.995;
/// Queries on which they are tried.
const TRIALS: usize = 16;
/// Queries on which the recall is measured.
const QUERIES: usize = 64;

/// What searches by codes find, measured: a neighbour counts as found if one as near as the true k-th is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasuredRecall {
    /// Part of the neighbours that are found, in [0, 1], over all queries.
    pub recall: f64,
    /// Of the query with the least.
    pub least: f64,
    /// Queries: rows of the bank, from all over it, each without the image that it is of.
    pub queries: usize,
    /// Neighbours of each.
    pub k: usize,
    /// Rows of a query whose vectors are compared, on average.
    pub compared: f64,
    /// Deviations of its error by which a row may be nearer than its code tells.
    pub deviations: f32,
    /// Rows that the codes are of.
    pub rows: usize,
}

/// A bank's codes with what they are known to find.
#[derive(Debug)]
pub struct Quantised {
    codes: RowCodes,
    measured: MeasuredRecall,
}

fn measured_path(codes: &RowCodes) -> PathBuf {
    codes.path().with_extension("codes.json")
}

impl Quantised {
    /// The codes of `space` of `bank`, with what was measured; `None` where they are not there, or not measured.
    ///
    /// # Errors
    /// As [`RowCodes::open`].
    pub fn open(bank: &Bank, space: &str, cache: Option<&VectorCache>) -> Result<Option<Self>> {
        let Some(codes) = RowCodes::open(bank, space, cache)? else { return Ok(None) };
        let Some(path) = Some(measured_path(&codes)).filter(|path| path.is_file()) else { return Ok(None) };
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
            let path = codes_path(&folder, space).with_extension("codes.json");
            std::fs::metadata(path).and_then(|meta| meta.modified()).ok()
        };
        folders.filter_map(time).max()
    }

    /// Measures what `codes` find, and writes it down beside them.
    ///
    /// # Errors
    /// As of a search; cancelled; the write failed.
    pub fn measure(bank: &Bank, space: &str, codes: RowCodes, cancel: &CancelToken) -> Result<Self> {
        let k = NEIGHBOURS.min((codes.rows() / 64).max(1));
        let (trials, queries) = (rows_of(bank, space, TRIALS, 1)?, rows_of(bank, space, QUERIES, 0)?);
        let over = |deviations: f32, truths: &Truths| -> Result<MeasuredRecall> {
            let parts = truths.found_by(&codes, deviations, bank)?;
            let count = parts.len().max(1) as f64;
            Ok(MeasuredRecall {
                recall: if parts.is_empty() {
                    1.0
                } else {
                    parts.iter().map(|part| part.0).sum::<f64>() / count
                },
                least: parts.iter().map(|part| part.0).fold(1.0, f64::min),
                queries: parts.len(),
                k,
                compared: parts.iter().map(|part| part.1 as f64).sum::<f64>() / count,
                deviations,
                rows: codes.rows(),
            })
        };
        let mut trials = Truths::of_rows(bank, space, &[trials.as_slice(), &queries].concat(), k, cancel)?;
        let queries = trials.split_off(queries.len());
        let mut deviations = TRIED[TRIED.len() - 1];
        for tried in TRIED {
            if over(tried, &trials)?.recall >= ENOUGH {
                deviations = tried;
                break;
            }
        }
        let measured = over(deviations, &queries)?;
        files::write_bytes_atomic(&measured_path(&codes), &serde_json::to_vec_pretty(&measured)?)?;
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

/// Queries with their true neighbours in other images: those in its own are near, and found more surely than what a query
/// from elsewhere finds.
struct Truths {
    questions: Vec<Question>,
    hits: Vec<Vec<Hit>>,
    k: usize,
}

impl Truths {
    /// Of `rows`, which are searched for together, so that the bank is read once for all of them.
    fn of_rows(bank: &Bank, space: &str, rows: &[usize], k: usize, cancel: &CancelToken) -> Result<Self> {
        let question = |row: &usize| {
            let mut query = vec![0.0; bank.width(space)?];
            bank.row_f32(space, *row, &mut query)?;
            let own = vec![bank.image_of_row(*row)];
            let options = Options { exclude_images: own, cancel: cancel.clone(), ..Options::default() };
            Ok(Question { query, options })
        };
        let questions = rows.iter().map(question).collect::<Result<Vec<_>>>()?;
        let hits = top_k_many(bank, space, &questions, k)?;
        Ok(Self { questions, hits, k })
    }

    /// Takes the last `count` away.
    fn split_off(&mut self, count: usize) -> Self {
        let first = self.questions.len() - count;
        Self { questions: self.questions.split_off(first), hits: self.hits.split_off(first), k: self.k }
    }

    /// Of each the part that is found, and rows that were compared.
    fn found_by(&self, codes: &RowCodes, deviations: f32, bank: &Bank) -> Result<Vec<(f64, usize)>> {
        let found = find_many(codes, deviations, bank, &self.questions, self.k)?;
        let part = |(found, truth): (FoundByCodes, &Vec<Hit>)| {
            let Some(worst) = truth.last() else { return (1.0, found.compared) };
            let near = found.hits.iter().filter(|hit| hit.cosine >= worst.cosine).count();
            (near as f64 / truth.len() as f64, found.compared)
        };
        Ok(found.into_iter().zip(&self.hits).map(part).collect())
    }
}

/// At most `count` rows with a vector from all over the bank, those of another `offset` others.
fn rows_of(bank: &Bank, space: &str, count: usize, offset: usize) -> Result<Vec<usize>> {
    let (stored, total) = (bank.space(space)?, bank.patches());
    let rows = (0..count).map(|place| (total * place / count + offset * total / (3 * count)).min(total - 1));
    let mut rows: Vec<usize> = rows.filter(|row| stored.searchable_in(*row..*row + 1) == 1).collect();
    rows.dedup();
    Ok(rows)
}
