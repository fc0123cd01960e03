//! A bank in memory that grows while it is searched: the patches that galleries choose among.

use std::sync::Arc;
use std::time::Duration;

use crate::bank::{Bank, BankSink, Dtype, ImageEntry, MemoryBank, SpaceSpec, VectorCache};
use crate::dataset::{Dataset, Skipped};
use crate::embed::{self, Embedder, ExtractPlan, ImageShelf, KeepBoth, Keeper, Known};
use crate::engine::ask::{ExtractionView, MemoryUse, PatchSpace};
use crate::engine::look::guests::Guests;
use crate::engine::look::maps::ImageMaps;
use crate::engine::look::stored::StoredBank;
use crate::files;
use crate::model::Space;
use crate::patch::PatchGrid;
use crate::progress::Progress;
use crate::words::thousands;

const GIB: f64 = (1u64 << 30) as f64;

/// Which patches of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Reach {
    pub grid: PatchGrid,
    /// So many of its images, or all, spread over it and its classes.
    pub images: usize,
    pub spaces: Vec<PatchSpace>,
}

/// Vectors that need not be computed again.
#[derive(Clone, Copy, Default)]
pub struct Before<'a> {
    /// The bank that is open.
    pub stored: Option<&'a StoredBank>,
    /// Where vectors are kept from one time to the next.
    pub cache: Option<&'a VectorCache>,
}

/// The patches that galleries search, and the extraction that fills them in.
pub struct Growing {
    patches: Patches,
    paused: bool,
    /// The file that could not be read: it is read again when somebody says so.
    stopped: Option<Arc<str>>,
    /// Memory that it takes once complete.
    pub bytes: u64,
    /// Images that could not be read; copied when the list has grown, not with every batch.
    skipped: Arc<Vec<Skipped>>,
    memory: MemoryUse,
}

/// Where the patches come from.
#[expect(clippy::large_enum_variant, reason = "there is one, or one for each model that is compared")]
enum Patches {
    /// They are embedded one after the other, or taken over from banks on disk that hold them.
    Embedded {
        extraction: embed::Extraction,
        bank: MemoryBank,
        /// Writes them into the cache.
        keeper: Option<Keeper>,
        data: Arc<dyn Dataset>,
        guests: Guests,
    },
    /// All of them lie in a bank on disk, or come to lie there while `written_by` adds them.
    Stored { bank: Bank, written_by: Option<Arc<str>> },
}

impl Growing {
    /// Starts to read images; [`Growing::advance`] embeds their patches, but for those that are there from `before`.
    ///
    /// # Errors
    /// No patch fits on any image, or more than `most_bytes` would be needed.
    pub fn start(
        embedder: &Embedder,
        data: &Arc<dyn Dataset>,
        reach: &Reach,
        before: Before<'_>,
        most_bytes: u64,
    ) -> anyhow::Result<Self> {
        let mut plan = plan_of(embedder, data, reach)?;
        let known = known(before, &mut plan);
        let bytes = plan.spec.bytes(&plan.images)?;
        anyhow::ensure!(
            bytes <= most_bytes,
            "the vectors of {} patches would take {:.2} GiB of memory; expected at most {:.2} GiB: choose fewer \
             images, a larger search stride or fewer spaces, or give it more (--memory)",
            thousands(plan.patches()),
            bytes as f64 / GIB,
            most_bytes as f64 / GIB
        );
        let images = plan.images.len();
        let memory = MemoryUse { bytes, most_bytes, images, wanted_images: images, wanted_bytes: bytes };
        let bank = MemoryBank::new(plan.spec.clone(), plan.images.clone())?;
        let is_new = plan.images.iter().any(|image| !known.has_all(&plan.spec, image));
        let cache = before.cache.filter(|_| is_new);
        let keeper = cache.and_then(|cache| Keeper::start(cache.clone(), &plan, data));
        let extraction = embed::Extraction::of(plan, data.clone(), (0..images).collect(), known)?;
        let (data, guests) = (data.clone(), Guests::default());
        let patches = Patches::Embedded { extraction, bank, keeper, data, guests };
        Ok(Self { patches, paused: false, stopped: None, bytes, memory, skipped: Arc::default() })
    }

    /// As [`Growing::start`], with as many of the images as `most_bytes` has room for; what is shown says how many
    /// were wanted.
    ///
    /// # Errors
    /// As [`Growing::start`], where there is no room for a single image.
    pub fn start_within(
        embedder: &Embedder,
        data: &Arc<dyn Dataset>,
        reach: &Reach,
        before: Before<'_>,
        most_bytes: u64,
    ) -> anyhow::Result<Self> {
        let plan = plan_of(embedder, data, reach)?;
        let (wanted_images, wanted_bytes) = (plan.images.len(), plan.spec.bytes(&plan.images)?);
        let images = match images_within(&plan, wanted_bytes, most_bytes) {
            // Left to the error of `start`.
            0 => wanted_images,
            some => some,
        };
        let mut growing =
            Self::start(embedder, data, &Reach { images, ..reach.clone() }, before, most_bytes)?;
        growing.memory = MemoryUse { wanted_images, wanted_bytes, ..growing.memory };
        Ok(growing)
    }

    /// All that a bank on disk holds: there is nothing to embed, and nothing of it is kept in memory. While `written_by` adds
    /// to it, it is not finished, and another one takes its place as the bank grows.
    pub fn stored(bank: Bank, written_by: Option<Arc<str>>) -> anyhow::Result<Self> {
        let skipped = Arc::new(bank.skipped_files()?);
        let written_by = written_by.filter(|_| !bank.is_complete());
        let patches = Patches::Stored { bank, written_by };
        Ok(Self { patches, paused: false, stopped: None, bytes: 0, memory: MemoryUse::default(), skipped })
    }

    /// What is there by now.
    pub fn snapshot(&self) -> Bank {
        match &self.patches {
            Patches::Embedded { bank, .. } => bank.snapshot(),
            Patches::Stored { bank, .. } => bank.clone(),
        }
    }

    /// Images that are in the bank or skipped.
    pub fn images(&self) -> usize {
        match &self.patches {
            Patches::Embedded { bank, .. } => bank.next_image(),
            Patches::Stored { bank, .. } => bank.complete_images(),
        }
    }

    /// Images that will be.
    pub fn planned_images(&self) -> usize {
        match &self.patches {
            Patches::Embedded { extraction, .. } => extraction.plan().images.len(),
            Patches::Stored { bank, written_by: Some(_) } => bank.total_images(),
            Patches::Stored { bank, .. } => bank.complete_images(),
        }
    }

    /// Whether the images come in the order in which any other model embeds them, so that the first are the same ones.
    pub fn is_spread(&self) -> bool {
        match &self.patches {
            Patches::Embedded { .. } => true,
            Patches::Stored { bank, .. } => {
                let data = &bank.spec().data;
                data.order.is_some() && data.part.is_none()
            }
        }
    }

    /// Whether every image is there.
    pub fn is_finished(&self) -> bool {
        match &self.patches {
            Patches::Embedded { extraction, .. } => extraction.is_finished(),
            Patches::Stored { written_by, .. } => written_by.is_none(),
        }
    }

    /// The process that adds what is missing, for people, if that is not this one.
    fn written_by(&self) -> Option<Arc<str>> {
        match &self.patches {
            Patches::Embedded { .. } => None,
            Patches::Stored { written_by, .. } => written_by.clone(),
        }
    }

    /// Whether its patches lie in a bank on disk.
    pub fn is_stored(&self) -> bool {
        matches!(self.patches, Patches::Stored { .. })
    }

    /// Whether there is something to embed.
    pub fn has_work(&self) -> bool {
        let grows = !self.is_stored() && !self.paused && self.stopped.is_none() && !self.is_finished();
        grows || !self.are_guests_settled()
    }

    /// Whether everything that was asked for is embedded.
    pub fn is_settled(&self) -> bool {
        self.is_finished() && self.are_guests_settled()
    }

    fn are_guests_settled(&self) -> bool {
        match &self.patches {
            Patches::Embedded { guests, .. } => guests.are_settled(),
            Patches::Stored { .. } => true,
        }
    }

    /// Sees to it that these images of a query can be searched, though they may not be of the sample. Where there is a bank
    /// on disk alone, what is not in it is not.
    pub fn invite(&mut self, images: &[u32]) {
        if let Patches::Embedded { extraction, bank, data, guests, .. } = &mut self.patches {
            guests.invite(extraction.plan(), data, bank, images);
        }
    }

    /// What is in the bank now, and those of `images` that are guests beside it.
    ///
    /// # Errors
    /// As [`MemoryBank::snapshot_with`].
    pub fn bank_with(&self, images: &[u32]) -> anyhow::Result<Bank> {
        match &self.patches {
            Patches::Embedded { bank, guests, .. } => guests.beside(bank, images),
            Patches::Stored { bank, .. } => Ok(bank.clone()),
        }
    }

    /// Pauses, or goes on: where a file could not be read, with that file.
    pub fn pause(&mut self, paused: bool) {
        self.paused = paused;
        self.stopped = None;
    }

    /// Why it stopped, where a file could not be read.
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// Embeds the next batch, or takes over the next images that are known.
    ///
    /// # Errors
    /// A file that could not be read: it is stopped, with what is embedded so far. What else goes wrong ends it.
    pub fn advance(&mut self, embedder: &Embedder) -> anyhow::Result<()> {
        let Patches::Embedded { extraction, bank, keeper, guests, .. } = &mut self.patches else {
            return Ok(());
        };
        if !guests.are_settled() {
            guests.advance(embedder);
            return Ok(());
        }
        let mut both = KeepBoth { bank, keeper: keeper.as_mut() };
        extraction.advance(embedder, &mut both, embedder.turn(embed::BATCH)).inspect_err(|error| {
            if files::is_read_error(error) {
                self.stopped = Some(format!("{error:#}").into());
            }
        })?;
        if let Some(keeper) = keeper.as_mut().filter(|_| extraction.is_finished()) {
            keeper.close();
        }
        if self.skipped.len() != extraction.skipped().len() {
            self.skipped = Arc::new(extraction.skipped().to_vec());
        }
        Ok(())
    }

    /// Whether the bank holds every one of `spaces`.
    pub fn has_spaces(&self, spaces: &[PatchSpace]) -> bool {
        let spec = match &self.patches {
            Patches::Embedded { extraction, .. } => &extraction.plan().spec,
            Patches::Stored { bank, .. } => bank.spec(),
        };
        let has = |name: &str| spec.spaces.iter().any(|space| space.name == name);
        spaces.iter().all(|space| has(&space.to_string()))
    }

    /// Where `cache` keeps the vectors of `maps`, of `embedder`; nowhere where such are not embedded.
    pub fn shelf(&self, cache: &VectorCache, maps: &ImageMaps, embedder: &Embedder) -> Option<ImageShelf> {
        let Patches::Embedded { extraction, data, .. } = &self.patches else { return None };
        let names: Vec<String> = maps.spaces().map(|space| space.to_string()).collect();
        let cut = (maps.grid, maps.tiles(embedder).map(|tiles| tiles.choice.tiles));
        ImageShelf::new(cache, extraction.plan(), (data.as_ref(), maps.image_index), cut, &names)
    }

    /// How far it is, as it is shown.
    pub fn shown(&self) -> ExtractionView {
        let (progress, patches, kept_patches, patches_per_second, copies) = match &self.patches {
            Patches::Embedded { extraction, bank, .. } => {
                let kept = extraction.reused_patches();
                let patches = (extraction.patches() + kept, extraction.plan().patches());
                (extraction.progress(), patches, kept, extraction.patches_per_second(), bank.copies())
            }
            Patches::Stored { bank, .. } => {
                let images = bank.complete_images() as u64;
                let progress = Progress {
                    what: "embedding",
                    done: images,
                    total: self.planned_images() as u64,
                    resumed: images,
                    unit: "images",
                    elapsed: Duration::ZERO,
                };
                let copies = if bank.knows_copies() { bank.copies().unwrap_or(0) } else { 0 };
                let there = bank.searchable();
                let all = if self.is_finished() { there } else { bank.total_searchable() };
                (progress, (there, all), there, None, copies)
            }
        };
        ExtractionView {
            progress,
            patches,
            kept_patches,
            patches_per_second,
            skipped: self.skipped.clone(),
            copies,
            paused: self.paused,
            stopped: self.stopped.clone(),
            finished: self.is_finished(),
            written_by: self.written_by(),
            memory: self.memory,
        }
    }
}

/// What is there from before of the patches of `plan`. It keeps vectors as the bank that is open does, so that they stay what
/// they are.
fn known(before: Before<'_>, plan: &mut ExtractPlan) -> Known {
    let has = |bank: &Bank, space: &SpaceSpec| bank.spec().spaces.contains(space);
    let stored = before.stored.filter(|stored| {
        let is_of_patches = stored.grid().patch == plan.spec.grid.patch;
        stored.is_of_model && is_of_patches && plan.spec.spaces.iter().all(|space| has(&stored.bank, space))
    });
    if let Some(stored) = stored {
        plan.spec.dtype = stored.bank.spec().dtype;
    }
    let kept = before.cache.map_or_else(Vec::new, |cache| cache.find(&plan.spec));
    Known::of(stored.map(|stored| stored.bank.clone()).into_iter().chain(kept).collect())
}

fn plan_of(embedder: &Embedder, data: &Arc<dyn Dataset>, reach: &Reach) -> anyhow::Result<ExtractPlan> {
    let network = reach.spaces.iter().filter_map(|space| match space {
        PatchSpace::Network(space) => Some(*space),
        PatchSpace::Pixels => None,
    });
    let network: Vec<Space> = network.collect();
    let mut plan =
        ExtractPlan::new(embedder, data.as_ref(), Some(reach.images), reach.grid, &network, Dtype::F16)?;
    if reach.spaces.contains(&PatchSpace::Pixels) {
        plan = plan.with_pixels();
    }
    Ok(plan)
}

/// How many of the images, in the order of the plan, fit into `most_bytes`, where all of them take `bytes`; 0 where those that
/// fit have no patch.
fn images_within(plan: &ExtractPlan, bytes: u64, most_bytes: u64) -> usize {
    let patch_bytes = (bytes / plan.patches().max(1) as u64).max(1);
    let room = (most_bytes / patch_bytes) as usize;
    let mut patches = 0;
    let fits = |image: &&ImageEntry| {
        patches += plan.spec.grid.len(image.height, image.width);
        patches <= room
    };
    let images = plan.images.iter().take_while(fits).count();
    if plan.images[..images].iter().all(|image| plan.spec.grid.len(image.height, image.width) == 0) {
        return 0;
    }
    images
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::parts::{Parts, write_image_folder};
    use crate::dataset::{Split, open};
    use crate::model::store;
    use crate::progress::CancelToken;
    use burn::tensor::Device;

    #[test]
    fn a_file_that_is_gone_stops_a_growing_gallery_and_is_read_once_it_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let picture = |index: u32| folder.path().join(format!("{index}.png"));
        for index in 0..6 {
            image::RgbImage::from_pixel(32, 32, image::Rgb([40 * index as u8, 9, 200]))
                .save(picture(index))
                .unwrap();
        }
        let data = open(folder.path().to_str().unwrap(), None).unwrap();
        let device = Device::flex();
        let embedder = Embedder::new(store::open(&"demo".into(), &device).unwrap(), &device);
        let grid = PatchGrid::new(16, 8).unwrap();
        let reach = Reach { grid, images: 6, spaces: vec!["h".parse().unwrap()] };
        std::fs::rename(picture(3), folder.path().join("away")).unwrap();
        let mut growing = Growing::start(&embedder, &data, &reach, Before::default(), u64::MAX).unwrap();
        let to_end = |growing: &mut Growing| {
            let mut last = Ok(());
            while growing.has_work() {
                last = growing.advance(&embedder);
            }
            last
        };
        let error = format!("{:#}", to_end(&mut growing).unwrap_err());
        assert!(error.contains("3.png could not be read"), "{error}");
        let shown = growing.shown();
        assert_eq!(shown.stopped.as_deref(), Some(error.as_str()));
        assert!(!shown.finished && shown.skipped.is_empty());
        let before = growing.images();
        let spread = crate::dataset::spread(data.as_ref(), 6, crate::dataset::SPREAD_SEED);
        assert_eq!(spread[before], 3, "all before it are there");
        growing.pause(false);
        assert!(to_end(&mut growing).is_err() && growing.images() == before, "it is gone still");
        std::fs::rename(folder.path().join("away"), picture(3)).unwrap();
        growing.pause(false);
        to_end(&mut growing).unwrap();
        let bank = growing.snapshot();
        assert!(growing.stopped().is_none() && bank.is_complete() && bank.skipped().is_empty());
        assert_eq!(bank.space("h").unwrap().searchable(), 6 * 9);
    }

    #[test]
    fn a_querys_image_is_searched_though_it_is_not_of_the_sample() {
        let data = open("demo", Some(Split::Test)).unwrap();
        let device = Device::flex();
        let embedder = Embedder::new(store::open(&"demo".into(), &device).unwrap(), &device);
        let grid = PatchGrid::new(32, 32).unwrap();
        let reach = Reach { grid, images: 6, spaces: vec!["h".parse().unwrap()] };
        let sample = crate::dataset::spread(data.as_ref(), 6, crate::dataset::SPREAD_SEED);
        let outside = (0..).find(|image| !sample.contains(image)).unwrap();
        let mut growing = Growing::start(&embedder, &data, &reach, Before::default(), u64::MAX).unwrap();
        growing.invite(&[outside as u32, sample[5] as u32]);
        assert!(!growing.is_settled());
        // Before the sample, in as many turns as it takes.
        let guests = |growing: &Growing| {
            growing.bank_with(&[outside as u32, sample[5] as u32]).unwrap().guests().len()
        };
        while guests(&growing) < 2 {
            growing.advance(&embedder).unwrap();
            assert_eq!(growing.images(), 0);
        }
        let images = |bank: &Bank| bank.images().iter().map(|image| image.index as usize).collect::<Vec<_>>();
        let asked = [outside as u32, sample[5] as u32];
        let mut soon = images(&growing.bank_with(&asked).unwrap());
        soon.sort_unstable();
        assert_eq!(soon, [outside.min(sample[5]), outside.max(sample[5])]);
        while growing.has_work() {
            growing.advance(&embedder).unwrap();
        }
        assert!(growing.is_settled() && growing.shown().finished);
        assert_eq!(images(&growing.bank_with(&[]).unwrap()), sample, "the sample is what it was");
        let with = growing.bank_with(&asked).unwrap();
        assert_eq!(images(&with), [&sample[..], &[outside]].concat());
        let patch = with.patch_ref(with.rows_of_image(outside).unwrap().start + 3);
        let image = Arc::new(data.image(outside).unwrap());
        let source = embed::PatchSource { image, y: patch.y, x: patch.x };
        let expected = &embedder.patches(&[source], 32, &[Space::H]).unwrap()[0];
        let mut row = vec![0.0; expected.len()];
        with.row_f32("h", with.row_of(outside, patch.y, patch.x).unwrap(), &mut row).unwrap();
        assert!(row.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-3 * b.abs().max(1e-2)), "{row:?}");
    }

    #[test]
    fn what_was_embedded_is_not_embedded_again() {
        let place = tempfile::tempdir().unwrap();
        let cache = VectorCache::new(place.path().join("vectors"), u64::MAX).leaving(0);
        let data = open("demo", Some(Split::Test)).unwrap();
        let device = Device::flex();
        let embedder = Embedder::new(store::open(&"demo".into(), &device).unwrap(), &device);
        // Embeds, and returns the patches that were embedded and the bank.
        let grown = |stride: u32, images: usize, spaces: &[&str]| {
            let spaces = spaces.iter().map(|space| space.parse().unwrap()).collect();
            let reach = Reach { grid: PatchGrid::new(32, stride).unwrap(), images, spaces };
            let before = Before { stored: None, cache: Some(&cache) };
            let mut growing = Growing::start(&embedder, &data, &reach, before, u64::MAX).unwrap();
            while growing.has_work() {
                growing.advance(&embedder).unwrap();
            }
            let Patches::Embedded { extraction, .. } = &growing.patches else { unreachable!() };
            (extraction.patches(), growing.snapshot())
        };
        let rows = |bank: &Bank| {
            let space = bank.space("h").unwrap();
            let mut rows = vec![0.0; bank.patches() * space.width()];
            space.read_rows(0..bank.patches(), &mut rows).unwrap();
            rows
        };
        let (embedded, first) = grown(16, 6, &["h", "z"]);
        assert_eq!(embedded, 6 * 9);
        let (embedded, again) = grown(16, 6, &["h"]);
        assert_eq!((embedded, rows(&again)), (0, rows(&first)), "fewer spaces");
        assert_eq!(again.copies().unwrap(), first.copies().unwrap());
        assert_eq!(grown(32, 4, &["h", "z"]).0, 0, "fewer positions and images");
        assert_eq!(grown(8, 6, &["h"]).0, 6 * (25 - 9), "more positions");
        assert_eq!(grown(16, 8, &["h", "z"]).0, 2 * 9, "more images");
        assert_eq!(grown(16, 6, &["h", "z", "stage3"]).0, 6 * 9, "a new space");
        // A byte that is another one: the images of that bank are embedded again, and it is removed.
        let folders = || std::fs::read_dir(cache.folder()).unwrap().map(|entry| entry.unwrap().path());
        for folder in folders() {
            let path = folder.join("h.f16");
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[40] ^= 1;
            std::fs::write(&path, bytes).unwrap();
        }
        let (embedded, after) = grown(16, 6, &["h", "z"]);
        assert!(embedded > 0, "something is");
        assert_eq!(rows(&after), rows(&first));
        // What is there of another version, or no bank at all, is replaced: the next start finds something.
        for (old, new) in [("{", "no bank"), ("\"version\": 1,", "\"version\": 99,")] {
            for folder in folders() {
                let path = folder.join("bank.json");
                let text = std::fs::read_to_string(&path).unwrap();
                std::fs::write(&path, text.replacen(old, new, 1)).unwrap();
            }
            assert_eq!(grown(16, 6, &["h", "z"]).0, 6 * 9, "none of it can be read");
            assert_eq!(grown(16, 6, &["h", "z"]).0, 0, "it is kept again");
        }
        // Where one bank alone takes more than all may, it grows no further.
        let tight = VectorCache::new(place.path().join("tight"), 1);
        let reach =
            Reach { grid: PatchGrid::new(32, 32).unwrap(), images: 2, spaces: vec!["h".parse().unwrap()] };
        for embedded in [8, 8] {
            let before = Before { stored: None, cache: Some(&tight) };
            let mut growing = Growing::start(&embedder, &data, &reach, before, u64::MAX).unwrap();
            while growing.has_work() {
                growing.advance(&embedder).unwrap();
            }
            let Patches::Embedded { extraction, .. } = &growing.patches else { unreachable!() };
            assert_eq!(extraction.patches(), embedded);
        }
        std::fs::remove_dir_all(place.path()).unwrap();
        std::fs::write(place.path(), "no folder").unwrap();
        assert_eq!(grown(16, 2, &["h"]).0, 2 * 9, "a cache that cannot be is none");
    }

    /// A folder sorted by class, as image folders are: whatever is embedded holds each class's share within one image.
    #[test]
    fn a_growing_gallery_is_a_fair_sample_at_any_time() {
        let folder = tempfile::tempdir().unwrap();
        let parts = Parts::new(7, 60, 32, Split::Train).unwrap();
        write_image_folder(&parts, folder.path(), &CancelToken::default(), &mut |_| ()).unwrap();
        let data = open(folder.path().to_str().unwrap(), Some(Split::Train)).unwrap();
        let labels: Vec<u32> = (0..60).map(|index| data.label(index).unwrap()).collect();
        assert!(labels.is_sorted() && labels[59] == 9, "sorted by class");
        let device = Device::flex();
        let embedder = Embedder::new(store::open(&"demo".into(), &device).unwrap(), &device);
        let grid = PatchGrid::new(16, 4).unwrap();
        let reach = Reach { grid, images: 40, spaces: vec!["h".parse().unwrap()] };
        let mut growing = Growing::start(&embedder, &data, &reach, Before::default(), u64::MAX).unwrap();
        let mut steps = 0;
        while growing.has_work() {
            growing.advance(&embedder).unwrap();
            steps += 1;
            let bank = growing.snapshot();
            let mut counts = [0i32; 10];
            for image in bank.images() {
                assert_eq!(
                    image.label,
                    Some(labels[image.index as usize]),
                    "called by its index in the data set"
                );
                counts[image.label.unwrap() as usize] += 1;
            }
            let all = bank.images().len() as i32;
            assert!(counts.iter().all(|count| (10 * count - all).abs() <= 10), "{counts:?} of {all}");
        }
        assert!(steps > 3 && growing.images() == 40);
    }
}
