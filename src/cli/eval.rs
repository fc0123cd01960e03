//! `bagssl eval` and `locality`.

use clap::Args;

use super::args::{pixels, positive};
use super::commander::Commander;
use super::output::{duration, show, thousands};
use crate::engine::facts::*;
use crate::engine::jobs;
use crate::engine::jobs::evaluate::{EvalRequest, LocalityRequest};
use crate::patch::PatchGrid;

#[derive(Args)]
pub struct EvalArgs {
    #[arg(long, default_value = "demo")]
    pub model: String,
    #[arg(long)]
    pub data: String,
    /// Patch size, pixels
    #[arg(long, value_parser = pixels())]
    pub patch: u32,
    /// How images become vectors: central, or a number of patches
    #[arg(long, value_delimiter = ',', default_value = "central,1,16,256")]
    pub patches: Vec<Patches>,
    /// Only the first N training images
    #[arg(long, value_name = "N", value_parser = positive())]
    pub limit_train: Option<usize>,
    /// Only the first N test images
    #[arg(long, value_name = "N", value_parser = positive())]
    pub limit_test: Option<usize>,
    /// Neighbours of the kNN classifier
    #[arg(long, default_value_t = 20, value_parser = positive())]
    pub k: usize,
    /// Temperature of the kNN classifier
    #[arg(long, default_value_t = 0.07)]
    pub temperature: f32,
}

#[derive(Args)]
pub struct LocalityArgs {
    #[arg(long, default_value = "demo")]
    pub model: String,
    #[arg(long, default_value = "demo")]
    pub data: String,
    /// Held-out images unless told
    #[arg(long, value_enum, default_value = "test")]
    pub split: Split,
    /// Patch size, pixels
    #[arg(long, default_value_t = 16, value_parser = pixels())]
    pub patch: u32,
    /// Distance between patches, pixels
    #[arg(long, default_value_t = 8, value_parser = pixels())]
    pub stride: u32,
    /// Only the first N images
    #[arg(long, value_parser = positive())]
    pub limit: Option<usize>,
    /// Query patches
    #[arg(long, default_value_t = 1000, value_parser = positive())]
    pub queries: usize,
    /// Neighbours of each
    #[arg(long, default_value_t = 20, value_parser = positive())]
    pub k: usize,
}

impl Commander {
    pub fn eval(&self, args: EvalArgs) -> anyhow::Result<()> {
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

    pub fn locality(&self, args: LocalityArgs) -> anyhow::Result<()> {
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
}
