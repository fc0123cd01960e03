//! From what `--data` says to the data set.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};

use super::format::SetPlace;
use super::formats::{FORMATS, expected};
use super::{DataSpec, Dataset, NoSplit, Split, joined};

/// Opens what `--data` names: `demo` (the built-in set), a folder with CIFAR or its parent, CIFAR's archive,
/// an image folder, a plain folder, or one picture file. Without `split`: train where
/// there are two. A file or folder that is itself called `demo` is reached as `./demo`.
///
/// # Errors
/// Nothing there, nothing usable in it, no such split; says what was looked for.
pub fn open(spec: impl Into<DataSpec>, split: Option<Split>) -> Result<Arc<dyn Dataset>> {
    open_spec(&spec.into(), split)
}

/// As [`open`], but without `split` the test split; of a set without one all of it.
///
/// # Errors
/// As [`open`]; a test split that is there and cannot be used, too.
pub fn open_held_out(spec: &DataSpec, split: Option<Split>) -> Result<Arc<dyn Dataset>> {
    if split.is_some() {
        return open(spec, split);
    }
    match open(spec, Some(Split::Test)) {
        Err(error) if error.is::<NoSplit>() => open(spec, None),
        opened => opened,
    }
}

fn open_spec(spec: &DataSpec, split: Option<Split>) -> Result<Arc<dyn Dataset>> {
    if split == Some(Split::All) {
        return joined::joined(open_spec(spec, Some(Split::Train))?, open_spec(spec, Some(Split::Test))?);
    }
    match spec {
        DataSpec::BuiltIn(name) => open_built_in(name, split),
        DataSpec::Path(path) | DataSpec::Decoded(path, _) => {
            let mut set = open_path(path, split)?;
            // Nobody else holds it yet.
            Arc::get_mut(&mut set).map_or(Ok(()), |set| set.decode_as(spec.decoding()))?;
            Ok(set)
        }
    }
}

fn open_built_in(name: &str, split: Option<Split>) -> Result<Arc<dyn Dataset>> {
    for format in FORMATS {
        if let SetPlace::BuiltIn { word, open } = format.place
            && word == name
        {
            return open(split);
        }
    }
    Err(anyhow!("no data set called {name} is built in; expected {}", expected()))
}

fn open_path(path: &Path, split: Option<Split>) -> Result<Arc<dyn Dataset>> {
    let spec = path.to_string_lossy();
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) => {
            let why = match error.kind() {
                ErrorKind::NotFound => "there is no such file or folder".to_owned(),
                _ => error.to_string(),
            };
            bail!("data {spec:?}: {why}; expected {}", expected())
        }
    };
    for format in FORMATS {
        let (is_folder, recognise, open) = match format.place {
            SetPlace::BuiltIn { .. } => continue,
            SetPlace::Folder { recognise, open, .. } => (true, recognise, open),
            SetPlace::File { recognise, open, .. } => (false, recognise, open),
        };
        if meta.is_dir() == is_folder && recognise(path)? {
            return open(path, split);
        }
    }
    Err(anyhow!("data {spec:?}: of no known format; expected {}", expected()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::DataInfo;

    fn error_of(spec: &str, split: Option<Split>) -> String {
        match open(spec, split) {
            Ok(set) => panic!("opened {}", set.name()),
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn each_kind_of_source_is_told_by_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images");
        let file = images.join("exif6.jpg");
        let at = |path: &Path| path.to_str().unwrap().to_string();
        assert_eq!(open(at(&file), None).unwrap().kind().name, "image");
        std::fs::copy(&file, dir.path().join("a.jpg")).unwrap();
        assert_eq!(open(at(dir.path()), None).unwrap().kind().name, "folder");
        for class in ["one", "two"] {
            std::fs::create_dir(dir.path().join(class)).unwrap();
            std::fs::copy(&file, dir.path().join(class).join("b.jpg")).unwrap();
        }
        assert_eq!(open(at(dir.path()), None).unwrap().kind().name, "image-folder");
        std::fs::write(dir.path().join("test_batch.bin"), [7; 3073]).unwrap();
        assert_eq!(open(at(dir.path()), None).unwrap().kind().name, "cifar10");
        assert_eq!(open("demo", None).unwrap().kind().name, "parts");
    }

    #[test]
    fn a_missing_path_and_a_split_that_is_not_there_are_errors_in_words() {
        let text = error_of("/no/such/folder", None);
        assert!(text.contains("/no/such/folder") && text.contains("expected `demo`"), "{text}");
        let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images");
        let text = error_of(images.join("grey.jpg").to_str().unwrap(), Some(Split::Test));
        assert!(text.contains("one image has no test split"), "{text}");
    }

    #[test]
    fn only_where_there_is_no_test_split_the_whole_stands_in_for_it() {
        let held_out = |path: &Path| open_held_out(&DataSpec::Path(path.into()), None);
        let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images");
        assert_eq!(held_out(&images.join("exif6.jpg")).unwrap().split(), None);
        let dir = tempfile::tempdir().unwrap();
        for class in ["one", "two"] {
            std::fs::create_dir_all(dir.path().join("train").join(class)).unwrap();
            std::fs::copy(images.join("exif6.jpg"), dir.path().join("train").join(class).join("b.jpg"))
                .unwrap();
        }
        assert_eq!(held_out(dir.path()).unwrap().split(), Some(Split::Train));
        std::fs::create_dir_all(dir.path().join("val/one")).unwrap();
        std::fs::write(dir.path().join("val/one/a.jpg"), "no picture").unwrap();
        let error = held_out(dir.path()).err().unwrap().to_string();
        assert!(error.contains("none of 1 picture files can be used"), "{error}");
        std::fs::remove_dir_all(dir.path()).unwrap();
        std::fs::create_dir(dir.path()).unwrap();
        std::fs::write(dir.path().join("data_batch_1.bin"), [7; 3073]).unwrap();
        assert_eq!(held_out(dir.path()).unwrap().split(), Some(Split::Train));
        std::fs::write(dir.path().join("test_batch.bin"), [7; 3000]).unwrap();
        assert!(held_out(dir.path()).is_err());
    }

    #[test]
    fn the_description_has_the_keys_that_scripts_rely_on() {
        let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images");
        let set = open(images.join("exif6.jpg").to_str().unwrap(), None).unwrap();
        let info = serde_json::to_value(DataInfo::of(set.as_ref())).unwrap();
        assert_eq!(info["kind"], "image");
        assert_eq!((&info["images"], &info["classes"]), (&1.into(), &0.into()));
        assert_eq!((&info["height"], &info["width"]), (&18.into(), &11.into()));
        assert!(info["split"].is_null());
    }
}
