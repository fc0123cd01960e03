//! A bank on disk that is open beside the data set that it was made of: its rows are what is known already.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::ensure;

use crate::bank::{Bank, VectorCache};
use crate::embed::Embedder;
use crate::engine::ask::PatchSpace;
use crate::engine::look::bank_codes::BankCodes;
use crate::model::{ModelSpec, Overrides, Space};
use crate::patch::{BoxRef, PatchGrid, PatchRef};
use crate::search::Processor;
use crate::words::{name_list, thousands};

/// A bank that is open.
#[derive(Clone)]
pub struct StoredBank {
    pub bank: Bank,
    /// Its folder.
    pub folder: PathBuf,
    /// Its spaces that can be shown here.
    pub spaces: Vec<PatchSpace>,
    /// Whether the model that is open made it; without a model its rows are all that there is.
    pub is_of_model: bool,
    /// The process that is adding images to it, for people: they need not be embedded here.
    pub written_by: Option<Arc<str>>,
    /// Its codes.
    codes: BankCodes,
}

impl StoredBank {
    /// Its codes are those beside it, or those that are kept of it in `cache`.
    ///
    /// # Errors
    /// It holds nothing yet, or none of its spaces can be shown.
    pub fn new(bank: Bank, folder: PathBuf, cache: Option<&VectorCache>) -> anyhow::Result<Self> {
        let written_by: Option<Arc<str>> = bank.written_by().map(Arc::from);
        ensure!(
            bank.searchable() > 0,
            "{} holds no vector of its {} patches yet{}",
            folder.display(),
            thousands(bank.total_patches()),
            written_by
                .as_ref()
                .map_or_else(String::new, |who| format!("; {who} is writing it: open it again in a moment"))
        );
        let spaces: Vec<PatchSpace> = bank.spaces().filter_map(|name| name.parse().ok()).collect();
        let names: Vec<&str> = bank.spaces().collect();
        ensure!(
            !spaces.is_empty(),
            "the window shows spaces called like a model's (h, z, stage3, ...); {} has {}: import its vectors under such a \
             name (--space h), or search it by bagssl knn",
            folder.display(),
            name_list(&names)
        );
        Ok(Self { bank, folder, spaces, is_of_model: false, written_by, codes: BankCodes::new(cache) })
    }

    /// Looks for what the process that writes it has added. Returns whether there is more of it, or nobody to wait for.
    ///
    /// # Errors
    /// What lies there by now cannot be read, or is another bank: nobody is waited for any more.
    pub fn follow(&mut self) -> anyhow::Result<bool> {
        // Asked first: what is read after the writer has ended is all that it wrote.
        let writer = self.bank.written_by().map(Arc::from);
        let has_left = writer.is_none() && self.written_by.is_some();
        self.written_by = None;
        let newest = self.bank.at_newest_commit()?;
        let has_grown = newest.is_some();
        self.bank = newest.unwrap_or_else(|| self.bank.clone());
        self.written_by = writer.filter(|_| !self.bank.is_complete());
        Ok(has_grown || has_left)
    }

    /// What searches it by codes, in the spaces that have some by now.
    pub fn by_codes(&self) -> Option<Arc<Processor>> {
        self.codes.processor(&self.bank)
    }

    /// Whether the rows of `bank` are its own.
    pub fn is_whole_of(&self, bank: &Bank) -> bool {
        match (self.bank.far(), bank.far()) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            _ => bank.folder() == Some(self.folder.as_path()),
        }
    }

    /// Whether `embedder` gives the vectors that it holds.
    pub fn is_made_by(&self, embedder: &Embedder) -> bool {
        let (spec, info) = (self.bank.spec(), &embedder.info);
        spec.model.hash == embedder.hash
            && (spec.input, &spec.resize) == (info.input, &info.resize.to_string())
            && (spec.mean, spec.std) == (info.normalization.mean, info.normalization.std)
            && self.has_places_of(embedder)
    }

    /// Whether its places of feature maps, if it has any, are of whole images as `embedder` takes them: of that resolution,
    /// and in the same tiles.
    fn has_places_of(&self, embedder: &Embedder) -> bool {
        let is_place = |space: &PatchSpace| matches!(space, PatchSpace::Network(Space::Token(_)));
        let spec = self.bank.spec();
        let is_cut_alike = || match spec.tiles {
            Some(tiles) => embedder.tiles().tiles == tiles,
            None => embedder.tiles_among(self.bank.images()).is_none(),
        };
        !self.spaces.iter().any(is_place) || spec.resolution == embedder.resolution && is_cut_alike()
    }

    /// `spec`, a model that is noted with it, taking whole images in the tiles in which they went into the bank, whatever
    /// there is room for now.
    pub fn cut_alike(&self, spec: &ModelSpec) -> ModelSpec {
        let tiles = self.bank.spec().tiles.or(spec.overrides.tiles);
        ModelSpec { overrides: Overrides { tiles, ..spec.overrides.clone() }, ..spec.clone() }
    }

    /// Where its patches lie.
    pub fn grid(&self) -> PatchGrid {
        self.bank.spec().grid
    }

    /// Whether its rows are of patches on `grid` in each of `spaces`.
    pub fn has(&self, grid: PatchGrid, spaces: &[PatchSpace]) -> bool {
        self.grid() == grid && !spaces.is_empty() && spaces.iter().all(|space| self.spaces.contains(space))
    }

    /// Its first `wanted` images, or all where it has no more and there are no more to be had: without a model to embed the
    /// rest, while another process does so, or of a data set of so many images.
    pub fn first(&self, wanted: usize, of: usize) -> anyhow::Result<Option<Bank>> {
        let is_enough = !self.is_of_model || wanted.min(of) <= self.bank.complete_images();
        let is_to_come = self.written_by.is_some() && wanted.min(of) <= self.bank.total_images();
        (is_enough || is_to_come).then(|| self.bank.cut_to(wanted)).transpose()
    }

    /// Those of `names` that it has, in this order and each once; all if none is left.
    pub fn chosen(&self, names: &[String]) -> Vec<PatchSpace> {
        let mut chosen: Vec<PatchSpace> = vec![];
        for space in names.iter().filter_map(|name| name.parse().ok()) {
            if self.spaces.contains(&space) && !chosen.contains(&space) {
                chosen.push(space);
            }
        }
        if chosen.is_empty() { self.spaces.clone() } else { chosen }
    }

    /// A patch with a vector near the middle of the first image that has one.
    pub fn example(&self) -> Option<PatchRef> {
        let vector = |row: usize| self.vectors_of(self.bank.patch_ref(row).into(), &self.spaces).map(|_| row);
        let mut rows = (0..self.bank.complete_images()).map(|place| {
            let index = self.bank.images()[place].index as usize;
            self.bank.rows_of_image(index).unwrap_or_default()
        });
        let first = rows.find(|rows| rows.clone().any(|row| vector(row).is_some()))?;
        let cols = {
            let entry = self.bank.image_entry(self.bank.image_of_row(first.start) as usize).ok()?;
            self.grid().shape(entry.height, entry.width).1
        };
        // The middle row of patches, and of it the middle.
        let middle = first.start + first.len() / cols.max(1) / 2 * cols + cols / 2;
        let row = (middle..first.end).chain(first.start..middle).find_map(vector)?;
        Some(self.bank.patch_ref(row))
    }

    /// The vectors of a patch in each of `spaces`, if it holds it.
    pub fn vectors_of(&self, area: BoxRef, spaces: &[PatchSpace]) -> Option<Vec<Vec<f32>>> {
        let patch = area.patch().filter(|patch| patch.size == self.grid().patch)?;
        let row = self.bank.row_of(patch.image as usize, patch.y, patch.x).ok()?;
        let vector = |space: &PatchSpace| {
            let name = space.to_string();
            let mut vector = vec![0.0; self.bank.width(&name).ok()?];
            self.bank.row_f32(&name, row, &mut vector).ok()?;
            vector.iter().all(|value| value.is_finite()).then_some(vector)
        };
        spaces.iter().map(vector).collect()
    }

    /// The patch on its grid that is nearest to the middle of `area`, on an image of `height` x `width`.
    pub fn nearest(&self, area: BoxRef, height: u32, width: u32) -> Option<BoxRef> {
        let middle = |corner: u32, side: u32| corner as f32 + side as f32 / 2.0;
        let (x, y) = (middle(area.x, area.width), middle(area.y, area.height));
        let PatchGrid { patch, stride } = self.grid();
        let (row, col) = self.grid().nearest(x, y, height, width)?;
        let (y, x) = (row as u32 * stride, col as u32 * stride);
        Some(BoxRef { image: area.image, y, x, height: patch, width: patch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Split, open};
    use crate::engine::look::extraction::{Before, Growing, Reach};
    use crate::model::store;
    use burn::tensor::Device;

    #[test]
    fn vectors_of_places_are_a_models_at_their_resolution_alone() {
        let data = open("demo", Some(Split::Test)).unwrap();
        let device = Device::flex();
        let mut embedder = Embedder::new(store::open(&"demo".into(), &device).unwrap(), &device);
        let grid = PatchGrid::new(32, 32).unwrap();
        let stored = |embedder: &Embedder, space: &str| {
            let reach = Reach { grid, images: 1, spaces: vec![space.parse().unwrap()] };
            let mut growing = Growing::start(embedder, &data, &reach, Before::default(), u64::MAX).unwrap();
            while growing.has_work() {
                growing.advance(embedder).unwrap();
            }
            StoredBank::new(growing.snapshot(), PathBuf::from("bank"), None).unwrap()
        };
        let [crops, places] = ["h", "token-last"].map(|space| stored(&embedder, space));
        assert!(crops.is_made_by(&embedder) && places.is_made_by(&embedder));
        embedder.resolution = Some(96);
        assert!(crops.is_made_by(&embedder) && !places.is_made_by(&embedder));

        let example = places.example().unwrap();
        assert!(places.vectors_of(example.into(), &places.spaces).is_some());
        let beside = BoxRef { image: example.image, y: 30, x: 3, height: 20, width: 20 };
        let nearest = places.nearest(beside, 64, 64).unwrap();
        assert_eq!((nearest.y, nearest.x, nearest.height), (32, 0, 32));
    }
}
