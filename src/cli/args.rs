//! What can be typed: the commands and the options that they share. The arguments of each
//! command stand with the command.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::bank::{BankCommand, EmbedArgs, KnnArgs};
use super::data::DataCommand;
use super::eval::{EvalArgs, LocalityArgs};
use super::figure::{FigureArgs, GalleryArgs, HeatmapArgs};
use super::model::ModelCommand;
use super::train::TrainArgs;
use crate::engine::facts::{DeviceChoice, Split};

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
    #[arg(long, global = true, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1024))]
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
    /// Make a figure again from its sidecar, or the loss curve of a run
    Figure(FigureArgs),
    /// This machine's numbers
    Bench {
        /// Fewer repetitions, a smaller bank
        #[arg(long)]
        quick: bool,
    },
}

#[derive(Args, Default)]
pub struct GuiArgs {
    /// demo, a run folder or a checkpoint
    #[arg(long)]
    pub model: Option<String>,
    /// demo, a folder or an image file
    #[arg(long)]
    pub data: Option<String>,
    /// Split of the data set
    #[arg(long, value_enum)]
    pub split: Option<Split>,
    /// Open this image file instead of a data set
    #[arg(long, conflicts_with = "data")]
    pub image: Option<PathBuf>,
}

impl GuiArgs {
    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.model.is_none() && self.data.is_none() && self.split.is_none() && self.image.is_none()
    }
}

/// A number of at least 1.
pub fn positive() -> clap::builder::RangedU64ValueParser<usize> {
    clap::builder::RangedU64ValueParser::new().range(1..)
}

/// Pixels: 1 to 65,536.
pub fn pixels() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=65_536)
}
