//! Keeps what is embedded: a thread that writes it into a bank of the cache, so that nobody waits for the disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::ensure;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use super::plan::ExtractPlan;
use crate::bank::{Bank, BankSink, BankSpec, BankWriter, ImageEntry, MemoryBank, PixelHash, VectorCache};
use crate::dataset::Dataset;
use crate::files;
use crate::memory::{Hold, Room};
use crate::progress::CancelToken;

/// Bytes of vectors that may wait to be written.
const WAITING: u64 = 64 << 20;
/// How often it is looked whether all banks together take too much, or the disk is nearly full.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// After so long without an image what there is is made to last.
const IDLE: Duration = Duration::from_secs(1);
/// A bank of the cache is of so many images of a data set, or of all that are searched where these are more.
const IMAGES: usize = 100_000;

/// Writes images into a bank of the cache as they come, each once; ends where the disk fails or is nearly full.
pub struct Keeper {
    sender: Option<Sender<KeptImage>>,
    /// So many images are there already, as far as its manifest says.
    kept: Arc<AtomicUsize>,
    room: Arc<Room>,
    cancel: CancelToken,
    thread: Option<JoinHandle<()>>,
}

/// One image on its way to the disk.
struct KeptImage {
    place: usize,
    pixels: Option<PixelHash>,
    /// Its vectors in each space, or why there are none.
    rows: Result<Vec<Vec<f32>>, String>,
    _hold: Hold,
}

/// What the thread works on.
struct Shelf {
    cache: VectorCache,
    spec: BankSpec,
    images: Vec<ImageEntry>,
    folder: PathBuf,
}

impl Keeper {
    /// Starts to keep what `plan` embeds of `data`, unless no thread can be had.
    pub fn start(cache: VectorCache, plan: &ExtractPlan, data: &Arc<dyn Dataset>) -> Option<Self> {
        if cache.most_bytes() == 0 {
            return None;
        }
        let (sender, receiver) = unbounded();
        let cancel = CancelToken::default();
        let (spec, searched) = (plan.spec.clone(), plan.images.len());
        let (data, token, kept) = (data.clone(), cancel.clone(), Arc::new(AtomicUsize::new(0)));
        let there = kept.clone();
        let work = move || {
            let (spec, images) = ExtractPlan::of_more(spec, data.as_ref(), searched.max(IMAGES));
            drop(data);
            let folder = cache.place(&spec);
            let shelf = Shelf { cache, spec, images, folder };
            if let Err(error) = shelf.keep(&receiver, &there, &token) {
                log::info!("vectors are not kept in {}: {error:#}", shelf.folder.display());
            }
        };
        let thread = thread::Builder::new().name("keep".into()).spawn(work).ok()?;
        Some(Self { sender: Some(sender), kept, room: Room::new(WAITING), cancel, thread: Some(thread) })
    }

    /// Nothing more comes: what came is written, and nobody waits for it.
    pub fn close(&mut self) {
        self.sender = None;
    }

    fn send(&mut self, place: usize, pixels: Option<PixelHash>, rows: Result<Vec<Vec<f32>>, String>) {
        let Some(sender) = &self.sender else { return };
        // Until what is there has been looked through nothing is taken, and whoever embeds would wait for it.
        if place < self.kept.load(Ordering::Relaxed) {
            return;
        }
        let values: usize = rows.iter().flatten().map(Vec::len).sum();
        let hold = self.room.take(4 * values as u64);
        if sender.send(KeptImage { place, pixels, rows, _hold: hold }).is_err() {
            self.sender = None;
        }
    }
}

impl Drop for Keeper {
    /// What came last is written, so that whoever opens the bank next finds it.
    fn drop(&mut self) {
        self.close();
        self.cancel.cancel();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::warn!("keeping vectors stopped unexpectedly");
        }
    }
}

impl Shelf {
    /// `there` is told how many images are there before these are looked through.
    fn keep(
        &self,
        receiver: &Receiver<KeptImage>,
        there: &AtomicUsize,
        cancel: &CancelToken,
    ) -> anyhow::Result<()> {
        there.store(self.make_way(), Ordering::Relaxed);
        let opened = BankWriter::create_or_resume(&self.folder, &self.spec, &self.images, cancel)?;
        let (mut writer, mut kept) = opened;
        there.store(kept, Ordering::Relaxed);
        if writer.damaged().len() + writer.unread().len() > 0 {
            drop(writer);
            self.cache.discard(&self.folder);
            anyhow::bail!("it was damaged, and is removed");
        }
        let mut looked: Option<Instant> = None;
        loop {
            if looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY) {
                self.cache.trim(&self.folder);
                self.ensure_room()?;
                looked = Some(Instant::now());
            }
            match receiver.recv_timeout(IDLE) {
                // Those that are there already come again.
                Ok(image) if image.place == kept => {
                    self.write(&mut writer, image)?;
                    kept += 1;
                }
                Ok(_) => (),
                Err(RecvTimeoutError::Timeout) => writer.commit()?,
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        writer.commit()?;
        drop(writer);
        self.cache.remove_lesser(&self.folder);
        self.cache.trim(&self.folder);
        Ok(())
    }

    /// Removes what lies in the bank's place and is none that can be read, as one of another version: nothing would be kept
    /// there for as long as it does. How many images one that can be read holds.
    fn make_way(&self) -> usize {
        if !Bank::is_at(&self.folder) {
            return 0;
        }
        match Bank::open(&self.folder) {
            Ok(bank) => bank.complete_images(),
            Err(error) => {
                if !files::is_read_error(&error) {
                    self.cache.discard(&self.folder);
                }
                0
            }
        }
    }

    fn write(&self, writer: &mut BankWriter, image: KeptImage) -> anyhow::Result<()> {
        let rows = match &image.rows {
            Ok(rows) => rows,
            Err(reason) => return writer.push_skipped(image.place, reason),
        };
        let names = self.spec.spaces.iter().map(|space| space.name.as_str());
        let rows: Vec<(&str, &[f32])> = names.zip(rows.iter().map(Vec::as_slice)).collect();
        writer.push_hashed(image.place, image.pixels, &rows)
    }

    /// # Errors
    /// The disk has little left, or this bank alone takes what all may.
    fn ensure_room(&self) -> anyhow::Result<()> {
        let (bytes, most) = (self.cache.usage().bytes, self.cache.most_bytes());
        ensure!(bytes <= most, "what is kept takes {bytes} bytes, and may take {most}");
        self.cache.ensure_disk(0)
    }
}

/// A bank in memory whose images are kept as well, where somebody keeps them.
pub struct KeepBoth<'a> {
    /// What is searched.
    pub bank: &'a mut MemoryBank,
    /// What is kept.
    pub keeper: Option<&'a mut Keeper>,
}

impl BankSink for KeepBoth<'_> {
    fn next_image(&self) -> usize {
        self.bank.next_image()
    }

    fn push_hashed(
        &mut self,
        index: usize,
        pixels: Option<PixelHash>,
        rows: &[(&str, &[f32])],
    ) -> anyhow::Result<()> {
        self.bank.push_hashed(index, pixels, rows)?;
        if let Some(keeper) = &mut self.keeper {
            keeper.send(index, pixels, Ok(rows.iter().map(|(_, values)| values.to_vec()).collect()));
        }
        Ok(())
    }

    fn push_skipped(&mut self, index: usize, reason: &str) -> anyhow::Result<()> {
        self.bank.push_skipped(index, reason)?;
        if let Some(keeper) = &mut self.keeper {
            keeper.send(index, None, Err(reason.into()));
        }
        Ok(())
    }
}
