//! What was opened lately: data, models and run folders, newest first.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::openable::Openable;

/// Kept of each kind.
const KEPT: usize = 8;

/// The list, and which of it is not there any more.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecentFiles {
    list: Vec<Openable>,
    #[serde(skip)]
    gone: HashSet<PathBuf>,
}

impl RecentFiles {
    /// Puts what was just opened first. Built-in things are not kept.
    pub fn note(&mut self, opened: Openable) {
        if opened.path().is_none() {
            return;
        }
        let opened = opened.absolute();
        self.list.retain(|other| *other != opened);
        self.list.insert(0, opened);
        self.forget_oldest();
    }

    /// Leaves so many of each kind as are kept.
    pub fn forget_oldest(&mut self) {
        let mut kept = [0; 3];
        self.list.retain(|recent| {
            let number = &mut kept[match recent {
                Openable::Data(_) => 0,
                Openable::Model(_) => 1,
                Openable::Run(_) => 2,
            }];
            *number += 1;
            *number <= KEPT
        });
    }

    /// All, newest first.
    pub fn list(&self) -> &[Openable] {
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
    pub fn is_gone(&self, recent: &Openable) -> bool {
        recent.path().is_some_and(|path| self.gone.contains(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::training::DataSource;

    fn data(number: usize) -> Openable {
        Openable::Data(DataSource { spec: format!("/data/{number}").into(), split: None })
    }

    #[test]
    fn the_newest_are_kept_once_each_and_by_kind() {
        let mut recent = RecentFiles::default();
        recent.note(Openable::Run("/runs/a".into()));
        recent.note(Openable::Model("demo".into()));
        for number in [0, 1, 2, 1] {
            recent.note(data(number));
        }
        assert_eq!(recent.list(), [data(1), data(2), data(0), Openable::Run("/runs/a".into())]);
        (3..30).for_each(|number| recent.note(data(number)));
        assert_eq!(recent.list().len(), KEPT + 1);
        assert_eq!(recent.list()[0], data(29));
    }

    #[test]
    fn a_relative_path_is_found_from_everywhere_and_a_vanished_one_is_known() {
        let mut recent = RecentFiles::default();
        recent.note(Openable::Model("runs/a".into()));
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
        recent.note(Openable::Model("/m.safetensors".into()));
        let text = serde_json::to_string(&recent).unwrap();
        assert_eq!(serde_json::from_str::<RecentFiles>(&text).unwrap(), recent);
    }
}
