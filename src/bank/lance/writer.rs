//! The writing side: rows become fragments that nobody sees, until all parts are there.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lance::dataset::transaction::Operation;
use lance::dataset::{InsertBuilder, WriteMode, WriteParams};

use super::super::BankSink;
use super::super::images as images_file;
use super::super::layout::{ImageEntry, Layout};
use super::super::manifest::{Manifest, SkippedImage};
use super::super::output::BankOutput;
use super::super::pixels::{PixelHash, hashes_bytes, record};
use super::super::rows::{ImageEncoder, RowBuffer};
use super::super::spec::BankSpec;
use super::super::store::Bank;
use super::parts::{self, BegunPart, EmptyRows, PartRecord};
use super::publish;
use super::rows::open;
use super::store::{LancePlace, MOST, TABLE, store_params, wait};
use super::table;

/// Rows that wait to be written take at most so much, bytes: a fragment is of so many.
const FRAGMENT: u64 = 128 << 20;
/// A kill loses at most the work of so long.
const COMMIT_EVERY: Duration = Duration::from_secs(120);

/// Writes a bank in Lance, or a part of one, image by image.
#[derive(Debug)]
struct LanceWriter {
    place: LancePlace,
    uri: String,
    layout: Layout,
    encoder: ImageEncoder,
    record: PartRecord,
    /// Records of the hashes of pixels.
    pixels: Vec<u8>,
    next_image: usize,
    /// Rows that are written, and a buffer for each space of those that wait.
    written: usize,
    waiting: Vec<RowBuffer>,
    last_commit: Instant,
    /// Whether the bank was there before.
    is_done: bool,
}

/// Starts the bank, or the part, that `spec` and `images` describe under `uri`, or continues it.
///
/// # Errors
/// What lies there was made otherwise, with every difference, or cannot be read.
pub fn create(uri: &str, spec: &BankSpec, images: &[ImageEntry]) -> Result<(Box<dyn BankOutput>, usize)> {
    spec.validate()?;
    let place = LancePlace::new(uri)?;
    let layout = Layout::new(spec.grid, images.to_vec())?;
    let bank = place.find("bank.json", MOST)?;
    let is_done = bank.is_some();
    let number = parts::number_of(spec);
    let begun = match bank {
        Some(bytes) => Some(whole(&place, &bytes)?),
        None => parts::find(&place, number)?,
    };
    let (record, mut pixels) = match begun {
        Some(begun) => {
            ensure_same(&place, &begun, spec, images)?;
            (begun.record, begun.pixels)
        }
        None => {
            place.write(
                &format!("{}/images.bin", parts::folder(number)),
                &images_file::encode(layout.images()),
            )?;
            let manifest = Manifest { sums: false, ..Manifest::empty(spec, &layout) };
            (PartRecord { manifest, fragments: vec![], empty: EmptyRows::default() }, vec![])
        }
    };
    let next_image = record.manifest.complete_images as usize;
    // Hashes are written before the record that counts their images: a kill between the two leaves some too many.
    pixels.truncate(hashes_bytes(next_image));
    let writer = LanceWriter {
        uri: uri.to_owned(),
        encoder: ImageEncoder::new(spec),
        written: layout.rows_before(next_image),
        waiting: spec.spaces.iter().map(|_| RowBuffer::new(spec.dtype)).collect(),
        last_commit: Instant::now(),
        layout,
        record,
        pixels,
        next_image,
        is_done,
        place,
    };
    Ok((Box::new(writer), next_image))
}

/// A bank that is complete, as what was begun.
fn whole(place: &LancePlace, manifest: &[u8]) -> Result<BegunPart> {
    let manifest = Manifest::parse(manifest, &place.words("bank.json"))?;
    let layout = manifest.layout(&place.read("images.bin", MOST)?, &place.words(""))?;
    let record = PartRecord { manifest, fragments: vec![], empty: EmptyRows::default() };
    Ok(BegunPart { record, layout, pixels: vec![] })
}

fn ensure_same(place: &LancePlace, begun: &BegunPart, spec: &BankSpec, images: &[ImageEntry]) -> Result<()> {
    let mut differences = begun.record.manifest.spec.differences(spec);
    if differences.is_empty() {
        differences.extend(begun.layout.difference(images));
    }
    ensure!(
        differences.is_empty(),
        "the bank {} was made otherwise and cannot be continued; {}. Choose another place, or remove what lies there",
        place.words("").display(),
        differences.join("; ")
    );
    Ok(())
}

impl LanceWriter {
    /// Takes the rows of the next image, which are encoded in the encoder's buffers.
    fn take(&mut self, index: usize, pixels: Option<PixelHash>) {
        let Self { record: PartRecord { manifest, empty, .. }, encoder, waiting, layout, .. } = self;
        let first = layout.rows_before(index);
        for ((space, buffer), waiting) in manifest.spec.spaces.iter().zip(encoder.buffers()).zip(waiting) {
            waiting.extend(buffer, 0..buffer.rows(), space.width as usize);
            for (place, _) in buffer.inv_norms.iter().enumerate().filter(|(_, inv)| inv.is_nan()) {
                empty.push(&space.name, first + place);
            }
            *manifest.searchable.entry(space.name.clone()).or_default() += buffer.piece().searchable();
        }
        if manifest.pixels {
            self.pixels.extend(record(index, pixels).1);
        }
        self.next_image += 1;
    }

    /// Commits where it is time, and makes sure that `index` is the image to come.
    fn prepare(&mut self, index: usize) -> Result<usize> {
        let count = self.layout.expect(index, self.next_image)?;
        let waiting = self.waiting.first().map_or(0, RowBuffer::rows) as u64;
        let is_full = waiting * self.record.manifest.spec.row_bytes() >= FRAGMENT;
        if is_full || self.last_commit.elapsed() >= COMMIT_EVERY {
            self.flush()?;
        }
        Ok(count)
    }

    /// Writes what waits as a fragment, then notes that it is there.
    fn flush(&mut self) -> Result<()> {
        self.last_commit = Instant::now();
        let PartRecord { manifest, fragments, .. } = &mut self.record;
        if manifest.complete_images == self.next_image as u64 {
            return Ok(());
        }
        let rows = self.waiting.first().map_or(0, RowBuffer::rows);
        if rows > 0 {
            let batch = table::batch(&manifest.spec, &self.layout, self.written, &self.waiting)?;
            let uri = self.place.uri(TABLE);
            // There may be a table: of another process that makes the same, or of a run that was killed before `bank.json`.
            let mode = match self.place.table()? {
                Some(_) => WriteMode::Append,
                None => WriteMode::Create,
            };
            let params = WriteParams { mode, store_params: Some(store_params()), ..WriteParams::default() };
            let written =
                wait(InsertBuilder::new(&*uri).with_params(&params).execute_uncommitted(vec![batch]));
            let written =
                written.with_context(|| format!("cannot write to {}", self.place.words(TABLE).display()))?;
            let (Operation::Overwrite { fragments: more, .. } | Operation::Append { fragments: more }) =
                written.operation
            else {
                anyhow::bail!("Lance gave no fragments for {rows} rows");
            };
            fragments.extend(more);
            self.waiting.iter_mut().for_each(|buffer| *buffer = buffer.emptied());
            self.written += rows;
        }
        let before = std::mem::replace(&mut manifest.complete_images, self.next_image as u64);
        // What could not be noted is noted with the next commit.
        self.note().inspect_err(|_| self.record.manifest.complete_images = before)
    }

    /// Writes down what is written.
    fn note(&self) -> Result<()> {
        let folder = parts::folder(parts::number_of(&self.record.manifest.spec));
        if self.record.manifest.pixels {
            self.place.write(&format!("{folder}/pixels.bin"), &self.pixels)?;
        }
        self.place.write(&format!("{folder}/part.json"), &serde_json::to_vec(&self.record)?)
    }
}

impl BankSink for LanceWriter {
    fn next_image(&self) -> usize {
        self.next_image
    }

    fn push_hashed(
        &mut self,
        index: usize,
        pixels: Option<PixelHash>,
        rows: &[(&str, &[f32])],
    ) -> Result<()> {
        let count = self.prepare(index)?;
        let image = self.layout.images()[index].index;
        let encoded = self.encoder.encode(&self.record.manifest.spec, count, rows);
        encoded.with_context(|| format!("image {image} of the bank"))?;
        self.take(index, pixels);
        Ok(())
    }

    fn push_skipped(&mut self, index: usize, reason: &str) -> Result<()> {
        let count = self.prepare(index)?;
        let image = self.layout.images()[index].index;
        self.encoder.encode_skipped(&self.record.manifest.spec, count)?;
        self.record.manifest.skipped.push(SkippedImage { image, reason: reason.into() });
        self.take(index, None);
        Ok(())
    }
}

impl BankOutput for LanceWriter {
    fn commit(&mut self) -> Result<()> {
        self.flush()
    }

    fn finish(mut self: Box<Self>) -> Result<Bank> {
        if self.is_done {
            return open(&self.uri);
        }
        self.flush()?;
        let (done, total) = (self.next_image, self.layout.images().len());
        ensure!(done == total, "{} holds {done} of {total} images; push the rest first", self.uri);
        let Self { place, layout, record, pixels, .. } = *self;
        let part = BegunPart { record, layout, pixels };
        if part.record.manifest.spec.data.part.is_some() {
            return Ok(publish::unmerged(part));
        }
        publish::publish(&place, vec![part])?;
        open(&self.uri)
    }

    fn again(&self) -> [Vec<usize>; 2] {
        [vec![], vec![]]
    }

    fn written_patches(&self) -> usize {
        self.layout.rows_before(self.next_image)
    }
}
