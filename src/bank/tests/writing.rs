//! What is written comes back, through kills.

use super::*;

#[test]
fn a_finished_bank_gives_back_what_was_pushed() {
    let temp = tempfile::tempdir().unwrap();
    for (name, dtype) in [("half", Dtype::F16), ("single", Dtype::F32)] {
        let folder = temp.path().join(name);
        let (mut writer, resumed) = writer_in(&folder, &spec(dtype), &images()).unwrap();
        assert_eq!((resumed, writer.total_images()), (0, 5));
        fill(&mut writer, 5);
        let bank = writer.finish().unwrap();
        assert_eq!((bank.patches(), bank.total_patches(), bank.is_complete()), (27, 27, true));
        assert_eq!(bank.spaces().collect::<Vec<_>>(), ["h", "z"]);
        assert_eq!((bank.width("z").unwrap(), bank.space("h").unwrap().searchable()), (3, 19));
        assert_eq!(bank.skipped(), [SkippedImage { image: 2, reason: "cut off JPEG".into() }]);
        assert_eq!(bank.patch_ref(26), PatchRef { image: 4, y: 0, x: 0, size: 4 });
        assert_eq!(
            (bank.label_of_row(0), bank.label_of_row(17), bank.label_of_row(26)),
            (Some(0), Some(1), None)
        );
        assert_eq!(bank.image_entry(3).unwrap(), &images()[3]);
        check_rows(&bank);
        let on_disk: u64 =
            ["h", "z"].iter().map(|s| fs::metadata(folder.join(format!("{s}.inv"))).unwrap().len()).sum();
        let rows: u64 = ["h", "z"]
            .iter()
            .map(|s| fs::metadata(folder.join(format!("{s}.{}", dtype.as_str()))).unwrap().len())
            .sum();
        assert_eq!(spec(dtype).bytes(&images()).unwrap(), on_disk + rows);
        assert_eq!(bank.bytes(), on_disk + rows);
    }
}

#[test]
fn a_killed_writer_resumes_at_its_last_commit_to_the_same_bytes() {
    let temp = tempfile::tempdir().unwrap();
    let expected = temp.path().join("expected");
    whole(&expected);
    for committed in 0..=5 {
        for lost in 0..=5 - committed {
            let folder = temp.path().join(format!("{committed} and {lost}"));
            let (mut writer, _) = writer_in(&folder, &spec(Dtype::F16), &images()).unwrap();
            fill(&mut writer, committed);
            writer.commit().unwrap();
            fill(&mut writer, committed + lost);
            drop(writer); // as a kill does: nothing is committed
            fs::write(folder.join(".bagssl-Ab12.part"), "{").unwrap();
            // What was being written may be torn.
            let from = Bank::open(&folder).unwrap().patches() * 5 * 2;
            let mut bytes = fs::read(folder.join("h.f16")).unwrap();
            bytes[from..].fill(0xab);
            fs::write(folder.join("h.f16"), bytes).unwrap();

            let seen = Bank::open(&folder).unwrap();
            assert_eq!(seen.complete_images(), committed);
            check_rows(&seen);
            let (mut writer, resumed) = writer_in(&folder, &spec(Dtype::F16), &images()).unwrap();
            assert_eq!((resumed, writer.next_image()), (committed, committed));
            fill(&mut writer, 5);
            check_rows(&writer.finish().unwrap());
            assert_eq!(content(&folder), content(&expected));
        }
    }
}

#[test]
fn a_start_that_was_killed_before_the_manifest_resumes() {
    let temp = tempfile::tempdir().unwrap();
    let (folder, expected) = (temp.path().join("bank"), temp.path().join("expected"));
    whole(&expected);
    let orders = ["writer.lock", ".bagssl-images.part", "images.bin", "h.f16", ".bagssl-manifest.part"];
    for count in 0..=orders.len() {
        fs::create_dir_all(&folder).unwrap();
        orders[..count].iter().for_each(|name| fs::write(folder.join(name), "part").unwrap());
        whole(&folder);
        assert_eq!(content(&folder), content(&expected));
        fs::remove_dir_all(&folder).unwrap();
    }
}

#[test]
fn an_incomplete_bank_shows_what_is_committed_and_says_so() {
    let temp = tempfile::tempdir().unwrap();
    let (mut writer, _) = writer_in(temp.path(), &spec(Dtype::F16), &images()).unwrap();
    fill(&mut writer, 3);
    writer.commit().unwrap();
    fill(&mut writer, 4);
    let bank = Bank::open(temp.path()).unwrap(); // while it is written
    assert_eq!((bank.complete_images(), bank.total_images(), bank.is_complete()), (3, 5, false));
    assert_eq!((bank.patches(), bank.total_patches()), (17, 27));
    assert!(error_of(bank.row_of(3, 0, 0)).contains("3 of 5 images are"));
    assert!(error_of(bank.row_of(2, 0, 0)).contains("skipped: cut off JPEG"));
    assert!(error_of(bank.row_of(5, 0, 0)).contains("the bank has 5 (0 to 4)"));
    assert!(error_of(bank.row_of(0, 1, 0)).contains("nearest is at 0:0"));
    assert!(error_of(bank.row_f32("h", 17, &mut [0.0; 5])).contains("17 patches"));
    assert!(error_of(bank.row_f32("y", 0, &mut [0.0; 5])).contains("it has h, z"));
    assert!(error_of(writer.finish()).contains("4 of 5 images"));
}

#[test]
fn what_an_earlier_run_could_not_read_is_pushed_again() {
    let [bank, expected] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let gone = "cat.png: No such file or directory (os error 2)";
    let at_first = |folder: &Path, until: usize| {
        let (mut writer, _) = writer_in(folder, &spec(Dtype::F16), &images()).unwrap();
        push(&mut writer, 0);
        push(&mut writer, 1);
        writer.push_skipped(2, "cut off JPEG").unwrap();
        writer.push_skipped(3, gone).unwrap();
        if until == 5 {
            push(&mut writer, 4);
        }
        writer.commit().unwrap();
    };
    whole(expected.path());
    for until in [4, 5] {
        at_first(bank.path(), until);
        let (mut writer, resumed) = writer_in(bank.path(), &spec(Dtype::F16), &images()).unwrap();
        assert_eq!(
            (resumed, writer.unread().collect::<Vec<_>>(), writer.damaged().len()),
            (until, vec![3], 0)
        );
        assert!(error_of(writer.push_image(4, &[])).contains("image 3 of 5 comes next"));
        // By now it is seen to be broken: that is kept, and not asked again.
        writer.push_skipped(3, "not a picture").unwrap();
        writer.commit().unwrap();
        drop(writer);
        let (mut writer, _) = writer_in(bank.path(), &spec(Dtype::F16), &images()).unwrap();
        assert_eq!(writer.unread().len(), 0);
        fill(&mut writer, 5);
        let skipped = writer.finish().unwrap().skipped().to_vec();
        assert_eq!(skipped.iter().map(|s| s.image).collect::<Vec<_>>(), [2, 3]);
        fs::remove_dir_all(bank.path()).unwrap();

        at_first(bank.path(), until);
        let (mut writer, _) = writer_in(bank.path(), &spec(Dtype::F16), &images()).unwrap();
        push(&mut writer, 3);
        fill(&mut writer, 5);
        check_rows(&writer.finish().unwrap());
        assert_eq!(content(bank.path()), content(expected.path()));
        fs::remove_dir_all(bank.path()).unwrap();
    }
}
