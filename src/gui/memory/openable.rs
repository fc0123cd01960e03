//! What can be opened, and what a path means: decided here for drops, dialogs, the palette and the lists of what was
//! opened lately.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::engine::facts::{ModelSpec, find_built_in};
use crate::engine::training::DataSource;
use crate::gui::nouns::text::tail;

/// The word that opens the built-in data.
const BUILT_IN_DATA: &str = "demo";

/// Something that was opened or can be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Openable {
    Data(DataSource),
    Model(ModelSpec),
    Run(PathBuf),
}

impl Openable {
    /// What lies at `path`, which was dropped on the window: a checkpoint or a run folder is a model, all else is data.
    /// Looks at the disk.
    pub fn at(path: &Path) -> Self {
        let is_checkpoint = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("safetensors"));
        let is_run = || path.join("latest").exists() || path.join("config.toml").exists();
        let spec = path.display().to_string();
        match is_checkpoint || is_run() {
            true => Openable::Model(spec.into()),
            false => Openable::Data(DataSource { spec, split: None }),
        }
    }

    /// The data that is built in.
    pub fn built_in_data() -> DataSource {
        DataSource { spec: BUILT_IN_DATA.into(), split: None }
    }

    /// Where it lies; the built-in ones lie nowhere.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Openable::Data(source) => (source.spec != BUILT_IN_DATA).then(|| Path::new(&source.spec)),
            Openable::Model(spec) => find_built_in(&spec.path).is_none().then(|| Path::new(&spec.path)),
            Openable::Run(path) => Some(path),
        }
    }

    /// "data", "model" or "run".
    pub fn kind(&self) -> &'static str {
        match self {
            Openable::Data(_) => "data",
            Openable::Model(_) => "model",
            Openable::Run(_) => "run",
        }
    }

    /// Its path, shortened to its end, and its split.
    pub fn title(&self) -> String {
        let path = match self {
            Openable::Data(source) => source.spec.clone(),
            Openable::Model(spec) => spec.path.clone(),
            Openable::Run(path) => path.display().to_string(),
        };
        let split = match self {
            Openable::Data(DataSource { split: Some(split), .. }) => format!(" ({})", split.name()),
            _ => String::new(),
        };
        tail(&path, 64) + &split
    }

    /// With its path from the root on.
    pub fn absolute(self) -> Self {
        match self {
            Openable::Data(source) => Openable::Data(DataSource { spec: absolute(&source.spec), ..source }),
            Openable::Model(spec) => Openable::Model(ModelSpec { path: absolute(&spec.path), ..spec }),
            Openable::Run(path) => Openable::Run(std::path::absolute(&path).unwrap_or(path)),
        }
    }
}

/// A path from the root on, so that it is found from another folder too; what is built in stays.
pub fn absolute(spec: &str) -> String {
    match std::path::absolute(spec) {
        Ok(path) if spec != BUILT_IN_DATA && find_built_in(spec).is_none() => path.display().to_string(),
        _ => spec.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_and_a_run_folder_are_models_and_pictures_are_not() {
        let is_model = |path: &Path| matches!(Openable::at(path), Openable::Model(_));
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_model(folder.path()));
        assert!(!is_model(&folder.path().join("cat.jpg")));
        assert!(is_model(&folder.path().join("best.SafeTensors")));
        std::fs::create_dir(folder.path().join("latest")).unwrap();
        assert!(is_model(folder.path()));
    }
}
