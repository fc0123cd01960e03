//! All patches of a data set into a bank, one group of images at a time.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use crossbeam_channel::Receiver;

use super::known::{Known, KnownCells};
use super::pending::Pending;
use super::plan::ExtractPlan;
use super::read_ahead::{ReadImage, read_ahead};
use super::times::{EmbedSeconds, TimeSpent};
use super::tokens::WHOLE;
use super::{BATCH, Embedder, PatchSource};
use crate::bank::{BankSink, ImageEntry};
use crate::dataset::{Dataset, Skipped};
use crate::files;
use crate::image::Image;
use crate::memory::{self, Hold, Room};
use crate::progress::Progress;

/// Images whose vectors are all known that are taken over at a time.
const TAKEN_OVER: usize = 64;

/// Extraction in progress. Images are read ahead on a thread of their own, as far as there is room for them; those whose
/// vectors are known are not read.
pub struct Extraction {
    plan: ExtractPlan,
    data: Arc<dyn Dataset>,
    known: Known,
    /// Places of images that are not known after all.
    to_be_read: BTreeSet<usize>,
    /// No thread reads after a file that could not be read.
    images: Option<Receiver<ReadImage>>,
    room: Arc<Room>,
    /// Why it does not, until what came before that file is in the bank.
    unread: Option<anyhow::Error>,
    /// Images that were done before; the places of those that are to be done; how many are done of these.
    resumed: usize,
    chosen: Vec<usize>,
    done: usize,
    pending: VecDeque<Pending>,
    patches: usize,
    /// Images and patches so far that needed no embedding.
    reused_images: usize,
    reused_patches: usize,
    skipped: Vec<Skipped>,
    started: Instant,
    /// Of all but reading images.
    times: EmbedSeconds,
    decoding: Arc<TimeSpent>,
}

impl Extraction {
    /// Starts to read all images of `data`, for which `plan` was made.
    pub fn start(plan: ExtractPlan, data: Arc<dyn Dataset>) -> anyhow::Result<Self> {
        let all = (0..plan.images.len()).collect();
        Self::of(plan, data, all, Known::default())
    }

    /// Starts to read the images in the places `chosen` of the plan, in that order; what is `known` of them is taken over.
    ///
    /// # Errors
    /// The vectors of a single image would take more memory than there is.
    pub fn of(
        plan: ExtractPlan,
        data: Arc<dyn Dataset>,
        chosen: Vec<usize>,
        known: Known,
    ) -> anyhow::Result<Self> {
        let budget = memory::budget();
        plan.ensure_rows_fit(budget)?;
        let mut extraction = Self {
            images: None,
            unread: None,
            resumed: plan.images.len() - chosen.len(),
            plan,
            room: Room::new(budget.ahead()),
            data,
            known,
            to_be_read: BTreeSet::new(),
            chosen,
            done: 0,
            pending: VecDeque::new(),
            patches: 0,
            reused_images: 0,
            reused_patches: 0,
            skipped: vec![],
            started: Instant::now(),
            times: EmbedSeconds::default(),
            decoding: Arc::default(),
        };
        extraction.images = Some(extraction.read_from(0)?);
        Ok(extraction)
    }

    /// Reads those of the chosen images from number `next` on of which not everything is known.
    fn read_from(&self, next: usize) -> anyhow::Result<Receiver<ReadImage>> {
        let rest = self.chosen[next..].iter().copied();
        let unknown: Vec<usize> = rest.filter(|place| !self.is_known(*place)).collect();
        read_ahead(&self.plan.images, self.data.clone(), &unknown, (&self.room, &self.decoding))
    }

    fn is_known(&self, place: usize) -> bool {
        !self.to_be_read.contains(&place) && self.known.has_all(&self.plan.spec, &self.plan.images[place])
    }

    /// Whether every image is in the bank or skipped.
    pub fn is_finished(&self) -> bool {
        self.done == self.chosen.len()
    }

    /// Embeds the next batch of patches, at most `most`, and hands every image that is complete
    /// to `sink`, in order. A large image takes several calls.
    ///
    /// # Errors
    /// A file that could not be read ([`files::is_read_error`]), once all images before it are handed over: the next
    /// call reads it again. What `sink` says, which ends the extraction.
    pub fn advance(
        &mut self,
        embedder: &Embedder,
        sink: &mut dyn BankSink,
        most: usize,
    ) -> anyhow::Result<()> {
        let (mut sources, mut taken_over) = (vec![], 0);
        // A place costs next to nothing once its image went through the network.
        let of_places = self.plan.is_of_places();
        let most = if of_places { most.saturating_mul(WHOLE) } else { most };
        let mut images = 0;
        loop {
            if let Some(last) = self.pending.back_mut() {
                last.take_cells(&mut sources, self.plan.spec.grid, most);
                images += usize::from(last.fresh > 0);
                if of_places
                    && last.pixels_there().is_some_and(|image| images >= embedder.whole_images(image))
                {
                    break;
                }
            }
            let next = self.done + self.pending.len();
            if sources.len() >= most || next == self.chosen.len() || self.pending.len() > BATCH {
                break;
            }
            if self.is_known(self.chosen[next]) {
                // One at a time: vectors of many images at once have no room, and come after those that wait.
                if taken_over == TAKEN_OVER || !self.pending.is_empty() {
                    break;
                }
                taken_over += 1;
                let known = self.take_over(self.chosen[next]);
                self.pending.extend(known);
                self.hand_over(sink)?;
                continue;
            }
            if !self.has_room_for(next) {
                break;
            }
            let Some(read) = self.next_image(next)? else { break };
            let pending = self.begin(read);
            self.pending.push_back(pending);
        }
        let vectors = self.embed(embedder, &sources)?;
        self.patches += sources.len();
        self.distribute(&vectors);
        self.hand_over(sink)
    }

    /// The vectors of `sources` in each space.
    fn embed(&mut self, embedder: &Embedder, sources: &[PatchSource]) -> anyhow::Result<Vec<Vec<f32>>> {
        let patch = self.plan.spec.grid.patch;
        let so_far = || (embedder.times.cutting.seconds(), embedder.times.network.seconds());
        let before = so_far();
        let mut vectors = embedder.patches(sources, patch, &self.plan.spaces)?;
        if self.plan.has_pixels {
            vectors.push(embedder.times.cutting.of(|| embedder.pixels(sources, patch))?);
        }
        let after = so_far();
        self.times.cutting += after.0 - before.0;
        self.times.network += after.1 - before.1;
        Ok(vectors)
    }

    /// Hands the images in front that are complete to `sink`.
    fn hand_over(&mut self, sink: &mut dyn BankSink) -> anyhow::Result<()> {
        while let Some(complete) = self.pending.pop_front_if(|pending| pending.is_complete()) {
            self.push(complete, sink)?;
        }
        Ok(())
    }

    /// Whether the image that is number `next` of the chosen ones can be read while those that wait are kept: otherwise
    /// its reader waits for them.
    fn has_room_for(&self, next: usize) -> bool {
        let waiting: u64 = self.pending.iter().flat_map(|pending| &pending.hold).map(Hold::bytes).sum();
        let bytes = self.plan.images[self.chosen[next]].decoded_bytes();
        self.pending.is_empty() || waiting.saturating_add(bytes) <= self.room.most()
    }

    /// The image that is number `next` of the chosen ones; `None` if it could not be read and others before it are to
    /// be handed over first.
    fn next_image(&mut self, next: usize) -> anyhow::Result<Option<ReadImage>> {
        if self.unread.is_none() {
            let images = match self.images.take() {
                Some(images) => images,
                None => self.read_from(next)?,
            };
            let clock = Instant::now();
            let read = images.recv().context("the thread that reads images has stopped")?;
            self.times.waiting += clock.elapsed().as_secs_f64();
            match read {
                ReadImage { image: Err(error), .. } if files::is_read_error(&error) => {
                    self.unread = Some(error)
                }
                read => {
                    self.images = Some(images);
                    return Ok(Some(read));
                }
            }
        }
        match self.unread.take_if(|_| self.pending.is_empty()) {
            Some(error) => Err(error),
            None => Ok(None),
        }
    }

    /// An image that was read: what is not known of its patches is to be embedded.
    fn begin(&mut self, ReadImage { place, image, pixels, hold }: ReadImage) -> Pending {
        let image = match self.checked(place, image) {
            Ok(image) => Some(Arc::new(image)),
            Err(error) => return Pending::unreadable(place, error),
        };
        let KnownCells { has, vectors, .. } = self.known_cells(place);
        let cells: Vec<u32> = (0..has.len()).filter(|cell| !has[*cell]).map(|cell| cell as u32).collect();
        self.reused_patches += has.len() - cells.len();
        Pending { place, image: Ok(image), hold: Some(hold), pixels, cells, taken: 0, fresh: 0, vectors }
    }

    /// What is known of an image. Where a bank turned out to be damaged it holds nothing from then on: another reader is to
    /// begin, which does not leave its images out.
    fn known_cells(&mut self, place: usize) -> KnownCells {
        let banks = self.known.banks();
        let cells = self.known.of_image(&self.plan.spec, &self.plan.images[place]);
        if self.known.banks() != banks {
            self.images = None;
        }
        cells
    }

    /// An image whose vectors are all known, without reading it; `None` if they turn out not to be: it is read after all.
    fn take_over(&mut self, place: usize) -> Option<Pending> {
        let KnownCells { has, vectors, pixels } = self.known_cells(place);
        if has.contains(&false) {
            // Another reader, which does not leave it out.
            self.to_be_read.insert(place);
            self.images = None;
            return None;
        }
        self.reused_images += 1;
        self.reused_patches += has.len();
        Some(Pending {
            place,
            image: Ok(None),
            hold: None,
            pixels,
            cells: vec![],
            taken: 0,
            fresh: 0,
            vectors,
        })
    }

    /// Gives each waiting image the vectors of the cells that were taken from it.
    fn distribute(&mut self, vectors: &[Vec<f32>]) {
        let mut row = 0;
        for pending in &mut self.pending {
            row = pending.keep(vectors, &self.plan.spec.spaces, row);
        }
    }

    /// An image must have the size that its place in the bank was planned for.
    fn checked(&self, place: usize, image: anyhow::Result<Image>) -> anyhow::Result<Image> {
        let image = image?;
        let ImageEntry { height, width, .. } = self.plan.images[place];
        ensure!(
            (image.height(), image.width()) == (height, width),
            "it is {} x {} pixels now, and was {height} x {width} when the data set was opened",
            image.height(),
            image.width()
        );
        Ok(image)
    }

    fn push(&mut self, complete: Pending, sink: &mut dyn BankSink) -> anyhow::Result<()> {
        let clock = Instant::now();
        match complete.image {
            Ok(_) => {
                let names = self.plan.spec.spaces.iter().map(|space| space.name.as_str());
                let rows: Vec<(&str, &[f32])> =
                    names.zip(complete.vectors.iter().map(Vec::as_slice)).collect();
                sink.push_hashed(complete.place, complete.pixels, &rows)?;
            }
            Err(error) => {
                let reason = format!("{error:#}");
                sink.push_skipped(complete.place, &reason)?;
                let file = self.plan.images[complete.place].name.clone();
                self.skipped.push(Skipped { file, reason });
            }
        }
        self.done += 1;
        self.times.writing += clock.elapsed().as_secs_f64();
        Ok(())
    }

    /// Where the time went so far.
    pub fn times(&self) -> EmbedSeconds {
        EmbedSeconds { decoding: self.decoding.seconds(), ..self.times }
    }

    /// Since it began.
    pub fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        Progress {
            what: "embedding",
            done: (self.resumed + self.done) as u64,
            total: self.plan.images.len() as u64,
            resumed: (self.resumed + self.reused_images) as u64,
            unit: "images",
            elapsed: self.started.elapsed(),
        }
    }

    /// Patches embedded per second of this run; `None` before the first.
    pub fn patches_per_second(&self) -> Option<f64> {
        let secs = self.started.elapsed().as_secs_f64();
        (self.patches > 0 && secs > 0.0).then(|| self.patches as f64 / secs)
    }

    /// Patches embedded in this run.
    pub fn patches(&self) -> usize {
        self.patches
    }

    /// Patches that needed no embedding, since they were known.
    pub fn reused_patches(&self) -> usize {
        self.reused_patches
    }

    /// Images that could not be read in this run, with the reason.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// What is being extracted.
    pub fn plan(&self) -> &ExtractPlan {
        &self.plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bank::{Bank, BankWriter, Dtype};
    use crate::dataset::{Split, open};
    use crate::model::{Space, store};
    use crate::patch::PatchGrid;
    use crate::progress::CancelToken;
    use burn::tensor::Device;
    use std::path::Path;

    /// A bank of so many images beside what is `known`, and how many patches of it were embedded.
    fn embedded(folder: &Path, images: usize, known: Vec<Bank>) -> (Bank, usize) {
        let data: Arc<dyn Dataset> = open("demo", Some(Split::Test)).unwrap();
        let device = Device::flex();
        let embedder = Embedder::new(store::open(&"demo".into(), &device).unwrap(), &device);
        let grid = PatchGrid::new(32, 16).unwrap();
        let plan = ExtractPlan::new(&embedder, data.as_ref(), Some(images), grid, &[Space::H], Dtype::F16);
        let plan = plan.unwrap();
        let writer = BankWriter::create_or_resume(folder, &plan.spec, &plan.images, &CancelToken::default());
        let mut writer = writer.unwrap().0;
        let mut extraction = Extraction::of(plan, data, (0..images).collect(), Known::of(known)).unwrap();
        while !extraction.is_finished() {
            extraction.advance(&embedder, &mut writer, 64).unwrap();
        }
        writer.finish().unwrap();
        (Bank::open(folder).unwrap(), extraction.patches())
    }

    #[test]
    fn where_one_of_two_known_banks_is_damaged_the_rest_is_embedded() {
        let temp = tempfile::tempdir().unwrap();
        let [many, few, all] = ["many", "few", "all"].map(|name| temp.path().join(name));
        let (whole, count) = embedded(&many, 8, vec![]);
        assert_eq!(count, 8 * 9);
        let (few, count) = embedded(&few, 4, vec![whole.clone()]);
        assert_eq!(count, 0);
        // A byte of the second image that both have: the other supplies it, and the four that only this one had are embedded.
        let second = whole.rows_of_image(few.images()[1].index as usize).unwrap().start;
        let path = many.join("h.f16");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[2 * second * whole.width("h").unwrap() + 9] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let (again, count) = embedded(&all, 8, vec![Bank::open(&many).unwrap(), few]);
        assert_eq!((again.searchable(), count), (8 * 9, 4 * 9));
    }
}
