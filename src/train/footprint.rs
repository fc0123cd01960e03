//! What a run takes of main memory, estimated from its configuration before anything is allocated.

use burn::tensor::Device;

use super::config::TrainConfig;
use super::feed;
use super::optimizer::Rule;
use super::precision::Precision;
use crate::kernel;
use crate::memory::{self, NoRoom};
use crate::model::ModelInfo;
use crate::model::footprint::Footprint;

/// Bytes of a value.
const VALUE: u64 = size_of::<f32>() as u64;

/// Passes a run that fits into memory on `device`. What a GPU holds is not counted.
///
/// # Errors
/// [`NoRoom`], with what would make it smaller.
pub fn ensure_fits(config: &TrainConfig, info: &ModelInfo, device: &Device) -> Result<(), NoRoom> {
    let is_gpu = !kernel::runs_on(device);
    let budget = memory::budget();
    let bytes = Estimate { config, network: Footprint::of(info) }.bytes(is_gpu);
    let what = || {
        format!(
            "training {} on {} views of {} images of {1} x {1} pixels at once",
            info.backbone.title(),
            config.views.len(),
            config.batch / config.accumulate.max(1),
        )
    };
    budget.ensure(
        budget.training(),
        bytes,
        what,
        "a larger accumulate, a smaller batch, input, width or projector",
    )
}

/// Bytes of the parts of a run.
struct Estimate<'a> {
    config: &'a TrainConfig,
    network: Footprint,
}

impl Estimate<'_> {
    fn bytes(&self, is_gpu: bool) -> u64 {
        let on_device =
            if is_gpu { 0 } else { self.state().saturating_add(self.pass().max(self.checkpoint())) };
        let beside = if is_gpu { self.checkpoint() } else { 0 };
        on_device.saturating_add(beside).saturating_add(self.views()).saturating_add(self.probe())
    }

    /// Values of z.
    fn width(&self) -> u64 {
        self.config.model.projector.last().map_or(0, |width| *width as u64)
    }

    /// All weights that are moved: the network's, and BYOL's predictor's.
    fn weights(&self) -> u64 {
        let predictor = self.config.objective.byol().map_or(0, |byol| 2 * self.width() * byol.hidden as u64);
        self.network.weights + VALUE * predictor
    }

    fn buffers(&self) -> u64 {
        match self.config.optimizer.rule {
            Rule::AdamW { .. } => 2,
            Rule::Sgd { .. } | Rule::Lars { .. } => 1,
        }
    }

    /// Weights before and after a step, their gradients, the optimiser's buffers and BYOL's target.
    fn state(&self) -> u64 {
        let copies = 3 + self.buffers() + u64::from(self.config.objective.byol().is_some());
        self.weights().saturating_mul(copies) + 2 * self.network.largest
    }

    /// The forward and backward pass of a micro-batch, and the loss of the batch.
    fn pass(&self) -> u64 {
        let config = self.config;
        let (views, images) = (config.views.len() as u64, config.batch as u64);
        let micro = images / config.accumulate.max(1) as u64;
        // Copies of the maps and weights in half the bytes.
        let mixed = if config.precision == Precision::Mixed { 3 } else { 2 };
        let graph = micro.saturating_mul(views * self.network.kept + self.network.passing) / 2 * mixed;
        // The gradient of a convolution's weight is summed on each thread apart.
        let partial = rayon::current_num_threads() as u64 * self.network.largest;
        let z = VALUE * 8 * views * images * self.width();
        let loss = VALUE.saturating_mul(config.objective.matrix_values(views, images, self.width()));
        graph.saturating_add(partial).saturating_add(z).saturating_add(loss)
    }

    /// Weights and buffers as they are read from the device, and as bytes of a file.
    fn checkpoint(&self) -> u64 {
        self.weights().saturating_mul(2 + 2 * self.buffers())
    }

    /// Views that wait, that are made and that are trained on.
    fn views(&self) -> u64 {
        let side = u64::from(self.config.model.input);
        let batch = VALUE * 3 * side * side * self.config.views.len() as u64 * self.config.batch as u64;
        (feed::AHEAD as u64 + 3).saturating_mul(batch)
    }

    /// The vectors of the images that the online classifier knows and is asked about.
    fn probe(&self) -> u64 {
        let probe = self.config.probe;
        let width = self.config.model.backbone.h_width() as u64 + self.width();
        VALUE * width * (probe.known + probe.asked + 16 * probe.images) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::recipes;

    fn estimate(settings: &[&str]) -> u64 {
        let mut config = recipes::find("quick-parts").unwrap().config;
        config.set(settings).unwrap();
        config.validate().unwrap();
        let info = ModelInfo {
            backbone: config.model.backbone.into(),
            projector: config.model.projector.clone(),
            input: config.model.input,
            resize: config.model.resize,
            normalization: crate::image::Normalization::IMAGENET,
            training: serde_json::Value::Null,
            origin: None,
            projector_norms: None,
            projector_form: Default::default(),
            projector_bias: true,
        };
        Estimate { config: &config, network: Footprint::of(&info) }.bytes(false)
    }

    /// The samples that ended in an abort, and the largest values that validation takes.
    #[test]
    fn every_setting_that_leads_to_an_allocation_counts() {
        let plain = estimate(&[]);
        for settings in [
            &["model.projector=[65536, 65536]"][..],
            &["model.projector=[65536]"],
            &["model.backbone.width=1024"],
            &["model.input=1024"],
            &["batch=65536"],
            &["objective=simclr", "batch=65536", "accumulate=4096"],
            &["objective=byol", "objective.hidden=65536", "model.projector=[65536]"],
        ] {
            assert!(estimate(settings) > 8 * plain && estimate(settings) > 4 << 30, "{settings:?}");
        }
        assert!(estimate(&["accumulate=8"]) < plain * 2 / 3);
        assert!(estimate(&["optimizer.rule=adamw"]) > estimate(&["optimizer.rule=sgd"]));
        assert!(estimate(&["probe.known=100000"]) > plain + (20 << 20));
    }
}
