use super::*;

fn fixture(file: &str) -> Vec<u8> {
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images");
    std::fs::read(images.join(file)).unwrap()
}

/// A folder with copies of fixtures: `(path within, fixture)`.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, file) in files {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, fixture(file)).unwrap();
    }
    dir
}

fn names(set: &Folder) -> Vec<String> {
    (0..set.len()).map(|i| set.image_name(i)).collect()
}

fn error_of(opened: Result<Folder>) -> String {
    match opened {
        Ok(set) => panic!("opened {} images", set.len()),
        Err(error) => format!("{error:#}"),
    }
}

#[test]
fn classes_and_files_are_sorted_by_name_and_labelled() {
    let dir = folder(&[
        ("dog/b.png", "rgb.png"),
        ("dog/a.jpg", "rgb_444.jpg"),
        ("dog/.hidden.png", "rgb.png"),
        ("cat/10.gif", "palette.gif"),
        ("cat/9", "rgb.webp"),
        ("cat/notes.txt", "bad/text.png"),
        (".cache/x.png", "rgb.png"),
        ("docs/readme.txt", "bad/text.png"),
        ("dog/deep/never.png", "rgb.png"),
    ]);
    let set = Folder::open(dir.path(), None).unwrap();
    assert_eq!(names(&set), ["cat/10.gif", "cat/9", "dog/a.jpg", "dog/b.png"]);
    assert_eq!(set.classes(), ["cat", "dog"]);
    let labels: Vec<_> = (0..4).map(|i| set.label(i).unwrap()).collect();
    assert_eq!(labels, [0, 0, 1, 1]);
    assert_eq!((set.kind().name, set.split(), set.size()), ("image-folder", None, Some((11, 18))));
    assert!(set.skipped().is_empty());
    assert_eq!(set.image(3).unwrap().pixel(4, 6), [230, 40, 60]);
}

#[test]
fn bad_pictures_among_good_ones_are_skipped_and_counted() {
    let dir = folder(&[
        ("a.png", "rgb.png"),
        ("b.jpg", "bad/truncated.jpg"),
        ("c", "bad/bomb.png"),
        ("d.png", "bad/text.png"),
        ("e.jpg", "bad/empty.jpg"),
        ("f.jpg", "exif6.jpg"),
    ]);
    let set = Folder::open(dir.path(), None).unwrap();
    assert_eq!(names(&set), ["a.png", "f.jpg"]);
    assert_eq!((set.kind().name, set.label(0), set.size()), ("folder", None, None));
    let skipped: Vec<_> = set.skipped().iter().map(|s| s.file.as_str()).collect();
    assert_eq!(skipped, ["b.jpg", "c", "d.png", "e.jpg"]);
    assert!(set.skipped()[0].reason.starts_with("the JPEG file is truncated"), "{:?}", set.skipped()[0]);
    assert!(set.skipped()[1].reason.starts_with("60000 x 100 pixels is too large"), "{:?}", set.skipped()[1]);
}

#[test]
fn a_bad_picture_alone_is_an_error_and_so_is_an_empty_folder() {
    let dir = folder(&[("bomb.png", "bad/bomb.png")]);
    let text = error_of(Folder::open(dir.path(), None));
    assert!(text.contains("none of 1 picture files can be used") && text.contains("60000 x 100"), "{text}");
    let text = error_of(Folder::open_file(&dir.path().join("bomb.png"), None));
    assert!(text.contains("bomb.png") && text.contains("too large"), "{text}");
    let empty = tempfile::tempdir().unwrap();
    let text = error_of(Folder::open(empty.path(), None));
    assert!(text.contains("no pictures; looked for JPEG"), "{text}");
}

#[test]
fn train_is_the_default_of_two_splits() {
    let dir =
        folder(&[("train/x/1.png", "rgb.png"), ("train/x/2.png", "rgb.png"), ("val/x/3.png", "grey.png")]);
    let set = Folder::open(dir.path(), None).unwrap();
    assert_eq!((set.split(), names(&set)), (Some(Split::Train), vec!["x/1.png".into(), "x/2.png".into()]));
    let set = Folder::open(dir.path(), Some(Split::Test)).unwrap();
    assert_eq!((set.split(), names(&set)), (Some(Split::Test), vec!["x/3.png".into()]));
}

#[test]
fn a_class_called_train_is_a_class_and_a_missing_split_is_an_error() {
    let dir = folder(&[("train/1.png", "rgb.png"), ("car/2.png", "rgb.png")]);
    let set = Folder::open(dir.path(), None).unwrap();
    assert_eq!(set.classes(), ["car", "train"]);
    assert!(error_of(Folder::open(dir.path(), Some(Split::Test))).contains("has no test split"));
    let only_train = folder(&[("train/x/1.png", "rgb.png")]);
    assert!(error_of(Folder::open(only_train.path(), Some(Split::Test))).contains("no folder val or test"));
}

#[test]
fn pictures_beside_class_folders_are_reported() {
    let dir = folder(&[("x/1.png", "rgb.png"), ("loose.png", "rgb.png")]);
    let set = Folder::open(dir.path(), None).unwrap();
    assert_eq!((set.len(), set.skipped()[0].file.as_str()), (1, "loose.png"));
}

#[test]
fn the_fingerprint_follows_names_sizes_times_and_labels() {
    let dir = folder(&[("x/1.png", "rgb.png"), ("y/2.png", "rgb.png")]);
    let before = Folder::open(dir.path(), None).unwrap().fingerprint().unwrap();
    assert_eq!(Folder::open(dir.path(), None).unwrap().fingerprint().unwrap(), before);
    let file = std::fs::File::options().write(true).open(dir.path().join("x/1.png")).unwrap();
    file.set_modified(UNIX_EPOCH + std::time::Duration::from_secs(1_000)).unwrap();
    let touched = Folder::open(dir.path(), None).unwrap().fingerprint().unwrap();
    assert_ne!(touched, before);
    std::fs::rename(dir.path().join("y"), dir.path().join("z")).unwrap();
    assert_ne!(Folder::open(dir.path(), None).unwrap().fingerprint().unwrap(), touched);
}

#[test]
fn a_file_that_changes_its_size_after_opening_is_an_error() {
    let dir = folder(&[("a.png", "rgb.png"), ("b.png", "rgb.png")]);
    let set = Folder::open(dir.path(), None).unwrap();
    std::fs::write(dir.path().join("b.png"), fixture("exif6.png")).unwrap();
    let text = set.image(1).unwrap_err().to_string();
    assert!(text.contains("b.png: changed since it was opened, from 18 x 11 to 11 x 18"), "{text}");
}

#[test]
fn imagenette_opens_with_its_ten_classes() {
    let Ok(data) = std::env::var("BAGSSL_TEST_DATA") else {
        println!("skipped: BAGSSL_TEST_DATA is not set");
        return;
    };
    let set = Folder::open(&Path::new(&data).join("imagenette_small"), None).unwrap();
    assert_eq!((set.len(), set.classes().len(), set.size()), (600, 10, Some((224, 224))));
    assert!(set.skipped().is_empty());
    assert_eq!((set.label(0), set.label(599)), (Some(0), Some(9)));
    (0..600).step_by(37).for_each(|i| assert_eq!(set.image(i).unwrap().width(), 224));
}
