//! A bank that grows in memory while snapshots of it are searched.

use super::BankSink;
use super::layout::{ImageEntry, Layout};
use super::manifest::SkippedImage;
use super::pixels::{CopyFinder, KnownCopies, PixelHash};
use super::rows::{ImageEncoder, RowBuffer};
use super::spec::BankSpec;
use super::store::{Bank, Store};
use crate::memory;
use crate::words::thousands;
use anyhow::{Context, Result};
use std::sync::Arc;

/// Rows per chunk: large enough to stream, small enough that copying the last one for a snapshot is cheap.
const CHUNK_ROWS: usize = 2048;

/// Filled by one thread, image by image; [`MemoryBank::snapshot`] hands out what is there.
#[derive(Debug)]
pub struct MemoryBank {
    spec: Arc<BankSpec>,
    layout: Arc<Layout>,
    skipped: Arc<Vec<SkippedImage>>,
    copies: CopyFinder,
    encoder: ImageEncoder,
    next_image: usize,
    searchable: Vec<u64>,
    /// Per space, full chunks that are never touched again.
    full: Vec<Vec<Arc<RowBuffer>>>,
    /// Per space, the chunk that still grows: fewer than `CHUNK_ROWS` rows.
    tail: Vec<RowBuffer>,
}

impl MemoryBank {
    /// An empty bank for `images`.
    ///
    /// # Errors
    /// An invalid spec, no patch fits on any image, or more memory than there is for vectors.
    pub fn new(spec: BankSpec, images: Vec<ImageEntry>) -> Result<Self> {
        spec.validate()?;
        let (budget, bytes) = (memory::budget(), spec.bytes(&images)?);
        let what = || format!("the vectors of {} images", thousands(images.len()));
        budget.ensure(budget.bank(), bytes, what, "a larger stride or fewer images")?;
        let layout = Layout::new(spec.grid, images)?;
        let spaces = spec.spaces.len();
        Ok(Self {
            encoder: ImageEncoder::new(&spec),
            layout: Arc::new(layout),
            skipped: Arc::default(),
            copies: CopyFinder::default(),
            next_image: 0,
            searchable: vec![0; spaces],
            full: vec![Vec::new(); spaces],
            tail: vec![RowBuffer::new(spec.dtype); spaces],
            spec: Arc::new(spec),
        })
    }

    /// What is in the bank now. Copies fewer than 2,048 rows per space; all others are shared.
    pub fn snapshot(&self) -> Bank {
        Bank {
            spec: self.spec.clone(),
            layout: self.layout.clone(),
            skipped: self.skipped.clone(),
            complete_images: self.next_image,
            searchable: self.searchable.clone(),
            stores: self.full.iter().cloned().zip(self.tail.iter().cloned()).map(store).collect(),
            copies: KnownCopies::Here(self.copies.firsts.clone()),
            folder: None,
            identity: self.layout.clone(),
            guests: 0,
        }
    }

    /// Names of the spaces.
    pub fn space_names(&self) -> Vec<String> {
        self.spec.spaces.iter().map(|space| space.name.clone()).collect()
    }

    /// As [`MemoryBank::snapshot`], with the images of `guests` behind those that are there: whole banks of other images
    /// of the same data set, patches and spaces. Guests that are there by now, or could not be read, are left out.
    ///
    /// # Errors
    /// More patches than can be counted.
    pub fn snapshot_with(&self, guests: &[&MemoryBank]) -> Result<Bank> {
        let mut bank = self.snapshot();
        let is_new = |image: &ImageEntry| !bank.holds(image.index as usize);
        let guests: Vec<&&MemoryBank> = guests
            .iter()
            .filter(|guest| guest.is_whole() && guest.layout.images().iter().all(is_new))
            .collect();
        if guests.is_empty() {
            return Ok(bank);
        }
        let (there, later) = self.layout.images().split_at(self.next_image);
        let come: Vec<&ImageEntry> = guests.iter().flat_map(|guest| guest.layout.images()).collect();
        let is_later = |image: &&ImageEntry| come.iter().all(|guest| guest.index != image.index);
        let images = there.iter().chain(come.iter().copied()).chain(later.iter().filter(is_later));
        bank.layout = Arc::new(Layout::new(self.spec.grid, images.cloned().collect())?);
        (bank.guests, bank.complete_images) = (come.len(), self.next_image + come.len());
        for (index, space) in self.spec.spaces.iter().enumerate() {
            let (mut full, mut tail) = (self.full[index].clone(), self.tail[index].clone());
            for guest in &guests {
                let chunks = guest.full[index].iter().map(|chunk| &**chunk).chain([&guest.tail[index]]);
                chunks.for_each(|chunk| append(&mut full, &mut tail, chunk, space.width as usize));
                bank.searchable[index] += guest.searchable[index];
            }
            bank.stores[index] = store((full, tail));
        }
        let mut copies = self.copies.clone();
        guests.iter().flat_map(|guest| guest.copies.hashes()).for_each(|hash| copies.push(hash));
        bank.copies = KnownCopies::Here(copies.firsts);
        Ok(bank)
    }

    /// Whether all its images are in it.
    fn is_whole(&self) -> bool {
        self.next_image == self.layout.images().len() && self.skipped.is_empty()
    }

    /// Whether the image of the data set with index `image` is in it.
    pub fn holds(&self, image: usize) -> bool {
        self.layout.place_of(image).is_some_and(|place| place < self.next_image)
    }

    /// Images in the bank that are exact copies of an earlier one.
    pub fn copies(&self) -> usize {
        self.copies.copies
    }
}

impl BankSink for MemoryBank {
    fn next_image(&self) -> usize {
        self.next_image
    }

    fn push_hashed(
        &mut self,
        index: usize,
        pixels: Option<PixelHash>,
        rows: &[(&str, &[f32])],
    ) -> Result<()> {
        let count = self.layout.expect(index, self.next_image)?;
        let image = self.layout.images()[index].index;
        let buffers = self
            .encoder
            .encode(&self.spec, count, rows)
            .with_context(|| format!("image {image} of the bank"))?;
        for (i, (buffer, space)) in buffers.iter().zip(&self.spec.spaces).enumerate() {
            append(&mut self.full[i], &mut self.tail[i], buffer, space.width as usize);
            self.searchable[i] += buffer.piece().searchable();
        }
        self.copies.push(pixels);
        self.next_image += 1;
        Ok(())
    }

    fn push_skipped(&mut self, index: usize, reason: &str) -> Result<()> {
        let count = self.layout.expect(index, self.next_image)?;
        let buffers = self.encoder.encode_skipped(&self.spec, count)?;
        for (i, (buffer, space)) in buffers.iter().zip(&self.spec.spaces).enumerate() {
            append(&mut self.full[i], &mut self.tail[i], buffer, space.width as usize);
        }
        self.copies.push(None);
        let image = self.layout.images()[index].index;
        Arc::make_mut(&mut self.skipped).push(SkippedImage { image, reason: reason.into() });
        self.next_image += 1;
        Ok(())
    }
}

fn store((mut chunks, tail): (Vec<Arc<RowBuffer>>, RowBuffer)) -> Store {
    if tail.rows() > 0 {
        chunks.push(Arc::new(tail));
    }
    Store::Chunks { chunks, chunk_rows: CHUNK_ROWS }
}

/// Adds the rows of `buffer`, closing chunks as they fill.
fn append(full: &mut Vec<Arc<RowBuffer>>, tail: &mut RowBuffer, buffer: &RowBuffer, width: usize) {
    let mut next = 0;
    while next < buffer.rows() {
        let end = buffer.rows().min(next + CHUNK_ROWS - tail.rows());
        tail.extend(buffer, next..end, width);
        next = end;
        if tail.rows() == CHUNK_ROWS {
            full.push(Arc::new(std::mem::replace(tail, tail.emptied())));
        }
    }
}
