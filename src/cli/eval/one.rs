//! One evaluation.

use anyhow::{Context, bail};

use super::args::{Areas, EvalArgs};
use crate::cli::shared::{Commander, WrongUsage, duration, skipped_words, thousands};
use crate::engine::facts::*;
use crate::engine::{EvalReport, EvalRequest, Holdout};
use crate::words::name_list;

/// What becomes of images unless told.
const PATCHES: [Aggregate; 4] =
    [Aggregate::Central, Aggregate::Mean(1), Aggregate::Mean(16), Aggregate::Mean(256)];

impl Commander {
    pub(super) fn eval_request(&self, args: EvalArgs) -> anyhow::Result<EvalRequest> {
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
                knn: constants.knn(),
                linear: constants.linear(),
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

pub(super) fn eval_words(report: &EvalReport) -> String {
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
        let whose = if seed == config.seed { "" } else { " (that of the model's training)" };
        lines
            .push(format!("the test split was drawn: {} % of each class, seed {seed}{whose}", 100.0 * share));
    }
    lines.extend(report.warnings.iter().map(|warning| format!("warning: {warning}")));
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
