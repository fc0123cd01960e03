//! The data set formats: one file and, here, one line each.

pub mod cifar;
mod cifar_batch;
mod cifar_names;
mod cifar_source;
mod cifar_variant;
pub mod folder;
mod folder_walk;
mod wordnet;

use super::format::{DataFormat, SetPlace};
use super::kind::DataKind;
use super::parts;
use crate::words::alternatives;

/// All formats; of those that recognise a folder or file the first one opens it.
pub static FORMATS: [&DataFormat; 5] =
    [&parts::FORMAT, &cifar::FORMAT, &cifar::ARCHIVE_FORMAT, &folder::FORMAT, &folder::PICTURE_FORMAT];

/// The words that name built-in sets.
pub fn built_in_words() -> impl Iterator<Item = &'static str> {
    FORMATS.iter().filter_map(|format| match format.place {
        SetPlace::BuiltIn { word, .. } => Some(word),
        _ => None,
    })
}

/// The kind that is called `name` in a record.
pub fn kind_named(name: &str) -> Option<&'static DataKind> {
    FORMATS.iter().flat_map(|format| format.kinds).find(|kind| kind.name == name).copied()
}

/// What can be opened, in a sentence without its end: built-in sets by their words, folders, files.
pub(super) fn expected() -> String {
    let words: Vec<String> = built_in_words().map(|word| format!("`{word}`")).collect();
    let (mut folders, mut files) = (vec![], vec![]);
    for format in FORMATS {
        match format.place {
            SetPlace::BuiltIn { .. } => {}
            SetPlace::Folder { holds, .. } => folders.push(holds),
            SetPlace::File { what, .. } => files.push(what),
        }
    }
    format!("{}, a folder with {}, or {}", words.join(", "), folders.join(" or "), files.join(" or "))
}

/// What can be opened from a disk, in a sentence for a person.
pub fn sentence() -> String {
    let is_on_disk = |format: &&&DataFormat| !matches!(format.place, SetPlace::BuiltIn { .. });
    let about: Vec<&str> = FORMATS.iter().filter(is_on_disk).map(|format| format.about).collect();
    alternatives(&about)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        let names: Vec<&str> = FORMATS.iter().flat_map(|format| format.kinds).map(|kind| kind.name).collect();
        let mut once = names.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(names.len(), once.len());
        assert!(names.iter().all(|name| kind_named(name).is_some_and(|kind| kind.name == *name)));
    }

    #[test]
    fn what_can_be_opened_is_told_from_the_list() {
        assert_eq!(
            expected(),
            "`demo`, a folder with CIFAR or pictures, or an archive of CIFAR or a picture file"
        );
        assert_eq!(
            sentence(),
            "A folder with CIFAR-10 or CIFAR-100 (binary or Python version), its archive (.tar.gz), a folder of images \
             (with or without a folder for each class), or one image."
        );
    }
}
