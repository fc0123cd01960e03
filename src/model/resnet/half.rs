//! Evaluation in bf16 by our own kernels: maps stay rounded from layer to layer.

use burn::tensor::Tensor;

use super::{ResNet, ResidualBlock, channels_first};
use crate::kernel::half::{self, HalfMaps};
use crate::model::stage_map::StageMap;

impl StageMap for HalfMaps {
    fn maps(&self) -> Tensor<4> {
        channels_first(half::maps(self))
    }

    fn mean_over_positions(&self) -> Tensor<2> {
        half::means(self)
    }
}

impl ResidualBlock {
    fn forward_half(&self, x: HalfMaps) -> HalfMaps {
        let y = self.conv1.forward_half(&x, None, true);
        let shortcut = match &self.downsample {
            Some((conv, _)) => conv.forward_half(&x, None, false),
            None => x,
        };
        let Some(conv3) = &self.conv3 else { return self.conv2.forward_half(&y, Some(&shortcut), true) };
        let y = self.conv2.forward_half(&y, None, true);
        conv3.forward_half(&y, Some(&shortcut), true)
    }
}

impl ResNet {
    /// [`ResNet::stages`] in bf16, where weights are laid out so.
    pub(super) fn stages_half(&self, parts: Vec<Tensor<4>>, see: &mut impl FnMut(u8, &dyn StageMap)) {
        let mut stage = |number: u8, blocks: &[ResidualBlock], x: HalfMaps| {
            let x = blocks.iter().fold(x, |x, block| block.forward_half(x));
            see(number, &x);
            x
        };
        let first = parts.into_iter().map(|x| {
            let x = self.conv1.forward_half(&half::images(x), None, true);
            let x = if self.max_pool { half::max_pool(&x) } else { x };
            let x = stage(1, &self.layer1, x);
            stage(2, &self.layer2, x)
        });
        let x = HalfMaps::joined(first.collect());
        let x = stage(3, &self.layer3, x);
        stage(4, &self.layer4, x);
    }
}
