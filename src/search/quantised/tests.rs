//! Search by codes against the exact one, on rows that lie as patches of images do.

use super::*;
use crate::bank::{Bank, BankSink, BankWriter, Dtype, VectorCache};
#[cfg(target_os = "linux")]
use crate::files::without_writing;
use crate::progress::{CancelToken, Cancelled};
use crate::search::tests::{entries, spec};
use crate::search::{Hit, MeasuredRecall, Options, Processor, Question, top_k, top_k_many};
use rand::{Rng, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64Mcg;
use std::fs;
use std::path::Path;

const WIDTH: usize = 96;
const IMAGE: usize = 120;

/// Patches that drift over each image around one of a few classes, all on one side of the origin, as those of a network
/// that ends with a ReLU.
pub(super) fn correlated(images: usize) -> Vec<f32> {
    let mut rng = Pcg64Mcg::seed_from_u64(11);
    let mut draw =
        |scale: f32| (0..WIDTH).map(|_| scale * rng.sample::<f32, _>(StandardNormal)).collect::<Vec<f32>>();
    let classes: Vec<Vec<f32>> = (0..10).map(|_| draw(1.0)).collect();
    let mut rows = vec![];
    for image in 0..images {
        let mut at: Vec<f32> = classes[image % 10].iter().zip(draw(0.7)).map(|(a, b)| a + b).collect();
        for _ in 0..IMAGE {
            at.iter_mut().zip(draw(0.15)).for_each(|(at, step)| *at = 0.99 * *at + step);
            rows.extend(at.iter().map(|value| value.max(0.0)));
        }
    }
    rows
}

/// A bank on disk of the first `now` of `images` images, each of [`IMAGE`] patches.
pub(super) fn bank_at(folder: &Path, images: usize, now: usize, rows: &[f32]) -> Bank {
    let (spec, entries) = (spec(Dtype::F16, WIDTH), entries(&vec![IMAGE; images]));
    let (mut writer, done) =
        BankWriter::create_or_resume(folder, &spec, &entries, &CancelToken::default()).unwrap();
    for image in done..now {
        let values = &rows[image * IMAGE * WIDTH..(image + 1) * IMAGE * WIDTH];
        if image == 3 {
            writer.push_skipped(3, "broken")
        } else {
            writer.push_image(image, &[("h", values)])
        }
        .unwrap();
    }
    writer.commit().unwrap();
    Bank::open(folder).unwrap()
}

pub(super) fn indexed(bank: &Bank, old: Option<&RowCodes>) -> Quantised {
    build(bank, "h", (None, old), &CancelToken::default(), &mut |_| ()).unwrap();
    let codes = RowCodes::open(bank, "h", None).unwrap().unwrap();
    Quantised::measure(bank, "h", codes, &CancelToken::default()).unwrap()
}

pub(super) fn row_of(bank: &Bank, row: usize) -> Vec<f32> {
    let mut query = vec![0.0; WIDTH];
    bank.row_f32("h", row, &mut query).unwrap();
    query
}

/// The part of the true neighbours that is found; what is found is as the exact search has it, in its order.
fn recall(codes: &Quantised, bank: &Bank, query: &[f32], k: usize, options: &Options) -> (f64, usize) {
    let FoundByCodes { hits, compared } = codes.top_k(bank, query, k, options).unwrap();
    let truth = top_k(bank, "h", query, k, options).unwrap();
    let everything = top_k(bank, "h", query, bank.patches(), &Options::default()).unwrap();
    let place = |hit: &Hit| everything.iter().position(|other| other == hit).expect("an exact hit");
    assert!(hits.iter().map(place).collect::<Vec<_>>().is_sorted());
    assert_eq!(hits.len(), truth.len());
    let found = hits.iter().filter(|hit| truth.last().is_some_and(|last| hit.cosine >= last.cosine)).count();
    (found as f64 / truth.len().max(1) as f64, compared)
}

#[test]
fn what_is_near_is_found_whatever_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let bank = bank_at(folder.path(), 150, 150, &correlated(150));
    let codes = indexed(&bank, None);
    let measured = codes.measured();
    assert!(measured.recall >= 0.99 && measured.queries > 50, "{measured:?}");
    let shown = |keep: fn(usize) -> bool| Some((0..150).map(keep).collect::<Vec<bool>>());
    let all = Options::default();
    let options = [
        all.clone(),
        Options { exclude_images: vec![40], exclude_rows: vec![9], ..all.clone() },
        Options { shown: shown(|image| image % 3 == 1), ..all.clone() },
        Options { shown: shown(|image| image / 20 == 2), ..all.clone() },
        Options { per_image: Some(1), ..all.clone() },
        Options { per_image: Some(4), shown: shown(|image| image % 2 == 0), ..all },
    ];
    for options in options {
        let mut parts = vec![];
        for row in (0..bank.patches()).step_by(1801).filter(|row| *row / IMAGE != 3) {
            let (part, compared) = recall(&codes, &bank, &row_of(&bank, row), 40, &options);
            // Of one patch an image, 40 are a good part of 150 images: then all are compared, and all is found.
            let is_told = options.per_image.is_none();
            assert!(!is_told || compared < bank.patches() / 2, "{compared} rows for {options:?}");
            parts.push(part);
        }
        let mean = parts.iter().sum::<f64>() / parts.len() as f64;
        assert!(mean >= 0.99, "{mean} for {options:?}");
    }
}

/// Filters of every kind, by turns.
fn filtered(at: usize) -> Options {
    let (all, shown) = (Options::default(), |keep: fn(usize) -> bool| Some((0..90).map(keep).collect()));
    match at % 5 {
        0 => all,
        1 => Options { exclude_images: vec![at as u32], exclude_rows: vec![9], ..all },
        2 => Options { shown: shown(|image| image % 3 == 1), ..all },
        3 => Options { per_image: Some(1 + at % 2), ..all },
        _ => Options { shown: shown(|image| image / 20 == 2), per_image: Some(3), ..all },
    }
}

#[test]
fn many_queries_by_codes_find_what_each_finds_alone_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let rows = correlated(90);
    let codes = indexed(&bank_at(folder.path(), 90, 80, &rows), None);
    // With rows that came later, which have no codes.
    let bank = bank_at(folder.path(), 90, 90, &rows);
    let query = |at: usize| if at == 17 { vec![0.0; WIDTH] } else { row_of(&bank, at * 113) };
    let question = |at: usize| Question { query: query(at), options: filtered(at) };
    let questions: Vec<Question> = (0..70).filter(|at| at * 113 / IMAGE != 3).map(question).collect();
    for (k, some) in
        [(8, &questions[..]), (1, &questions[..20]), (0, &questions[..9]), (7000, &questions[15..19])]
    {
        let together = codes.top_k_many(&bank, some, k).unwrap();
        assert_eq!(together.len(), some.len());
        for (Question { query, options }, found) in some.iter().zip(&together) {
            assert_eq!(*found, codes.top_k(&bank, query, k, options).unwrap(), "{k} with {options:?}");
        }
    }
    // By codes, and nearly all of what is there.
    let (by_codes, exact) =
        (codes.top_k_many(&bank, &questions, 8).unwrap(), top_k_many(&bank, "h", &questions, 8).unwrap());
    let told = by_codes.iter().filter(|found| found.compared < bank.patches()).count();
    assert!(told > 50, "{told} of {} queries are told by codes", questions.len());
    let pairs = by_codes.iter().zip(&exact);
    let found = pairs.map(|(found, truth)| truth.iter().filter(|hit| found.hits.contains(hit)).count());
    let (found, all) = (found.sum::<usize>(), exact.iter().map(Vec::len).sum::<usize>());
    assert!(found as f64 >= 0.99 * all as f64, "{found} of {all}");
    let processor = Processor::by_codes(vec![codes]);
    let hits: Vec<Vec<Hit>> = by_codes.into_iter().map(|found| found.hits).collect();
    assert_eq!(processor.top_k_many(&bank, "h", &questions, 8).unwrap(), hits);
    let cancel = CancelToken::default();
    cancel.cancel();
    let mut stopped = questions;
    stopped[1].options.cancel = cancel;
    assert!(processor.top_k_many(&bank, "h", &stopped, 8).unwrap_err().is::<Cancelled>());
}

#[test]
fn what_codes_cannot_tell_is_searched_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let bank = bank_at(folder.path(), 30, 30, &correlated(30));
    let codes = indexed(&bank, None);
    for (query, k) in [(vec![0.0; WIDTH], 5), (row_of(&bank, 7), bank.patches()), (row_of(&bank, 7), 0)] {
        let found = codes.top_k(&bank, &query, k, &Options::default()).unwrap().hits;
        assert_eq!(found, top_k(&bank, "h", &query, k, &Options::default()).unwrap());
    }
    assert!(codes.top_k(&bank, &[0.0], 5, &Options::default()).is_err());
}

#[test]
fn a_bank_that_grows_is_searched_whole_and_its_codes_are_continued() {
    let folder = tempfile::tempdir().unwrap();
    let rows = correlated(60);
    let half = bank_at(folder.path(), 60, 40, &rows);
    let codes = indexed(&half, None);
    let whole = bank_at(folder.path(), 60, 60, &rows);
    // A row that came later, and others.
    for row in [59 * IMAGE + 5, 17, 20 * IMAGE] {
        let (part, _) = recall(&codes, &whole, &row_of(&whole, row), 25, &Options::default());
        assert!(part >= 0.95, "{part}");
    }
    let before = fs::read(folder.path().join("h.codes")).unwrap();
    let codes = indexed(&whole, Some(codes.codes()));
    assert_eq!(codes.codes().rows(), whole.patches());
    // Whoever opened the bank before it grew searches what was there then by the codes that are there now.
    let newer = Quantised::open(&half, "h", None).unwrap().unwrap();
    for row in [17, 20 * IMAGE, 40 * IMAGE - 1] {
        let (part, _) = recall(&newer, &half, &row_of(&half, row), 25, &Options::default());
        assert!(part >= 0.95, "{part}");
    }
    codes.codes().check_all(&whole).unwrap();
    // The first blocks are those of before, byte for byte.
    let after = fs::read(folder.path().join("h.codes")).unwrap();
    let head = before.len() - 40 * IMAGE * 24 - 3 * 12 - 4;
    let blocks = head..head + 2 * 2048 * 24;
    assert!(before[blocks.clone()] == after[blocks]);
    assert!(Quantised::open(&whole, "h", None).unwrap().is_some());
}

fn bytes_of(folder: &Path) -> Vec<u8> {
    fs::read(folder.join("h.codes")).unwrap()
}

/// Made whenever some images more are there, and of all at once; first images lie elsewhere than later ones.
#[test]
fn codes_of_a_bank_that_grew_are_those_of_one_that_was_there_at_once() {
    let grown = tempfile::tempdir().unwrap();
    let mut rows = correlated(90);
    for value in &mut rows[..20 * IMAGE * WIDTH] {
        *value = -*value;
    }
    let mut taken_over = vec![];
    for now in [7, 25, 30, 40, 41, 90] {
        let bank = bank_at(grown.path(), 90, now, &rows);
        let old = RowCodes::open(&bank, "h", None).unwrap();
        taken_over
            .push(build(&bank, "h", (None, old.as_ref()), &CancelToken::default(), &mut |_| ()).unwrap());
    }
    // Whole blocks; none where the mean of the first rows is clearly another than that of twice as many.
    assert_eq!(taken_over, [0, 0, 2048, 0, 4096, 0]);
    let whole = tempfile::tempdir().unwrap();
    let bank = bank_at(whole.path(), 90, 90, &rows);
    assert_eq!(build(&bank, "h", (None, None), &CancelToken::default(), &mut |_| ()).unwrap(), 0);
    assert!(bytes_of(grown.path()) == bytes_of(whole.path()));
    let codes = indexed(&bank, RowCodes::open(&bank, "h", None).unwrap().as_ref());
    assert!(codes.measured().recall >= 0.99, "{:?}", codes.measured());
    assert!(bytes_of(grown.path()) == bytes_of(whole.path()), "all are taken over as they are");
}

#[test]
fn codes_that_are_damaged_or_of_other_rows_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let rows = correlated(40);
    let bank = bank_at(folder.path(), 40, 40, &rows);
    let query = row_of(&bank, 50);
    let path = folder.path().join("h.codes");
    assert!(RowCodes::open(&bank, "h", None).unwrap().is_none());
    drop(indexed(&bank, None));
    let good = fs::read(&path).unwrap();
    let mut dice = Pcg64Mcg::seed_from_u64(3);
    let places: Vec<usize> = (0..60).map(|_| dice.random_range(0..good.len())).collect();
    for place in places.into_iter().chain([0, 9, 100, good.len() - 1]) {
        let mut bad = good.clone();
        bad[place] ^= 1 << (place % 8);
        fs::write(&path, &bad).unwrap();
        let noticed = match Quantised::open(&bank, "h", None) {
            Ok(Some(codes)) => codes.top_k(&bank, &query, 20, &Options::default()).map(|_| ()),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        assert!(format!("{:#}", noticed.unwrap_err()).contains("h.codes"), "byte {place}");
    }
    fs::write(&path, &good[..good.len() / 2]).unwrap();
    assert!(RowCodes::open(&bank, "h", None).is_err());
    fs::write(&path, &good).unwrap();
    // The same spec, other rows.
    let other = tempfile::tempdir().unwrap();
    let turned: Vec<f32> = rows.iter().rev().copied().collect();
    let bank = bank_at(other.path(), 40, 40, &turned);
    fs::copy(&path, other.path().join("h.codes")).unwrap();
    let codes = RowCodes::open(&bank, "h", None).unwrap().unwrap();
    let error = codes.check_all(&bank).unwrap_err();
    assert!(error.is::<StaleCodes>() && error.to_string().contains("have changed"), "{error}");
}

/// From the second search on they are read from memory of their own, and from where they are found in the end.
#[test]
fn codes_that_came_near_find_what_they_found_in_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let bank = bank_at(folder.path(), 60, 60, &correlated(60));
    let codes = indexed(&bank, None);
    let fresh = Quantised::open(&bank, "h", None).unwrap().unwrap();
    let near = |codes: &Quantised| codes.codes().is_near();
    assert!(near(&codes) && !near(&fresh), "it was measured by many searches");
    let query = row_of(&bank, 700);
    let ask = |codes: &Quantised| codes.top_k(&bank, &query, 9, &Options::default()).unwrap();
    let first = ask(&fresh);
    assert!(!near(&fresh));
    assert_eq!([ask(&fresh), ask(&codes)], [first.clone(), first.clone()]);
    assert!(near(&fresh));
    // Other bytes in the file change nothing any more.
    let path = folder.path().join("h.codes");
    let length = fs::metadata(&path).unwrap().len() as usize;
    let mut file = fs::File::options().write(true).open(&path).unwrap();
    std::io::Write::write_all(&mut file, &vec![0; length]).unwrap();
    assert_eq!(ask(&fresh), first);
}

#[test]
#[cfg(target_os = "linux")]
fn where_codes_are_cut_while_they_are_in_use_every_patch_is_compared() {
    let folder = tempfile::tempdir().unwrap();
    let bank = bank_at(folder.path(), 40, 40, &correlated(40));
    let processor = Processor::by_codes(vec![indexed(&bank, None)]);
    let question = Question { query: row_of(&bank, 700), options: Options::default() };
    let ask = || processor.top_k_many(&bank, "h", std::slice::from_ref(&question), 9).unwrap().remove(0);
    ask();
    fs::File::options().write(true).open(folder.path().join("h.codes")).unwrap().set_len(0).unwrap();
    assert_eq!(ask(), top_k(&bank, "h", &question.query, 9, &question.options).unwrap());
}

#[test]
#[cfg(target_os = "linux")]
fn codes_of_a_bank_beside_which_nothing_can_be_written_are_kept_in_the_cache() {
    use std::os::unix::fs::PermissionsExt;
    let place = tempfile::tempdir().unwrap();
    let (folder, kept) = (place.path().join("bank"), place.path().join("vectors"));
    fs::create_dir(&kept).unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o777)).unwrap();
    let bank = bank_at(&folder, 40, 40, &correlated(40));
    let (ample, tight) = (VectorCache::new(kept.clone(), u64::MAX).leaving(0), VectorCache::new(kept, 1000));
    let cancel = CancelToken::default();
    let make = |cache| build(&bank, "h", (cache, None), &cancel, &mut |_| ());
    let (nowhere, no_room) = without_writing(&folder, || (make(None), make(Some(&tight))));
    for (error, expected) in
        [(nowhere, "nothing is kept elsewhere"), (no_room, "all that is kept may take 1000")]
    {
        let words = format!("{:#}", error.unwrap_err());
        assert!(
            words.contains("nothing can be written beside the bank") && words.contains(expected),
            "{words}"
        );
    }
    let codes = without_writing(&folder, || {
        make(Some(&ample)).unwrap();
        let codes = RowCodes::open(&bank, "h", Some(&ample)).unwrap().unwrap();
        Quantised::measure(&bank, "h", codes, &cancel).unwrap()
    });
    let place_of_codes = ample.place_of_codes(bank.spec()).unwrap();
    assert_eq!(codes.codes().elsewhere(), Some(&*place_of_codes));
    assert!(codes.codes().is_of(&bank, "h") && ample.usage().codes == 1);
    assert!(RowCodes::open(&bank, "h", None).unwrap().is_none(), "nothing lies beside the bank");
    let query = row_of(&bank, 700);
    let found = codes.top_k(&bank, &query, 9, &Options::default()).unwrap();
    let found_there = Quantised::open(&bank, "h", Some(&ample)).unwrap().unwrap();
    let told = |measured: MeasuredRecall| (measured.rows, measured.queries, measured.k, measured.deviations);
    assert_eq!(told(found_there.measured()), told(codes.measured()));
    let kept_bytes = fs::read(place_of_codes.join("h.codes")).unwrap();
    // Beside the bank they are the same, and the others are not needed any more; those of another space are.
    fs::write(place_of_codes.join("z.codes"), "of z").unwrap();
    make(Some(&ample)).unwrap();
    assert!(kept_bytes == bytes_of(&folder) && ample.usage().codes == 1);
    assert!(!place_of_codes.join("h.codes").exists() && !place_of_codes.join("h.codes.json").exists());
    fs::remove_file(place_of_codes.join("z.codes")).unwrap();
    fs::write(place_of_codes.join("h.codes"), "of h").unwrap();
    make(Some(&ample)).unwrap();
    assert!(ample.usage().codes == 0 && !place_of_codes.exists());
    let beside = indexed(&bank, None);
    assert_eq!(beside.codes().elsewhere(), None);
    assert_eq!(beside.top_k(&bank, &query, 9, &Options::default()).unwrap(), found);
}
