//! The search against its float64 reference, and what it leaves out.

use super::*;
use crate::bank::{Bank, BankSink, BankSpec, BankWriter, Dtype, ImageEntry, MemoryBank};
use crate::patch::PatchGrid;
use crate::progress::CancelToken;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// The stated bound between a cosine in float32 and in float64.
const BOUND: f64 = 1e-6;

pub(super) fn spec(dtype: Dtype, width: usize) -> BankSpec {
    BankSpec { dtype, ..BankSpec::of_test(PatchGrid::new(1, 1).unwrap(), &[("h", width as u32)]) }
}

/// Images of `counts` patches in one line; image i has label i % 3, the last none.
pub(super) fn entries(counts: &[usize]) -> Vec<ImageEntry> {
    let entry = |(i, count): (usize, &usize)| ImageEntry {
        index: i as u32,
        height: 1,
        width: *count as u32,
        label: (i + 1 != counts.len()).then_some(i as u32 % 3),
        name: String::new(),
    };
    counts.iter().enumerate().map(entry).collect()
}

pub(super) fn bank_of(dtype: Dtype, width: usize, counts: &[usize], rows: &[f32]) -> Bank {
    let mut bank = MemoryBank::new(spec(dtype, width), entries(counts)).unwrap();
    let mut rest = rows;
    for (image, count) in counts.iter().enumerate() {
        let (now, later) = rest.split_at(count * width);
        bank.push_image(image, &[("h", now)]).unwrap();
        rest = later;
    }
    bank.snapshot()
}

pub(super) fn random(rng: &mut Pcg64Mcg, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.random_range(-1.0f32..1.0) * 4.0).collect()
}

/// As many hits as the reference, in order, without repetition, each at its true cosine, and each as near as the
/// true one of its rank.
fn check(bank: &Bank, query: &[f32], k: usize, options: &Options) {
    let found = top_k(bank, "h", query, k, options).unwrap();
    let expected = reference::top_k(bank, "h", query, k, options).unwrap();
    let cosines = reference::cosines(bank, "h", query).unwrap();
    assert_eq!(found.len(), expected.len());
    for (hit, truth) in found.iter().zip(&expected) {
        let own = cosines[hit.row];
        assert!((own - f64::from(hit.cosine)).abs() <= BOUND, "row {}: {} is {own}", hit.row, hit.cosine);
        assert!((own - cosines[truth.row]).abs() <= 2.0 * BOUND, "row {} in place of {}", hit.row, truth.row);
        assert!(!options.exclude_rows.contains(&hit.row));
        assert!(options.shows(bank.place_of_row(hit.row)));
        assert!(!options.exclude_images.contains(&bank.image_of_row(hit.row)));
    }
    for pair in found.windows(2) {
        assert!((pair[1].cosine, pair[0].row) < (pair[0].cosine, pair[1].row), "order and ties: {pair:?}");
    }
    let mut images: Vec<u32> = found.iter().map(|hit| bank.image_of_row(hit.row)).collect();
    images.sort_unstable();
    let most = images.chunk_by(|a, b| a == b).map(<[u32]>::len).max().unwrap_or(0);
    assert!(most <= options.per_image.unwrap_or(usize::MAX), "{most} of one image");
}

#[test]
fn the_nearest_rows_are_those_of_the_reference() {
    let mut rng = Pcg64Mcg::seed_from_u64(3);
    let counts: Vec<usize> = (0..60).map(|i| [0, 7, 400, 1, 150][i % 5]).collect();
    let total: usize = counts.iter().sum();
    for (dtype, width) in
        [(Dtype::F16, 16), (Dtype::F16, 67), (Dtype::F32, 33), (Dtype::F32, 128), (Dtype::F16, 1)]
    {
        let rows = random(&mut rng, total * width);
        let bank = bank_of(dtype, width, &counts, &rows);
        let mut query = vec![0.0; width];
        bank.row_f32("h", 1234, &mut query).unwrap();
        for k in [0, 1, 119, total - 1, total, total + 10, usize::MAX] {
            for per_image in [None, Some(0), Some(1), Some(3)] {
                let options = Options { exclude_rows: vec![1234, 77], per_image, ..Options::default() };
                check(&bank, &query, k, &options);
                let exclude_images = vec![bank.image_of_row(1234), bank.image_of_row(4)];
                let other = Options { exclude_images, ..options };
                check(&bank, &random(&mut rng, width), k, &other);
                let shown = Some((0..counts.len()).map(|place| place % 3 > 0).collect());
                check(&bank, &random(&mut rng, width), k, &Options { shown, ..other });
            }
        }
    }
}

#[test]
fn equal_rows_come_in_bank_order() {
    let mut rng = Pcg64Mcg::seed_from_u64(4);
    let counts = [5000, 3000, 2000];
    let kinds: Vec<Vec<f32>> = (0..4).map(|_| random(&mut rng, 24)).collect();
    let which: Vec<usize> = (0..10_000).map(|_| rng.random_range(0..4)).collect();
    let rows: Vec<f32> = which.iter().flat_map(|kind| kinds[*kind].clone()).collect();
    let bank = bank_of(Dtype::F16, 24, &counts, &rows);
    let mut nearest: Vec<usize> = (0..10_000).filter(|row| which[*row] == 2).collect();
    for k in [1, 10, nearest.len()] {
        let found = top_k(&bank, "h", &kinds[2], k, &Options::default()).unwrap();
        assert_eq!(found.iter().map(|hit| hit.row).collect::<Vec<_>>(), nearest[..k]);
    }
    nearest.retain(|row| *row >= 5000);
    let options = Options { exclude_images: vec![0], ..Options::default() };
    let found = top_k(&bank, "h", &kinds[2], 50, &options).unwrap();
    assert_eq!(found.iter().map(|hit| hit.row).collect::<Vec<_>>(), nearest[..50]);
}

#[test]
fn rows_that_become_better_and_better_are_all_found() {
    let rows: Vec<f32> = (0..20_000).flat_map(|i| [i as f32 / 1000.0, 1.0]).collect();
    let bank = bank_of(Dtype::F32, 2, &[20_000], &rows);
    let found = top_k(&bank, "h", &[1.0, 0.0], 300, &Options::default()).unwrap();
    check(&bank, &[1.0, 0.0], 300, &Options::default());
    assert!(found.iter().all(|hit| hit.row > 19_000));
}

#[test]
fn skipped_broken_and_uncommitted_rows_never_appear_and_zeros_are_at_0() {
    let temp = tempfile::tempdir().unwrap();
    let counts = [3, 2, 2, 4];
    let (mut writer, _) = BankWriter::create_or_resume(
        temp.path(),
        &spec(Dtype::F16, 2),
        &entries(&counts),
        &CancelToken::default(),
    )
    .unwrap();
    writer.push_image(0, &[("h", &[1.0, 0.1, f32::NAN, 1.0, 0.0, 0.0])]).unwrap();
    writer.push_skipped(1, "broken").unwrap();
    writer.push_image(2, &[("h", &[-1.0, 0.0, f32::INFINITY, 1.0])]).unwrap();
    writer.commit().unwrap();
    writer.push_image(3, &[("h", &[1.0; 8])]).unwrap();
    let bank = Bank::open(temp.path()).unwrap();
    for per_image in [None, Some(5)] {
        let options = Options { per_image, ..Options::default() };
        let found = top_k(&bank, "h", &[1.0, 0.0], 100, &options).unwrap();
        assert_eq!(found.iter().map(|hit| hit.row).collect::<Vec<_>>(), [0, 2, 5]);
        assert_eq!((found[1].cosine, found[2].cosine), (0.0, -1.0));
        check(&bank, &[1.0, 0.0], 100, &options);
    }
    assert_eq!((bank.space("h").unwrap().searchable(), bank.patches(), bank.total_patches()), (3, 7, 11));
    // A zero query is as near to everything.
    let found = top_k(&bank, "h", &[0.0, 0.0], 2, &Options::default()).unwrap();
    assert_eq!(found, [Hit { row: 0, cosine: 0.0 }, Hit { row: 2, cosine: 0.0 }]);
}

#[test]
fn extreme_lengths_do_not_change_the_cosine() {
    let rows: Vec<f32> = [1e-25f32, 1.0, 1e25].iter().flat_map(|scale| [3.0 * scale, 4.0 * scale]).collect();
    let bank = bank_of(Dtype::F32, 2, &[3], &rows);
    for scale in [1e-30f32, 1e30] {
        let found = top_k(&bank, "h", &[3.0 * scale, 4.0 * scale], 3, &Options::default()).unwrap();
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|hit| (hit.cosine - 1.0).abs() < 1e-6), "{found:?}");
    }
}

#[test]
fn wrong_questions_are_errors_in_words() {
    let bank = bank_of(Dtype::F16, 2, &[3], &[1.0; 6]);
    let ask = |space: &str, query: &[f32], options: &Options| {
        top_k(&bank, space, query, 1, options).unwrap_err().to_string()
    };
    let none = Options::default();
    assert!(ask("y", &[1.0, 1.0], &none).contains("no space \"y\"; it has h"));
    assert!(ask("h", &[1.0], &none).contains("1 values; space h has 2"));
    assert!(ask("h", &[1.0, f32::NAN], &none).contains("NaN"));
    let image = Options { exclude_images: vec![1], ..Options::default() };
    assert!(ask("h", &[1.0, 1.0], &image).contains("image 1 is out of range"));
    none.cancel.cancel();
    assert!(ask("h", &[1.0, 1.0], &none).contains("cancelled"));
}

#[test]
fn relations_follow_image_and_label() {
    let bank = bank_of(Dtype::F16, 1, &[1, 1, 1, 1, 1], &[1.0; 5]); // labels 0, 1, 2, 0, none
    let of = |row, image, label| Relation::of(&bank, row, image, label);
    assert_eq!(of(0, Some(0), Some(0)), Relation::SameImage);
    assert_eq!(of(3, Some(0), Some(0)), Relation::SameClass);
    assert_eq!(of(1, Some(0), Some(0)), Relation::OtherClass);
    assert_eq!(of(4, Some(0), Some(0)), Relation::OtherImage);
    assert_eq!(of(4, Some(4), None), Relation::SameImage);
    assert_eq!(of(0, None, None), Relation::OtherImage);
    assert_eq!(of(0, None, Some(0)), Relation::SameClass);
    let kin = Kin { images: vec![0, 4], labels: vec![0, 2] };
    let all: Vec<Relation> = (0..5).map(|row| kin.relation(&bank, row)).collect();
    use Relation::{OtherClass, SameClass, SameImage};
    assert_eq!(all, [SameImage, OtherClass, SameClass, SameClass, SameImage]);
    assert_eq!(serde_json::to_string(&Relation::SameImage).unwrap(), "\"same-image\"");
}
