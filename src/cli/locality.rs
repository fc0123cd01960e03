//! `bagssl locality`.

use clap::Args;

use super::shared::{Commander, DecodingArgs, ModelArgs, pixels, positive, show, thousands};
use crate::engine::facts::{DataSpec, LocalityConfig, Split};
use crate::engine::jobs;
use crate::engine::jobs::evaluate::LocalityRequest;
use crate::patch::PatchGrid;
use crate::words::sample_words;

#[derive(Args)]
pub struct LocalityArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[arg(long, default_value = "demo")]
    pub data: DataSpec,
    /// Held-out images unless told
    #[arg(long, value_enum, default_value = "test")]
    pub split: Split,
    /// Patch size, pixels
    #[arg(long, default_value_t = 16, value_parser = pixels())]
    pub patch: u32,
    /// Distance between patches, pixels
    #[arg(long, default_value_t = 8, value_parser = pixels())]
    pub stride: u32,
    /// Only N images, spread over the data set and its classes
    #[arg(long, value_parser = positive())]
    pub limit: Option<usize>,
    /// Query patches
    #[arg(long, default_value_t = 1000, value_parser = positive())]
    pub queries: usize,
    /// Neighbours of each
    #[arg(long, default_value_t = 20, value_parser = positive())]
    pub k: usize,
    #[command(flatten)]
    pub decoding: DecodingArgs,
}

impl Commander {
    pub fn locality(&self, args: LocalityArgs) -> anyhow::Result<()> {
        let request = LocalityRequest {
            model: args.model.into(),
            data: args.decoding.of(args.data),
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
                "part purity of {} neighbours from other images, {} queries, {} patches of {}",
                report.config.neighbours,
                report.queries,
                thousands(report.patches as u64),
                sample_words(report.images, result.of, 0)
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
}
