//! Damage is found, named and mended.

use super::*;

#[test]
fn damage_is_named_with_file_expected_and_found() {
    let temp = tempfile::tempdir().unwrap();
    whole(temp.path());
    let cut = |name: &str, length: u64| {
        let path = temp.path().join(name);
        let before = fs::read(&path).unwrap();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();
        let errors = [
            error_of(Bank::open(temp.path())),
            error_of(writer_in(temp.path(), &spec(Dtype::F16), &images())),
        ];
        fs::write(&path, before).unwrap();
        errors.into_iter().inspect(|e| assert!(e.contains(name), "{name} is not in: {e}")).next().unwrap()
    };
    assert!(cut("h.f16", 269).contains("269 bytes; expected 270"));
    assert!(cut("h.f16", 300).contains("300 bytes; expected 270"));
    assert!(cut("z.inv", 0).contains("0 bytes; expected 108"));
    assert!(cut("images.bin", 50).contains("cut off"));
    cut("bank.json", 100);
    let replaced = |name: &str, from: &str, to: &str| {
        let path = temp.path().join(name);
        let before = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&before).replacen(from, to, 1);
        fs::write(&path, text.as_bytes()).unwrap();
        let error = error_of(Bank::open(temp.path()));
        fs::write(&path, before).unwrap();
        error
    };
    assert!(replaced("bank.json", "\"version\": 1", "\"version\": 2").contains("reads version 1"));
    assert!(replaced("bank.json", "\"complete_images\": 5", "\"complete_images\": 6").contains("6 of 5"));
    assert!(replaced("bank.json", "\"stride\": 2", "\"stride\": 0").contains("stride is 0"));
    assert!(
        replaced("bank.json", "\"stride\": 2", "\"stride\": 1").contains("counts 27 patches, the grid gives")
    );
    assert!(replaced("bank.json", "\"h\": 19", "\"h\": 28").contains("28 of 27 rows of h"));
    assert!(replaced("bank.json", "\"image\": 2", "\"image\": 9").contains("skips image 9"));
    assert!(replaced("bank.json", "\"name\": \"h\"", "\"name\": \"../h\"").contains("cannot name a space"));
    assert!(replaced("bank.json", "\"width\": 5", "\"width\": 16777216").contains("h.f16"));
    let table = temp.path().join("images.bin");
    let before = fs::read(&table).unwrap();
    let mut changed = before.clone();
    *changed.last_mut().unwrap() ^= 1; // another name, of the same length
    fs::write(&table, changed).unwrap();
    assert!(error_of(Bank::open(temp.path())).contains("SHA-256"));
    fs::write(&table, before).unwrap();
    fs::remove_file(temp.path().join("z.f16")).unwrap();
    assert!(error_of(Bank::open(temp.path())).contains("z.f16"));
}

#[test]
fn a_flipped_bit_is_named_before_it_counts_and_pushed_again() {
    let temp = tempfile::tempdir().unwrap();
    whole(temp.path());
    let before = content(temp.path());
    // File, byte of image 3 or 2 (skipped) in it, and what holds the damage.
    for (file, byte, image, space) in [
        ("h.f16", 17 * 10 + 1, 3, "h"),
        ("z.f16", 17 * 6, 3, "z"),
        ("h.inv", 17 * 4, 3, "h"),
        ("h.f16", 12 * 10, 2, "h"),
        ("sums.crc32c", 2 * 8 + 4, 3, "z"),
    ] {
        let path = temp.path().join(file);
        let mut bytes = fs::read(&path).unwrap();
        bytes[byte] ^= 1;
        fs::write(&path, bytes).unwrap();
        let bank = Bank::open(temp.path()).unwrap();
        let rows = bank.rows_of_image(image).unwrap();
        let mut row = vec![0.0; bank.width(space).unwrap()];
        let error = error_of(bank.row_f32(space, rows.start, &mut row));
        let words =
            format!("{space}.f16 is damaged in rows {} to {} (image {image})", rows.start, rows.end - 1);
        assert!(error.contains(&words) && error.contains("bagssl embed"), "{file}: {error}");
        bank.row_f32(space, 0, &mut row).unwrap();
        let out = temp.path().join("out.npy");
        let export = export_vectors(&bank, space, &out, VectorFormat::Npy, &CancelToken::default());
        assert!(error_of(export).contains(&words));

        let (mut writer, resumed) = writer_in(temp.path(), &spec(Dtype::F16), &images()).unwrap();
        assert_eq!((resumed, writer.damaged().collect::<Vec<_>>()), (5, vec![image]));
        if image == 2 {
            writer.push_skipped(2, "cut off JPEG").unwrap();
        } else {
            assert!(error_of(writer.push_skipped(image, "gone")).contains("cannot be computed again: gone"));
            push(&mut writer, image);
        }
        check_rows(&writer.finish().unwrap());
        assert_eq!(content(temp.path()), before, "{file}");
    }
    // A picture that was left out stays out, also where it can be read by now.
    let path = temp.path().join("h.f16");
    let mut bytes = fs::read(&path).unwrap();
    bytes[12 * 10] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (mut writer, _) = writer_in(temp.path(), &spec(Dtype::F16), &images()).unwrap();
    push(&mut writer, 2);
    check_rows(&writer.finish().unwrap());
    assert_eq!(content(temp.path()), before);
}

#[test]
fn looking_at_all_rows_of_a_bank_ends_when_it_is_told_to() {
    let temp = tempfile::tempdir().unwrap();
    whole(temp.path());
    let cancel = CancelToken::default();
    cancel.cancel();
    let error =
        BankWriter::create_or_resume(temp.path(), &spec(Dtype::F16), &images(), &cancel).err().unwrap();
    assert!(error.is::<crate::progress::Cancelled>(), "{error:#}");
    check_rows(&whole(temp.path()));
}

#[test]
fn a_file_that_is_cut_while_a_bank_is_made_is_not_filled_up_with_zeros() {
    for (file, was) in [("h.f16", 270), ("z.inv", 108), ("sums.crc32c", 32)] {
        let temp = tempfile::tempdir().unwrap();
        let (mut writer, _) = writer_in(temp.path(), &spec(Dtype::F16), &images()).unwrap();
        fill(&mut writer, 3);
        let path = temp.path().join(file);
        OpenOptions::new().write(true).open(&path).unwrap().set_len(7).unwrap();
        let error = error_of(writer.push_image(3, &[("z", &values(3, 3)), ("h", &values(3, 5))]));
        let words = format!("{file} has 7 bytes, and had {was} when it was opened");
        assert!(error.contains(&words), "{error}");
        assert!(error_of(writer.commit()).contains(&words));
        assert!(error_of(writer.finish()).contains(&words));
    }
}

#[test]
fn a_bank_of_an_earlier_version_has_no_sums_and_is_read_and_continued() {
    let temp = tempfile::tempdir().unwrap();
    let (mut writer, _) = writer_in(temp.path(), &spec(Dtype::F16), &images()).unwrap();
    fill(&mut writer, 3);
    writer.commit().unwrap();
    drop(writer);
    let manifest = temp.path().join("bank.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace(",\n  \"sums\": true", "")).unwrap();
    fs::remove_file(temp.path().join("sums.crc32c")).unwrap();
    let earlier = Bank::open(temp.path()).unwrap();
    check_rows(&earlier);
    assert!(!earlier.has_sums());
    let bank = whole(temp.path());
    check_rows(&bank);
    assert!(!bank.has_sums() && bank.is_complete() && !temp.path().join("sums.crc32c").exists());
}

#[test]
#[cfg(unix)]
fn a_bank_that_is_cut_while_it_is_open_says_so() {
    let temp = tempfile::tempdir().unwrap();
    let bank = whole(temp.path());
    let mut row = [0.0; 5];
    bank.row_f32("h", 20, &mut row).unwrap();
    let path = temp.path().join("h.f16");
    OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
    for row_of in [0, 20] {
        let error = bank.row_f32("h", row_of, &mut row).unwrap_err();
        let crate::files::Shrunk { path: cut, was, now } = error.downcast_ref().unwrap();
        assert_eq!((cut, *was, *now), (&path, 270, 0));
    }
}
