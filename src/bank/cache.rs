//! What was embedded before, kept in a folder of banks and found again by what made it.
//!
//! A bank lies in `KEY-REST`: the key is a hash of what decides the vector of a patch (weights, images, patch size, input,
//! resizing, normalisation, ...), the rest one of which patches of which images are in it, in which spaces. A file
//! `KEY-HASH.link` names a bank elsewhere (`embed --out`); a folder `KEY-HASH.image` is a bank of one image alone, the one
//! that was on show; a folder `KEY-HASH.codes` holds codes of a bank that lies where nothing can be written. What was not used for longest goes first once all take more than they may. Nothing here is
//! needed: whatever cannot be read, or is of another version, is as if it were not there.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::manifest::manifest_path;
use super::spec::{BankSpec, Dtype};
use super::store::Bank;
use crate::files::{self, FolderLock};

/// The ending of a file that names a bank elsewhere.
const LINK: &str = "link";
/// That of a bank of one image.
const IMAGE: &str = "image";
/// That of a folder with codes of a bank elsewhere.
const CODES: &str = "codes";
/// Patches of one image are looked for at strides that are at most so many times as long.
const COARSER: u32 = 4;
/// Hexadecimal digits of the two hashes of a folder's name.
const KEY: usize = 24;
const REST: usize = 12;

/// A folder of vectors that are kept, and how much they may take, which its clones share.
#[derive(Clone, Debug)]
pub struct VectorCache {
    folder: PathBuf,
    most_bytes: Arc<AtomicU64>,
    leave_free: u64,
}

/// What vectors that are kept take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CacheUse {
    /// Banks in the folder.
    pub banks: usize,
    /// Banks elsewhere whose codes are in it.
    pub codes: usize,
    /// Bytes of the disk that they take.
    pub bytes: u64,
}

/// One bank of the folder, or the codes of one elsewhere.
struct CachedBank {
    folder: PathBuf,
    bytes: u64,
    used: SystemTime,
}

impl VectorCache {
    /// What they may take unless it is said.
    pub const USUAL_BYTES: u64 = 10 << 30;

    /// A disk with less left than this is left alone unless it is said, bytes.
    pub const LEAVE_FREE: u64 = 1 << 30;

    /// Of `folder`, which need not be there yet. `most_bytes` of the disk may be taken; 0: nothing is kept or looked for.
    pub fn new(folder: PathBuf, most_bytes: u64) -> Self {
        Self { folder, most_bytes: Arc::new(AtomicU64::new(most_bytes)), leave_free: Self::LEAVE_FREE }
    }

    /// The same where a disk with less left than `bytes` is left alone.
    pub fn leaving(self, bytes: u64) -> Self {
        Self { leave_free: bytes, ..self }
    }

    /// In the folder that the user's system has for such files; none where no home is known.
    pub fn of_user(most_bytes: u64) -> Option<Self> {
        Some(Self::new(cache_folder()?.join("vectors"), most_bytes))
    }

    /// Where the banks lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Bytes that they may take.
    pub fn most_bytes(&self) -> u64 {
        self.most_bytes.load(Ordering::Relaxed)
    }

    /// Lets them take so much from now on, also where vectors are being kept. What is too much goes with the next
    /// [`VectorCache::trim`].
    pub fn set_most_bytes(&self, most_bytes: u64) {
        self.most_bytes.store(most_bytes, Ordering::Relaxed);
    }

    fn is_off(&self) -> bool {
        self.most_bytes() == 0
    }

    /// Where a bank of `spec` lies, or would.
    pub fn place(&self, spec: &BankSpec) -> PathBuf {
        self.folder.join(format!("{}-{}", key_of(spec), rest_of(spec)))
    }

    /// Banks with vectors of the patches of `spec` in all its spaces, those with most images first. They count as used now.
    pub fn find(&self, spec: &BankSpec) -> Vec<Bank> {
        if self.is_off() {
            return vec![];
        }
        let key = key_of(spec);
        let banks = self.entries().into_iter().filter(|path| !is_of_image(path));
        let of_key = banks
            .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&key)));
        let mut banks: Vec<Bank> = of_key.filter_map(|path| opened(&path, spec, &key)).collect();
        banks.sort_by_key(|bank| std::cmp::Reverse(bank.complete_images()));
        banks.iter().filter_map(Bank::folder).for_each(|folder| touch(&manifest_path(folder)));
        banks
    }

    /// Where a bank of image `index` alone lies, or would, on the grid of `spec` and in its format, whatever its spaces;
    /// nowhere where nothing is kept.
    pub fn place_of_image(&self, spec: &BankSpec, index: u32) -> Option<PathBuf> {
        (!self.is_off()).then(|| self.image_at(&key_of(spec), spec, (index, spec.grid.stride)))
    }

    fn image_at(&self, key: &str, spec: &BankSpec, place: (u32, u32)) -> PathBuf {
        self.folder.join(format!("{key}-{}.{IMAGE}", hash(&(place, spec.dtype), REST)))
    }

    /// Such a bank with vectors of the patches of `spec` in all its spaces: of all of them, else of some. It counts as used
    /// now.
    pub fn find_image(&self, spec: &BankSpec, index: u32) -> Option<Bank> {
        if self.is_off() {
            return None;
        }
        let (key, stride) = (key_of(spec), spec.grid.stride);
        let finer = (1..=stride).rev().filter(|other| stride.is_multiple_of(*other));
        let coarser = (2..=COARSER).filter_map(|times| stride.checked_mul(times));
        let mut places = finer.chain(coarser).map(|stride| self.image_at(&key, spec, (index, stride)));
        let bank =
            places.find_map(|place| Bank::is_at(&place).then(|| opened(&place, spec, &key)).flatten())?;
        bank.folder().map(manifest_path).iter().for_each(|manifest| touch(manifest));
        Some(bank)
    }

    /// Has the bank in `folder`, which lies elsewhere, found by what made it.
    ///
    /// # Errors
    /// A failed write.
    pub fn link(&self, folder: &Path, spec: &BankSpec) -> Result<()> {
        if self.is_off() {
            return Ok(());
        }
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("could not make the folder {}", self.folder.display()))?;
        let folder = files::resolved(folder);
        let name = format!("{}-{}.{LINK}", key_of(spec), hash(&folder, REST));
        files::write_bytes_unsynced(&self.folder.join(name), &serde_json::to_vec(&folder)?)
    }

    /// Where codes of a bank of `spec` lie that lies where nothing can be written, or would; nowhere where nothing is kept.
    pub fn place_of_codes(&self, spec: &BankSpec) -> Option<PathBuf> {
        let name = format!("{}-{}.{CODES}", key_of(spec), hash(spec, REST));
        (!self.is_off()).then(|| self.folder.join(name))
    }

    /// Notes that `file` in such a place was used now.
    pub fn note_use(&self, file: &Path) {
        touch(file);
    }

    /// Whether so many bytes can be kept beside those of others, which may go for them.
    ///
    /// # Errors
    /// They are more than all may take; the disk would have little left.
    pub fn ensure_room(&self, bytes: u64) -> Result<()> {
        let most = self.most_bytes();
        ensure!(bytes <= most, "it takes {bytes} bytes, and all that is kept may take {most}");
        self.ensure_disk(bytes)
    }

    /// Whether the disk has room for so many bytes more, whatever is kept.
    ///
    /// # Errors
    /// It would have little left.
    pub fn ensure_disk(&self, bytes: u64) -> Result<()> {
        let (free, least) = (files::free_bytes(&self.folder).unwrap_or(u64::MAX), self.leave_free);
        ensure!(
            free >= least.saturating_add(bytes),
            "the disk has {free} bytes left, it takes {bytes}, and {least} are left alone"
        );
        Ok(())
    }

    /// What they take.
    pub fn usage(&self) -> CacheUse {
        let kept = self.kept();
        let codes = kept.iter().filter(|kept| is_codes(&kept.folder)).count();
        CacheUse { banks: kept.len() - codes, codes, bytes: kept.iter().map(|bank| bank.bytes).sum() }
    }

    /// Removes what was not used for longest until the rest takes no more than it may, and names of banks that are gone.
    /// What is being written stays, and `on_show`. Where nothing is kept, all stays until it is cleared.
    pub fn trim(&self, on_show: &Path) {
        if self.is_off() {
            return;
        }
        for link in self.entries().iter().filter(|path| is_link(path)) {
            if linked(link).is_none_or(|folder| !Bank::is_at(&folder)) {
                files::remove(link);
            }
        }
        let mut kept = self.kept();
        kept.sort_by_key(|bank| bank.used);
        let mut bytes: u64 = kept.iter().map(|bank| bank.bytes).sum();
        for bank in kept.iter().filter(|bank| bank.folder != on_show) {
            if bytes <= self.most_bytes() {
                return;
            }
            if removed(&bank.folder) {
                bytes -= bank.bytes;
            }
        }
    }

    /// Removes the banks that hold no more than the one in `folder` does.
    pub fn remove_lesser(&self, folder: &Path) {
        let Ok(greater) = Bank::open(folder) else { return };
        let key = key_of(greater.spec());
        for path in self.kept().into_iter().map(|kept| kept.folder).filter(|path| !is_of_image(path)) {
            let has_key = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&key));
            if has_key && path != folder && Bank::open(&path).is_ok_and(|bank| is_lesser(&bank, &greater)) {
                removed(&path);
            }
        }
    }

    /// Removes the bank in `folder`, which is one of these, or the codes, unless somebody writes it.
    pub fn discard(&self, folder: &Path) {
        if folder.parent() == Some(self.folder()) {
            removed(folder);
        }
    }

    /// Removes some files of the bank or codes in `folder`, which is one of these, and it with the last of them, unless
    /// somebody writes there.
    pub fn discard_files(&self, folder: &Path, files: &[PathBuf]) {
        let Ok(lock) = FolderLock::take(folder) else { return };
        files.iter().filter(|file| file.parent() == Some(folder)).for_each(|file| files::remove(file));
        let mut entries =
            fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let is_empty = entries.all(|path| path.ends_with(files::LOCK_FILE));
        drop(lock);
        if is_empty {
            self.discard(folder);
        }
    }

    /// Removes every bank that nobody writes, all codes, and every link. Returns what is left.
    pub fn clear(&self) -> CacheUse {
        for bank in self.kept() {
            removed(&bank.folder);
        }
        self.entries().iter().filter(|path| is_link(path)).for_each(|link| files::remove(link));
        self.usage()
    }

    /// What lies in the folder under a name of ours.
    fn entries(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return vec![] };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        paths.filter(|path| is_ours(path)).collect()
    }

    fn kept(&self) -> Vec<CachedBank> {
        let folders = self.entries().into_iter().filter(|path| !is_link(path) && path.is_dir());
        folders
            .map(|folder| {
                let used = used(&folder).unwrap_or(SystemTime::UNIX_EPOCH);
                CachedBank { bytes: bytes_of(&folder), used, folder }
            })
            .collect()
    }
}

/// The folder for files that can be made again.
fn cache_folder() -> Option<PathBuf> {
    let named = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::home_dir().filter(|path| path.is_absolute());
    if cfg!(target_os = "windows") {
        return Some(named("LOCALAPPDATA")?.join("bagssl").join("cache"));
    }
    if cfg!(target_os = "macos") {
        return Some(home()?.join("Library/Caches/bagssl"));
    }
    Some(named("XDG_CACHE_HOME").or_else(|| Some(home()?.join(".cache")))?.join("bagssl"))
}

/// `KEY-REST`, `KEY-HASH.link`, `KEY-HASH.image`, or `KEY-HASH.codes`.
fn is_ours(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let is_hex =
        |text: &str, length: usize| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let named = stem.split_once('-').is_some_and(|(key, rest)| is_hex(key, KEY) && is_hex(rest, REST));
    named && (path.extension().is_none() || is_link(path) || is_of_image(path) || is_codes(path))
}

fn is_link(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == LINK)
}

fn is_of_image(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == IMAGE)
}

fn is_codes(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == CODES)
}

fn linked(link: &Path) -> Option<PathBuf> {
    serde_json::from_slice(&files::read(link, files::MOST_WORDS).ok()?).ok()
}

/// The bank that `path` is or names, if its rows can stand for those of `spec`.
fn opened(path: &Path, spec: &BankSpec, key: &str) -> Option<Bank> {
    if is_codes(path) {
        return None;
    }
    let folder = if is_link(path) { linked(path)? } else { path.to_path_buf() };
    let bank = Bank::open(&folder).inspect_err(|error| log::info!("{}: {error:#}", folder.display())).ok()?;
    (key_of(bank.spec()) == key && bank.searchable() > 0 && can_stand_for(bank.spec(), spec)).then_some(bank)
}

/// Whether rows of `known`, which has the same key, hold what is asked for: in every space, at least as exactly, and of some
/// of the positions.
fn can_stand_for(known: &BankSpec, asked: &BankSpec) -> bool {
    let (one, other) = (known.grid.stride, asked.grid.stride);
    (known.dtype == asked.dtype || known.dtype == Dtype::F32)
        && asked.spaces.iter().all(|space| known.spaces.contains(space))
        && (one % other == 0 || other % one == 0)
}

/// Whether all that `bank` holds lies in `greater` too.
fn is_lesser(bank: &Bank, greater: &Bank) -> bool {
    let (spec, other) = (bank.spec(), greater.spec());
    spec.dtype == other.dtype
        && spec.grid == other.grid
        && spec.spaces.iter().all(|space| other.spaces.contains(space))
        && bank.complete_images() <= greater.complete_images()
        && bank.images().iter().all(|image| greater.holds(image.index as usize))
}

/// A hash of what decides the vector of a patch in a space.
fn key_of(spec: &BankSpec) -> String {
    let BankSpec { program, model, data, grid, input, resize, resolution, tiles, mean, std, .. } = spec;
    let images = (&data.fingerprint, data.split, data.mix);
    let decides = (program, &model.hash, images, grid.patch, input, resize, resolution, mean, std);
    // What goes through at once is found under the name that it always had.
    match tiles {
        None => hash(&decides, KEY),
        Some(tiles) => hash(&(decides, tiles), KEY),
    }
}

/// A hash of which vectors are in a bank.
fn rest_of(spec: &BankSpec) -> String {
    let BankSpec { data, grid, dtype, spaces, classes, .. } = spec;
    hash(&(data.limit, data.order, grid.stride, dtype, spaces, classes), REST)
}

fn hash(value: &impl Serialize, digits: usize) -> String {
    // What cannot be written, as a path that is no text, is told by nothing.
    let text = serde_json::to_vec(value).unwrap_or_default();
    let mut hex = files::hex(&Sha256::digest(text));
    hex.truncate(digits);
    hex
}

/// Bytes of the disk that the files in `folder` take: those of rows that are not there yet take none.
fn bytes_of(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let metas = entries.filter_map(|entry| entry.ok()?.metadata().ok());
    metas.map(|meta| files::bytes_on_disk(&meta)).sum()
}

/// When a bank was used: the time of its manifest says it. Of codes: that of the newest of their files.
fn used(folder: &Path) -> Option<SystemTime> {
    if !is_codes(folder) {
        return fs::metadata(manifest_path(folder)).and_then(|meta| meta.modified()).ok();
    }
    let entries = fs::read_dir(folder).ok()?;
    entries.filter_map(|entry| entry.ok()?.metadata().ok()?.modified().ok()).max()
}

/// Notes that what has its time in `file` was used now.
fn touch(file: &Path) {
    let opened = files::open_with(file, OpenOptions::new().append(true));
    // One that may not be written, as one of somebody else, is not told when it was used.
    if let Err(error) = opened.and_then(|file| file.set_modified(SystemTime::now())) {
        log::debug!("{}: {error}", file.display());
    }
}

/// Removes a bank unless somebody writes it; whether it is gone.
fn removed(folder: &Path) -> bool {
    let Ok(lock) = FolderLock::take(folder) else { return false };
    // First what makes it a bank, so that half of one is never taken for a whole.
    files::remove(&manifest_path(folder));
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    entries.filter(|path| !path.ends_with(files::LOCK_FILE)).for_each(|path| files::remove(&path));
    drop(lock);
    fs::remove_dir(folder).is_ok()
}
