//! The k nearest rows by way of codes: those that the codes cannot tell from the nearest are compared exactly.

use super::file::RowCodes;
use super::scan::{Scan, Scanned};
use crate::bank::Bank;
use crate::search::many::{Question, top_k_many};
use crate::search::topk::{Hit, Ranked, TopKJob};
use anyhow::Result;

/// Where more of the rows than one in so many may be near, all are compared exactly: that is no slower.
const WORTHWHILE: usize = 8;

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundByCodes {
    /// The nearest, best first, with the cosines that [`crate::search::top_k`] gives.
    pub hits: Vec<Hit>,
    /// Rows whose vectors were compared; all where the codes told too little, and the hits are then those of
    /// [`crate::search::top_k`].
    pub compared: usize,
}

/// As [`crate::search::top_k`] for each of `questions`, but a row may be missed whose code is off by more than so many
/// `deviations` of its error. Rows that came to the bank after the codes are all compared. What is found for a question
/// does not depend on the others.
///
/// # Errors
/// As [`crate::search::top_k`], for any of them; [`super::StaleCodes`].
pub(super) fn find_many(
    codes: &RowCodes,
    deviations: f32,
    bank: &Bank,
    questions: &[Question],
    k: usize,
) -> Result<Vec<FoundByCodes>> {
    let mut found = Vec::with_capacity(questions.len());
    for some in questions.chunks(Scan::together()) {
        found.extend(find_some(codes, deviations, bank, some, k)?);
    }
    Ok(found)
}

/// The same of so many as are scanned for at a time.
fn find_some<'a>(
    codes: &RowCodes,
    deviations: f32,
    bank: &'a Bank,
    questions: &'a [Question],
    k: usize,
) -> Result<Vec<FoundByCodes>> {
    let space = codes.facts.space.as_str();
    let job = |question: &'a Question| TopKJob::new(bank, space, &question.query, k, &question.options);
    let jobs: Vec<TopKJob<'_>> = questions.iter().map(job).collect::<Result<_>>()?;
    let rows = codes.rows().min(bank.patches());
    let most = rows / WORTHWHILE;
    let none = |job: &TopKJob<'_>| {
        (job.keep == 0 || job.per_image == 0).then(|| FoundByCodes { hits: vec![], compared: 0 })
    };
    let mut found: Vec<Option<FoundByCodes>> = jobs.iter().map(none).collect();
    let is_told = |place: &usize| {
        let job = &jobs[*place];
        found[*place].is_none() && 2 * job.keep <= most && job.query.iter().any(|value| *value != 0.0)
    };
    let told: Vec<usize> = (0..jobs.len()).filter(is_told).collect();
    let asked: Vec<&TopKJob<'_>> = told.iter().map(|place| &jobs[*place]).collect();
    for (place, scanned) in told.iter().zip(Scan::new(codes, deviations, most, &asked).run(rows)?) {
        found[*place] = scanned.map(|scanned| compared(&jobs[*place], scanned, rows)).transpose()?;
    }
    jobs.into_iter().try_for_each(TopKJob::check)?;
    let left: Vec<usize> = (0..found.len()).filter(|place| found[*place].is_none()).collect();
    let rest: Vec<Question> = left.iter().map(|place| questions[*place].clone()).collect();
    for (place, hits) in left.into_iter().zip(top_k_many(bank, space, &rest, k)?) {
        found[place] = Some(FoundByCodes { hits, compared: bank.patches() });
    }
    Ok(found.into_iter().flatten().collect())
}

/// Compares what the codes of the first `rows` rows cannot tell from the nearest, and all rows after these.
fn compared(job: &TopKJob<'_>, scanned: Scanned, rows: usize) -> Result<FoundByCodes> {
    let later = job.best_from(rows)?;
    // The k-th best of any rows is no better than the k-th best of all.
    let first: Vec<usize> = scanned.first.iter().map(|hit| hit.row).collect();
    let some = ranked(job, scored(job, &first)?, &later);
    let least = if some.len() < job.keep { f32::NEG_INFINITY } else { some[some.len() - 1].cosine };
    let near = scanned.kept.into_iter().filter(|kept| kept.most >= least).map(|kept| kept.row);
    let mut near: Vec<usize> = near.chain(first).collect();
    near.sort_unstable();
    near.dedup();
    let compared = near.len() + job.bank.patches() - rows;
    Ok(FoundByCodes { hits: ranked(job, scored(job, &near)?, &later), compared })
}

/// The exact cosines of rows, whose sums are looked at.
fn scored(job: &TopKJob<'_>, rows: &[usize]) -> Result<Vec<Hit>> {
    rows.iter().try_for_each(|row| job.space.check(*row..*row + 1))?;
    Ok(job.scored(rows))
}

/// The best of both.
fn ranked(job: &TopKJob<'_>, mut hits: Vec<Hit>, later: &[Hit]) -> Vec<Hit> {
    hits.extend_from_slice(later);
    hits.sort_unstable_by_key(|hit| Ranked(*hit));
    job.chosen(hits.into_iter())
}
