//! Tables that say what each vector is of: CSV or Parquet with the columns `path` (or `image`), `y`, `x` and `size`, and
//! `label`, `class` and `split` where there are some, in any order, as `bagssl bank export --index` writes them.

use super::csv::CsvFile;
use super::parquet::{Cells, ParquetFile};
use crate::memory;
use crate::patch::PatchGrid;
use crate::progress::CancelToken;
use crate::words::thousands;
use anyhow::{Context, Result, bail, ensure};
use std::collections::HashMap;
use std::path::Path;

/// Rows between two looks at whether to stop, and at the memory that they take.
const STEP: usize = 1 << 16;
/// No label is larger: there is a name for each below it.
const MOST_LABEL: u32 = 1 << 20;

/// What the vectors of a file are of, in their order.
#[derive(Debug, Default)]
pub struct PatchTable {
    /// Side of all patches, pixels.
    pub size: u32,
    /// One for each vector.
    pub rows: Vec<TableRow>,
    /// In the order in which they come.
    pub images: Vec<TableImage>,
}

/// The patch of one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableRow {
    /// Place in [`PatchTable::images`].
    pub image: u32,
    /// Row of its top left corner, pixels.
    pub y: u32,
    /// Column of its top left corner, pixels.
    pub x: u32,
}

/// An image of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableImage {
    /// What it is called; empty where the table has no `path`.
    pub path: String,
    /// Its index in the data set, where the table has `image`.
    pub index: Option<u32>,
    /// Its label, a number or a name.
    pub label: Option<String>,
    /// The name of its class.
    pub class: Option<String>,
    /// Its split.
    pub split: Option<String>,
    /// The first of its rows, from 0.
    pub first_row: usize,
}

impl TableImage {
    /// What tells it from images of other classes: its label, or its class in a table without labels.
    fn kind(&self, has_labels: bool) -> Option<&str> {
        if has_labels { self.label.as_deref() } else { self.class.as_deref() }
    }
}

/// A row as it is read.
#[derive(Default)]
struct RowFields<'a> {
    image: Option<&'a str>,
    path: Option<&'a str>,
    y: Option<&'a str>,
    x: Option<&'a str>,
    size: Option<&'a str>,
    label: Option<&'a str>,
    class: Option<&'a str>,
    split: Option<&'a str>,
}

const COLUMNS: [&str; 8] = ["image", "path", "y", "x", "size", "label", "class", "split"];

impl<'a> RowFields<'a> {
    /// Of values in the order of [`COLUMNS`].
    fn of(values: [Option<&'a str>; 8]) -> Self {
        let [image, path, y, x, size, label, class, split] =
            values.map(|value| value.filter(|v| !v.is_empty()));
        Self { image, path, y, x, size, label, class, split }
    }
}

impl PatchTable {
    /// Reads a table.
    ///
    /// # Errors
    /// Another ending, a damaged file, a column that is missing, patches of several sizes, what is no number, or more
    /// rows than there is memory for; each with its row.
    pub fn read(path: &Path, cancel: &CancelToken) -> Result<Self> {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
        let mut builder = Builder::default();
        let read = match ending.as_str() {
            "csv" => builder.read_csv(path, cancel),
            "parquet" => builder.read_parquet(path, cancel),
            _ => bail!("{}: expected a table whose name ends with .csv or .parquet", path.display()),
        };
        read.and_then(|()| {
            ensure!(!builder.table.rows.is_empty(), "it has no rows");
            Ok(builder.table)
        })
        .with_context(|| path.display().to_string())
    }

    /// The coarsest grid, from the corner of an image on, that all patches lie on.
    ///
    /// # Errors
    /// A size that no grid has.
    pub fn grid(&self) -> Result<PatchGrid> {
        let stride = self.rows.iter().fold(0, |all, row| divisor(divisor(all, row.y), row.x));
        // Of patches that all lie in the corner any will do.
        PatchGrid::new(self.size, if stride == 0 { self.size } else { stride })
    }

    /// The label of each image and the names of the classes: without labels the classes stand for them, sorted by name;
    /// none where the table has neither.
    ///
    /// # Errors
    /// A label that is too large, or a class with two names.
    pub fn labels(&self) -> Result<(Vec<Option<u32>>, Vec<String>)> {
        let has_labels = self.images.iter().any(|image| image.label.is_some());
        let texts = || self.images.iter().filter_map(|image| image.kind(has_labels));
        let mut names: Vec<String>;
        let labels: Vec<Option<u32>>;
        if has_labels && texts().all(|label| label.parse::<u32>().is_ok()) {
            labels = self.images.iter().map(|image| image.label.as_ref()?.parse().ok()).collect();
            let most = labels.iter().flatten().max().copied();
            let count = most.map_or(0, |most| most as usize + 1);
            ensure!(count <= MOST_LABEL as usize, "a label of {count}; expected less than {MOST_LABEL}");
            names = (0..count).map(|label| label.to_string()).collect();
            let mut named: Vec<Option<&str>> = vec![None; count];
            for (image, label) in self.images.iter().zip(&labels) {
                let (Some(label), Some(class)) = (label, image.class.as_deref()) else { continue };
                let before = named[*label as usize].replace(class).unwrap_or(class);
                ensure!(
                    before == class,
                    "label {label} is called {before:?} and {class:?}; expected one name"
                );
                class.clone_into(&mut names[*label as usize]);
            }
        } else {
            names = texts().map(str::to_owned).collect();
            names.sort_unstable();
            names.dedup();
            let place = |kind: &str| names.partition_point(|name| name.as_str() < kind) as u32;
            labels = self.images.iter().map(|image| image.kind(has_labels).map(place)).collect();
        }
        Ok((labels, names))
    }
}

/// The greatest common divisor; of 0 and another the other.
fn divisor(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// A table as it grows.
#[derive(Default)]
struct Builder {
    table: PatchTable,
    /// By path, or index, and split.
    known: HashMap<(String, String), u32>,
}

impl Builder {
    fn read_csv(&mut self, path: &Path, cancel: &CancelToken) -> Result<()> {
        let mut file = CsvFile::open(path)?;
        let header = file.next()?.context("it is empty; expected a line of names first")?;
        let places = COLUMNS.map(|name| header.iter().position(|column| column.trim() == name));
        check_columns(&COLUMNS.map(|name| header.iter().any(|column| column.trim() == name)), &header)?;
        let columns = header.len();
        while let Some(record) = file.next()? {
            let row = self.table.rows.len();
            ensure!(
                record.len() == columns,
                "row {row} has {} fields; the line of names has {columns}",
                record.len()
            );
            let fields = RowFields::of(places.map(|place| place.map(|place| record[place].as_str())));
            self.take(&fields, cancel)?;
        }
        Ok(())
    }

    fn read_parquet(&mut self, path: &Path, cancel: &CancelToken) -> Result<()> {
        let file = ParquetFile::open(path)?;
        let names: Vec<String> = file.names().into_iter().map(String::from).collect();
        let is_flat = |name: &str| file.column(name).is_some_and(|column| !column.is_list);
        check_columns(&COLUMNS.map(is_flat), &names)?;
        for group in 0..file.groups() {
            let mut columns: Vec<Vec<Option<String>>> = vec![vec![]; COLUMNS.len()];
            for (name, column) in COLUMNS.iter().zip(&mut columns).filter(|(name, _)| is_flat(name)) {
                file.pages(group, name, &mut |page| {
                    cancel.check()?;
                    column.extend(texts_of(page.cells, &page.is_there)?);
                    Ok(())
                })?;
            }
            let rows = columns.iter().map(Vec::len).max().unwrap_or(0);
            let is_whole = columns.iter().all(|column| column.is_empty() || column.len() == rows);
            ensure!(is_whole, "its columns are of different lengths in row group {group}");
            for row in 0..rows {
                let value = |column: usize| columns[column].get(row).and_then(Option::as_deref);
                self.take(&RowFields::of(std::array::from_fn(value)), cancel)?;
            }
        }
        let (found, said) = (self.table.rows.len() as u64, file.rows());
        ensure!(found == said, "it has {found} rows; its description says {said}");
        Ok(())
    }

    fn take(&mut self, fields: &RowFields<'_>, cancel: &CancelToken) -> Result<()> {
        let row = self.table.rows.len();
        if row.is_multiple_of(STEP) {
            cancel.check()?;
            let (budget, bytes) = (memory::budget(), ((row + STEP) * 2 * size_of::<TableRow>()) as u64);
            let what = || format!("a table of more than {} rows", thousands(row));
            budget.ensure(budget.bank(), bytes, what, "fewer rows in one bank")?;
        }
        let number = |name: &str, text: Option<&str>| -> Result<u32> {
            let text = text.with_context(|| format!("row {row} has no {name}"))?;
            text.trim().parse().ok().with_context(|| {
                format!("row {row}: {name} is {text:?}; expected a whole number of pixels from 0 on")
            })
        };
        let (y, x, size) = (number("y", fields.y)?, number("x", fields.x)?, number("size", fields.size)?);
        if row == 0 {
            self.table.size = size;
        }
        let first = self.table.size;
        ensure!(
            size == first,
            "row {row} is of a patch of {size} pixels, row 0 of one of {first}; a bank has patches of one size: make one \
             for each"
        );
        let image = self.image(fields, row)?;
        self.table.rows.push(TableRow { image, y, x });
        Ok(())
    }

    /// Place of the image of a row, which is noted if it is new.
    fn image(&mut self, fields: &RowFields<'_>, row: usize) -> Result<u32> {
        let path =
            fields.path.or(fields.image).with_context(|| format!("row {row} has neither path nor image"))?;
        let split = fields.split.unwrap_or_default();
        // Rows of one image mostly follow each other.
        let own = |text: Option<&str>| text.map(str::to_owned);
        let index = fields.image.map(|text| {
            text.parse()
                .ok()
                .with_context(|| format!("row {row}: image is {text:?}; expected its index in the data set"))
        });
        let image = TableImage {
            path: fields.path.unwrap_or_default().into(),
            index: index.transpose()?,
            label: own(fields.label),
            class: own(fields.class),
            split: own(fields.split),
            first_row: row,
        };
        let next = self.table.images.len() as u32;
        let at = *self.known.entry((path.into(), split.into())).or_insert(next);
        if at == next {
            self.table.images.push(image);
            return Ok(next);
        }
        let known = &self.table.images[at as usize];
        ensure!(
            (known.index, &known.label, &known.class) == (image.index, &image.label, &image.class),
            "row {row} says of {path} what row {} does not: label {}, there {}",
            known.first_row,
            image.label.as_deref().unwrap_or("none"),
            known.label.as_deref().unwrap_or("none")
        );
        Ok(at)
    }
}

/// Whether those columns are there that must be.
fn check_columns(has: &[bool; 8], names: &[String]) -> Result<()> {
    let missing: Vec<&str> = [2, 3, 4].into_iter().filter(|at| !has[*at]).map(|at| COLUMNS[at]).collect();
    ensure!(
        missing.is_empty() && (has[0] || has[1]),
        "it has the columns {}; expected path (or image), y, x and size, and label, class and split where there are some",
        names.join(", ")
    );
    Ok(())
}

/// Values as texts, with those that are not there.
fn texts_of(cells: Cells, is_there: &[bool]) -> Result<Vec<Option<String>>> {
    let mut texts: Box<dyn Iterator<Item = Result<String>>> = match cells {
        Cells::Ints(values) => Box::new(values.into_iter().map(|value| Ok(value.to_string()))),
        Cells::Texts(texts) => Box::new(
            texts.into_iter().map(|text| String::from_utf8(text).context("a text that is not UTF-8")),
        ),
        Cells::Floats { .. } => {
            bail!("a column of it holds numbers with fractions; expected whole numbers or text")
        }
    };
    if is_there.is_empty() {
        return texts.map(|text| text.map(Some)).collect();
    }
    let value = |there: &bool| {
        there.then(|| texts.next().unwrap_or_else(|| bail!("a page that is cut off"))).transpose()
    };
    is_there.iter().map(value).collect()
}
