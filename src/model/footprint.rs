//! What a network takes of main memory, estimated from its shape before anything is allocated.

use super::backbone::Backbone;
use super::encoder::ModelInfo;
use super::resnet::{BackboneConfig, Depth, Stem};
use super::vit::{Pooling, Positions, VitConfig};
use crate::memory;

/// Bytes of a value.
const VALUE: u64 = size_of::<f32>() as u64;

/// Estimated bytes. Tests hold them against what a process takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// All weights, running statistics included.
    pub weights: u64,
    /// The largest single array of weights.
    pub largest: u64,
    /// For each input in evaluation: its pixels and the maps that are there at the same time.
    pub embedding: u64,
    /// For each input in training: what the backward pass needs of the forward pass.
    pub kept: u64,
    /// For each input in training: what either pass needs beside that for a moment.
    pub passing: u64,
}

impl Footprint {
    /// Of a network of that shape.
    pub fn of(info: &ModelInfo) -> Self {
        let mut walk = LayerWalk::new(info);
        match info.backbone {
            Backbone::ResNet(backbone) => {
                walk.stem(backbone);
                walk.stages(backbone);
            }
            Backbone::Transformer(vit) => walk.transformer(vit),
        }
        walk.projector();
        walk.found()
    }
}

/// A walk through the network, counting values.
struct LayerWalk<'a> {
    info: &'a ModelInfo,
    channels: u64,
    side: u64,
    weights: u64,
    largest: u64,
    /// Outputs of the stages so far, which stay until the end.
    stages: u64,
    /// Most values of evaluation at once.
    most: u64,
    /// Values that training keeps.
    kept: u64,
    /// The largest map.
    map: u64,
}

impl<'a> LayerWalk<'a> {
    fn new(info: &'a ModelInfo) -> Self {
        let side = u64::from(info.input);
        let (weights, largest, stages, most, kept, map) = Default::default();
        Self { info, channels: 3, side, weights, largest, stages, most, kept, map }
    }

    fn here(&self) -> u64 {
        self.channels * self.side * self.side
    }

    fn add_weights(&mut self, count: u64) {
        self.weights += count;
        self.largest = self.largest.max(count);
    }

    /// A convolution with its normalisation, from so many channels; returns its output's values.
    fn convolution(&mut self, from: u64, to: u64, kernel: u64, side: u64) -> u64 {
        self.add_weights(from * to * kernel * kernel);
        self.weights += 4 * to;
        let output = to * side * side;
        // Both what the convolution gives and what normalisation makes of it.
        self.kept += 2 * output;
        self.map = self.map.max(output);
        output
    }

    fn stem(&mut self, backbone: BackboneConfig) {
        let input = self.here();
        let width = backbone.width as u64;
        // As they come, and channels last.
        self.kept += 2 * input;
        let (kernel, side) = match backbone.stem {
            Stem::Cifar { padding } | Stem::Pooled { padding } => (3, self.side + 2 * padding as u64 - 2),
            Stem::ImageNet => (7, (self.side - 1) / 2 + 1),
        };
        let output = self.convolution(3, width, kernel, side);
        (self.channels, self.side) = (width, side);
        self.most = 3 * input + output;
        if backbone.stem.has_max_pool() {
            self.side = (side - 1) / 2 + 1;
            // Either order of the maps before the pooling and after it, and where each maximum came from.
            self.most = self.most.max(2 * output + 4 * self.here());
            self.kept += output + 3 * self.here();
        }
    }

    fn stages(&mut self, backbone: BackboneConfig) {
        for (stage, blocks) in backbone.depth.blocks().into_iter().enumerate() {
            let inner = backbone.inner_widths()[stage] as u64;
            let output = ((backbone.width << stage) * backbone.depth.expansion()) as u64;
            for block in 0..blocks {
                self.block(backbone.depth, inner, output, if block == 0 && stage > 0 { 2 } else { 1 });
            }
            self.stages += self.here();
        }
        // The last map in another order, for the mean over its places.
        self.most = self.most.max(self.stages + self.map);
    }

    fn block(&mut self, depth: Depth, inner: u64, output: u64, stride: u64) {
        let (from, input) = (self.channels, self.here());
        let (before, after) = (self.side, (self.side - 1) / stride + 1);
        let shortcut =
            if stride != 1 || from != output { self.convolution(from, output, 1, after) } else { 0 };
        let live = if depth.is_bottleneck() {
            self.convolution(from, inner, 1, before)
                + self.convolution(inner, inner, 3, after)
                + self.convolution(inner, output, 1, after)
        } else {
            self.convolution(from, inner, 3, after) + self.convolution(inner, inner, 3, after)
        };
        self.most = self.most.max(self.stages + input + shortcut + live);
        (self.channels, self.side) = (output, after);
    }

    /// A linear layer with its bias.
    fn linear(&mut self, from: u64, to: u64) {
        self.add_weights(from * to);
        self.weights += to;
    }

    /// Weights of a transformer's MLP.
    fn mlp(&mut self, width: u64, vit: &VitConfig) {
        let hidden = vit.mlp.hidden as u64;
        self.linear(width, if vit.mlp.gated { 2 * hidden } else { hidden });
        self.linear(hidden, width);
    }

    fn transformer(&mut self, vit: VitConfig) {
        let (width, patch, prefix) = (vit.width as u64, vit.patch as u64, vit.prefix() as u64);
        let input = self.here();
        self.linear(3 * patch * patch, width);
        self.weights += prefix * width;
        if let Positions::Learned { grid: [rows, cols], class, .. } = vit.positions {
            self.add_weights((u64::from(class) + (rows * cols) as u64) * width);
        }
        // Scale and shift of the final norm and of the first one.
        self.weights += if vit.pre_norm { 4 * width } else { 2 * width };
        for _ in 0..vit.depth {
            self.linear(width, 3 * width);
            self.linear(width, width);
            self.mlp(width, &vit);
            self.weights += if vit.layer_scale { 6 * width } else { 4 * width };
        }
        if vit.pooling == Pooling::Attention {
            for to in [width, 2 * width, width] {
                self.linear(width, to);
            }
            self.mlp(width, &vit);
            self.weights += 3 * width;
        }
        let tokens = (self.side / patch).pow(2) + prefix;
        let hidden = vit.mlp.hidden as u64 * if vit.mlp.gated { 3 } else { 1 };
        // What comes in and what is added, beside either queries, keys and values twice or the MLP's inner values.
        let block = tokens * (3 * width + (6 * width).max(hidden + width));
        self.most = self.most.max(2 * input + block);
        self.kept += self.most;
        self.map = tokens * hidden.max(3 * width);
        (self.channels, self.side) = (width, self.side / patch);
    }

    fn projector(&mut self) {
        let mut from = self.info.backbone.h_width() as u64;
        let layers = self.info.projector.len();
        for (index, &to) in self.info.projector.iter().enumerate() {
            let to = to as u64;
            self.add_weights(from * to);
            // A bias; normalisation has four of its length, and the last layer none.
            let usual = index + 1 < layers;
            let is_normalized = self.info.projector_norms.as_ref().map_or(usual, |norms| norms[index]);
            self.weights += if is_normalized { 5 * to } else { to };
            // The product, its sum with the bias, normalised, and without what is negative.
            self.kept += 4 * to;
            self.most += 4 * to;
            from = to;
        }
    }

    fn found(&self) -> Footprint {
        Footprint {
            weights: VALUE * self.weights,
            largest: VALUE * self.largest,
            embedding: VALUE * self.most,
            kept: VALUE * self.kept,
            // Gradients of a map and of what it was made from, and one that is summed from two.
            passing: VALUE * 4 * self.map,
        }
    }
}

/// Passes a file of so many bytes whose weights fit into memory beside it: as they are read, as they are kept, and one
/// array more.
///
/// # Errors
/// They do not; says what they need.
pub fn ensure_room(bytes: usize, info: &ModelInfo) -> anyhow::Result<()> {
    let footprint = Footprint::of(info);
    let need = bytes as u64 + 2 * footprint.weights + 2 * footprint.largest;
    let budget = memory::budget();
    let what = || format!("opening this {}", info.backbone.title());
    Ok(budget.ensure(budget.bytes(), need, what, "a smaller model")?)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::image::Normalization;
    use crate::kernel::Activation;
    use crate::model::vit::Mlp;
    use crate::model::{Encoder, weights};

    fn info(depth: Depth, stem: Stem, width: usize) -> ModelInfo {
        ModelInfo {
            backbone: BackboneConfig::new(depth, stem, width).into(),
            projector: vec![24, 10],
            input: 33,
            resize: crate::augment::Resize::Bilinear,
            normalization: Normalization::IMAGENET,
            training: serde_json::Value::Null,
            origin: None,
            projector_norms: None,
            projector_form: Default::default(),
            projector_bias: true,
        }
    }

    #[test]
    fn weights_are_counted_to_the_value() {
        for depth in Depth::ALL {
            for stem in [Stem::Cifar { padding: 2 }, Stem::Pooled { padding: 1 }, Stem::ImageNet] {
                let info = info(depth, stem, 4);
                let encoder = Encoder::new(&info, 0, &Device::flex());
                let arrays = weights::collect(&encoder);
                let counts = arrays.values().map(|array| 4 * array.values.len() as u64);
                let found = Footprint::of(&info);
                assert_eq!(found.weights, counts.clone().sum::<u64>(), "{depth:?} {stem:?}");
                assert_eq!(found.largest, counts.max().unwrap(), "{depth:?} {stem:?}");
            }
        }
    }

    /// Wide bottlenecks take what their weights and inner maps take.
    #[test]
    fn wide_bottlenecks_are_counted_to_the_value() {
        let plain = info(Depth::ResNet50, Stem::ImageNet, 4);
        let wide = BackboneConfig { bottleneck: Some(12), ..plain.backbone.resnet().unwrap() };
        let wide = ModelInfo { backbone: wide.into(), ..plain.clone() };
        let (found, usual) = (Footprint::of(&wide), Footprint::of(&plain));
        let arrays = weights::collect(&Encoder::new(&wide, 0, &Device::flex()));
        let counts = arrays.values().map(|array| 4 * array.values.len() as u64);
        assert_eq!(found.weights, counts.clone().sum::<u64>());
        assert_eq!(found.largest, counts.max().unwrap());
        assert!(found.kept > usual.kept, "the maps inside are wider");
    }

    #[test]
    fn weights_of_transformers_are_counted_to_the_value() {
        let learned =
            Positions::Learned { grid: [3, 3], class: true, offset: 0.0, antialias: false, corners: false };
        let rotary = Positions::Rotary { base: 100.0, rounded: false };
        for (gated, pooling, positions, layer_scale) in [
            (false, Pooling::Class, learned, false),
            (true, Pooling::Mean, rotary, true),
            (false, Pooling::Attention, learned, true),
        ] {
            let vit = VitConfig {
                width: 8,
                depth: 3,
                heads: 2,
                patch: 5,
                mlp: Mlp { hidden: 12, activation: Activation::Gelu, gated },
                class_token: true,
                registers: 2,
                positions,
                pre_norm: gated,
                layer_scale,
                epsilon: 1e-6,
                pooling,
            };
            let info = ModelInfo {
                backbone: Backbone::Transformer(vit),
                ..info(Depth::ResNet18, Stem::ImageNet, 4)
            };
            info.validate().unwrap();
            let encoder = Encoder::new(&info, 0, &Device::flex());
            let arrays = weights::collect(&encoder);
            let counts = arrays.values().map(|array| 4 * array.values.len() as u64);
            let found = Footprint::of(&info);
            assert_eq!(found.weights, counts.clone().sum::<u64>(), "{vit:?}");
            assert_eq!(found.largest, counts.max().unwrap(), "{vit:?}");
            let double = Footprint::of(&ModelInfo { input: 66, ..info });
            assert!(double.embedding > 3 * found.embedding && double.weights == found.weights);
        }
    }

    #[test]
    fn maps_grow_with_the_square_of_the_input_and_with_the_width() {
        let small = Footprint::of(&info(Depth::ResNet18, Stem::Cifar { padding: 1 }, 16));
        let of = |input, width| {
            let info = info(Depth::ResNet18, Stem::Cifar { padding: 1 }, width);
            Footprint::of(&ModelInfo { input, projector: vec![], ..info })
        };
        let (whole, double) = (of(32, 16), of(64, 16));
        for (one, four) in [(whole.embedding, double.embedding), (whole.kept, double.kept)] {
            assert_eq!(4 * one, four);
        }
        assert!(of(32, 32).embedding > 2 * whole.embedding * 9 / 10 && small.embedding > whole.embedding);
    }
}
