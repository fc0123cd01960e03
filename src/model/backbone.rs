//! The network without its projector: a ResNet or a vision transformer.

use anyhow::bail;
use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::resnet::{BackboneConfig, ResNet, Stem};
use super::space::{MapLayer, Space};
use super::vit::{Vit, VitConfig};

/// What decides the shape of a network without its projector.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Backbone {
    /// A ResNet; the only kind that is trained.
    ResNet(BackboneConfig),
    /// A vision transformer.
    Transformer(VitConfig),
}

impl From<BackboneConfig> for Backbone {
    fn from(config: BackboneConfig) -> Self {
        Backbone::ResNet(config)
    }
}

/// The network itself.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "one of a kind: a network has one backbone")]
pub enum BackboneNetwork {
    /// A ResNet.
    ResNet(ResNet),
    /// A vision transformer.
    Transformer(Vit),
}

impl BackboneNetwork {
    /// A network of the given shape with weights still to be set.
    pub fn new(config: &Backbone, device: &Device) -> Self {
        match config {
            Backbone::ResNet(config) => BackboneNetwork::ResNet(ResNet::new(config, device)),
            Backbone::Transformer(config) => BackboneNetwork::Transformer(Vit::new(config, device)),
        }
    }
}

impl Backbone {
    /// Width of the embedding h.
    pub fn h_width(&self) -> usize {
        match self {
            Backbone::ResNet(config) => config.h_width(),
            Backbone::Transformer(config) => config.width,
        }
    }

    /// A short name for headings.
    pub fn title(&self) -> String {
        match self {
            Backbone::ResNet(config) => config.title(),
            Backbone::Transformer(config) => config.title(),
        }
    }

    /// The ResNet that it is.
    ///
    /// # Errors
    /// It is a transformer.
    pub fn resnet(&self) -> anyhow::Result<BackboneConfig> {
        match self {
            Backbone::ResNet(config) => Ok(*config),
            Backbone::Transformer(config) => bail!(
                "it is a {}: a transformer is opened for looking, not trained; ResNets are trained",
                config.title()
            ),
        }
    }

    /// The transformer that it is.
    pub fn transformer(&self) -> Option<VitConfig> {
        match self {
            Backbone::ResNet(_) => None,
            Backbone::Transformer(config) => Some(*config),
        }
    }

    /// The first layers of a ResNet.
    pub fn stem(&self) -> Option<Stem> {
        self.resnet().ok().map(|config| config.stem)
    }

    /// Checks ranges. The error names the field.
    pub fn validate(&self) -> anyhow::Result<()> {
        match self {
            Backbone::ResNet(config) => config.validate(),
            Backbone::Transformer(config) => config.validate(),
        }
    }

    /// A number of weights that it surely exceeds.
    pub fn least_parameters(&self) -> usize {
        match self {
            // The last stage's 3x3 convolutions.
            Backbone::ResNet(config) => 9 * config.inner_widths()[3].pow(2),
            Backbone::Transformer(config) => config.block_parameters(),
        }
    }

    /// Its spaces before h, from the last back to the first.
    pub fn inner_spaces(&self) -> Vec<Space> {
        match self {
            Backbone::ResNet(_) => (1..=3).rev().map(Space::Stage).collect(),
            Backbone::Transformer(config) => (1..=config.depth as u8).rev().map(Space::Block).collect(),
        }
    }

    /// All layers that give feature maps, from the last back to the first.
    pub fn map_layers(&self) -> Vec<MapLayer> {
        match self {
            Backbone::ResNet(_) => {
                [MapLayer::Last].into_iter().chain((1..=3).rev().map(MapLayer::Stage)).collect()
            }
            Backbone::Transformer(config) => {
                let blocks = 1..=config.depth as u8;
                let of = |layer: fn(u8) -> MapLayer| blocks.clone().rev().map(layer);
                // The last block's with the final norm is the last layer.
                let normed = of(MapLayer::Normed).skip(1);
                let parts = of(MapLayer::Key).chain(of(MapLayer::Query)).chain(of(MapLayer::Value));
                [MapLayer::Last].into_iter().chain(of(MapLayer::Block)).chain(normed).chain(parts).collect()
            }
        }
    }

    /// Channels of the feature map of `layer`, or `None` if there is no such layer.
    pub fn map_width(&self, layer: MapLayer) -> Option<usize> {
        match (self, layer) {
            (_, MapLayer::Last) => Some(self.h_width()),
            (Backbone::ResNet(_), MapLayer::Stage(index @ 1..=4)) => Some(self.h_width() >> (4 - index)),
            (
                Backbone::Transformer(config),
                MapLayer::Block(index)
                | MapLayer::Normed(index)
                | MapLayer::Key(index)
                | MapLayer::Query(index)
                | MapLayer::Value(index),
            ) => (1..=config.depth).contains(&index.into()).then_some(config.width),
            _ => None,
        }
    }

    /// Pixels of the input from one place to the next in the feature map of `layer`.
    pub fn cell(&self, layer: MapLayer) -> u32 {
        match (self, layer) {
            (Backbone::Transformer(config), _) => config.patch as u32,
            (Backbone::ResNet(config), layer) => {
                let first = config.stem.step();
                match layer {
                    MapLayer::Stage(index @ 1..=4) => first << (index - 1),
                    _ => first << 3,
                }
            }
        }
    }

    /// What the sides of an input are multiples of, pixels.
    pub fn input_step(&self) -> u32 {
        self.transformer().map_or(1, |config| config.patch as u32)
    }
}
