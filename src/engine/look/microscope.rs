//! The same point of an image at several patch sizes: for each size its own maps, filled in together from
//! coarse to fine.

use std::sync::Arc;

use crate::embed::{BATCH, Embedder, PatchSource};
use crate::engine::ask::{
    Heatmap, MOST_SIZES, MicroscopeLevel, MicroscopeView, PatchSpace, RestOfImage, defaults,
};
use crate::engine::look::maps::ImageMaps;
use crate::engine::look::spaces;
use crate::image::Image;
use crate::patch::{PatchGrid, PatchRef};

/// What the microscope looks at.
pub struct MicroscopeTarget<'a> {
    pub image_index: usize,
    pub image: &'a Arc<Image>,
    /// Those on show.
    pub spaces: &'a [PatchSpace],
    pub query: Option<PatchRef>,
    /// The maps of the image on show: where they have the grid of a size, it begins with what they know.
    pub maps: Option<&'a ImageMaps>,
}

/// All sizes.
pub struct Microscope {
    /// As asked for; none: those that suit the image.
    pub sizes: Vec<u32>,
    image_index: usize,
    levels: Vec<Level>,
    left_out: Vec<u32>,
}

/// One size.
struct Level {
    image: Arc<Image>,
    maps: ImageMaps,
    query: Option<PatchRef>,
    /// The query's vector in each space, once it is embedded.
    vectors: Option<Vec<Vec<f32>>>,
    shown: Arc<MicroscopeLevel>,
}

impl Microscope {
    /// Nothing to look at yet.
    pub fn new(sizes: Vec<u32>) -> Self {
        Self { sizes, image_index: 0, levels: vec![], left_out: vec![] }
    }

    /// Drops what is known: the model or the data set is another one.
    pub fn forget(&mut self) {
        self.levels.clear();
    }

    /// Looks at `target`. Vectors of the same image stay.
    pub fn aim(&mut self, embedder: &Embedder, target: &MicroscopeTarget<'_>) {
        let arranged = |levels: &mut [Level]| levels.iter_mut().all(|l| l.maps.arrange(target.spaces));
        let is_same = self.image_index == target.image_index && !self.levels.is_empty();
        if !is_same || !arranged(&mut self.levels) {
            self.start(embedder, target);
        }
        for level in &mut self.levels {
            level.aim(target);
        }
    }

    fn start(&mut self, embedder: &Embedder, target: &MicroscopeTarget<'_>) {
        let (height, width) = (target.image.height(), target.image.width());
        let mut sizes = self.sizes.clone();
        if sizes.is_empty() {
            sizes = defaults::microscope_sizes(height.min(width));
        }
        sizes.truncate(MOST_SIZES);
        let (fitting, left_out) = sizes.into_iter().partition(|size| (1..=height.min(width)).contains(size));
        self.image_index = target.image_index;
        self.left_out = left_out;
        self.levels = Vec::into_iter(fitting).map(|size| Level::new(embedder, target, size)).collect();
    }

    /// Whether there is nothing left to embed.
    pub fn is_complete(&self) -> bool {
        self.levels.iter().all(|level| level.is_complete())
    }

    /// One unit of work: the query at a size that lacks it, else the next cells of the size of which the
    /// least is known.
    ///
    /// # Errors
    /// The network gives values that are not finite; all sizes are given up.
    pub fn refine(&mut self, embedder: &Embedder) -> anyhow::Result<()> {
        self.try_refine(embedder).inspect_err(|_| self.levels.clear())
    }

    fn try_refine(&mut self, embedder: &Embedder) -> anyhow::Result<()> {
        if let Some(level) = self.levels.iter_mut().find(|level| level.lacks_query()) {
            return level.embed_query(embedder);
        }
        let share = |level: &&mut Level| level.maps.known() as f64 / level.maps.cells() as f64;
        let behind = self.levels.iter_mut().filter(|level| !level.maps.is_complete());
        if let Some(level) = behind.min_by(|a, b| share(a).total_cmp(&share(b))) {
            level.maps.refine(embedder, embedder.turn(BATCH))?;
            level.show();
        }
        Ok(())
    }

    /// What there is to show.
    pub fn view(&self) -> MicroscopeView {
        MicroscopeView {
            image: self.image_index,
            levels: self.levels.iter().map(|level| level.shown.clone()).collect(),
            left_out: self.left_out.clone(),
        }
    }
}

impl Level {
    fn new(embedder: &Embedder, target: &MicroscopeTarget<'_>, size: u32) -> Self {
        let image = target.image.clone();
        let stride = defaults::map_stride(image.height().max(image.width()), size);
        let grid = PatchGrid { patch: size, stride };
        let known = target.maps.filter(|maps| maps.image_index == target.image_index && maps.grid == grid);
        let maps = known.cloned().filter(|maps| maps.spaces().eq(target.spaces.iter().copied()));
        let maps = maps.unwrap_or_else(|| {
            ImageMaps::new(embedder, target.image_index, image.clone(), grid, target.spaces)
        });
        let shown = MicroscopeLevel {
            grid,
            positions: maps.cells(),
            known: maps.known(),
            query: None,
            maps: vec![],
            rest: vec![],
        };
        Self { image, maps, query: None, vectors: None, shown: Arc::new(shown) }
    }

    fn is_complete(&self) -> bool {
        !self.lacks_query() && self.maps.is_complete()
    }

    fn lacks_query(&self) -> bool {
        self.query.is_some() && self.vectors.is_none()
    }

    /// Makes the patch of this size about the query's centre the query. The maps of the one before stay
    /// on show until it is embedded.
    fn aim(&mut self, target: &MicroscopeTarget<'_>) {
        let query = target.query.map(|query| {
            query.about_same_centre(self.maps.grid.patch, self.image.height(), self.image.width())
        });
        let spaces = target.spaces.iter().map(|space| space.to_string());
        let has_spaces = self.shown.maps.iter().map(|map| map.space.clone()).eq(spaces);
        if query == self.query && (has_spaces || query.is_none()) {
            return;
        }
        self.query = query;
        self.vectors = None;
        let mut shown = MicroscopeLevel { query, ..(*self.shown).clone() };
        if query.is_none() {
            (shown.maps, shown.rest) = (vec![], vec![]);
        }
        self.shown = Arc::new(shown);
    }

    fn embed_query(&mut self, embedder: &Embedder) -> anyhow::Result<()> {
        let Some(PatchRef { y, x, size, .. }) = self.query else { return Ok(()) };
        let source = PatchSource { image: self.image.clone(), y, x };
        let spaces: Vec<PatchSpace> = self.maps.spaces().collect();
        self.vectors = Some(spaces::vectors(embedder, &[source], size, &spaces)?);
        if self.maps.known() == 0 {
            self.maps.refine(embedder, embedder.turn(BATCH))?;
        }
        self.show();
        Ok(())
    }

    /// Brings what is shown up to date.
    fn show(&mut self) {
        let maps = self.vectors.as_ref().map_or_else(Vec::new, |vectors| self.maps.heatmaps(vectors));
        let rest = self
            .query
            .map_or_else(Vec::new, |query| maps.iter().map(|map| RestOfImage::of(map, query)).collect());
        self.shown = Arc::new(MicroscopeLevel {
            grid: self.maps.grid,
            positions: self.maps.cells(),
            known: self.maps.known(),
            query: self.query,
            maps,
            rest,
        });
    }
}

impl RestOfImage {
    /// Of the known values of `map` without that at the place of `query`.
    fn of(map: &Heatmap, query: PatchRef) -> Self {
        let is_query = |cell: usize| map.grid.corner(cell, map.cols) == (query.y, query.x);
        let others =
            map.values.iter().enumerate().filter(|(cell, value)| !value.is_nan() && !is_query(*cell));
        let (mut patches, mut sum, mut squares) = (0, 0.0, 0.0);
        for value in others.map(|(_, value)| f64::from(*value)) {
            patches += 1;
            sum += value;
            squares += value * value;
        }
        let mean = sum / f64::from(patches);
        let deviation = (squares / f64::from(patches) - mean * mean).max(0.0).sqrt();
        Self { patches: patches as usize, mean: mean as f32, deviation: deviation as f32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_an_image_leaves_out_the_query_and_what_is_not_known() {
        let values = Arc::new(vec![1.0, 0.5, f32::NAN, -0.5, 0.3, f32::NAN]);
        let grid = PatchGrid { patch: 8, stride: 4 };
        let map = Heatmap {
            space: "z".into(),
            grid,
            rows: 2,
            cols: 3,
            values: values.clone(),
            shown: values,
            lengths: None,
        };
        let query = PatchRef { image: 0, y: 0, x: 0, size: 8 };
        let rest = RestOfImage::of(&map, query);
        assert_eq!((rest.patches, rest.mean), (3, 0.1));
        let expected = ((0.16 + 0.36 + 0.04) / 3.0_f32).sqrt();
        assert!((rest.deviation - expected).abs() < 1e-6, "{}", rest.deviation);
        // Between the places of the grid, all of them are the rest.
        assert_eq!(RestOfImage::of(&map, PatchRef { x: 2, ..query }).patches, 4);
        let alone = Heatmap { rows: 1, cols: 1, values: Arc::new(vec![1.0]), ..map };
        let rest = RestOfImage::of(&alone, query);
        assert!(rest.patches == 0 && rest.mean.is_nan());
    }
}
