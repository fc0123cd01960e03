//! `bagssl locality`.

use std::path::PathBuf;

use clap::Args;

use super::shared::{
    Commander, DecodingArgs, ModelArgs, PlotArgs, pixels, positive, show, skipped_words, thousands,
};
use crate::engine::facts::{DataSpec, LocalityConfig, PatchSpace, Split};
use crate::engine::jobs::locality::{LocalityRequest, LocalityResult};
use crate::engine::jobs::plot;
use crate::engine::{Outputs, jobs};
use crate::patch::PatchGrid;
use crate::stats::Interval;
use crate::words::sample_words;

#[derive(Args)]
pub struct LocalityArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// demo (which knows the parts of its images), a folder, an image file or CIFAR's archive
    #[arg(long, default_value = "demo")]
    pub data: DataSpec,
    /// The test split unless told, where there is one
    #[arg(long, value_enum)]
    pub split: Option<Split>,
    /// Patch size, pixels
    #[arg(long, default_value_t = 16, value_parser = pixels())]
    pub patch: u32,
    /// Distance between patches, pixels
    #[arg(long, default_value_t = 8, value_parser = pixels())]
    pub stride: u32,
    /// Only N images, spread over the data set and its classes
    #[arg(long, value_parser = positive())]
    pub limit: Option<usize>,
    /// Spaces, such as pixels,h,z; pixels, every stage, h and the projector's layers unless told
    #[arg(long, value_delimiter = ',')]
    pub space: Vec<PatchSpace>,
    /// Query patches
    #[arg(long, default_value_t = 1000, value_parser = positive())]
    pub queries: usize,
    /// Neighbours of each
    #[arg(long, default_value_t = 20, value_parser = positive())]
    pub k: usize,
    /// Change N of the query patches (shift, scale, flip, brightness, hue, blur) to see what shows; 0 for none
    #[arg(long, value_name = "N", default_value_t = LocalityConfig::default().changed)]
    pub changed: usize,
    /// Draw the report, one page of plots: .svg, .pdf or .png
    #[arg(long, visible_alias = "report", value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Also write all numbers, as comma-separated values
    #[arg(long, value_name = "FILE.csv")]
    pub csv: Option<PathBuf>,
    #[command(flatten)]
    pub plot: PlotArgs,
    #[command(flatten)]
    pub decoding: DecodingArgs,
}

impl Commander {
    pub fn locality(&self, args: LocalityArgs) -> anyhow::Result<()> {
        let look = args.plot;
        let request = LocalityRequest {
            model: args.model.into(),
            data: args.decoding.of(args.data),
            split: args.split,
            limit: args.limit,
            grid: PatchGrid::new(args.patch, args.stride)?,
            spaces: args.space,
            config: LocalityConfig {
                queries: args.queries,
                neighbours: args.k,
                changed: args.changed,
                seed: self.seed(),
                ..LocalityConfig::default()
            },
            plot: args.out.map(|out| look.file(out)),
            csv: args.csv,
        };
        let inputs =
            Outputs::default().reads_model("--model", &request.model).reads_data("--data", &request.data);
        plot::check(inputs, request.plot.as_ref(), request.csv.as_deref())?;
        let result = self.job(|job| jobs::locality::locality(&request, job))?;
        show(self.json(), &result, || words(&result))
    }
}

fn words(result: &LocalityResult) -> String {
    let report = &result.report;
    let sample = sample_words(report.images, result.of, 0);
    let mut lines = vec![format!(
        "{} on {}: {} queries{}, {} patches of {sample}; {} neighbours, intervals of 95 %{}",
        result.model,
        result.data,
        thousands(report.queries),
        if report.parts_known { " on objects" } else { "" },
        thousands(report.patches as u64),
        report.config.neighbours,
        skipped_words(&report.skipped),
    )];
    if report.parts_known {
        lines.push("part purity of neighbours from other images".into());
        let names = report.spaces.iter().map(|space| space.space.as_str()).chain(["chance"]);
        lines.extend(names.filter_map(|name| {
            let found = report.purity.get(name)?;
            Some(format!("{name:>8}  {:.3}  [{:.3}, {:.3}]", found.mean, found.low, found.high))
        }));
    } else {
        lines.push(format!("{} does not know the parts of its images: no part purity", result.data));
    }
    lines.push("same image, same class, other class among neighbours; half-width of the cosine; near minus far, of 1 less the floor; position entropy, shuffled".into());
    lines.extend(report.spaces.iter().map(|space| {
        let share = |ranks: &[Interval]| {
            let sum: f64 = ranks.iter().map(|share| share.value).sum();
            format!("{:.2}", sum / ranks.len().max(1) as f64)
        };
        let of = &space.composition;
        let width = space.displacement.half_width;
        let width = width.map_or("none".into(), |width| format!("{width:.1} px"));
        let words = |interval: Option<Interval>| {
            interval.map_or("-".into(), |i| format!("{:.3} [{:.3}, {:.3}]", i.value, i.low, i.high))
        };
        let contrast = words(space.displacement.near_minus_far);
        let relative = words(space.displacement.near_minus_far_share);
        let positions = space
            .positions
            .map_or("-".into(), |p| format!("{:.2}, {:.2} bits", p.neighbours.value, p.shuffled.value));
        format!(
            "{:>8}  {} {} {}  {width:>9}  {contrast}, {relative}  {positions}",
            space.space,
            share(&of.same_image),
            share(&of.same_class),
            share(&of.other_class),
        )
    }));
    if report.changed > 0 {
        lines.push(format!("cosine of {} patches with themselves, changed", thousands(report.changed)));
        lines.extend(report.invariance.iter().flat_map(|curve| {
            let most = [0, curve.amounts.len() / 2, curve.amounts.len() - 1];
            let mut places = most.to_vec();
            places.dedup();
            places.into_iter().map(move |place| {
                let of = |(space, values): &(String, Vec<Option<Interval>>)| {
                    format!(
                        "{space} {}",
                        values[place].map_or("-".into(), |value| format!("{:.2}", value.value))
                    )
                };
                let cosines: Vec<String> = curve.cosines.iter().map(of).collect();
                let amount = match &*curve.unit {
                    "" => curve.change.to_string(),
                    unit => format!("{} {} {unit}", curve.change, curve.amounts[place]),
                };
                format!("{amount:>24}  {}", cosines.join("  "))
            })
        }));
    }
    lines.extend(result.files.iter().map(|files| format!("{}{}", files.out.display(), files.warning_line())));
    lines.join("\n")
}
