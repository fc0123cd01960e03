//! `bagssl data`.

use std::path::PathBuf;

use clap::Subcommand;

use super::shared::{Commander, DecodingArgs, decoding_words, show, skipped_words, thousands};
use crate::engine::facts::{CifarVariant, DataSpec, Split};
use crate::engine::{OutputKind, Outputs, jobs};

#[derive(Subcommand)]
pub enum DataCommand {
    /// What is in a data set
    Info {
        /// demo, a folder, an image file or CIFAR's archive
        data: DataSpec,
        #[arg(long, value_enum)]
        split: Option<Split>,
        #[command(flatten)]
        decoding: DecodingArgs,
    },
    /// Download, check and unpack CIFAR-10 or CIFAR-100
    Get {
        #[arg(value_enum)]
        set: CifarVariant,
        /// Folder to put it in
        #[arg(long)]
        out: PathBuf,
        /// Another address of the archive
        #[arg(long)]
        url: Option<String>,
        /// MD5 of an archive that is not the official one
        #[arg(long)]
        md5: Option<String>,
    },
    /// Write the built-in synthetic set as an image folder, with part masks: without --seed, --images and --size
    /// the very scenes of `demo`; another --seed (a global option) draws others
    Synth {
        #[arg(long)]
        out: PathBuf,
        /// How many; as many as the split of `demo` has by default (4096 for train, 1024 for test)
        #[arg(long)]
        images: Option<usize>,
        /// Side of the images, 32 to 512 pixels
        #[arg(long, default_value_t = 64)]
        size: u32,
        #[arg(long, value_enum, default_value = "train")]
        split: Split,
    },
}

impl Commander {
    pub fn data(&self, command: DataCommand) -> anyhow::Result<()> {
        match command {
            DataCommand::Info { data, split, decoding } => {
                let info = jobs::data::info(&decoding.of(data), split)?;
                show(self.json(), &info, || {
                    let size = match (info.width, info.height) {
                        (Some(width), Some(height)) => format!("{width} x {height} pixels"),
                        _ => "of several sizes".into(),
                    };
                    let split = info.split.map_or(String::new(), |split| format!(", {}", split.name()));
                    format!(
                        "{} ({}{split}): {} images {size}, {} classes{}{}",
                        info.name,
                        info.kind,
                        thousands(info.images as u64),
                        info.classes,
                        skipped_words(&info.skipped),
                        decoding_words(info.decoding.as_ref())
                    )
                })
            }
            DataCommand::Get { set, out, url, md5 } => {
                Outputs::default().writes("--out", &*out, OutputKind::Folder).check()?;
                let request = jobs::data::GetRequest { variant: set, out, url, md5 };
                let report = self.job(|job| jobs::data::get(request, job))?;
                show(self.json(), &report, || {
                    let what = if report.already_there { "was there already" } else { "is in place" };
                    format!("{} {what}: {} images", report.path.display(), thousands(report.images as u64))
                })
            }
            DataCommand::Synth { out, images, size, split } => {
                Outputs::default().writes("--out", &*out, OutputKind::Folder).check()?;
                let seed = self.shared.seed;
                let request = jobs::data::SynthRequest { out, seed, images, size, split };
                let report = self.job(|job| jobs::data::synth(&request, job))?;
                show(self.json(), &report, || {
                    format!(
                        "{}: {} images of {} classes, {} parts, seed {}",
                        report.path.display(),
                        thousands(report.images as u64),
                        report.classes.len(),
                        report.parts.len(),
                        report.seed
                    )
                })
            }
        }
    }
}
