//! The projector g: Linear, BN, ReLU, ..., Linear; the last layer without ReLU, and as we train it without BN. DINO's
//! head up to its bottleneck is another form of it.

use burn::module::Module;
use burn::tensor::activation::{gelu, relu};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::layers::{BatchNorm, Linear, Mode};
use super::precision::EmbedPrecision;
use super::watch::{Unwatched, Watch};

/// What stands between the layers of a projector and after the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProjectorForm {
    /// ReLU, and nothing: z is the last layer's raw output.
    #[default]
    Mlp,
    /// GELU, and z has length 1: the bottleneck of DINO and iBOT, before their prototypes.
    Bottleneck,
}

impl ProjectorForm {
    /// Whether it is the one that nobody needs to write down.
    pub fn is_usual(&self) -> bool {
        *self == ProjectorForm::Mlp
    }
}

/// One linear layer, and the batch normalisation that may follow it.
#[derive(Module, Debug)]
pub struct ProjectorLayer {
    linear: Linear,
    bn: Option<BatchNorm>,
}

/// An MLP from h to z.
#[derive(Module, Debug)]
pub struct Projector {
    layers: Vec<ProjectorLayer>,
    #[module(skip)]
    form: ProjectorForm,
}

impl Projector {
    /// Layers of the given output widths, the last of which is the width of z; `norms` says after which of them
    /// batch normalisation stands, and nothing is as in [`ModelInfo::projector_norms`](super::ModelInfo). Without
    /// `has_bias` the last layer has none.
    pub fn new(
        input: usize,
        widths: &[usize],
        norms: Option<&[bool]>,
        (form, has_bias): (ProjectorForm, bool),
        device: &Device,
    ) -> Self {
        let mut from = input;
        let is_normalized = |index: usize| norms.map_or(index + 1 < widths.len(), |norms| norms[index]);
        let layers = widths.iter().enumerate().map(|(index, &to)| {
            let linear = Linear::new(from, to, device);
            let is_last = index + 1 == widths.len();
            let linear = if is_last && !has_bias { linear.without_bias() } else { linear };
            from = to;
            ProjectorLayer { linear, bn: is_normalized(index).then(|| BatchNorm::new(to, device)) }
        });
        Self { layers: layers.collect(), form }
    }

    /// From now on evaluation on the CPU takes weights that are laid out once, in float32.
    pub fn lay_out(&mut self) {
        self.layers.iter_mut().for_each(|layer| layer.linear.lay_out(None, EmbedPrecision::F32));
    }

    /// The output of each hidden layer (after its activation) and, last, z.
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
            x = match (self.form, index + 1 < self.layers.len()) {
                (ProjectorForm::Mlp, true) => relu(x.clone()),
                (ProjectorForm::Mlp, false) => x.clone(),
                (ProjectorForm::Bottleneck, true) => gelu(x.clone()),
                (ProjectorForm::Bottleneck, false) => of_length_one(x.clone()),
            };
            x.clone()
        });
        outputs.collect()
    }
}

/// # Shapes
/// - input, output: `[batch, width]`
fn of_length_one(x: Tensor<2>) -> Tensor<2> {
    let length = (x.clone() * x.clone()).sum_dim(1).sqrt();
    x / length.clamp_min(1e-12)
}
