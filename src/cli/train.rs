//! `bagssl train`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;

use super::shared::{Commander, DecodingArgs, WrongUsage, duration, share, show};
use crate::engine::facts::*;
use crate::engine::jobs::train::{News, Start, TrainReport, TrainRequest};
use crate::engine::{OutputKind, Outputs, jobs};
use crate::files;

#[derive(Args)]
#[command(after_long_help = settings_help())]
pub struct TrainArgs {
    /// Name the recipes and what they cost
    #[arg(long)]
    pub list: bool,
    #[arg(long, required_unless_present = "list")]
    pub data: Option<DataSpec>,
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
    /// Of data with one split: keep this share of each class from training, drawn by the seed as `bagssl eval --holdout` does
    #[arg(long, value_name = "SHARE", value_parser = share, conflicts_with = "resume")]
    pub holdout: Option<f64>,
    /// Change one field, such as --set batch=128; --help lists them
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "resume")]
    pub set: Vec<String>,
    /// Continue the run in --out
    #[arg(long)]
    pub resume: bool,
    /// Continue from the checkpoint of this step, not the newest; later ones are kept aside
    #[arg(long, value_name = "STEP", requires = "resume")]
    pub from_step: Option<u64>,
    /// Steps between lines of metrics
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub log_every: u64,
    #[command(flatten)]
    pub decoding: DecodingArgs,
}

impl Commander {
    pub fn train(&self, args: TrainArgs) -> anyhow::Result<()> {
        if args.list {
            return self.recipes();
        }
        if args.resume && self.has_seed() {
            bail!(WrongUsage("--resume goes on with the seed of the run; leave --seed out"));
        }
        let (data, out) = (args.data.context("--data is missing")?, args.out.context("--out is missing")?);
        Outputs::default()
            .reads("--config", args.config.as_deref())
            .reads_data("--data", &data)
            .writes("--out", &*out, OutputKind::Run)
            .check()?;
        let start = if args.resume {
            args.from_step.map_or(Start::Resume, Start::ResumeFrom)
        } else {
            let mut config = match (&args.recipe, &args.config) {
                (Some(name), _) => find_recipe(name)?.config,
                (None, Some(file)) => read_config(file)?,
                (None, None) => {
                    bail!("what to train: expected --recipe NAME, --config FILE or --resume")
                }
            };
            if let Some(seed) = self.shared.seed {
                config.seed = seed;
            }
            config.holdout = args.holdout.or(config.holdout);
            config.set(&args.set)?;
            Start::New(Box::new(config))
        };
        let request = TrainRequest {
            data: args.decoding.of(data),
            split: args.split,
            out,
            start,
            log_every: args.log_every,
        };
        let mut watch = |news: &News| self.tell(news);
        let report = self.job(|job| jobs::train::train(&request, job, &mut watch))?;
        show(self.json(), &report, || {
            let unreadable = match report.unreadable_images {
                0 => String::new(),
                count => format!("; {count} more could not be read"),
            };
            let place = report.checkpoint.display();
            let TrainReport { step, epoch, device, .. } = &report;
            match report.views_per_second {
                Some(rate) => format!(
                    "{}{unreadable}\nstep {step}, epoch {epoch:.2}, {rate:.0} views/s on {device}; {place}",
                    report.data.words()
                ),
                None => {
                    format!("Nothing was left to do: the run ended at step {step}, epoch {epoch:.2}; {place}")
                }
            }
        })
    }

    fn tell(&self, news: &News) {
        match news {
            News::Metrics(m) => self.bar.say(&format!(
                "step {:>6}  epoch {:>6.2}  loss {:>8.4}  lr {:.4}  gradient {:.2}  {:.0} views/s{}",
                m.step,
                m.epoch,
                m.loss,
                m.lr,
                m.grad_norm,
                m.views_per_second,
                m.seconds_left.map_or(String::new(), |left| format!("  {} left", duration(left as u64)))
            )),
            News::Probe(probe) => self.bar.say(&probe_line(probe)),
            News::Warning(notice) => {
                self.bar.say(&format!("step {:>6}  warning: {}", notice.step, notice.message));
            }
            News::Checkpoint { .. } => {}
        }
    }

    fn recipes(&self) -> anyhow::Result<()> {
        let recipes: Vec<_> = all_recipes()
            .iter()
            .map(|r| {
                json!({
                    "name": r.name,
                    "method": r.config.objective.title(),
                    "regime": r.regime,
                    "data": r.data,
                    "arch": r.config.model.backbone.title(),
                    "epochs": r.config.epochs,
                    "purpose": r.purpose,
                    "cost": r.cost,
                })
            })
            .collect();
        show(self.json(), &json!({ "recipes": recipes }), || {
            let line = |r: &Recipe| {
                let (method, arch) = (r.config.objective.title(), r.config.model.backbone.title());
                let epochs = r.config.epochs;
                format!(
                    "{}: {}\n    {method} on {} of {}, {arch}, {epochs} epochs\n    {}",
                    r.name, r.purpose, r.regime, r.data, r.cost
                )
            };
            all_recipes().iter().map(line).collect::<Vec<_>>().join("\n")
        })
    }
}

/// Every setting with what it decides and what it takes.
fn settings_help() -> String {
    let mut text =
        "Settings, by the keys that --set and a configuration file take (N counts views from 0):".to_owned();
    text += &format!(
        "\nBetween the parts of a run, config.toml may change only in {}: the others decide the weights.",
        MAY_CHANGE.join(", ")
    );
    text += "\nNothing after the sign (--set images=) leaves out what may be absent.";
    for setting in settings::settings() {
        let expected = setting.expected().map_or(String::new(), |expected| format!(" Expected: {expected}."));
        text += &format!("\n\n  {}\n          {}{expected}", setting.path, setting.help);
    }
    text
}

fn read_config(path: &Path) -> anyhow::Result<TrainConfig> {
    let text = files::read_to_string(path, files::MOST_WORDS)
        .with_context(|| format!("could not read {}", path.display()))?;
    TrainConfig::from_toml(&text).with_context(|| path.display().to_string())
}

fn probe_line(probe: &ProbeReport) -> String {
    let mut parts = vec![format!("step {:>6}  probe:", probe.step)];
    parts.extend(probe.spaces.iter().map(|(space, spread)| {
        format!("{space} rank {:.1} of {}, deviation {:.3}", spread.rank, spread.width, spread.deviation)
    }));
    parts.extend(
        probe
            .knn
            .as_ref()
            .map(|knn| format!("kNN {:.1} % of {} images", 100.0 * knn.accuracy, knn.asked_images)),
    );
    parts.extend(probe.alarms.iter().map(|alarm| format!("ALARM: {}", alarm.message)));
    parts.join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_lists_every_setting_with_what_it_takes() {
        let help = settings_help();
        for setting in settings::settings() {
            assert!(
                help.contains(&format!("\n  {}\n", setting.path)) && help.contains(setting.help),
                "{}",
                setting.path
            );
        }
        assert!(help.contains("Passes over the data set. Expected: 1 to 100,000."));
        assert!(help.contains("Expected: one of full, mixed."));
    }
}
