//! `bagssl bank`.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::shared::{Commander, bytes, show, skipped_words, sums_words, thousands};
use crate::engine::jobs;

#[derive(Subcommand)]
pub enum BankCommand {
    /// What is in a bank
    Info { bank: PathBuf },
    /// Write the vectors of one space as .npy or .safetensors (float32)
    Export {
        bank: PathBuf,
        #[arg(long)]
        space: String,
        #[arg(long)]
        out: PathBuf,
    },
}

impl Commander {
    pub fn bank(&self, command: BankCommand) -> anyhow::Result<()> {
        match command {
            BankCommand::Info { bank } => {
                let info = jobs::embed::bank_info(&bank)?;
                show(self.json(), &info, || {
                    let spaces = info.spaces.iter().map(|(name, width)| format!("{name} {width}"));
                    format!(
                        "{}: {} of {} patches ({} of {} images), {} pixels every {}, {} in {}, {}, {}; model {}, data {}{}",
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
            BankCommand::Export { bank, space, out } => {
                let rows = jobs::embed::bank_export(&bank, &space, &out, &self.cancel)?;
                show(self.json(), &json!({ "out": out, "patches": rows, "space": space }), || {
                    format!("{}: {} rows of {space}", out.display(), thousands(rows as u64))
                })
            }
        }
    }
}
