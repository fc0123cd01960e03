//! A bank of vectors that another program computed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::bank::{
    BankSink, BankSpec, BankWriter, DataFacts, Dtype, ImageEntry, ModelFacts, PatchTable, SpaceSpec,
    TableImage, VectorFile,
};
use crate::dataset::{DataSpec, Dataset, SPREAD_SEED, Split, spread};
use crate::engine::jobs::Job;
use crate::engine::jobs::embed::{BankSource, keep_source, kept};
use crate::files;
use crate::memory;
use crate::patch::PatchGrid;
use crate::progress::{CancelToken, Progress};
use crate::words::{name_list, thousands};

/// Cells of a grid to each row of a table: where there are more, the bank would be mostly holes.
const MOST_CELLS: usize = 16;

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
    },
}

/// `bagssl bank import`.
#[derive(Clone, Debug)]
pub struct ImportRequest {
    /// The vectors: a file for each space.
    pub vectors: Vec<PathBuf>,
    /// Names of the spaces, one for each file.
    pub spaces: Vec<String>,
    /// What the vectors are of.
    pub rows: ImportRows,
    /// Number format of the bank; none: float16 where all files have it, else float32.
    pub dtype: Option<Dtype>,
    /// Folder of the bank.
    pub out: PathBuf,
}

/// What was done.
#[derive(Clone, Debug, Serialize)]
pub struct ImportReport {
    /// Images of the bank.
    pub images: usize,
    /// Images of the data set.
    pub of: usize,
    /// Images that were in the bank before.
    pub resumed_images: usize,
    /// Patches with a vector.
    pub patches: usize,
    /// Places of the grid that the table has no row for.
    pub without_vector: usize,
    /// Side of the patches, pixels.
    pub patch: u32,
    /// Distance between patches, pixels.
    pub stride: u32,
    /// Names of the spaces, in the order of the files.
    pub spaces: Vec<String>,
    /// Number format.
    pub dtype: &'static str,
    /// What the bank takes.
    pub bytes: u64,
    /// Name of the data set.
    pub data: String,
}

/// Which vector belongs to which cell of which image of the bank.
struct Plan {
    source: BankSource,
    data: Arc<dyn Dataset>,
    grid: PatchGrid,
    images: Vec<ImageEntry>,
    classes: Vec<String>,
    /// By place in the bank, cell, and row of the files, rising; `None`: every cell has a vector, in the bank's order.
    cells: Option<Vec<(u32, u32, u32)>>,
    /// Where there are no `cells`, by place: the first row of each image in the files.
    first_rows: Vec<usize>,
    /// What is kept of the data set: images lie in the order of [`spread`], so that those in front are a fair sample.
    facts: DataFacts,
}

/// Makes the bank; resumes where an earlier run of the same request stopped.
///
/// # Errors
/// A file that is damaged or of no known kind; counts that do not agree, with the numbers; a value that is not finite,
/// with its row and column; a table whose patches are of several sizes or of images that the data set has not;
/// another bank in that folder; cancelled, or a failed write.
pub fn import(request: &ImportRequest, job: Job<'_>) -> anyhow::Result<ImportReport> {
    let ImportRequest { vectors, spaces, rows, dtype, out } = request;
    ensure!(
        vectors.len() == spaces.len(),
        "{} files of vectors and {} names of spaces ({}); expected one for each: --space NAME,NAME",
        vectors.len(),
        spaces.len(),
        spaces.join(", ")
    );
    let plan = Plan::of(rows, job.cancel)?;
    // What is unpacked goes where the bank goes: there is room for as much again.
    let scratch = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    let opened = vectors.iter().zip(spaces).map(|(path, space)| {
        let file = VectorFile::open(path, space, scratch, job.cancel)?;
        plan.check_rows(&file)?;
        Ok(file)
    });
    let mut files: Vec<VectorFile> = opened.collect::<anyhow::Result<_>>()?;
    let all_half = files.iter().all(VectorFile::is_half);
    let dtype = dtype.unwrap_or(if all_half { Dtype::F16 } else { Dtype::F32 });
    let spec = plan.spec(&mut files, spaces, dtype, job.cancel)?;
    plan.ensure_rows_fit(&spec)?;
    let bytes = spec.bytes(&plan.images)?;
    let opened = BankWriter::create_or_resume(out, &spec, &plan.images, job.cancel);
    let (mut writer, committed) = opened.map_err(kept)?;
    keep_source(out, &plan.source)?;
    let repaired = writer.damaged().len();
    let chosen: Vec<usize> = writer.damaged().chain(committed..plan.images.len()).collect();
    let (clock, resumed) = (Instant::now(), plan.images.len() - chosen.len());
    for (done, place) in chosen.into_iter().enumerate() {
        if let Err(error) = plan.push(place, &mut files, spaces, &mut writer, job.cancel) {
            writer.commit()?;
            return Err(kept(error));
        }
        (job.progress)(Progress {
            what: "importing",
            done: (resumed + done + 1) as u64,
            total: plan.images.len() as u64,
            resumed: resumed as u64,
            unit: "images",
            elapsed: clock.elapsed(),
        });
    }
    let bank = writer.finish()?;
    Ok(ImportReport {
        images: bank.total_images(),
        of: plan.data.len(),
        resumed_images: committed - repaired,
        patches: bank.searchable(),
        without_vector: bank.patches() - bank.searchable(),
        patch: spec.grid.patch,
        stride: spec.grid.stride,
        spaces: spaces.clone(),
        dtype: spec.dtype.as_str(),
        bytes,
        data: spec.data.name,
    })
}

impl Plan {
    fn of(rows: &ImportRows, cancel: &CancelToken) -> anyhow::Result<Self> {
        match rows {
            ImportRows::Grid { data, split, grid } => Self::of_grid(data, *split, *grid),
            ImportRows::Table { table: path, data, split } => {
                let table = PatchTable::read(path, cancel)?;
                let plan = Self::of_table(&table, path, data.as_ref(), *split);
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
        split: Option<Split>,
    ) -> anyhow::Result<Self> {
        let grid = table.grid()?;
        let split = match split {
            Some(split) => Some(split),
            None => split_of(&table.images)?,
        };
        let spec = match data {
            Some(data) => data.clone(),
            None => DataSpec::Path(common_folder(table, path)?),
        };
        let source = BankSource { data: spec, split, limit: None };
        let data = source.open().context("the data set of its images; --data says where they lie")?;
        let indices = Names::of(data.as_ref(), &source.data, path).indices(table)?;
        let (labels, classes) = table.labels()?;
        let is_labelled = !data.classes().is_empty();
        for (image, (index, label)) in table.images.iter().zip(indices.iter().zip(&labels)) {
            let known = data.label(*index as usize);
            ensure!(
                !is_labelled || label.is_none() || image.class.is_none() || *label == known,
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
    fn check_rows(&self, file: &VectorFile) -> anyhow::Result<()> {
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
            "{path} has {} vectors; expected {}: {} images of {}{each} (patch {patch}, stride {stride})",
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

    fn spec(
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
            mean: [0.0; 3],
            std: [1.0; 3],
            dtype,
            spaces: spaces.iter().zip(files.iter()).map(space).collect::<anyhow::Result<_>>()?,
            classes: self.classes.clone(),
        })
    }

    /// The vectors of an image are there at once, as they come and as they are written.
    fn ensure_rows_fit(&self, spec: &BankSpec) -> anyhow::Result<()> {
        let width: u64 = spec.spaces.iter().map(|space| u64::from(space.width)).sum();
        let most = (0..self.images.len()).map(|place| self.count(place)).max().unwrap_or(0);
        let bytes = (most as u64).saturating_mul(width).saturating_mul(3 * size_of::<f32>() as u64);
        let (budget, what) =
            (memory::budget(), || format!("the vectors of {} patches of one image", thousands(most)));
        Ok(budget.ensure(budget.bank(), bytes, what, "fewer spaces at a time")?)
    }

    /// Writes the vectors of the image in `place`.
    fn push(
        &self,
        place: usize,
        files: &mut [VectorFile],
        spaces: &[String],
        writer: &mut BankWriter,
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

/// The images `indices` of a table in the order of [`spread`], each once with the place of its first mention there; and
/// by place in the table its place in that order.
fn ranked(data: &dyn Dataset, indices: &[u32]) -> (Vec<(usize, usize)>, Vec<u32>) {
    let mut rank = vec![0usize; data.len()];
    for (place, index) in spread(data, data.len(), SPREAD_SEED).into_iter().enumerate() {
        rank[index] = place;
    }
    let mut order: Vec<(usize, usize)> = indices.iter().map(|index| *index as usize).zip(0..).collect();
    order.sort_unstable_by_key(|(index, at)| (rank[*index], *at));
    let (mut ranks, mut places): (Vec<(usize, usize)>, _) = (vec![], vec![0; indices.len()]);
    for (index, at) in order {
        if ranks.last().is_none_or(|last| last.0 != index) {
            ranks.push((index, at));
        }
        places[at] = ranks.len() as u32 - 1;
    }
    (ranks, places)
}

fn entry(data: &dyn Dataset, index: usize, label: Option<u32>) -> ImageEntry {
    let (height, width) = data.dimensions(index);
    ImageEntry { index: index as u32, height, width, label, name: data.image_name(index) }
}

/// The split that a table is of: both where it names both.
fn split_of(images: &[TableImage]) -> anyhow::Result<Option<Split>> {
    let mut found: Option<Split> = None;
    for image in images {
        let Some(text) = &image.split else { continue };
        let split = [Split::Train, Split::Test].into_iter().find(|split| split.name() == text);
        let split = split.with_context(|| {
            format!("row {}: the split is {text:?}; expected train or test, or --split", image.first_row)
        })?;
        found = Some(if found.is_none_or(|before| before == split) { split } else { Split::All });
    }
    Ok(found)
}

/// The folder below which all images of a table lie; paths in it are from the table's folder on.
fn common_folder(table: &PatchTable, path: &Path) -> anyhow::Result<PathBuf> {
    let base = path.parent().unwrap_or(Path::new(""));
    let mut common: Option<PathBuf> = None;
    for image in &table.images {
        ensure!(
            !image.path.is_empty(),
            "row {} names its image by number alone: --data says of which data set",
            image.first_row
        );
        let file = base.join(&image.path);
        let folder = file.parent().unwrap_or(base).to_path_buf();
        common = Some(match common {
            None => folder,
            Some(before) => before
                .components()
                .zip(folder.components())
                .take_while(|(a, b)| a == b)
                .map(|(a, _)| a)
                .collect(),
        });
    }
    let common = common.unwrap_or_default();
    Ok(if common.as_os_str().is_empty() { PathBuf::from(".") } else { common })
}

/// What finds an image of the data set by what a table calls it.
struct Names<'a> {
    data: &'a dyn Dataset,
    /// Folder of the data set, and of the table.
    folders: (Option<PathBuf>, PathBuf),
    /// By name; `None` where several are called so.
    indices: HashMap<String, Option<u32>>,
}

impl<'a> Names<'a> {
    fn of(data: &'a dyn Dataset, spec: &DataSpec, table: &Path) -> Self {
        let mut indices: HashMap<String, Option<u32>> = HashMap::new();
        for index in 0..data.len() {
            match indices.entry(data.image_name(index)) {
                Entry::Vacant(free) => _ = free.insert(Some(index as u32)),
                Entry::Occupied(mut taken) => _ = taken.insert(None),
            }
        }
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let folders = (spec.path().map(absolute), absolute(table.parent().unwrap_or(Path::new(""))));
        Self { data, folders, indices }
    }

    /// Index in the data set of each image of `table`.
    fn indices(&self, table: &PatchTable) -> anyhow::Result<Vec<u32>> {
        table.images.iter().map(|image| self.index(image)).collect()
    }

    fn index(&self, image: &TableImage) -> anyhow::Result<u32> {
        let TableImage { path, index, first_row, .. } = image;
        let (count, name) = (self.data.len(), self.data.name());
        if let Some(index) = index {
            ensure!(
                (*index as usize) < count,
                "row {first_row} is of image {index}; {name} has {count}, 0 to {}",
                count - 1
            );
            let called = self.data.image_name(*index as usize);
            ensure!(
                path.is_empty() || *path == called,
                "row {first_row} calls image {index} {path:?}; in {name} it is {called:?}"
            );
            return Ok(*index);
        }
        let (folder, base) = &self.folders;
        // As the data set calls it, or as a path: from the root, or from the table's folder on.
        let as_path = folder.as_ref().and_then(|folder| {
            let inner = base.join(path).strip_prefix(folder).ok()?.to_str()?.to_owned();
            self.indices.get(&inner)
        });
        match self.indices.get(path).or(as_path) {
            Some(Some(index)) => Ok(*index),
            Some(None) => bail!(
                "row {first_row}: several images of {name} are called {path:?}; a column image with their numbers tells \
                 them apart"
            ),
            None => {
                let some: Vec<String> = (0..count.min(3)).map(|index| self.data.image_name(index)).collect();
                let some: Vec<&str> = some.iter().map(String::as_str).collect();
                bail!(
                    "row {first_row}: {name} has no image {path:?}; it has {} images, such as {} (--data names another \
                     data set)",
                    thousands(count),
                    name_list(&some)
                )
            }
        }
    }
}

/// Where each row of a table belongs: its image's place in the bank, its cell and its row, rising.
fn cells_of(
    table: &PatchTable,
    grid: PatchGrid,
    places: &[u32],
    images: &[ImageEntry],
) -> anyhow::Result<Vec<(u32, u32, u32)>> {
    ensure!(
        u32::try_from(table.rows.len()).is_ok(),
        "{} rows are too many for one table",
        thousands(table.rows.len())
    );
    let PatchGrid { patch, stride } = grid;
    let all =
        images.iter().map(|image| grid.len(image.height, image.width)).fold(0usize, usize::saturating_add);
    ensure!(
        all / MOST_CELLS <= table.rows.len(),
        "its {} patches lie on a common grid of every {stride} pixels, of which a bank would hold {} places; expected one in \
         {MOST_CELLS} to have a vector",
        thousands(table.rows.len()),
        thousands(all)
    );
    let cell = |(row, of): (usize, &crate::bank::TableRow)| {
        let place = places[of.image as usize];
        let ImageEntry { height, width, name, .. } = &images[place as usize];
        let (rows, cols) = grid.shape(*height, *width);
        let (down, across) = ((of.y / stride) as usize, (of.x / stride) as usize);
        ensure!(
            down < rows && across < cols,
            "row {row}: a patch of {patch} pixels at y {}, x {} reaches beyond {name}, which is {width} x {height} pixels",
            of.y,
            of.x
        );
        Ok((place, u32::try_from(down * cols + across)?, row as u32))
    };
    let mut cells: Vec<(u32, u32, u32)> =
        table.rows.iter().enumerate().map(cell).collect::<anyhow::Result<_>>()?;
    if !cells.is_sorted() {
        cells.sort_unstable();
    }
    if let Some(twice) = cells.windows(2).find(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1)) {
        bail!(
            "rows {} and {} are of the same patch of {}; expected each once",
            twice[0].2,
            twice[1].2,
            images[twice[0].0 as usize].name
        );
    }
    Ok(cells)
}

#[cfg(test)]
#[path = "import_tests.rs"]
mod tests;
