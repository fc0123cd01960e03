//! The spaces that can be shown side by side: those of the network, and raw pixels as a baseline.

use std::sync::Arc;

use crate::augment::CropBox;
use crate::embed::{CropSource, Embedder, PatchSource};
use crate::engine::ask::PatchSpace;
use crate::image::Image;
use crate::model::{MapLayer, ModelInfo, Space};

/// All spaces of a model: of crops from z back, of places in the maps of whole images, and the pixels.
pub fn all(info: &ModelInfo) -> Vec<PatchSpace> {
    info.all_spaces().into_iter().map(PatchSpace::Network).chain([PatchSpace::Pixels]).collect()
}

/// Names of the spaces of patches alone, from z back.
pub fn crop_names(info: &ModelInfo) -> Vec<String> {
    info.crop_spaces().iter().map(Space::to_string).collect()
}

/// The spaces that are shown first: z where there is one, and h; of a transformer the patch tokens too.
pub fn usual(info: &ModelInfo) -> Vec<PatchSpace> {
    let tokens = info.backbone.transformer().map(|_| Space::Token(MapLayer::Last));
    let crops = info.spaces().into_iter().rev().map(|(space, _)| space);
    crops.chain(tokens).map(PatchSpace::Network).collect()
}

/// Those of `names` that the model has, in this order and each once; the usual ones if none is left.
pub fn chosen(info: &ModelInfo, names: &[String]) -> Vec<PatchSpace> {
    let has = all(info);
    let mut spaces: Vec<PatchSpace> = vec![];
    for space in names.iter().filter_map(|name| name.parse().ok()) {
        if has.contains(&space) && !spaces.contains(&space) {
            spaces.push(space);
        }
    }
    if spaces.is_empty() { usual(info) } else { spaces }
}

/// Vectors of patches of `size` pixels in each of `spaces`, `[patches * width]` each.
pub fn vectors(
    embedder: &Embedder,
    patches: &[PatchSource],
    size: u32,
    spaces: &[PatchSpace],
) -> anyhow::Result<Vec<Vec<f32>>> {
    in_order(spaces, |network| embedder.patches(patches, size, network), || embedder.pixels(patches, size))
}

/// Vectors of rectangles in each of `spaces`, `[crops * width]` each, to compare with those of patches of
/// `size` pixels.
pub fn crop_vectors(
    embedder: &Embedder,
    crops: &[CropSource],
    size: u32,
    spaces: &[PatchSpace],
) -> anyhow::Result<Vec<Vec<f32>>> {
    in_order(spaces, |network| embedder.crops(crops, network), || embedder.crop_pixels(crops, size))
}

/// The vector of a whole image in each of `spaces`, to compare with the mean of those of its patches of `size` pixels.
pub fn whole_vectors(
    embedder: &Embedder,
    image: &Arc<Image>,
    size: u32,
    spaces: &[PatchSpace],
) -> anyhow::Result<Vec<Vec<f32>>> {
    let crop = CropBox { y: 0, x: 0, height: image.height(), width: image.width() };
    let whole = CropSource { image: image.clone(), crop };
    let network = |network: &[Space]| match network {
        [] => Ok(vec![]),
        network => embedder.centrals(std::slice::from_ref(image), network),
    };
    in_order(spaces, network, || embedder.crop_pixels(std::slice::from_ref(&whole), size))
}

/// The vectors of the network's spaces and of the pixels, in the order of `spaces`.
fn in_order(
    spaces: &[PatchSpace],
    network: impl FnOnce(&[Space]) -> anyhow::Result<Vec<Vec<f32>>>,
    pixels: impl Fn() -> anyhow::Result<Vec<f32>>,
) -> anyhow::Result<Vec<Vec<f32>>> {
    let names = spaces.iter().filter_map(|space| match space {
        PatchSpace::Network(space) => Some(*space),
        PatchSpace::Pixels => None,
    });
    let mut embedded = network(&names.collect::<Vec<_>>())?.into_iter();
    let vectors = spaces.iter().map(|space| match space {
        PatchSpace::Network(_) => Ok(embedded.next().unwrap_or_default()),
        PatchSpace::Pixels => pixels(),
    });
    vectors.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::{Normalization, Resize};
    use crate::model::{BackboneConfig, Depth, Stem};

    fn info(projector: Vec<usize>) -> ModelInfo {
        ModelInfo {
            backbone: BackboneConfig::new(Depth::ResNet18, Stem::Cifar { padding: 1 }, 8).into(),
            projector,
            input: 32,
            resize: Resize::Bilinear,
            normalization: Normalization { mean: [0.5; 3], std: [0.25; 3] },
            training: serde_json::Value::Null,
            origin: None,
            projector_norms: None,
            projector_form: Default::default(),
            projector_bias: true,
        }
    }

    fn names(spaces: &[PatchSpace]) -> Vec<String> {
        spaces.iter().map(PatchSpace::to_string).collect()
    }

    #[test]
    fn the_spaces_of_a_model_go_from_its_end_back_to_the_pixels() {
        let info = info(vec![32, 48, 16]);
        let all = all(&info);
        let expected = [
            "z",
            "hidden2",
            "hidden1",
            "h",
            "stage3",
            "stage2",
            "stage1",
            "token-last",
            "token-stage3",
            "token-stage2",
            "token-stage1",
            "pixels",
        ];
        assert_eq!(names(&all), expected);
        let widths: Vec<_> = all.iter().map(|space| space.width(&info, 14).unwrap()).collect();
        assert_eq!(widths, [16, 48, 32, 64, 32, 16, 8, 64, 32, 16, 8, 3 * 14 * 14]);
        assert_eq!(names(&usual(&info)), ["z", "h"]);
    }

    #[test]
    fn of_the_chosen_spaces_those_that_the_model_has_are_shown() {
        let wanted = ["pixels", "z", "hidden1", "pixels", "nonsense"].map(String::from);
        assert_eq!(names(&chosen(&info(vec![]), &wanted)), ["pixels"]);
        assert_eq!(names(&chosen(&info(vec![32, 16]), &wanted)), ["pixels", "z", "hidden1"]);
        assert_eq!(names(&chosen(&info(vec![]), &wanted[1..2])), ["h"]);
    }
}
