//! What stands beside a file of weights and says what they are: the configuration files of Hugging Face, timm and open_clip.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::files;
use crate::model::foreign::Hints;

/// Says what the network is.
pub const CONFIG: &str = "config.json";
/// Says how images reach it.
pub const PREPROCESSOR: &str = "preprocessor_config.json";
/// Says both of a model of open_clip.
const OPEN_CLIP: &str = "open_clip_config.json";
/// One of these is in a configuration that is of a model, and not of something else by the same name.
const SIGNS: [&str; 4] = ["model_type", "architectures", "architecture", "pretrained_cfg"];

/// What the files of a folder say.
pub fn of_folder(folder: &Path) -> Result<Hints> {
    let (mut config, preprocessor) = (read(&folder.join(CONFIG))?, read(&folder.join(PREPROCESSOR))?);
    if config.is_null() {
        config = of_open_clip(&read(&folder.join(OPEN_CLIP))?);
    }
    Ok(Hints { config, preprocessor, ..Hints::default() })
}

/// What stands beside a file, added to what the file itself says; nothing where it is of no model.
pub fn beside(file: &Path, hints: Hints) -> Hints {
    let found = file.parent().map(of_folder);
    match found {
        Some(Ok(found)) if SIGNS.iter().any(|sign| !found.config[*sign].is_null()) => {
            Hints { config: found.config, preprocessor: found.preprocessor, ..hints }
        }
        // Nobody named that file: one that cannot be read is none.
        _ => hints,
    }
}

/// What a configuration of open_clip says, in the words of the others; null where it says nothing.
fn of_open_clip(said: &Value) -> Value {
    let (vision, fed) = (&said["model_cfg"]["vision_cfg"], &said["preprocess_cfg"]);
    if !vision.is_object() {
        return Value::Null;
    }
    let of_timm = vision["timm_model_name"].as_str();
    let is_quick = said["model_cfg"]["quick_gelu"] == true;
    // A tower of its own; timm's activation is told by its name.
    let activation = of_timm.is_none().then_some(if is_quick { "quick_gelu" } else { "gelu" });
    let heads =
        vision["width"].as_u64().map(|width| width / vision["head_width"].as_u64().unwrap_or(64).max(1));
    let side = if vision["image_size"].is_array() { &vision["image_size"][0] } else { &vision["image_size"] };
    json!({
        "architecture": of_timm.unwrap_or_default(),
        "global_pool": vision["timm_pool"],
        "vision_config": {"hidden_act": activation, "num_attention_heads": heads},
        "pretrained_cfg": {
            "input_size": [3, side, side],
            "interpolation": fed["interpolation"],
            "mean": fed["mean"],
            "std": fed["std"],
        },
    })
}

/// A file of JSON; null where there is none.
pub fn read(path: &Path) -> Result<Value> {
    if !path.is_file() {
        return Ok(Value::Null);
    }
    let text = files::read_to_string(path, files::MOST_WORDS)
        .with_context(|| format!("could not read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Activation;

    #[test]
    fn a_configuration_of_open_clip_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        let said = |words: Value| {
            std::fs::write(folder.path().join(OPEN_CLIP), words.to_string()).unwrap();
            beside(&folder.path().join("open_clip_model.safetensors"), Hints::default())
        };
        let vision = json!({"timm_model_name": "vit_so400m_patch16_siglip_256", "timm_pool": "map", "image_size": 256});
        let fed = json!({"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bicubic"});
        let hints = said(json!({"model_cfg": {"vision_cfg": vision}, "preprocess_cfg": fed}));
        assert_eq!(hints.activation().unwrap(), Some(Activation::GeluTanh));
        assert_eq!(hints.config["pretrained_cfg"]["input_size"], json!([3, 256, 256]));
        assert_eq!(hints.config["pretrained_cfg"]["mean"], json!([0.5, 0.5, 0.5]));
        let vision = json!({"layers": 32, "width": 1280, "head_width": 80, "patch_size": 14, "image_size": [224, 224]});
        let hints = said(json!({"model_cfg": {"quick_gelu": true, "vision_cfg": vision}}));
        assert_eq!((hints.heads(), hints.activation().unwrap()), (Some(16), Some(Activation::QuickGelu)));
        assert_eq!(said(json!({"pretrained_cfg": 3})).config, Value::Null, "it is something else");
    }
}
