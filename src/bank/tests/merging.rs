//! Parts, laid end to end, are the bank that one process makes.

use super::*;

/// Makes a part of the bank that [`whole`] makes, up to `most` of its images.
fn part(folder: &Path, number: u32, of: u32, most: usize) -> anyhow::Result<()> {
    part_of(folder, spec(Dtype::F16), PartNumber { number, of }, most)
}

fn part_of(folder: &Path, mut spec: BankSpec, number: PartNumber, most: usize) -> anyhow::Result<()> {
    let (images, facts) = number.take(spec.grid, images())?;
    spec.data.part = Some(facts);
    let (mut writer, _) = writer_in(folder, &spec, &images)?;
    for (place, image) in images.iter().enumerate().take(most) {
        let image = image.index as usize;
        let (h, z) = (values(image, 5), values(image, 3));
        match image {
            2 => writer.push_skipped(place, "cut off JPEG")?,
            _ => writer.push_image(place, &[("h", &h), ("z", &z)])?,
        }
    }
    writer.commit()
}

/// Parts 1 to `of`, the last one first.
fn parts(temp: &Path, of: u32) -> Vec<PathBuf> {
    let made = (1..=of).rev().map(|number| {
        let folder = temp.join(format!("{number}-{of}"));
        part(&folder, number, of, 5).unwrap();
        folder
    });
    made.collect()
}

fn writer_for(parts: &PartBanks, out: &Path) -> BankWriter {
    writer_in(out, parts.spec(), parts.images()).unwrap().0
}

fn merge(parts: &[PathBuf], out: &Path) -> anyhow::Result<()> {
    let mut parts = PartBanks::open(parts)?;
    let mut writer = writer_for(&parts, out);
    while parts.push_next(&mut writer)? {}
    writer.finish().map(drop)
}

#[test]
fn parts_in_any_order_become_the_bank_of_one_process() {
    let temp = tempfile::tempdir().unwrap();
    whole(&temp.path().join("whole"));
    let expected = content(&temp.path().join("whole"));
    for of in 1..=4 {
        let out = temp.path().join(format!("merged-{of}"));
        merge(&parts(temp.path(), of), &out).unwrap();
        assert_eq!(content(&out), expected, "{of} parts");
    }
}

#[test]
fn a_merge_goes_on_after_a_kill_and_repairs_damage() {
    let temp = tempfile::tempdir().unwrap();
    whole(&temp.path().join("whole"));
    let expected = content(&temp.path().join("whole"));
    let (folders, out) = (parts(temp.path(), 3), temp.path().join("merged"));
    let mut opened = PartBanks::open(&folders).unwrap();
    let mut writer = writer_for(&opened, &out);
    for _ in 0..4 {
        assert!(opened.push_next(&mut writer).unwrap());
    }
    writer.commit().unwrap();
    drop(writer);
    let rows = out.join("h.f16");
    let mut bytes = fs::read(&rows).unwrap();
    bytes[3] ^= 1;
    fs::write(&rows, bytes).unwrap();
    let (writer, there) = writer_in(&out, opened.spec(), opened.images()).unwrap();
    assert_eq!((there, writer.damaged().collect::<Vec<_>>()), (4, vec![0]));
    drop(writer);
    merge(&folders, &out).unwrap();
    assert_eq!(content(&out), expected);
    // Whole by now: nothing is left to do.
    merge(&folders, &out).unwrap();
    assert_eq!(content(&out), expected);
}

#[test]
fn what_is_missing_is_counted() {
    let temp = tempfile::tempdir().unwrap();
    let folders = parts(temp.path(), 4);
    let opened = PartBanks::open(&folders[1..3]).unwrap();
    assert_eq!((opened.missing(), opened.of()), (vec![1, 4], 4));
    // Image 1, which has no patches, goes with the one before it.
    assert_eq!(opened.counts(), [(2, 17), (5, 27)]);
    assert!(PartBanks::open(&folders).unwrap().missing().is_empty());
}

#[test]
fn what_is_no_part_of_the_same_whole_is_refused_in_words() {
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name);
    let folders = parts(temp.path(), 2);
    let refused = |other: &str, words: &[&str]| {
        let error = error_of(PartBanks::open(&[folders[1].clone(), at(other)]));
        assert!(words.iter().all(|words| error.contains(words)), "{error}");
    };
    refused("none", &["none is no bank"]);
    whole(&at("whole"));
    refused("whole", &["whole is a bank of its own", "--shard"]);
    refused("1-2", &["are both part 1 of 2"]);
    part(&at("half"), 2, 2, 1).unwrap();
    refused("half", &["half, part 2 of 2, has 1 of its 2 images so far", "goes on from there"]);
    part(&at("2-3"), 2, 3, 5).unwrap();
    refused("2-3", &["1-2 is part 1 of 2 of a bank of 5 images", "2-3 is part 2 of 3", "one division"]);
    let number = PartNumber { number: 2, of: 2 };
    let mut other = spec(Dtype::F16);
    other.model.hash = "bbbb".into();
    other.data.fingerprint = "eeee".into();
    part_of(&at("other"), other, number, 5).unwrap();
    let words = "model: demo (resnet18, hash aaaa) in one, demo (resnet18, hash bbbb) in the other";
    refused("other", &["parts of different banks", words, "fingerprint eeee"]);
    let mut limited = spec(Dtype::F16);
    limited.data.limit = Some(5);
    part_of(&at("limited"), limited, number, 5).unwrap();
    refused("limited", &["limit: all images in one, 5 images in the other"]);
}

#[test]
fn images_that_were_never_divided_and_damaged_rows_are_refused() {
    let temp = tempfile::tempdir().unwrap();
    let folders = parts(temp.path(), 2);
    let first = folders[1].clone();
    // The first part says that it is the second.
    let manifest = fs::read_to_string(first.join("bank.json")).unwrap();
    let lie = temp.path().join("lie");
    fs::create_dir(&lie).unwrap();
    for (name, bytes) in content(&first) {
        fs::write(lie.join(name), bytes).unwrap();
    }
    fs::write(lie.join("bank.json"), manifest.replace("\"number\": 1", "\"number\": 2")).unwrap();
    let error = error_of(PartBanks::open(&[first.clone(), lie.clone()]));
    assert!(error.contains("not those of the whole") || error.contains("is in places"), "{error}");
    for (from, to) in [("\"number\": 1", "\"number\": 3"), ("\"of\": 2", "\"of\": 2000000")] {
        fs::write(lie.join("bank.json"), manifest.replace(from, to)).unwrap();
        let error = error_of(PartBanks::open(std::slice::from_ref(&lie)));
        assert!(error.contains("bank.json is damaged") && error.contains("expected I/N"), "{error}");
    }

    let rows = first.join("z.f16");
    let mut bytes = fs::read(&rows).unwrap();
    bytes[5] ^= 1;
    fs::write(&rows, bytes).unwrap();
    let out = temp.path().join("out");
    let error = error_of(merge(&folders, &out));
    assert!(error.contains("z.f16 is damaged in rows 0 to 8"), "{error}");
    assert!(!Bank::open(&out).unwrap().is_complete());
}
