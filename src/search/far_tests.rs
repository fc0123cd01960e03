//! Rows that lie elsewhere are found as if they lay here.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Result, ensure};

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

use super::tests::{bank_of, random};
use super::*;
use crate::bank::{Bank, Dtype, FarIndex, OwnedValues, PartNumber, RowSource};
use crate::progress::CancelToken;

const WIDTH: usize = 8;
/// Rows that the source gives at a time: images end within them.
const BLOCK: usize = 7;

/// A bank that stands for one elsewhere.
#[derive(Debug)]
struct Elsewhere {
    bank: Bank,
    /// Rows that its index never proposes: every so many.
    missed: usize,
    is_gone: AtomicBool,
    reads: AtomicUsize,
    index: Mutex<Option<FarIndex>>,
    empty: Vec<Range<usize>>,
}

impl Elsewhere {
    fn values(&self, rows: impl Iterator<Item = usize>) -> Result<OwnedValues> {
        ensure!(!self.is_gone.load(Ordering::Relaxed), "nobody is there");
        let mut all = vec![];
        for row in rows {
            let mut values = vec![0.0; WIDTH];
            self.bank.row_f32("h", row, &mut values)?;
            all.extend(values);
        }
        Ok(OwnedValues::F32(all))
    }
}

impl RowSource for Elsewhere {
    fn place(&self) -> PathBuf {
        "elsewhere".into()
    }

    fn read(&self, _: usize, rows: &[usize]) -> Result<OwnedValues> {
        self.reads.fetch_add(rows.len(), Ordering::Relaxed);
        self.values(rows.iter().copied())
    }

    fn scan(
        &self,
        _: usize,
        rows: Range<usize>,
        take: &mut dyn FnMut(usize, OwnedValues) -> Result<()>,
    ) -> Result<()> {
        for first in rows.clone().step_by(BLOCK) {
            take(first, self.values(first..rows.end.min(first + BLOCK))?)?;
        }
        Ok(())
    }

    fn propose(
        &self,
        _: usize,
        query: &[f32],
        count: usize,
        among: Option<&[Range<usize>]>,
    ) -> Result<Vec<usize>> {
        let all = self.bank.patches();
        let hits = top_k(&self.bank, "h", query, all, &Options::default())?;
        let is_among =
            |row: usize| among.is_none_or(|ranges| ranges.iter().any(|range| range.contains(&row)));
        let rows =
            hits.into_iter().map(|hit| hit.row).filter(|row| is_among(*row) && (row + 1) % self.missed != 0);
        Ok(rows.take(count).collect())
    }

    fn index(&self, _: usize) -> Option<FarIndex> {
        *self.index.lock().unwrap()
    }

    fn indexed_rows(&self, _: usize) -> usize {
        self.bank.patches()
    }

    fn build_index(&self, _: usize, _: &CancelToken) -> Result<()> {
        Ok(())
    }

    fn build_segment(&self, _: usize, _: PartNumber, _: &CancelToken) -> Result<usize> {
        Ok(0)
    }

    fn index_bytes(&self, _: usize) -> Result<u64> {
        Ok(0)
    }

    fn note_index(&self, _: usize, found: FarIndex) -> Result<()> {
        *self.index.lock().unwrap() = Some(found);
        Ok(())
    }

    fn empty(&self, _: usize) -> &[Range<usize>] {
        &self.empty
    }
}

/// A bank here, and the same elsewhere, whose index misses every so many rows.
fn banks(missed: usize) -> (Bank, Arc<Elsewhere>, Bank) {
    let counts = [5, 0, 90, 1, 40, 64];
    let mut rows = random(&mut Pcg64Mcg::seed_from_u64(7), 200 * WIDTH);
    rows[3 * WIDTH] = f32::NAN;
    rows[100 * WIDTH..103 * WIDTH].fill(f32::NAN);
    let here = bank_of(Dtype::F32, WIDTH, &counts, &rows);
    let source = Arc::new(Elsewhere {
        bank: here.clone(),
        missed,
        is_gone: AtomicBool::new(false),
        reads: AtomicUsize::new(0),
        index: Mutex::new(None),
        empty: vec![3..4, 100..103],
    });
    let far = here.clone().read_from(&(source.clone() as Arc<dyn RowSource>));
    (here, source, far)
}

/// Searches with all that may be left out.
fn questions(bank: &Bank) -> Vec<Question> {
    let shown =
        |places: &[usize]| Some((0..bank.complete_images()).map(|place| places.contains(&place)).collect());
    let options = [
        Options::default(),
        Options { exclude_rows: vec![50, 51], exclude_images: vec![5], ..Options::default() },
        Options { per_image: Some(2), ..Options::default() },
        Options { shown: shown(&[0, 3, 4]), per_image: Some(1), ..Options::default() },
        Options { shown: shown(&[2, 5]), ..Options::default() },
    ];
    let of = |(place, options): (usize, &Options)| {
        let mut query = vec![0.0; WIDTH];
        bank.row_f32("h", 50 + place, &mut query).unwrap();
        Question { query, options: options.clone() }
    };
    options.iter().enumerate().map(of).collect()
}

#[test]
fn rows_that_come_past_give_the_hits_of_rows_that_lie_here() {
    let (here, _, far) = banks(1000);
    let questions = questions(&here);
    for k in [1, 9, 300] {
        let [a, b] = [&here, &far].map(|bank| Processor::cpu().top_k_many(bank, "h", &questions, k).unwrap());
        assert_eq!(a, b, "k {k}");
    }
    let counted = far.space("h").unwrap();
    assert_eq!(counted.searchable(), 196);
    assert_eq!([0..4, 3..101, 101..200].map(|rows| counted.searchable_in(rows)), [3, 96, 97]);
}

#[test]
fn an_index_proposes_and_its_recall_is_measured() {
    let (here, _, far) = banks(1000);
    let by_index = Processor::by_index();
    assert!(by_index.recall(&far, "h").is_none());
    let error = by_index.top_k_many(&far, "h", &questions(&here), 3).unwrap_err().to_string();
    assert!(error.contains("no index"), "{error}");
    let measured = measure_index(&far, "h", &CancelToken::default()).unwrap();
    assert!(measured.recall == 1.0 && measured.queries > 50 && measured.k == 3, "{measured:?}");
    assert_eq!(by_index.recall(&far, "h"), Some(measured));
    for k in [1, 5, 9] {
        let [a, b] = [(&here, &Processor::cpu()), (&far, &by_index)]
            .map(|(bank, processor)| processor.top_k_many(bank, "h", &questions(&here), k).unwrap());
        assert_eq!(a, b, "k {k}");
    }
    let (_, _, far) = banks(2);
    let measured = measure_index(&far, "h", &CancelToken::default()).unwrap();
    assert!(measured.recall < 0.7, "{measured:?}");
}

#[test]
fn rows_are_read_once_and_what_cannot_be_read_is_told() {
    let (here, source, far) = banks(1000);
    let read = |row: usize| {
        let mut values = vec![0.0; WIDTH];
        far.row_f32("h", row, &mut values).map(|()| values)
    };
    let mut values = vec![0.0; WIDTH];
    here.row_f32("h", 42, &mut values).unwrap();
    assert_eq!(read(42).unwrap(), values);
    assert_eq!((read(42).unwrap(), source.reads.load(Ordering::Relaxed)), (values, 1));
    source.is_gone.store(true, Ordering::Relaxed);
    assert!(read(42).is_ok());
    assert!(read(43).unwrap_err().to_string().contains("nobody is there"));
    let error = Processor::cpu().top_k_many(&far, "h", &questions(&here), 3).unwrap_err().to_string();
    assert!(error.contains("nobody is there"), "{error}");
    // What does not ask before it reads is told afterwards.
    let stored = far.space("h").unwrap();
    assert!(stored.pieces(43..45).all(|piece| piece.inv_norms[0].is_nan()));
    assert!(stored.check_length().unwrap_err().to_string().contains("nobody is there"));
}
