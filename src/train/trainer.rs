//! The trainer: one visible step, repeated.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use burn::module::Module;
use burn::tensor::{Device, FloatDType, Gradients};
use serde_json::json;

use super::blame;
use super::bootstrap::Bootstrap;
use super::config::{ImagesOrder, TrainConfig};
use super::feed::Feeder;
use super::footprint;
use super::gradients::{GradientPass, NormalisedViews, Student};
use super::images::TrainingImages;
use super::metrics::Metrics;
use super::optimizer::{Optimizer, norm_of};
use super::precision::{LossScale, Precision};
use super::run::{RunCheckpoint, RunFolder, RunState};
use super::schedule::ScheduleSpan;
use super::statistics::RunningStatistics;
use crate::augment::Normalization;
use crate::dataset::{Coverage, Dataset, Skipped};
use crate::model::store::Model;
use crate::model::{Encoder, Mode, ModelInfo, store, weights};
use crate::progress::CancelToken;

/// A run in progress. Lives on the thread that owns the tensors.
pub struct Trainer {
    config: TrainConfig,
    info: ModelInfo,
    /// A device with gradients.
    device: Device,
    encoder: Encoder,
    /// BYOL's predictor and target.
    bootstrap: Option<Bootstrap>,
    optimizer: Optimizer,
    feeder: Feeder,
    part: Coverage,
    state: RunState,
    steps_per_epoch: u64,
    data_name: String,
    last_logged: Instant,
    steps_since_log: u64,
}

/// The loss of a step and its parts.
struct StepLoss {
    value: f64,
    terms: BTreeMap<String, f64>,
}

impl StepLoss {
    fn words(&self) -> String {
        self.terms.iter().map(|(name, term)| format!("{name} {term}")).collect::<Vec<_>>().join(", ")
    }
}

/// What helps when a run explodes.
const REMEDY: &str = "The last checkpoint is kept, but going on from it leads here again: the usual remedy is a new run with a lower \
     optimizer.lr";

/// What one step did.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// Of the whole batch.
    pub loss: f64,
    /// The loss's terms by name, before their weights.
    pub terms: BTreeMap<String, f64>,
    /// Learning rate of the step.
    pub lr: f64,
    /// Joint norm of all gradients, before any clipping.
    pub grad_norm: f64,
}

impl Trainer {
    /// A fresh run of `config` on `data`. `device` is one without gradients.
    pub fn new(mut config: TrainConfig, data: Arc<dyn Dataset>, device: &Device) -> anyhow::Result<Self> {
        config.validate()?;
        if config.images.is_some() {
            config.images_order.get_or_insert(ImagesOrder::Spread);
        }
        let images = TrainingImages::choose(&config, data.as_ref());
        let total_steps = total_steps(&config, data.as_ref(), &images)?;
        let norm = config.model.normalization.on(data.as_ref())?;
        let info = model_info(&config, norm);
        footprint::ensure_fits(&config, &info, device)?;
        let device = device.clone().autodiff();
        let fresh = Encoder::new(&info, config.seed, &device);
        let fresh = if config.model.zero_init { weights::with_zero_residuals(fresh) } else { fresh };
        let encoder = fresh.train();
        let state = RunState {
            step: 0,
            total_steps,
            data: data.fingerprint()?,
            loss_scale: LossScale::new(config.precision),
        };
        Self::assemble(config, info, (data, images), device, encoder, state)
    }

    /// Continues from a checkpoint as if never stopped. The data must be the same.
    pub fn resume(
        config: TrainConfig,
        saved: RunCheckpoint,
        data: Arc<dyn Dataset>,
        device: &Device,
    ) -> anyhow::Result<Self> {
        let found = data.fingerprint()?;
        ensure!(
            found == saved.state.data,
            "the run was trained on other data than {}: fingerprint {:.12}, this one has {found:.12}",
            data.name(),
            saved.state.data
        );
        let images = TrainingImages::choose(&config, data.as_ref());
        let planned = total_steps(&config, data.as_ref(), &images)?;
        ensure!(
            planned == saved.state.total_steps,
            "config.toml asks for {planned} steps now, and asked for {} when the run began",
            saved.state.total_steps
        );
        footprint::ensure_fits(&config, &model_info(&config, Normalization::IMAGENET), device)?;
        let plain = device.clone();
        let device = device.clone().autodiff();
        let model = store::from_bytes(&saved.model, &device, "checkpoint".into())?;
        let encoder = model.encoder.train();
        let mut trainer = Self::assemble(config, model.info, (data, images), device, encoder, saved.state)?;
        if let Some(bootstrap) = trainer.bootstrap.take() {
            let restored = bootstrap.restore(saved.method).context("the checkpoint's method.safetensors")?;
            trainer.bootstrap = Some(restored);
        }
        let steps = trainer.state.step;
        trainer.optimizer.restore(saved.optimizer, steps, &plain);
        Ok(trainer)
    }

    fn assemble(
        config: TrainConfig,
        info: ModelInfo,
        (data, images): (Arc<dyn Dataset>, TrainingImages),
        device: Device,
        encoder: Encoder,
        state: RunState,
    ) -> anyhow::Result<Self> {
        ensure!(
            config.precision == Precision::Full || device.supports_dtype(FloatDType::F16),
            "precision is mixed, and this device has no float16; set it to full"
        );
        let steps = state.step..state.total_steps;
        let z_width = *config.model.projector.last().expect("validated to have a layer");
        let bootstrap = config.objective.byol();
        let bootstrap = bootstrap.map(|byol| Bootstrap::new(byol, z_width, &encoder, config.seed, &device));
        let (steps_per_epoch, part) = (config.steps_per_epoch(images.count()), images.part.clone());
        let feeder = Feeder::start(config.clone(), data.clone(), images, info.normalization, steps)?;
        Ok(Self {
            optimizer: Optimizer::new(config.optimizer.clone()),
            steps_per_epoch,
            data_name: data.name(),
            config,
            info,
            device,
            encoder,
            bootstrap,
            feeder,
            part,
            state,
            last_logged: Instant::now(),
            steps_since_log: 0,
        })
    }

    /// Where the run stands.
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// Passes over the data so far.
    pub fn epoch(&self) -> f64 {
        self.state.step as f64 / self.steps_per_epoch as f64
    }

    /// The images that are trained on, and those that are left out.
    pub fn part(&self) -> &Coverage {
        &self.part
    }

    /// Images that could not be read so far; others take their places.
    pub fn unreadable(&self) -> u64 {
        self.feeder.unreadable()
    }

    /// Those that were found since the last call: the first few by name.
    pub fn take_unreadable(&self) -> Vec<Skipped> {
        self.feeder.take_unreadable()
    }

    /// Steps between checkpoints.
    pub fn checkpoint_every(&self) -> u64 {
        self.config.checkpoint_every
    }

    /// Views that one step trains on.
    pub fn views_per_step(&self) -> u64 {
        (self.config.batch * self.config.views.len()) as u64
    }

    /// The network as it is now, on a device without gradients, for looking at.
    pub fn model(&self) -> Model {
        Model {
            name: format!("step {}", self.state.step),
            hash: String::new(),
            format: store::OUR_FORMAT,
            info: self.info.clone(),
            encoder: self.encoder.clone().valid(),
            has_sums: false,
        }
    }

    /// The configuration.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// Time spent waiting for batches so far.
    pub fn waited(&self) -> Duration {
        self.feeder.waited()
    }

    /// Whether all steps are done.
    pub fn is_finished(&self) -> bool {
        self.state.step >= self.state.total_steps
    }

    /// One optimisation step: views -> z -> loss -> gradients -> weights.
    /// A loss that is not finite is an error with its step and cause; the weights stay as they were.
    pub fn step(&mut self) -> anyhow::Result<StepReport> {
        self.step_unless(&CancelToken::default())
    }

    /// As [`Trainer::step`]; a step is left in its midst where someone asks to stop, and nothing has changed then.
    ///
    /// # Errors
    /// As [`Trainer::step`]; [`Cancelled`](crate::progress::Cancelled).
    pub fn step_unless(&mut self, cancel: &CancelToken) -> anyhow::Result<StepReport> {
        let batch = self.feeder.next(cancel)?;
        let student = Student {
            encoder: self.encoder.clone(),
            predictor: self.bootstrap.as_ref().map(|bootstrap| bootstrap.predictor.clone()),
        };
        let views = NormalisedViews {
            values: &batch.values,
            views: self.config.views.len(),
            images: self.config.batch,
            side: self.config.model.input as usize,
        };
        let (statistics, loss_scale) = (self.running_statistics(), self.state.loss_scale);
        let done = cancel.leavable(|| self.differentiate(&student, &views));
        let (loss, grads, norm) = match done {
            Ok(done) => done?,
            Err(cancelled) => {
                self.put_back(statistics);
                self.state.loss_scale = loss_scale;
                self.feeder.give_back(batch);
                return Err(cancelled.into());
            }
        };
        let (lr, scale) = (self.learning_rate(), self.state.loss_scale.value);
        let student = self.optimizer.step(student, &grads, norm, scale, lr);
        self.state.loss_scale.note_step(self.config.precision);
        self.encoder = student.encoder;
        if let (Some(bootstrap), Some(predictor)) = (&mut self.bootstrap, student.predictor) {
            bootstrap.predictor = predictor;
            bootstrap.follow(&self.encoder, self.state.step, self.state.total_steps);
        }
        self.state.step += 1;
        self.steps_since_log += 1;
        Ok(StepReport { loss: loss.value, terms: loss.terms, lr, grad_norm: norm / scale })
    }

    /// Of the encoder, and of the predictor and target where there are such: a forward pass moves them.
    fn running_statistics(&self) -> (RunningStatistics, Option<[RunningStatistics; 2]>) {
        let of_bootstrap = |bootstrap: &Bootstrap| {
            [RunningStatistics::of(&bootstrap.predictor), RunningStatistics::of(&bootstrap.target)]
        };
        (RunningStatistics::of(&self.encoder), self.bootstrap.as_ref().map(of_bootstrap))
    }

    fn put_back(&mut self, (encoder, bootstrap): (RunningStatistics, Option<[RunningStatistics; 2]>)) {
        self.encoder = encoder.restore(self.encoder.clone());
        if let (Some(own), Some([predictor, target])) = (&mut self.bootstrap, bootstrap) {
            own.predictor = predictor.restore(own.predictor.clone());
            own.target = target.restore(own.target.clone());
        }
    }

    /// The loss of a step with its gradients and their joint norm, both times the loss scale. Where float16
    /// overflows, once more with half the scale; batch normalisation's running statistics then move twice.
    fn differentiate(
        &mut self,
        student: &Student,
        views: &NormalisedViews,
    ) -> anyhow::Result<(StepLoss, Gradients, f64)> {
        let mode = match self.config.precision {
            Precision::Full => Mode::Train,
            Precision::Mixed => Mode::TrainMixed,
        };
        loop {
            let pass = GradientPass {
                objective: &self.config.objective,
                device: &self.device,
                target: self.bootstrap.as_ref().map(|bootstrap| &bootstrap.target),
                accumulate: self.config.accumulate,
                mode,
                statistics: self.config.batch_statistics,
                loss_scale: self.state.loss_scale.value,
            };
            let result = pass.gradients(student, views)?;
            let loss = StepLoss { value: result.loss, terms: result.terms };
            let Some(grads) = result.gradients else {
                let plain = self.device.clone().without_autodiff();
                let encoder = student.encoder.valid();
                let layer =
                    views.first_not_finite(&encoder, self.config.accumulate, (mode, pass.statistics), &plain);
                bail!(
                    "the loss is {} at step {}: {}; {}. {REMEDY}",
                    loss.value,
                    self.state.step,
                    loss.words(),
                    blame::of_loss(&weights::collect(&encoder), layer)
                );
            };
            let norm = norm_of(student, &grads);
            if norm.is_finite() {
                return Ok((loss, grads, norm));
            }
            ensure!(
                self.state.loss_scale.back_off(),
                "the joint norm of the gradients is {norm} after step {}: {}. {REMEDY}",
                self.state.step,
                blame::of_gradients(student, &grads)
            );
        }
    }

    fn learning_rate(&self) -> f64 {
        let base = self.config.optimizer.base_lr(self.config.batch);
        let run = ScheduleSpan {
            steps: self.state.total_steps,
            per_epoch: self.steps_per_epoch,
            warmup_epochs: self.config.warmup_epochs,
        };
        self.config.schedule.learning_rate(base, self.state.step, run)
    }

    /// The last step as a line of metrics; the rate counts from the line before.
    pub fn metrics(&mut self, report: &StepReport) -> Metrics {
        let views = self.steps_since_log * self.views_per_step();
        let elapsed = self.last_logged.elapsed().as_secs_f64();
        self.last_logged = Instant::now();
        self.steps_since_log = 0;
        Metrics {
            step: self.state.step,
            epoch: self.epoch(),
            loss: report.loss,
            terms: report.terms.clone(),
            lr: report.lr,
            grad_norm: report.grad_norm,
            views_per_second: views as f64 / elapsed.max(1e-9),
            ..Metrics::default()
        }
    }

    /// Writes a checkpoint. Weights and buffers that are not finite are never written.
    pub fn checkpoint(&self, run: &RunFolder) -> anyhow::Result<PathBuf> {
        let encoder = weights::collect(&self.encoder);
        let method = self.bootstrap.as_ref().map(Bootstrap::weights).unwrap_or_default();
        let optimizer = self.optimizer.state();
        if let Some(what) = blame::of_checkpoint(&encoder, &method, &optimizer) {
            bail!("{what} after step {}. {REMEDY}", self.state.step);
        }
        let model = self.model_bytes()?;
        run.save(&RunCheckpoint {
            config: self.config.clone(),
            model,
            optimizer,
            method,
            state: self.state.clone(),
        })
    }

    fn model_bytes(&self) -> anyhow::Result<Vec<u8>> {
        let mut info = self.info.clone();
        info.training = json!({
            "program": concat!("bagssl ", env!("CARGO_PKG_VERSION")),
            "method": self.config.objective.title(),
            "data": self.data_name,
            "data_fingerprint": self.state.data,
            "step": self.state.step,
            "epoch": self.epoch(),
            "config": serde_json::to_value(&self.config)?,
        });
        store::to_bytes(&self.encoder, &info)
    }
}

fn model_info(config: &TrainConfig, normalization: Normalization) -> ModelInfo {
    ModelInfo {
        backbone: config.model.backbone.into(),
        projector: config.model.projector.clone(),
        projector_norms: None,
        projector_form: Default::default(),
        projector_bias: config.model.projector_bias,
        input: config.model.input,
        resize: config.model.resize,
        normalization,
        training: serde_json::Value::Null,
        origin: None,
    }
}

fn total_steps(config: &TrainConfig, data: &dyn Dataset, images: &TrainingImages) -> anyhow::Result<u64> {
    let per_epoch = config.steps_per_epoch(images.count());
    ensure!(
        per_epoch >= 1,
        "{}: {}, fewer than one batch ({}); --set batch=N makes it smaller",
        data.name(),
        images.part.words(),
        config.batch
    );
    Ok(per_epoch * config.epochs)
}
