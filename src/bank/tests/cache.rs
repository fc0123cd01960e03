//! What is kept, and what of it goes.

use super::*;
use crate::files::FolderLock;
use std::time::{Duration, SystemTime};

fn cache_in(folder: &Path, most_bytes: u64) -> VectorCache {
    VectorCache::new(folder.join("vectors"), most_bytes).leaving(0)
}

/// A bank of the first `count` images in the cache, used so many seconds ago.
fn keep(cache: &VectorCache, spec: &BankSpec, count: usize, seconds: u64) -> PathBuf {
    let folder = cache.place(spec);
    let (mut writer, _) = writer_in(&folder, spec, &images()).unwrap();
    for place in 0..count {
        let rows = values(spec, place);
        let rows: Vec<(&str, &[f32])> = rows.iter().map(|(name, values)| (&**name, &values[..])).collect();
        writer.push_image(place, &rows).unwrap();
    }
    writer.commit().unwrap();
    drop(writer);
    let manifest = OpenOptions::new().append(true).open(folder.join("bank.json")).unwrap();
    manifest.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
    folder
}

fn values(spec: &BankSpec, place: usize) -> Vec<(String, Vec<f32>)> {
    let image = &images()[place];
    let count = spec.grid.len(image.height, image.width);
    let row =
        |space: &SpaceSpec| (space.name.clone(), vec![1.0 + place as f32; count * space.width as usize]);
    spec.spaces.iter().map(row).collect()
}

#[test]
fn vectors_are_found_by_what_made_them() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, spec) = (cache_in(folder.path(), u64::MAX), spec(Dtype::F16));
    let finer = BankSpec { grid: PatchGrid::new(4, 1).unwrap(), ..spec.clone() };
    let place = keep(&cache, &spec, 3, 50);
    keep(&cache, &finer, 4, 50);
    let found = |wanted: &BankSpec| {
        cache
            .find(wanted)
            .iter()
            .map(|bank| (bank.spec().grid.stride, bank.complete_images()))
            .collect::<Vec<_>>()
    };
    assert_eq!(found(&spec), [(1, 4), (2, 3)]);
    // Of some of the spaces, of other positions among them, under another name, of fewer images.
    let one = BankSpec { spaces: spec.spaces[1..].to_vec(), ..spec.clone() };
    let coarser = BankSpec { grid: PatchGrid::new(4, 6).unwrap(), ..spec.clone() };
    let mut renamed = spec.clone();
    renamed.model.name = "elsewhere".into();
    let mut fewer = spec.clone();
    fewer.data.limit = Some(2);
    for wanted in [&one, &coarser, &renamed, &fewer] {
        assert_eq!(found(wanted).len(), 2, "{wanted:?}");
    }
    // Other weights, images, input, patch, more exact, a space more.
    let mut others = vec![spec.clone(); 6];
    others[0].model.hash = "bbbb".into();
    others[1].data.fingerprint = "eeee".into();
    others[2].input = 64;
    others[3].grid.patch = 5;
    others[4].dtype = Dtype::F32;
    others[5].spaces.push(SpaceSpec { name: "stage3".into(), width: 2 });
    for wanted in &others {
        assert_eq!(found(wanted), [], "{wanted:?}");
    }
    // What was found was used.
    let used = fs::metadata(place.join("bank.json")).unwrap().modified().unwrap();
    assert!(used.elapsed().unwrap() < Duration::from_secs(40));
    assert_eq!(cache_in(folder.path(), 0).find(&spec).len(), 0, "none is wanted");
}

#[test]
fn what_was_not_used_for_longest_goes_first_and_what_is_written_or_shown_stays() {
    let folder = tempfile::tempdir().unwrap();
    let of = |hash: &str| {
        let mut spec = spec(Dtype::F16);
        spec.model.hash = hash.into();
        spec
    };
    let whole = cache_in(folder.path(), u64::MAX);
    let places =
        [("a", 400), ("b", 300), ("c", 200), ("d", 100)].map(|(hash, age)| keep(&whole, &of(hash), 5, age));
    // Not ours, whatever it is.
    fs::create_dir(whole.folder().join("mine")).unwrap();
    let bytes = whole.usage().bytes;
    assert_eq!(whole.usage().banks, 4);
    let (writer, _) = writer_in(&places[0], &of("a"), &images()).unwrap();
    let tight = cache_in(folder.path(), bytes / 2);
    tight.trim(&places[1]);
    let is_there = |place: &PathBuf| place.is_dir();
    assert_eq!(places.each_ref().map(is_there), [true, true, false, false]);
    drop(writer);
    cache_in(folder.path(), 1).trim(&places[1]);
    assert_eq!(places.each_ref().map(is_there), [false, true, false, false]);
    assert_eq!(whole.clear(), CacheUse::default());
    assert!(whole.folder().join("mine").is_dir());
}

#[test]
fn a_bank_elsewhere_is_found_until_it_is_gone_and_damage_is_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, spec) = (cache_in(folder.path(), u64::MAX), spec(Dtype::F16));
    let elsewhere = cache_in(&folder.path().join("elsewhere"), u64::MAX);
    let place = keep(&elsewhere, &spec, 5, 0);
    cache.link(&place, &spec).unwrap();
    assert_eq!(cache.find(&spec)[0].folder().unwrap(), files::resolved(&place));
    assert_eq!(cache.usage(), CacheUse::default(), "it takes nothing");
    cache.trim(Path::new(""));
    assert_eq!(cache.find(&spec).len(), 1);
    fs::remove_file(place.join("images.bin")).unwrap();
    assert_eq!(cache.find(&spec).len(), 0);
    fs::remove_dir_all(&place).unwrap();
    cache.trim(Path::new(""));
    assert_eq!(fs::read_dir(cache.folder()).unwrap().count(), 0, "nor its name");
}

#[test]
fn a_bank_that_holds_all_of_another_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, both) = (cache_in(folder.path(), u64::MAX), spec(Dtype::F16));
    let one = BankSpec { spaces: both.spaces[..1].to_vec(), ..both.clone() };
    let finer = BankSpec { grid: PatchGrid::new(4, 1).unwrap(), ..both.clone() };
    let (lesser, other) = (keep(&cache, &one, 3, 9), keep(&cache, &finer, 2, 9));
    let greater = keep(&cache, &both, 2, 9);
    cache.remove_lesser(&greater);
    assert!(lesser.is_dir() && other.is_dir(), "it has more images");
    let greater = keep_more(&greater, &both);
    cache.remove_lesser(&greater);
    assert!(!lesser.is_dir() && other.is_dir() && greater.is_dir());
}

/// Goes on to three images.
fn keep_more(folder: &Path, spec: &BankSpec) -> PathBuf {
    let (mut writer, done) = writer_in(folder, spec, &images()).unwrap();
    let rows = values(spec, done);
    let rows: Vec<(&str, &[f32])> = rows.iter().map(|(name, values)| (&**name, &values[..])).collect();
    writer.push_image(done, &rows).unwrap();
    writer.commit().unwrap();
    folder.to_path_buf()
}

#[test]
fn codes_of_banks_elsewhere_go_with_the_rest_when_they_were_not_used_for_longest() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, bank) = (cache_in(folder.path(), u64::MAX), spec(Dtype::F16));
    let (older, newer) = (keep(&cache, &bank, 5, 400), spec(Dtype::F32));
    let codes = cache.place_of_codes(&bank).unwrap();
    // Parts of one data set are told apart.
    let mut other = bank.clone();
    other.data.fingerprint = "eeee".into();
    assert_ne!(cache.place_of_codes(&other), cache.place_of_codes(&bank));
    assert_eq!(cache_in(folder.path(), 0).place_of_codes(&bank), None, "nothing is kept");
    fs::create_dir(&codes).unwrap();
    let file = codes.join("h.codes");
    fs::write(&file, [1; 5000]).unwrap();
    let age = |seconds| {
        let opened = OpenOptions::new().append(true).open(&file).unwrap();
        opened.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
    };
    age(200);
    let newest = keep(&cache, &newer, 5, 10);
    let usage = cache.usage();
    assert_eq!((usage.banks, usage.codes), (2, 1));
    assert!(cache.find(&bank).iter().all(|found| found.folder() != Some(&*codes)), "codes are no bank");
    age(200);
    let lock = FolderLock::take(&codes).unwrap();
    cache_in(folder.path(), 1).trim(&newest);
    assert!(codes.is_dir() && newest.is_dir() && !older.is_dir(), "what is written stays");
    drop(lock);
    cache.note_use(&file);
    let manifest = OpenOptions::new().append(true).open(newest.join("bank.json")).unwrap();
    manifest.set_modified(SystemTime::now() - Duration::from_secs(100)).unwrap();
    cache_in(folder.path(), 8192).trim(Path::new(""));
    assert!(codes.is_dir() && !newest.is_dir(), "they were used since");
    cache_in(folder.path(), 1).trim(Path::new(""));
    assert!(!codes.is_dir());
    assert!(cache.ensure_room(1000).is_ok());
    let words = cache_in(folder.path(), 999).ensure_room(1000).unwrap_err().to_string();
    assert!(words.contains("may take 999"), "{words}");
    let words = cache.leaving(u64::MAX).ensure_room(1000).unwrap_err().to_string();
    assert!(words.contains("it takes 1000, and 18446744073709551615 are left alone"), "{words}");
}
