//! `bagssl knn`.

use clap::Args;

use super::shared::{Commander, QueryArgs, search_request, show, thousands};
use crate::engine::jobs;

#[derive(Args)]
pub struct KnnArgs {
    #[command(flatten)]
    pub query: QueryArgs,
    #[arg(long, default_value = "h")]
    pub space: String,
}

impl Commander {
    pub fn knn(&self, args: KnnArgs) -> anyhow::Result<()> {
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
}
