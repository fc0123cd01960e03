//! Which vector belongs to which patch.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, ensure};
use sha2::{Digest, Sha256};

use super::names::{ImageNames, common_folder, split_of};
use super::table::{cells_of, entry, ranked};
use crate::bank::{
    BankSink, BankSpec, DataFacts, Dtype, ImageEntry, ModelFacts, PatchTable, SpaceSpec, VectorFile,
};
use crate::dataset::{DataSpec, Dataset, Decoding, SPREAD_SEED, Split, spread};
use crate::engine::ask::BankSource;
use crate::files;
use crate::memory;
use crate::patch::PatchGrid;
use crate::progress::CancelToken;
use crate::words::thousands;

/// What the vectors are of.
#[derive(Clone, Debug)]
pub enum ImportRows {
    /// All patches on a grid of all images of a data set, image by image, in each row by row.
    Grid {
        /// The data set.
        data: DataSpec,
        /// Which split of it.
        split: Option<Split>,
        /// Where the patches lie.
        grid: PatchGrid,
    },
    /// What a table says, in its order.
    Table {
        /// The table: CSV or Parquet.
        table: PathBuf,
        /// The data set of its images; none: the folder that they lie in.
        data: Option<DataSpec>,
        /// Which split; none: that of the table.
        split: Option<Split>,
        /// How the pictures of that folder are decoded, where there is no `data`.
        decoding: Decoding,
    },
}

/// Opens the data set of a table, with the index there of each of its images. Where nobody says of which split they are,
/// and they are not of the one that is opened unless told, their paths say it.
fn find_images(
    table: &PatchTable,
    path: &Path,
    spec: DataSpec,
    split: Option<Split>,
) -> anyhow::Result<(BankSource, Arc<dyn Dataset>, Vec<u32>)> {
    let source = BankSource { data: spec, split, limit: None };
    let data = source.open().context("the data set of its images; --data says where they lie")?;
    let (found, told) = {
        let names = ImageNames::of(data.as_ref(), &source.data, path);
        let found = names.indices(table);
        let may_be_others = found.is_err() && split.is_none() && data.split().is_some();
        (found, if may_be_others { names.split(table) } else { None })
    };
    match told.filter(|told| data.split() != Some(*told)) {
        Some(told) => find_images(table, path, source.data, Some(told)),
        None => Ok((source, data, found?)),
    }
}

/// Which vector belongs to which cell of which image of the bank.
pub struct ImportPlan {
    pub source: BankSource,
    pub data: Arc<dyn Dataset>,
    grid: PatchGrid,
    pub images: Vec<ImageEntry>,
    classes: Vec<String>,
    /// By place in the bank, cell, and row of the files, rising; `None`: every cell has a vector, in the bank's order.
    cells: Option<Vec<(u32, u32, u32)>>,
    /// Where there are no `cells`, by place: the first row of each image in the files.
    first_rows: Vec<usize>,
    /// What is kept of the data set: images lie in the order of [`spread`], so that those in front are a fair sample.
    facts: DataFacts,
}

impl ImportPlan {
    pub fn of(rows: &ImportRows, cancel: &CancelToken) -> anyhow::Result<Self> {
        match rows {
            ImportRows::Grid { data, split, grid } => Self::of_grid(data, *split, *grid),
            ImportRows::Table { table: path, data, split, decoding } => {
                let table = PatchTable::read(path, cancel)?;
                let plan = Self::of_table(&table, path, data.as_ref(), (*split, *decoding));
                plan.with_context(|| path.display().to_string())
            }
        }
    }

    fn of_grid(spec: &DataSpec, split: Option<Split>, grid: PatchGrid) -> anyhow::Result<Self> {
        let source = BankSource { data: spec.clone(), split, limit: None };
        let data = source.open()?;
        // Files have the images as the data set has them.
        let rows_before = (0..data.len()).scan(0usize, |rows, index| {
            let (height, width) = data.dimensions(index);
            Some(std::mem::replace(rows, rows.saturating_add(grid.len(height, width))))
        });
        let rows_before: Vec<usize> = rows_before.collect();
        let order = spread(data.as_ref(), data.len(), SPREAD_SEED);
        let images = order.iter().map(|index| entry(data.as_ref(), *index, data.label(*index))).collect();
        let first_rows = order.into_iter().map(|index| rows_before[index]).collect();
        let (classes, facts) = (data.classes().to_vec(), DataFacts::spread(data.as_ref(), None)?);
        Ok(Self { source, data, grid, images, classes, cells: None, first_rows, facts })
    }

    fn of_table(
        table: &PatchTable,
        path: &Path,
        data: Option<&DataSpec>,
        (split, decoding): (Option<Split>, Decoding),
    ) -> anyhow::Result<Self> {
        let grid = table.grid()?;
        let split = match split {
            Some(split) => Some(split),
            None => split_of(&table.images)?,
        };
        let spec = match data {
            Some(data) => data.clone(),
            None => DataSpec::Path(common_folder(table, path, split)?).decoded_as(decoding),
        };
        let (source, data, indices) = find_images(table, path, spec, split)?;
        let (labels, classes) = table.labels()?;
        let is_labelled = !data.classes().is_empty();
        for (image, (index, label)) in table.images.iter().zip(indices.iter().zip(&labels)) {
            let known = data.label(*index as usize);
            ensure!(
                !is_labelled || image.label.is_none() || image.class.is_none() || *label == known,
                "row {} gives {} label {}; the data set gives it {}",
                image.first_row,
                data.image_name(*index as usize),
                label.map_or("none".into(), |label| label.to_string()),
                known.map_or("none".into(), |label| label.to_string())
            );
        }
        let (ranks, places) = ranked(data.as_ref(), &indices);
        let image = |&(index, at): &(usize, usize)| {
            entry(data.as_ref(), index, if is_labelled { data.label(index) } else { labels[at] })
        };
        let images: Vec<ImageEntry> = ranks.iter().map(image).collect();
        let cells = Some(cells_of(table, grid, &places, &images)?);
        let classes = if is_labelled { data.classes().to_vec() } else { classes };
        // The first of the spread are what `embed` would have taken.
        let first = spread(data.as_ref(), images.len(), SPREAD_SEED);
        let facts = match first.iter().zip(&images).all(|(index, image)| *index == image.index as usize) {
            true => DataFacts::spread(data.as_ref(), Some(images.len()))?,
            false => DataFacts::of(data.as_ref())?,
        };
        Ok(Self { source, data, grid, images, classes, cells, first_rows: vec![], facts })
    }

    /// A row of vectors for each patch.
    pub fn check_rows(&self, file: &VectorFile) -> anyhow::Result<()> {
        let (path, rows) = (file.path().display(), file.rows());
        if let Some(cells) = &self.cells {
            ensure!(
                rows == cells.len(),
                "{path} has {} vectors; expected {}, one for each row of the table",
                thousands(rows),
                thousands(cells.len())
            );
            return Ok(());
        }
        let patches = (0..self.images.len()).map(|place| self.count(place)).fold(0, usize::saturating_add);
        let PatchGrid { patch, stride } = self.grid;
        let each = match self.data.size() {
            Some((height, width)) => {
                let (down, across) = self.grid.shape(height, width);
                format!(" x {down} x {across} corners on {width} x {height} pixels")
            }
            None => " of different sizes, with all corners on each".to_owned(),
        };
        ensure!(
            rows == patches,
            "{path} has {} vectors; expected {}: {} images of {}{each} (patch {patch}, stride {stride}), image by image, row by \
             row of its patches, the values of each side by side",
            thousands(rows),
            thousands(patches),
            thousands(self.images.len()),
            self.data.name()
        );
        Ok(())
    }

    /// Patches of the image in `place`.
    fn count(&self, place: usize) -> usize {
        self.grid.len(self.images[place].height, self.images[place].width)
    }

    pub fn spec(
        &self,
        files: &mut [VectorFile],
        spaces: &[String],
        dtype: Dtype,
        cancel: &CancelToken,
    ) -> anyhow::Result<BankSpec> {
        let mut hash = Sha256::new();
        for row in self.cells.iter().flatten() {
            hash.update(bytemuck::bytes_of(&[row.0, row.1, row.2]));
        }
        files.iter_mut().try_for_each(|file| file.hash(&mut hash, cancel))?;
        let space = |(name, file): (&String, &VectorFile)| {
            let width = u32::try_from(file.width())
                .with_context(|| format!("{}: too wide", file.path().display()))?;
            Ok(SpaceSpec { name: name.clone(), width })
        };
        Ok(BankSpec {
            program: concat!("bagssl ", env!("CARGO_PKG_VERSION")).into(),
            model: ModelFacts::imported(files::hex(&hash.finalize())),
            data: self.facts.clone(),
            grid: self.grid,
            input: self.grid.patch,
            resize: "none".into(),
            resolution: None,
            tiles: None,
            mean: [0.0; 3],
            std: [1.0; 3],
            dtype,
            spaces: spaces.iter().zip(files.iter()).map(space).collect::<anyhow::Result<_>>()?,
            classes: self.classes.clone(),
        })
    }

    /// The vectors of an image are there at once, as they come and as they are written.
    pub fn ensure_rows_fit(&self, spec: &BankSpec) -> anyhow::Result<()> {
        let width: u64 = spec.spaces.iter().map(|space| u64::from(space.width)).sum();
        let most = (0..self.images.len()).map(|place| self.count(place)).max().unwrap_or(0);
        let bytes = (most as u64).saturating_mul(width).saturating_mul(3 * size_of::<f32>() as u64);
        let (budget, what) =
            (memory::budget(), || format!("the vectors of {} patches of one image", thousands(most)));
        Ok(budget.ensure(budget.bank(), bytes, what, "fewer spaces at a time")?)
    }

    /// Writes the vectors of the image in `place`.
    pub fn push(
        &self,
        place: usize,
        files: &mut [VectorFile],
        spaces: &[String],
        writer: &mut dyn BankSink,
        cancel: &CancelToken,
    ) -> anyhow::Result<()> {
        cancel.check()?;
        let count = self.count(place);
        let mut values: Vec<Vec<f32>> = vec![];
        for file in files {
            let mut rows = Vec::with_capacity(count * file.width());
            match self.cells_of(place) {
                None => file.read(self.first_rows[place]..self.first_rows[place] + count, &mut rows)?,
                Some(cells) => {
                    // Files are read in runs of rows that belong side by side; what is missing between them is NaN.
                    for run in cells.chunk_by(|a, b| (a.1 + 1, a.2 + 1) == (b.1, b.2)) {
                        rows.resize(run[0].1 as usize * file.width(), f32::NAN);
                        let row = run[0].2 as usize;
                        file.read(row..row + run.len(), &mut rows)?;
                    }
                    rows.resize(count * file.width(), f32::NAN);
                }
            }
            values.push(rows);
        }
        let rows: Vec<(&str, &[f32])> =
            spaces.iter().map(String::as_str).zip(values.iter().map(Vec::as_slice)).collect();
        writer.push_image(place, &rows)
    }

    /// The cells of the image in `place` that have a vector; `None`: all, in order.
    fn cells_of(&self, place: usize) -> Option<&[(u32, u32, u32)]> {
        let cells = self.cells.as_ref()?;
        let start = cells.partition_point(|cell| (cell.0 as usize) < place);
        let end = cells.partition_point(|cell| cell.0 as usize <= place);
        Some(&cells[start..end])
    }
}
