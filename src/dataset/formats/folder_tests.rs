use super::*;
use crate::dataset::{DataSpec, Exif};

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

/// What is left out, with its reason up to a colon.
fn left_out(set: &Folder) -> Vec<String> {
    let words = |s: &Skipped| format!("{}: {}", s.file, s.reason.split(':').next().unwrap());
    set.skipped().iter().map(words).collect()
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
    ]);
    let set = Folder::open(dir.path(), None).unwrap();
    assert_eq!(names(&set), ["cat/10.gif", "cat/9", "dog/a.jpg", "dog/b.png"]);
    assert_eq!(set.classes(), ["cat", "dog"]);
    let labels: Vec<_> = (0..4).map(|i| set.label(i).unwrap()).collect();
    assert_eq!(labels, [0, 0, 1, 1]);
    assert_eq!((set.kind().name, set.split(), set.size()), ("image-folder", None, Some((11, 18))));
    assert_eq!(
        left_out(&set),
        ["dog/.hidden.png: hidden", "docs: a class folder without pictures is no class"]
    );
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
fn pictures_beside_class_folders_are_reported_and_one_folder_beside_pictures_is_no_class() {
    let files = [("x/1.png", "rgb.png"), ("y/2.png", "rgb.png"), ("loose.png", "rgb.png")];
    let set = Folder::open(folder(&files).path(), None).unwrap();
    assert_eq!((set.len(), set.skipped()[0].file.as_str()), (2, "loose.png"));
    let files = [("a.png", "rgb.png"), ("b.png", "rgb.png"), ("thumbs/small/1.png", "rgb.png")];
    let set = Folder::open(folder(&files).path(), None).unwrap();
    assert_eq!(names(&set), ["a.png", "b.png", "thumbs/small/1.png"]);
    assert_eq!((set.kind().name, set.classes().len(), set.label(2)), ("folder", 0, None));
    assert!(set.skipped().is_empty());
}

/// The expected order is what the loop of torchvision's `make_dataset` (over `sorted(os.walk(...))`) gives for this tree.
#[test]
fn a_class_takes_pictures_at_any_depth_in_the_order_of_torchvision() {
    let dir = folder(&[
        ("dog/z.png", "rgb.png"),
        ("dog/2024/b.png", "rgb.png"),
        ("dog/2024/may/c.png", "rgb.png"),
        ("dog/2024-b/a.png", "rgb.png"),
        ("cat/deep/er/d.png", "rgb.png"),
    ]);
    let set = Folder::open(dir.path(), None).unwrap();
    assert_eq!(
        names(&set),
        ["cat/deep/er/d.png", "dog/z.png", "dog/2024/b.png", "dog/2024-b/a.png", "dog/2024/may/c.png"]
    );
    assert_eq!(
        (set.classes(), set.label(0), set.label(4)),
        (&["cat".into(), "dog".into()][..], Some(0), Some(1))
    );
}

#[test]
#[cfg(unix)]
fn links_are_followed_and_their_loops_are_cut_and_named() {
    use std::os::unix::fs::symlink;
    let dir = folder(&[("set/x/1.png", "rgb.png"), ("set/y/2.png", "rgb.png"), ("more/3.png", "rgb.png")]);
    let set = dir.path().join("set");
    symlink(dir.path().join("more"), set.join("x/linked")).unwrap();
    symlink(set.join("x"), dir.path().join("more/again")).unwrap();
    symlink(&set, set.join("y/up")).unwrap();
    symlink(dir.path(), set.join("y/above")).unwrap();
    symlink("nowhere", set.join("y/dead.png")).unwrap();
    let opened = Folder::open(&set, None).unwrap();
    assert_eq!(names(&opened), ["x/1.png", "x/linked/3.png", "y/2.png"]);
    assert_eq!(
        left_out(&opened),
        [
            "x/linked/again: a link to a folder that is read already",
            "y/dead.png: neither a file nor a folder (a pipe, a link to nothing)",
            "y/above: a link back to a folder above it",
            "y/up: a link back to a folder above it",
        ]
    );
}

#[test]
fn the_test_split_has_the_classes_of_train_and_what_train_has_not_is_named() {
    let dir = folder(&[
        ("train/ape/1.png", "rgb.png"),
        ("train/cat/2.png", "rgb.png"),
        ("train/dog/deep/3.png", "rgb.png"),
        ("train/empty/notes.txt", "bad/text.png"),
        ("val/cat/4.png", "rgb.png"),
        ("val/dog/5.png", "rgb.png"),
        ("val/yak/6.png", "rgb.png"),
        ("val/yak/7.png", "rgb.png"),
        ("test/cat/8.png", "rgb.png"),
        ("9.png", "rgb.png"),
    ]);
    let train = Folder::open(dir.path(), Some(Split::Train)).unwrap();
    let test = Folder::open(dir.path(), Some(Split::Test)).unwrap();
    assert_eq!(
        (train.classes(), test.classes()),
        (&["ape", "cat", "dog"].map(String::from)[..], train.classes())
    );
    assert_eq!(
        (names(&test), test.label(0), test.label(1)),
        (vec!["cat/4.png".into(), "dog/5.png".into()], Some(1), Some(2))
    );
    let beside = [
        "test: a folder beside the splits train and val; open it by itself to see it",
        "9.png: it lies beside the folders of the splits and is in none",
    ];
    assert_eq!(left_out(&train)[..2], beside);
    assert_eq!(left_out(&train)[2], "empty: a class folder without pictures is no class");
    assert_eq!(left_out(&test)[..2], beside);
    assert_eq!(
        left_out(&test)[2],
        "yak: the training split has no class of this name; 2 pictures are left out"
    );
}

#[test]
fn splits_without_a_common_class_keep_their_own() {
    let dir = folder(&[("train/ape/1.png", "rgb.png"), ("test/cat/2.png", "rgb.png")]);
    let test = Folder::open(dir.path(), Some(Split::Test)).unwrap();
    assert_eq!((test.classes(), test.label(0)), (&["cat".to_string()][..], Some(0)));
}

#[test]
fn wordnet_ids_are_named_where_a_list_lies_above_and_the_fingerprint_stays() {
    let dir = folder(&[("set/train/n01440764/1.png", "rgb.png"), ("set/train/n02102040/2.png", "rgb.png")]);
    let open = || Folder::open(&dir.path().join("set"), None).unwrap();
    let before = open();
    assert_eq!(before.classes(), ["n01440764", "n02102040"]);
    std::fs::write(dir.path().join("words.txt"), "n01440764\ttench, Tinca tinca\n").unwrap();
    let named = open();
    assert_eq!(named.classes(), ["tench", "n02102040"]);
    assert_eq!(named.fingerprint().unwrap(), before.fingerprint().unwrap());
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

/// A folder decoded in another way.
fn decoded(dir: &Path, exif: Exif, value_window: &str) -> Folder {
    let mut set = Folder::open(dir, None).unwrap();
    set.decode_as(Decoding { exif, value_window: value_window.parse().unwrap() }).unwrap();
    set
}

#[test]
fn ignored_orientations_leave_pictures_as_stored_and_change_the_fingerprint() {
    let dir = folder(&[("a.png", "exif6.png"), ("b.png", "rgb.png")]);
    let [applied, ignored] = [Exif::Apply, Exif::Ignore].map(|exif| decoded(dir.path(), exif, "file"));
    assert_eq!((applied.dimensions(0), applied.size()), ((18, 11), None));
    assert_eq!((ignored.dimensions(0), ignored.size()), ((11, 18), Some((11, 18))));
    assert_eq!(ignored.image(0).unwrap(), ignored.image(1).unwrap());
    assert_ne!(applied.fingerprint().unwrap(), ignored.fingerprint().unwrap());
    assert_eq!(ignored.decoding().unwrap().words(), ["EXIF orientation ignored in 1 of 2 images"]);
    std::fs::remove_file(dir.path().join("a.png")).unwrap();
    let [applied, ignored] = [Exif::Apply, Exif::Ignore].map(|exif| decoded(dir.path(), exif, "0,9"));
    assert_eq!(applied.fingerprint().unwrap(), ignored.fingerprint().unwrap(), "there is nothing to choose");
    assert_eq!(applied.decoding(), None);
}

#[test]
fn values_of_more_than_8_bits_are_windowed_as_asked_and_by_all_images() {
    let dir = folder(&[("a.tiff", "grey12.tiff"), ("b.png", "grey12_sbit.png"), ("c.png", "rgb.png")]);
    let rules = ["file", "image", "data", "0,4095"];
    let sets = rules.map(|rule| decoded(dir.path(), Exif::Apply, rule));
    let of_each = |set: &Folder| {
        let last = set.image(2).unwrap();
        assert_eq!((last.pixel(4, 6), set.values(2)), ([230, 40, 60], None), "8 bits stay as they are");
        [0, 1].map(|index| {
            set.image(index).unwrap();
            let window = set.values(index).unwrap().window;
            (window.low, window.high)
        })
    };
    let found: Vec<_> = sets.iter().map(of_each).collect();
    assert_eq!(found[0], [(33.0, 3973.0), (0.0, 4095.0)]);
    assert_eq!(found[1], [(33.0, 3973.0), (16.0, 1986.0)]);
    assert_eq!(found[2], [(16.0, 3973.0), (16.0, 3973.0)]);
    assert_eq!(found[3], [(0.0, 4095.0), (0.0, 4095.0)]);
    let prints: std::collections::HashSet<_> = sets.iter().map(|set| set.fingerprint().unwrap()).collect();
    assert_eq!(prints.len(), rules.len(), "no two have the same pixels");
    let facts = sets[2].decoding().unwrap();
    assert_eq!((facts.images, facts.turned, facts.wide), (3, 0, 2));
    assert!(
        facts.words()[0].contains("of 2 of 3 images: black to white is 16 to 3,973"),
        "{:?}",
        facts.words()
    );
}

#[test]
fn the_values_of_all_images_are_those_of_both_splits() {
    let dir = folder(&[("train/x/a.tiff", "grey12.tiff"), ("val/x/b.png", "grey12_sbit.png")]);
    for split in [Split::Train, Split::Test, Split::All] {
        let decoding = Decoding { value_window: ValueRule::Data, ..Decoding::default() };
        let set = crate::dataset::open(DataSpec::from(dir.path()).decoded_as(decoding), Some(split)).unwrap();
        let facts = set.decoding().unwrap();
        let window = facts.window.unwrap();
        assert_eq!((window.low, window.high), (16.0, 3973.0), "{split:?}");
        assert_eq!(facts.wide, set.len() as u64, "images of the other split are not counted");
        for index in 0..set.len() {
            set.image(index).unwrap();
            assert_eq!(set.values(index).unwrap().window, window);
        }
    }
    // One split alone has no other to look at.
    std::fs::remove_dir_all(dir.path().join("val")).unwrap();
    let alone = decoded(dir.path(), Exif::Apply, "data").decoding().unwrap().window.unwrap();
    assert_eq!((alone.low, alone.high), (33.0, 3973.0));
}

#[test]
fn a_float_picture_opens_and_decodes_and_says_what_is_no_number() {
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images");
    let mut set = Folder::open_file(&images.join("float32.tiff"), None).unwrap();
    set.decode_as(Decoding::default()).unwrap();
    let facts = set.decoding().unwrap();
    let words = facts.words();
    assert!(words[0].contains("black to white is -0.25 to 0.75"), "{words:?}");
    assert_eq!(words[1], "1 sample that is not a number (NaN) is shown black");
    assert_eq!(set.image(0).unwrap().pixel(2, 3), [0; 3]);
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

#[test]
#[cfg(unix)]
fn what_cannot_be_read_is_told_from_what_is_broken() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("a");
    std::fs::create_dir(&place).unwrap();
    let file = |number: u32| place.join(format!("{number}.png"));
    let wide =
        image::ImageBuffer::<image::Luma<u16>, Vec<u16>>::from_fn(8, 8, |x, _| image::Luma([900 * x as u16]));
    (0..3).for_each(|number| wide.save(file(number)).unwrap());
    let mut set = Folder::open(dir.path(), None).unwrap();
    let bytes = std::fs::read(file(0)).unwrap();
    std::fs::write(file(0), &bytes[..bytes.len() / 2]).unwrap();
    assert!(set.image_if_readable(0).unwrap().is_none(), "its bytes say that it is broken");
    std::fs::remove_file(file(1)).unwrap();
    std::fs::create_dir(file(1)).unwrap();
    let error = set.image_if_readable(1).unwrap_err();
    let words = format!("{error:#}");
    let expected = format!("{} could not be read: not a regular file but a folder", file(1).display());
    assert!(files::is_read_error(&error) && words == expected, "{words}");
    std::fs::remove_dir(file(1)).unwrap();
    std::os::unix::fs::symlink("nowhere", file(1)).unwrap();
    let words = format!("{:#}", set.image_if_readable(1).unwrap_err());
    assert!(words.contains("1.png could not be read: No such file"), "{words}");
    // A window of values that all pictures decide is not that of those that are there for now.
    let all = Decoding { value_window: crate::dataset::ValueRule::Data, ..Decoding::default() };
    let error = set.decode_as(all).unwrap_err();
    assert!(files::is_read_error(&error), "{error:#}");
    std::fs::rename(&place, dir.path().join("b")).unwrap();
    std::fs::write(&place, "x").unwrap();
    let words = format!("{:#}", set.image_if_readable(2).unwrap_err());
    assert!(words.contains("2.png could not be read: Not a directory"), "{words}");
}
