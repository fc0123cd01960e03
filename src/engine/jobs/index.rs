//! Codes of a bank's rows, by which it is searched faster and not quite exactly.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde::Serialize;

use crate::bank::{Bank, BankOutput, PartNumber, VectorCache, open_bank};
use crate::engine::ask::SearchWay;
use crate::engine::jobs::Job;
use crate::files;
use crate::progress::{CancelToken, Progress};
use crate::search::{MeasuredRecall, NoPlaceForCodes, Processor, Quantised, RowCodes, build, measure_index};

/// Rows by which a bank that is written grows at least before codes of it are made.
const LEAST_ROWS: usize = 1 << 14;
/// By one row in so many of those that it has.
const GROWTH: usize = 4;

/// The codes of one space.
#[derive(Clone, Debug, Serialize)]
pub struct SpaceIndex {
    /// Its name.
    pub space: String,
    /// Patches that they are of: all of the bank so far.
    pub patches: usize,
    /// What they take.
    pub bytes: u64,
    /// Where they are kept, as nothing can be written beside the bank; absent where they lie there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
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

/// Codes that there are of one space.
#[derive(Clone, Debug, Serialize)]
pub struct SpaceCodes {
    /// Its name.
    pub space: String,
    /// Patches that they are of: the first ones of the bank; later ones are all compared.
    pub patches: u64,
    /// Patches of the bank so far.
    pub of: u64,
    /// What they take.
    pub bytes: u64,
    /// The folder that they lie in.
    pub folder: PathBuf,
    /// Whether that is the bank's own, and not one of what is kept elsewhere.
    pub beside_bank: bool,
    /// What searches by them find; absent where that was not measured yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<MeasuredRecall>,
}

/// The codes that there are of `bank`, beside it or in `cache`; and what is wrong with those that are damaged.
pub(super) fn codes_of(bank: &Bank, cache: Option<&VectorCache>) -> (Vec<SpaceCodes>, Vec<String>) {
    let of_space = |space: &str| -> anyhow::Result<Option<SpaceCodes>> {
        let stored = bank.space(space)?;
        if let Some(source) = bank.far() {
            let patches = match source.indexed_rows(stored.index()) {
                0 => return Ok(None),
                all if all == bank.patches() => stored.searchable(),
                some => some as u64,
            };
            return Ok(Some(SpaceCodes {
                space: space.into(),
                patches,
                of: stored.searchable(),
                bytes: source.index_bytes(stored.index())?,
                folder: source.place(),
                beside_bank: true,
                measured: Processor::by_index().recall(bank, space),
            }));
        }
        let described = |codes: &RowCodes, measured| SpaceCodes {
            space: space.into(),
            patches: stored.searchable_in(0..codes.rows().min(bank.patches())),
            of: stored.searchable(),
            bytes: codes.bytes(),
            folder: codes.path().parent().map(Path::to_path_buf).unwrap_or_default(),
            beside_bank: codes.elsewhere().is_none(),
            measured,
        };
        if let Some(known) = Quantised::open(bank, space, cache)? {
            return Ok(Some(described(known.codes(), Some(known.measured()))));
        }
        Ok(RowCodes::open(bank, space, cache)?.map(|codes| described(&codes, None)))
    };
    let (mut codes, mut damaged) = (vec![], vec![]);
    for found in bank.spaces().map(of_space) {
        match found {
            Ok(found) => codes.extend(found),
            Err(error) => damaged.push(format!("{error:#}")),
        }
    }
    (codes, damaged)
}

/// `bagssl bank index`.
#[derive(Clone, Debug, Serialize)]
pub struct IndexReport {
    /// Spaces by their codes.
    pub spaces: Vec<SpaceIndex>,
}

/// Makes the codes of `spaces` of the bank in `folder`, of all where none is named, and measures what they find. What is
/// there and right stays. Where nothing can be written beside the bank they are kept in `cache`.
///
/// # Errors
/// No bank or space; the bank's rows are damaged; cancelled; the write failed.
pub fn index(
    folder: &Path,
    spaces: &[String],
    cache: Option<&VectorCache>,
    mut job: Job<'_>,
) -> anyhow::Result<IndexReport> {
    Ok(IndexReport { spaces: indexed(&open_bank(folder)?, spaces, cache, &mut job)? })
}

/// The same of a bank that is open.
pub(super) fn indexed(
    bank: &Bank,
    spaces: &[String],
    cache: Option<&VectorCache>,
    job: &mut Job<'_>,
) -> anyhow::Result<Vec<SpaceIndex>> {
    let all: Vec<String> = bank.spaces().map(String::from).collect();
    let spaces = if spaces.is_empty() { &all } else { spaces };
    spaces.iter().try_for_each(|space| bank.space(space).map(|_| ()))?;
    match bank.far() {
        Some(_) => spaces.iter().map(|space| indexed_far(bank, space, job)).collect(),
        None => spaces.iter().map(|space| Ok(made(bank, space, (cache, true), job)?.1)).collect(),
    }
}

/// Makes what is missing of the index of a space whose rows lie elsewhere, there, and measures what it finds.
fn indexed_far(bank: &Bank, space: &str, job: &mut Job<'_>) -> anyhow::Result<SpaceIndex> {
    let source = bank.far().context("the rows lie here")?;
    let clock = Instant::now();
    let resumed_patches = source.indexed_rows(bank.space(space)?.index());
    say_indexing(bank, resumed_patches, job);
    source.build_index(bank.space(space)?.index(), job.cancel)?;
    let seconds = clock.elapsed().as_secs_f64();
    let clock = Instant::now();
    let measured = measure_index(bank, space, job.cancel)?;
    Ok(SpaceIndex {
        space: space.into(),
        patches: bank.patches(),
        bytes: source.index_bytes(bank.space(space)?.index())?,
        folder: None,
        resumed_patches,
        seconds: Some(seconds),
        measuring_seconds: Some(clock.elapsed().as_secs_f64()),
        measured,
    })
}

fn say_indexing(bank: &Bank, resumed: usize, job: &mut Job<'_>) {
    (job.progress)(Progress {
        what: "indexing",
        done: resumed as u64,
        total: bank.patches() as u64,
        resumed: resumed as u64,
        unit: "patches",
        elapsed: Duration::ZERO,
    });
}

/// A part of the index of one space.
#[derive(Clone, Debug, Serialize)]
pub struct SegmentReport {
    /// Its name.
    pub space: String,
    /// Which part, `I/N`.
    pub part: String,
    /// Patches that it is of; of the part, those that had no index before.
    pub patches: usize,
    /// Patches of the bank.
    pub of: usize,
    /// Seconds that it took.
    pub seconds: f64,
}

/// Makes `part` of the index of `spaces` of the bank in `place`, which lies in Lance, for [`index`] to join with the
/// others. It may be killed, started again and run twice.
///
/// # Errors
/// As of [`index`]; the bank lies in a folder.
pub fn segments(
    place: &Path,
    spaces: &[String],
    part: PartNumber,
    mut job: Job<'_>,
) -> anyhow::Result<Vec<SegmentReport>> {
    let bank = open_bank(place)?;
    let source = bank.far().with_context(|| {
        format!("{} lies in a folder, whose codes one process makes: without --shard", place.display())
    })?;
    let all: Vec<String> = bank.spaces().map(String::from).collect();
    let spaces = if spaces.is_empty() { &all } else { spaces };
    let indices = spaces.iter().map(|space| Ok(bank.space(space)?.index()));
    let indices = indices.collect::<anyhow::Result<Vec<_>>>()?;
    let made = spaces.iter().zip(indices).map(|(space, index)| {
        let clock = Instant::now();
        say_indexing(&bank, 0, &mut job);
        Ok(SegmentReport {
            space: space.clone(),
            part: part.to_string(),
            patches: source.build_segment(index, part, job.cancel)?,
            of: bank.patches(),
            seconds: clock.elapsed().as_secs_f64(),
        })
    });
    made.collect()
}

/// Codes that are made while a bank is written: those of its rows so far are written down whenever it has grown by a
/// part of itself, so that all writing together is a few times the codes at last, and little is to do at its end.
pub(super) struct CodesAlong {
    /// Rows with which the next are made.
    next: usize,
    /// Rows by which the bank grows at least before.
    least: usize,
    /// What they took so far.
    pub seconds: f64,
}

impl CodesAlong {
    /// None yet.
    pub fn new() -> Self {
        Self { next: LEAST_ROWS, least: LEAST_ROWS, seconds: 0.0 }
    }

    /// Makes the codes of what `writer`, of the bank in `folder`, has written by now, where it is time. What it has
    /// written is committed then.
    ///
    /// # Errors
    /// As [`build`]; the commit failed.
    pub fn follow(
        &mut self,
        writer: &mut dyn BankOutput,
        folder: &Path,
        cancel: &CancelToken,
    ) -> anyhow::Result<()> {
        let written = writer.written_patches();
        if written < self.next {
            return Ok(());
        }
        let clock = Instant::now();
        writer.commit()?;
        let bank = open_bank(folder)?;
        for space in bank.spaces() {
            let old = continued(&bank, space, None);
            build(&bank, space, (None, old.as_ref()), cancel, &mut |_| ())?;
        }
        self.next = written + (written / GROWTH).max(self.least);
        self.seconds += clock.elapsed().as_secs_f64();
        Ok(())
    }
}

/// Codes that are there, to be continued; none where they are damaged.
fn continued(bank: &Bank, space: &str, cache: Option<&VectorCache>) -> Option<RowCodes> {
    RowCodes::open(bank, space, cache).unwrap_or_else(|error| {
        log::warn!("{error:#}; it is made again");
        None
    })
}

/// What searches `spaces` of `bank` in that way. Codes that are not there are made, beside it or in `cache`; where neither
/// can be written, that is said, and the space is searched exactly.
pub(super) fn processor(
    way: SearchWay,
    bank: &Bank,
    (spaces, cache): (&[String], Option<&VectorCache>),
    job: &mut Job<'_>,
) -> anyhow::Result<Processor> {
    if bank.far().is_some() && way == SearchWay::Quantised {
        for space in spaces {
            let has_index = bank.space(space)?.far_index().is_some();
            ensure!(
                has_index,
                "space {space} has no index yet: `bagssl bank index` makes it, --search exact does without"
            );
        }
        return Ok(Processor::by_index());
    }
    let is_kept = way == SearchWay::Quantised && bank.folder().is_some();
    let spaces = if is_kept { spaces } else { &[] };
    let mut codes = vec![];
    for space in spaces {
        match made(bank, space, (cache, false), job) {
            Ok((found, _)) => codes.push(found),
            Err(error) if have_no_place(&error) && !job.cancel.is_cancelled() => {
                log::warn!("{error:#}; all patches are compared in {space}");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Processor::by_codes(codes))
}

/// Whether codes were not made because nothing can be written where they may lie.
fn have_no_place(error: &anyhow::Error) -> bool {
    error.is::<NoPlaceForCodes>() || files::is_disk_full(error)
}

/// The codes of `space`, as they are there or made now; of all rows where that `is_asked`, since those that came later
/// are compared anyway.
fn made(
    bank: &Bank,
    space: &str,
    (cache, is_asked): (Option<&VectorCache>, bool),
    job: &mut Job<'_>,
) -> anyhow::Result<(Quantised, SpaceIndex)> {
    let is_right = |codes: Option<Quantised>| {
        codes.as_ref().map_or(Ok(()), |codes| codes.codes().check_all(bank))?;
        Ok(codes)
    };
    let known = Quantised::open(bank, space, cache).and_then(is_right).unwrap_or_else(|error| {
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
        None => continued(bank, space, cache),
    };
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
    let resumed = build(bank, space, (cache, old.as_ref()), job.cancel, &mut progress)?;
    let building = clock.elapsed().as_secs_f64();
    let clock = Instant::now();
    let codes = RowCodes::open(bank, space, cache)?.context("the codes that were just written are gone")?;
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
        folder: codes.codes().elsewhere().map(Path::to_path_buf),
        resumed_patches,
        seconds,
        measuring_seconds,
        measured: codes.measured(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bank::{BankSink, BankSpec, BankWriter, Dtype, ImageEntry};
    use crate::device::DeviceChoice;
    use crate::patch::PatchGrid;

    const SIDE: u32 = 20;

    fn spec() -> BankSpec {
        BankSpec {
            dtype: Dtype::F16,
            ..BankSpec::of_test(PatchGrid::new(1, 1).unwrap(), &[("h", 3), ("z", 3)])
        }
    }

    /// Pushes images until there are `end`, with codes as it goes, and commits them unless it `is_left`; returns of how
    /// many rows codes of z lay there after each.
    fn written(folder: &Path, end: usize, is_left: bool) -> Vec<usize> {
        let entry = |index| ImageEntry { index, height: SIDE, width: SIDE, label: None, name: String::new() };
        let (images, cancel) = ((0..8).map(entry).collect::<Vec<_>>(), CancelToken::default());
        let (mut writer, done) = BankWriter::create_or_resume(folder, &spec(), &images, &cancel).unwrap();
        let mut along = CodesAlong { next: 1000, least: 1000, seconds: 0.0 };
        let mut coded = vec![];
        for image in done..end {
            let value = |at: u32, by: u32| ((at * by + image as u32) % 97) as f32 - 40.0;
            let rows: Vec<f32> = (0..3 * SIDE * SIDE).map(|at| value(at, 31)).collect();
            writer.push_image(image, &[("h", &rows), ("z", &rows)]).unwrap();
            along.follow(&mut writer, folder, &cancel).unwrap();
            let bank = Bank::open(folder).unwrap();
            coded.push(RowCodes::open(&bank, "z", None).unwrap().map_or(0, |codes| codes.rows()));
        }
        if !is_left {
            writer.commit().unwrap();
        }
        coded
    }

    fn indexed_at(folder: &Path) -> IndexReport {
        let cancel = CancelToken::default();
        let job = Job { device: DeviceChoice::Cpu, seed: 0, cancel: &cancel, progress: &mut |_| {} };
        index(folder, &[], None, job).unwrap()
    }

    #[test]
    fn codes_follow_a_bank_that_is_written_and_come_out_as_if_made_afterwards() {
        let (along, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let image = (SIDE * SIDE) as usize;
        // With the third image there are rows enough.
        assert_eq!(written(along.path(), 4, true), [0, 0, 3, 3].map(|images| images * image));
        // Left there: what was committed is continued, and coded with the first that comes.
        assert_eq!(written(along.path(), 8, true), [4, 4, 4, 7, 7].map(|images| images * image));
        assert_eq!(written(along.path(), 8, false), [8].map(|images| images * image));
        let of = |folder: &Path| codes_of(&Bank::open(folder).unwrap(), None);
        // What follows a bank is measured in the end.
        let (codes, damaged) = of(along.path());
        let all = 8 * image as u64;
        let told =
            codes.iter().map(|codes| (codes.patches, codes.of, codes.measured.is_some(), codes.beside_bank));
        assert_eq!((told.collect::<Vec<_>>(), damaged), (vec![(all, all, false, true); 2], vec![]));
        let report = indexed_at(along.path());
        assert!(
            of(along.path()).0.iter().all(|codes| codes.measured.is_some() && codes.folder == along.path())
        );
        let found = report.spaces.iter().map(|space| (space.resumed_patches, space.patches));
        assert_eq!(found.collect::<Vec<_>>(), [(8 * image, 8 * image); 2]);

        assert_eq!(written(after.path(), 2, false), [0, 0]);
        assert!(of(after.path()).0.is_empty());
        written(after.path(), 8, false);
        for name in ["h.codes", "z.codes"] {
            std::fs::remove_file(after.path().join(name)).unwrap();
        }
        assert_eq!(indexed_at(after.path()).spaces[0].resumed_patches, 0);
        for name in ["h.codes", "z.codes", "h.codes.json"] {
            let [a, b] = [&along, &after].map(|folder| std::fs::read(folder.path().join(name)).unwrap());
            assert!(a == b, "{name}");
        }
        std::fs::write(after.path().join("h.codes"), "no codes").unwrap();
        let (codes, damaged) = of(after.path());
        assert_eq!((codes.len(), codes[0].space.as_str(), damaged.len()), (1, "z", 1));
        assert!(damaged[0].contains("h.codes"), "{damaged:?}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_search_whose_codes_can_be_written_nowhere_compares_all_patches() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path(), 8, false);
        for name in ["h.codes", "z.codes"] {
            std::fs::remove_file(folder.path().join(name)).unwrap();
        }
        let (bank, cancel) = (Bank::open(folder.path()).unwrap(), CancelToken::default());
        let searched = |space: &str| {
            let mut job = Job { device: DeviceChoice::Cpu, seed: 0, cancel: &cancel, progress: &mut |_| {} };
            processor(SearchWay::Quantised, &bank, (&[space.into()][..], None), &mut job)
        };
        let recall = |processor: anyhow::Result<Processor>, space| processor.unwrap().recall(&bank, space);
        let exact = files::without_writing(folder.path(), || searched("h"));
        assert!(recall(exact, "h").is_none(), "nothing was measured: it is exact");
        assert!(recall(searched("h"), "h").is_some(), "what can be written is");
        // What is wrong with the rows is an error as ever.
        let path = folder.path().join("z.f16");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[40] ^= 1;
        std::fs::write(path, bytes).unwrap();
        assert!(searched("z").is_err());
    }
}
