//! Exact copies: found on disk and in memory, through kills and damage, and added to banks of earlier versions.

use super::*;
use crate::image::Image;

/// Images 0 and 3 have the same pixels.
fn hash(image: usize) -> PixelHash {
    let level = if image == 3 { 0 } else { image as u8 };
    PixelHash::of(&Image::filled(8, 8, [level; 3]))
}

fn fill_hashed(sink: &mut dyn BankSink, until: usize) {
    for image in sink.next_image()..until {
        if image == 2 {
            sink.push_skipped(2, "cut off JPEG").unwrap();
        } else {
            let (z, h) = (values(image, 3), values(image, 5));
            sink.push_hashed(image, Some(hash(image)), &[("z", &z), ("h", &h)]).unwrap();
        }
    }
}

fn writer(folder: &Path) -> BankWriter {
    writer_in(folder, &spec(Dtype::F16), &images()).unwrap().0
}

fn hashed(folder: &Path) -> Bank {
    let mut writer = writer(folder);
    fill_hashed(&mut writer, 5);
    writer.finish().unwrap()
}

const FIRSTS: [u32; 5] = [0, 1, 2, 0, 4];

#[test]
fn pixels_decide_and_their_shape_counts() {
    let image = |width, height| Image::new(width, height, (0..24).collect());
    assert_eq!(PixelHash::of(&image(2, 4)), PixelHash::of(&image(2, 4)));
    assert_ne!(PixelHash::of(&image(2, 4)), PixelHash::of(&image(4, 2)));
    // The first half of a SHA-256, as another program computes it: width, height and pixels, little endian.
    let bytes: Vec<u8> = [2, 0, 0, 0, 4, 0, 0, 0].into_iter().chain(0..24).collect();
    let folder = tempfile::tempdir().unwrap();
    whole(folder.path());
    write_hashes(folder.path(), &[Some(PixelHash::of(&image(2, 4))), None, None, None, None]).unwrap();
    let kept = fs::read(folder.path().join("pixels.bin")).unwrap();
    let digest = <sha2::Sha256 as sha2::Digest>::digest(&bytes);
    assert_eq!((&kept[..16], kept.len()), (&digest[..16], 5 * 20));
}

#[test]
fn copies_are_the_same_on_disk_and_in_memory_and_after_a_kill() {
    let temp = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let bank = hashed(temp[0].path());
    assert_eq!((bank.firsts().unwrap(), bank.copies().unwrap()), (FIRSTS.to_vec(), 1));
    assert_eq!(bank.first_images(3).copies().unwrap(), 0);
    let mut memory = MemoryBank::new(spec(Dtype::F16), images()).unwrap();
    fill_hashed(&mut memory, 3);
    let before = memory.snapshot();
    fill_hashed(&mut memory, 5);
    assert_eq!((before.firsts().unwrap(), memory.copies()), (FIRSTS[..3].to_vec(), 1));
    assert_eq!(memory.snapshot().firsts().unwrap(), FIRSTS);
    let mut killed = writer(temp[1].path());
    fill_hashed(&mut killed, 2);
    killed.commit().unwrap();
    fill_hashed(&mut killed, 4);
    drop(killed);
    assert_eq!(Bank::open(temp[1].path()).unwrap().firsts().unwrap(), FIRSTS[..2]);
    hashed(temp[1].path());
    assert_eq!(content(temp[1].path()), content(temp[0].path()));
}

#[test]
fn a_damaged_hash_is_named_and_pushed_or_computed_again() {
    let temp = tempfile::tempdir().unwrap();
    hashed(temp.path());
    let (path, before) = (temp.path().join("pixels.bin"), content(temp.path()));
    for byte in [3 * 20 + 5, 3 * 20 + 17] {
        let mut bytes = fs::read(&path).unwrap();
        bytes[byte] ^= 1;
        fs::write(&path, bytes).unwrap();
        let bank = Bank::open(temp.path()).unwrap();
        let error = error_of(bank.firsts());
        assert!(error.contains("pixels.bin is damaged in place 3") && error.contains("bank hash"), "{error}");
        check_rows(&bank);
        let mut writer = writer(temp.path());
        assert_eq!(writer.damaged().collect::<Vec<_>>(), [3]);
        let (z, h) = (values(3, 3), values(3, 5));
        writer.push_hashed(3, Some(hash(3)), &[("z", &z), ("h", &h)]).unwrap();
        drop(writer.finish().unwrap());
        assert_eq!(content(temp.path()), before);
    }
    let mut bytes = fs::read(&path).unwrap();
    bytes[0] ^= 1;
    fs::write(&path, bytes).unwrap();
    let all: Vec<Option<PixelHash>> = (0..5).map(|image| (image != 2).then(|| hash(image))).collect();
    write_hashes(temp.path(), &all).unwrap();
    assert_eq!(content(temp.path()), before);
}

/// Makes the bank one of an earlier version.
fn take_hashes(folder: &Path) {
    let manifest = folder.join("bank.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace(",\n  \"pixels\": true", "")).unwrap();
    fs::remove_file(folder.join("pixels.bin")).unwrap();
}

#[test]
fn a_bank_of_an_earlier_version_has_no_hashes_says_so_and_is_continued() {
    let temp = tempfile::tempdir().unwrap();
    let mut first = writer(temp.path());
    fill_hashed(&mut first, 4);
    first.commit().unwrap();
    drop(first);
    take_hashes(temp.path());
    let earlier = Bank::open(temp.path()).unwrap();
    check_rows(&earlier);
    assert!(!earlier.knows_copies());
    let error = error_of(earlier.firsts());
    assert!(error.contains("an earlier version made it") && error.contains("bagssl bank hash"), "{error}");
    let continued = hashed(temp.path());
    check_rows(&continued);
    assert!(!continued.knows_copies() && !temp.path().join("pixels.bin").exists());
}

#[test]
fn hashes_are_added_to_what_is_committed_and_go_on_from_there() {
    let temp = tempfile::tempdir().unwrap();
    let mut first = writer(temp.path());
    fill_hashed(&mut first, 4);
    first.commit().unwrap();
    drop(first);
    take_hashes(temp.path());
    let all: Vec<Option<PixelHash>> = (0..5).map(|image| (image != 2).then(|| hash(image))).collect();
    assert!(error_of(write_hashes(temp.path(), &all)).contains("has 4 images by now, and had 5"));
    write_hashes(temp.path(), &all[..4]).unwrap();
    assert_eq!(Bank::open(temp.path()).unwrap().firsts().unwrap(), FIRSTS[..4]);
    assert_eq!(hashed(temp.path()).firsts().unwrap(), FIRSTS);
}
