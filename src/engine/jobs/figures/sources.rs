//! The images of Figures 4 and 6, and where they are asked about: told by the user or chosen by the seed.

use std::sync::Arc;

use anyhow::ensure;
use sha2::{Digest, Sha256};

use crate::augment;
use crate::bank::DataFacts;
use crate::dataset::{self, DataSpec, Dataset, DecodingFacts};
use crate::embed::Embedder;
use crate::engine::figures::compose::title_in;
use crate::engine::jobs::figures::choose;
use crate::engine::jobs::figures::request::{MapImages, MapSource};
use crate::files;
use crate::image::Image;
use crate::patch::PatchRef;

/// An image and a place on it that is asked about.
pub struct Place {
    pub index: u32,
    pub image: Arc<Image>,
    pub title: String,
    /// `(x, y)` of the query patch's centre, pixels; that is nearest to it.
    pub at: (f32, f32),
    /// Whether the user told that point.
    pub is_point: bool,
}

/// The data sets that the images are taken from: one, or one for each file.
pub struct Sources<'a> {
    images: &'a MapImages,
    pub sets: Vec<Arc<dyn Dataset>>,
}

impl<'a> Sources<'a> {
    pub fn open(images: &'a MapImages) -> anyhow::Result<Self> {
        let sets = match images {
            MapImages::Files { paths, .. } => paths.iter().map(open_file).collect::<anyhow::Result<_>>()?,
            MapImages::Data { data, split, .. } => vec![dataset::open(data, *split)?],
        };
        Ok(Self { images, sets })
    }

    /// The images and places that the source names, or that the seed chooses.
    pub fn places(&self, source: &MapSource, embedder: &Embedder, seed: u64) -> anyhow::Result<Vec<Place>> {
        match self.images {
            MapImages::Files { at, .. } => self.places_of_files(at, source, embedder, seed),
            MapImages::Data { queries, .. } => self.places_of_data(queries, source, embedder, seed),
        }
    }

    fn places_of_files(
        &self,
        at: &[(f32, f32)],
        source: &MapSource,
        embedder: &Embedder,
        seed: u64,
    ) -> anyhow::Result<Vec<Place>> {
        let count = self.sets.len();
        ensure!(
            at.len() <= 1 || at.len() == count,
            "--at is given {} times for {count} images; expected once for all, once for each, or not at all",
            at.len()
        );
        let place = |(index, set): (usize, &Arc<dyn Dataset>)| {
            let image = fitted(set.image(0)?, source.fit, embedder);
            let grid = source.grid(0, (image.height(), image.width()), &embedder.info)?;
            let told = at.get(index).or(at.first());
            let at = match told {
                Some(&place) => place,
                None => centre(choose::place(&image, index as u32, grid, seed, |_| true)?),
            };
            let title = if count == 1 { "image".to_owned() } else { format!("image {}", index + 1) };
            Ok(Place { index: index as u32, image: Arc::new(image), title, at, is_point: told.is_some() })
        };
        self.sets.iter().enumerate().map(place).collect()
    }

    fn places_of_data(
        &self,
        queries: &[(usize, u32, u32)],
        source: &MapSource,
        embedder: &Embedder,
        seed: u64,
    ) -> anyhow::Result<Vec<Place>> {
        let data = self.sets[0].as_ref();
        let patches = match queries {
            [] => {
                ensure!(
                    source.fit.is_none(),
                    "--fit changes where patches lie; expected --query with it, or --image FILE"
                );
                let grid = |height, width| source.grid(0, (height, width), &embedder.info).ok();
                choose::patches(data, (0..data.len()).collect(), (grid, |_| true), source.count, seed)?
            }
            _ => queries
                .iter()
                .map(|&query| self.patch_of_query(query, source, embedder))
                .collect::<anyhow::Result<_>>()?,
        };
        let place = |patch: PatchRef| {
            let index = patch.image as usize;
            let image = fitted(data.image(index)?, source.fit, embedder);
            let title = title_in(data, index);
            Ok(Place {
                index: patch.image,
                image: Arc::new(image),
                title,
                at: centre(patch),
                is_point: false,
            })
        };
        patches.into_iter().map(place).collect()
    }

    /// A query's patch; its corner must lie on the first grid.
    fn patch_of_query(
        &self,
        (index, y, x): (usize, u32, u32),
        source: &MapSource,
        embedder: &Embedder,
    ) -> anyhow::Result<PatchRef> {
        let data = self.sets[0].as_ref();
        ensure!(
            index < data.len(),
            "--query {index}:{y}:{x}: {} has {} images, 0 to {}",
            data.name(),
            data.len(),
            data.len() - 1
        );
        let (height, width) = match source.fit {
            Some(_) => {
                let image = fitted(data.image(index)?, source.fit, embedder);
                (image.height(), image.width())
            }
            None => data.dimensions(index),
        };
        let grid = source.grid(0, (height, width), &embedder.info)?;
        let patch = PatchRef { image: index as u32, y, x, size: grid.patch };
        let (near_x, near_y) = centre(patch);
        let nearest = grid.nearest(near_x, near_y, height, width);
        let nearest = nearest.map(|(row, col)| (row as u32 * grid.stride, col as u32 * grid.stride));
        ensure!(
            nearest == Some((y, x)),
            "--query {index}:{y}:{x}: no patch of {0} x {0} pixels has its corner there; image {index} is \
             {width} x {height} (width x height), corners lie every {1} pixels{2}",
            grid.patch,
            grid.stride,
            nearest.map_or(String::new(), |(y, x)| format!(", the nearest at {y}:{x}"))
        );
        Ok(patch)
    }

    /// What was looked at: the data set, or all files together.
    pub fn facts(&self) -> anyhow::Result<DataFacts> {
        let first = DataFacts::of(self.sets[0].as_ref())?;
        if self.sets.len() == 1 {
            return Ok(first);
        }
        let mut hash = Sha256::new();
        for set in &self.sets {
            hash.update(set.fingerprint()?);
        }
        let (kind, name) = ("images".to_owned(), format!("{} images", self.sets.len()));
        Ok(DataFacts {
            kind,
            name,
            fingerprint: files::hex(&hash.finalize()),
            split: None,
            mix: None,
            limit: None,
            decoding: self.sets.iter().map(|set| set.decoding()).fold(None, DecodingFacts::of_both),
            order: None,
            part: None,
        })
    }
}

fn open_file(file: &DataSpec) -> anyhow::Result<Arc<dyn Dataset>> {
    let data = dataset::open(file, None)?;
    ensure!(data.kind() == &dataset::folder::PICTURE, "{file} is no image file; a heatmap is of one image");
    Ok(data)
}

fn fitted(image: Image, fit: Option<u32>, embedder: &Embedder) -> Image {
    match fit {
        Some(side) => augment::fit(&image, side, embedder.info.resize),
        None => image,
    }
}

/// `(x, y)` of a patch's centre, pixels.
pub fn centre(patch: PatchRef) -> (f32, f32) {
    let middle = |corner: u32| corner as f32 + patch.size as f32 / 2.0;
    (middle(patch.x), middle(patch.y))
}
