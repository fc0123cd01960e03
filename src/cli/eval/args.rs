//! What `bagssl eval` takes.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, bail};
use clap::Args;

use crate::cli::shared::{DecodingArgs, ModelArgs, finite, pixels, positive, share};
use crate::engine::AccuracyFigure;
use crate::engine::facts::*;

/// What says how one evaluation is done, or is that of another way to ask for many.
const OF_ONE: [&str; 13] = [
    "plan",
    "model",
    "patch",
    "crop_scale",
    "local",
    "fit",
    "space",
    "augmented",
    "classifier",
    "cache",
    "probe_batch",
    "probe_lr",
    "probe_weight_decay",
];

/// What a plan's file says itself.
const OF_PLAN: [&str; 35] = [
    "model",
    "data",
    "holdout",
    "patch",
    "crop_scale",
    "patches",
    "local",
    "fit",
    "space",
    "augmented",
    "classifier",
    "limit",
    "limit_train",
    "limit_test",
    "cache",
    "k",
    "temperature",
    "probe_epochs",
    "probe_batch",
    "probe_lr",
    "probe_weight_decay",
    "weights",
    "stem_padding",
    "max_pool",
    "heads",
    "mean",
    "std",
    "input",
    "resize",
    "resolution",
    "tiles",
    "precision",
    "activation",
    "exif",
    "value_window",
];

/// A figure of the paper that several models are measured for.
#[derive(Clone, Copy)]
pub enum MeasuredFigure {
    /// Of classifiers.
    Accuracy(AccuracyFigure),
    /// 3a: of cosines, without a classifier.
    Averages,
}

fn measured_figure(text: &str) -> anyhow::Result<MeasuredFigure> {
    match text {
        "2" => Ok(MeasuredFigure::Accuracy(AccuracyFigure::Two)),
        "3a" => Ok(MeasuredFigure::Averages),
        "3b" => Ok(MeasuredFigure::Accuracy(AccuracyFigure::ThreeB)),
        _ => bail!("expected 2, 3a or 3b"),
    }
}

#[derive(Args)]
pub struct EvalArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// With --table: a model in the place of one of the paper's, such as vicreg-patches=runs/a, simclr-multi=runs/b
    /// (Tables 4 and 5: vicreg=FILE), which has the paper's numbers beside it; or by another name. With --figure: by any
    /// name
    #[arg(value_name = "NAME=MODEL", requires = "paper")]
    pub models: Vec<PlacedModel>,
    #[arg(long, required_unless_present = "plan")]
    pub data: Option<DataSpec>,
    /// The evaluations of a table of the paper, 1 to 5, with these models
    #[arg(long, value_name = "N", group = "paper", requires_all = ["models", "out"], value_parser = clap::value_parser!(u8).range(1..=5), conflicts_with_all = OF_ONE)]
    pub table: Option<u8>,
    /// A figure of the paper of these models, drawn in --out beside its numbers: 2 or 3b, accuracies of each on patches or
    /// crops as it was trained on; 3a, cosines of means of patches with the whole image
    #[arg(long, value_name = "2|3a|3b", group = "paper", requires_all = ["models", "out"], value_parser = measured_figure, conflicts_with_all = OF_ONE)]
    pub figure: Option<MeasuredFigure>,
    /// A grid of models and evaluations in place of one, as the paper's tables are; the same command goes on where it
    /// stopped
    #[arg(long, value_name = "FILE.toml", requires = "out", conflicts_with_all = OF_PLAN)]
    pub plan: Option<PathBuf>,
    /// With --plan, --table or --figure: the folder that its results are kept in; the same command goes on where it
    /// stopped
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// With --table or --figure: each evaluation once with each of these seeds, such as 0,1,2; means and deviations are told
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', requires = "paper")]
    pub seeds: Option<Vec<u64>>,
    /// Of a set with one split: draw this share of each class, by --seed, as its test split; by the seed of its training for a
    /// model that was trained with a holdout of it
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub holdout: Option<f64>,
    /// Patch size, pixels
    #[arg(long, value_parser = pixels(), conflicts_with = "crop_scale")]
    pub patch: Option<u32>,
    /// Crops of A to B of the image's area (RandomResizedCrop) instead of patches, such as 0.08,1
    #[arg(long, value_name = "A,B")]
    pub crop_scale: Option<Areas>,
    /// How images become vectors: central (the whole image), or the mean over so many patches [default:
    /// central,1,16,256; with --table or --figure those of the paper]
    #[arg(long, value_delimiter = ',')]
    pub patches: Option<Vec<Aggregate>>,
    /// Also the local aggregation of Table 5, both readings: 5x5 patches of 16x16, and the last feature map
    #[arg(long)]
    pub local: bool,
    /// Cut patches from the image's centre N x N, scaled to N x 256/224
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..=8192))]
    pub fit: Option<u32>,
    /// Which vectors, such as hidden1, z or token-last (places in the map of the whole image; central is the mean over it)
    #[arg(long, value_name = "NAME", default_value = "h")]
    pub space: Space,
    /// Change patches and crops as the model's training views were, colours and all, as EMP-SSL's code evaluates
    #[arg(long)]
    pub augmented: bool,
    #[arg(long, value_delimiter = ',', default_value = "linear,knn")]
    pub classifier: Vec<Classifier>,
    /// Only N images of each split, spread over it and its classes
    #[arg(long, value_name = "N", value_parser = positive(), conflicts_with_all = ["limit_train", "limit_test"])]
    pub limit: Option<usize>,
    /// Only N training images
    #[arg(long, value_name = "N", value_parser = positive())]
    pub limit_train: Option<usize>,
    /// Only N test images
    #[arg(long, value_name = "N", value_parser = positive())]
    pub limit_test: Option<usize>,
    /// Keep features in this folder, and use what is there: long work resumes where it stopped
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    #[command(flatten)]
    pub constants: ClassifierArgs,
    #[command(flatten)]
    pub decoding: DecodingArgs,
}

/// `NAME=MODEL`: what a model is called, and where it is.
#[derive(Clone)]
pub struct PlacedModel {
    pub name: String,
    pub path: PathBuf,
}

impl FromStr for PlacedModel {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('=').filter(|(name, path)| !name.is_empty() && !path.is_empty());
        let (name, path) = parts.with_context(|| {
            format!("\"{text}\": expected NAME=MODEL, such as vicreg-patches=runs/vicreg")
        })?;
        Ok(Self { name: name.to_owned(), path: path.into() })
    }
}

/// `A,B`: shares of an image's area.
#[derive(Clone, Copy)]
pub struct Areas {
    pub min: f64,
    pub max: f64,
}

impl FromStr for Areas {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ends = text.split_once(',').and_then(|(min, max)| {
            Some(Self { min: min.trim().parse().ok()?, max: max.trim().parse().ok()? })
        });
        let ends = ends.filter(|Self { min, max }| *min > 0.0 && min <= max && *max <= 1.0);
        ends.with_context(|| format!("\"{text}\": expected A,B with 0 < A <= B <= 1, such as 0.08,1"))
    }
}

/// Constants of the classifiers.
#[derive(Args)]
pub struct ClassifierArgs {
    /// Neighbours of the kNN classifier [default: 20]
    #[arg(long, value_parser = positive())]
    pub k: Option<usize>,
    /// Temperature of the kNN classifier [default: 0.07]
    #[arg(long, value_parser = finite)]
    pub temperature: Option<f32>,
    /// Epochs of the linear probe [default: 100]
    #[arg(long, value_parser = positive())]
    pub probe_epochs: Option<usize>,
    /// Batch of the linear probe
    #[arg(long, default_value_t = LinearConfig::default().batch, value_parser = positive())]
    pub probe_batch: usize,
    /// Learning rate of the linear probe for a batch of 100
    #[arg(long, default_value_t = LinearConfig::default().lr)]
    pub probe_lr: f64,
    /// Weight decay of the linear probe
    #[arg(long, default_value_t = LinearConfig::default().weight_decay)]
    pub probe_weight_decay: f64,
}

impl ClassifierArgs {
    /// The kNN classifier.
    pub fn knn(&self) -> KnnConfig {
        let usual = KnnConfig::default();
        KnnConfig { k: self.k.unwrap_or(usual.k), temperature: self.temperature.unwrap_or(usual.temperature) }
    }

    /// The linear probe.
    pub fn linear(&self) -> LinearConfig {
        let usual = LinearConfig::default();
        LinearConfig {
            epochs: self.probe_epochs.unwrap_or(usual.epochs),
            batch: self.probe_batch,
            lr: self.probe_lr,
            weight_decay: self.probe_weight_decay,
            ..usual
        }
    }

    /// Whether what tables and figures take of them was said.
    pub fn is_told(&self) -> bool {
        self.k.is_some() || self.temperature.is_some() || self.probe_epochs.is_some()
    }
}

impl EvalArgs {
    /// The models by name and place, and the data.
    pub fn of_models(&self) -> anyhow::Result<(Vec<(String, PathBuf)>, DataSpec)> {
        let data = self.data.clone().context("--data is missing")?;
        let models = self.models.iter().map(|model| (model.name.clone(), model.path.clone()));
        Ok((models.collect(), self.decoding.of(data)))
    }
}

#[cfg(test)]
mod tests {
    use clap::{Arg, CommandFactory};

    use super::{KnnConfig, LinearConfig, OF_PLAN};
    use crate::cli::command::Cli;
    use crate::cli::shared::{OVERRIDES, READING};

    #[test]
    fn a_plan_refuses_whatever_is_said_in_place_of_what_its_file_says() {
        let all = Cli::command();
        let eval = all.find_subcommand("eval").unwrap();
        let is_of_plan = |arg: &&Arg| {
            arg.get_help_heading().is_some_and(|heading| [OVERRIDES, READING].contains(&heading))
        };
        let names: Vec<&str> =
            eval.get_arguments().filter(is_of_plan).map(|arg| arg.get_id().as_str()).collect();
        assert!(names.len() > 10, "{names:?}");
        let lacking: Vec<&&str> = names.iter().filter(|name| !OF_PLAN.contains(*name)).collect();
        assert!(lacking.is_empty(), "{lacking:?}");
    }

    #[test]
    fn help_says_the_constants_of_the_classifiers() {
        let all = Cli::command();
        let eval = all.find_subcommand("eval").unwrap();
        let (knn, linear) = (KnnConfig::default(), LinearConfig::default());
        for (name, value) in [
            ("k", knn.k.to_string()),
            ("temperature", knn.temperature.to_string()),
            ("probe_epochs", linear.epochs.to_string()),
        ] {
            let arg = eval.get_arguments().find(|arg| arg.get_id() == name).unwrap();
            let help = arg.get_help().unwrap().to_string();
            assert!(help.ends_with(&format!("[default: {value}]")), "{help}");
        }
    }
}
