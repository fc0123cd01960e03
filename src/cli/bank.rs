//! `bagssl bank`.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::shared::{Commander, bytes, show, skipped_words, thousands};
use crate::engine::facts::{DataSpec, ImageOrder};
use crate::engine::jobs;
use crate::engine::jobs::embed::BankInfo;
use crate::engine::jobs::export::{ExportReport, ExportRequest};
use crate::engine::{OutputKind, Outputs};
use crate::words::sums_words;

#[derive(Subcommand)]
pub enum BankCommand {
    /// What is in a bank
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
}

impl Commander {
    pub fn bank(&self, command: BankCommand) -> anyhow::Result<()> {
        match command {
            BankCommand::Info { bank } => {
                let info = jobs::embed::bank_info(&bank)?;
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
            BankCommand::Export { bank, space, out, index } => {
                Outputs::default()
                    .reads("BANK", &*bank)
                    .writes("--out", &*out, OutputKind::File)
                    .writes("--index", index.as_deref(), OutputKind::File)
                    .check()?;
                let report = jobs::export::export(ExportRequest { bank, space, out, index }, &self.cancel)?;
                show(self.json(), &report, || export_words(&report))
            }
        }
    }
}

fn info_words(bank: &Path, info: &BankInfo) -> String {
    let order = match info.order {
        Some(order @ ImageOrder::Spread { of, .. }) => {
            format!("of the {} images of the data set ({order})", thousands(of))
        }
        None => "from the first image of the data set on".into(),
    };
    let spaces = info.spaces.iter().map(|(name, width)| format!("{} values in {name}", thousands(width)));
    let spaces: Vec<String> = spaces.collect();
    let copies = match info.copies {
        Some(copies) => copies_words(copies),
        None => format!(
            "whether some are exact copies of others is not known (`bagssl bank hash {}` finds out)",
            bank.display()
        ),
    };
    let lines = [
        format!("{}: a bank of data {}, model {}", bank.display(), info.data, info.model),
        format!(
            "images: {} embedded of {} planned, {order}; {copies}{}",
            thousands(info.images),
            thousands(info.total_images),
            skipped_words(&info.skipped)
        ),
        format!(
            "patches: {} embedded of {} planned, {2} x {2} pixels every {3} pixels",
            thousands(info.patches),
            thousands(info.total_patches),
            info.patch,
            info.stride
        ),
        format!(
            "vectors of a patch: {}, {}; {} for all planned, {}",
            spaces.join(" and "),
            info.dtype,
            bytes(info.bytes),
            sums_words(info.sums)
        ),
    ];
    lines.join("\n")
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
    if let Some(index) = index {
        words +=
            &format!("\n{}: image, path, y, x, size, label, class and split of each row", index.display());
    }
    words
}
