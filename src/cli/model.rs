//! `bagssl model`.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::shared::{Commander, OverrideArgs, show, thousands};
use crate::engine::facts::{ModelOrigin, ModelSpec};
use crate::engine::{OutputKind, Outputs, jobs};
use crate::paths;
use crate::words::name_list;

#[derive(Subcommand)]
pub enum ModelCommand {
    /// Architecture, spaces and their widths
    Info {
        /// demo or demo-cifar10 (built in), a run folder or a checkpoint
        model: PathBuf,
        #[command(flatten)]
        overrides: OverrideArgs,
    },
    /// Write a safetensors file under torchvision's key names, of a transformer under timm's
    Convert {
        model: PathBuf,
        out: PathBuf,
        /// Write OUT as a folder that Hugging Face transformers loads (config.json, preprocessor_config.json,
        /// model.safetensors): ResNets with ImageNet's stem, ViT and DINOv2, without a projector
        #[arg(long)]
        transformers: bool,
        #[command(flatten)]
        overrides: OverrideArgs,
    },
}

impl Commander {
    pub fn model(&self, command: ModelCommand) -> anyhow::Result<()> {
        match command {
            ModelCommand::Info { model, overrides } => {
                let info = jobs::model::info(&ModelSpec { overrides: overrides.into(), ..model.into() })?;
                show(self.json(), &info, || {
                    let spaces = info.spaces.iter().map(|(name, width)| format!("{name} {width}"));
                    let told = info.origin.as_ref().map_or(String::new(), origin_words);
                    let made = info.transformer_words().or_else(|| info.bottleneck_words());
                    let made = made.map_or(String::new(), |words| format!("\n{words}"));
                    format!(
                        "{}: {}, {} parameters, input {} x {} pixels, computed in {}, spaces {}, sha256 {:.12}, {}{made}\nplaces {}{told}",
                        info.name,
                        info.arch,
                        thousands(info.parameters as u64),
                        info.input,
                        info.input,
                        info.precision_words(),
                        spaces.collect::<Vec<_>>().join(", "),
                        info.hash,
                        info.sums_words(),
                        info.places_words()
                    )
                })
            }
            ModelCommand::Convert { model, out, transformers, overrides } => {
                let model = ModelSpec { overrides: overrides.into(), ..model.into() };
                let outputs = Outputs::default().reads_model("MODEL", &model);
                let kind = if transformers { OutputKind::Folder } else { OutputKind::File };
                outputs.writes("OUT", &*out, kind).check()?;
                match transformers {
                    true => jobs::model::convert_for_transformers(&model, &out)?,
                    false => jobs::model::convert(&model, &out)?,
                }
                show(self.json(), &json!({ "out": paths::to_words(&out) }), || out.display().to_string())
            }
        }
    }
}

/// What was recognised in another program's file and what was assumed, a line each.
fn origin_words(origin: &ModelOrigin) -> String {
    let of = |words: &str, names: &[String]| match names {
        [] => String::new(),
        names => format!("\n{words}: {}", name_list(names)),
    };
    let network =
        if origin.network.is_empty() { String::new() } else { format!(", network {}", origin.network) };
    format!(
        "\nrecognised: {} names{network}; {}{}{}{}{}",
        origin.names,
        origin.head,
        of("other networks in the file, for --weights", &origin.others),
        of("said by the configuration beside the weights", &origin.believed),
        of("assumed, since nothing says it", &origin.assumed),
        of("not used", &origin.ignored)
    )
}
