//! Names of classes that are called by their WordNet id, as ImageNet's are, from the list that comes with the images.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::files;

/// What the lists are called: that of the Kaggle download, and that of the devkit.
const FILES: [&str; 2] = ["LOC_synset_mapping.txt", "words.txt"];
/// Folders in which a list is looked for: that of the classes, and those above it.
const LEVELS: usize = 6;
/// Most bytes of a list that are read; all of WordNet's nouns are 3 MB.
const MAX_BYTES: u64 = 16 << 20;

/// What to call `classes`, whose folders lie in `root`: the first word of an id that a list beside or above them knows
/// (with the id where two have the same), else the name as it is.
pub(super) fn named(classes: &[String], root: &Path) -> Vec<String> {
    let wanted: HashSet<&str> = classes.iter().map(String::as_str).filter(|class| is_id(class)).collect();
    let Some(text) = (!wanted.is_empty()).then(|| read_list(root)).flatten() else { return classes.to_vec() };
    let words: HashMap<&str, &str> =
        text.lines().filter_map(word).filter(|(id, _)| wanted.contains(id)).collect();
    let names: Vec<&str> =
        classes.iter().map(|class| words.get(class.as_str()).copied().unwrap_or(class)).collect();
    let mut counts = HashMap::<&str, usize>::new();
    names.iter().for_each(|name| *counts.entry(name).or_default() += 1);
    let called = |(name, class): (&&str, &String)| match counts[name] {
        1 => name.to_string(),
        _ if name == class => class.clone(),
        _ => format!("{name} ({class})"),
    };
    names.iter().zip(classes).map(called).collect()
}

/// `n01440764`
fn is_id(name: &str) -> bool {
    name.strip_prefix('n')
        .is_some_and(|digits| digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Of `n01440764 tench, Tinca tinca` the id and the first word; in `words.txt` a tab stands between.
fn word(line: &str) -> Option<(&str, &str)> {
    let (id, words) = line.split_once([' ', '\t'])?;
    let word = words.split(',').next()?.trim();
    (is_id(id) && !word.is_empty()).then_some((id, word))
}

fn read_list(root: &Path) -> Option<String> {
    let root = root.canonicalize().ok()?;
    let places = root.ancestors().take(LEVELS).flat_map(|folder| FILES.map(|file| folder.join(file)));
    let path: PathBuf = places.into_iter().find(|path| path.is_file())?;
    let mut bytes = Vec::new();
    if let Err(error) =
        files::open(&path, u64::MAX).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes))
    {
        log::warn!("{}: {error}; classes keep their ids", path.display());
        return None;
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn ids_are_named_by_the_list_beside_or_above_them() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("data/train");
        std::fs::create_dir_all(&root).unwrap();
        let ids = classes(&["cat", "crane", "n01440764", "n02012849", "n03126707", "n99999999"]);
        assert_eq!(named(&ids, &root), ids, "without a list");
        let list = "n01440764 tench, Tinca tinca\nn02012849 crane\nn03126707 crane\n\nnonsense\n";
        std::fs::write(dir.path().join("LOC_synset_mapping.txt"), list).unwrap();
        let expected = ["cat", "crane", "tench", "crane (n02012849)", "crane (n03126707)", "n99999999"];
        assert_eq!(named(&ids, &root), expected);
        // The nearest list counts.
        std::fs::write(root.join("words.txt"), "n01440764\tfish that is a tench, fish\nn1\tx\n").unwrap();
        assert_eq!(named(&ids, &root)[2], "fish that is a tench");
    }
}
