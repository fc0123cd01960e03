//! `bagssl compare`.

use std::path::PathBuf;

use clap::Args;

use super::shared::{
    Commander, FILTER, QueryPlace, SearchArgs, WrongUsage, positive, recall_words, show, thousands,
};
use crate::engine::jobs::compare::{CompareReport, CompareRequest, Queries, SpaceReport};
use crate::engine::{defaults, jobs};

#[derive(Args)]
pub struct CompareArgs {
    /// Folder of a bank: give two, of the same patches, made with the two models
    #[arg(long, required = true)]
    pub bank: Vec<PathBuf>,
    /// IMAGE:Y:X, the image's index and the patch's top-left pixel; more than once for several
    #[arg(long, conflicts_with = "queries")]
    pub query: Vec<QueryPlace>,
    /// Without --query: ask about one patch at random of each of N images
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = positive())]
    pub queries: usize,
    /// Spaces, such as z,h [default: z,h, as far as they are there]
    #[arg(long, value_delimiter = ',')]
    pub space: Vec<String>,
    /// Number of neighbours
    #[arg(long, default_value_t = defaults::NEIGHBOURS, value_parser = positive())]
    pub k: usize,
    #[command(flatten)]
    pub search: SearchArgs,
    /// Leave out patches of the query's own image
    #[arg(long, help_heading = FILTER)]
    pub exclude_same_image: bool,
    /// At most N patches of any one image
    #[arg(long, value_name = "N", value_parser = positive(), help_heading = FILTER)]
    pub per_image: Option<usize>,
    /// Of images with the same pixels search one alone, the query's own or else the first
    #[arg(long, help_heading = FILTER)]
    pub fold_copies: bool,
}

impl Commander {
    pub fn compare(&self, args: CompareArgs) -> anyhow::Result<()> {
        let Ok(banks) = <[PathBuf; 2]>::try_from(args.bank) else {
            anyhow::bail!(WrongUsage("compare takes two banks: --bank A --bank B"));
        };
        let places = args.query.iter().map(|place| (place.image, place.y, place.x)).collect();
        let request = CompareRequest {
            banks,
            spaces: args.space,
            queries: if args.query.is_empty() {
                Queries::Sample(args.queries)
            } else {
                Queries::Named(places)
            },
            k: args.k,
            exclude_same_image: args.exclude_same_image,
            per_image: args.per_image,
            fold_copies: args.fold_copies,
            way: args.search.search.into(),
            cache: self.shared.cache(),
        };
        let report = self.job(|job| jobs::compare::compare(&request, job))?;
        show(self.json(), &report, || words(&report))
    }
}

fn words(report: &CompareReport) -> String {
    let [a, b] = &report.models;
    let mut lines = vec![format!(
        "overlap@{} of {} ({}) and {} ({}): {} queries over {} of {} patches{}",
        report.k,
        a.name,
        a.arch,
        b.name,
        b.arch,
        thousands(report.queries.len()),
        thousands(report.searched),
        thousands(report.total),
        if report.fold_copies { ", exact copies folded" } else { "" },
    )];
    lines.extend(report.spaces.iter().map(|of_space| {
        let SpaceReport { space, overlap, interval, chance, .. } = of_space;
        let interval = interval
            .map_or(String::new(), |interval| format!("  [{:.3}, {:.3}]", interval.low, interval.high));
        let [a, b] = of_space.searches;
        let ways = recall_words([("the first", a), ("the second", b)]);
        format!("{space:>8}  {overlap:.3}{interval}  by chance {chance:.3}  {ways}")
    }));
    lines.join("\n")
}
