//! Many evaluations at once: plans, and the paper's tables and figures.

use std::path::{Path, PathBuf};

use anyhow::bail;
use serde::Serialize;

use super::args::EvalArgs;
use crate::cli::shared::{Commander, WrongUsage, duration, show, thousands};
use crate::engine::facts::*;
use crate::engine::jobs::averages::AveragesRequest;
use crate::engine::jobs::convergence::ConvergenceRequest;
use crate::engine::jobs::evaluate::CellBegun;
use crate::engine::{
    AccuracyFigure, EvalPlan, OutputKind, Outputs, PlanReport, PlanRequest, PlannedModel, figure_plan, jobs,
    paper_plan, words_of_others,
};
use crate::paths;
use crate::words::count;

/// What came of a plan, and the figure that was drawn of it.
#[derive(Serialize)]
struct PlanShown<'a> {
    #[serde(flatten)]
    report: &'a PlanReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    figure: Option<String>,
}

impl Commander {
    /// A grid of models and evaluations, and perhaps a figure of it.
    pub(super) fn plan(
        &self,
        (plan, figure): (EvalPlan, Option<AccuracyFigure>),
        out: &Path,
        outputs: Outputs,
    ) -> anyhow::Result<()> {
        outputs.writes("--out", out, OutputKind::Folder).check()?;
        let request = PlanRequest { plan, out: out.to_owned() };
        let mut say = |cell: CellBegun| {
            if cell.cells > 1 {
                let left = cell.left.map(|left| format!("; about {} left of all", duration(left.as_secs())));
                let CellBegun { number, cells, words, .. } = cell;
                self.bar.say(&format!("cell {number} of {cells}: {words}{}", left.unwrap_or_default()));
            }
        };
        let report = self.job(|job| jobs::evaluate::run_plan(request, job, &mut say))?;
        let drawn = figure.map(|figure| jobs::accuracy::figure_of(figure, out)).transpose()?;
        let drawn = drawn.map(|drawn| drawn.files.out);
        let shown = PlanShown { report: &report, figure: drawn.as_deref().map(paths::to_words) };
        show(self.json(), &shown, || {
            let (done, kept) = (count(report.cells, "cell"), thousands(report.kept));
            let drawn = drawn.as_ref().map_or(String::new(), |file| format!("; drawn as {}", file.display()));
            format!(
                "{}\n\n{done}, {kept} of them kept from before; tables in {}{drawn}",
                report.markdown.trim(),
                out.display()
            )
        })
    }

    /// A table of the paper, or a figure, with models of ours.
    pub(super) fn of_paper(
        &self,
        args: EvalArgs,
        figure: Option<AccuracyFigure>,
        out: &Path,
    ) -> anyhow::Result<()> {
        let (models, data) = args.of_models()?;
        let patches = args.patches.map(|all| all.iter().map(Aggregate::to_string).collect::<Vec<_>>());
        let (knn, linear) = (args.constants.knn(), args.constants.linear());
        let options = Overrides::from(args.model.overrides);
        let (plan, others) = match (args.table, figure) {
            (Some(table), _) => {
                let plan = paper_plan(table, data.clone(), &models, patches.as_deref());
                (plan, words_of_others(table, &models))
            }
            (None, Some(figure)) => {
                let models = jobs::evaluate::trained_on(models)?;
                (figure_plan(figure, data.clone(), &models, patches.as_deref()), None)
            }
            (None, None) => bail!(WrongUsage("expected --table or --figure")),
        };
        let plan = EvalPlan {
            holdout: args.holdout,
            seeds: args.seeds.unwrap_or_else(|| vec![self.seed()]),
            limit_train: args.limit_train.or(args.limit),
            limit_test: args.limit_test.or(args.limit),
            probe_epochs: Some(linear.epochs),
            k: Some(knn.k),
            temperature: Some(knn.temperature),
            ..plan
        };
        let own = |model| PlannedModel { options: options.clone(), ..model };
        let plan = EvalPlan { models: plan.models.into_iter().map(own).collect(), ..plan };
        plan.check()?;
        others.iter().for_each(|words| self.bar.say(words));
        let outputs = Outputs::default().reads_data("--data", &data);
        self.plan((plan, figure), out, outputs)
    }

    /// Figure 3a of models of ours.
    pub(super) fn averages(&self, args: EvalArgs, out: PathBuf) -> anyhow::Result<()> {
        let others = args.holdout.is_some() || args.patches.is_some() || args.seeds.is_some();
        if others || args.limit_train.is_some() || args.limit_test.is_some() || args.constants.is_told() {
            bail!(WrongUsage(
                "--figure 3a takes --limit alone; bagssl figure fig3a has what else there is, of one model"
            ));
        }
        let (models, data) = args.of_models()?;
        Outputs::default()
            .reads_data("--data", &data)
            .writes("--out", Some(&*out), OutputKind::Folder)
            .check()?;
        let (limit, counts) =
            (args.limit.unwrap_or(ConvergenceRequest::USUAL_LIMIT), PatchCount::USUAL.to_vec());
        let options = Overrides::from(args.model.overrides);
        let own = |(name, path)| PlannedModel { name, path, options: options.clone() };
        let models = models.into_iter().map(own).collect();
        let request = AveragesRequest { models, data, limit, counts, out };
        let report = self.job(|job| jobs::averages::averages(&request, job))?;
        show(self.json(), &report, || {
            let (models, kept) = (count(report.models.len(), "model"), thousands(report.kept as u64));
            let (table, figure) = (report.markdown.trim(), report.figure.display());
            format!("{table}\n\n{models}, {kept} of them kept from before; drawn as {figure}")
        })
    }
}
