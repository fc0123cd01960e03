//! ResNet-18, -34, -50, -101 and -152 (He et al. 2016) as torchvision builds them, with the
//! two stems of the field: ImageNet's and CIFAR's.

use std::fmt;

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::layers::{BatchNorm, Conv2d, Mode};
use super::precision::EmbedPrecision;
use super::stage_map::StageMap;
use super::watch::{Unwatched, Watch};
use crate::kernel::{self, half::HalfInput};

mod half; // evaluation in bf16

/// Number of layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum Depth {
    /// 18 layers, in basic blocks.
    #[serde(rename = "resnet18")]
    #[value(name = "resnet18")]
    ResNet18,
    /// 34 layers, in basic blocks.
    #[serde(rename = "resnet34")]
    #[value(name = "resnet34")]
    ResNet34,
    /// 50 layers, in bottleneck blocks.
    #[serde(rename = "resnet50")]
    #[value(name = "resnet50")]
    ResNet50,
    /// 101 layers, in bottleneck blocks.
    #[serde(rename = "resnet101")]
    #[value(name = "resnet101")]
    ResNet101,
    /// 152 layers, in bottleneck blocks.
    #[serde(rename = "resnet152")]
    #[value(name = "resnet152")]
    ResNet152,
}

/// First layers of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Stem {
    /// 3x3, stride 1, no max-pool. Padding 1 is the paper's; padding 2 is that of
    /// solo-learn's checkpoints and of App. C.4 (a 5x5 final map for 32x32 images).
    Cifar {
        /// Padding of the first convolution: 1 or 2.
        padding: usize,
    },
    /// The same, then a 3x3 max-pool of stride 2, as some copies of torchvision's for small images keep it.
    Pooled {
        /// Padding of the first convolution: 1 or 2.
        padding: usize,
    },
    /// 7x7, stride 2, padding 3, then a 3x3 max-pool of stride 2.
    ImageNet,
}

impl Stem {
    /// The padding of a first convolution of 3x3, the one that has a choice.
    pub fn padding(self) -> Option<usize> {
        match self {
            Stem::Cifar { padding } | Stem::Pooled { padding } => Some(padding),
            Stem::ImageNet => None,
        }
    }

    /// Whether a max-pool follows.
    pub fn has_max_pool(self) -> bool {
        !matches!(self, Stem::Cifar { .. })
    }

    /// Pixels of the input from one position to the next after it.
    pub fn step(self) -> u32 {
        match self {
            Stem::Cifar { .. } => 1,
            Stem::Pooled { .. } => 2,
            Stem::ImageNet => 4,
        }
    }
}

/// What decides the shape of a backbone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackboneConfig {
    /// Number of layers.
    pub depth: Depth,
    /// First layers.
    pub stem: Stem,
    /// Channels of the first stage: 64 in the standard network, fewer in small ones.
    pub width: usize,
    /// Channels inside the bottlenecks of the first stage, where they are not `width`: 128 in torchvision's wide
    /// ResNets (Zagoruyko and Komodakis 2016). They double from stage to stage as `width` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bottleneck: Option<usize>,
}

impl Depth {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Depth::ResNet18, Depth::ResNet34, Depth::ResNet50, Depth::ResNet101, Depth::ResNet152];

    /// Blocks of each stage.
    pub(super) fn blocks(self) -> [usize; 4] {
        match self {
            Depth::ResNet18 => [2, 2, 2, 2],
            Depth::ResNet34 | Depth::ResNet50 => [3, 4, 6, 3],
            Depth::ResNet101 => [3, 4, 23, 3],
            Depth::ResNet152 => [3, 8, 36, 3],
        }
    }

    /// Whether its blocks are bottlenecks of three convolutions.
    pub fn is_bottleneck(self) -> bool {
        !matches!(self, Depth::ResNet18 | Depth::ResNet34)
    }

    pub(super) fn expansion(self) -> usize {
        if self.is_bottleneck() { 4 } else { 1 }
    }

    /// "ResNet-18" and so on.
    pub fn title(self) -> &'static str {
        match self {
            Depth::ResNet18 => "ResNet-18",
            Depth::ResNet34 => "ResNet-34",
            Depth::ResNet50 => "ResNet-50",
            Depth::ResNet101 => "ResNet-101",
            Depth::ResNet152 => "ResNet-152",
        }
    }
}

impl BackboneConfig {
    /// Channels that the first stage may have.
    pub const WIDTHS: std::ops::RangeInclusive<usize> = 1..=1024;

    /// A network whose bottlenecks are as wide inside as usual.
    pub const fn new(depth: Depth, stem: Stem, width: usize) -> Self {
        Self { depth, stem, width, bottleneck: None }
    }

    /// Width of the embedding h.
    pub fn h_width(&self) -> usize {
        8 * self.width * self.depth.expansion()
    }

    /// Channels inside the blocks of each stage.
    pub fn inner_widths(&self) -> [usize; 4] {
        let first = self.bottleneck.unwrap_or(self.width);
        [0, 1, 2, 3].map(|stage| first << stage)
    }

    /// A short name for headings: "ResNet-18", "ResNet-18/4" for a quarter of the width, "ResNet-50 x2" for twice, "Wide
    /// ResNet-50-2" where bottlenecks alone are twice as wide inside.
    pub fn title(&self) -> String {
        let (name, inside) = match self.bottleneck.filter(|inner| *inner != self.width) {
            None => (self.depth.title().to_string(), String::new()),
            Some(inner) if inner % self.width.max(1) == 0 => {
                (format!("Wide {}-{}", self.depth.title(), inner / self.width.max(1)), String::new())
            }
            Some(inner) => (self.depth.title().to_string(), format!(", bottlenecks of {inner}")),
        };
        match self.width {
            64 => name + &inside,
            w if w % 64 == 0 => format!("{name} x{}{inside}", w / 64),
            w if 64 % w == 0 => format!("{name}/{}{inside}", 64 / w),
            w => format!("{name} (width {w}{inside})"),
        }
    }

    /// Checks ranges. The error names the field.
    pub fn validate(&self) -> anyhow::Result<()> {
        anyhow::ensure!(Self::WIDTHS.contains(&self.width), "width is {}; expected 1 to 1024", self.width);
        if let Some(inner) = self.bottleneck {
            anyhow::ensure!(Self::WIDTHS.contains(&inner), "bottleneck is {inner}; expected 1 to 1024");
            anyhow::ensure!(
                self.depth.is_bottleneck(),
                "bottleneck is {inner}; {} has no bottlenecks, ResNet-50 and deeper ones have",
                self.depth.title()
            );
        }
        if let Some(padding) = self.stem.padding() {
            anyhow::ensure!((1..=2).contains(&padding), "stem padding is {padding}; expected 1 or 2");
        }
        Ok(())
    }
}

/// A basic block (two 3x3 convolutions) or, with `conv3`, a bottleneck.
#[derive(Module, Debug)]
pub struct ResidualBlock {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    conv3: Option<Conv2d>,
    bn3: Option<BatchNorm>,
    downsample: Option<(Conv2d, BatchNorm)>,
}

impl ResidualBlock {
    /// From `input` channels by `inner` ones to `output`.
    fn new(bottleneck: bool, [input, inner, output]: [usize; 3], stride: usize, device: &Device) -> Self {
        let conv = |from, to, side, stride| Conv2d::new([from, to], side, stride, side / 2, device);
        let (conv1, conv2) = if bottleneck {
            (conv(input, inner, 1, 1), conv(inner, inner, 3, stride).summed_in_full())
        } else {
            (conv(input, inner, 3, stride), conv(inner, inner, 3, 1))
        };
        Self {
            conv1,
            bn1: BatchNorm::new(inner, device),
            conv2,
            bn2: BatchNorm::new(inner, device),
            conv3: bottleneck.then(|| conv(inner, output, 1, 1)),
            bn3: bottleneck.then(|| BatchNorm::new(output, device)),
            downsample: (stride != 1 || input != output)
                .then(|| (conv(input, output, 1, stride), BatchNorm::new(output, device))),
        }
    }

    /// `watch` sees its layers as those of the block `name`.
    fn forward(
        &self,
        x: Tensor<4>,
        mode: Mode,
        name: fmt::Arguments<'_>,
        watch: &mut impl Watch,
    ) -> Tensor<4> {
        let mut normalized = |x: Tensor<4>, place: fmt::Arguments<'_>, conv: &Conv2d, bn: &BatchNorm| {
            let y = conv.forward(x, mode);
            watch.see(format_args!("{name}.{place}"), &y);
            let y = bn.forward(y, mode);
            watch.see(format_args!("the normalisation after {name}.{place}"), &y);
            y
        };
        let mut y = relu(normalized(x.clone(), format_args!("conv1"), &self.conv1, &self.bn1));
        y = normalized(y, format_args!("conv2"), &self.conv2, &self.bn2);
        if let (Some(conv3), Some(bn3)) = (&self.conv3, &self.bn3) {
            y = normalized(relu(y), format_args!("conv3"), conv3, bn3);
        }
        let shortcut = match &self.downsample {
            Some((conv, bn)) => normalized(x, format_args!("downsample.0"), conv, bn),
            None => x,
        };
        let y = relu(y + shortcut);
        watch.see(format_args!("the sum at the end of {name}"), &y);
        y
    }

    fn lay_out(&mut self, precision: EmbedPrecision) {
        self.conv1.lay_out(&self.bn1, HalfInput::Maps, precision);
        self.conv2.lay_out(&self.bn2, HalfInput::Maps, precision);
        if let (Some(conv), Some(bn)) = (&mut self.conv3, &self.bn3) {
            conv.lay_out(bn, HalfInput::Maps, precision);
        }
        if let Some((conv, bn)) = &mut self.downsample {
            conv.lay_out(bn, HalfInput::Maps, precision);
        }
    }

    /// [`ResidualBlock::forward`] by our own kernels, channels last.
    fn forward_last(&self, x: Tensor<4>, mode: Mode) -> Tensor<4> {
        let shortcut = match &self.downsample {
            Some((conv, bn)) => conv.normalized_last(x.clone(), bn, None, false, mode),
            None => x.clone(),
        };
        let y = self.conv1.normalized_last(x, &self.bn1, None, true, mode);
        let (Some(conv3), Some(bn3)) = (&self.conv3, &self.bn3) else {
            return self.conv2.normalized_last(y, &self.bn2, Some(shortcut), true, mode);
        };
        let y = self.conv2.normalized_last(y, &self.bn2, None, true, mode);
        conv3.normalized_last(y, bn3, Some(shortcut), true, mode)
    }
}

/// Channels-first maps as channels-last ones.
fn channels_last(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 2, 3, 1])
}

/// Channels-last maps as channels-first ones.
fn channels_first(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 3, 1, 2])
}

/// The backbone f: images to feature maps, their mean over positions being h.
#[derive(Module, Debug)]
pub struct ResNet {
    conv1: Conv2d,
    bn1: BatchNorm,
    layer1: Vec<ResidualBlock>,
    layer2: Vec<ResidualBlock>,
    layer3: Vec<ResidualBlock>,
    layer4: Vec<ResidualBlock>,
    max_pool: bool,
}

impl ResNet {
    /// A network of the given shape with unset weights.
    pub fn new(config: &BackboneConfig, device: &Device) -> Self {
        let BackboneConfig { depth, stem, width, .. } = *config;
        let conv1 = match stem {
            Stem::Cifar { padding } | Stem::Pooled { padding } => {
                Conv2d::new([3, width], 3, 1, padding, device)
            }
            Stem::ImageNet => Conv2d::new([3, width], 7, 2, 3, device),
        };
        let mut input = width;
        let mut stage = |index: usize| -> Vec<ResidualBlock> {
            let (inner, output) = (config.inner_widths()[index], (width << index) * depth.expansion());
            let blocks = (0..depth.blocks()[index]).map(|block| {
                let stride = if block == 0 && index > 0 { 2 } else { 1 };
                let from = std::mem::replace(&mut input, output);
                ResidualBlock::new(depth.is_bottleneck(), [from, inner, output], stride, device)
            });
            blocks.collect()
        };
        let (layer1, layer2, layer3, layer4) = (stage(0), stage(1), stage(2), stage(3));
        let bn1 = BatchNorm::new(width, device);
        Self { conv1, bn1, layer1, layer2, layer3, layer4, max_pool: stem.has_max_pool() }
    }

    /// From now on evaluation on the CPU computes so, with weights that are laid out once.
    pub fn lay_out(&mut self, precision: EmbedPrecision) {
        self.conv1.lay_out(&self.bn1, HalfInput::Images, precision);
        let Self { layer1, layer2, layer3, layer4, .. } = self;
        [layer1, layer2, layer3, layer4].into_iter().flatten().for_each(|block| block.lay_out(precision));
    }

    /// Values of its largest map for each pixel of its input.
    pub fn values_per_pixel(&self) -> f64 {
        let width = self.conv1.weight.dims()[0] as f64;
        if self.max_pool { width / 4.0 } else { width }
    }

    /// Calls `see` with the number of each of the four stages and the feature map after it, of all images or of some after
    /// the others. Where our kernels compute, so many go `together` through the first two stages, whose maps are large,
    /// and all through the others, whose weights are.
    ///
    /// # Shapes
    /// - input: `[batch, 3, side, side]`
    /// - map i: `[some of the batch, width * 2^(i - 1) * expansion, side_i, side_i]`
    pub fn stages(&self, x: Tensor<4>, mode: Mode, together: usize, see: &mut impl FnMut(u8, &dyn StageMap)) {
        match kernel::serves(&x) {
            // Evaluation by our kernels has no gradients.
            Some(_) if mode == Mode::Train => self.stages_last(vec![x], mode, see),
            Some(false) if mode == Mode::Eval => {
                let parts = if x.dims()[0] > together { x.split(together, 0) } else { vec![x] };
                match self.conv1.is_half() {
                    true => self.stages_half(parts, see),
                    false => self.stages_last(parts, mode, see),
                }
            }
            _ => {
                let maps = self.stages_first(x, mode, &mut Unwatched);
                maps.into_iter().zip(1..).for_each(|(map, stage)| see(stage, &map));
            }
        }
    }

    /// [`ResNet::stages`] by our own kernels; the maps stay channels-last in memory.
    fn stages_last(&self, parts: Vec<Tensor<4>>, mode: Mode, see: &mut impl FnMut(u8, &dyn StageMap)) {
        let mut stage = |number: u8, blocks: &[ResidualBlock], x: Tensor<4>| {
            let x = blocks.iter().fold(x, |x, block| block.forward_last(x, mode));
            see(number, &channels_first(x.clone()));
            x
        };
        let first = parts.into_iter().map(|x| {
            let x = stage(1, &self.layer1, self.stem_last(x, mode));
            stage(2, &self.layer2, x)
        });
        let x = whole(first.collect());
        let x = stage(3, &self.layer3, x);
        stage(4, &self.layer4, x);
    }

    fn stem_last(&self, x: Tensor<4>, mode: Mode) -> Tensor<4> {
        let x = self.conv1.normalized_last(channels_last(x), &self.bn1, None, true, mode);
        match mode {
            _ if !self.max_pool => x,
            Mode::Eval => kernel::max_pool(x),
            _ => channels_last(pool(channels_first(x))),
        }
    }

    /// [`ResNet::stages`] by burn's operations; `watch` sees every layer.
    pub fn stages_first(&self, x: Tensor<4>, mode: Mode, watch: &mut impl Watch) -> [Tensor<4>; 4] {
        let y = self.conv1.forward(x, mode);
        watch.see(format_args!("conv1"), &y);
        let y = self.bn1.forward(y, mode);
        watch.see(format_args!("bn1"), &y);
        let mut x = relu(y);
        if self.max_pool {
            x = pool(x);
        }
        let mut stage = 0;
        [&self.layer1, &self.layer2, &self.layer3, &self.layer4].map(|blocks| {
            stage += 1;
            for (index, block) in blocks.iter().enumerate() {
                x = block.forward(x.clone(), mode, format_args!("layer{stage}.{index}"), watch);
            }
            x.clone()
        })
    }
}

/// A batch of its parts.
pub fn whole<const D: usize>(mut parts: Vec<Tensor<D>>) -> Tensor<D> {
    match parts.len() {
        1 => parts.remove(0),
        _ => Tensor::cat(parts, 0),
    }
}

/// The ImageNet stem's 3x3 max-pool of stride 2.
fn pool(x: Tensor<4>) -> Tensor<4> {
    let options = MaxPoolOptions { stride: [2, 2], padding: [(1, 1); 2], ..MaxPoolOptions::new([3, 3]) };
    max_pool2d(x, options)
}
