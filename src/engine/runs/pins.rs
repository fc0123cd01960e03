//! Pinned patches: their heatmaps and nearest patches, computed again and again with the model as
//! it is then, in small pieces between training steps and within a fixed part of the time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::Rng;

use crate::analysis::heatmap::cosine_map;
use crate::augment::view_rng;
use crate::embed::{Embedder, PatchSource};
use crate::engine::ask::{Gallery, Neighbour, Pin, PinView, PinsView};
use crate::engine::look::maps::ImageMaps;
use crate::engine::look::spaces;
use crate::engine::runs::held_out_images::HeldOutImages;
use crate::image::Image;
use crate::model::Space;
use crate::patch::{PatchGrid, PatchRef};
use crate::search::Relation;

/// Part of the training time that pinned patches may take; drawing them takes the rest of 5 %.
const SHARE: f64 = 0.01;
/// Time that they may take besides, so that the first minutes, when most changes, are seen.
const HEAD_START: Duration = Duration::from_secs(1);
/// What the pass of a run that pauses or ends may take.
const CATCH_UP: Duration = Duration::from_secs(2);
/// Patches that are embedded between two training steps, at least.
const PIECE: usize = 128;
/// Images whose patches are the neighbours to choose from, and patches of each.
const POOL_IMAGES: usize = 128;
const PATCHES_PER_IMAGE: usize = 4;
/// Neighbours that are shown of a pinned patch.
const NEIGHBOURS: usize = 8;
/// Pins that a run begins with.
const DEFAULT_PINS: usize = 3;
/// Cells along a side of a pin's heatmap, at most.
const CELLS: u32 = 9;
/// Tells the stream that places patches from those of training.
const STREAM: u64 = u64::MAX - 1;

/// What neighbours are chosen from: patches of images that training does not see, where there are such.
struct PatchPool {
    source: HeldOutImages,
    /// How many images the patches are of.
    images: usize,
    patches: Vec<PoolPatch>,
}

struct PoolPatch {
    image: Arc<Image>,
    at: PatchRef,
}

/// The pins and the pass that is going on.
pub struct PinnedPatches {
    pins: Vec<Pin>,
    pool: Option<PatchPool>,
    pass: Option<PinsPass>,
    shown: Option<Arc<PinsView>>,
    /// Time that passes took, and what the next piece will take.
    spent: Duration,
    piece: Duration,
    /// Whether it was said in this run that a pass could not be made, and what is still to be said.
    is_told: bool,
    untold: Option<String>,
}

/// All pins seen by the model of one step. The weights are a copy, so that nothing mixes.
struct PinsPass {
    step: u64,
    embedder: Embedder,
    pins: Vec<PinProgress>,
    /// Vectors of the pool's patches so far, for each space.
    pool: Vec<(Space, usize, Vec<f32>)>,
}

struct PinProgress {
    pin: Pin,
    /// Its vector in each space.
    vectors: Vec<Vec<f32>>,
    maps: ImageMaps,
}

impl PinnedPatches {
    /// No pins, no pool.
    pub fn new() -> Self {
        Self {
            pins: vec![],
            pool: None,
            pass: None,
            shown: None,
            spent: Duration::ZERO,
            piece: Duration::ZERO,
            is_told: false,
            untold: None,
        }
    }

    /// For a new run: chooses what neighbours are taken from and, where nothing is pinned yet, pins a few.
    pub fn begin(&mut self, held_out: HeldOutImages, patch: u32) {
        self.pass = None;
        self.shown = None;
        self.spent = Duration::ZERO;
        self.is_told = false;
        let pool = PatchPool::new(held_out, patch);
        if self.pins.is_empty() {
            self.pins = pool.default_pins(patch);
        }
        self.pool = Some(pool);
    }

    /// Watches a patch.
    pub fn pin(&mut self, pin: Pin) {
        self.pins.retain(|other| other.id != pin.id);
        self.pins.push(pin);
        self.pass = None;
    }

    /// Watches it no more.
    pub fn unpin(&mut self, id: u64) {
        self.pins.retain(|pin| pin.id != id);
        if let Some(shown) = &self.shown {
            let mut view = (**shown).clone();
            view.pins.retain(|pin| pin.pin.id != id);
            self.shown = Some(Arc::new(view));
        }
        self.pass = None;
    }

    /// The newest finished pass, or the first one as far as it is.
    pub fn shown(&self) -> Option<Arc<PinsView>> {
        self.shown.clone()
    }

    /// Part of `trained` that passes took.
    pub fn share(&self, trained: Duration) -> f64 {
        let all = (trained + self.spent).as_secs_f64();
        if all > 0.0 { self.spent.as_secs_f64() / all } else { 0.0 }
    }

    /// One piece of the pass, if its time has come after `trained` of training. `embedder` gives
    /// the model as it is now. Returns whether there is something new to see.
    pub fn advance(&mut self, step: u64, trained: Duration, embedder: impl FnOnce() -> Embedder) -> bool {
        let budget = trained.mul_f64(SHARE) + HEAD_START;
        if self.pins.is_empty() || self.pool.is_none() || self.spent + self.piece / 2 > budget {
            return false;
        }
        let clock = Instant::now();
        let is_new = self.pass.is_none() && self.shown.as_ref().is_none_or(|shown| shown.step != step);
        if is_new {
            self.begin_pass(step, embedder());
        }
        let changed = self.piece();
        self.piece = clock.elapsed();
        self.spent += self.piece;
        changed
    }

    /// The whole pass of the model of `step`, which stays for a while: a run that pauses or ends shows its last
    /// model. Given up where it takes too long.
    pub fn catch_up(&mut self, step: u64, embedder: impl FnOnce() -> Embedder) {
        let is_shown = self.pass.is_none() && self.shown.as_ref().is_some_and(|shown| shown.step == step);
        if self.pins.is_empty() || self.pool.is_none() || is_shown {
            return;
        }
        let clock = Instant::now();
        if self.pass.as_ref().is_none_or(|pass| pass.step != step) {
            self.begin_pass(step, embedder());
        }
        while self.pass.is_some() && clock.elapsed() < CATCH_UP {
            self.piece();
        }
        self.spent += clock.elapsed();
    }

    fn begin_pass(&mut self, step: u64, embedder: Embedder) {
        match PinsPass::begin(step, embedder, &self.pins) {
            Ok(pass) => self.pass = Some(pass),
            Err(error) => self.give_up(&error),
        }
    }

    /// The pass ends without a result; the first time that is told.
    fn give_up(&mut self, error: &anyhow::Error) {
        self.pass = None;
        let words = || format!("the pinned patches are left out: {error:#}");
        if !std::mem::replace(&mut self.is_told, true) {
            self.untold = Some(words());
        }
    }

    /// What nobody was told yet.
    pub fn take_warning(&mut self) -> Option<String> {
        self.untold.take()
    }

    fn piece(&mut self) -> bool {
        let (Some(pass), Some(pool)) = (&mut self.pass, &self.pool) else { return false };
        if let Err(error) = pass.piece(pool) {
            self.give_up(&error);
            return false;
        }
        let is_done = pass.is_done(pool);
        // Later passes take the place of the last one as a whole: nothing flickers.
        if is_done || self.shown.is_none() || self.shown.as_ref().is_some_and(|shown| shown.step == pass.step)
        {
            self.shown = Some(Arc::new(pass.view(pool)));
        }
        if is_done {
            self.pass = None;
        }
        true
    }
}

impl PinsPass {
    fn begin(step: u64, embedder: Embedder, pins: &[Pin]) -> anyhow::Result<Self> {
        let shown = spaces::usual(&embedder.info);
        let spaces: Vec<(Space, usize)> = embedder.info.spaces().into_iter().rev().collect();
        let names: Vec<Space> = spaces.iter().map(|(space, _)| *space).collect();
        let pins = pins.iter().map(|pin| {
            let source = PatchSource { image: pin.image.clone(), y: pin.patch.y, x: pin.patch.x };
            let vectors = embedder.patches(&[source], pin.patch.size, &names)?;
            let maps =
                ImageMaps::new(&embedder, pin.patch.image as usize, pin.image.clone(), grid(pin), &shown);
            anyhow::Ok(PinProgress { pin: pin.clone(), vectors, maps })
        });
        let pins = pins.collect::<anyhow::Result<_>>()?;
        let pool = spaces.into_iter().map(|(space, width)| (space, width, vec![])).collect();
        Ok(Self { step, embedder, pins, pool })
    }

    /// Patches of the pool that are embedded.
    fn known(&self) -> usize {
        self.pool.first().map_or(0, |(_, width, vectors)| vectors.len() / width)
    }

    fn is_done(&self, pool: &PatchPool) -> bool {
        self.pins.iter().all(|pin| pin.maps.is_complete()) && self.known() == pool.patches.len()
    }

    /// The next few patches: heatmaps first, then the pool.
    fn piece(&mut self, pool: &PatchPool) -> anyhow::Result<()> {
        if let Some(pin) = self.pins.iter_mut().find(|pin| !pin.maps.is_complete()) {
            return pin.maps.refine(&self.embedder, PIECE);
        }
        let first = self.known();
        let next = &pool.patches[first..(first + PIECE).min(pool.patches.len())];
        let Some(size) = next.first().map(|patch| patch.at.size) else { return Ok(()) };
        let source =
            |patch: &PoolPatch| PatchSource { image: patch.image.clone(), y: patch.at.y, x: patch.at.x };
        let sources: Vec<PatchSource> = next.iter().map(source).collect();
        let spaces: Vec<Space> = self.pool.iter().map(|(space, ..)| *space).collect();
        let vectors = self.embedder.patches(&sources, size, &spaces)?;
        for ((.., all), new) in self.pool.iter_mut().zip(vectors) {
            all.extend(new);
        }
        Ok(())
    }

    fn view(&self, pool: &PatchPool) -> PinsView {
        let pin = |pass: &PinProgress| PinView {
            pin: pass.pin.clone(),
            maps: pass.maps.heatmaps(&pass.vectors),
            galleries: self.galleries(pass, pool),
        };
        PinsView {
            step: self.step,
            pins: self.pins.iter().map(pin).collect(),
            patches: self.known(),
            images: pool.images,
            images_total: pool.source.count(),
            data: pool.source.data.name(),
            held_out: pool.source.kept_from_training,
        }
    }

    /// The nearest patches of the pool in each space, none from the pin's own picture.
    fn galleries(&self, pass: &PinProgress, pool: &PatchPool) -> Vec<Gallery> {
        let gallery = |((space, _, all), query): (&(Space, usize, Vec<f32>), &Vec<f32>)| {
            let clock = Instant::now();
            let mut order: Vec<(f32, usize)> = cosine_map(query, all)
                .into_iter()
                .zip(0..)
                .filter(|(_, row)| !is_same(&pool.patches[*row], &pass.pin))
                .collect();
            let candidates = order.len();
            order.sort_by(|a, b| b.0.total_cmp(&a.0));
            order.truncate(NEIGHBOURS);
            let neighbours = order.into_iter().map(|(cosine, row)| pool.neighbour(row, cosine)).collect();
            Gallery {
                space: space.to_string(),
                milliseconds: 1e3 * clock.elapsed().as_secs_f64(),
                recall: None,
                searched: candidates,
                candidates,
                neighbours,
            }
        };
        if self.known() == 0 {
            return vec![];
        }
        self.pool.iter().zip(&pass.vectors).map(gallery).collect()
    }
}

fn is_same(patch: &PoolPatch, pin: &Pin) -> bool {
    Arc::ptr_eq(&patch.image, &pin.image) || *patch.image == *pin.image
}

/// The grid of a pin's heatmap: at most [`CELLS`] along a side.
fn grid(pin: &Pin) -> PatchGrid {
    let side = pin.image.height().max(pin.image.width());
    PatchGrid { patch: pin.patch.size, stride: (side - pin.patch.size).div_ceil(CELLS - 1).max(1) }
}

impl PatchPool {
    /// Patches of images that are spread evenly over `source`.
    fn new(source: HeldOutImages, patch: u32) -> Self {
        let chosen = source.spread(POOL_IMAGES);
        let mut pool = Self { source, images: 0, patches: vec![] };
        chosen.into_iter().for_each(|index| pool.add(index, patch));
        pool
    }

    /// Patches at random places of one image; none if it cannot be read or is too small.
    fn add(&mut self, index: usize, size: u32) {
        let Ok(image) = self.source.data.image(index) else { return };
        let image = Arc::new(image);
        let (height, width) = (image.height(), image.width());
        if size > height.min(width) {
            return;
        }
        self.images += 1;
        let mut rng = view_rng(0, index as u64, STREAM, 0);
        for _ in 0..PATCHES_PER_IMAGE {
            let (y, x) = (rng.random_range(0..=height - size), rng.random_range(0..=width - size));
            let at = PatchRef { image: index as u32, y, x, size };
            self.patches.push(PoolPatch { image: image.clone(), at });
        }
    }

    fn class(&self, index: usize) -> Option<String> {
        self.source
            .data
            .label(index)
            .and_then(|label| self.source.data.classes().get(label as usize).cloned())
    }

    fn neighbour(&self, row: usize, cosine: f32) -> Neighbour {
        let PoolPatch { image, at } = &self.patches[row];
        let index = at.image as usize;
        Neighbour {
            patch: *at,
            cosine,
            in_other_spaces: vec![],
            relation: Relation::OtherImage,
            class: self.class(index),
            image_name: self.source.data.image_name(index),
            copies: 1,
            copy_names: vec![],
            pixels: Arc::new(image.crop(at.y, at.x, at.size, at.size)),
            is_readable: true,
        }
    }

    /// The centres of a few images, of different classes where there are classes.
    fn default_pins(&self, size: u32) -> Vec<Pin> {
        let mut seen = vec![];
        let mut pins = vec![];
        for PoolPatch { image, at } in self.patches.iter().step_by(PATCHES_PER_IMAGE) {
            let class = self.class(at.image as usize);
            if pins.len() == DEFAULT_PINS {
                break;
            }
            if class.is_some() && seen.contains(&class) {
                continue;
            }
            let (y, x) = ((image.height() - size) / 2, (image.width() - size) / 2);
            let name = match &class {
                Some(class) => format!("image {} \u{b7} {class}", at.image),
                None => format!("image {}", at.image),
            };
            let patch = PatchRef { y, x, ..*at };
            pins.push(Pin { id: PIN_IDS - pins.len() as u64, name, image: image.clone(), patch });
            seen.push(class);
        }
        pins
    }
}

/// Numbers of pins that nobody chose count down from here, those of the window up from 0.
const PIN_IDS: u64 = u64::MAX;

impl Default for PinnedPatches {
    fn default() -> Self {
        Self::new()
    }
}
