//! The table of settings.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use toml::Value;

use super::setting::{Absent, Range, Setting, SettingChoice, SettingPlace};
use crate::augment::{Crop, whole_kernel};
use crate::model::BackboneConfig;
use crate::objective::{Constant, METHODS, Objective};
use crate::train::optimizer::Rule;

/// Views of an image: a loss compares two at least; methods of many patches take some hundred.
const VIEWS: RangeInclusive<usize> = 2..=1024;
/// Most layers of a projector, and their most components.
const PROJECTOR: (usize, RangeInclusive<usize>) = (16, 1..=65_536);

/// All rows, in the order in which one decides about them.
pub fn rows() -> Vec<Setting> {
    let mut rows = run_rows();
    rows.extend(objective_rows());
    rows.extend(optimizer_rows());
    rows.extend(schedule_rows());
    rows.extend(model_rows());
    rows.extend(watch_rows());
    rows.extend(view_rows());
    rows
}

/// Whether what computes in float32 sees it as a positive number: no less rounds to zero there, no more to infinity.
fn is_positive(number: f64) -> bool {
    (f64::from(f32::MIN_POSITIVE)..=f64::from(f32::MAX)).contains(&number)
}

/// A row without choices that may take any value of its kind.
fn row(path: impl Into<Cow<'static, str>>, help: &'static str) -> Setting {
    Setting { path: path.into(), help, range: Range::Any, choices: vec![], absent: None }
}

impl Setting {
    fn whole(self, range: RangeInclusive<u64>) -> Self {
        Self { range: Range::Whole(range), ..self }
    }

    fn number(self, words: &'static str, holds: fn(f64) -> bool) -> Self {
        Self { range: Range::Number { words, holds }, ..self }
    }

    fn positive(self) -> Self {
        self.number("more than 0, within float32 (1.2e-38 to 3.4e38)", is_positive)
    }

    fn not_negative(self) -> Self {
        self.number("0, or more within float32 (1.2e-38 to 3.4e38)", |number| {
            number == 0.0 || is_positive(number)
        })
    }

    fn probability(self) -> Self {
        self.number("a probability from 0 to 1", |number| (0.0..=1.0).contains(&number))
    }

    /// The check gives what is expected, with the numbers of the configuration, where the value is not taken.
    fn beside(self, words: &'static str, missed: fn(SettingPlace<'_>) -> Option<String>) -> Self {
        Self { range: Range::Beside { words, missed }, ..self }
    }

    fn flag(self) -> Self {
        self.beside("true or false", |_| None)
    }

    fn one_of(self, names: &[&str]) -> Self {
        let choice =
            |name: &&str| SettingChoice { name: (*name).into(), value: Value::String((*name).into()) };
        Self { choices: names.iter().map(choice).collect(), ..self }
    }

    /// Each possibility is a table, given as TOML.
    fn one_table_of(self, tables: &[(&str, &str)]) -> Self {
        let choice = |(name, text): &(&str, &str)| SettingChoice {
            name: (*name).into(),
            value: Value::Table(toml::from_str(text).expect("a table written here")),
        };
        Self { choices: tables.iter().map(choice).collect(), ..self }
    }

    fn absent(self, meaning: &'static str, like: Value) -> Self {
        Self { absent: Some(Absent { meaning, like }), ..self }
    }
}

fn run_rows() -> Vec<Setting> {
    vec![
        row("epochs", "Passes over the data set.").whole(1..=100_000),
        row("warmup_epochs", "Passes during which the learning rate rises linearly.").beside(
            "0 to epochs",
            |SettingPlace { config, .. }| {
                let epochs = config.epochs;
                let is_inside = (0.0..=epochs as f64).contains(&config.warmup_epochs);
                (!is_inside).then(|| format!("0 to epochs ({epochs})"))
            },
        ),
        row("batch", "Images in a batch; each gives one patch per view.").whole(2..=65_536),
        row("accumulate", "Micro-batches that a batch is cut into, to need less memory.").beside(
            "a divisor of batch that leaves micro-batches of at least 2 images",
            |SettingPlace { config, .. }| {
                let (batch, parts) = (config.batch, config.accumulate);
                let divides = parts >= 1 && batch.is_multiple_of(parts) && batch / parts >= 2;
                (!divides).then(|| {
                    format!("a divisor of batch ({batch}) that leaves micro-batches of at least 2 images")
                })
            },
        ),
        row(
            "batch_statistics",
            "each: batch normalisation looks at each view apart, as in VICReg's code. joint: at all views together, as in the code of NMCE (TCR) and EMP-SSL.",
        )
        .one_of(&["each", "joint"]),
        row(
            "precision",
            "full: float32. mixed: convolutions and linear layers in float16, for GPUs that have it; slower on a processor.",
        )
        .one_of(&["full", "mixed"]),
        row("images", "Use only so many images; all where empty. Where the data has no test split, probes look at the others, drawn evenly of each class.")
            .beside("at least one batch", |SettingPlace { config, .. }| {
                let batch = config.batch;
                config.images.is_some_and(|images| images < batch).then(|| format!("at least one batch ({batch})"))
            })
            .absent("all", Value::Integer(0)),
        row("images_order", "Which images, where not all: spread over the data set and its classes, or the first of it.")
            .one_of(&["spread", "first"])
            .absent("spread", Value::String("spread".into())),
        row("holdout", "Share of each class that is kept from training, drawn by the seed: probes look at it. For data with one split.")
            .number("more than 0, less than 1, or nothing", |share| share > 0.0 && share < 1.0)
            .absent("none", Value::Float(0.0)),
        row("seed", "Seed of the weights, the order of images, what is held out and every augmentation.").whole(0..=i64::MAX as u64),
        row("checkpoint_every", "Steps between checkpoints; one is also written at the start and at the end.")
            .number("at least 1 step", |steps| steps >= 1.0),
    ]
}

/// The objective and the constants of every loss.
fn objective_rows() -> Vec<Setting> {
    let choice = |objective: Objective| {
        let value = Value::try_from(&objective).expect("an objective is a table");
        SettingChoice { name: objective.name().into(), value }
    };
    let choices = Objective::all().into_iter().map(choice).collect();
    let mut rows = vec![Setting { choices, ..row("objective", "The loss, with constants of its own.") }];
    rows.extend(loss_constants());
    rows
}

/// One row for every constant of a loss, as the loss tells it; a name that several losses have is one row.
fn loss_constants() -> Vec<Setting> {
    let constants: BTreeMap<&str, &Constant> =
        METHODS.iter().flat_map(|method| method.constants).map(|constant| (constant.key, constant)).collect();
    let row = |constant: &Constant| Setting {
        range: Range::Constant(constant.range),
        ..row(format!("objective.{}", constant.key), constant.help)
    };
    constants.into_values().map(row).collect()
}

fn optimizer_rows() -> Vec<Setting> {
    let choice = |rule: Rule| SettingChoice {
        name: rule.name().into(),
        value: Value::try_from(rule).expect("a rule is a table"),
    };
    let share = |path: &'static str, help| {
        row(path, help).number("0 to below 1", |share| (0.0..1.0).contains(&share))
    };
    vec![
        Setting {
            choices: Rule::ALL.map(choice).into(),
            ..row("optimizer.rule", "How a gradient moves the weights, with constants of its own.")
        },
        share("optimizer.rule.beta1", "Weight of the past in the running mean of gradients."),
        share("optimizer.rule.beta2", "Weight of the past in the running mean of squared gradients."),
        share("optimizer.rule.eta", "Length of a step of a layer against the norm of its weights."),
        share("optimizer.rule.momentum", "Weight of earlier steps in a step."),
        row(
            "optimizer.rule.trust",
            "clipped: the learning rate only shrinks, as for CIFAR. plain: as for ImageNet.",
        )
        .one_of(&["clipped", "plain"]),
        row(
            "optimizer.rule.nesterov",
            "Whether a step looks ahead by the momentum (EMP-SSL's code).",
        )
        .flag(),
        row(
            "optimizer.rule.decay_at_zero",
            "Whether decay moves a weight whose gradient is exactly zero; in solo-learn's code, and that of NMCE and EMP-SSL, not.",
        )
        .flag(),
        row("optimizer.lr", "Learning rate for a batch of 1024 images; it scales linearly with the batch, unless lr_scale says otherwise.")
            .positive(),
        row(
            "optimizer.lr_scale",
            "per-1024, per-256 (VICReg's code, solo-learn): lr is for so many images and scales with the batch. none: lr is what it is (NMCE, EMP-SSL).",
        )
        .one_of(&["per-1024", "per-256", "none"]),
        row("optimizer.weight_decay", "Biases and batch norm get none.").not_negative(),
        row(
            "optimizer.clip_norm",
            "Gradients of a larger joint norm are scaled down to it; never where empty.",
        )
        .number("more than 0 within float32 (1.2e-38 to 3.4e38), or nothing", is_positive)
        .absent("never", Value::Float(0.0)),
    ]
}

fn schedule_rows() -> Vec<Setting> {
    vec![
        row(
            "schedule.start",
            "above: the first step of the warm-up has a part of the learning rate, its last step all. zero: the first has none (VICReg's code).",
        )
        .one_of(&["above", "zero"]),
        row(
            "schedule.cosine",
            "warmup: the cosine begins after the warm-up. run: with the run, beneath the warm-up (NMCE's code).",
        )
        .one_of(&["warmup", "run"]),
        row("schedule.end", "What the cosine ends at, as a share of the learning rate (VICReg's code: 0.001).")
            .number("a share from 0 to 1", |share| (0.0..=1.0).contains(&share)),
        row("schedule.every", "Whether the learning rate changes with every step, or with every pass over the data (NMCE's code).")
            .one_of(&["step", "epoch"]),
    ]
}

fn model_rows() -> Vec<Setting> {
    let (least, most) = (*BackboneConfig::WIDTHS.start() as u64, *BackboneConfig::WIDTHS.end() as u64);
    vec![
        row("model.backbone.depth", "Layers of the network.").one_of(&["resnet18", "resnet34", "resnet50"]),
        row("model.backbone.width", "Channels of the first stage: 64 in the standard network.")
            .whole(least..=most),
        row(
            "model.backbone.bottleneck",
            "Channels inside the first stage's bottlenecks, where not width: twice as many in wide ResNets.",
        )
        .beside("1 to 1,024, in networks of bottlenecks (resnet50)", |SettingPlace { config, .. }| {
            let backbone = &config.model.backbone;
            let fits = |inner: &usize| BackboneConfig::WIDTHS.contains(inner) && backbone.depth.is_bottleneck();
            let missed = backbone.bottleneck.is_some_and(|inner| !fits(&inner));
            missed.then(|| "1 to 1,024, in networks of bottlenecks (resnet50)".into())
        })
        .absent("width", Value::Integer(0)),
        row("model.backbone.stem", "First layers: cifar keeps 32 x 32, pooled halves once, imagenet twice.")
            .one_table_of(&[
                ("cifar", "kind = 'cifar'\npadding = 1"),
                ("pooled", "kind = 'pooled'\npadding = 1"),
                ("imagenet", "kind = 'imagenet'"),
            ]),
        row(
            "model.backbone.stem.padding",
            "Padding of the first convolution: 1 is the paper's, 2 that of solo-learn.",
        )
        .number("1 or 2", |padding| padding == 1.0 || padding == 2.0),
        row(
            "model.projector",
            "Output widths of the projector's layers; the last is that of z (Sec. 3 of the paper).",
        )
        .beside("1 to 16 layers, of widths of 1 to 65,536", |SettingPlace { config, .. }| {
            let widths = &config.model.projector;
            let (most, range) = PROJECTOR;
            match widths.len() {
                0 => Some("at least one layer".into()),
                layers if layers > most => Some(format!("at most {most} layers")),
                _ => (!widths.iter().all(|width| range.contains(width)))
                    .then(|| "widths of 1 to 65,536".into()),
            }
        }),
        row("model.input", "Side of the network's input, pixels.").whole(8..=1024),
        row("model.resize", "How a crop is brought to that side.").one_of(&["bilinear", "bicubic"]),
        row(
            "model.normalization",
            "data: by mean and deviation of the data. nmce: by CIFAR-10's in the code of NMCE, deviations .2023 .1994 .2010. half: by .5 and .5, as EMP-SSL's code.",
        )
        .one_of(&["data", "nmce", "half"]),
        row(
            "model.zero_init",
            "Whether the last normalisation of each residual block starts at 0, as in VICReg's code.",
        )
        .flag(),
        row("model.projector_bias", "Whether the projector's last layer has a bias; in VICReg's code it has none.")
            .flag(),
    ]
}

/// What is kept of a run, and how it is measured while it goes on.
fn watch_rows() -> Vec<Setting> {
    vec![
        row("keep.every", "Of older checkpoints, those whose step is a multiple of this stay; 0 for none."),
        row("keep.last", "The newest so many checkpoints stay, and the first; 0 keeps all."),
        row("probe.asked", "Held-out images that the online kNN classifier is asked about.").whole(1..=100_000),
        row("probe.every", "Steps between probes of the model on held-out images; 0 for none."),
        row("probe.images", "Held-out images whose patches (16 of each) are embedded with every probe.").whole(2..=1024),
        row("probe.known", "Labelled images that the online kNN classifier knows; 0 leaves it out.").whole(0..=100_000),
        row(
            "probe.patches",
            "Patches of an image whose embeddings the classifier averages; crops of many sizes are answered by the whole image.",
        )
        .whole(1..=256),
    ]
}

fn view_rows() -> Vec<Setting> {
    let mut rows = vec![
        row("views", "Number of views that are made of each image; two or more.")
            .beside("2 to 1,024", |SettingPlace { config, .. }| {
                (!VIEWS.contains(&config.views.len())).then(|| "2 to 1,024".into())
            }),
        row("views.N.resize", "How a crop is brought to the side of the network's input.")
            .one_of(&["bilinear", "bicubic"]),
    ];
    rows.extend(crop_rows());
    rows.push(row("views.N.flip", "Probability of a mirrored view.").probability());
    rows.extend(color_rows());
    rows
}

fn crop_rows() -> Vec<Setting> {
    vec![
        row(
            "views.N.crop",
            "A patch of fixed size at a random place (Sec. 3.1), or a random share of the image's area.",
        )
        .one_table_of(&[
            ("fixed-size patch", "[fixed]\nsize = 14"),
            ("random share of the area", "[scale]\nmin = 0.08\nmax = 1.0"),
        ]),
        row("views.N.crop.fixed.size", "Side of a patch, pixels of the image.")
            .number("at least 1 pixel", |pixels| pixels >= 1.0),
        row("views.N.crop.scale.min", "Least share of the image's area.")
            .number("a share of the area above 0, at most 1", |share| share > 0.0 && share <= 1.0),
        row("views.N.crop.scale.max", "Largest share of the image's area.").beside(
            "a share of the area from crop.scale.min to 1",
            |SettingPlace { config, item }| match config.views[item].crop {
                Crop::Scale { min, max } if !(max >= min && max <= 1.0) => {
                    Some("a share of the area from crop.scale.min to 1".into())
                }
                _ => None,
            },
        ),
    ]
}

fn color_rows() -> Vec<Setting> {
    let strength = |path: &'static str, help| {
        row(path, help).number("a strength from 0 to 10", |value| (0.0..=10.0).contains(&value))
    };
    vec![
        row("views.N.jitter.p", "Probability that the colours change at all.").probability(),
        strength("views.N.jitter.brightness", "Brightness is multiplied by 1 - this to 1 + this."),
        strength("views.N.jitter.contrast", "Contrast is multiplied by 1 - this to 1 + this."),
        row("views.N.jitter.hue", "Hues turn by at most this part of the circle.")
            .number("a shift from 0 to 0.5", |shift| (0.0..=0.5).contains(&shift)),
        strength("views.N.jitter.saturation", "Saturation is multiplied by 1 - this to 1 + this."),
        row("views.N.grey", "Probability of a grey view.").probability(),
        row("views.N.blur.p", "Probability of a blurred view.").probability(),
        row("views.N.blur.kernel", "Side of the blur's kernel, pixels; odd.").beside(
            "an odd number of pixels below twice the view's side",
            |SettingPlace { config, item }| {
                let (kernel, side) = (config.views[item].blur.kernel, config.model.input);
                let fits = kernel % 2 == 1 && kernel / 2 < side;
                let limit = 2 * u64::from(side);
                (!fits).then(|| format!("an odd number of pixels below {limit}, twice the view's side"))
            },
        ),
        row(
            "views.N.blur.whole",
            "Whether the blur reaches as far as its deviation asks, 4 deviations, as Pillow's does, and not only over the kernel.",
        )
        .beside("false, or true where 4 of the largest deviation are less than the view's side", |SettingPlace { config, item }| {
            let (blur, side) = (&config.views[item].blur, config.model.input);
            let fits = !blur.whole || whole_kernel(blur.sigma[1]) / 2 < side;
            (!fits).then(|| format!("false, or a deviation below {} pixels, a quarter of the view's side", side / 4))
        }),
        row("views.N.blur.sigma", "Least and largest deviation of the blur, pixels.").beside(
            "two numbers of pixels above 0, the lesser first",
            |SettingPlace { config, item }| {
                let [low, high] = config.views[item].blur.sigma;
                let in_order = is_positive(low) && is_positive(high) && low <= high;
                (!in_order).then(|| "two numbers of pixels above 0, the lesser first".into())
            },
        ),
        row("views.N.solarise", "Probability that values of at least one half are inverted.").probability(),
    ]
}
