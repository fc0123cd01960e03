//! The projector g: Linear, BN, ReLU, ..., Linear; the last layer without ReLU, and as we train it without BN.

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::layers::{BatchNorm, Linear, Mode};
use super::watch::{Unwatched, Watch};

/// One linear layer, and the batch normalisation that may follow it.
#[derive(Module, Debug)]
pub struct ProjectorLayer {
    linear: Linear,
    bn: Option<BatchNorm>,
}

/// An MLP from h to z; z is its raw output.
#[derive(Module, Debug)]
pub struct Projector {
    layers: Vec<ProjectorLayer>,
}

impl Projector {
    /// Layers of the given output widths, the last of which is the width of z; `norms` says after which of them
    /// batch normalisation stands, and nothing is as in [`ModelInfo::projector_norms`](super::ModelInfo).
    pub fn new(input: usize, widths: &[usize], norms: Option<&[bool]>, device: &Device) -> Self {
        let mut from = input;
        let is_normalized = |index: usize| norms.map_or(index + 1 < widths.len(), |norms| norms[index]);
        let layers = widths.iter().enumerate().map(|(index, &to)| {
            let linear = Linear::new(from, to, device);
            from = to;
            ProjectorLayer { linear, bn: is_normalized(index).then(|| BatchNorm::new(to, device)) }
        });
        Self { layers: layers.collect() }
    }

    /// The output of each hidden layer (after ReLU) and, last, z.
    ///
    /// # Shapes
    /// - input: `[batch, h]`
    /// - output i: `[batch, widths[i]]`
    pub fn activations(&self, h: Tensor<2>, mode: Mode) -> Vec<Tensor<2>> {
        self.activations_watched(h, mode, &mut Unwatched)
    }

    /// [`Projector::activations`]; `watch` sees every layer.
    pub fn activations_watched(&self, h: Tensor<2>, mode: Mode, watch: &mut impl Watch) -> Vec<Tensor<2>> {
        let mut x = h;
        let outputs = self.layers.iter().enumerate().map(|(index, layer)| {
            x = layer.linear.forward(x.clone(), mode);
            // Numbered as the weights are, three to a layer.
            watch.see(format_args!("projector.{}", 3 * index), &x);
            if let Some(bn) = &layer.bn {
                x = bn.forward(x.clone(), mode);
                watch.see(format_args!("projector.{}", 3 * index + 1), &x);
            }
            if index + 1 < self.layers.len() {
                x = relu(x.clone());
            }
            x.clone()
        });
        outputs.collect()
    }
}
