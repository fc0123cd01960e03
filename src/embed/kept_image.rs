//! The vectors of all patches of one image, the one on show, kept as those that galleries search are: in a bank of that
//! image alone, in float32, so that its maps come out again to the bit.

use super::known::{Known, KnownCells};
use super::plan::ExtractPlan;
use crate::bank::{BankSink, BankSpec, BankWriter, Dtype, ImageEntry, VectorCache};
use crate::dataset::Dataset;
use crate::patch::PatchGrid;
use crate::progress::CancelToken;
use crate::tiles::ImageTiles;

/// The place of such a bank in the cache.
pub struct ImageShelf {
    cache: VectorCache,
    spec: BankSpec,
    image: ImageEntry,
}

impl ImageShelf {
    /// Of the patches on `grid` of image `index` of `data`, in `spaces`, embedded as `plan` embeds them, this image in
    /// `tiles`; `None` where it does not embed all of these, or none of its patches fits on the image.
    pub fn new(
        cache: &VectorCache,
        plan: &ExtractPlan,
        (data, index): (&dyn Dataset, usize),
        (grid, tiles): (PatchGrid, Option<ImageTiles>),
        spaces: &[String],
    ) -> Option<Self> {
        let image = plan.of_image(data, index).ok()?.images.pop()?;
        let planned = |name: &String| plan.spec.spaces.iter().find(|space| space.name == *name).cloned();
        let mut spec = plan.spec.clone();
        // Those of the plan are of its own images, of which all may be smaller, or others larger.
        (spec.grid, spec.dtype, spec.tiles) = (grid, Dtype::F32, tiles);
        spec.spaces = spaces.iter().map(planned).collect::<Option<_>>()?;
        spec.data.limit = Some(1);
        (grid.patch == plan.spec.grid.patch).then(|| Self { cache: cache.clone(), spec, image })
    }

    /// What is kept of them, if anything is: of other positions those that are among these. What is damaged is not kept.
    pub fn find(&self) -> Option<KnownCells> {
        let bank = self.cache.find_image(&self.spec, self.image.index)?;
        let cells = Known::of(vec![bank]).of_image(&self.spec, &self.image);
        cells.has.contains(&true).then_some(cells)
    }

    /// Keeps `vectors`, `[patches, width]` for each space, in place of what was kept of these patches.
    ///
    /// # Errors
    /// The disk has little left or fails; they take more than all that is kept may; another process keeps them.
    pub fn keep(&self, vectors: &[Vec<f32>]) -> anyhow::Result<()> {
        let Some(place) = self.cache.place_of_image(&self.spec, self.image.index) else { return Ok(()) };
        let images = [self.image.clone()];
        self.cache.ensure_room(self.spec.bytes(&images)?)?;
        self.cache.discard(&place);
        let (mut writer, _) =
            BankWriter::create_or_resume(&place, &self.spec, &images, &CancelToken::default())?;
        let names = self.spec.spaces.iter().map(|space| space.name.as_str());
        let rows: Vec<(&str, &[f32])> = names.zip(vectors.iter().map(Vec::as_slice)).collect();
        writer.push_image(0, &rows)?;
        writer.finish()?;
        self.cache.trim(&place);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Split, open};
    use crate::embed::Embedder;
    use crate::model::{Space, store};
    use burn::tensor::Device;

    #[test]
    fn an_images_vectors_are_found_again_at_positions_that_are_known() {
        let folder = tempfile::tempdir().unwrap();
        let cache = VectorCache::new(folder.path().join("vectors"), u64::MAX).leaving(0);
        let data = open("demo", Some(Split::Test)).unwrap();
        let device = Device::flex();
        let embedder = Embedder::new(store::open(&"demo".into(), &device).unwrap(), &device);
        let grid = |stride: u32| PatchGrid::new(16, stride).unwrap();
        let spaces = [Space::H, Space::Z];
        // The galleries' plan is on another grid, of other images.
        let plan = ExtractPlan::new(&embedder, data.as_ref(), Some(3), grid(7), &spaces, Dtype::F16).unwrap();
        let tiled = |index: usize, stride: u32, tiles: Option<ImageTiles>, spaces: &[&str]| {
            let spaces: Vec<String> = spaces.iter().map(|space| (*space).into()).collect();
            ImageShelf::new(&cache, &plan, (data.as_ref(), index), (grid(stride), tiles), &spaces)
        };
        let shelf = |index: usize, stride: u32, spaces: &[&str]| tiled(index, stride, None, spaces);
        let here = shelf(5, 8, &["z", "h"]).unwrap();
        assert!(here.find().is_none(), "nothing yet");
        let (height, width) = data.dimensions(5);
        let count = grid(8).len(height, width);
        let values = |by: f32| (0..count * 128).map(|at| by * at as f32).collect::<Vec<f32>>();
        let widths: Vec<u32> = here.spec.spaces.iter().map(|space| space.width).collect();
        let vectors = [widths[0], widths[1]].map(|width| values(0.1)[..count * width as usize].to_vec());
        here.keep(&vectors).unwrap();
        let found = shelf(5, 8, &["z", "h"]).unwrap().find().unwrap();
        assert!(found.has.iter().all(|has| *has) && found.vectors == vectors, "to the bit");
        assert!(shelf(5, 8, &["h"]).unwrap().find().is_some_and(|found| found.vectors[0] == vectors[1]));
        assert!(shelf(5, 16, &["h"]).unwrap().find().unwrap().has.iter().all(|has| *has));
        let finer = shelf(5, 4, &["h"]).unwrap().find().unwrap();
        assert_eq!(finer.has.iter().filter(|has| **has).count(), count, "the rest is embedded");
        assert!(shelf(6, 8, &["h"]).unwrap().find().is_none(), "another image");
        let tiles = Some(ImageTiles { side: 32, overlap: 8 });
        assert!(tiled(5, 8, tiles, &["h"]).unwrap().find().is_none(), "it went through otherwise");
        assert!(shelf(5, 8, &["stage3"]).is_none(), "nobody embeds it");
        assert!(cache.find(&plan.spec).is_empty(), "galleries do not look through such banks");
        // Other positions lie beside them, the same in other spaces in their place; what is damaged is not kept.
        let one = shelf(5, 12, &["h"]).unwrap();
        let rows = |by: f32| vec![by; one.spec.grid.len(height, width) * widths[1] as usize];
        one.keep(&[rows(1.0)]).unwrap();
        assert!(here.find().is_some() && one.find().is_some() && cache.usage().banks == 2);
        one.keep(&[rows(2.0)]).unwrap();
        assert!(one.find().unwrap().vectors == [rows(2.0)] && cache.usage().banks == 2);
        let file = cache.place_of_image(&one.spec, 5).unwrap().join("h.f32");
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[40] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        assert!(one.find().is_none());
    }
}
