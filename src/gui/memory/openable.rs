//! What can be opened, and what a path means: decided here for drops, dialogs, the palette and the lists of what was
//! opened lately.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::engine::facts::{DataSpec, ModelSpec, is_likely_model};
use crate::engine::training::DataSource;
use crate::gui::nouns::text::tail;
use crate::paths;

/// Something that was opened or can be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Openable {
    Data(DataSource),
    Model(ModelSpec),
    Run(#[serde(with = "paths")] PathBuf),
}

impl Openable {
    /// What lies at `path`, which was dropped on the window: a model where it looks like one, else data. Looks at the
    /// disk.
    pub fn at(path: &Path) -> Self {
        match is_likely_model(path) {
            true => Openable::Model(path.into()),
            false => Openable::Data(DataSource { spec: path.into(), split: None }),
        }
    }

    /// The data that is built in.
    pub fn built_in_data() -> DataSource {
        DataSource { spec: DataSpec::default(), split: None }
    }

    /// Where it lies; the built-in ones lie nowhere.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Openable::Data(source) => source.spec.path(),
            Openable::Model(spec) => spec.on_disk(),
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
            Openable::Data(source) => source.spec.to_string(),
            Openable::Model(spec) => paths::to_words(&spec.path),
            Openable::Run(path) => paths::to_words(path),
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
            Openable::Data(source) => Openable::Data(DataSource { spec: source.spec.absolute(), ..source }),
            Openable::Model(spec) => Openable::Model(spec.absolute()),
            Openable::Run(path) => Openable::Run(paths::absolute(&path).unwrap_or(path)),
        }
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
