//! What a file or its neighbours say about a network besides its weights.

use anyhow::{Result, bail};
use serde_json::Value;

use super::naming::Usual;
use crate::augment::{Normalization, Resize};
use crate::kernel::Activation;

/// Parts of timm's names of networks whose activation is not the exact GELU.
const TIMM_ACTIVATIONS: [(&str, Activation); 6] = [
    ("quickgelu", Activation::QuickGelu),
    ("base_patch32_siglip", Activation::GeluTanh),
    ("large_patch16_siglip_512", Activation::GeluTanh),
    ("large_patch16_siglip_gap_512", Activation::GeluTanh),
    ("so400m_patch16_siglip", Activation::GeluTanh),
    ("giantopt_patch16_siglip", Activation::GeluTanh),
];

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
    /// What of this a configuration says.
    pub believed: Vec<String>,
    /// What of this nobody said.
    pub assumed: Vec<String>,
}

impl Hints {
    /// Padding of a 3x3 stem.
    pub fn stem_padding(&self) -> usize {
        if self.is_solo_learn { 2 } else { 1 }
    }

    /// How images reach a network: as it is said, else as they usually do, at a side of `usual_input`.
    pub fn preprocessing(&self, usual_input: u32, usual: Usual) -> Fed {
        let (mut believed, mut assumed) = (vec![], vec![]);
        let mut note =
            |is_said: bool, words: String| if is_said { &mut believed } else { &mut assumed }.push(words);
        let (input, resize, normalization) = (self.input(), self.resize(), self.normalization());
        let fed = (
            input.unwrap_or(usual_input),
            resize.unwrap_or(usual.resize),
            normalization.unwrap_or(usual.normalization),
        );
        note(input.is_some(), format!("input {} pixels", fed.0));
        note(resize.is_some(), format!("{} resizing", fed.1));
        match normalization {
            Some(Normalization { mean, std }) => {
                note(true, format!("normalisation by mean {mean:?}, std {std:?}"))
            }
            None => note(false, format!("normalisation of {}", usual.of)),
        }
        Fed { input: fed.0, resize: fed.1, normalization: fed.2, believed, assumed }
    }

    /// What the configuration says of the image tower.
    fn vision(&self) -> &Value {
        let tower = &self.config["vision_config"];
        if tower.is_object() { tower } else { &self.config }
    }

    /// Heads of each block.
    pub fn heads(&self) -> Option<usize> {
        let said = [&self.vision()["num_attention_heads"], &self.config["model_args"]["num_heads"]];
        said.into_iter().find_map(Value::as_u64).and_then(|heads| heads.try_into().ok())
    }

    /// What is added to the variance in layer normalisation.
    pub fn epsilon(&self) -> Option<f64> {
        self.vision()["layer_norm_eps"].as_f64()
    }

    /// What the MLPs apply.
    ///
    /// # Errors
    /// The configuration names something else.
    pub fn activation(&self) -> Result<Option<Activation>> {
        if let Some((_, activation)) =
            TIMM_ACTIVATIONS.iter().find(|(part, _)| self.architecture().contains(part))
        {
            return Ok(Some(*activation));
        }
        let Some(name) = self.vision()["hidden_act"].as_str() else { return Ok(None) };
        Ok(Some(match name {
            "gelu" | "gelu_python" => Activation::Gelu,
            "gelu_pytorch_tanh" | "gelu_new" | "gelu_fast" => Activation::GeluTanh,
            "quick_gelu" => Activation::QuickGelu,
            "silu" | "swish" => Activation::Silu,
            _ => bail!(
                "config.json: hidden_act is \"{name}\"; expected gelu, gelu_pytorch_tanh, quick_gelu or silu"
            ),
        }))
    }

    /// The ratio of periods of rotary positions.
    pub fn rotary_base(&self) -> Option<f64> {
        self.config["rope_theta"].as_f64()
    }

    /// Whether h is the mean of the tokens; nothing where timm does not say.
    pub fn is_mean(&self) -> Option<bool> {
        match self.config["global_pool"].as_str()? {
            "avg" => Some(true),
            "token" => Some(false),
            _ => None,
        }
    }

    /// timm's name of the network; empty where nothing says it.
    pub fn architecture(&self) -> &str {
        self.config["architecture"].as_str().unwrap_or_default()
    }

    fn input(&self) -> Option<u32> {
        let side = |value: &Value| {
            let side = [value, &value["height"], &value["shortest_edge"]].into_iter().find_map(Value::as_u64);
            side.and_then(|side| u32::try_from(side).ok())
        };
        // Where nothing is cut off, a crop's size says nothing.
        let crop =
            Some(&self.preprocessor["crop_size"]).filter(|_| self.preprocessor["do_center_crop"] != false);
        crop.and_then(side)
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
        if self.preprocessor["do_normalize"] == false {
            return Some(Normalization { mean: [0.0; 3], std: [1.0; 3] });
        }
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
        let nothing = Hints::default().preprocessing(224, Usual::IMAGENET);
        assert_eq!(
            (nothing.input, nothing.normalization, nothing.assumed.len()),
            (224, Normalization::IMAGENET, 3)
        );
        let preprocessor = json!({
            "size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}, "resample": 3,
            "image_mean": [0.5, 0.4, 0.3], "image_std": [0.25, 0.25, 0.25],
        });
        let said = Hints { preprocessor, ..Hints::default() }.preprocessing(224, Usual::IMAGENET);
        assert_eq!((said.input, said.resize, said.assumed.len()), (224, Resize::Bicubic, 0));
        assert_eq!(said.normalization.mean, [0.5, 0.4, 0.3]);
        let config = json!({"pretrained_cfg": {
            "input_size": [3, 160, 160], "interpolation": "bilinear", "mean": [0, 0, 0], "std": [1, 1, 1],
        }});
        let timm = Hints { config, ..Hints::default() }.preprocessing(224, Usual::IMAGENET);
        assert_eq!((timm.input, timm.resize, timm.normalization.std), (160, Resize::Bilinear, [1.0; 3]));
    }
}
