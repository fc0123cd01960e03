//! The settings of a run: one row each, which validation, `--set`, the form of the window and `bagssl train --help`
//! read. A new setting is a field with its default in [`super::config`] and one row in `rows`.

mod rows;
mod setting;

use std::sync::LazyLock;

use self::setting::starts_with;
pub use self::setting::{Absent, Range, Setting, SettingChoice, SettingPlace, tag};

/// All rows, in the order in which one decides about them.
pub fn settings() -> &'static [Setting] {
    static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(rows::rows);
    &SETTINGS
}

/// The row of the setting at `path` (dotted, list items numbered or `N`).
pub fn find(path: &str) -> Option<&'static Setting> {
    settings().iter().find(|setting| setting.is_at(path))
}

/// What it means that the setting at `path` is left out, where it may be.
pub fn absent(path: &str) -> Option<&'static Absent> {
    find(path)?.absent.as_ref()
}

/// Settings that may be left out of the table at `path`, by the key that they have there.
pub fn may_be_absent(path: &str) -> impl Iterator<Item = (&'static str, &'static Absent)> {
    settings().iter().filter_map(move |setting| {
        let absent = setting.absent.as_ref()?;
        let (parent, name) = setting.path.rsplit_once('.').unwrap_or(("", &setting.path));
        (parent == path).then_some((name, absent))
    })
}

/// The place of the setting or the group of settings at `path` among all; the last for what has no row.
pub fn rank(path: &str) -> usize {
    let is_within = |setting: &Setting| starts_with(&setting.path, path);
    settings().iter().position(is_within).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
