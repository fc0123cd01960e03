//! Codes of a bank's rows, by which it is searched faster and not quite exactly.

use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;

use crate::bank::Bank;
use crate::engine::ask::SearchWay;
use crate::engine::jobs::Job;
use crate::progress::Progress;
use crate::search::{MeasuredRecall, Processor, Quantised, RowCodes, build};

/// The codes of one space.
#[derive(Clone, Debug, Serialize)]
pub struct SpaceIndex {
    /// Its name.
    pub space: String,
    /// Patches that they are of: all of the bank so far.
    pub patches: usize,
    /// What they take.
    pub bytes: u64,
    /// Patches whose codes were there.
    pub resumed_patches: usize,
    /// Seconds that they took to make; absent where they were there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Seconds that measuring took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measuring_seconds: Option<f64>,
    /// What searches by them find.
    pub measured: MeasuredRecall,
}

/// `bagssl bank index`.
#[derive(Clone, Debug, Serialize)]
pub struct IndexReport {
    /// Spaces by their codes.
    pub spaces: Vec<SpaceIndex>,
}

/// Makes the codes of `spaces` of the bank in `folder`, of all where none is named, and measures what they find. What is
/// there and right stays.
///
/// # Errors
/// No bank or space; the bank's rows are damaged; cancelled; the write failed.
pub fn index(folder: &Path, spaces: &[String], mut job: Job<'_>) -> anyhow::Result<IndexReport> {
    let bank = Bank::open(folder)?;
    let all: Vec<String> = bank.spaces().map(String::from).collect();
    let spaces = if spaces.is_empty() { &all } else { spaces };
    spaces.iter().try_for_each(|space| bank.space(space).map(|_| ()))?;
    let indexed = spaces.iter().map(|space| Ok(made(&bank, space, true, &mut job)?.1));
    Ok(IndexReport { spaces: indexed.collect::<anyhow::Result<_>>()? })
}

/// What searches `spaces` of `bank` in that way. Codes that are not there are made.
pub(super) fn processor(
    way: SearchWay,
    bank: &Bank,
    spaces: &[String],
    job: &mut Job<'_>,
) -> anyhow::Result<Processor> {
    let is_kept = way == SearchWay::Quantised && bank.folder().is_some();
    let spaces = if is_kept { spaces } else { &[] };
    let codes = spaces.iter().map(|space| Ok(made(bank, space, false, job)?.0));
    Ok(Processor::by_codes(codes.collect::<anyhow::Result<_>>()?))
}

/// The codes of `space`, as they are there or made now; of all rows where that `is_asked`, since those that came later
/// are compared anyway.
fn made(
    bank: &Bank,
    space: &str,
    is_asked: bool,
    job: &mut Job<'_>,
) -> anyhow::Result<(Quantised, SpaceIndex)> {
    let is_right = |codes: Option<Quantised>| {
        codes.as_ref().map_or(Ok(()), |codes| codes.codes().check_all(bank))?;
        Ok(codes)
    };
    let known = Quantised::open(bank, space).and_then(is_right).unwrap_or_else(|error| {
        log::warn!("{error:#}; it is made again");
        None
    });
    // What is damaged is not taken over; what was killed before it was measured is.
    let old = match known {
        Some(known) if !is_asked || known.codes().rows() == bank.patches() => {
            let index = described(space, &known, known.codes().rows(), (None, None));
            return Ok((known, index));
        }
        Some(known) => Some(known.into_codes()),
        None => RowCodes::open(bank, space).ok().flatten(),
    };
    // The mean is that of the rows that were there: of many more it may be another.
    let old = old.filter(|old| 2 * old.rows() >= bank.patches());
    let resumed = old.as_ref().map_or(0, RowCodes::rows);
    let clock = Instant::now();
    let mut progress = |done: usize| {
        (job.progress)(Progress {
            what: "coding",
            done: done as u64,
            total: bank.patches() as u64,
            resumed: 0,
            unit: "patches",
            elapsed: clock.elapsed(),
        });
    };
    build(bank, space, old.as_ref(), job.cancel, &mut progress)?;
    let building = clock.elapsed().as_secs_f64();
    let clock = Instant::now();
    let codes = RowCodes::open(bank, space)?.context("the codes that were just written are gone")?;
    let codes = Quantised::measure(bank, space, codes, job.cancel)?;
    let times = (Some(building), Some(clock.elapsed().as_secs_f64()));
    let index = described(space, &codes, resumed, times);
    Ok((codes, index))
}

fn described(
    space: &str,
    codes: &Quantised,
    resumed_patches: usize,
    (seconds, measuring_seconds): (Option<f64>, Option<f64>),
) -> SpaceIndex {
    SpaceIndex {
        space: space.into(),
        patches: codes.codes().rows(),
        bytes: codes.codes().bytes(),
        resumed_patches,
        seconds,
        measuring_seconds,
        measured: codes.measured(),
    }
}
