//! Vectors of all images of a split, for several aggregates at once: every patch goes through the
//! network once and counts in each mean that it belongs to.

use std::sync::Arc;

use anyhow::{Context, ensure};

use super::aggregate::{self, Aggregate, LOCAL_GRID};
use super::cache::Shard;
use super::plan::{FeaturePlan, mean_counts};
use super::values::{FeatureValues, GatheredValues};
use crate::augment::{self, Crop, CropBox, ViewConfig, ViewParams, view_rng};
use crate::dataset::{Dataset, Skipped};
use crate::embed::{ChangedView, CropSource, PatchSource};
use crate::image::Image;
use crate::model::Space;

/// Feature vectors of labelled images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// `[images, width]`, row-major, un-normalised.
    pub values: FeatureValues,
    /// Values of a vector.
    pub width: usize,
    /// Class of each row.
    pub labels: Vec<u32>,
}

/// Feature vectors that are being gathered.
pub(super) struct GatheredFeatures {
    pub values: GatheredValues,
    pub width: usize,
    pub labels: Vec<u32>,
}

impl GatheredFeatures {
    /// None yet, of `width` values (0: what the first ones have).
    pub fn new(values: GatheredValues, width: usize) -> Self {
        Self { values, width, labels: vec![] }
    }

    /// All of them.
    ///
    /// # Errors
    /// A file that cannot be written or mapped.
    pub fn finish(self) -> anyhow::Result<Features> {
        Ok(Features { values: self.values.finish()?, width: self.width, labels: self.labels })
    }
}

/// An image that vectors are made of.
pub(super) struct UsableImage {
    /// Of the image in its data set.
    pub index: usize,
    /// As it is: what is of the whole image is taken from it.
    pub whole: Arc<Image>,
    /// What patches and crops are cut from.
    pub cut: Arc<Image>,
}

/// A crop of an image, and what decides how it is changed.
struct Draw {
    image: Arc<Image>,
    crop: CropBox,
    /// Of the image in its data set.
    index: usize,
    /// Of the crop among those of its image.
    number: usize,
}

/// The vectors of one split.
pub struct SplitFeatures {
    /// One for each aggregate of the plan, all of the same images.
    pub tables: Vec<Features>,
    /// Images that could not be used, and why.
    pub skipped: Vec<Skipped>,
}

impl FeaturePlan<'_> {
    /// An image that can be read, has a label and is large enough.
    pub(super) fn usable(&self, data: &dyn Dataset, index: usize) -> anyhow::Result<UsableImage> {
        data.label(index).context("it has no label")?;
        let whole = Arc::new(data.image(index)?);
        let resize = self.embedder.info.resize;
        // Without a size it is the image itself, not a copy, so that its maps are found again.
        let cut = self.fit.map_or_else(|| whole.clone(), |side| Arc::new(augment::fit(&whole, side, resize)));
        // Whatever the aggregates: all tables, cached ones too, hold the same images.
        if let Some(crop) = self.crop {
            aggregate::crops(crop, (cut.height(), cut.width()), index, 1, self.seed)?;
        }
        Ok(UsableImage { index, whole, cut })
    }

    /// Bytes of a usable image of `(height, width)`, with what patches are cut from.
    pub(super) fn image_bytes(&self, size: (u32, u32)) -> u64 {
        decoded_bytes(size) + self.fit.map_or(0, |side| decoded_bytes((side, side)))
    }

    /// `[images, width]` for each aggregate.
    pub(super) fn embed(
        &self,
        images: &[UsableImage],
        aggregates: &[Aggregate],
    ) -> anyhow::Result<Vec<Vec<f32>>> {
        let counts = mean_counts(aggregates);
        let mut means = self.means(images, &counts)?.into_iter();
        let whole: Vec<Arc<Image>> = images.iter().map(|image| image.whole.clone()).collect();
        let of = |aggregate: &Aggregate| match aggregate {
            Aggregate::Central => Ok(self.embedder.centrals(&whole, &[self.space])?.remove(0)),
            Aggregate::Mean(_) => means.next().context("a mean for each count"),
            Aggregate::LocalPatches => self.local_patches(images),
            Aggregate::LocalMap => self.local_map(&whole),
        };
        aggregates.iter().map(of).collect()
    }

    /// For each count, the mean over the first so many crops of each image.
    ///
    /// # Shapes
    /// - output i: `[images, width]`
    fn means(&self, images: &[UsableImage], counts: &[usize]) -> anyhow::Result<Vec<Vec<f32>>> {
        let (Some(&most), Some(crop)) = (counts.iter().max(), self.crop) else { return Ok(vec![]) };
        let mut sources = vec![];
        let mut ends = vec![];
        for UsableImage { index, cut, .. } in images {
            let crops = aggregate::crops(crop, (cut.height(), cut.width()), *index, most, self.seed)?;
            let numbered = crops.into_iter().enumerate();
            sources.extend(numbered.map(|(number, crop)| Draw {
                image: cut.clone(),
                crop,
                index: *index,
                number,
            }));
            ends.push(sources.len());
        }
        let vectors = self.crop_vectors(crop, sources)?;
        let width = self.width();
        let mut means = vec![Vec::with_capacity(images.len() * width); counts.len()];
        let mut start = 0;
        for end in ends {
            let rows = &vectors[start * width..end * width];
            let counts = counts.iter().map(|&count| count.min(end - start));
            for (all, count) in means.iter_mut().zip(counts) {
                all.extend(mean_of_rows(&rows[..count * width], width));
            }
            start = end;
        }
        Ok(means)
    }

    fn crop_vectors(&self, crop: Crop, sources: Vec<Draw>) -> anyhow::Result<Vec<f32>> {
        let spaces = [self.space];
        let mut vectors = match crop {
            _ if !self.views.is_empty() => {
                let views = sources.into_iter().map(|draw| self.changed(crop, draw));
                self.embedder.views(&views.collect::<anyhow::Result<Vec<_>>>()?, &spaces)?
            }
            // Patches of one size share their resizing weights.
            Crop::Fixed { size } => {
                let patch = |Draw { image, crop, .. }| PatchSource { image, y: crop.y, x: crop.x };
                let sources: Vec<PatchSource> = sources.into_iter().map(patch).collect();
                self.embedder.patches(&sources, size, &spaces)?
            }
            Crop::Scale { .. } => {
                let cut = |Draw { image, crop, .. }| CropSource { image, crop };
                let sources: Vec<CropSource> = sources.into_iter().map(cut).collect();
                self.embedder.crops(&sources, &spaces)?
            }
        };
        Ok(vectors.remove(0))
    }

    /// The same crop, changed as one of the training views.
    fn changed(&self, rule: Crop, draw: Draw) -> anyhow::Result<ChangedView> {
        let Draw { image, crop, index, number } = draw;
        let view = &self.views[number % self.views.len()];
        let mut rng = view_rng(self.seed, 2, index as u64, number as u64);
        let view = ViewConfig { crop: rule, ..view.clone() };
        let drawn = view.sample(&mut rng, image.height(), image.width())?;
        Ok(ChangedView { view: ViewParams { crop, ..drawn }, image })
    }

    /// # Shapes
    /// - output: `[images, width of h * 2 * 2]`
    fn local_patches(&self, images: &[UsableImage]) -> anyhow::Result<Vec<f32>> {
        let mut sources = vec![];
        for UsableImage { cut, .. } in images {
            let (rows, cols) = LOCAL_GRID.shape(cut.height(), cut.width());
            sources.extend((0..rows * cols).map(|cell| {
                let (y, x) = LOCAL_GRID.corner(cell, cols);
                PatchSource { image: cut.clone(), y, x }
            }));
        }
        let vectors = self.embedder.patches(&sources, LOCAL_GRID.patch, &[Space::H])?.remove(0);
        let width = self.embedder.info.backbone.h_width();
        let pooled = vectors.chunks_exact(25 * width).flat_map(|grid| {
            aggregate::pool_and_flatten((width, 5, 5), |channel, row, col| {
                grid[(5 * row + col) * width + channel]
            })
        });
        Ok(pooled.collect())
    }

    /// # Shapes
    /// - output: `[images, width of h * pooled rows * pooled cols]`
    fn local_map(&self, images: &[Arc<Image>]) -> anyhow::Result<Vec<f32>> {
        if images.is_empty() {
            return Ok(vec![]);
        }
        let maps = self.embedder.central_maps(images)?;
        let (rows, cols) = (maps.rows, maps.cols);
        ensure!(
            rows >= 3 && cols >= 3,
            "the last feature map is {rows} x {cols}; pooling over 3 x 3 needs at least that (5 x 5 with \
             --stem-padding 2 and an input of 32)"
        );
        let pooled = maps.values.chunks_exact(maps.channels * rows * cols).flat_map(|map| {
            aggregate::pool_and_flatten((maps.channels, rows, cols), |channel, row, col| {
                map[(channel * rows + row) * cols + col]
            })
        });
        Ok(pooled.collect())
    }
}

/// Bytes of an image of `(height, width)` once it is decoded.
fn decoded_bytes((height, width): (u32, u32)) -> u64 {
    3 * u64::from(height) * u64::from(width)
}

/// Mean over the rows of `[rows, width]`, summed in float64.
pub(super) fn mean_of_rows(rows: &[f32], width: usize) -> impl Iterator<Item = f32> {
    let mut sums = vec![0.0f64; width];
    for row in rows.chunks_exact(width) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    let count = (rows.len() / width) as f64;
    sums.into_iter().map(move |sum| (sum / count) as f32)
}

/// Adds one shard of each aggregate to its table, which will have `images` rows at most.
pub(super) fn append(
    data: &dyn Dataset,
    tables: &mut [GatheredFeatures],
    skipped: &mut Vec<Skipped>,
    (shards, images): (Vec<Shard>, usize),
) -> anyhow::Result<()> {
    skipped.extend(shards.first().map(|shard| shard.skipped.clone()).unwrap_or_default());
    for (table, shard) in tables.iter_mut().zip(shards) {
        let fits = table.width == 0 || shard.images.is_empty() || table.width == shard.width;
        ensure!(fits, "vectors have {} values here and {} before", shard.width, table.width);
        table.width = table.width.max(shard.width);
        table.values.extend(&shard.values, images * table.width)?;
        let labels = shard.images.iter().map(|&image| data.label(image as usize).context("it has no label"));
        table.labels.extend(labels.collect::<anyhow::Result<Vec<u32>>>()?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{self, Split};
    use crate::device::{self, DeviceChoice};
    use crate::embed::Embedder;
    use crate::model::store;

    #[test]
    fn what_is_of_the_whole_image_is_the_same_wherever_patches_are_cut_from() {
        let device = device::open(DeviceChoice::Cpu).unwrap().device;
        let embedder = Embedder::new(store::open(&"demo".into(), &device).unwrap(), &device);
        let data = dataset::open("demo", Some(Split::Test)).unwrap();
        let aggregates = [Aggregate::Central, Aggregate::Mean(2)];
        let vectors = |fit| {
            let plan = FeaturePlan {
                embedder: &embedder,
                aggregates: &aggregates,
                crop: Some(Crop::Fixed { size: 20 }),
                fit,
                seed: 0,
                space: Space::H,
                views: &[],
            };
            let images: Vec<UsableImage> =
                (0..3).map(|index| plan.usable(data.as_ref(), index).unwrap()).collect();
            let sides = images.iter().map(|image| image.cut.height()).max();
            (plan.embed(&images, &aggregates).unwrap(), sides)
        };
        let ((plain, whole), (fitted, cut)) = (vectors(None), vectors(Some(48)));
        assert_eq!((whole, cut), (Some(64), Some(48)));
        assert_eq!(fitted[0], plain[0], "central is of the image before it is fitted");
        assert_ne!(fitted[1], plain[1], "patches are of the image after it");
    }
}
