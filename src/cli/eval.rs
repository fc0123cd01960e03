//! `bagssl eval`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;

use super::shared::{
    Commander, DecodingArgs, ModelArgs, WrongUsage, duration, finite, pixels, positive, share, show,
    skipped_words, thousands,
};
use crate::engine::facts::*;
use crate::engine::jobs::averages::AveragesRequest;
use crate::engine::jobs::convergence::ConvergenceRequest;
use crate::engine::jobs::evaluate::CellBegun;
use crate::engine::{
    AccuracyFigure, EvalPlan, EvalReport, EvalRequest, Holdout, OutputKind, Outputs, PlanReport, PlanRequest,
    PlannedModel, figure_plan, jobs, paper_plan, words_of_others,
};
use crate::paths;
use crate::words::{count, name_list};

/// What becomes of images unless told.
const PATCHES: [Aggregate; 4] =
    [Aggregate::Central, Aggregate::Mean(1), Aggregate::Mean(16), Aggregate::Mean(256)];

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
const OF_PLAN: [&str; 34] = [
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
    /// Of a set with one split: draw this share of each class, by --seed, as its test split
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
    /// Which vectors, such as hidden1 or z
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
    /// Neighbours of the kNN classifier
    #[arg(long, default_value_t = KnnConfig::default().k, value_parser = positive())]
    pub k: usize,
    /// Temperature of the kNN classifier
    #[arg(long, default_value_t = KnnConfig::default().temperature, value_parser = finite)]
    pub temperature: f32,
    /// Epochs of the linear probe
    #[arg(long, default_value_t = LinearConfig::default().epochs, value_parser = positive())]
    pub probe_epochs: usize,
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

impl EvalArgs {
    /// The models by name and place, and the data.
    fn of_models(&self) -> anyhow::Result<(Vec<(String, PathBuf)>, DataSpec)> {
        let data = self.data.clone().context("--data is missing")?;
        let models = self.models.iter().map(|model| (model.name.clone(), model.path.clone()));
        Ok((models.collect(), self.decoding.of(data)))
    }
}

/// What came of a plan, and the figure that was drawn of it.
#[derive(Serialize)]
struct PlanShown<'a> {
    #[serde(flatten)]
    report: &'a PlanReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    figure: Option<String>,
}

impl Commander {
    pub fn eval(&self, args: EvalArgs) -> anyhow::Result<()> {
        if let (Some(plan), Some(out)) = (&args.plan, &args.out) {
            if self.has_seed() {
                bail!(WrongUsage("--seed is not for --plan, whose file says its seeds: seeds = [0, 1]"));
            }
            let outputs = Outputs::default().reads("--plan", &**plan);
            return self.plan((EvalPlan::read(plan)?, None), out, outputs);
        }
        if let Some(out) = args.out.clone() {
            if args.table.is_none() && args.figure.is_none() {
                bail!(WrongUsage(
                    "--out is for --plan, --table or --figure; without them the result is printed"
                ));
            }
            return match args.figure {
                Some(MeasuredFigure::Averages) => self.averages(args, out),
                Some(MeasuredFigure::Accuracy(figure)) => self.of_paper(args, Some(figure), &out),
                None => self.of_paper(args, None, &out),
            };
        }
        let request = self.eval_request(args)?;
        Outputs::default()
            .reads_model("--model", &request.model)
            .reads_data("--data", &request.data)
            .writes("--cache", request.config.cache.as_deref(), OutputKind::Folder)
            .check()?;
        let report = self.job(|job| jobs::evaluate::evaluate(&request, job))?;
        show(self.json(), &report, || eval_words(&report))
    }

    /// A grid of models and evaluations, and perhaps a figure of it.
    fn plan(
        &self,
        (plan, figure): (EvalPlan, Option<AccuracyFigure>),
        out: &Path,
        outputs: Outputs,
    ) -> anyhow::Result<()> {
        outputs.writes("--out", out, OutputKind::Folder).check()?;
        let request = PlanRequest { plan, out: out.to_owned() };
        let mut say = |cell: CellBegun| {
            if cell.cells > 1 {
                let left = cell.left.map(|left| format!("; about {} left of all", duration(left.as_secs())));
                let CellBegun { number, cells, words, .. } = cell;
                self.bar.say(&format!("cell {number} of {cells}: {words}{}", left.unwrap_or_default()));
            }
        };
        let report = self.job(|job| jobs::evaluate::run_plan(request, job, &mut say))?;
        let drawn = figure.map(|figure| jobs::accuracy::figure_of(figure, out)).transpose()?;
        let drawn = drawn.map(|drawn| drawn.files.out);
        let shown = PlanShown { report: &report, figure: drawn.as_deref().map(paths::to_words) };
        show(self.json(), &shown, || {
            let (done, kept) = (count(report.cells, "cell"), thousands(report.kept));
            let drawn = drawn.as_ref().map_or(String::new(), |file| format!("; drawn as {}", file.display()));
            format!(
                "{}\n\n{done}, {kept} of them kept from before; tables in {}{drawn}",
                report.markdown.trim(),
                out.display()
            )
        })
    }

    /// A table of the paper, or a figure, with models of ours.
    fn of_paper(&self, args: EvalArgs, figure: Option<AccuracyFigure>, out: &Path) -> anyhow::Result<()> {
        let (models, data) = args.of_models()?;
        let patches = args.patches.map(|all| all.iter().map(Aggregate::to_string).collect::<Vec<_>>());
        let (constants, options) = (args.constants, Overrides::from(args.model.overrides));
        let (plan, others) = match (args.table, figure) {
            (Some(table), _) => {
                let plan = paper_plan(table, data.clone(), &models, patches.as_deref());
                (plan, words_of_others(table, &models))
            }
            (None, Some(figure)) => {
                let models = jobs::evaluate::trained_on(models)?;
                (figure_plan(figure, data.clone(), &models, patches.as_deref()), None)
            }
            (None, None) => bail!(WrongUsage("expected --table or --figure")),
        };
        let plan = EvalPlan {
            holdout: args.holdout,
            seeds: args.seeds.unwrap_or_else(|| vec![self.seed()]),
            limit_train: args.limit_train.or(args.limit),
            limit_test: args.limit_test.or(args.limit),
            probe_epochs: Some(constants.probe_epochs),
            k: Some(constants.k),
            temperature: Some(constants.temperature),
            ..plan
        };
        let own = |model| PlannedModel { options: options.clone(), ..model };
        let plan = EvalPlan { models: plan.models.into_iter().map(own).collect(), ..plan };
        plan.check()?;
        others.iter().for_each(|words| self.bar.say(words));
        let outputs = Outputs::default().reads_data("--data", &data);
        self.plan((plan, figure), out, outputs)
    }

    /// Figure 3a of models of ours.
    fn averages(&self, args: EvalArgs, out: PathBuf) -> anyhow::Result<()> {
        let others = args.holdout.is_some() || args.patches.is_some() || args.seeds.is_some();
        if others || args.limit_train.is_some() || args.limit_test.is_some() {
            bail!(WrongUsage(
                "--figure 3a takes --limit alone; bagssl figure fig3a has what else there is, of one model"
            ));
        }
        let (models, data) = args.of_models()?;
        Outputs::default()
            .reads_data("--data", &data)
            .writes("--out", Some(&*out), OutputKind::Folder)
            .check()?;
        let (limit, counts) =
            (args.limit.unwrap_or(ConvergenceRequest::USUAL_LIMIT), PatchCount::USUAL.to_vec());
        let options = Overrides::from(args.model.overrides);
        let own = |(name, path)| PlannedModel { name, path, options: options.clone() };
        let models = models.into_iter().map(own).collect();
        let request = AveragesRequest { models, data, limit, counts, out };
        let report = self.job(|job| jobs::averages::averages(&request, job))?;
        show(self.json(), &report, || {
            let (models, kept) = (count(report.models.len(), "model"), thousands(report.kept as u64));
            let (table, figure) = (report.markdown.trim(), report.figure.display());
            format!("{table}\n\n{models}, {kept} of them kept from before; drawn as {figure}")
        })
    }

    fn eval_request(&self, args: EvalArgs) -> anyhow::Result<EvalRequest> {
        let mut patches = args.patches.unwrap_or_else(|| PATCHES.to_vec());
        if args.local {
            patches.extend([Aggregate::LocalPatches, Aggregate::LocalMap]);
        }
        let crop = match (args.patch, args.crop_scale) {
            (Some(size), _) => Some(Crop::Fixed { size }),
            (None, Some(Areas { min, max })) => Some(Crop::Scale { min, max }),
            (None, None) => None,
        };
        let means = patches.iter().any(|aggregate| matches!(aggregate, Aggregate::Mean(_)));
        if means && crop.is_none() {
            bail!(WrongUsage("a mean over patches needs --patch P or --crop-scale A,B"));
        }
        let constants = args.constants;
        Ok(EvalRequest {
            model: args.model.into(),
            data: args.decoding.of(args.data.context("--data is missing")?),
            holdout: args.holdout,
            config: EvalConfig {
                crop,
                fit: args.fit,
                patches,
                classifiers: args.classifier,
                knn: KnnConfig { k: constants.k, temperature: constants.temperature },
                linear: LinearConfig {
                    epochs: constants.probe_epochs,
                    batch: constants.probe_batch,
                    lr: constants.probe_lr,
                    weight_decay: constants.probe_weight_decay,
                    ..LinearConfig::default()
                },
                limit_train: args.limit_train.or(args.limit),
                limit_test: args.limit_test.or(args.limit),
                seed: self.seed(),
                space: args.space,
                augmented: args.augmented,
                cache: args.cache,
            },
        })
    }
}

fn eval_words(report: &EvalReport) -> String {
    let (config, train, test) = (&report.config, &report.found.train, &report.found.test);
    let is_part = config.limit_train.is_some() || config.limit_test.is_some();
    let spread = if is_part { format!(" ({})", report.images_order) } else { String::new() };
    let mut lines = vec![format!(
        "{} ({}) on {}: {} of {} train and {} of {} test images{spread}; chance {:.1} %; seed {}; embedded in {} on {}",
        report.model,
        report.arch,
        report.data,
        thousands(train.images as u64),
        thousands(train.of as u64),
        thousands(test.images as u64),
        thousands(test.of as u64),
        100.0 * report.chance,
        config.seed,
        duration(report.found.embedding_seconds as u64),
        report.device,
    )];
    if let Some(Holdout { share, seed }) = report.holdout {
        lines.push(format!("the test split was drawn: {} % of each class, seed {seed}", 100.0 * share));
    }
    lines.push(match config.crop {
        Some(Crop::Fixed { size }) => {
            format!("patches of {size} x {size} pixels, distinct positions, {} averaged", config.space)
        }
        Some(Crop::Scale { min, max }) => {
            format!("crops of {min} to {max} of the area, {} averaged", config.space)
        }
        None => format!("{} of whole images", config.space),
    });
    if config.augmented {
        lines.push("patches and crops changed as the training views; the whole image is as it is".into());
    }
    lines.extend(report.decoding.iter().flat_map(DecodingFacts::words));
    if config.classifiers.contains(&Classifier::Knn) {
        let KnnConfig { k, temperature } = config.knn;
        lines.push(format!("knn: {}, k {k}, votes exp(s/T), T {temperature}", report.metric));
    }
    if config.classifiers.contains(&Classifier::Linear) {
        let LinearConfig { epochs, batch, lr, momentum, weight_decay } = config.linear;
        lines.push(format!(
            "linear: SGD, {epochs} epochs, batch {batch}, lr {lr} x batch/100, cosine to 0, momentum {momentum}, \
             weight decay {weight_decay}, from zero, last epoch"
        ));
    }
    lines.extend(report.found.rows.iter().map(row_words));
    for (split, part) in [("train", train), ("test", test)] {
        if !part.skipped.is_empty() {
            lines.push(format!("{split}{}", skipped_words(&part.skipped)));
        }
    }
    for (split, classes) in [
        ("test", &report.found.classes_without_test_images),
        ("train", &report.found.classes_without_train_images),
    ] {
        if !classes.is_empty() {
            lines.push(format!("classes without {split} images, {}: {}", classes.len(), name_list(classes)));
        }
    }
    lines.join("\n")
}

fn row_words(row: &EvalRow) -> String {
    let took = duration(row.seconds as u64);
    let fewest = row.fewest_patches.map_or(String::new(), |count| format!(", only {count} on some images"));
    let known = row.train_accuracy.map_or(String::new(), |known| format!(", train {:.2} %", 100.0 * known));
    format!(
        "{:<6} {:>13}  {:5.2} %  [{:.2}, {:.2}]  of {} images{known}, width {}, {took}{fewest}",
        row.classifier.to_string(),
        row.patches.to_string(),
        100.0 * row.accuracy,
        100.0 * row.low,
        100.0 * row.high,
        row.images,
        row.width,
    )
}

#[cfg(test)]
mod tests {
    use clap::{Arg, CommandFactory};

    use super::OF_PLAN;
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
}
