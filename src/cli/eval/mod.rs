//! `bagssl eval`.

mod args;
mod many;
mod one;

use anyhow::bail;

pub use self::args::EvalArgs;
use self::args::MeasuredFigure;
use self::one::eval_words;
use super::shared::{Commander, WrongUsage, show};
use crate::engine::{EvalPlan, OutputKind, Outputs, jobs};

impl Commander {
    pub fn eval(&self, args: EvalArgs) -> anyhow::Result<()> {
        if let (Some(plan), Some(out)) = (&args.plan, &args.out) {
            if self.has_seed() {
                bail!(WrongUsage("--seed is not for --plan, whose file says its seeds: seeds = [0, 1]"));
            }
            let outputs = Outputs::default().reads("--plan", &**plan);
            return self.plan((EvalPlan::read(plan)?, None), out, outputs);
        }
        if let Some(out) = args.out.clone() {
            if args.table.is_none() && args.figure.is_none() {
                bail!(WrongUsage(
                    "--out is for --plan, --table or --figure; without them the result is printed"
                ));
            }
            return match args.figure {
                Some(MeasuredFigure::Averages) => self.averages(args, out),
                Some(MeasuredFigure::Accuracy(figure)) => self.of_paper(args, Some(figure), &out),
                None => self.of_paper(args, None, &out),
            };
        }
        let request = self.eval_request(args)?;
        Outputs::default()
            .reads_model("--model", &request.model)
            .reads_data("--data", &request.data)
            .writes("--cache", request.config.cache.as_deref(), OutputKind::Folder)
            .check()?;
        let report = self.job(|job| jobs::evaluate::evaluate(&request, job))?;
        show(self.json(), &report, || eval_words(&report))
    }
}
