//! `bagssl bank`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};

use super::shared::{
    Commander, DecodingArgs, DtypeArg, WrongUsage, bytes, codes_words, index_words, pixels, segment_words,
    show, skipped_words, thousands,
};
use crate::engine::facts::{DataSpec, ImageOrder, ImageTiles, PartFacts, PartNumber, Split, lies_far};
use crate::engine::jobs;
use crate::engine::jobs::cache::CacheReport;
use crate::engine::jobs::embed::BankInfo;
use crate::engine::jobs::export::{ExportReport, ExportRequest};
use crate::engine::jobs::import::{ImportReport, ImportRequest, ImportRows, VectorPlace};
use crate::engine::jobs::merge::{MergeReport, MergeRequest};
use crate::engine::{OutputKind, Outputs};
use crate::patch::PatchGrid;
use crate::words::{count, name_list, sums_words};

#[derive(Subcommand)]
pub enum BankCommand {
    /// What is in a bank, and which codes there are of it
    Info { bank: PathBuf },
    /// Read the images of a bank again and keep hashes of their pixels with it
    ///
    /// By these exact copies are found (--fold-copies). `embed` writes them; banks of earlier versions have none.
    /// Nothing is embedded.
    Hash {
        bank: PathBuf,
        /// Where the images of the bank lie, if they were moved
        #[arg(long)]
        data: Option<DataSpec>,
    },
    /// Make one bank of parts that `embed --shard I/N` made
    ///
    /// The parts may come from several machines and are named in any order. The bank is byte for byte the one that a single
    /// `embed` makes. Parts that are missing, not complete, or of other models, images or settings are an error that says which.
    Merge {
        /// Folders of all parts; or lance:URI alone, under which all parts lie and the bank will
        #[arg(required = true, value_name = "PART")]
        parts: Vec<PathBuf>,
        /// Folder of the bank
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Keep codes of one bit a value beside a bank, by which `--search quantised` finds neighbours
    ///
    /// How many of the true neighbours they find is measured on patches of the bank. Codes that are there are continued
    /// where the bank has grown. Where nothing can be written beside the bank they are kept with the vectors that are
    /// (`bank cache`), and found there. Of a bank in Lance (lance:URI) it is an index, made there: what is indexed already
    /// stays, parts that --shard made are joined, and the rest is added.
    Index {
        bank: PathBuf,
        /// Of a bank in Lance, only part I of N of its index, from 1: made anywhere at any time, until a `bank index`
        /// without --shard joins the parts and adds what is missing
        #[arg(long, value_name = "I/N")]
        shard: Option<PartNumber>,
        /// Spaces, such as h,z [default: all]
        #[arg(long, value_delimiter = ',')]
        space: Vec<String>,
    },
    /// Write the vectors of one space, float32, for other tools
    ///
    /// Patches without a vector (of images that could not be read) are left out and counted.
    Export {
        bank: PathBuf,
        #[arg(long)]
        space: String,
        /// File that ends with .npy, .safetensors or .parquet. Parquet has the columns of --index and `vector`
        #[arg(long)]
        out: PathBuf,
        /// File for what each row is of, in the order of the vectors, ending with .csv or .parquet: image (index in
        /// the data set, as --query takes it), path (its name in the data set), y, x, size (top left and side, pixels), label, class, split
        #[arg(long)]
        index: Option<PathBuf>,
    },
    /// What is kept of what was embedded, so that it is found again
    ///
    /// The window and `embed` keep vectors by what made them: model, images, patches, spaces; `bank index` the codes of a
    /// bank beside which nothing can be written. The least recently used goes first where they take more than --cache-size.
    /// Banks that `embed` made elsewhere are found too, and do not count.
    Cache {
        /// Remove all that nobody is writing; banks elsewhere stay
        #[arg(long)]
        clear: bool,
    },
    /// Make a bank of vectors that another program computed, with any model
    ///
    /// What each vector is of is said by a grid (--data, --patch, --stride) or by a table (--index). `knn`, `gallery`,
    /// `compare`, `export` and the window take the bank as any other; what needs the model is not there.
    Import(ImportArgs),
}

#[derive(Args)]
pub struct ImportArgs {
    /// A file of vectors for each space: .npy, .npz or .safetensors (an array [rows, width] or [images, patches, width] of
    /// float16, bfloat16, float32 or float64; of several the one called like the space, or FILE#NAME), or .parquet (a list of numbers for each row, in the column
    /// `vector` or FILE#NAME)
    #[arg(required_unless_present = "vectors", value_name = "VECTORS")]
    files: Vec<PathBuf>,
    /// Names of the spaces, in the order of the files, such as h,z
    #[arg(long, value_delimiter = ',', default_value = "h")]
    space: Vec<String>,
    /// In place of both: such a file with the name of its space, as h=dino.npy; once for each
    #[arg(long, value_name = "SPACE=FILE", conflicts_with_all = ["files", "space"])]
    vectors: Vec<SpaceFile>,
    /// Data set of the images [default with a table: the folder that its paths lie in]
    #[arg(long)]
    data: Option<DataSpec>,
    #[arg(long, value_enum)]
    split: Option<Split>,
    /// Side of the patches, pixels: vectors are of all patches of all images of --data, image by image, from the top left
    /// corner row by row
    #[arg(long, value_parser = pixels(), requires_all = ["stride", "data"])]
    patch: Option<u32>,
    /// Distance between patches, pixels
    #[arg(long, value_parser = pixels(), requires = "patch")]
    stride: Option<u32>,
    /// Table of what each vector is of, .csv or .parquet, with the columns path (as the data set calls the image, or from
    /// the table's folder on) or image (its number there), y, x, size, and label, class, split where there are some; a
    /// .parquet file of vectors is its own table
    #[arg(long, conflicts_with_all = ["patch", "stride"])]
    index: Option<PathBuf>,
    /// Number format of the bank [default: f16 where all vectors are float16, else f32]
    #[arg(long, value_enum)]
    dtype: Option<DtypeArg>,
    #[command(flatten)]
    decoding: DecodingArgs,
    /// Folder of the bank
    #[arg(long)]
    out: PathBuf,
}

/// `SPACE=FILE`: the vectors of a space.
#[derive(Clone)]
struct SpaceFile {
    space: String,
    file: PathBuf,
}

impl FromStr for SpaceFile {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('=').filter(|(space, file)| !space.is_empty() && !file.is_empty());
        let (space, file) =
            parts.with_context(|| format!("\"{text}\": expected SPACE=FILE, such as h=dino.npy"))?;
        Ok(Self { space: space.to_owned(), file: file.into() })
    }
}

impl ImportArgs {
    /// The files, and the names of their spaces.
    fn named_files(&self) -> (Vec<VectorPlace>, Vec<String>) {
        let place = |file: &PathBuf| VectorPlace::parse(file);
        match self.vectors.is_empty() {
            true => (self.files.iter().map(place).collect(), self.space.clone()),
            false => self.vectors.iter().map(|one| (place(&one.file), one.space.clone())).unzip(),
        }
    }

    /// What the vectors are of, which is said in one of two ways.
    fn rows(&self) -> anyhow::Result<ImportRows> {
        let data = self.data.clone().map(|data| self.decoding.of(data));
        if let (Some(data), Some(patch), Some(stride)) = (&data, self.patch, self.stride) {
            let (data, grid) = (data.clone(), PatchGrid::new(patch, stride)?);
            return Ok(ImportRows::Grid { data, split: self.split, grid });
        }
        let is_table =
            |path: &&PathBuf| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"));
        let (files, _) = self.named_files();
        let of_vectors = || files.first().map(|place| &place.path).filter(is_table);
        let table = self.index.as_ref().or_else(of_vectors);
        let table = table.ok_or(WrongUsage(
            "what the vectors are of is not said: --data, --patch and --stride for all patches on a grid, or --index TABLE",
        ))?;
        let decoding = self.decoding.decoding();
        Ok(ImportRows::Table { table: table.clone(), data, split: self.split, decoding })
    }
}

impl Commander {
    pub fn bank(&self, command: BankCommand) -> anyhow::Result<()> {
        match command {
            BankCommand::Info { bank } => {
                let info = jobs::embed::bank_info(&bank, self.shared.cache().as_ref())?;
                show(self.json(), &info, || info_words(&bank, &info))
            }
            BankCommand::Hash { bank, data } => {
                let report = self.job(|job| jobs::hash::hash(&bank, data.as_ref(), job))?;
                show(self.json(), &report, || {
                    format!(
                        "{}: hashes of the pixels of {} of {} images; {}",
                        bank.display(),
                        thousands(report.hashed),
                        thousands(report.images),
                        copies_words(report.copies)
                    )
                })
            }
            BankCommand::Merge { parts, out } => self.merge(parts, out),
            BankCommand::Index { bank, space, shard: Some(part) } => {
                let made = self.job(|job| jobs::index::segments(&bank, &space, part, job))?;
                show(self.json(), &made, || made.iter().map(segment_words).collect::<Vec<_>>().join("\n"))
            }
            BankCommand::Index { bank, space, shard: None } => {
                let cache = self.shared.cache();
                let report = self.job(|job| jobs::index::index(&bank, &space, cache.as_ref(), job))?;
                show(self.json(), &report, || {
                    report.spaces.iter().map(index_words).collect::<Vec<_>>().join("\n")
                })
            }
            BankCommand::Export { bank, space, out, index } => {
                Outputs::default()
                    .reads("BANK", &*bank)
                    .writes("--out", &*out, OutputKind::File)
                    .writes("--index", index.as_deref(), OutputKind::File)
                    .check()?;
                let report = jobs::export::export(ExportRequest { bank, space, out, index }, &self.cancel)?;
                show(self.json(), &report, || export_words(&report))
            }
            BankCommand::Cache { clear } => {
                let report = jobs::cache::cache(self.shared.cache(), clear)?;
                show(self.json(), &report, || cache_words(&report))
            }
            BankCommand::Import(args) => self.import(args),
        }
    }

    fn merge(&self, parts: Vec<PathBuf>, out: Option<PathBuf>) -> anyhow::Result<()> {
        let in_place = parts.first().filter(|part| parts.len() == 1 && lies_far(part)).cloned();
        let out = match (out, in_place) {
            (Some(out), _) => {
                let inputs = parts.iter().fold(Outputs::default(), |all, part| all.reads("PART", &**part));
                inputs.writes("--out", &*out, OutputKind::Bank).check()?;
                out
            }
            (None, Some(place)) => place,
            (None, None) => return Err(WrongUsage("where the bank goes is not said: --out FOLDER").into()),
        };
        let request = MergeRequest { parts, out, cache: self.shared.cache() };
        let mut announce = |count| self.bar.say(&format!("the bank will take {}", bytes(count)));
        let report = self.job(|job| jobs::merge::merge(&request, job, &mut announce))?;
        let is_whole = report.missing.is_empty();
        if is_whole || self.json() {
            show(self.json(), &report, || merge_words(&request.out, &report))?;
        }
        ensure!(is_whole, "{}", missing_words(&report));
        Ok(())
    }

    fn import(&self, args: ImportArgs) -> anyhow::Result<()> {
        let (rows, (vectors, spaces)) = (args.rows()?, args.named_files());
        let mut outputs = Outputs::default().reads("--index", args.index.as_deref());
        for place in &vectors {
            outputs = outputs.reads("VECTORS", &*place.path);
        }
        outputs.reads_data("--data", &args.data).writes("--out", &*args.out, OutputKind::Bank).check()?;
        let ImportArgs { dtype, out, .. } = args;
        let request = ImportRequest { vectors, spaces, rows, dtype: dtype.map(Into::into), out };
        let report = self.job(|job| jobs::import::import(&request, job))?;
        show(self.json(), &report, || import_words(&request.out, &report))
    }
}

fn import_words(out: &Path, report: &ImportReport) -> String {
    let holes = match report.without_vector {
        0 => String::new(),
        holes => format!("; {} on their grid without a vector", count(holes, "place")),
    };
    let ImportReport { patch, stride, data, .. } = report;
    let images = match report.images < report.of {
        true => format!(
            "{} of the {} images of {}",
            thousands(report.images as u64),
            thousands(report.of as u64),
            report.data
        ),
        false => format!("all {} images of {}", thousands(report.of as u64), data),
    };
    format!(
        "{}: {} patches, {patch} x {patch} pixels every {stride} pixels, of {images}{holes}, in {}, {}, {}",
        out.display(),
        thousands(report.patches as u64),
        report.spaces.join(" and "),
        report.dtype,
        bytes(report.bytes),
    )
}

fn merge_words(out: &Path, report: &MergeReport) -> String {
    let resumed = match report.resumed_images {
        0 => String::new(),
        all if all as u64 == report.images => "; all were there already".into(),
        some => format!("; {} were there already", count(some, "image")),
    };
    format!(
        "{}: {} of {} images, of {} parts, in {}, {}{resumed}{}",
        out.display(),
        count(report.patches as usize, "patch"),
        thousands(report.images),
        thousands(report.parts),
        report.spaces.join(" and "),
        bytes(report.bytes),
        skipped_words(&report.skipped)
    )
}

/// What is missing of a bank, and how it is made.
fn missing_words(report: &MergeReport) -> String {
    let numbers: Vec<String> =
        report.missing.iter().map(|number| format!("{number}/{}", report.parts)).collect();
    let (noun, first) = (if numbers.len() == 1 { "part" } else { "parts" }, &numbers[0]);
    format!(
        "missing: {noun} {} ({} of {} images, {} of {} patches); nothing is written. The command that made {} makes part \
         {first} with --shard {first} and another --out",
        name_list(&numbers),
        thousands(report.missing_images),
        thousands(report.images + report.missing_images),
        thousands(report.missing_patches),
        thousands(report.patches + report.missing_patches),
        report.named.display()
    )
}

fn cache_words(report: &CacheReport) -> String {
    let removed = report.removed_bytes.map_or(String::new(), |count| format!("; {} removed", bytes(count)));
    let codes = match report.usage.codes {
        0 => String::new(),
        banks => format!(" and codes of {} elsewhere", count(banks, "bank")),
    };
    format!(
        "{}: {}{codes}, {} of at most {} (--cache-size){removed}",
        report.folder.display(),
        count(report.usage.banks, "bank"),
        bytes(report.usage.bytes),
        bytes(report.most_bytes)
    )
}

fn info_words(bank: &Path, info: &BankInfo) -> String {
    let model = match info.imported {
        true => "vectors from elsewhere (imported)".to_owned(),
        false => format!("model {}", info.model),
    };
    let made = if info.imported { "imported" } else { "embedded" };
    let order = match info.order {
        None if info.imported => "as they were imported".into(),
        Some(order @ ImageOrder::Spread { of, .. }) => {
            format!("of the {} images of the data set ({order})", thousands(of))
        }
        None => "from the first image of the data set on".into(),
    };
    let spaces = info.spaces.iter().map(|(name, width)| format!("{} values in {name}", thousands(width)));
    let spaces: Vec<String> = spaces.collect();
    let copies = match info.copies {
        Some(copies) => copies_words(copies),
        None if lies_far(bank) => "whether some are exact copies of others is not known".into(),
        None => format!(
            "whether some are exact copies of others is not known (`bagssl bank hash {}` finds out)",
            bank.display()
        ),
    };
    let what = info.part.as_ref().map_or("a bank".into(), PartFacts::to_string);
    let mut lines = vec![
        format!("{}: {what}, of data {}, {model}", bank.display(), info.data),
        format!(
            "images: {} {made} of {} planned, {order}; {copies}{}",
            thousands(info.images),
            thousands(info.total_images),
            skipped_words(&info.skipped)
        ),
        format!(
            "patches: {} {made} of {} planned, {2} x {2} pixels every {3} pixels",
            thousands(info.patches),
            thousands(info.total_patches),
            info.patch,
            info.stride
        ),
        format!(
            "vectors of a patch: {}{}, {}; {} for all planned, {}",
            spaces.join(" and "),
            places_words(info),
            info.dtype,
            bytes(info.bytes),
            sums_words(info.sums)
        ),
    ];
    if info.codes.is_empty() {
        lines.push("codes: none (`bagssl bank index` makes them, `--search quantised` goes by them)".into());
    }
    lines.extend(info.codes.iter().map(codes_words));
    lines.extend(info.damaged_codes.iter().map(|error| format!("damaged codes: {error}")));
    lines.join("\n")
}

/// How whole images were taken for the spaces of places, where something was said or some were cut.
fn places_words(info: &BankInfo) -> String {
    let side = info.resolution.map(|side| format!("short side {} px", thousands(side)));
    let tiles = info.tiles.map(ImageTiles::words);
    let said: Vec<String> = side.into_iter().chain(tiles).collect();
    if said.is_empty() { String::new() } else { format!(" (whole images: {})", said.join(", in ")) }
}

/// How many images are exact copies of others.
fn copies_words(copies: usize) -> String {
    match copies {
        0 => "none is an exact copy of another".to_owned(),
        1 => "1 is an exact copy of another".to_owned(),
        copies => format!("{} are exact copies of others", thousands(copies)),
    }
}

fn export_words(report: &ExportReport) -> String {
    let ExportReport { out, index, space, width, exported } = report;
    let count = |number: usize| thousands(number as u64);
    let mut words = format!(
        "{}: {} of {} patches, {} values of {space} each, float32",
        out.display(),
        count(exported.rows),
        count(exported.patches),
        count(*width)
    );
    if exported.skipped_images > 0 {
        let (patches, images) = (count(exported.patches_of_skipped_images), count(exported.skipped_images));
        words += &format!("; left out: {patches} patches of {images} images that could not be read");
    }
    if exported.not_finite > 0 {
        words += &format!("; left out: {} patches whose vector is not finite", count(exported.not_finite));
    }
    if exported.without_vector > 0 {
        words += &format!("; left out: {} places without a vector", count(exported.without_vector));
    }
    if let Some(index) = index {
        words +=
            &format!("\n{}: image, path, y, x, size, label, class and split of each row", index.display());
    }
    words
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        import: ImportArgs,
    }

    fn named(words: &str) -> Option<(Vec<VectorPlace>, Vec<String>)> {
        let words = format!("import --out bank {words}");
        let typed = Typed::try_parse_from(words.split(' ')).ok()?;
        Some(typed.import.named_files())
    }

    #[test]
    fn vectors_are_named_by_their_place_or_with_their_files() {
        let files = ["a.npy", "b.npz#x"].map(|file| VectorPlace::parse(Path::new(file))).to_vec();
        let expected = (files, vec!["h".to_owned(), "dino".to_owned()]);
        assert_eq!(named("a.npy b.npz#x --space h,dino").unwrap(), expected);
        assert_eq!(named("--vectors h=a.npy --vectors dino=b.npz#x").unwrap(), expected);
        for wrong in ["", "--vectors a.npy", "--vectors =a.npy", "a.npy --vectors h=b.npy"] {
            assert!(named(wrong).is_none(), "{wrong}");
        }
        assert!(named("--vectors h=a.npy --space z").is_none());
    }
}
