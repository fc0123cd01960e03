//! Each command: its arguments made into a request, its result into words.

use std::path::Path;

use anyhow::Context;
use serde_json::json;

use super::args::*;
use super::output::{Bar, bytes, duration, show, thousands};
use crate::engine::compose::Style;
use crate::engine::facts::*;
use crate::engine::jobs::embed::{BankSource, EmbedRequest};
use crate::engine::jobs::evaluate::{EvalRequest, LocalityRequest};
use crate::engine::jobs::figures::{GalleryRequest, HeatmapRequest};
use crate::engine::jobs::search::SearchRequest;
use crate::engine::jobs::train::{Start, TrainRequest};
use crate::engine::jobs::{self, Job};
use crate::patch::PatchGrid;
use crate::progress::CancelToken;

/// Does what the arguments say.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    let Cli { shared, window: opened, command } = cli;
    let Some(command) = command else { return window(opened, &shared) };
    if let Command::Gui(args) = command {
        return window(args, &shared);
    }
    let context = Commander::new(shared)?;
    match command {
        Command::Gui(_) => unreachable!("handled above"),
        Command::Data(command) => context.data(command),
        Command::Model(command) => context.model(command),
        Command::Embed(args) => context.embed(args),
        Command::Bank(command) => context.bank(command),
        Command::Knn(args) => context.knn(args),
        Command::Heatmap(args) => context.heatmap(args),
        Command::Gallery(args) => context.gallery(args),
        Command::Train(args) => context.train(args),
        Command::Eval(args) => context.eval(args),
        Command::Locality(args) => context.locality(args),
        Command::Figure(args) => context.figure(args),
        Command::Bench { quick } => context.bench(quick),
    }
}

fn window(args: GuiArgs, shared: &Shared) -> anyhow::Result<()> {
    let data = args.data.unwrap_or_else(|| "demo".into());
    let model = args.model.unwrap_or_else(|| "demo".into());
    let options = crate::gui::GuiOptions { model, data, split: args.split, image: args.image };
    crate::gui::open(options, shared.device)
}

/// What all commands share while they run.
struct Commander {
    shared: Shared,
    cancel: CancelToken,
    bar: Bar,
}

impl Commander {
    fn new(shared: Shared) -> anyhow::Result<Self> {
        let cancel = CancelToken::default();
        let token = cancel.clone();
        // The second Ctrl-C does not wait for work that looks up too rarely.
        #[allow(clippy::disallowed_methods)]
        let stop = move || if token.is_cancelled() { std::process::exit(130) } else { token.cancel() };
        ctrlc::set_handler(stop).context("could not listen for Ctrl-C")?;
        Ok(Self { shared, cancel, bar: Bar::new() })
    }

    fn json(&self) -> bool {
        self.shared.json
    }

    fn seed(&self) -> u64 {
        self.shared.seed.unwrap_or(0)
    }

    /// Runs a job with progress on the bar.
    fn job<T>(&self, run: impl FnOnce(Job<'_>) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let mut progress = |progress| self.bar.update(&progress);
        run(Job {
            device: self.shared.device,
            seed: self.seed(),
            cancel: &self.cancel,
            progress: &mut progress,
        })
    }

    fn data(&self, command: DataCommand) -> anyhow::Result<()> {
        match command {
            DataCommand::Info { data, split } => {
                let info = jobs::data::info(&data, split)?;
                show(self.json(), &info, || {
                    let size = match (info.width, info.height) {
                        (Some(width), Some(height)) => format!("{width} x {height} pixels"),
                        _ => "of several sizes".into(),
                    };
                    let split = info.split.map_or(String::new(), |split| format!(", {}", split.name()));
                    format!(
                        "{} ({}{split}): {} images {size}, {} classes{}",
                        info.name,
                        info.kind,
                        thousands(info.images as u64),
                        info.classes,
                        skipped_words(&info.skipped)
                    )
                })
            }
            DataCommand::Get { set, out, url, md5 } => {
                let request = jobs::data::GetRequest { variant: set, out, url, md5 };
                let report = self.job(|job| jobs::data::get(request, job))?;
                show(self.json(), &report, || {
                    let what = if report.already_there { "was there already" } else { "is in place" };
                    format!("{} {what}: {} images", report.path.display(), thousands(report.images as u64))
                })
            }
            DataCommand::Synth { out, images, size, split } => {
                let request = jobs::data::SynthRequest { out, images, size, split };
                let report = self.job(|job| jobs::data::synth(&request, job))?;
                show(self.json(), &report, || {
                    format!(
                        "{}: {} images of {} classes, {} parts",
                        report.path.display(),
                        thousands(report.images as u64),
                        report.classes.len(),
                        report.parts.len()
                    )
                })
            }
        }
    }

    fn model(&self, command: ModelCommand) -> anyhow::Result<()> {
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

    fn embed(&self, args: EmbedArgs) -> anyhow::Result<()> {
        let request = EmbedRequest {
            model: args.model,
            source: BankSource { data: args.data, split: args.split, limit: args.limit },
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

    fn bank(&self, command: BankCommand) -> anyhow::Result<()> {
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

    fn knn(&self, args: KnnArgs) -> anyhow::Result<()> {
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

    fn heatmap(&self, args: HeatmapArgs) -> anyhow::Result<()> {
        let request = HeatmapRequest {
            model: args.model,
            image: args.image,
            fit: args.fit,
            grid: PatchGrid::new(args.patch, args.stride)?,
            at: (args.at.x, args.at.y),
            spaces: args.space,
            dpi: args.style.dpi,
            style: style(&args.style),
            out: args.out,
            values: args.values,
        };
        let report = self.job(|job| jobs::figures::heatmap(&request, job))?;
        show(self.json(), &report, || {
            let spaces = report.spaces.iter();
            let spaces =
                spaces.map(|(name, s)| format!("{name} {:.2} to {:.2}, mean {:.2}", s.min, s.max, s.mean));
            format!(
                "{}: {} x {} patches, query at y {}, x {}; {}",
                report.out.display(),
                report.rows,
                report.cols,
                report.query.y,
                report.query.x,
                spaces.collect::<Vec<_>>().join("; ")
            )
        })
    }

    fn gallery(&self, args: GalleryArgs) -> anyhow::Result<()> {
        let request = GalleryRequest {
            search: search_request(args.query),
            spaces: args.space,
            data: args.data,
            dpi: args.style.dpi,
            style: style(&args.style),
            out: args.out,
        };
        let report = jobs::figures::gallery(&request)?;
        show(self.json(), &report, || {
            let spaces = report.spaces.iter();
            let spaces = spaces.map(|s| format!("{} in {}", s.neighbours.len(), s.space)).collect::<Vec<_>>();
            format!("{}: neighbours {}", report.out.display(), spaces.join(", "))
        })
    }

    fn train(&self, args: TrainArgs) -> anyhow::Result<()> {
        if args.list {
            return self.recipes();
        }
        let (data, out) = (args.data.context("--data is missing")?, args.out.context("--out is missing")?);
        let start = if args.resume {
            Start::Resume
        } else {
            let mut config = match (&args.recipe, &args.config) {
                (Some(name), _) => find_recipe(name)?.config,
                (None, Some(file)) => read_config(file)?,
                (None, None) => {
                    anyhow::bail!("what to train: expected --recipe NAME, --config FILE or --resume")
                }
            };
            if let Some(seed) = self.shared.seed {
                config.seed = seed;
            }
            config.set(&args.set)?;
            Start::New(Box::new(config))
        };
        let request = TrainRequest { data, split: args.split, out, start, log_every: args.log_every };
        let mut watch = |m: &Metrics| {
            self.bar.say(&format!(
                "step {:>6}  epoch {:>6.2}  loss {:>8.4}  lr {:.4}  gradient {:.2}  {:.0} views/s",
                m.step, m.epoch, m.loss, m.lr, m.grad_norm, m.views_per_second
            ));
        };
        let report = self.job(|job| jobs::train::train(&request, job, &mut watch))?;
        show(self.json(), &report, || {
            format!(
                "step {}, epoch {:.2}, {} views/s on {}; {}",
                report.step,
                report.epoch,
                report.views_per_second.map_or("0".into(), |rate| format!("{rate:.0}")),
                report.device,
                report.checkpoint.display()
            )
        })
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
                    "cost": r.cost,
                })
            })
            .collect();
        show(self.json(), &json!({ "recipes": recipes }), || {
            let line = |r: &Recipe| {
                let (method, arch) = (r.config.objective.title(), r.config.model.backbone.title());
                format!(
                    "{:<30} {method} on {}, {arch}, {} epochs, for {}; {}",
                    r.name, r.regime, r.config.epochs, r.data, r.cost
                )
            };
            all_recipes().iter().map(line).collect::<Vec<_>>().join("\n")
        })
    }

    fn eval(&self, args: EvalArgs) -> anyhow::Result<()> {
        let request = EvalRequest {
            model: args.model,
            data: args.data,
            limit_train: args.limit_train,
            limit_test: args.limit_test,
            config: EvalConfig {
                patch: args.patch,
                patches: args.patches,
                knn: KnnConfig { k: args.k, temperature: args.temperature },
                seed: self.seed(),
            },
        };
        let report = self.job(|job| jobs::evaluate::evaluate(&request, job))?;
        show(self.json(), &report, || {
            let mut lines = vec![format!(
                "{}: kNN, cosine, k {}, T {}; {} of {} train, {} of {} test images; chance {:.1} %",
                report.model,
                report.config.knn.k,
                report.config.knn.temperature,
                report.train.images,
                report.train.of,
                report.test.images,
                report.test.of,
                100.0 * report.chance
            )];
            lines.extend(report.rows.iter().map(|row| {
                let took = duration(row.seconds as u64);
                format!(
                    "{:>8} patches  {:5.2} %  of {} images, {took}",
                    row.patches,
                    100.0 * row.accuracy,
                    row.images
                )
            }));
            lines.join("\n")
        })
    }

    fn locality(&self, args: LocalityArgs) -> anyhow::Result<()> {
        let request = LocalityRequest {
            model: args.model,
            data: args.data,
            split: Some(args.split),
            limit: args.limit,
            grid: PatchGrid::new(args.patch, args.stride)?,
            config: LocalityConfig {
                queries: args.queries,
                neighbours: args.k,
                seed: self.seed(),
                ..LocalityConfig::default()
            },
        };
        let result = self.job(|job| jobs::evaluate::locality(&request, job))?;
        show(self.json(), &result, || {
            let report = &result.report;
            let mut lines = vec![format!(
                "part purity of {} neighbours from other images, {} queries, {} patches of {} images",
                report.config.neighbours,
                report.queries,
                thousands(report.patches as u64),
                report.images
            )];
            lines.extend(
                report
                    .purity
                    .iter()
                    .map(|(name, p)| format!("{name:>8}  {:.3}  [{:.3}, {:.3}]", p.mean, p.low, p.high)),
            );
            lines.join("\n")
        })
    }

    fn figure(&self, args: FigureArgs) -> anyhow::Result<()> {
        let saved = if args.source.is_dir() {
            jobs::train::loss_curve(&args.source, &args.out, args.dpi.unwrap_or(300))?
        } else {
            jobs::figures::again(&args.source, &args.out, args.dpi)?
        };
        show(self.json(), &json!({ "out": saved.out, "sidecar": saved.sidecar }), || {
            saved.out.display().to_string()
        })
    }

    fn bench(&self, quick: bool) -> anyhow::Result<()> {
        let report = self.job(|job| jobs::bench::bench(quick, job))?;
        show(self.json(), &report, || {
            let mut lines =
                vec![format!("{} ({}), {} threads", report.device, report.reason, report.threads)];
            lines.extend(report.measures.iter().map(|m| {
                format!("{:<60} {:>10.2} {} (p95 {:.2}, n {})", m.name, m.value, m.unit, m.p95, m.n)
            }));
            lines.join("\n")
        })
    }
}

fn read_config(path: &Path) -> anyhow::Result<TrainConfig> {
    let text = std::fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
    TrainConfig::from_toml(&text).with_context(|| path.display().to_string())
}

fn search_request(args: QueryArgs) -> SearchRequest {
    SearchRequest {
        bank: args.bank,
        query: (args.query.image, args.query.y, args.query.x),
        k: args.k,
        exclude_same_image: args.exclude_same_image,
        per_image: args.per_image,
    }
}

fn style(args: &FigureStyle) -> Style {
    Style { width_in: args.width, colormap: args.colormap, range: args.range.0 }
}

fn skipped_words(skipped: &[Skipped]) -> String {
    match skipped {
        [] => String::new(),
        [first, ..] => format!("; {} skipped, first {}: {}", skipped.len(), first.file, first.reason),
    }
}
