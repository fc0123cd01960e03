//! What can be typed.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::colormap::Colormap;
use crate::engine::facts::{CifarVariant, DeviceChoice, Patches, Space, Split};

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

#[derive(Subcommand)]
pub enum DataCommand {
    /// What is in a data set
    Info {
        /// demo, a folder or an image file
        data: String,
        #[arg(long, value_enum)]
        split: Option<Split>,
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
    /// Write the built-in synthetic set as an image folder, with part masks
    Synth {
        #[arg(long)]
        out: PathBuf,
        #[arg(long)]
        images: usize,
        /// Side of the images, 32 to 512 pixels
        #[arg(long, default_value_t = 64)]
        size: u32,
        #[arg(long, value_enum, default_value = "train")]
        split: Split,
    },
}

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

#[derive(Args)]
pub struct EmbedArgs {
    #[arg(long, default_value = "demo")]
    pub model: String,
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
    /// Leave out patches of the query's own image
    #[arg(long)]
    pub exclude_same_image: bool,
    /// At most N patches of any one image
    #[arg(long, value_name = "N", value_parser = positive())]
    pub per_image: Option<usize>,
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

/// How figures look.
#[derive(Args)]
pub struct FigureStyle {
    /// Page width in inches: 3.25 (a column), 5.5 or 6.75
    #[arg(long, default_value_t = 6.75)]
    pub width: f32,
    /// Pixels per inch of a PNG
    #[arg(long, default_value_t = 300)]
    pub dpi: u32,
    #[arg(long, value_enum, default_value_t)]
    pub colormap: Colormap,
    /// Ends of the colour scale, such as -1,1
    #[arg(long, value_name = "LOW,HIGH", default_value = "-1,1", allow_hyphen_values = true)]
    pub range: Ends,
}

/// `LOW,HIGH`.
#[derive(Clone, Copy)]
pub struct Ends(pub [f32; 2]);

impl FromStr for Ends {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ends = text.split_once(',').and_then(|(low, high)| {
            Some([low.trim().parse::<f32>().ok()?, high.trim().parse::<f32>().ok()?])
        });
        let ends = ends.filter(|[low, high]| low.is_finite() && high.is_finite() && low < high);
        ends.map(Self)
            .with_context(|| format!("\"{text}\": expected LOW,HIGH with LOW below HIGH, such as -1,1"))
    }
}

/// A number of at least 1.
fn positive() -> clap::builder::RangedU64ValueParser<usize> {
    clap::builder::RangedU64ValueParser::new().range(1..)
}

/// Pixels: 1 to 65,536.
fn pixels() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=65_536)
}

#[derive(Args)]
pub struct HeatmapArgs {
    #[arg(long, default_value = "demo")]
    pub model: String,
    #[arg(long)]
    pub image: PathBuf,
    /// Scale the short side to N x 256/224 and take the centre N x N
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..=8192))]
    pub fit: Option<u32>,
    /// Patch size, pixels
    #[arg(long, value_parser = pixels())]
    pub patch: u32,
    /// Distance between patches, pixels
    #[arg(long, value_parser = pixels())]
    pub stride: u32,
    /// X,Y: centre of the query patch, pixels
    #[arg(long, value_name = "X,Y")]
    pub at: Point,
    #[arg(long)]
    pub out: PathBuf,
    #[arg(long, value_delimiter = ',', default_value = "z,h")]
    pub space: Vec<Space>,
    /// Also write the cosines as a float32 array [spaces, rows, cols]
    #[arg(long, value_name = "FILE.npy")]
    pub values: Option<PathBuf>,
    #[command(flatten)]
    pub style: FigureStyle,
}

/// `X,Y`.
#[derive(Clone, Copy)]
pub struct Point {
    pub x: f32,
    pub y: f32,
}

impl FromStr for Point {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let place =
            text.split_once(',').and_then(|(x, y)| Some((x.trim().parse().ok()?, y.trim().parse().ok()?)));
        let (x, y) = place.with_context(|| format!("\"{text}\": expected X,Y in pixels, such as 112,80"))?;
        Ok(Self { x, y })
    }
}

#[derive(Args)]
pub struct GalleryArgs {
    #[command(flatten)]
    pub query: QueryArgs,
    #[arg(long)]
    pub out: PathBuf,
    #[arg(long, value_delimiter = ',', default_value = "z,h")]
    pub space: Vec<String>,
    /// Where the images of the bank lie, if they were moved
    #[arg(long)]
    pub data: Option<String>,
    #[command(flatten)]
    pub style: FigureStyle,
}

#[derive(Args)]
pub struct TrainArgs {
    /// Name the recipes and what they cost
    #[arg(long)]
    pub list: bool,
    #[arg(long, required_unless_present = "list")]
    pub data: Option<String>,
    #[arg(long, value_enum)]
    pub split: Option<Split>,
    /// Run folder
    #[arg(long, required_unless_present = "list")]
    pub out: Option<PathBuf>,
    /// A recipe's name; see --list
    #[arg(long, conflicts_with_all = ["config", "resume"], required_unless_present_any = ["list", "config", "resume"])]
    pub recipe: Option<String>,
    /// A configuration file
    #[arg(long, conflicts_with = "resume")]
    pub config: Option<PathBuf>,
    /// Change one field, such as --set batch=128
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "resume")]
    pub set: Vec<String>,
    /// Continue the run in --out
    #[arg(long)]
    pub resume: bool,
    /// Steps between lines of metrics
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub log_every: u64,
}

#[derive(Args)]
pub struct EvalArgs {
    #[arg(long, default_value = "demo")]
    pub model: String,
    #[arg(long)]
    pub data: String,
    /// Patch size, pixels
    #[arg(long, value_parser = pixels())]
    pub patch: u32,
    /// How images become vectors: central, or a number of patches
    #[arg(long, value_delimiter = ',', default_value = "central,1,16,256")]
    pub patches: Vec<Patches>,
    /// Only the first N training images
    #[arg(long, value_name = "N", value_parser = positive())]
    pub limit_train: Option<usize>,
    /// Only the first N test images
    #[arg(long, value_name = "N", value_parser = positive())]
    pub limit_test: Option<usize>,
    /// Neighbours of the kNN classifier
    #[arg(long, default_value_t = 20, value_parser = positive())]
    pub k: usize,
    /// Temperature of the kNN classifier
    #[arg(long, default_value_t = 0.07)]
    pub temperature: f32,
}

#[derive(Args)]
pub struct LocalityArgs {
    #[arg(long, default_value = "demo")]
    pub model: String,
    #[arg(long, default_value = "demo")]
    pub data: String,
    /// Held-out images unless told
    #[arg(long, value_enum, default_value = "test")]
    pub split: Split,
    /// Patch size, pixels
    #[arg(long, default_value_t = 16, value_parser = pixels())]
    pub patch: u32,
    /// Distance between patches, pixels
    #[arg(long, default_value_t = 8, value_parser = pixels())]
    pub stride: u32,
    /// Only the first N images
    #[arg(long, value_parser = positive())]
    pub limit: Option<usize>,
    /// Query patches
    #[arg(long, default_value_t = 1000, value_parser = positive())]
    pub queries: usize,
    /// Neighbours of each
    #[arg(long, default_value_t = 20, value_parser = positive())]
    pub k: usize,
}

#[derive(Args)]
pub struct FigureArgs {
    /// SIDECAR.json of a figure, or a run folder for its loss curve
    pub source: PathBuf,
    #[arg(long)]
    pub out: PathBuf,
    /// Pixels per inch of a PNG; as recorded unless told
    #[arg(long)]
    pub dpi: Option<u32>,
}
