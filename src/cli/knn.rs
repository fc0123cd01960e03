//! `bagssl knn`.

use clap::Args;

use super::shared::{Commander, QueryArgs, among_words, search_request, show};
use crate::engine::jobs;
use crate::engine::{NeighbourReport, SearchReport};
use crate::patch::PatchRef;
use crate::words::count;

#[derive(Args)]
pub struct KnnArgs {
    #[command(flatten)]
    pub query: QueryArgs,
    #[arg(long, default_value = "h")]
    pub space: String,
}

impl Commander {
    pub fn knn(&self, args: KnnArgs) -> anyhow::Result<()> {
        let request = search_request(args.query, self.shared.cache());
        let report = self.job(|job| jobs::search::knn(&request, &args.space, job))?;
        show(self.json(), &report, || knn_words(&report))
    }
}

/// The neighbours as a table below a line that says of what they are, and of how many.
fn knn_words(report: &SearchReport) -> String {
    let PatchRef { image, y, x, size } = report.query;
    let mut lines = vec![
        format!(
            "{} nearest in {} to the patch of {size} x {size} pixels of image {image} at y {y}, x {x}",
            count(report.neighbours.len(), "patch"),
            report.space
        ),
        among_words(report) + &format!("; {:.1} ms", report.milliseconds),
        format!("{:>5}  {:>8}  {:>7}  {:>6}  {:>6}  relation", "rank", "cosine", "image", "y, px", "x, px"),
    ];
    lines.extend(report.neighbours.iter().enumerate().map(|(place, neighbour)| {
        let NeighbourReport { image, y, x, cosine, relation, copies, .. } = neighbour;
        let relation = serde_json::to_value(relation).ok();
        let relation = relation.as_ref().and_then(|v| v.as_str()).unwrap_or_default().to_string();
        let copies = if *copies > 1 { format!(", {copies} copies") } else { String::new() };
        format!("{:>5}  {cosine:8.4}  {image:>7}  {y:>6}  {x:>6}  {relation}{copies}", place + 1)
    }));
    lines.join("\n")
}
