//! `bagssl embed`, `bank` and `knn`.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::args::{ModelArgs, pixels, positive};
use super::commander::{Commander, skipped_words};
use super::output::{bytes, show, thousands};
use crate::engine::facts::{Dtype, NamedFilter, Space, Split};
use crate::engine::jobs;
use crate::engine::jobs::embed::{BankSource, EmbedRequest};
use crate::engine::jobs::search::SearchRequest;
use crate::patch::PatchGrid;

#[derive(Args)]
pub struct EmbedArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[arg(long, default_value = "demo")]
    pub data: String,
    #[arg(long, value_enum)]
    pub split: Option<Split>,
    /// Patch size, pixels
    #[arg(long, value_parser = pixels())]
    pub patch: u32,
    /// Distance between patches, pixels
    #[arg(long, value_parser = pixels())]
    pub stride: u32,
    /// Folder of the bank
    #[arg(long)]
    pub out: PathBuf,
    /// Only the first N images
    #[arg(long, value_parser = positive())]
    pub limit: Option<usize>,
    /// Spaces, such as h,z
    #[arg(long, value_delimiter = ',', default_value = "h,z")]
    pub space: Vec<Space>,
    /// Number format
    #[arg(long, value_enum, default_value = "f16")]
    pub dtype: DtypeArg,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum DtypeArg {
    F16,
    F32,
}

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

#[derive(Args)]
pub struct QueryArgs {
    #[arg(long)]
    pub bank: PathBuf,
    /// IMAGE:Y:X, the image's index and the patch's top-left pixel
    #[arg(long)]
    pub query: QueryPlace,
    /// Number of neighbours
    #[arg(long, default_value_t = 119, value_parser = positive())]
    pub k: usize,
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// What is left out of the neighbours: nothing unless told.
#[derive(Args)]
pub struct FilterArgs {
    /// Leave out patches of the query's own image
    #[arg(long)]
    pub exclude_same_image: bool,
    /// At most N patches of any one image
    #[arg(long, value_name = "N", value_parser = positive())]
    pub per_image: Option<usize>,
    /// Leave out patches that overlap a nearer one of their image
    #[arg(long)]
    pub without_overlap: bool,
    /// Only patches of images of this class
    #[arg(long, value_name = "NAME")]
    pub class: Option<String>,
    /// Only patches of images of this split, in a bank of both (`embed --split all`)
    #[arg(long, value_name = "SPLIT")]
    pub only_split: Option<Split>,
}

impl From<FilterArgs> for NamedFilter {
    fn from(args: FilterArgs) -> Self {
        let FilterArgs { exclude_same_image, per_image, without_overlap, class, only_split } = args;
        Self { exclude_same_image, per_image, without_overlap, class, split: only_split }
    }
}

/// `IMAGE:Y:X`.
#[derive(Clone, Copy)]
pub struct QueryPlace {
    pub image: usize,
    pub y: u32,
    pub x: u32,
}

impl FromStr for QueryPlace {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = || format!("\"{text}\": expected IMAGE:Y:X, such as 12:8:16");
        let mut parts = text.split(':');
        let mut next = || parts.next().and_then(|part| part.parse::<u32>().ok()).with_context(expected);
        let place = Self { image: next()? as usize, y: next()?, x: next()? };
        anyhow::ensure!(parts.next().is_none(), expected());
        Ok(place)
    }
}

#[derive(Args)]
pub struct KnnArgs {
    #[command(flatten)]
    pub query: QueryArgs,
    #[arg(long, default_value = "h")]
    pub space: String,
}

impl Commander {
    pub fn embed(&self, args: EmbedArgs) -> anyhow::Result<()> {
        let request = EmbedRequest {
            model: args.model.into(),
            source: BankSource { data: args.data.into(), split: args.split, limit: args.limit },
            grid: PatchGrid::new(args.patch, args.stride)?,
            spaces: args.space,
            dtype: match args.dtype {
                DtypeArg::F16 => Dtype::F16,
                DtypeArg::F32 => Dtype::F32,
            },
            out: args.out,
        };
        let mut announce = |count| self.bar.say(&format!("the bank will take {}", bytes(count)));
        let report = self.job(|job| jobs::embed::embed(&request, job, &mut announce))?;
        show(self.json(), &report, || {
            let rate = report
                .patches_per_second
                .map_or("nothing was left to do".into(), |r| format!("{r:.0} patches/s"));
            format!(
                "{}: {} patches of {} images in {}, {}, {rate} on {}{}",
                request.out.display(),
                thousands(report.patches as u64),
                thousands(report.images as u64),
                report.spaces.join(" and "),
                bytes(report.bytes),
                report.device,
                skipped_words(&report.skipped)
            )
        })
    }

    pub fn bank(&self, command: BankCommand) -> anyhow::Result<()> {
        match command {
            BankCommand::Info { bank } => {
                let info = jobs::embed::bank_info(&bank)?;
                show(self.json(), &info, || {
                    let spaces = info.spaces.iter().map(|(name, width)| format!("{name} {width}"));
                    format!(
                        "{}: {} of {} patches ({} of {} images), {} pixels every {}, {} in {}, {}; model {}, data {}{}",
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

    pub fn knn(&self, args: KnnArgs) -> anyhow::Result<()> {
        let report = jobs::search::knn(&search_request(args.query), &args.space)?;
        show(self.json(), &report, || {
            let mut lines = vec![format!(
                "{} nearest in {} of {} patches, {:.1} ms",
                report.neighbours.len(),
                report.space,
                thousands(report.searched),
                report.milliseconds
            )];
            lines.extend(report.neighbours.iter().map(|n| {
                let relation = serde_json::to_value(n.relation).ok();
                let relation = relation.as_ref().and_then(|v| v.as_str()).unwrap_or_default().to_string();
                format!("{:8.4}  image {:>6}  at y {:>4}, x {:>4}  {relation}", n.cosine, n.image, n.y, n.x)
            }));
            lines.join("\n")
        })
    }
}

pub fn search_request(args: QueryArgs) -> SearchRequest {
    SearchRequest {
        bank: args.bank,
        query: (args.query.image, args.query.y, args.query.x),
        k: args.k,
        filter: args.filter.into(),
    }
}
