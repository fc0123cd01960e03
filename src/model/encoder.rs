//! Image batch -> embedding h, projection z, and any layer between.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::backbone::{Backbone, BackboneNetwork};
use super::layers::Mode;
use super::origin::ModelOrigin;
use super::precision::EmbedPrecision;
use super::projector::{Projector, ProjectorForm};
use super::resnet::{ResNet, whole};
use super::space::{MapLayer, Space};
use super::stage_map::StageMap;
use super::watch::{FirstNotFinite, Unwatched, Watch};
use crate::augment::{Crop, Normalization, Resize, ViewConfig};

/// What a model is: all that is needed to build it, to feed it and to name it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// The network without its projector.
    pub backbone: Backbone,
    /// Output widths of the projector's layers, the last being that of z; empty without a projector.
    pub projector: Vec<usize>,
    /// After which of the projector's layers batch normalisation stands; nothing is after all but the last, as we
    /// train them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub projector_norms: Option<Vec<bool>>,
    /// What stands between its layers and after the last one.
    #[serde(default, skip_serializing_if = "ProjectorForm::is_usual")]
    pub projector_form: ProjectorForm,
    /// Whether the projector's last layer has a bias.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub projector_bias: bool,
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

fn yes() -> bool {
    true
}

fn is_yes(flag: &bool) -> bool {
    *flag
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
            Space::H => Some(self.backbone.h_width()),
            Space::Stage(index) => self.backbone.map_width(MapLayer::Stage(index)),
            Space::Block(index) => self.backbone.map_width(MapLayer::Block(index)),
            Space::Token(layer) => self.backbone.map_width(layer),
            Space::Hidden(index) if index == 0 || usize::from(index) > hidden => None,
            Space::Hidden(index) => Some(self.projector[usize::from(index) - 1]),
            Space::Z => self.projector.last().copied(),
        }
    }

    /// All spaces of a crop that goes through the network alone, from z back to the first stage or block.
    pub fn crop_spaces(&self) -> Vec<Space> {
        let z = self.projector.last().map(|_| Space::Z);
        let hidden = (1..self.projector.len() as u8).rev().map(Space::Hidden);
        let inner = self.backbone.inner_spaces();
        z.into_iter().chain(hidden).chain([Space::H]).chain(inner).collect()
    }

    /// All spaces: those of [`ModelInfo::crop_spaces`], and of places in the maps of whole images.
    pub fn all_spaces(&self) -> Vec<Space> {
        self.crop_spaces().into_iter().chain(self.map_layers().into_iter().map(Space::Token)).collect()
    }

    /// Refuses a space that the model does not have, with those that it has.
    ///
    /// # Errors
    /// It has none of that name.
    pub fn ensure_space(&self, space: Space, model: &str) -> anyhow::Result<()> {
        let known = self.all_spaces();
        let names: Vec<String> = known.iter().map(Space::to_string).collect();
        anyhow::ensure!(
            known.contains(&space),
            "the model {model} gives no vector \"{space}\"; expected one of {}",
            names.join(", ")
        );
        Ok(())
    }

    /// All layers that give feature maps, from the last back to the first; [`Space::Token`] makes a space of each.
    pub fn map_layers(&self) -> Vec<MapLayer> {
        self.backbone.map_layers()
    }

    /// Pixels of the network's input from one place to the next in the feature map of `layer`, one of
    /// [`ModelInfo::map_layers`].
    pub fn cell(&self, layer: MapLayer) -> u32 {
        self.backbone.cell(layer)
    }

    /// What the sides of an input are multiples of, pixels: the patch of a transformer; 1 where any do.
    pub fn input_step(&self) -> u32 {
        self.backbone.input_step()
    }

    /// What the sides of a whole image are made multiples of, so that every layer's places cover it, pixels.
    pub fn map_step(&self) -> u32 {
        let cells = self.map_layers().into_iter().map(|layer| self.cell(layer));
        cells.max().unwrap_or(1).max(self.input_step())
    }

    /// How the views were cut that the network was trained on; none where its file does not say.
    pub fn trained_crops(&self) -> Vec<Crop> {
        let views = self.training["config"]["views"].as_array();
        views.into_iter().flatten().filter_map(|view| Crop::deserialize(&view["crop"]).ok()).collect()
    }

    /// How the views were made that the network was trained on; none where its file does not say.
    pub fn trained_views(&self) -> Vec<ViewConfig> {
        let views = self.training["config"]["views"].as_array();
        views.into_iter().flatten().filter_map(|view| ViewConfig::deserialize(view).ok()).collect()
    }

    /// The name of the objective that the network was trained by; none where its file does not say.
    pub fn trained_objective(&self) -> Option<&str> {
        self.training["config"]["objective"]["name"].as_str()
    }

    /// The share of each class that was kept from the network's training, and the seed that drew it; none where its file says
    /// of none.
    pub fn trained_holdout(&self) -> Option<(f64, u64)> {
        let config = &self.training["config"];
        let share = config["holdout"].as_f64().filter(|share| *share > 0.0 && *share < 1.0)?;
        Some((share, config["seed"].as_u64()?))
    }

    /// Name and fingerprint of the images that the network was trained on; none where its file does not say.
    pub fn trained_data(&self) -> Option<(&str, &str)> {
        Some((self.training["data"].as_str()?, self.training["data_fingerprint"].as_str()?))
    }

    /// A number of weights that the network surely exceeds: tells a small file that claims a huge network.
    pub fn least_parameters(&self) -> usize {
        let mut input = self.backbone.h_width();
        let projector = self.projector.iter().map(|&width| width * std::mem::replace(&mut input, width));
        self.backbone.least_parameters() + projector.sum::<usize>()
    }

    /// Checks ranges. The error names the field.
    pub fn validate(&self) -> anyhow::Result<()> {
        self.backbone.validate()?;
        anyhow::ensure!(
            (8..=1024).contains(&self.input),
            "input is {}; expected 8 to 1024 pixels",
            self.input
        );
        let step = self.input_step();
        anyhow::ensure!(
            self.input >= step,
            "input is {}; expected at least a patch, {step} pixels",
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
    backbone: BackboneNetwork,
    projector: Projector,
    /// In what the backbone computes, if its weights are laid out for evaluation on the CPU.
    #[module(skip)]
    laid_out: Option<EmbedPrecision>,
}

/// Values of the largest map of those inputs that go through the backbone at once where weights are laid out: they stay in
/// the processor's cache from layer to layer, without which memory would be what takes the time. In float32, where
/// Winograd's weights are transformed each time, it takes more of them to be worth it.
fn part_values(precision: EmbedPrecision) -> f64 {
    match precision {
        EmbedPrecision::F32 => (1 << 21) as f64,
        EmbedPrecision::Bf16 => (1 << 20) as f64,
    }
}

/// Parts that go through a ResNet's last stages together: their maps are small, and their weights would come from memory
/// anew for each part.
const LATE_PARTS: usize = 8;

impl Encoder {
    /// An encoder of the described shape with fresh weights, torchvision's initialisation
    /// drawn from `seed`.
    pub fn new(info: &ModelInfo, seed: u64, device: &Device) -> Self {
        super::weights::initialize(Self::uninitialized(info, device), seed)
    }

    /// An encoder whose weights are still to be set.
    pub(super) fn uninitialized(info: &ModelInfo, device: &Device) -> Self {
        let backbone = BackboneNetwork::new(&info.backbone, device);
        let norms = info.projector_norms.as_deref();
        let form = (info.projector_form, info.projector_bias);
        let projector = Projector::new(info.backbone.h_width(), &info.projector, norms, form, device);
        Self { backbone, projector, laid_out: None }
    }

    /// The same network for evaluation on the CPU alone: its backbone computes in that precision, its projector in float32,
    /// with weights that are laid out once, which takes memory of its own ([`EmbedPrecision::with_laid_out`]).
    pub fn laid_out(mut self, precision: EmbedPrecision) -> Self {
        self.laid_out = Some(precision);
        match &mut self.backbone {
            BackboneNetwork::ResNet(resnet) => resnet.lay_out(precision),
            BackboneNetwork::Transformer(vit) => vit.lay_out(precision),
        }
        self.projector.lay_out();
        self
    }

    /// How many images of this size go through the backbone's largest maps at once.
    fn together(&self, images: &Tensor<4>) -> usize {
        let Some(precision) = self.laid_out else { return usize::MAX };
        let [.., height, width] = images.dims();
        let per_pixel = match &self.backbone {
            BackboneNetwork::ResNet(resnet) => resnet.values_per_pixel(),
            BackboneNetwork::Transformer(vit) => vit.values_per_pixel(),
        };
        (part_values(precision) / (per_pixel * (height * width) as f64)).max(1.0) as usize
    }

    /// A batch in the parts that go through the backbone at once.
    fn parts(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        let together = match self.backbone {
            BackboneNetwork::ResNet(_) => self.together(&images).saturating_mul(LATE_PARTS),
            BackboneNetwork::Transformer(_) => self.together(&images),
        };
        if images.dims()[0] > together { images.split(together, 0) } else { vec![images] }
    }

    /// Maps a batch of normalised images to the spaces asked for, in that order.
    /// Panics if the model has no such space (see [`ModelInfo::width`]).
    ///
    /// # Shapes
    /// - input: `[batch, 3, side, side]`
    /// - output i: `[batch, width of spaces[i]]`
    pub fn embed(&self, images: Tensor<4>, spaces: &[Space], mode: Mode) -> Vec<Tensor<2>> {
        let projects = |space: &Space| matches!(space, Space::Z | Space::Hidden(_));
        // What the backbone gives for each space; projections come from h.
        let inner: Vec<Space> =
            spaces.iter().map(|space| if projects(space) { Space::H } else { *space }).collect();
        let parts = self.parts(images).into_iter();
        let vectors = joined(parts.map(|images| self.backbone_vectors(images, &inner, mode)));
        let h = spaces.iter().position(projects).map(|place| vectors[place].clone());
        let projected = h.map_or(vec![], |h| self.projector.activations(h, mode));
        let pick = |(vectors, space): (Tensor<2>, &Space)| match *space {
            Space::Hidden(index) => projected[usize::from(index) - 1].clone(),
            Space::Z => projected[projected.len() - 1].clone(),
            _ => vectors,
        };
        vectors.into_iter().zip(spaces).map(pick).collect()
    }

    /// [`Encoder::embed`] for spaces of the backbone.
    fn backbone_vectors(&self, images: Tensor<4>, spaces: &[Space], mode: Mode) -> Vec<Tensor<2>> {
        let resnet = match &self.backbone {
            BackboneNetwork::ResNet(resnet) => resnet,
            BackboneNetwork::Transformer(vit) => return vit.embed(images, spaces, &mut Unwatched),
        };
        let stage = |space: &Space| match *space {
            Space::Stage(stage @ 1..=4) => stage,
            Space::H => 4,
            _ => panic!("no vector of a crop in a ResNet: {space}"),
        };
        let wanted: Vec<u8> = spaces.iter().map(stage).collect();
        self.of_stages(resnet, images, mode, &wanted, |stage| stage.mean_over_positions())
    }

    /// What `of` takes of each stage that is `wanted`, in that order.
    fn of_stages<const D: usize>(
        &self,
        resnet: &ResNet,
        images: Tensor<4>,
        mode: Mode,
        wanted: &[u8],
        of: impl Fn(&dyn StageMap) -> Tensor<D>,
    ) -> Vec<Tensor<D>> {
        let together = self.together(&images);
        let mut found: Vec<Vec<Tensor<D>>> = vec![vec![]; wanted.len()];
        resnet.stages(images, mode, together, &mut |stage, map| {
            let places = found.iter_mut().zip(wanted).filter(|(_, wanted)| **wanted == stage);
            places.for_each(|(found, _)| found.push(of(map)));
        });
        found.into_iter().map(whole).collect()
    }

    /// The first layer on the way of `images` to z (or h without a projector) that gives a value that is not finite,
    /// in words that follow "first in"; `None` where all are. For a pass that is known to have failed: as long as a few.
    pub fn first_not_finite(&self, images: Tensor<4>, mode: Mode) -> Option<String> {
        let mut watch = FirstNotFinite::default();
        watch.see(format_args!("the normalised pixels that go in"), &images);
        let h = match &self.backbone {
            BackboneNetwork::ResNet(resnet) => {
                let [.., last] = resnet.stages_first(images, mode, &mut watch);
                last.mean_over_positions()
            }
            BackboneNetwork::Transformer(vit) => vit.embed(images, &[Space::H], &mut watch).remove(0),
        };
        self.projector.activations_watched(h, mode, &mut watch);
        watch.layer
    }

    /// The feature maps of `layers`, in that order, with running statistics. The images may be rectangles of any size
    /// (for a transformer, of multiples of its patch).
    /// Panics if the model has no such layer (see [`ModelInfo::map_layers`]).
    ///
    /// # Shapes
    /// - input: `[batch, 3, height, width]`
    /// - output i: `[batch, channels, rows, cols]`
    pub fn maps(&self, images: Tensor<4>, layers: &[MapLayer]) -> Vec<Tensor<4>> {
        joined(self.parts(images).into_iter().map(|images| self.backbone_maps(images, layers)))
    }

    fn backbone_maps(&self, images: Tensor<4>, layers: &[MapLayer]) -> Vec<Tensor<4>> {
        let resnet = match &self.backbone {
            BackboneNetwork::ResNet(resnet) => resnet,
            BackboneNetwork::Transformer(vit) => return vit.maps(images, layers),
        };
        let stage = |layer: &MapLayer| match *layer {
            MapLayer::Stage(stage @ 1..=4) => stage,
            MapLayer::Last => 4,
            _ => panic!("no layer of a ResNet: {layer}"),
        };
        let wanted: Vec<u8> = layers.iter().map(stage).collect();
        self.of_stages(resnet, images, Mode::Eval, &wanted, |stage| stage.maps())
    }
}

/// What the parts of a batch gave, each for the same spaces or layers, as that of the whole batch.
fn joined<const D: usize>(mut parts: impl Iterator<Item = Vec<Tensor<D>>>) -> Vec<Tensor<D>> {
    let first = parts.next().unwrap_or_default();
    let mut all: Vec<Vec<Tensor<D>>> = first.into_iter().map(|tensor| vec![tensor]).collect();
    for part in parts {
        all.iter_mut().zip(part).for_each(|(all, tensor)| all.push(tensor));
    }
    all.into_iter().map(whole).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BackboneConfig, Depth, Stem};

    #[test]
    fn the_maps_of_a_rectangle_have_a_place_for_each_cell() {
        let device = Device::flex();
        for (stem, cells) in [
            (Stem::Cifar { padding: 1 }, [8, 4, 2, 1]),
            (Stem::Pooled { padding: 1 }, [16, 8, 4, 2]),
            (Stem::ImageNet, [32, 16, 8, 4]),
        ] {
            let info = info(stem);
            let layers = info.map_layers();
            assert_eq!(layers.iter().map(|layer| info.cell(*layer)).collect::<Vec<_>>(), cells);
            let encoder = Encoder::new(&info, 1, &device);
            let images = Tensor::<4>::ones([2, 3, 64, 96], &device);
            for (layer, map) in layers.iter().zip(encoder.maps(images.clone(), &layers)) {
                let cell = info.cell(*layer) as usize;
                let width = info.width(Space::Token(*layer)).unwrap();
                assert_eq!(map.dims(), [2, width, 64 / cell, 96 / cell], "{layer}");
            }
            // h is the mean over the last map.
            let values = |tensor: Tensor<2>| tensor.into_data().try_to_vec::<f32>().unwrap();
            let last = encoder.maps(images.clone(), &[MapLayer::Last]).remove(0);
            let h = encoder.embed(images, &[Space::H], Mode::Eval).remove(0);
            assert_eq!(values(last.mean_over_positions()), values(h));
        }
    }

    #[test]
    fn every_space_of_a_model_has_a_width() {
        let info = ModelInfo { projector: vec![6, 5], ..info(Stem::ImageNet) };
        let names: Vec<String> = info.crop_spaces().iter().map(Space::to_string).collect();
        assert_eq!(names, ["z", "hidden1", "h", "stage3", "stage2", "stage1"]);
        let widths: Vec<_> = info.crop_spaces().into_iter().map(|space| info.width(space).unwrap()).collect();
        assert_eq!(widths, [5, 6, 16, 8, 4, 2]);
        assert_eq!(info.width(Space::Block(1)), None);
        assert_eq!(info.width(Space::Token(MapLayer::Key(1))), None);
    }

    fn info(stem: Stem) -> ModelInfo {
        ModelInfo {
            backbone: BackboneConfig::new(Depth::ResNet18, stem, 2).into(),
            projector: vec![],
            input: 32,
            resize: Resize::Bilinear,
            normalization: Normalization::IMAGENET,
            training: serde_json::Value::Null,
            origin: None,
            projector_norms: None,
            projector_form: Default::default(),
            projector_bias: true,
        }
    }
}
