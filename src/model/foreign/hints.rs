//! What a file or its neighbours say about a network besides its weights.

use serde_json::Value;

use crate::augment::{Normalization, Resize};
use crate::model::resnet::Stem;

/// What is known besides the weights.
#[derive(Clone, Debug, Default)]
pub struct Hints {
    /// Whether solo-learn wrote the file: its 3x3 stem has padding 2.
    pub is_solo_learn: bool,
    /// What `config.json` and `preprocessor_config.json` beside the weights say; null where there is none.
    pub config: Value,
    /// See [`Hints::config`].
    pub preprocessor: Value,
}

/// How images reach the network.
pub struct Fed {
    /// Side of the square input, pixels.
    pub input: u32,
    /// How an image reaches it.
    pub resize: Resize,
    /// What is subtracted and divided by.
    pub normalization: Normalization,
    /// What of this nobody said.
    pub assumed: Vec<String>,
}

impl Hints {
    /// Padding of a 3x3 stem.
    pub fn stem_padding(&self) -> usize {
        if self.is_solo_learn { 2 } else { 1 }
    }

    /// How images reach a network with this stem: as it is said, else as its kind usually takes them.
    pub fn preprocessing(&self, stem: Stem) -> Fed {
        let (usual_input, usual, of) = match stem {
            Stem::ImageNet => (224, Normalization::IMAGENET, "ImageNet"),
            Stem::Cifar { .. } => (32, Normalization::CIFAR10, "CIFAR-10"),
        };
        let mut assumed = vec![];
        let input = self.input().unwrap_or_else(|| {
            assumed.push(format!("input {usual_input} pixels"));
            usual_input
        });
        let resize = self.resize().unwrap_or_else(|| {
            assumed.push("bilinear resizing".into());
            Resize::Bilinear
        });
        let normalization = self.normalization().unwrap_or_else(|| {
            assumed.push(format!("normalisation of {of}"));
            usual
        });
        Fed { input, resize, normalization, assumed }
    }

    fn input(&self) -> Option<u32> {
        let side = |value: &Value| {
            let side = [value, &value["height"], &value["shortest_edge"]].into_iter().find_map(Value::as_u64);
            side.and_then(|side| u32::try_from(side).ok())
        };
        side(&self.preprocessor["crop_size"])
            .or_else(|| side(&self.preprocessor["size"]))
            .or_else(|| side(&self.config["pretrained_cfg"]["input_size"][1]))
    }

    fn resize(&self) -> Option<Resize> {
        match (
            self.preprocessor["resample"].as_u64(),
            self.config["pretrained_cfg"]["interpolation"].as_str(),
        ) {
            // Pillow's numbers.
            (Some(2), _) | (None, Some("bilinear")) => Some(Resize::Bilinear),
            (Some(3), _) | (None, Some("bicubic")) => Some(Resize::Bicubic),
            _ => None,
        }
    }

    fn normalization(&self) -> Option<Normalization> {
        let three = |value: &Value| -> Option<[f32; 3]> {
            let values =
                value.as_array()?.iter().map(|v| Some(v.as_f64()? as f32)).collect::<Option<Vec<_>>>()?;
            values.try_into().ok()
        };
        let timm = &self.config["pretrained_cfg"];
        let [mean, std] = [("image_mean", "mean"), ("image_std", "std")]
            .map(|(theirs, timms)| three(&self.preprocessor[theirs]).or_else(|| three(&timm[timms])));
        Some(Normalization { mean: mean?, std: std? })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_said_is_believed_and_the_rest_is_named_as_assumed() {
        let nothing = Hints::default().preprocessing(Stem::ImageNet);
        assert_eq!(
            (nothing.input, nothing.normalization, nothing.assumed.len()),
            (224, Normalization::IMAGENET, 3)
        );
        let preprocessor = json!({
            "size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}, "resample": 3,
            "image_mean": [0.5, 0.4, 0.3], "image_std": [0.25, 0.25, 0.25],
        });
        let said = Hints { preprocessor, ..Hints::default() }.preprocessing(Stem::ImageNet);
        assert_eq!((said.input, said.resize, said.assumed.len()), (224, Resize::Bicubic, 0));
        assert_eq!(said.normalization.mean, [0.5, 0.4, 0.3]);
        let config = json!({"pretrained_cfg": {
            "input_size": [3, 160, 160], "interpolation": "bilinear", "mean": [0, 0, 0], "std": [1, 1, 1],
        }});
        let timm = Hints { config, ..Hints::default() }.preprocessing(Stem::ImageNet);
        assert_eq!((timm.input, timm.resize, timm.normalization.std), (160, Resize::Bilinear, [1.0; 3]));
    }
}
