//! What was opened lately: data, models and run folders, newest first.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::engine::facts::{ModelSpec, find_built_in};
use crate::engine::training::DataSource;

use crate::gui::nouns::text::tail;

/// Kept of each kind.
const KEPT: usize = 8;

/// Something that was opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Recent {
    Data(DataSource),
    Model(ModelSpec),
    Run(PathBuf),
}

impl Recent {
    /// Where it lies; the built-in ones lie nowhere.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Recent::Data(source) => (source.spec != "demo").then(|| Path::new(&source.spec)),
            Recent::Model(spec) => find_built_in(&spec.path).is_none().then(|| Path::new(&spec.path)),
            Recent::Run(path) => Some(path),
        }
    }

    /// "data", "model" or "run".
    pub fn kind(&self) -> &'static str {
        match self {
            Recent::Data(_) => "data",
            Recent::Model(_) => "model",
            Recent::Run(_) => "run",
        }
    }

    /// Its path, shortened to its end, and its split.
    pub fn title(&self) -> String {
        let path = match self {
            Recent::Data(source) => source.spec.clone(),
            Recent::Model(spec) => spec.path.clone(),
            Recent::Run(path) => path.display().to_string(),
        };
        let split = match self {
            Recent::Data(DataSource { split: Some(split), .. }) => format!(" ({})", split.name()),
            _ => String::new(),
        };
        tail(&path, 64) + &split
    }

    fn absolute(self) -> Self {
        match self {
            Recent::Data(source) => Recent::Data(DataSource { spec: absolute(&source.spec), ..source }),
            Recent::Model(spec) => Recent::Model(ModelSpec { path: absolute(&spec.path), ..spec }),
            Recent::Run(path) => Recent::Run(std::path::absolute(&path).unwrap_or(path)),
        }
    }
}

/// A path from the root on, so that it is found from another folder too; what is built in stays.
pub fn absolute(spec: &str) -> String {
    match std::path::absolute(spec) {
        Ok(path) if spec != "demo" && find_built_in(spec).is_none() => path.display().to_string(),
        _ => spec.to_owned(),
    }
}

/// The list, and which of it is not there any more.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecentFiles {
    list: Vec<Recent>,
    #[serde(skip)]
    gone: HashSet<PathBuf>,
}

impl RecentFiles {
    /// Puts what was just opened first. Built-in things are not kept.
    pub fn note(&mut self, opened: Recent) {
        if opened.path().is_none() {
            return;
        }
        let opened = opened.absolute();
        self.list.retain(|other| *other != opened);
        self.list.insert(0, opened);
        let mut kept = [0; 3];
        self.list.retain(|recent| {
            let number = &mut kept[match recent {
                Recent::Data(_) => 0,
                Recent::Model(_) => 1,
                Recent::Run(_) => 2,
            }];
            *number += 1;
            *number <= KEPT
        });
    }

    /// All, newest first.
    pub fn list(&self) -> &[Recent] {
        &self.list
    }

    /// The paths of all, to find out which are gone.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.list.iter().filter_map(|recent| recent.path().map(Path::to_owned)).collect()
    }

    /// Takes in which of the paths do not exist any more.
    pub fn set_gone(&mut self, gone: Vec<PathBuf>) {
        self.gone = gone.into_iter().collect();
    }

    /// Whether it was not there when it was last looked for.
    pub fn is_gone(&self, recent: &Recent) -> bool {
        recent.path().is_some_and(|path| self.gone.contains(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(number: usize) -> Recent {
        Recent::Data(DataSource { spec: format!("/data/{number}"), split: None })
    }

    #[test]
    fn the_newest_are_kept_once_each_and_by_kind() {
        let mut recent = RecentFiles::default();
        recent.note(Recent::Run("/runs/a".into()));
        recent.note(Recent::Model("demo".into()));
        for number in [0, 1, 2, 1] {
            recent.note(data(number));
        }
        assert_eq!(recent.list(), [data(1), data(2), data(0), Recent::Run("/runs/a".into())]);
        (3..30).for_each(|number| recent.note(data(number)));
        assert_eq!(recent.list().len(), KEPT + 1);
        assert_eq!(recent.list()[0], data(29));
    }

    #[test]
    fn a_relative_path_is_found_from_everywhere_and_a_vanished_one_is_known() {
        let mut recent = RecentFiles::default();
        recent.note(Recent::Model("runs/a".into()));
        let path = recent.paths().pop().unwrap();
        assert!(path.is_absolute());
        recent.set_gone(vec![path]);
        assert!(recent.is_gone(&recent.list()[0]));
        assert!(!recent.is_gone(&data(1)));
    }

    #[test]
    fn what_is_remembered_comes_back_from_its_file() {
        let mut recent = RecentFiles::default();
        recent.note(data(1));
        recent.note(Recent::Model("/m.safetensors".into()));
        let text = serde_json::to_string(&recent).unwrap();
        assert_eq!(serde_json::from_str::<RecentFiles>(&text).unwrap(), recent);
    }
}
