//! What can be typed: the commands and the options that they share. The arguments of each
//! command stand with the command.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context;
use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand};

use super::bank::{BankCommand, EmbedArgs, KnnArgs};
use super::compare::CompareArgs;
use super::data::DataCommand;
use super::eval::{EvalArgs, LocalityArgs};
use super::figure::{FigureArgs, GalleryArgs, HeatmapArgs};
use super::model::ModelCommand;
use super::train::TrainArgs;
use crate::engine::facts::{DeviceChoice, ModelSpec, Overrides, Resize, Split};
use crate::gui::Link;

/// See what a self-supervised vision model thinks is alike.
#[derive(Parser)]
#[command(name = "bagssl", version, about)]
pub struct Cli {
    #[command(flatten)]
    pub shared: Shared,
    #[command(flatten)]
    pub window: GuiArgs,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options of every command.
#[derive(Args)]
pub struct Shared {
    /// Where tensors are computed
    #[arg(long, global = true, value_enum, default_value_t)]
    pub device: DeviceChoice,
    /// Seed of everything random
    #[arg(long, global = true)]
    pub seed: Option<u64>,
    /// CPU threads; all by default
    #[arg(long, global = true, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub threads: Option<usize>,
    /// Print one JSON document on stdout and nothing else
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Subcommand)]
pub enum Command {
    /// Open the window (also what happens without a command)
    Gui(GuiArgs),
    /// Look at, fetch or make data sets
    #[command(subcommand)]
    Data(DataCommand),
    /// Look at or convert models
    #[command(subcommand)]
    Model(ModelCommand),
    /// Embed all patches of a data set into a bank
    Embed(EmbedArgs),
    /// Look at a bank or hand it to other tools
    #[command(subcommand)]
    Bank(BankCommand),
    /// Find the nearest neighbours of a patch
    Knn(KnnArgs),
    /// Count the neighbours that two models have in common (overlap@k), by a bank of each
    Compare(CompareArgs),
    /// Draw the heatmap of a patch (Fig. 4)
    Heatmap(HeatmapArgs),
    /// Draw the nearest neighbours of a patch (Fig. 5)
    Gallery(GalleryArgs),
    /// Train a model
    Train(TrainArgs),
    /// Accuracy of a model's features by the paper's protocol
    Eval(EvalArgs),
    /// Part purity of a model's neighbours on the built-in set
    Locality(LocalityArgs),
    /// Make a figure of the paper by its number (fig4 to fig12), any figure again from its sidecar, or a run's loss curve
    Figure(FigureArgs),
    /// This machine's numbers
    Bench {
        /// Fewer repetitions, a smaller bank
        #[arg(long)]
        quick: bool,
    },
}

/// A model, and what is said in place of what its file says.
#[derive(Args)]
pub struct ModelArgs {
    /// demo or demo-cifar10 (built in), a run folder or a checkpoint
    #[arg(long, default_value = "demo")]
    pub model: String,
    #[command(flatten)]
    pub overrides: OverrideArgs,
}

impl From<ModelArgs> for ModelSpec {
    fn from(args: ModelArgs) -> Self {
        ModelSpec { path: args.model, overrides: args.overrides.into() }
    }
}

/// What is said in place of what a model's file says.
#[derive(Args, Default)]
#[command(next_help_heading = "In place of what the model's file says")]
pub struct OverrideArgs {
    /// Padding of a CIFAR stem
    #[arg(long, value_name = "1|2", value_parser = RangedU64ValueParser::<usize>::new().range(1..=2))]
    pub stem_padding: Option<usize>,
    /// Subtracted from RGB in [0, 1]
    #[arg(long, value_name = "R,G,B", allow_hyphen_values = true)]
    pub mean: Option<Channels>,
    /// Divided by
    #[arg(long, value_name = "R,G,B")]
    pub std: Option<Channels>,
    /// Side of the network's input, pixels
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..=1024))]
    pub input: Option<u32>,
    /// How a patch or image reaches that side
    #[arg(long, value_enum)]
    pub resize: Option<Resize>,
}

impl OverrideArgs {
    fn is_empty(&self) -> bool {
        let Self { stem_padding, mean, std, input, resize } = self;
        stem_padding.is_none() && mean.is_none() && std.is_none() && input.is_none() && resize.is_none()
    }
}

impl From<OverrideArgs> for Overrides {
    fn from(args: OverrideArgs) -> Self {
        Overrides {
            stem_padding: args.stem_padding,
            mean: args.mean.map(|channels| channels.0),
            std: args.std.map(|channels| channels.0),
            input: args.input,
            resize: args.resize,
        }
    }
}

/// `R,G,B`.
#[derive(Clone, Copy)]
pub struct Channels(pub [f32; 3]);

impl FromStr for Channels {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let values: Option<Vec<f32>> =
            text.split(',').map(|part| part.trim().parse().ok().filter(|v: &f32| v.is_finite())).collect();
        let values = values.and_then(|values| <[f32; 3]>::try_from(values).ok());
        values.map(Self).with_context(|| format!("\"{text}\": expected R,G,B such as 0.485,0.456,0.406"))
    }
}

#[derive(Args, Default)]
pub struct GuiArgs {
    /// demo or demo-cifar10 (built in), a run folder or a checkpoint
    #[arg(long)]
    pub model: Option<String>,
    #[command(flatten)]
    pub overrides: OverrideArgs,
    /// demo, a folder or an image file
    #[arg(long)]
    pub data: Option<String>,
    /// Split of the data set
    #[arg(long, value_enum)]
    pub split: Option<Split>,
    /// Open this image file instead of a data set
    #[arg(long, conflicts_with = "data")]
    pub image: Option<PathBuf>,
    /// Show this run folder in the Train tab; more than once compares runs
    #[arg(long, value_name = "FOLDER")]
    pub run: Vec<PathBuf>,
    /// Restore what "Copy as link" wrote (bagssl:1?...)
    #[arg(long, value_name = "LINK", conflicts_with_all = ["model", "data", "split", "image"])]
    pub open: Option<Link>,
    /// Memory that patch vectors and decoded images may take, GiB; half of what is free by default
    #[arg(long, value_name = "GIB", value_parser = gibibytes)]
    pub memory: Option<f64>,
}

/// A size that a machine can have.
fn gibibytes(text: &str) -> Result<f64, String> {
    let size = text.parse().ok().filter(|size| (0.0625..=1e6).contains(size));
    size.ok_or_else(|| "expected GiB, at least 0.0625 (64 MiB)".into())
}

impl GuiArgs {
    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.model.is_none()
            && self.overrides.is_empty()
            && self.data.is_none()
            && self.split.is_none()
            && self.image.is_none()
            && self.run.is_empty()
            && self.open.is_none()
            && self.memory.is_none()
    }
}

/// A number of at least 1.
pub fn positive() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

/// Pixels: 1 to 65,536.
pub fn pixels() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=65_536)
}
