//! Looking at what the layers of a network give, while it goes on.

use std::fmt;

use burn::tensor::Tensor;

/// Sees the output of each layer, under the name of the layer's weights.
pub trait Watch {
    /// What `layer` gave.
    fn see<const D: usize>(&mut self, layer: fmt::Arguments<'_>, output: &Tensor<D>);
}

/// Looks at nothing, at no cost.
pub struct Unwatched;

impl Watch for Unwatched {
    fn see<const D: usize>(&mut self, _: fmt::Arguments<'_>, _: &Tensor<D>) {}
}

/// Finds the first layer that gives a value that is not finite. Reads every output back from the device: for the
/// repetition of a pass that is known to have failed.
#[derive(Default)]
pub struct FirstNotFinite {
    /// Its name.
    pub layer: Option<String>,
}

impl Watch for FirstNotFinite {
    fn see<const D: usize>(&mut self, layer: fmt::Arguments<'_>, output: &Tensor<D>) {
        if self.layer.is_none() && !is_finite(output) {
            self.layer = Some(layer.to_string());
        }
    }
}

/// Whether no value is NaN or infinite; reads it back from the device.
pub fn is_finite<const D: usize>(tensor: &Tensor<D>) -> bool {
    let values = tensor.clone().into_data().convert::<f32>().try_to_vec::<f32>().expect("converted to f32");
    values.iter().all(|value| value.is_finite())
}
