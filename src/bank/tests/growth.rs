//! Banks that grow in memory, and the first images of one.

use super::*;
use crate::image::Image;

#[test]
fn a_bank_in_memory_grows_under_its_snapshots() {
    let mut grown = spec(Dtype::F16);
    grown.grid = PatchGrid::new(1, 1).unwrap();
    grown.spaces = vec![SpaceSpec { name: "h".into(), width: 2 }];
    let sides = [3, 70, 1, 50, 9]; // 9, 4900, 1, 2500, 81: chunks of 2048 end within images
    let entry = |(i, side): (usize, &u32)| ImageEntry {
        index: i as u32,
        height: *side,
        width: *side,
        label: None,
        name: String::new(),
    };
    let mut bank = MemoryBank::new(grown, sides.iter().enumerate().map(entry).collect()).unwrap();
    let mut snapshots = vec![bank.snapshot()];
    let mut next = 0;
    for (image, side) in sides.iter().enumerate() {
        let rows: Vec<f32> = (next..next + side * side).flat_map(|row| [(row % 1000) as f32, 1.0]).collect();
        bank.push_image(image, &[("h", &rows)]).unwrap();
        next += side * side;
        snapshots.push(bank.snapshot());
    }
    for (images, snapshot) in snapshots.iter().enumerate() {
        let rows: usize = sides[..images].iter().map(|side| (side * side) as usize).sum();
        assert_eq!(
            (snapshot.complete_images(), snapshot.patches(), snapshot.total_patches()),
            (images, rows, 7491)
        );
        let mut values = vec![0.0; rows * 2];
        snapshot.space("h").unwrap().read_rows(0..rows, &mut values).unwrap();
        assert!(values.chunks(2).enumerate().all(|(row, pair)| pair == [(row % 1000) as f32, 1.0]));
    }
}

#[test]
fn the_first_images_of_a_bank_are_a_bank_without_the_others() {
    let temp = tempfile::tempdir().unwrap();
    let bank = whole(temp.path());
    let first = bank.first_images(3);
    assert_eq!((first.complete_images(), first.patches(), first.total_patches()), (3, 17, 27));
    assert_eq!((first.space("h").unwrap().searchable(), first.skipped().len()), (9, 1));
    assert!(bank.row_of(3, 0, 0).is_ok() && error_of(first.row_of(3, 0, 0)).contains("not in the bank yet"));
    assert!(bank.first_images(2).skipped().is_empty());
    let all = bank.first_images(99);
    assert_eq!((all.patches(), all.space("z").unwrap().searchable()), (27, 19));
    // Planned for no more, it is whole; its rows are where they were, and have their sums.
    let cut = bank.cut_to(3).unwrap();
    assert_eq!((cut.patches(), cut.total_patches(), cut.is_complete()), (17, 17, true));
    cut.space("h").unwrap().check(0..17).unwrap();
    assert_eq!(cut.image_of_row(16), bank.image_of_row(16));
    assert_eq!(bank.cut_to(99).unwrap().total_patches(), 27);
}

#[test]
fn a_bank_that_is_open_takes_what_was_committed_since_and_knows_who_writes() {
    let temp = tempfile::tempdir().unwrap();
    let (mut writer, _) = writer_in(temp.path(), &spec(Dtype::F16), &images()).unwrap();
    fill(&mut writer, 2);
    writer.commit().unwrap();
    let open = Bank::open(temp.path()).unwrap();
    assert!(open.written_by().unwrap().starts_with("process "));
    assert!(open.at_newest_commit().unwrap().is_none());
    open.space("h").unwrap().check(0..9).unwrap();
    fill(&mut writer, 5);
    assert!(open.at_newest_commit().unwrap().is_none(), "it is not committed yet");
    writer.finish().unwrap();
    let newest = open.at_newest_commit().unwrap().unwrap();
    assert_eq!((open.patches(), newest.patches(), newest.skipped().len()), (9, 27, 1));
    assert!(newest.id() == open.id() && newest.is_complete() && newest.written_by().is_none());
    assert_eq!(newest.space("z").unwrap().searchable(), 19);
    check_rows(&newest);

    // What was looked at stays so; what was added is looked at.
    let path = temp.path().join("h.f16");
    let mut bytes = fs::read(&path).unwrap();
    (bytes[0], bytes[26 * 10]) = (bytes[0] ^ 1, bytes[26 * 10] ^ 1);
    fs::write(&path, bytes).unwrap();
    let newest = open.at_newest_commit().unwrap().unwrap();
    let space = newest.space("h").unwrap();
    space.check(0..9).unwrap();
    assert!(error_of(space.check(26..27)).contains("is damaged in rows 26 to 26"));

    fs::remove_dir_all(temp.path()).unwrap();
    let mut other = spec(Dtype::F16);
    other.model.hash = "another".into();
    let (mut writer, _) = writer_in(temp.path(), &other, &images()).unwrap();
    fill(&mut writer, 5);
    writer.finish().unwrap();
    assert!(error_of(open.at_newest_commit()).contains("holds another bank by now"));
}

/// A bank in memory of some of [`images`], of which the first `count` are in it, each with pixels of its own colour.
fn some(chosen: &[usize], count: usize) -> MemoryBank {
    let all = images();
    let mut bank =
        MemoryBank::new(spec(Dtype::F16), chosen.iter().map(|image| all[*image].clone()).collect()).unwrap();
    (0..count).for_each(|place| come(&mut bank, place, chosen[place], chosen[place] as u8));
    bank
}

fn come(bank: &mut MemoryBank, place: usize, image: usize, colour: u8) {
    let pixels = PixelHash::of(&Image::filled(2, 2, [colour; 3]));
    let (z, h) = (values(image, 3), values(image, 5));
    bank.push_hashed(place, Some(pixels), &[("z", &z), ("h", &h)]).unwrap();
}

#[test]
fn guests_are_searched_beside_what_is_there_and_are_no_part_of_it() {
    let mut bank = some(&[3, 0], 1);
    let (planned, other) = (some(&[0], 1), some(&[4], 1));
    let indices = |bank: &Bank| bank.images().iter().map(|image| image.index).collect::<Vec<_>>();
    let with = bank.snapshot_with(&[&planned, &other]).unwrap();
    check_rows(&with);
    assert_eq!(indices(&with), [3, 0, 4]);
    assert_eq!(with.guests().iter().map(|image| image.index).collect::<Vec<_>>(), [0, 4]);
    assert_eq!((with.own_images(), with.own_total_images(), with.own_patches()), (1, 2, 9));
    assert_eq!(
        (with.patches(), with.space("h").unwrap().searchable(), with.total_searchable()),
        (19, 19, 19)
    );
    assert_eq!((with.firsts().unwrap(), with.is_complete()), (vec![0, 1, 2], true));
    assert!(with.id() == bank.snapshot().id());
    assert_eq!(with.first_images(2).guests().len(), 1);
    // What is there by now is no guest any more, and a bank without guests is as it was.
    come(&mut bank, 1, 0, 3);
    let with = bank.snapshot_with(&[&planned, &other]).unwrap();
    check_rows(&with);
    assert_eq!((indices(&with), with.guests().len()), (vec![3, 0, 4], 1));
    assert_eq!(with.firsts().unwrap(), [0, 0, 2]);
    let copy = some(&[1, 4], 0);
    let mut again = some(&[4], 0);
    come(&mut again, 0, 4, 3);
    assert_eq!(
        bank.snapshot_with(&[&copy, &again]).unwrap().firsts().unwrap(),
        [0, 0, 0],
        "of unfinished ones none"
    );
    let plain = bank.snapshot();
    assert_eq!((indices(&plain), plain.guests().len(), plain.total_images()), (vec![3, 0], 0, 2));
    assert!(with.holds(4) && !plain.holds(4));
}
