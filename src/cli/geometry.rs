//! `bagssl geometry`.

use std::path::PathBuf;

use clap::Args;

use super::shared::{
    Commander, DecodingArgs, ModelArgs, PlotArgs, pixels, positive, show, skipped_words, thousands,
};
use crate::engine::facts::{DataSpec, GeometryConfig, SpaceGeometry, SpacePair, Split};
use crate::engine::jobs::fresh::FreshPatches;
use crate::engine::jobs::geometry::{GeometryReport, GeometryRequest, GeometrySource};
use crate::engine::jobs::plot;
use crate::engine::{Outputs, defaults, jobs};

#[derive(Args)]
pub struct GeometryArgs {
    /// Folder of a bank; without it the patches of --data are embedded with --model for this alone
    #[arg(conflicts_with_all = ["model", "data", "split", "patch", "stride", "limit", "OverrideArgs", "DecodingArgs"])]
    pub bank: Option<PathBuf>,
    /// A second bank, of the same patches under another model
    #[arg(long, value_name = "BANK", requires = "bank")]
    pub beside: Option<PathBuf>,
    #[command(flatten)]
    pub model: ModelArgs,
    #[arg(long, default_value = "demo")]
    pub data: DataSpec,
    #[arg(long, value_enum)]
    pub split: Option<Split>,
    #[command(flatten)]
    pub decoding: DecodingArgs,
    /// Patch size, pixels; what suits the images and the model unless told
    #[arg(long, value_parser = pixels())]
    pub patch: Option<u32>,
    /// Distance between patches, pixels; about 7 x 7 of each image unless told
    #[arg(long, value_parser = pixels())]
    pub stride: Option<u32>,
    /// Only N images, spread over the data set and its classes
    #[arg(long, value_name = "N", default_value_t = defaults::GALLERY_IMAGES, value_parser = positive())]
    pub limit: usize,
    /// Spaces, such as h,z; all unless told
    #[arg(long, value_delimiter = ',')]
    pub space: Vec<String>,
    /// Look at N patches, drawn by the seed (norms: at all)
    #[arg(long, value_name = "N", default_value_t = GeometryConfig::default().sample, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(10..=20_000))]
    pub sample: usize,
    /// Neighbours of each, for hubs and overlap
    #[arg(long, default_value_t = GeometryConfig::default().k, value_parser = positive())]
    pub k: usize,
    /// Draw spectra, hubs and the likeness of spaces: .svg, .pdf or .png
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Also write the table of spaces, as comma-separated values
    #[arg(long, value_name = "FILE.csv")]
    pub csv: Option<PathBuf>,
    #[command(flatten)]
    pub plot: PlotArgs,
}

impl Commander {
    pub fn geometry(&self, args: GeometryArgs) -> anyhow::Result<()> {
        let look = args.plot;
        let plot = args.out.map(|out| look.file(out));
        let inputs = Outputs::default().reads("BANK", args.bank.as_deref());
        let mut inputs = inputs.reads("--beside", args.beside.as_deref());
        let source = match args.bank {
            Some(bank) => GeometrySource::Banks(bank, args.beside),
            None => {
                let fresh = FreshPatches {
                    model: args.model.into(),
                    data: args.decoding.of(args.data),
                    split: args.split,
                    limit: Some(args.limit),
                    patch: args.patch,
                    stride: args.stride,
                };
                inputs = inputs.reads_model("--model", &fresh.model).reads_data("--data", &fresh.data);
                GeometrySource::Fresh(fresh)
            }
        };
        plot::check(inputs, plot.as_ref(), args.csv.as_deref())?;
        let request = GeometryRequest {
            source,
            spaces: args.space,
            sample: args.sample,
            k: args.k,
            plot,
            csv: args.csv,
        };
        let report = self.job(|job| jobs::geometry::geometry(&request, job))?;
        show(self.json(), &report, || words(&report))
    }
}

fn words(report: &GeometryReport) -> String {
    let geometry = &report.geometry;
    let models: Vec<String> = report.models.iter().map(|model| model.name.clone()).collect();
    let mut lines = vec![
        format!(
            "{} on {}: {} of {} patches of {4} x {4} pixels every {5}, seed {6}; norms: all{7}",
            models.join(" (A) and "),
            report.data,
            thousands(geometry.rows),
            thousands(geometry.of),
            report.grid.patch,
            report.grid.stride,
            geometry.seed,
            skipped_words(&report.skipped)
        ),
        format!(
            "{:>8} {:>6} {:>8} {:>8} {:>6} {:>7} {:>24} {:>7} {:>8} {:>6}",
            "space",
            "width",
            "RankMe",
            "particip",
            "90 %",
            "TwoNN",
            "norm p5, median, p95",
            "hubness",
            "largest",
            "never"
        ),
    ];
    lines.extend(geometry.spaces.iter().map(space_words));
    lines.push(format!(
        "hubness: skewness of how often a patch is among the {} nearest of the others; largest: most often; never: share \
         that is nobody's neighbour",
        geometry.k
    ));
    if !geometry.pairs.is_empty() {
        lines.push(format!("{:>17} {:>7} {:>9} overlap@{}", "spaces", "CKA", "unbiased", geometry.k));
        lines.extend(geometry.pairs.iter().map(pair_words));
    }
    lines.extend(report.files.iter().map(|files| format!("{}{}", files.out.display(), files.warning_line())));
    lines.join("\n")
}

fn some(value: Option<f64>, decimals: usize) -> String {
    value.map_or("-".into(), |value| format!("{value:.decimals$}"))
}

fn space_words(space: &SpaceGeometry) -> String {
    let SpaceGeometry { spread, norms, hubs, .. } = space;
    let [low, _, median, _, high] = norms.quantiles;
    format!(
        "{:>8} {:>6} {:>8.1} {:>8} {:>6} {:>7} {:>24} {:>7.2} {:>8} {:>6.3}",
        space.space,
        spread.width,
        spread.rank,
        some(space.participation_ratio, 1),
        space.components_90,
        some(space.two_nn.map(|found| found.dimension), 1),
        format!("{low:.2}, {median:.2}, {high:.2}"),
        hubs.skewness,
        hubs.largest,
        hubs.never
    )
}

fn pair_words(pair: &SpacePair) -> String {
    let overlap = pair.overlap;
    format!(
        "{:>8} {:>8} {:>7} {:>9} {:.3}  [{:.3}, {:.3}]  by chance {:.3}",
        pair.a,
        pair.b,
        some(pair.cka, 3),
        some(pair.unbiased_cka, 3),
        overlap.value,
        overlap.low,
        overlap.high,
        pair.chance
    )
}
