//! `bagssl figure fig3a` and `bagssl converge`.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use crate::cli::shared::{
    Commander, DecodingArgs, ModelArgs, PlotArgs, WrongUsage, pixels, positive, show, skipped_words,
    thousands,
};
use crate::engine::facts::{
    ConvergencePoint, DataSpec, OverDraws, PatchCount, Space, SpaceConvergence, Split,
};
use crate::engine::jobs::convergence::{
    CarriedReport, CarriedRequest, ConvergenceReport, ConvergenceRequest, ConvergenceSource,
};
use crate::engine::jobs::plot;
use crate::engine::{Outputs, jobs};
use crate::words::sample_words;

#[derive(Args)]
pub struct ConvergenceArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// demo, a folder, an image file or CIFAR's archive
    #[arg(long, default_value = "demo")]
    pub data: DataSpec,
    #[arg(long, value_enum)]
    pub split: Option<Split>,
    #[command(flatten)]
    pub decoding: DecodingArgs,
    /// Cut patches from the image's centre N x N, scaled to N x 256/224 (224 for the paper's figure)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..=8192))]
    pub fit: Option<u32>,
    /// Patch size, pixels (the paper: 100 of 224); what suits the images and the model unless told
    #[arg(long, value_parser = pixels())]
    pub patch: Option<u32>,
    /// Distance between patches, pixels (the paper: 4); at most 25 x 25 patches unless told
    #[arg(long, value_parser = pixels())]
    pub stride: Option<u32>,
    /// Images, spread over the data set and its classes
    #[arg(long, visible_alias = "images", value_name = "N", default_value_t = ConvergenceRequest::USUAL_LIMIT, value_parser = positive())]
    pub limit: usize,
    /// Numbers of patches that are averaged; all: every patch of the image
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = PatchCount::USUAL)]
    pub counts: Vec<PatchCount>,
    /// Spaces, such as h,z or token-last (places in the map of the whole image, which is its mean); every stage, h and the
    /// projector's layers unless told
    #[arg(long, value_delimiter = ',')]
    pub space: Vec<Space>,
    /// Instead, of the image with this index: a map of how far the mean of its patches turns without each
    #[arg(long, value_name = "IMAGE", conflicts_with_all = ["limit", "counts"])]
    pub leave_one_out: Option<usize>,
    /// Draw them: .svg, .pdf or .png (a figure and --leave-one-out need it)
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Also write the numbers, as comma-separated values
    #[arg(long, value_name = "FILE.csv")]
    pub csv: Option<PathBuf>,
    #[command(flatten)]
    pub plot: PlotArgs,
}

impl Commander {
    /// Fig 3a, or which patches carry the mean of one image.
    pub(super) fn convergence(&self, args: ConvergenceArgs) -> anyhow::Result<()> {
        if args.out.is_none() {
            bail!(WrongUsage("where the figure goes is not said: --out FILE"));
        }
        self.averaged(args, |report| show(self.json(), report, || words(report)))
    }

    /// The same in numbers, by space.
    pub fn converge(&self, args: ConvergenceArgs) -> anyhow::Result<()> {
        self.averaged(args, |report| show(self.json(), &by_space(report)?, || words(report)))
    }

    fn averaged(
        &self,
        args: ConvergenceArgs,
        tell: impl FnOnce(&ConvergenceReport) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let source = ConvergenceSource {
            model: args.model.into(),
            data: args.decoding.of(args.data),
            split: args.split,
            fit: args.fit,
            patch: args.patch,
            stride: args.stride,
            as_in_paper: false,
            spaces: args.space,
        };
        let (look, csv) = (args.plot, args.csv);
        let plot = args.out.map(|out| look.file(out));
        let inputs =
            Outputs::default().reads_model("--model", &source.model).reads_data("--data", &source.data);
        plot::check(inputs, plot.as_ref(), csv.as_deref())?;
        if let Some(index) = args.leave_one_out {
            let plot = plot.ok_or(WrongUsage("--leave-one-out draws a map; where it goes: --out FILE"))?;
            let request = CarriedRequest { source, index, plot, csv };
            let report = self.job(|job| jobs::convergence::carried(&request, job))?;
            return show(self.json(), &report, || carried_words(&report));
        }
        let request = ConvergenceRequest { source, limit: args.limit, counts: args.counts, plot, csv };
        tell(&self.job(|job| jobs::convergence::convergence(&request, job))?)
    }
}

/// The report with its cosines with the whole image by the name of the space: of N patches, the most that an image has.
fn by_space(report: &ConvergenceReport) -> anyhow::Result<Value> {
    let point = |point: &ConvergencePoint| {
        let OverDraws { mean, low, high, .. } = point.whole?;
        Some(json!({ "n": point.patches.1, "mean": mean, "low": low, "high": high }))
    };
    let points = |space: &SpaceConvergence| {
        let points: Vec<Value> = space.points.iter().filter_map(point).collect();
        (space.space.clone(), Value::from(points))
    };
    let mut shown = serde_json::to_value(report)?;
    shown["spaces"] = Value::Object(report.spaces.iter().map(points).collect());
    Ok(shown)
}

fn words(report: &ConvergenceReport) -> String {
    let sample = sample_words(report.images, report.of, 0);
    let (patch, stride) = (report.patch, report.stride);
    let mut lines = vec![format!(
        "{} on {}: {sample}; patches of {patch} x {patch} pixels every {stride}; seed {}{}",
        report.model,
        report.data,
        report.seed,
        skipped_words(&report.skipped)
    )];
    lines.push("cosine of the mean of N patches with the whole image's vector [95 %], deviation over images; and with R, the mean of all".into());
    for space in &report.spaces {
        lines.extend(space.points.iter().map(|point| {
            let (fewest, most) = point.patches;
            let count = match fewest == most {
                true => thousands(most),
                false => format!("{} to {}", thousands(fewest), thousands(most)),
            };
            let whole = point.whole.map_or(String::new(), |whole| {
                let OverDraws { mean, low, high, deviation, .. } = whole;
                format!("  {mean:.3}  [{low:.3}, {high:.3}]  {deviation:.3};")
            });
            format!("{:>8} {count:>9}{whole}  R {:.3}", space.space, point.mean.mean)
        }));
    }
    lines.extend(report.files.iter().map(|files| format!("{}{}", files.out.display(), files.warning_line())));
    lines.join("\n")
}

fn carried_words(report: &CarriedReport) -> String {
    let CarriedReport { image, patch, stride, rows, cols, .. } = report;
    let mut lines = vec![format!(
        "{} on image {image} of {}: {rows} x {cols} patches of {patch} x {patch} pixels every {stride}; how far R, \
         their mean, turns without each (1 - cosine)",
        report.model, report.data
    )];
    // In the order in which a patch passes them, as everywhere; by name they are in JSON alone.
    let mut spaces: Vec<_> = report.spaces.iter().collect();
    spaces.sort_by_key(|(name, _)| name.parse::<Space>().ok());
    lines.extend(spaces.into_iter().map(|(name, space)| {
        let (y, x) = space.at;
        format!(
            "{name:>8}  mean {:.2e}, most {:.1} times that without the patch at y {y}, x {x}; half of it is carried by \
             {} of {} patches",
            space.mean_turn,
            space.largest,
            thousands(space.half),
            thousands(rows * cols)
        )
    }));
    lines.push(format!("{}{}", report.files.out.display(), report.files.warning_line()));
    lines.join("\n")
}
