//! Our side of `released.py`: what a recipe says, and ten steps of it on a small network.
//!
//!     released recipe NAME      prints the recipe's configuration as JSON
//!     released steps CASE.json  trains the case's network on the case's views by its recipe, and prints losses, learning
//!                               rates, weights after each step, and the learning rates of the whole run

#![expect(clippy::disallowed_methods, reason = "reads what its own script wrote")]
#![expect(clippy::print_stdout, reason = "it is read by its own script")]

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use bagssl::model::projector::Projector;
use bagssl::model::weights::{self, Array};
use bagssl::model::{Mode, ProjectorForm};
use bagssl::train::gradients::BatchStatistics;
use bagssl::train::optimizer::{Optimizer, norm_of};
use bagssl::train::recipes;
use bagssl::train::schedule::ScheduleSpan;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use serde::Deserialize;
use serde_json::json;

/// What the script asks.
#[derive(Deserialize)]
struct Case {
    recipe: String,
    /// Steps of a pass over the data.
    per_epoch: u64,
    /// Of the input, the hidden layer and z.
    widths: [usize; 3],
    /// Weights by the script's names.
    start: BTreeMap<String, Vec<f32>>,
    /// `[steps, views, images, input]`.
    shape: [usize; 4],
    views: Vec<f32>,
}

/// Names of the script and of a projector.
const NAMES: [(&str, &str); 6] = [
    ("first.weight", "projector.0.weight"),
    ("first.bias", "projector.0.bias"),
    ("norm.weight", "projector.1.weight"),
    ("norm.bias", "projector.1.bias"),
    ("last.weight", "projector.3.weight"),
    ("last.bias", "projector.3.bias"),
];

/// A projector on its own.
#[derive(Module, Debug)]
struct Head {
    projector: Projector,
}

impl Head {
    fn z(&self, x: Tensor<2>) -> anyhow::Result<Tensor<2>> {
        self.projector.activations(x, Mode::Train).pop().context("a layer")
    }

    /// z of each view.
    fn projections(&self, views: Vec<Tensor<2>>, how: BatchStatistics) -> anyhow::Result<Vec<Tensor<2>>> {
        match how {
            BatchStatistics::Each => views.into_iter().map(|view| self.z(view)).collect(),
            BatchStatistics::Joint => {
                let images = views.first().context("a view")?.dims()[0];
                Ok(self.z(Tensor::cat(views, 0))?.split(images, 0))
            }
        }
    }
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["recipe", name] => println!("{}", serde_json::to_string(&recipes::find(name)?.config)?),
        ["steps", file] => steps(&serde_json::from_str(&std::fs::read_to_string(file)?)?)?,
        _ => anyhow::bail!("expected recipe NAME, or steps CASE.json"),
    }
    Ok(())
}

/// The case's network, with its weights.
fn head(case: &Case, has_bias: bool, device: &Device) -> anyhow::Result<Head> {
    let [input, hidden, z] = case.widths;
    let form = (ProjectorForm::Mlp, has_bias);
    let fresh = Head { projector: Projector::new(input, &[hidden, z], None, form, device) };
    let mut all = weights::collect(&fresh);
    for (theirs, ours) in NAMES {
        let Some(values) = case.start.get(theirs) else { continue };
        let shape = all.get(ours).with_context(|| format!("no {ours}"))?.shape.clone();
        all.insert(ours.into(), Array { shape, values: values.clone() });
    }
    let (head, mismatch) = weights::assign(fresh, all)?;
    ensure!(mismatch.missing.is_empty() && mismatch.unexpected.is_empty(), "other weights");
    Ok(head)
}

fn steps(case: &Case) -> anyhow::Result<()> {
    let config = recipes::find(&case.recipe)?.config;
    let device = Device::flex().autodiff();
    let mut head = head(case, config.model.projector_bias, &device)?;
    let mut optimizer = Optimizer::new(config.optimizer.clone());
    let [steps, views, images, input] = case.shape;
    let span = ScheduleSpan {
        steps: case.per_epoch * config.epochs,
        per_epoch: case.per_epoch,
        warmup_epochs: config.warmup_epochs,
    };
    let base = config.optimizer.base_lr(config.batch);
    let rate = |step: u64| config.schedule.learning_rate(base, step, span);
    let (mut losses, mut after) = (vec![], vec![]);
    for step in 0..steps {
        let view = |view: usize| {
            let first = (step * views + view) * images * input;
            let values = case.views[first..first + images * input].to_vec();
            Tensor::<2>::from_data(TensorData::new(values, [images, input]), &device)
        };
        let z = head.projections((0..views).map(view).collect(), config.batch_statistics)?;
        let loss = config.objective.loss(&z, &[])?.total;
        let grads = loss.backward();
        losses.push(loss.into_scalar::<f32>());
        let norm = norm_of(&head, &grads);
        head = optimizer.step(head, &grads, norm, 1.0, rate(step as u64));
        let all = weights::collect(&head);
        let named = NAMES.iter().filter_map(|(theirs, ours)| Some((*theirs, all.get(*ours)?.values.clone())));
        after.push(named.collect::<BTreeMap<_, _>>());
    }
    let schedule: Vec<f64> = (0..span.steps).map(rate).collect();
    let found = json!({ "loss": losses, "lr": schedule[..steps], "after": after, "schedule": schedule });
    println!("{found}");
    Ok(())
}
