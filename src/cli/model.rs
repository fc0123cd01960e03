//! `bagssl model`.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::commander::Commander;
use super::output::{show, thousands};
use crate::engine::jobs;

#[derive(Subcommand)]
pub enum ModelCommand {
    /// Architecture, spaces and their widths
    Info {
        /// demo, a run folder or a checkpoint
        model: String,
    },
    /// Write a safetensors file under torchvision's key names
    Convert { model: String, out: PathBuf },
}

impl Commander {
    pub fn model(&self, command: ModelCommand) -> anyhow::Result<()> {
        match command {
            ModelCommand::Info { model } => {
                let info = jobs::model::info(&model)?;
                show(self.json(), &info, || {
                    let spaces = info.spaces.iter().map(|(name, width)| format!("{name} {width}"));
                    format!(
                        "{}: {}, {} parameters, input {} x {} pixels, spaces {}, sha256 {:.12}",
                        info.name,
                        info.arch,
                        thousands(info.parameters as u64),
                        info.input,
                        info.input,
                        spaces.collect::<Vec<_>>().join(", "),
                        info.hash
                    )
                })
            }
            ModelCommand::Convert { model, out } => {
                jobs::model::convert(&model, &out)?;
                show(self.json(), &json!({ "out": out }), || out.display().to_string())
            }
        }
    }
}
