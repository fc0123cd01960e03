//! The gradients of one step, of the whole batch at once or in micro-batches that need less memory.
//!
//! With `accumulate = k` the batch is cut into k micro-batches of images. The gradients are those
//! of the loss of the whole batch, whatever k is:
//!
//! - BYOL's loss is a mean over images, so its gradient is the mean of those of the micro-batches.
//! - The other losses compare images of the batch with each other. They take gradient caching (Gao
//!   et al. 2021, Scaling deep contrastive learning batch size under memory limited setup): all
//!   micro-batches go forward without a graph, the loss and its gradient with respect to z are taken
//!   over the whole batch, and each micro-batch goes forward again to pass its share of that
//!   gradient on. This costs a second forward pass.
//!
//! What does change is batch normalisation: in training it takes the mean and variance of a
//! micro-batch, not of the batch, so z and with it the gradients differ from those of k = 1, the
//! more the smaller a micro-batch is; and its running statistics move k times a step instead of once.

use std::collections::BTreeMap;
use std::ops::Range;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::model::{Encoder, Mode, Predictor, Space};
use crate::objective::{Loss, Objective};
use crate::progress::{Cancelled, check_left};

/// Over which views of a step batch normalisation takes its mean and variance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchStatistics {
    /// Over each view of the images apart, as in VICReg's own code.
    #[default]
    Each,
    /// Over all views together, as in the code of NMCE (TCR) and EMP-SSL: other gradients. Running statistics move
    /// once a step, not once a view.
    Joint,
}

/// Everything that an optimiser moves.
#[derive(Module, Debug)]
pub struct Student {
    /// Backbone and projector.
    pub encoder: Encoder,
    /// BYOL's.
    pub predictor: Option<Predictor>,
}

/// One step's views, `[V, N, 3, side, side]`.
pub struct NormalisedViews<'a> {
    /// Normalised values, `[V, N, 3, side, side]`.
    pub values: &'a [f32],
    /// V, views of each image.
    pub views: usize,
    /// N, images.
    pub images: usize,
    /// Side of a view, pixels.
    pub side: usize,
}

impl NormalisedViews<'_> {
    /// The first layer of a network (without gradients) that gives a value that is not finite for any of the views,
    /// in words that follow "in", the images in as many parts as they were trained in. `None` where all are finite.
    pub fn first_not_finite(
        &self,
        encoder: &Encoder,
        parts: usize,
        (mode, statistics): (Mode, BatchStatistics),
        device: &Device,
    ) -> Option<String> {
        let size = self.images / parts;
        let mut places = (0..parts).flat_map(|part| {
            let images = part * size..(part + 1) * size;
            self.together(statistics).into_iter().map(move |views| (views, images.clone()))
        });
        places.find_map(|(views, images)| encoder.first_not_finite(self.inputs(views, &images, device), mode))
    }

    /// The views that go through the network at once.
    fn together(&self, statistics: BatchStatistics) -> Vec<Range<usize>> {
        let count = match statistics {
            BatchStatistics::Each => 1,
            BatchStatistics::Joint => self.views,
        };
        (0..self.views).step_by(count.max(1)).map(|first| first..first + count).collect()
    }

    /// Some views of some images, view by view.
    ///
    /// # Shapes
    /// - output: `[views.len() * images.len(), 3, side, side]`
    fn inputs(&self, views: Range<usize>, images: &Range<usize>, device: &Device) -> Tensor<4> {
        let size = 3 * self.side * self.side;
        let count = views.len() * images.len();
        let of_view = |view: usize| {
            let first = view * self.images;
            &self.values[(first + images.start) * size..(first + images.end) * size]
        };
        let mut values = Vec::with_capacity(count * size);
        views.for_each(|view| values.extend_from_slice(of_view(view)));
        Tensor::from_data(TensorData::new(values, [count, 3, self.side, self.side]), device)
    }
}

/// What to differentiate, and how.
pub struct GradientPass<'a> {
    /// The loss.
    pub objective: &'a Objective,
    /// A device with gradients.
    pub device: &'a Device,
    /// BYOL's momentum encoder, on a device without gradients.
    pub target: Option<&'a Encoder>,
    /// Micro-batches.
    pub accumulate: usize,
    /// Of batch normalisation: training, but for tests.
    pub mode: Mode,
    /// Over which views batch normalisation looks.
    pub statistics: BatchStatistics,
    /// What the loss is multiplied by before it is differentiated; so are the gradients.
    pub loss_scale: f64,
}

/// The loss of a step and its gradients.
pub struct StepGradients {
    /// Of the whole batch.
    pub loss: f64,
    /// The loss's terms by name, before their weights.
    pub terms: BTreeMap<String, f64>,
    /// `None` where the loss is not finite.
    pub gradients: Option<Gradients>,
}

impl GradientPass<'_> {
    /// The loss of all views and its gradients.
    pub fn gradients(&self, student: &Student, views: &NormalisedViews) -> anyhow::Result<StepGradients> {
        let size = views.images / self.accumulate;
        let parts: Vec<Range<usize>> = (0..self.accumulate).map(|k| k * size..(k + 1) * size).collect();
        if parts.len() == 1 || self.objective.is_mean_over_images() {
            self.mean_of_parts(student, views, &parts)
        } else {
            self.cached(student, views, &parts)
        }
    }

    /// Mean of the losses of the parts, and its gradients.
    fn mean_of_parts(
        &self,
        student: &Student,
        views: &NormalisedViews,
        parts: &[Range<usize>],
    ) -> anyhow::Result<StepGradients> {
        let share = 1.0 / parts.len() as f64;
        let mut step = StepGradients { loss: 0.0, terms: BTreeMap::new(), gradients: None };
        let mut gradients = None;
        for part in parts {
            let projections = self.projections(student, views, part)?;
            let targets = self.targets(views, part)?;
            let loss = self.objective.loss(&projections, &targets)?;
            step.add(&loss, share);
            if !step.loss.is_finite() {
                return Ok(step);
            }
            let new = loss.total.mul_scalar(share * self.loss_scale).backward();
            gradients = Some(sum(student, gradients, new));
        }
        step.gradients = gradients;
        Ok(step)
    }

    /// The loss of the whole batch, and its gradients one part after the other.
    fn cached(
        &self,
        student: &Student,
        views: &NormalisedViews,
        parts: &[Range<usize>],
    ) -> anyhow::Result<StepGradients> {
        // A copy: its running statistics are dropped, those of the second pass stay.
        let plain = student.valid();
        let device = self.device.clone().without_autodiff();
        let of_part = |part| self.project(&plain.encoder, views, part, &device);
        let by_part: Vec<Vec<Tensor<2>>> = parts.iter().map(of_part).collect::<Result<_, _>>()?;
        let whole = |view: usize| Tensor::cat(by_part.iter().map(|z| z[view].clone()).collect(), 0);
        let leaves: Vec<Tensor<2>> =
            (0..views.views).map(|view| whole(view).autodiff().require_grad()).collect();

        let loss = self.objective.loss(&leaves, &[])?;
        let mut step = StepGradients { loss: 0.0, terms: BTreeMap::new(), gradients: None };
        step.add(&loss, 1.0);
        if !step.loss.is_finite() {
            return Ok(step);
        }
        let grads = loss.total.backward();
        let slopes: Vec<Option<Tensor<2>>> = leaves.iter().map(|leaf| leaf.grad(&grads)).collect();
        for part in parts {
            let projections = self.projections(student, views, part)?;
            let products = projections.into_iter().zip(&slopes).filter_map(|(z, slope)| {
                let slope = slope.clone()?.narrow(0, part.start, part.len());
                Some((z * slope.autodiff()).sum())
            });
            // Its gradient is the part's share of the loss's.
            let Some(surrogate) = products.reduce(|a, b| a + b) else { continue };
            let new = surrogate.mul_scalar(self.loss_scale).backward();
            step.gradients = Some(sum(student, step.gradients.take(), new));
        }
        Ok(step)
    }

    /// z of each view of a part, and what BYOL's predictor makes of it.
    fn projections(
        &self,
        student: &Student,
        views: &NormalisedViews,
        part: &Range<usize>,
    ) -> Result<Vec<Tensor<2>>, Cancelled> {
        let z = self.project(&student.encoder, views, part, self.device)?;
        Ok(match (&student.predictor, self.statistics) {
            (Some(predictor), BatchStatistics::Each) => {
                z.into_iter().map(|z| predictor.forward(z, self.mode)).collect()
            }
            (Some(predictor), BatchStatistics::Joint) => {
                predictor.forward(Tensor::cat(z, 0), self.mode).split(part.len(), 0)
            }
            (None, _) => z,
        })
    }

    /// The momentum encoder's z of each view of a part.
    fn targets(&self, views: &NormalisedViews, part: &Range<usize>) -> Result<Vec<Tensor<2>>, Cancelled> {
        let Some(target) = self.target else { return Ok(vec![]) };
        let device = self.device.clone().without_autodiff();
        let z = self.project(target, views, part, &device)?;
        Ok(z.into_iter().map(Tensor::autodiff).collect())
    }

    /// z of each view of some images. A step that is left ends after the views that it is at.
    fn project(
        &self,
        encoder: &Encoder,
        views: &NormalisedViews,
        images: &Range<usize>,
        device: &Device,
    ) -> Result<Vec<Tensor<2>>, Cancelled> {
        let mut all = vec![];
        for together in views.together(self.statistics) {
            let inputs = views.inputs(together, images, device);
            let z = encoder.embed(inputs, &[Space::Z], self.mode).remove(0);
            check_left()?;
            match self.statistics {
                BatchStatistics::Each => all.push(z),
                BatchStatistics::Joint => all.extend(z.split(images.len(), 0)),
            }
        }
        Ok(all)
    }
}

impl StepGradients {
    /// Adds a share of a loss and its terms to the report.
    fn add(&mut self, loss: &Loss, share: f64) {
        self.loss += share * scalar(&loss.total);
        for (name, term) in &loss.terms {
            *self.terms.entry(name.to_string()).or_default() += share * scalar(term);
        }
    }
}

fn scalar(tensor: &Tensor<1>) -> f64 {
    f64::from(tensor.clone().into_scalar::<f32>())
}

/// The sum of two sets of gradients of a module.
fn sum(student: &Student, old: Option<Gradients>, new: Gradients) -> Gradients {
    let Some(old) = old else { return new };
    let mut sum = Sum { old, new };
    student.visit(&mut sum);
    sum.new
}

struct Sum {
    old: Gradients,
    new: Gradients,
}

impl ModuleVisitor for Sum {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let Some(old) = value.grad(&self.old) else { return };
        let total = match value.grad(&self.new) {
            Some(new) => old + new,
            None => old,
        };
        value.grad_replace(&mut self.new, total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::{Normalization, Resize};
    use crate::model::{BackboneConfig, Depth, ModelInfo, Stem};
    use crate::objective::Byol;

    const VIEWS: usize = 3;
    const IMAGES: usize = 12;
    const SIDE: usize = 8;

    fn student(objective: &Objective, device: &Device) -> Student {
        let info = ModelInfo {
            backbone: BackboneConfig::new(Depth::ResNet18, Stem::Cifar { padding: 1 }, 2).into(),
            projector: vec![12, 6],
            input: SIDE as u32,
            resize: Resize::Bilinear,
            normalization: Normalization::CIFAR10,
            training: serde_json::Value::Null,
            origin: None,
            projector_norms: None,
            projector_form: Default::default(),
            projector_bias: true,
        };
        let encoder = Encoder::new(&info, 3, device).train();
        let predictor = objective.byol().map(|byol| Predictor::new(6, byol.hidden, 4, device).train());
        Student { encoder, predictor }
    }

    fn pixels() -> Vec<f32> {
        let count = VIEWS * IMAGES * 3 * SIDE * SIDE;
        (0..count).map(|i| ((i * 7919 % 1013) as f32 * 0.37).sin() * 1.5).collect()
    }

    fn objectives() -> Vec<Objective> {
        let small = |objective| match objective {
            Objective::Byol(byol) => Objective::Byol(Byol { hidden: 16, ..byol }),
            other => other,
        };
        Objective::all().into_iter().map(small).collect()
    }

    /// All gradients of a module in the order of its parameters.
    struct Flat<'a>(&'a Gradients, Vec<f64>);

    impl ModuleVisitor for Flat<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = param.val().grad(self.0) {
                self.1.extend(grad.into_data().convert::<f64>().try_to_vec::<f64>().unwrap());
            }
        }
    }

    fn flat(student: &Student, gradients: &Gradients) -> Vec<f64> {
        let mut flat = Flat(gradients, vec![]);
        student.visit(&mut flat);
        flat.1
    }

    fn distance(a: &[f64], b: &[f64]) -> f64 {
        assert_eq!(a.len(), b.len());
        let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
        norm(&mut a.iter().zip(b).map(|(x, y)| x - y)) / norm(&mut b.iter().copied())
    }

    /// The loss and flat gradients of a step of `objective` in `accumulate` micro-batches.
    fn step(objective: &Objective, accumulate: usize, mode: Mode) -> (f64, Vec<f64>) {
        step_with(objective, accumulate, mode, BatchStatistics::Each)
    }

    fn step_with(
        objective: &Objective,
        accumulate: usize,
        mode: Mode,
        statistics: BatchStatistics,
    ) -> (f64, Vec<f64>) {
        let device = Device::flex().autodiff();
        let student = student(objective, &device);
        let target = objective.byol().map(|_| student.encoder.valid());
        let values = pixels();
        let views = NormalisedViews { values: &values, views: VIEWS, images: IMAGES, side: SIDE };
        let pass = GradientPass {
            objective,
            device: &device,
            target: target.as_ref(),
            accumulate,
            mode,
            statistics,
            loss_scale: 1.0,
        };
        let step = pass.gradients(&student, &views).unwrap();
        (step.loss, flat(&student, &step.gradients.unwrap()))
    }

    /// 1e-4: float32 sums over another order, through 18 layers.
    #[test]
    fn micro_batches_change_nothing_where_normalisation_does_not_look_at_the_batch() {
        for objective in objectives() {
            let (loss, whole) = step(&objective, 1, Mode::Eval);
            for accumulate in [2, 4] {
                let (parts_loss, parts) = step(&objective, accumulate, Mode::Eval);
                let title = objective.title();
                assert!(
                    (parts_loss - loss).abs() <= 1e-5 * loss.abs().max(1.0),
                    "{title}: {parts_loss}, {loss}"
                );
                assert!(distance(&parts, &whole) <= 1e-4, "{title}: {}", distance(&parts, &whole));
            }
        }
    }

    /// In training, the cached gradients are exactly those of the loss over all micro-batches, each
    /// normalised by its own statistics; they are not those of the batch normalised as one.
    #[test]
    fn with_batch_statistics_the_gradients_are_those_of_micro_batches_normalised_apart() {
        for objective in objectives() {
            let device = Device::flex().autodiff();
            let student = student(&objective, &device);
            let target = objective.byol().map(|_| student.encoder.valid());
            let values = pixels();
            let views = NormalisedViews { values: &values, views: VIEWS, images: IMAGES, side: SIDE };
            let pass = GradientPass {
                objective: &objective,
                device: &device,
                target: target.as_ref(),
                accumulate: 3,
                mode: Mode::Train,
                statistics: BatchStatistics::Each,
                loss_scale: 1.0,
            };
            let parts = [0..4, 4..8, 8..12];
            let join = |by_part: Vec<Vec<Tensor<2>>>| -> Vec<Tensor<2>> {
                let views = by_part[0].len();
                (0..views).map(|v| Tensor::cat(by_part.iter().map(|z| z[v].clone()).collect(), 0)).collect()
            };
            let projections =
                join(parts.iter().map(|part| pass.projections(&student, &views, part).unwrap()).collect());
            let targets = join(parts.iter().map(|part| pass.targets(&views, part).unwrap()).collect());
            let grads = objective.loss(&projections, &targets).unwrap().total.backward();
            let expected = flat(&student, &grads);

            let cached = step(&objective, 3, Mode::Train).1;
            let title = objective.title();
            assert!(distance(&cached, &expected) <= 1e-4, "{title}: {}", distance(&cached, &expected));
            let whole = step(&objective, 1, Mode::Train).1;
            assert!(distance(&cached, &whole) > 1e-2, "{title}: {}", distance(&cached, &whole));
        }
    }

    /// Joint: all views are one batch of the network and of the predictor; apart, gradients differ by far more than
    /// rounding. Where normalisation does not look at the batch, both are the same.
    #[test]
    fn joint_statistics_are_those_of_all_views_as_one_batch() {
        for objective in objectives() {
            let device = Device::flex().autodiff();
            let student = student(&objective, &device);
            let all = TensorData::new(pixels(), [VIEWS * IMAGES, 3, SIDE, SIDE]);
            let batch = |device: &Device| Tensor::<4>::from_data(all.clone(), device);
            let embed = |encoder: &Encoder, device: &Device| {
                encoder.embed(batch(device), &[Space::Z], Mode::Train).remove(0)
            };
            let z = embed(&student.encoder, &device);
            let z = match &student.predictor {
                Some(predictor) => predictor.forward(z, Mode::Train),
                None => z,
            };
            let target = objective.byol().map(|_| student.encoder.valid());
            let plain = device.clone().without_autodiff();
            let targets = target.map_or(vec![], |target| {
                embed(&target, &plain).split(IMAGES, 0).into_iter().map(Tensor::autodiff).collect()
            });
            let loss = objective.loss(&z.split(IMAGES, 0), &targets).unwrap();
            let expected = (scalar(&loss.total), flat(&student, &loss.total.backward()));
            let title = objective.title();
            let (loss, joint) = step_with(&objective, 1, Mode::Train, BatchStatistics::Joint);
            assert!(
                (loss - expected.0).abs() <= 1e-5 * loss.abs().max(1.0),
                "{title}: {loss}, {}",
                expected.0
            );
            assert!(distance(&joint, &expected.1) <= 1e-4, "{title}: {}", distance(&joint, &expected.1));
            let each = step(&objective, 1, Mode::Train).1;
            assert!(distance(&joint, &each) > 1e-2, "{title}: {}", distance(&joint, &each));
            let (_, eval) = step_with(&objective, 2, Mode::Eval, BatchStatistics::Joint);
            let each = step(&objective, 2, Mode::Eval).1;
            assert!(distance(&eval, &each) <= 1e-4, "{title}: {}", distance(&eval, &each));
        }
    }
}
