//! BYOL's predictor q: Linear, BN, ReLU, Linear, from z to a guess of another view's z.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::layers::Mode;
use super::projector::{Projector, ProjectorForm};

/// An MLP of one hidden layer whose output is as wide as its input. Its weights are named
/// `predictor.0.weight` and so on, like a projector's.
#[derive(Module, Debug)]
pub struct Predictor {
    predictor: Projector,
}

impl Predictor {
    /// A predictor for z of `width` with fresh weights drawn from `seed`.
    pub fn new(width: usize, hidden: usize, seed: u64, device: &Device) -> Self {
        let fresh = Self {
            predictor: Projector::new(width, &[hidden, width], None, (ProjectorForm::Mlp, true), device),
        };
        super::weights::initialize(fresh, seed)
    }

    /// # Shapes
    /// - input, output: `[batch, width]`
    pub fn forward(&self, z: Tensor<2>, mode: Mode) -> Tensor<2> {
        self.predictor.activations(z, mode).remove(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::weights;

    #[test]
    fn its_weights_are_named_and_drawn_like_a_projectors() {
        let predictor = Predictor::new(4, 9, 7, &Device::flex());
        let weights = weights::collect(&predictor);
        let shapes: Vec<(&str, &[usize])> = weights.iter().map(|(n, a)| (n.as_str(), &a.shape[..])).collect();
        let expected: [(&str, &[usize]); 8] = [
            ("predictor.0.bias", &[9]),
            ("predictor.0.weight", &[9, 4]),
            ("predictor.1.bias", &[9]),
            ("predictor.1.running_mean", &[9]),
            ("predictor.1.running_var", &[9]),
            ("predictor.1.weight", &[9]),
            ("predictor.3.bias", &[4]),
            ("predictor.3.weight", &[4, 9]),
        ];
        assert_eq!(shapes, expected);
        for name in ["predictor.0.bias", "predictor.0.weight", "predictor.3.bias", "predictor.3.weight"] {
            let values = &weights[name].values;
            // Uniform in 1/sqrt(fan in), and not all alike.
            assert!(values.iter().all(|v| v.abs() <= 0.5), "{name}");
            assert!(values.iter().any(|v| *v != values[0]), "{name}");
        }
        let z = Tensor::<2>::ones([3, 4], &Device::flex());
        assert_eq!(predictor.forward(z, Mode::Train).dims(), [3, 4]);
    }
}
