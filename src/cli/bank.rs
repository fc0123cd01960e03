//! `bagssl bank`.

use std::path::PathBuf;

use clap::Subcommand;

use super::shared::{Commander, bytes, show, skipped_words, sums_words, thousands};
use crate::engine::facts::ImageOrder;
use crate::engine::jobs;
use crate::engine::jobs::export::{ExportReport, ExportRequest};
use crate::engine::{OutputKind, Outputs};

#[derive(Subcommand)]
pub enum BankCommand {
    /// What is in a bank
    Info { bank: PathBuf },
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
                let order = match info.order {
                    Some(order @ ImageOrder::Spread { of, .. }) => {
                        format!("of the data set's {} ({order})", thousands(of))
                    }
                    None => "from the first of the data set on".into(),
                };
                show(self.json(), &info, || {
                    let spaces = info.spaces.iter().map(|(name, width)| format!("{name} {width}"));
                    format!(
                        "{}: {} of {} patches ({} of {} images, {order}), {} pixels every {}, {} in {}, {}, {}; model {}, data {}{}",
                        bank.display(),
                        thousands(info.patches as u64),
                        thousands(info.total_patches as u64),
                        thousands(info.images as u64),
                        thousands(info.total_images as u64),
                        info.patch,
                        info.stride,
                        spaces.collect::<Vec<_>>().join(", "),
                        info.dtype,
                        bytes(info.bytes),
                        sums_words(info.sums),
                        info.model,
                        info.data,
                        skipped_words(&info.skipped)
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
