//! The reading side: one snapshot type over files and memory.

use super::far::{FarIndex, FarRows, RowSource};
use super::layout::{ImageEntry, Layout};
use super::manifest::{Manifest, SkippedImage};
use super::pixels::{KnownCopies, PixelHash, read_hashes};
use super::rows::{MappedRows, Piece, RowBuffer, row_files};
use super::spec::BankSpec;
use super::uri::lies_far;
use anyhow::{Context, Result, ensure};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

/// A snapshot of a bank: what is committed when it is taken. Cheap to clone; safe to search from any thread.
#[derive(Clone, Debug)]
pub struct Bank {
    pub(super) spec: Arc<BankSpec>,
    pub(super) layout: Arc<Layout>,
    pub(super) skipped: Arc<Vec<SkippedImage>>,
    pub(super) complete_images: usize,
    /// Per space, rows that take part in searches.
    pub(super) searchable: Vec<u64>,
    pub(super) stores: Vec<Store>,
    pub(super) copies: KnownCopies,
    pub(super) folder: Option<PathBuf>,
    /// What tells the bank from others: its layout without guests.
    pub(super) identity: Arc<Layout>,
    /// Images that only this snapshot has, the last ones of those that are committed.
    pub(super) guests: usize,
}

/// Tells one bank from another, whatever it has grown to, without keeping it in memory.
#[derive(Clone, Debug)]
pub struct BankId(Weak<Layout>);

impl PartialEq for BankId {
    fn eq(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0)
    }
}

impl BankId {
    /// Whether the bank or a snapshot of it is still there.
    pub fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }
}

/// Where the rows of one space are.
#[derive(Clone, Debug)]
pub(super) enum Store {
    Mapped(Arc<MappedRows>),
    /// Chunks of `chunk_rows` rows each, the last one of at least one.
    Chunks {
        chunks: Vec<Arc<RowBuffer>>,
        chunk_rows: usize,
    },
    /// Elsewhere.
    Far(FarRows),
}

/// One space of a bank.
#[derive(Clone, Copy, Debug)]
pub struct StoredSpace<'a> {
    bank: &'a Bank,
    index: usize,
}

impl Bank {
    /// Whether `folder` is that of a bank, by its manifest's name; what lies elsewhere is taken for one.
    pub fn is_at(folder: &Path) -> bool {
        lies_far(folder) || super::manifest::manifest_path(folder).is_file()
    }

    /// Opens the bank in `folder` at its last commit; it may be incomplete ([`Bank::is_complete`]).
    /// Nothing is read but the manifest and the images table; rows are mapped.
    ///
    /// # Errors
    /// No bank there, one of a later version, or a missing, cut or changed file: named, with what was expected.
    pub fn open(folder: &Path) -> Result<Self> {
        ensure!(Self::is_at(folder), "{} is no bank: it holds no bank.json", folder.display());
        let (manifest, layout) = Manifest::read(folder)?;
        let rows = MappedRows::open_all(folder, &manifest.spec, &layout, manifest.sums)?;
        Ok(Self::mapped(folder, manifest, Arc::new(layout), rows))
    }

    /// What `manifest` says, with the mapped `rows` of each space.
    pub(super) fn mapped(
        folder: &Path,
        manifest: Manifest,
        layout: Arc<Layout>,
        rows: Vec<MappedRows>,
    ) -> Self {
        let stores = rows.into_iter().map(|rows| Store::Mapped(Arc::new(rows))).collect();
        let copies = KnownCopies::on_disk(manifest.complete_images as usize, manifest.pixels);
        let folder = Some(folder.to_path_buf());
        Self { stores, folder, ..Self::of_manifest(manifest, layout, copies) }
    }

    /// What `manifest` says, without rows.
    pub(super) fn of_manifest(manifest: Manifest, layout: Arc<Layout>, copies: KnownCopies) -> Self {
        let spec = manifest.spec;
        Self {
            searchable: spec.spaces.iter().map(|space| manifest.searchable[&space.name]).collect(),
            spec: Arc::new(spec),
            identity: layout.clone(),
            layout,
            guests: 0,
            skipped: Arc::new(manifest.skipped),
            complete_images: manifest.complete_images as usize,
            stores: vec![],
            copies,
            folder: None,
        }
    }

    /// The same bank, with its rows read from `source` when they are asked for.
    pub fn read_from(self, source: &Arc<dyn RowSource>) -> Self {
        let far = FarRows::of(&self.spec, self.total_patches(), source);
        Self { stores: far.into_iter().map(Store::Far).collect(), folder: None, ..self }
    }

    /// Where its rows lie, if that is elsewhere.
    pub fn far(&self) -> Option<&Arc<dyn RowSource>> {
        match self.stores.first() {
            Some(Store::Far(rows)) => Some(rows.source()),
            _ => None,
        }
    }

    /// The same for all snapshots of one bank, whose rows are the same as far as they go, but for those of guests.
    pub fn id(&self) -> BankId {
        BankId(Arc::downgrade(&self.identity))
    }

    /// The images of a query that are searched beside the bank's own ([`super::MemoryBank::snapshot_with`]): the last
    /// ones of [`Bank::images`].
    pub fn guests(&self) -> &[ImageEntry] {
        &self.images()[self.own_images()..]
    }

    /// Committed images without guests.
    pub fn own_images(&self) -> usize {
        self.complete_images - self.guests
    }

    /// Images once the bank is complete, without guests.
    pub fn own_total_images(&self) -> usize {
        self.identity.images().len()
    }

    /// Committed patches without those of guests: they come first.
    pub fn own_patches(&self) -> usize {
        self.layout.rows_before(self.own_images())
    }

    /// What made the bank.
    pub fn spec(&self) -> &BankSpec {
        &self.spec
    }

    /// Names of the spaces, in the model's order.
    pub fn spaces(&self) -> impl ExactSizeIterator<Item = &str> {
        self.spec.spaces.iter().map(|space| space.name.as_str())
    }

    /// The space called `name`; the error lists those that exist.
    pub fn space(&self, name: &str) -> Result<StoredSpace<'_>> {
        Ok(StoredSpace { bank: self, index: self.spec.space_index(name)? })
    }

    /// All spaces, in the model's order.
    pub(super) fn stored_spaces(&self) -> Vec<StoredSpace<'_>> {
        (0..self.stores.len()).map(|index| StoredSpace { bank: self, index }).collect()
    }

    /// Values per row of space `name`.
    pub fn width(&self, name: &str) -> Result<usize> {
        Ok(self.space(name)?.width())
    }

    /// Committed patches, those of skipped images included.
    pub fn patches(&self) -> usize {
        self.layout.rows_before(self.complete_images)
    }

    /// Patches once the bank is complete.
    pub fn total_patches(&self) -> usize {
        self.layout.patches()
    }

    /// Committed patches with a vector: all but those of skipped images, and others without one, in the space that has
    /// fewest. What is shown as searched, or as being there, counts these.
    pub fn searchable(&self) -> usize {
        let fewest = self.searchable.iter().min().copied();
        fewest.map_or(self.patches(), |count| count as usize)
    }

    /// The same once the bank is complete, as far as it is known.
    pub fn total_searchable(&self) -> usize {
        self.total_patches() - self.patches() + self.searchable()
    }

    /// Committed images: the first so many. Skipped ones count.
    pub fn complete_images(&self) -> usize {
        self.complete_images
    }

    /// Images once the bank is complete.
    pub fn total_images(&self) -> usize {
        self.layout.images().len()
    }

    /// Whether every image is committed.
    pub fn is_complete(&self) -> bool {
        self.complete_images == self.total_images()
    }

    /// Only the first `images` committed images in the bank's order, of a bank that is planned as large as before: for
    /// searches over what two banks have in common.
    pub fn first_images(&self, images: usize) -> Self {
        let mut first = self.clone();
        first.complete_images = images.min(self.complete_images);
        first.guests = self.guests.saturating_sub(self.complete_images - first.complete_images);
        let kept = self.skipped.iter().filter(|skipped| first.holds(skipped.image as usize));
        first.skipped = Arc::new(kept.cloned().collect());
        let rows = 0..first.patches();
        let spaces = self.stored_spaces().into_iter();
        first.searchable = spaces.map(|space| space.searchable_in(rows.clone())).collect();
        first
    }

    /// As if it had been planned for its first `images` images alone.
    ///
    /// # Errors
    /// No patch fits on any of them.
    pub fn cut_to(&self, images: usize) -> Result<Self> {
        if images >= self.total_images() {
            return Ok(self.clone());
        }
        let layout = Arc::new(Layout::new(self.spec.grid, self.layout.images()[..images].to_vec())?);
        Ok(Self { identity: layout.clone(), layout, ..self.first_images(images) })
    }

    /// Committed images without embeddings, in the bank's order.
    pub fn skipped(&self) -> &[SkippedImage] {
        &self.skipped
    }

    /// Bytes of all rows and norms once complete: on disk, or in memory.
    pub fn bytes(&self) -> u64 {
        row_files(Path::new(""), &self.spec, self.total_patches()).iter().map(|(_, bytes)| bytes).sum()
    }

    /// Whether its rows have sums, so that damaged ones are found: a bank on disk that this version made.
    pub fn has_sums(&self) -> bool {
        self.stores.iter().all(|store| matches!(store, Store::Mapped(rows) if rows.has_sums()))
    }

    /// For each of [`Bank::images`] the place of the first one with the same pixels: its own where no earlier one has
    /// them. A hash is asked for, not the pixels: that two differ has a chance of 2^-128.
    ///
    /// # Errors
    /// A bank of an earlier version, which has no hashes, or a damaged one: with what to do.
    pub fn firsts(&self) -> Result<Vec<u32>> {
        let firsts = self.copies.firsts(self.folder())?;
        Ok(firsts[..self.complete_images].to_vec())
    }

    /// Committed images that are exact copies of an earlier one.
    ///
    /// # Errors
    /// As [`Bank::firsts`].
    pub fn copies(&self) -> Result<usize> {
        let firsts = self.firsts()?;
        Ok(firsts.iter().enumerate().filter(|(place, first)| **first as usize != *place).count())
    }

    /// Hashes of the pixels of the committed images, in the bank's order.
    ///
    /// # Errors
    /// Not a bank on disk, one without hashes, or damage.
    pub fn pixel_hashes(&self) -> Result<Vec<Option<PixelHash>>> {
        let folder = self.folder().context("a bank in memory keeps no hashes")?;
        read_hashes(folder, self.complete_images)
    }

    /// Whether it can be asked for copies: all banks but those on disk that an earlier version made.
    pub fn knows_copies(&self) -> bool {
        !matches!(self.copies, KnownCopies::Unknown)
    }

    /// The folder, for a bank on disk.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Copies a row to `out`, `[width]`, un-normalised. NaN for a skipped image.
    ///
    /// # Errors
    /// No such space or row, `out` of another width, or as [`StoredSpace::check`].
    pub fn row_f32(&self, space: &str, row: usize, out: &mut [f32]) -> Result<()> {
        let space = self.space(space)?;
        ensure!(row < self.patches(), "row {row} is out of range; the bank has {} patches", self.patches());
        ensure!(
            out.len() == space.width(),
            "a row of {} has {} values, not {}",
            space.name(),
            space.width(),
            out.len()
        );
        space.read_rows(row..row + 1, out)
    }
}

impl<'a> StoredSpace<'a> {
    /// Its name in the spec, unique in the bank.
    pub fn name(&self) -> &'a str {
        &self.bank.spec.spaces[self.index].name
    }

    /// Values per row.
    pub fn width(&self) -> usize {
        self.bank.spec.spaces[self.index].width as usize
    }

    /// How many of [`Bank::patches`] take part in searches: neither skipped nor NaN.
    pub fn searchable(&self) -> u64 {
        self.bank.searchable[self.index]
    }

    /// The same once the bank is complete, as far as it is known.
    pub fn total_searchable(&self) -> u64 {
        (self.bank.total_patches() - self.bank.patches()) as u64 + self.searchable()
    }

    /// How many of `rows` take part in searches. Panics beyond [`Bank::patches`].
    pub fn searchable_in(&self, rows: Range<usize>) -> u64 {
        match &self.bank.stores[self.index] {
            Store::Far(far) => far.searchable_in(rows),
            _ => self.pieces(rows).map(|piece| piece.searchable()).sum(),
        }
    }

    /// Whether a row takes part in searches. Panics beyond [`Bank::patches`].
    pub fn has(&self, row: usize) -> bool {
        self.searchable_in(row..row + 1) == 1
    }

    /// Its index in the spec.
    pub fn index(&self) -> usize {
        self.index
    }

    /// What its index was seen to find, where it lies elsewhere and has one.
    pub fn far_index(&self) -> Option<FarIndex> {
        self.bank.far()?.index(self.index)
    }

    /// Reads `rows`, which rise, at once, where they lie elsewhere: what asks for them afterwards does not wait.
    ///
    /// # Errors
    /// They cannot be read, or there is no room for them.
    pub fn bring(&self, rows: &[usize]) -> Result<()> {
        match &self.bank.stores[self.index] {
            Store::Far(far) => far.bring(rows.iter().copied()),
            _ => Ok(()),
        }
    }

    /// The stored rows `rows`, in order, in as few pieces as they lie in, as they are: [`StoredSpace::check`] comes
    /// before, [`StoredSpace::check_length`] after. Panics beyond [`Bank::patches`].
    pub fn pieces(&self, rows: Range<usize>) -> impl Iterator<Item = Piece<'a>> {
        assert!(rows.end <= self.bank.patches(), "rows {rows:?} of {}", self.bank.patches());
        let (store, width) = (&self.bank.stores[self.index], self.width());
        let mut next = rows.start;
        std::iter::from_fn(move || {
            (next < rows.end).then(|| {
                let piece = store.piece(next..rows.end, width);
                next += piece.inv_norms.len();
                piece
            })
        })
    }

    /// Finds damage in rows `rows`: the sum of each block is looked at when it is first asked for. A bank of an
    /// earlier version has no sums, one in memory needs none.
    ///
    /// # Errors
    /// [`super::DamagedRows`]; as [`StoredSpace::check_length`].
    pub fn check(&self, rows: Range<usize>) -> Result<()> {
        match &self.bank.stores[self.index] {
            Store::Mapped(mapped) => mapped.check_sums(&self.bank.layout, rows),
            Store::Chunks { .. } => Ok(()),
            Store::Far(far) => far.bring(rows),
        }
    }

    /// To be asked after rows were read, before they count.
    ///
    /// # Errors
    /// [`crate::files::Shrunk`]: a file was cut while it was read, and some of what was read was not there.
    pub fn check_length(&self) -> Result<()> {
        match &self.bank.stores[self.index] {
            Store::Mapped(mapped) => mapped.check_length(),
            Store::Chunks { .. } => Ok(()),
            Store::Far(far) => far.check(),
        }
    }

    /// Copies rows `rows` to `out`, `[rows, width]`, as float32. Panics beyond [`Bank::patches`] or on a wrong length.
    ///
    /// # Errors
    /// As [`StoredSpace::check`].
    pub fn read_rows(&self, rows: Range<usize>, out: &mut [f32]) -> Result<()> {
        assert_eq!(out.len(), rows.len() * self.width(), "values of rows {rows:?}");
        self.check(rows.clone())?;
        let mut rest = out;
        for piece in self.pieces(rows) {
            let count = piece.inv_norms.len() * self.width();
            let (now, later) = rest.split_at_mut(count);
            piece.values.read(0..count, now);
            rest = later;
        }
        self.check_length()
    }
}

impl Store {
    /// Rows from `rows.start` as far as they lie side by side, at most to `rows.end`.
    fn piece(&self, rows: Range<usize>, width: usize) -> Piece<'_> {
        match self {
            Store::Mapped(mapped) => mapped.piece(rows),
            Store::Chunks { chunks, chunk_rows } => {
                let chunk = &chunks[rows.start / chunk_rows];
                let first = rows.start % chunk_rows;
                let end = (first + rows.len()).min(chunk.rows());
                let values = chunk.values().slice(first * width..end * width);
                Piece { first_row: rows.start, values, inv_norms: &chunk.inv_norms[first..end] }
            }
            Store::Far(far) => far.piece(rows),
        }
    }
}
