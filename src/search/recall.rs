//! How much of what is near a search finds that does not compare every row, on queries of the bank's own rows.

use super::many::Question;
use super::topk::{Hit, Options};
use crate::bank::Bank;
use crate::progress::CancelToken;
use anyhow::Result;
use serde::{Deserialize, Serialize};

/// Neighbours of a query.
const NEIGHBOURS: usize = 255;
/// The first setting with so much recall is taken.
const ENOUGH: f64 = 0.995;
/// Queries on which settings are tried.
const TRIALS: usize = 16;
/// Others on which the recall is measured.
const QUERIES: usize = 64;

/// What such searches find, measured: a neighbour counts as found if one as near as the true k-th is.
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
    /// Deviations of its error by which a row may be nearer than its code tells; 0 of an index, which knows none.
    pub deviations: f32,
    /// Rows that the codes are of.
    pub rows: usize,
}

/// What a search found, and how many rows it compared.
pub(super) type FoundAfter = (Vec<Hit>, usize);

/// A search of one setting.
pub(super) type Find<'a, T> = &'a dyn Fn(T, &[Question], usize) -> Result<Vec<FoundAfter>>;

/// A search that compares every row.
pub(super) type Exact<'a> = &'a dyn Fn(&[Question], usize) -> Result<Vec<Vec<Hit>>>;

/// The first of the settings `tried` with which `find` finds enough of what `exact` finds, the last if none does, and what
/// it finds of a bank of which the first `rows` rows are searched so. It is measured on other queries than those on which
/// settings are tried.
///
/// # Errors
/// As of a search; cancelled.
pub(super) fn settle<T: Copy>(
    bank: &Bank,
    space: &str,
    rows: usize,
    tried: &[T],
    (find, exact): (Find<'_, T>, Exact<'_>),
    cancel: &CancelToken,
) -> Result<(T, MeasuredRecall)> {
    let k = NEIGHBOURS.min((rows / 64).max(1));
    let (trials, queries) = (rows_of(bank, space, TRIALS, 1)?, rows_of(bank, space, QUERIES, 0)?);
    let mut trials =
        Truths::of_rows(bank, space, &[trials.as_slice(), &queries].concat(), (k, exact), cancel)?;
    let queries = trials.split_off(queries.len());
    let over = |setting: T, truths: &Truths| -> Result<MeasuredRecall> {
        Ok(measured(&truths.parts(find(setting, &truths.questions, k)?), k, rows))
    };
    let mut taken = tried[tried.len() - 1];
    for setting in tried {
        if over(*setting, &trials)?.recall >= ENOUGH {
            taken = *setting;
            break;
        }
    }
    Ok((taken, over(taken, &queries)?))
}

/// Of queries of which such parts were found after comparing so many rows.
fn measured(parts: &[(f64, usize)], k: usize, rows: usize) -> MeasuredRecall {
    let count = parts.len().max(1) as f64;
    let sum = parts.iter().map(|part| part.0).sum::<f64>();
    MeasuredRecall {
        recall: if parts.is_empty() { 1.0 } else { sum / count },
        least: parts.iter().map(|part| part.0).fold(1.0, f64::min),
        queries: parts.len(),
        k,
        compared: parts.iter().map(|part| part.1 as f64).sum::<f64>() / count,
        deviations: 0.0,
        rows,
    }
}

/// Queries with their true neighbours in other images: those in its own are near, and found more surely than what a query
/// from elsewhere finds.
struct Truths {
    questions: Vec<Question>,
    hits: Vec<Vec<Hit>>,
}

impl Truths {
    /// Of `rows`, which are searched for together, so that the bank is read once for all of them.
    fn of_rows(
        bank: &Bank,
        space: &str,
        rows: &[usize],
        (k, exact): (usize, Exact<'_>),
        cancel: &CancelToken,
    ) -> Result<Self> {
        let question = |row: &usize| {
            let mut query = vec![0.0; bank.width(space)?];
            bank.row_f32(space, *row, &mut query)?;
            let own = vec![bank.image_of_row(*row)];
            let options = Options { exclude_images: own, cancel: cancel.clone(), ..Options::default() };
            Ok(Question { query, options })
        };
        let questions = rows.iter().map(question).collect::<Result<Vec<_>>>()?;
        let hits = exact(&questions, k)?;
        Ok(Self { questions, hits })
    }

    /// Takes the last `count` away.
    fn split_off(&mut self, count: usize) -> Self {
        let first = self.questions.len() - count;
        Self { questions: self.questions.split_off(first), hits: self.hits.split_off(first) }
    }

    /// Of each the part that was found, and rows that were compared.
    fn parts(&self, found: Vec<FoundAfter>) -> Vec<(f64, usize)> {
        let part = |((hits, compared), truth): (FoundAfter, &Vec<Hit>)| {
            let Some(worst) = truth.last() else { return (1.0, compared) };
            let near = hits.iter().filter(|hit| hit.cosine >= worst.cosine).count();
            (near as f64 / truth.len() as f64, compared)
        };
        found.into_iter().zip(&self.hits).map(part).collect()
    }
}

/// At most `count` rows with a vector from all over the bank, those of another `offset` others.
fn rows_of(bank: &Bank, space: &str, count: usize, offset: usize) -> Result<Vec<usize>> {
    let (stored, total) = (bank.space(space)?, bank.patches());
    let rows = (0..count).map(|place| (total * place / count + offset * total / (3 * count)).min(total - 1));
    let mut rows: Vec<usize> = rows.filter(|row| stored.has(*row)).collect();
    rows.dedup();
    Ok(rows)
}
