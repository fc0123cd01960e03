//! How long a plan will take, by how long what is done of it took: cells are as long as the inputs to the network that
//! they need.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::engine::ask::EvalPlan;
use crate::eval::inputs_per_image;
use crate::progress::Progress;

/// The pace of a plan.
pub struct PlanPace {
    /// Inputs to the network for an image, of each cell.
    costs: Vec<f64>,
    /// Cells that are over.
    at: usize,
    /// Since when cells are made, not found.
    begun: Option<Instant>,
    /// Costs of what was made so far, but for the cell at work.
    made: f64,
    /// Of the cell at work the share that was made by now, and that is left.
    cell: (f64, f64),
}

impl PlanPace {
    /// Nothing is done yet.
    pub fn new(plan: &EvalPlan) -> Self {
        let cost = |(_, evaluation): (usize, usize)| {
            let config = plan.config(&plan.evaluations[evaluation], 0, Path::new(""));
            config.map_or(1, |config| inputs_per_image(&config.patches)) as f64
        };
        let seeds = plan.seeds.len();
        let costs = plan.pairs().flat_map(|pair| std::iter::repeat_n(cost(pair), seeds)).collect();
        Self { costs, at: 0, begun: None, made: 0.0, cell: (0.0, 1.0) }
    }

    /// The next cell is not there, and is made.
    pub fn begin_cell(&mut self) {
        self.begun.get_or_insert_with(Instant::now);
    }

    /// How far the cell is; classifiers count for nothing.
    pub fn hear(&mut self, progress: &Progress) {
        if progress.what == "embedding" && progress.total > 0 {
            let share = |count: u64| count as f64 / progress.total as f64;
            let made = progress.done.saturating_sub(progress.resumed);
            self.cell = (share(made), 1.0 - share(progress.done));
        }
    }

    /// The next cell is there.
    pub fn end_cell(&mut self) {
        self.made += self.costs.get(self.at).map_or(0.0, |cost| cost * self.cell.0);
        (self.at, self.cell) = (self.at + 1, (0.0, 1.0));
    }

    /// Time left for all cells, if so much has been made that it can be told.
    pub fn left(&self) -> Option<Duration> {
        self.left_after(self.begun?.elapsed())
    }

    fn left_after(&self, elapsed: Duration) -> Option<Duration> {
        let cost = |at: usize| self.costs.get(at).copied().unwrap_or(0.0);
        let made = self.made + cost(self.at) * self.cell.0;
        let after: f64 = self.costs.iter().skip(self.at + 1).sum();
        let left = after + cost(self.at) * self.cell.1;
        (made > 0.0).then(|| Duration::from_secs_f64(elapsed.as_secs_f64() * left / made))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ask::{PlannedEvaluation, PlannedModel};

    #[test]
    fn time_left_is_that_of_all_cells_by_the_inputs_that_they_need() {
        let evaluation = |name: &str, patches: &[&str]| PlannedEvaluation {
            name: name.into(),
            patch: Some(14),
            patches: patches.iter().map(|it| (*it).to_owned()).collect(),
            ..PlannedEvaluation::default()
        };
        let plan = EvalPlan {
            models: vec![PlannedModel { name: "a".into(), path: "demo".into(), options: Default::default() }],
            evaluations: vec![evaluation("small", &["central", "1"]), evaluation("large", &["16", "4"])],
            seeds: vec![0, 1],
            ..EvalPlan::of("demo".into())
        };
        let mut pace = PlanPace::new(&plan);
        assert_eq!(pace.costs, [2.0, 2.0, 16.0, 16.0]);
        let after =
            |pace: &PlanPace, secs| pace.left_after(Duration::from_secs(secs)).map(|left| left.as_secs());
        // The first is there; of the second half comes from files and a quarter is made.
        pace.end_cell();
        assert_eq!(after(&pace, 5), None);
        let mut at = Progress {
            what: "embedding",
            done: 75,
            total: 100,
            resumed: 50,
            unit: "patches",
            elapsed: Duration::ZERO,
        };
        pace.hear(&at);
        assert_eq!(after(&pace, 5), Some(5 * (32 * 2 + 1)));
        at.done = 100;
        pace.hear(&at);
        at.what = "linear probe";
        at.done = 1;
        pace.hear(&at);
        assert_eq!(after(&pace, 10), Some(320));
        pace.end_cell();
        assert_eq!(after(&pace, 10), Some(320));
        pace.end_cell();
        pace.end_cell();
        assert_eq!(after(&pace, 10), Some(0));
    }
}
