//! The linear probe: softmax regression on fixed features by SGD (learning rate 0.03 for a batch
//! of 100, momentum 0.9, weight decay 5e-5, 100 epochs, cosine; the last epoch counts, never the best).
//!
//! As `torch.nn.Linear`, `cross_entropy`, `torch.optim.SGD` and `CosineAnnealingLR` stepped once an epoch:
//! `v = momentum v + (g + weight_decay w); w = w - lr v`, the bias too; the last batch of an epoch may be
//! small. Weights start at zero: the loss is convex, and no draw decides a result. Features are
//! neither normalised nor scaled.

use std::sync::Arc;

use anyhow::ensure;
use rand::seq::SliceRandom;
use serde::Serialize;

use super::features::Features;
use super::gemm::{MatrixView, product};
use crate::augment::view_rng;

/// Constants of the probe.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LinearConfig {
    /// Passes over the train images.
    pub epochs: usize,
    /// Images in a batch.
    pub batch: usize,
    /// For a batch of 100; it scales linearly with the batch.
    pub lr: f64,
    /// Share of the velocity that a step keeps, 0 to below 1.
    pub momentum: f64,
    /// Added to the gradient, times the weight.
    pub weight_decay: f64,
}

impl Default for LinearConfig {
    fn default() -> Self {
        Self { epochs: 100, batch: 100, lr: 0.03, momentum: 0.9, weight_decay: 5e-5 }
    }
}

impl LinearConfig {
    /// Checks ranges. The error names the field.
    pub fn validate(&self) -> anyhow::Result<()> {
        let Self { epochs, batch, lr, momentum, weight_decay } = *self;
        ensure!((1..=100_000).contains(&epochs), "epochs of the probe is {epochs}; expected 1 to 100,000");
        ensure!((1..=1 << 20).contains(&batch), "batch of the probe is {batch}; expected 1 to {}", 1 << 20);
        // What computes in float32 sees no less and no more.
        let is_positive = |value: f64| (f64::from(f32::MIN_POSITIVE)..=f64::from(f32::MAX)).contains(&value);
        ensure!(
            is_positive(lr),
            "lr of the probe is {lr}; expected more than 0, within float32 (1.2e-38 to 3.4e38)"
        );
        ensure!((0.0..1.0).contains(&momentum), "momentum of the probe is {momentum}; expected 0 to below 1");
        ensure!(
            weight_decay == 0.0 || is_positive(weight_decay),
            "weight decay of the probe is {weight_decay}; expected 0, or more within float32 (1.2e-38 to 3.4e38)"
        );
        Ok(())
    }

    /// Learning rate during `epoch` (from 0): half a cosine from the scaled base to 0.
    fn lr_at(&self, epoch: usize) -> f64 {
        let base = self.lr * self.batch as f64 / 100.0;
        0.5 * base * (1.0 + (std::f64::consts::PI * epoch as f64 / self.epochs as f64).cos())
    }
}

/// A linear classifier in training.
pub struct LinearProbe {
    known: Arc<Features>,
    classes: usize,
    config: LinearConfig,
    /// Epochs done.
    epoch: usize,
    /// `[classes, width]` and `[classes]`, one after the other.
    weights: Vec<f32>,
    velocity: Vec<f32>,
    /// Mean loss over the samples of the last epoch, as they were met.
    loss: f64,
    room: Scratch,
}

/// What a step works in.
#[derive(Default)]
struct Scratch {
    /// `[batch, width]`.
    rows: Vec<f32>,
    labels: Vec<u32>,
    /// `[batch, classes]`: logits, then their gradient.
    logits: Vec<f32>,
    /// As the weights.
    grad: Vec<f32>,
}

impl LinearProbe {
    /// A fresh probe on `known`. Labels must be below `classes`.
    pub fn new(known: Arc<Features>, classes: usize, config: LinearConfig) -> Self {
        let count = classes * (known.width + 1);
        let (weights, velocity) = (vec![0.0; count], vec![0.0; count]);
        Self { known, classes, config, epoch: 0, weights, velocity, loss: 0.0, room: Scratch::default() }
    }

    /// One pass in an order drawn from the seed and the epoch.
    pub fn advance(&mut self, seed: u64) {
        let mut order: Vec<usize> = (0..self.known.labels.len()).collect();
        order.shuffle(&mut view_rng(seed, 2, self.epoch as u64, 0));
        self.pass(&order);
    }

    /// Whether all epochs are done.
    pub fn is_finished(&self) -> bool {
        self.epoch >= self.config.epochs
    }

    /// One pass over the samples in the order given.
    pub(super) fn pass(&mut self, order: &[usize]) {
        let lr = self.config.lr_at(self.epoch) as f32;
        let mut sum = 0.0;
        for batch in order.chunks(self.config.batch) {
            sum += self.step(batch, lr);
        }
        self.loss = sum / order.len() as f64;
        self.epoch += 1;
    }

    /// One step; the sum of the samples' losses before it.
    fn step(&mut self, batch: &[usize], lr: f32) -> f64 {
        let width = self.known.width;
        let Scratch { rows, labels, logits, grad } = &mut self.room;
        rows.clear();
        batch.iter().for_each(|&i| rows.extend_from_slice(&self.known.values[i * width..(i + 1) * width]));
        labels.clear();
        labels.extend(batch.iter().map(|&i| self.known.labels[i]));
        let inputs = MatrixView::row_major(rows, batch.len(), width);
        predict(&self.weights, inputs, self.classes, logits);
        let loss = softmax_gradient(logits, labels, self.classes);
        grad.resize(self.weights.len(), 0.0);
        let (by_weight, by_bias) = grad.split_at_mut(self.classes * width);
        let upstream = MatrixView::row_major(logits, batch.len(), self.classes);
        product(upstream.transposed(), inputs, by_weight, false); // [classes, width]
        by_bias.fill(0.0);
        for row in logits.chunks_exact(self.classes) {
            by_bias.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        let (momentum, decay) = (self.config.momentum as f32, self.config.weight_decay as f32);
        for ((w, v), g) in self.weights.iter_mut().zip(&mut self.velocity).zip(grad) {
            *v = momentum * *v + (*g + decay * *w);
            *w -= lr * *v;
        }
        loss
    }

    /// `[classes, width]` and `[classes]`.
    #[cfg(test)]
    pub(super) fn weights(&self) -> (&[f32], &[f32]) {
        self.weights.split_at(self.classes * self.known.width)
    }

    /// Mean loss over the last epoch.
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// Part of `asked` that is classified right, 0 to 1.
    ///
    /// # Errors
    /// The training has diverged.
    pub fn accuracy(&self, asked: &Features) -> anyhow::Result<f64> {
        ensure!(
            self.loss.is_finite() && self.weights.iter().all(|w| w.is_finite()),
            "the linear probe diverged (loss {}, features of length {:.3}); a smaller learning rate helps \
             (--probe-lr, now {})",
            self.loss,
            mean_length(&self.known),
            self.config.lr
        );
        let mut right = 0;
        let mut logits = vec![];
        let blocks = asked.values.chunks(BLOCK * asked.width).zip(asked.labels.chunks(BLOCK));
        for (rows, labels) in blocks {
            let inputs = MatrixView::row_major(rows, labels.len(), asked.width);
            predict(&self.weights, inputs, self.classes, &mut logits);
            let found = logits.chunks_exact(self.classes).map(first_largest);
            right += found.zip(labels).filter(|(found, label)| *found == **label as usize).count();
        }
        Ok(right as f64 / asked.labels.len() as f64)
    }
}

/// Rows that are classified at once.
const BLOCK: usize = 1024;

/// # Shapes
/// - weights: `[classes, width]` and `[classes]`, one after the other
/// - inputs: `[batch, width]`
/// - logits: `[batch, classes]`
fn predict(weights: &[f32], inputs: MatrixView<'_>, classes: usize, logits: &mut Vec<f32>) {
    let (weight, bias) = weights.split_at(classes * inputs.cols);
    logits.clear();
    (0..inputs.rows).for_each(|_| logits.extend_from_slice(bias));
    let weight = MatrixView::row_major(weight, classes, inputs.cols);
    product(inputs, weight.transposed(), logits, true);
}

/// Turns logits into the gradient of the mean cross-entropy: (softmax - one-hot) / batch. Returns the sum of the losses.
fn softmax_gradient(logits: &mut [f32], labels: &[u32], classes: usize) -> f64 {
    let scale = 1.0 / labels.len() as f32;
    let mut loss = 0.0;
    for (row, &label) in logits.chunks_exact_mut(classes).zip(labels) {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let own = row[label as usize] - largest;
        let mut sum = 0.0;
        for value in row.iter_mut() {
            *value = (*value - largest).exp();
            sum += *value;
        }
        loss += f64::from(sum.ln() - own);
        row.iter_mut().for_each(|value| *value *= scale / sum);
        row[label as usize] -= scale;
    }
    loss
}

/// Index of the largest value, the first of equal ones.
pub(super) fn first_largest<T: PartialOrd + Copy>(values: &[T]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

fn mean_length(features: &Features) -> f64 {
    let rows = features.values.chunks_exact(features.width);
    let lengths = rows.map(|row| row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt());
    lengths.sum::<f64>() / features.labels.len() as f64
}
