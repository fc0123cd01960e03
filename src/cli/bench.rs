//! `bagssl bench`.

use super::shared::{Commander, show};
use crate::engine::jobs;
use crate::gui::frame_time;

impl Commander {
    pub fn bench(&self, quick: bool) -> anyhow::Result<()> {
        let mut report = self.job(|job| jobs::bench::bench(quick, job))?;
        let count = jobs::bench::repetitions(quick);
        report.measures.extend(frame_time::measure(self.shared.device, count, &self.cancel)?);
        show(self.json(), &report, || {
            let mut lines =
                vec![format!("{} ({}), {} threads", report.device, report.reason, report.threads)];
            lines.extend(report.measures.iter().map(|m| {
                format!("{:<60} {:>10.2} {} (p95 {:.2}, n {})", m.name, m.value, m.unit, m.p95, m.n)
            }));
            lines.join("\n")
        })
    }
}
