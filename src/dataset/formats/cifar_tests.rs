use super::*;

/// Records whose pixel bytes count up from the record's number, wrapping.
fn records(variant: Variant, labels: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (i, &label) in labels.iter().enumerate() {
        bytes.extend(vec![0; variant.label_bytes() - 1]);
        bytes.push(label);
        bytes.extend((0..3 * PLANE).map(|at| (at / 7 + at / PLANE * 50 + i) as u8));
    }
    bytes
}

fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

fn open(dir: &tempfile::TempDir, split: Option<Split>) -> Result<Cifar> {
    open_at(dir.path(), split)
}

fn open_at(path: &Path, split: Option<Split>) -> Result<Cifar> {
    Cifar::of(&CifarSource::in_folder(path)?.context("nothing found")?, split)
}

fn python(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cifar").join(name)
}

/// What decides a set: pixels, labels, class names, fingerprint.
fn contents(set: &Cifar) -> (Vec<Image>, Vec<Option<u32>>, Vec<String>, String) {
    let images = (0..set.len()).map(|index| set.image(index).unwrap()).collect();
    let labels = (0..=set.len()).map(|index| set.label(index)).collect();
    (images, labels, set.classes().to_vec(), set.fingerprint().unwrap())
}

fn error_of(dir: &tempfile::TempDir, split: Option<Split>) -> String {
    match open(dir, split) {
        Ok(set) => panic!("opened {} images", set.len()),
        Err(error) => format!("{error:#}"),
    }
}

#[test]
fn records_come_in_the_order_of_the_batch_numbers_as_interleaved_pixels() {
    use Variant::Cifar10 as V;
    let (a, b, c) = (records(V, &[3, 9]), records(V, &[1]), records(V, &[7, 0, 2]));
    let dir = folder(&[("data_batch_10.bin", c), ("data_batch_2.bin", b), ("data_batch_1.bin", a)]);
    let set = open(&dir, None).unwrap();
    let labels: Vec<_> = (0..set.len()).map(|i| set.label(i).unwrap()).collect();
    assert_eq!(labels, [3, 9, 1, 7, 0, 2]);
    let missing: Vec<_> = set.skipped().iter().map(|file| file.file.as_str()).collect();
    assert_eq!(missing, ["data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"]);
    let reason = &set.skipped()[0].reason;
    assert!(reason.starts_with("it is not there; CIFAR-10's train split is data_batch_1.bin, "), "{reason}");
    assert_eq!(
        (set.kind().name, set.name().as_str(), set.size()),
        ("cifar10", "CIFAR-10 train", Some((32, 32)))
    );
    assert_eq!(set.classes()[3], "cat");
    let image = set.image(4).unwrap(); // second record of batch 10
    let at = |plane: usize, y: usize, x: usize| ((plane * PLANE + y * 32 + x) / 7 + plane * 50 + 1) as u8;
    assert_eq!(image.pixel(5, 30), [at(0, 5, 30), at(1, 5, 30), at(2, 5, 30)]);
    assert!(set.image(6).is_err());
}

#[test]
fn cifar100_uses_the_fine_label_and_finds_its_folder_from_the_parent() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("cifar-100-binary");
    std::fs::create_dir(&inner).unwrap();
    std::fs::write(inner.join("test.bin"), records(Variant::Cifar100, &[99, 19])).unwrap();
    let set = open(&dir, None).unwrap();
    assert_eq!((set.split(), set.len(), set.label(0)), (Some(Split::Test), 2, Some(99)));
    assert_eq!(
        (set.classes().len(), set.classes()[99].as_str(), set.classes()[19].as_str()),
        (100, "worm", "cattle")
    );
    assert_eq!(set.image_name(1), "test 1");
    assert!(error_of(&dir, Some(Split::Train)).contains("no train split; expected train.bin"));
}

#[test]
fn a_truncated_file_is_refused_with_what_is_left_over() {
    let mut bytes = records(Variant::Cifar10, &[1, 2, 3]);
    bytes.truncate(2 * 3073 + 100);
    let text = error_of(&folder(&[("test_batch.bin", bytes)]), None);
    assert!(text.contains("test_batch.bin: 6,246 bytes are 2 whole CIFAR-10 records"), "{text}");
    assert!(text.contains("100 bytes left over"), "{text}");
}

#[test]
fn a_label_out_of_range_is_refused_with_file_and_record() {
    let bytes = records(Variant::Cifar10, &[1, 10]);
    let text = error_of(&folder(&[("data_batch_1.bin", bytes)]), None);
    assert!(text.contains("data_batch_1.bin: record 1 has label 10; expected 0 to 9"), "{text}");
}

#[test]
fn empty_files_and_wrong_names_are_refused_in_words() {
    let empty = folder(&[("test_batch.bin", Vec::new())]);
    assert!(error_of(&empty, None).contains("test_batch.bin is empty"));
    let good = records(Variant::Cifar10, &[1]);
    let names = folder(&[("test_batch.bin", good), ("batches.meta.txt", b"cat\ndog\n".to_vec())]);
    assert!(error_of(&names, None).contains("2 class names; expected 10"));
    let python = folder(&[("data_batch_1", b"x".to_vec())]);
    assert!(error_of(&python, None).contains("data_batch_1: the pickle at byte 1: instruction 0x78"));
}

/// The pickles are of `tests/fixtures/make_cifar.py`, and Python reads the same values from them.
#[test]
fn the_python_version_gives_the_pixels_labels_and_fingerprint_of_the_binaries() {
    use Variant::{Cifar10, Cifar100};
    let ten = folder(&[
        ("data_batch_1.bin", records(Cifar10, &[3, 9])),
        ("data_batch_2.bin", records(Cifar10, &[1])),
        ("test_batch.bin", records(Cifar10, &[7, 0])),
    ]);
    let mut train = records(Cifar100, &[99, 19]);
    (train[0], train[3074]) = (13, 11);
    let mut test = records(Cifar100, &[0]);
    test[0] = 4;
    let hundred = folder(&[("train.bin", train), ("test.bin", test)]);
    for (binaries, python_folder) in [(&ten, "cifar-10-batches-py"), (&hundred, "cifar-100-python")] {
        for split in [None, Some(Split::Train), Some(Split::Test)] {
            let [binary, python] =
                [open(binaries, split), open_at(&python(python_folder), split)].map(Result::unwrap);
            assert_eq!((python.kind().name, python.split()), (binary.kind().name, binary.split()));
            assert!(contents(&python) == contents(&binary), "{python_folder} {split:?}");
        }
    }
    let two = folder(&[("data_batch_1.bin", records(Cifar10, &[3, 9]))]);
    for rewritten in ["v4", "by_columns"] {
        assert!(
            contents(&open_at(&python(rewritten), None).unwrap()) == contents(&open(&two, None).unwrap())
        );
    }
}

#[test]
fn of_two_versions_the_binaries_are_taken_and_the_parent_leads_to_either() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["data_batch_1", "test_batch"] {
        let inner = dir.path().join("cifar-10-batches-py");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::copy(python("cifar-10-batches-py").join(name), inner.join(name)).unwrap();
    }
    assert_eq!(open(&dir, None).unwrap().len(), 2);
    std::fs::create_dir(dir.path().join("cifar-10-batches-bin")).unwrap();
    let binaries = dir.path().join("cifar-10-batches-bin/data_batch_1.bin");
    std::fs::write(binaries, records(Variant::Cifar10, &[5, 5, 5])).unwrap();
    assert_eq!(open(&dir, None).unwrap().len(), 3);
}

/// A tar archive of files, compressed or not.
fn archive(files: &[(&str, &[u8])], is_compressed: bool) -> tempfile::NamedTempFile {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, *bytes).unwrap();
    }
    let bytes = tar.into_inner().unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    if is_compressed {
        let mut gzip = flate2::write::GzEncoder::new(&mut file, flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, &bytes).unwrap();
        gzip.finish().unwrap();
    } else {
        std::io::Write::write_all(&mut file, &bytes).unwrap();
    }
    file
}

fn open_archive(file: &tempfile::NamedTempFile, split: Option<Split>) -> Result<Cifar> {
    Cifar::of(&CifarSource::in_archive(file.path())?.context("no archive")?, split)
}

#[test]
fn an_archive_of_either_version_is_opened_as_it_is() {
    let test = records(Variant::Cifar10, &[7, 0]);
    let train = records(Variant::Cifar10, &[3]);
    let files = [("test_batch.bin", test.clone()), ("data_batch_1.bin", train.clone())];
    let unpacked = folder(&files);
    for is_compressed in [true, false] {
        let files = [
            ("cifar-10-batches-bin/readme.html", &b"hello"[..]),
            ("cifar-10-batches-bin/test_batch.bin", &test),
            ("./cifar-10-batches-bin/data_batch_1.bin", &train),
            ("elsewhere/data_batch_2.bin", &train),
        ];
        let file = archive(&files, is_compressed);
        for split in [None, Some(Split::Train), Some(Split::Test)] {
            let [packed, unpacked] = [open_archive(&file, split), open(&unpacked, split)].map(Result::unwrap);
            assert!(packed.split() == unpacked.split() && contents(&packed) == contents(&unpacked));
        }
    }
    let [one, meta] = ["data_batch_1", "batches.meta"]
        .map(|name| std::fs::read(python("cifar-10-batches-py").join(name)).unwrap());
    let files = [("cifar-10-batches-py/batches.meta", &meta[..]), ("cifar-10-batches-py/data_batch_1", &one)];
    let set = open_archive(&archive(&files, true), None).unwrap();
    assert_eq!((set.len(), set.label(1)), (2, Some(9)));
}

#[test]
fn archives_that_are_cut_doubled_or_of_something_else_are_refused_in_words() {
    let test = records(Variant::Cifar10, &[7, 0]);
    let error = |file: &tempfile::NamedTempFile| format!("{:#}", open_archive(file, None).err().unwrap());
    let other = archive(&[("photos/a.jpg", b"x")], true);
    assert!(error(&other).contains("an archive without CIFAR; expected cifar-10-binary.tar.gz"));
    let name = "cifar-10-batches-bin/test_batch.bin";
    let doubled = archive(&[(name, &test), (name, &test)], true);
    assert!(error(&doubled).contains("test_batch.bin comes twice"));
    let cut = archive(&[(name, &test)], false);
    cut.as_file().set_len(3000).unwrap();
    assert!(error(&cut).contains("ends early"), "{}", error(&cut));
    let mut plain = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut plain, b"no archive at all").unwrap();
    assert!(CifarSource::in_archive(plain.path()).unwrap().is_none());
}

#[test]
fn the_fingerprint_follows_the_contents() {
    let make = |labels: &[u8]| {
        let dir = folder(&[("test_batch.bin", records(Variant::Cifar10, labels))]);
        open(&dir, None).unwrap().fingerprint().unwrap()
    };
    assert_eq!(make(&[1, 2]), make(&[1, 2]));
    assert_ne!(make(&[1, 2]), make(&[1, 3]));
    // Banks know sets by it: the kind, the file as it is, the names.
    let names = Variant::Cifar10.standard_names().iter().map(|name| format!("\n{name}")).collect::<String>();
    let whole = [&b"cifar10"[..], &records(Variant::Cifar10, &[1, 2]), names.as_bytes()].concat();
    assert_eq!(make(&[1, 2]), hex(&Sha256::digest(whole)));
}

#[test]
fn the_real_test_batch_has_its_known_mean_and_a_thousand_images_of_each_class() {
    let Ok(data) = std::env::var("BAGSSL_TEST_DATA") else {
        println!("skipped: BAGSSL_TEST_DATA is not set");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let unpack =
        std::process::Command::new(Path::new(&data).join("unpack")).arg(dir.path()).arg("test").status();
    assert!(unpack.unwrap().success());
    let set = open(&dir, None).unwrap();
    assert_eq!((set.len(), set.split()), (10_000, Some(Split::Test)));
    let of_class = |c| (0..set.len()).filter(|&i| set.label(i) == Some(c)).count();
    assert!((0..10).all(|c| of_class(c) == 1000));
    let mut sum = [0u64; 3];
    for i in 0..set.len() {
        set.image(i)
            .unwrap()
            .rgb()
            .chunks_exact(3)
            .for_each(|p| (0..3).for_each(|c| sum[c] += u64::from(p[c])));
    }
    let mean = sum.map(|s| s as f64 / (set.len() * PLANE) as f64 / 255.0);
    // The mean of the official test split.
    for (mean, expected) in mean.iter().zip([0.4942, 0.4851, 0.4504]) {
        assert!((mean - expected).abs() < 1e-4, "{mean} instead of {expected}");
    }
}

#[test]
fn a_file_that_is_cut_while_the_set_is_open_is_an_error_that_names_it() {
    let dir = folder(&[("test_batch.bin", records(Variant::Cifar10, &[1, 2, 3]))]);
    let set = open(&dir, None).unwrap();
    let path = dir.path().join("test_batch.bin");
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(3073 + 100).unwrap();
    set.image(0).unwrap();
    for error in [set.image(1).unwrap_err(), set.image(2).unwrap_err(), set.fingerprint().unwrap_err()] {
        let shrunk: &crate::files::Shrunk = error.downcast_ref().unwrap();
        assert_eq!((&shrunk.path, shrunk.was, shrunk.now), (&path, 3 * 3073, 3173));
    }
}
