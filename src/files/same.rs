//! What paths lead to on disk, whatever they are called.

use std::path::{Path, PathBuf};

/// `path` from the root on, with its links followed; of what is not there yet, those of the folders that are.
pub fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.into());
    for folder in absolute.ancestors() {
        if let (Ok(found), Ok(rest)) = (folder.canonicalize(), absolute.strip_prefix(folder)) {
            return if rest.as_os_str().is_empty() { found } else { found.join(rest) };
        }
    }
    absolute
}

/// Whether two paths lead to one file or folder, which need not be there yet.
pub fn is_same(one: &Path, other: &Path) -> bool {
    one == other || resolved(one) == resolved(other) || is_one_file(one, other)
}

/// A file may have several names.
#[cfg(unix)]
fn is_one_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |path: &Path| std::fs::metadata(path).map(|meta| (meta.dev(), meta.ino())).ok();
    place(one).is_some_and(|found| Some(found) == place(other))
}

#[cfg(not(unix))]
fn is_one_file(_one: &Path, _other: &Path) -> bool {
    false
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_what_they_mean_and_names_to_come_to_their_folder() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("real")).unwrap();
        std::fs::write(at("real/a"), "1").unwrap();
        std::os::unix::fs::symlink(at("real"), at("way")).unwrap();
        std::os::unix::fs::symlink(at("way/a"), at("b")).unwrap();
        std::fs::hard_link(at("real/a"), at("c")).unwrap();
        for (one, other) in
            [("real", "way"), ("real/a", "way/a"), ("b", "real/a"), ("real/a", "c"), ("b", "c")]
        {
            assert!(is_same(&at(one), &at(other)), "{one} and {other}");
        }
        assert!(is_same(&at("real/./new/deep"), &at("way/new/deep")));
        assert!(!is_same(&at("real/new"), &at("new")) && !is_same(&at("real/a"), &at("new")));
        assert_eq!(resolved(&at("way/x/y")), resolved(&at("real")).join("x/y"));
    }
}
