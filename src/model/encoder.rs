//! Image batch -> embedding h, projection z, and any layer between.

use std::fmt;
use std::str::FromStr;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::layers::Mode;
use super::origin::ModelOrigin;
use super::projector::Projector;
use super::resnet::{BackboneConfig, ResNet};
use super::watch::{FirstNotFinite, Watch};
use crate::augment::{Crop, Normalization, Resize};

/// A named space of vectors that a network maps images to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    /// Mean over positions of the feature map after stage 1 to 4; stage 4 is [`Space::H`].
    Stage(u8),
    /// The embedding h: the backbone's output, not normalised.
    H,
    /// Output of the projector's hidden layer 1, 2, ... (after ReLU).
    Hidden(u8),
    /// The projection z: the projector's raw output, not normalised.
    Z,
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Space::Stage(index) => write!(f, "stage{index}"),
            Space::H => write!(f, "h"),
            Space::Hidden(index) => write!(f, "hidden{index}"),
            Space::Z => write!(f, "z"),
        }
    }
}

impl FromStr for Space {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let numbered = |prefix: &str| name.strip_prefix(prefix).and_then(|digits| digits.parse::<u8>().ok());
        match name {
            "h" => Ok(Space::H),
            "z" => Ok(Space::Z),
            _ => numbered("stage")
                .filter(|index| (1..=4).contains(index))
                .map(Space::Stage)
                .or(numbered("hidden").filter(|&index| index >= 1).map(Space::Hidden))
                .ok_or_else(|| {
                    anyhow::anyhow!(
                        "unknown space \"{name}\"; expected h, z, stage1 to stage4 or hidden1, ..."
                    )
                }),
        }
    }
}

/// What a model is: all that is needed to build it, to feed it and to name it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// The network without its projector.
    pub backbone: BackboneConfig,
    /// Output widths of the projector's layers, the last being that of z; empty without a projector.
    pub projector: Vec<usize>,
    /// After which of the projector's layers batch normalisation stands; nothing is after all but the last, as we
    /// train them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub projector_norms: Option<Vec<bool>>,
    /// Side of the square input, pixels.
    pub input: u32,
    /// How a patch or image reaches that side.
    pub resize: Resize,
    /// What is subtracted and divided by, per channel of RGB / 255.
    pub normalization: Normalization,
    /// How the weights came to be (recipe, data, steps, ...), as the trainer wrote it.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub training: serde_json::Value,
    /// How it was recognised in another program's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<ModelOrigin>,
}

impl ModelInfo {
    /// The spaces that users see first (h, and z where there is a projector) with their widths.
    pub fn spaces(&self) -> Vec<(Space, usize)> {
        let mut spaces = vec![(Space::H, self.backbone.h_width())];
        spaces.extend(self.projector.last().map(|&width| (Space::Z, width)));
        spaces
    }

    /// Width of any space, or `None` if this model has no such space.
    pub fn width(&self, space: Space) -> Option<usize> {
        let hidden = self.projector.len().saturating_sub(1);
        match space {
            Space::H | Space::Stage(4) => Some(self.backbone.h_width()),
            Space::Stage(index @ 1..=3) => Some(self.backbone.h_width() >> (4 - index)),
            Space::Stage(_) => None,
            Space::Hidden(index) if index == 0 || usize::from(index) > hidden => None,
            Space::Hidden(index) => Some(self.projector[usize::from(index) - 1]),
            Space::Z => self.projector.last().copied(),
        }
    }

    /// How the views were cut that the network was trained on; none where its file does not say.
    pub fn trained_crops(&self) -> Vec<Crop> {
        let views = self.training["config"]["views"].as_array();
        views.into_iter().flatten().filter_map(|view| Crop::deserialize(&view["crop"]).ok()).collect()
    }

    /// The name of the objective that the network was trained by; none where its file does not say.
    pub fn trained_objective(&self) -> Option<&str> {
        self.training["config"]["objective"]["name"].as_str()
    }

    /// A number of weights that the network surely exceeds: those of the projector and of the
    /// last stage's 3x3 convolutions. Tells a small file that claims a huge network.
    pub fn least_parameters(&self) -> usize {
        let mut input = self.backbone.h_width();
        let projector = self.projector.iter().map(|&width| width * std::mem::replace(&mut input, width));
        9 * (8 * self.backbone.width).pow(2) + projector.sum::<usize>()
    }

    /// Checks ranges. The error names the field.
    pub fn validate(&self) -> anyhow::Result<()> {
        self.backbone.validate()?;
        anyhow::ensure!(
            (8..=1024).contains(&self.input),
            "input is {}; expected 8 to 1024 pixels",
            self.input
        );
        let layers = self.projector.len();
        anyhow::ensure!(layers <= 16, "projector has {layers} layers; expected at most 16");
        anyhow::ensure!(
            self.projector_norms.as_ref().is_none_or(|norms| norms.len() == layers),
            "projector_norms has another length than the {layers} layers of the projector"
        );
        for (index, &width) in self.projector.iter().enumerate() {
            anyhow::ensure!(
                (1..=65_536).contains(&width),
                "projector layer {index} has width {width}; expected 1 to 65,536"
            );
        }
        anyhow::ensure!(
            self.normalization.std.iter().all(|&std| std > 0.0 && std.is_finite()),
            "normalization std is {:?}; expected positive numbers",
            self.normalization.std
        );
        anyhow::ensure!(
            self.normalization.mean.iter().all(|mean| mean.is_finite()),
            "normalization mean is {:?}; expected finite numbers",
            self.normalization.mean
        );
        Ok(())
    }
}

/// Backbone and projector.
#[derive(Module, Debug)]
pub struct Encoder {
    backbone: ResNet,
    projector: Projector,
}

impl Encoder {
    /// An encoder of the described shape with fresh weights, torchvision's initialisation
    /// drawn from `seed`.
    pub fn new(info: &ModelInfo, seed: u64, device: &Device) -> Self {
        super::weights::initialize(Self::uninitialized(info, device), seed)
    }

    /// An encoder whose weights are still to be set.
    pub(super) fn uninitialized(info: &ModelInfo, device: &Device) -> Self {
        let backbone = ResNet::new(&info.backbone, device);
        let projector =
            Projector::new(info.backbone.h_width(), &info.projector, info.projector_norms.as_deref(), device);
        Self { backbone, projector }
    }

    /// Maps a batch of normalised images to the spaces asked for, in that order.
    /// Panics if the model has no such space (see [`ModelInfo::width`]).
    ///
    /// # Shapes
    /// - input: `[batch, 3, side, side]`
    /// - output i: `[batch, width of spaces[i]]`
    pub fn embed(&self, images: Tensor<4>, spaces: &[Space], mode: Mode) -> Vec<Tensor<2>> {
        let stages = self.backbone.stages(images, mode);
        let h = mean_over_positions(stages[3].clone());
        let projects = spaces.iter().any(|space| matches!(space, Space::Z | Space::Hidden(_)));
        let projected = if projects { self.projector.activations(h.clone(), mode) } else { vec![] };
        let pick = |space: &Space| match *space {
            Space::Stage(index @ 1..=3) => mean_over_positions(stages[usize::from(index) - 1].clone()),
            Space::Stage(_) | Space::H => h.clone(),
            Space::Hidden(index) => projected[usize::from(index) - 1].clone(),
            Space::Z => projected[projected.len() - 1].clone(),
        };
        spaces.iter().map(pick).collect()
    }

    /// The first layer on the way of `images` to z (or h without a projector) that gives a value that is not finite,
    /// in words that follow "first in"; `None` where all are. For a pass that is known to have failed: as long as a few.
    pub fn first_not_finite(&self, images: Tensor<4>, mode: Mode) -> Option<String> {
        let mut watch = FirstNotFinite::default();
        watch.see(format_args!("the normalised pixels that go in"), &images);
        let [.., last] = self.backbone.stages_first(images, mode, &mut watch);
        self.projector.activations_watched(mean_over_positions(last), mode, &mut watch);
        watch.layer
    }

    /// The backbone's last feature maps, with running statistics; h is their mean over positions.
    ///
    /// # Shapes
    /// - input: `[batch, 3, side, side]`
    /// - output: `[batch, width of h, rows, cols]`
    pub fn last_map(&self, images: Tensor<4>) -> Tensor<4> {
        let [_, _, _, last] = self.backbone.stages(images, Mode::Eval);
        last
    }
}

/// # Shapes
/// - input: `[batch, channels, height, width]`
/// - output: `[batch, channels]`
fn mean_over_positions(map: Tensor<4>) -> Tensor<2> {
    let [batch, channels, height, width] = map.dims();
    map.reshape([batch, channels, height * width]).mean_dim(2).reshape([batch, channels])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_read_back_from_their_names() {
        for space in [Space::H, Space::Z, Space::Stage(2), Space::Hidden(1)] {
            assert_eq!(space.to_string().parse::<Space>().unwrap(), space);
        }
        assert!("stage5".parse::<Space>().is_err() && "y".parse::<Space>().is_err());
    }
}
