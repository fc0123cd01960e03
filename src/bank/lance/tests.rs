//! A bank in Lance in a folder: kills, processes beside each other, what is published again, and its index.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::super::{
    Bank, BankOutput, BankSpec, Dtype, FarIndex, ImageEntry, OwnedValues, PartNumber, PixelHash, RowSource,
};
use super::*;
use crate::image::Image;
use crate::patch::PatchGrid;
use crate::progress::CancelToken;

const WIDTH: usize = 16;
/// Of each image.
const PATCHES: usize = 9;
const IMAGES: usize = 12;
/// It has no vectors.
const UNREAD: usize = 5;

fn spec() -> BankSpec {
    BankSpec {
        dtype: Dtype::F16,
        classes: vec!["a".into(), "b".into()],
        ..BankSpec::of_test(PatchGrid::new(4, 2).unwrap(), &[("h-1", WIDTH as u32)])
    }
}

fn images() -> Vec<ImageEntry> {
    let entry = |index: usize| ImageEntry {
        index: index as u32,
        height: 8,
        width: 8,
        label: (index > 0).then_some(index as u32 % 2),
        name: index.to_string(),
    };
    (0..IMAGES).map(entry).collect()
}

/// The vectors of an image: a function of its index, as those of a model are.
fn values(image: usize) -> Vec<f32> {
    let mut rng = Pcg64Mcg::seed_from_u64(image as u64);
    (0..PATCHES * WIDTH).map(|_| half::f16::from_f32(rng.random_range(-1.0..1.0)).to_f32()).collect()
}

/// One of `of` parts in `folder`; the bank as a whole where there is but one.
fn writer(folder: &Path, number: u32, of: u32) -> (Box<dyn BankOutput>, usize, usize) {
    let (mut spec, mut images) = (spec(), images());
    if of > 1 {
        let (some, facts) = PartNumber { number, of }.take(spec.grid, images).unwrap();
        (images, spec.data.part) = (some, Some(facts));
    }
    let first = images[0].index as usize;
    let (writer, done) = create(folder.to_str().unwrap(), &spec, &images).unwrap();
    (writer, done, first)
}

/// Pushes images until there are `until`, the first of which is `first` in the data set. The third is a copy of the second.
fn push(writer: &mut dyn BankOutput, first: usize, until: usize) {
    for place in writer.next_image()..until {
        let image = first + place;
        let pixels = PixelHash::of(&Image::filled(8, 8, [if image == 2 { 1 } else { image as u8 }; 3]));
        match image {
            UNREAD => writer.push_skipped(place, "cut off").unwrap(),
            _ => writer.push_hashed(place, Some(pixels), &[("h-1", &values(image))]).unwrap(),
        }
    }
}

fn make_part(folder: &Path, number: u32, of: u32) {
    let (mut writer, _, first) = writer(folder, number, of);
    push(&mut *writer, first, IMAGES / of as usize);
    writer.finish().unwrap();
}

fn opened(folder: &Path) -> Bank {
    open(folder.to_str().unwrap()).unwrap()
}

fn merged(folder: &Path) -> Bank {
    merge(folder.to_str().unwrap()).unwrap();
    opened(folder)
}

/// The bank with one of its two parts made anew.
fn made_again(folder: &Path, number: u32) -> Bank {
    fs::remove_file(folder.join("bank.json")).unwrap();
    fs::remove_dir_all(folder.join(format!("parts/{number}-of-2"))).unwrap();
    make_part(folder, number, 2);
    merged(folder)
}

fn error_of<T>(result: anyhow::Result<T>) -> String {
    format!("{:#}", result.err().expect("an error"))
}

/// Every row of `bank`, by one and as they come past, is that of its image.
fn check(bank: &Bank) {
    let (source, mut row) = (bank.far().unwrap(), [0.0; WIDTH]);
    let mut passed = vec![];
    let mut take = |first: usize, values: OwnedValues| {
        assert_eq!(first * WIDTH, passed.len());
        let OwnedValues::F16(values) = values else { panic!("{values:?}") };
        passed.extend(values.iter().map(|value| value.to_f32()));
        Ok(())
    };
    source.scan(0, 0..bank.patches(), &mut take).unwrap();
    for at in 0..bank.patches() {
        let image = bank.patch_ref(at).image as usize;
        bank.row_f32("h-1", at, &mut row).unwrap();
        if image == UNREAD {
            assert!(row[0].is_nan() && passed[at * WIDTH].is_nan());
            continue;
        }
        let wanted = &values(image)[at % PATCHES * WIDTH..][..WIDTH];
        assert_eq!((&row[..], &passed[at * WIDTH..][..WIDTH]), (wanted, wanted), "row {at}");
    }
    assert_eq!((bank.patches(), bank.searchable()), (IMAGES * PATCHES, (IMAGES - 1) * PATCHES));
    assert_eq!(bank.space("h-1").unwrap().searchable_in(40..60), 20 - 9);
    // Image 2 is a copy of image 1; what could not be read is a copy of nothing.
    assert_eq!((bank.copies().unwrap(), bank.firsts().unwrap()[2]), (1, 1));
}

/// Notes that the index was measured, and how it is asked.
fn note(source: &dyn RowSource) {
    let all =
        FarIndex { lists: 1.0, candidates: 4, recall: 1.0, least: 1.0, queries: 3, k: 1, compared: 9.0 };
    source.note_index(0, all).unwrap();
}

/// Among what the index proposes for each row is that row.
fn check_proposed(bank: &Bank) {
    let source = bank.far().unwrap();
    for image in (0..IMAGES).filter(|image| *image != UNREAD) {
        let row = image * PATCHES + image % PATCHES;
        let query = &values(image)[image % PATCHES * WIDTH..][..WIDTH];
        let rows = source.propose(0, query, 8, None).unwrap();
        assert!(rows.contains(&row), "{row} is not in {rows:?}");
        let ranges = [row - 3..row - 1, row..row + 1];
        let among: BTreeSet<usize> =
            source.propose(0, query, 8, Some(&ranges)).unwrap().into_iter().collect();
        assert!(among.contains(&row), "{row} is not in {among:?}");
        assert!(among.iter().all(|row| ranges.iter().any(|range| range.contains(row))), "{among:?}");
    }
}

#[test]
fn parts_are_one_bank_once_all_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    make_part(folder, 3, 3);
    make_part(folder, 1, 3);
    assert!(error_of(merge(folder.to_str().unwrap())).contains("missing: 1 part (2/3)"));
    // Killed after its second image, then in the midst of the third.
    let (mut second, _, first) = writer(folder, 2, 3);
    push(&mut *second, first, 2);
    second.commit().unwrap();
    push(&mut *second, first, 3);
    drop(second);
    assert!(error_of(merge(folder.to_str().unwrap())).contains("part 2/3 has 2 of its 4 images so far"));
    let said = error_of(open(folder.to_str().unwrap()));
    assert!(said.contains("is no bank: 3 parts of it") && said.contains("part 2/3 has 2 of its 4"), "{said}");
    let (second, done, first) = writer(folder, 2, 3);
    assert_eq!((done, first), (2, 4));
    drop(second);
    make_part(folder, 2, 3);
    check(&merged(folder));
}

#[test]
fn a_kill_between_hashes_and_record_costs_what_the_record_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let record = folder.join("parts/1-of-1/part.json");
    let hashes = folder.join("parts/1-of-1/pixels.bin");
    let (mut killed, _, _) = writer(folder, 1, 1);
    push(&mut *killed, 0, 2);
    killed.commit().unwrap();
    let (before, length) = (fs::read(&record).unwrap(), fs::metadata(&hashes).unwrap().len());
    push(&mut *killed, 0, 4);
    killed.commit().unwrap();
    drop(killed);
    // The hashes of the second commit are there, its record is not.
    fs::write(&record, before).unwrap();
    assert!(fs::metadata(&hashes).unwrap().len() > length);
    let (mut next, done, _) = writer(folder, 1, 1);
    assert_eq!(done, 2);
    push(&mut *next, 0, IMAGES);
    check(&next.finish().unwrap());
}

#[test]
fn of_two_processes_that_make_a_part_the_later_counts() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    make_part(folder, 1, 2);
    let [(mut one, _, first), (mut other, _, _)] = [(); 2].map(|()| writer(folder, 2, 2));
    push(&mut *one, first, 3);
    one.commit().unwrap();
    push(&mut *other, first, 4);
    other.commit().unwrap();
    push(&mut *one, first, 6);
    push(&mut *other, first, 6);
    one.finish().unwrap();
    check(&merged(folder));
    // The other is done only now, and its fragments are others.
    other.finish().unwrap();
    check(&merged(folder));
}

#[test]
fn what_is_published_again_keeps_the_index_of_what_stays() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    make_part(folder, 1, 2);
    make_part(folder, 2, 2);
    let half = IMAGES / 2 * PATCHES;
    let never = CancelToken::default();
    let bank = merged(folder);
    let source = bank.far().unwrap();
    assert_eq!((source.indexed_rows(0), source.index(0)), (0, None));
    source.build_index(0, &never).unwrap();
    assert_eq!((source.indexed_rows(0), source.index(0)), (2 * half, None), "it was not measured");
    note(&**source);
    check_proposed(&bank);
    assert!(source.index_bytes(0).unwrap() > 0);
    // The same again.
    let bank = merged(folder);
    assert_eq!(bank.far().unwrap().indexed_rows(0), 2 * half);
    assert!(bank.far().unwrap().index(0).is_some());
    // Another second part: its rows are compared, those of the first proposed.
    let bank = made_again(folder, 2);
    let source = bank.far().unwrap();
    assert_eq!(source.indexed_rows(0), half);
    assert!(source.index(0).is_some());
    check(&bank);
    check_proposed(&bank);
    source.build_index(0, &never).unwrap();
    assert_eq!((source.indexed_rows(0), source.index(0)), (2 * half, None), "it is another");
    note(&**source);
    check_proposed(&opened(folder));
    // Another first part: nothing of it stays.
    let bank = made_again(folder, 1);
    assert_eq!((bank.far().unwrap().indexed_rows(0), bank.far().unwrap().index(0)), (0, None));
    check(&bank);
}

#[test]
fn segments_that_were_made_apart_are_one_index() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for number in 1..=3 {
        make_part(folder, number, 3);
    }
    let never = CancelToken::default();
    let third = IMAGES / 3 * PATCHES;
    let bank = merged(folder);
    let made = |number, of| {
        let bank = opened(folder);
        bank.far().unwrap().build_segment(0, PartNumber { number, of }, &never)
    };
    assert!(error_of(made(1, 4)).contains("is of 3 fragments, which cannot be divided in 4 parts"));
    assert_eq!(made(2, 3).unwrap(), third);
    let record = folder.join("segments/h_1/2-of-3.json");
    let before = fs::read(&record).unwrap();
    assert_eq!(made(2, 3).unwrap(), third);
    assert!(fs::read(&record).unwrap() == before, "it was there");
    assert_eq!(opened(folder).far().unwrap().indexed_rows(0), 0, "nobody joined it");
    // Another process, which opened the table before there was a segment.
    let late = bank.far().unwrap().build_segment(0, PartNumber { number: 3, of: 3 }, &never);
    assert_eq!(late.unwrap(), third);
    let bank = opened(folder);
    let source = bank.far().unwrap();
    source.build_index(0, &never).unwrap();
    assert_eq!(source.indexed_rows(0), 3 * third, "the first part is indexed where the others are joined");
    note(&**source);
    check_proposed(&bank);
    let noted = fs::read_to_string(folder.join("index.json")).unwrap();
    for number in [2, 3] {
        let record = fs::read(folder.join(format!("segments/h_1/{number}-of-3.json"))).unwrap();
        let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
        assert!(noted.contains(record["uuid"].as_str().unwrap()), "{number} is not in {noted}");
    }
    assert_eq!(made(2, 3).unwrap(), 0, "all of it is indexed");
}
