//! Banks that grow in memory, and the first images of one.

use super::*;

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
