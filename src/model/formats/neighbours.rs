//! What stands beside a file of weights and says what they are: the configuration files of Hugging Face and of timm.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::files;
use crate::model::foreign::Hints;

/// Says what the network is.
pub const CONFIG: &str = "config.json";
/// Says how images reach it.
pub const PREPROCESSOR: &str = "preprocessor_config.json";
/// One of these is in a configuration that is of a model, and not of something else by the same name.
const SIGNS: [&str; 4] = ["model_type", "architectures", "architecture", "pretrained_cfg"];

/// What the files of a folder say.
pub fn of_folder(folder: &Path) -> Result<Hints> {
    let (config, preprocessor) = (json(&folder.join(CONFIG))?, json(&folder.join(PREPROCESSOR))?);
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

/// A file of JSON; null where there is none.
pub fn json(path: &Path) -> Result<Value> {
    if !path.is_file() {
        return Ok(Value::Null);
    }
    let text = files::read_to_string(path, files::MOST_WORDS)
        .with_context(|| format!("could not read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))
}
