//! The k nearest rows by way of codes: those that the codes cannot tell from the nearest are compared exactly.

use super::file::RowCodes;
use super::popcount::Counter;
use super::scan::Scan;
use super::sketch::Sketch;
use crate::bank::Bank;
use crate::search::topk::{Hit, Options, Ranked, Threshold, TopKJob, top_k};
use anyhow::Result;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

/// Where more of the rows than one in so many may be near, all are compared exactly: that is no slower.
const WORTHWHILE: usize = 8;

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundByCodes {
    /// The nearest, best first, with the cosines that [`top_k`] gives.
    pub hits: Vec<Hit>,
    /// Rows whose vectors were compared; all where the codes told too little, and the hits are then those of [`top_k`].
    pub compared: usize,
}

/// As [`top_k`], but a row may be missed whose code is off by more than so many `deviations` of its error. Rows that came
/// to the bank after the codes are all compared.
///
/// # Errors
/// As [`top_k`]; [`super::StaleCodes`].
pub(super) fn find(
    codes: &RowCodes,
    deviations: f32,
    bank: &Bank,
    query: &[f32],
    k: usize,
    options: &Options,
) -> Result<FoundByCodes> {
    let space = codes.facts.space.as_str();
    let job = TopKJob::new(bank, space, query, k, options)?;
    let exact =
        || Ok(FoundByCodes { hits: top_k(bank, space, query, k, options)?, compared: bank.patches() });
    if job.keep == 0 || job.per_image == 0 {
        return Ok(FoundByCodes { hits: vec![], compared: 0 });
    }
    let rows = codes.rows().min(bank.patches());
    let (wanted, most) = (2 * job.keep, rows / WORTHWHILE);
    if wanted > most || job.query.iter().all(|value| *value == 0.0) {
        return exact();
    }
    let scan = Scan {
        codes,
        sketch: Sketch::new(&codes.frame, &job.query),
        job: &job,
        counter: Counter::available()[0],
        deviations,
        wanted,
        most,
        threshold: Threshold::default(),
        is_crowded: AtomicBool::new(false),
        trouble: Mutex::default(),
    };
    let Some(scanned) = scan.run(rows)? else { return exact() };
    let later = job.best_from(rows)?;
    // The k-th best of any rows is no better than the k-th best of all.
    let first: Vec<usize> = scanned.first.iter().map(|hit| hit.row).collect();
    let some = ranked(&job, scored(&job, first)?, &later);
    let least = if some.len() < job.keep { f32::NEG_INFINITY } else { some[some.len() - 1].cosine };
    let near = scanned.kept.into_iter().filter(|kept| kept.most >= least).map(|kept| kept.row);
    let mut near: Vec<usize> = near.chain(scanned.first.iter().map(|hit| hit.row)).collect();
    near.sort_unstable();
    near.dedup();
    let compared = near.len() + bank.patches() - rows;
    let hits = ranked(&job, scored(&job, near)?, &later);
    job.check()?;
    Ok(FoundByCodes { hits, compared })
}

/// The exact cosines of rows, whose sums are looked at.
fn scored(job: &TopKJob<'_>, rows: Vec<usize>) -> Result<Vec<Hit>> {
    rows.iter().try_for_each(|row| job.space.check(*row..*row + 1))?;
    Ok(job.scored(&rows))
}

/// The best of both.
fn ranked(job: &TopKJob<'_>, mut hits: Vec<Hit>, later: &[Hit]) -> Vec<Hit> {
    hits.extend_from_slice(later);
    hits.sort_unstable_by_key(|hit| Ranked(*hit));
    job.chosen(hits.into_iter())
}
