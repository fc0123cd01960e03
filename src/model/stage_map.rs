//! What a stage of a ResNet gives, in the form that is asked for: maps are made float32 only where somebody takes them.

use burn::tensor::Tensor;

/// The feature maps after a stage.
pub trait StageMap {
    /// They themselves.
    ///
    /// # Shapes
    /// - output: `[batch, channels, height, width]`
    fn maps(&self) -> Tensor<4>;

    /// Their means over positions.
    ///
    /// # Shapes
    /// - output: `[batch, channels]`
    fn mean_over_positions(&self) -> Tensor<2>;
}

impl StageMap for Tensor<4> {
    fn maps(&self) -> Tensor<4> {
        self.clone()
    }

    fn mean_over_positions(&self) -> Tensor<2> {
        let [batch, channels, height, width] = self.dims();
        self.clone().reshape([batch, channels, height * width]).mean_dim(2).reshape([batch, channels])
    }
}
