//! What names a data set.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize};

use super::Split;
use super::decoding::Decoding;
use super::formats::built_in_words;
use crate::paths;

/// What `--data` says: a word for a built-in set, or a path. A file or folder that is called like a
/// built-in set is reached as `./demo`. Written and read as the plain words, as [`paths`] has them, where pictures are
/// decoded as usual.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(into = "SpecInFile")]
pub enum DataSpec {
    /// A set in the program, by its word.
    BuiltIn(&'static str),
    /// A folder or file.
    Path(PathBuf),
    /// A folder or file whose pictures are not decoded as usual; made by [`DataSpec::decoded_as`].
    Decoded(PathBuf, Decoding),
}

/// A spec in a file.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum SpecInFile {
    Words(String),
    Decoded {
        #[serde(with = "paths")]
        path: PathBuf,
        decoding: Decoding,
    },
}

impl DataSpec {
    /// Where it lies; a built-in set lies nowhere.
    pub fn path(&self) -> Option<&Path> {
        match self {
            DataSpec::BuiltIn(_) => None,
            DataSpec::Path(path) | DataSpec::Decoded(path, _) => Some(path),
        }
    }

    /// How its pictures are decoded.
    pub fn decoding(&self) -> Decoding {
        match self {
            DataSpec::BuiltIn(_) | DataSpec::Path(_) => Decoding::default(),
            DataSpec::Decoded(_, decoding) => *decoding,
        }
    }

    /// The same set with its pictures decoded so; a built-in one has no picture files.
    pub fn decoded_as(self, decoding: Decoding) -> Self {
        match self {
            DataSpec::BuiltIn(_) => self,
            DataSpec::Path(path) | DataSpec::Decoded(path, _) if decoding == Decoding::default() => {
                DataSpec::Path(path)
            }
            DataSpec::Path(path) | DataSpec::Decoded(path, _) => DataSpec::Decoded(path, decoding),
        }
    }

    /// The same set at another path.
    pub fn at(&self, path: PathBuf) -> Self {
        DataSpec::Path(path).decoded_as(self.decoding())
    }

    /// What `--data` says, without how its pictures are decoded.
    pub fn words(&self) -> String {
        self.clone().decoded_as(Decoding::default()).to_string()
    }

    /// The same set by a path from the root on, so that it is found from another folder too.
    pub fn absolute(&self) -> Self {
        let path = self.path().and_then(|path| paths::absolute(path).ok());
        path.map_or_else(|| self.clone(), |path| self.at(path))
    }
}

/// A data set by the words of `--data` and `--split`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSource {
    /// What names the set.
    pub spec: DataSpec,
    /// Which split of it; `None` where it was not said.
    pub split: Option<Split>,
}

/// The set that is opened unless told.
impl Default for DataSpec {
    fn default() -> Self {
        DataSpec::BuiltIn(super::parts::WORD)
    }
}

impl PartialEq<str> for DataSpec {
    fn eq(&self, words: &str) -> bool {
        match self {
            DataSpec::BuiltIn(word) => *word == words,
            DataSpec::Path(path) => *path == paths::from_words(words),
            DataSpec::Decoded(..) => false,
        }
    }
}

impl PartialEq<String> for DataSpec {
    fn eq(&self, words: &String) -> bool {
        *self == **words
    }
}

/// A path that is no text names a file too.
impl<T: AsRef<OsStr>> From<T> for DataSpec {
    fn from(words: T) -> Self {
        let words = words.as_ref();
        let built_in = built_in_words().find(|word| words == *word);
        built_in.map_or_else(|| DataSpec::Path(paths::from_words(words)), DataSpec::BuiltIn)
    }
}

impl From<&DataSpec> for DataSpec {
    fn from(spec: &DataSpec) -> Self {
        spec.clone()
    }
}

impl From<DataSpec> for SpecInFile {
    fn from(spec: DataSpec) -> Self {
        match spec {
            DataSpec::Decoded(path, decoding) => SpecInFile::Decoded { path, decoding },
            plain => SpecInFile::Words(plain.to_string()),
        }
    }
}

impl From<SpecInFile> for DataSpec {
    fn from(written: SpecInFile) -> Self {
        match written {
            SpecInFile::Words(words) => words.into(),
            SpecInFile::Decoded { path, decoding } => DataSpec::Path(path).decoded_as(decoding),
        }
    }
}

impl<'de> Deserialize<'de> for DataSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SpecInFile::deserialize(deserializer).map(Self::from)
    }
}

impl fmt::Display for DataSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DataSpec::BuiltIn(word) => f.write_str(word),
            DataSpec::Path(path) => f.write_str(&paths::to_words(path)),
            DataSpec::Decoded(path, decoding) => write!(f, "{} ({decoding})", paths::to_words(path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Exif;

    #[test]
    fn words_and_paths_are_told_apart_once_and_written_as_they_were() {
        assert_eq!(DataSpec::from("demo"), DataSpec::default());
        for (words, is_path) in [("demo", false), ("./demo", true), ("/data/b\u{e4}ume", true), ("", true)] {
            let spec: DataSpec = words.into();
            assert_eq!((spec.path().is_some(), spec.to_string().as_str()), (is_path, words));
            let text = serde_json::to_string(&spec).unwrap();
            assert_eq!(text, serde_json::to_string(words).unwrap());
            assert_eq!(serde_json::from_str::<DataSpec>(&text).unwrap(), spec);
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_path_that_is_no_text_comes_back_from_its_record() {
        use std::os::unix::ffi::OsStrExt;
        let spec = DataSpec::from(OsStr::from_bytes(b"/data/b\xe4ume"));
        let text = serde_json::to_string(&spec).unwrap();
        assert_eq!(text, "\"file:///data/b%E4ume\"");
        assert_eq!(serde_json::from_str::<DataSpec>(&text).unwrap(), spec);
        assert_eq!(DataSpec::from(spec.to_string()), spec);
    }

    #[test]
    fn how_pictures_are_decoded_travels_with_the_words() {
        let decoding = Decoding { exif: Exif::Ignore, value_window: "0,4095".parse().unwrap() };
        let spec = DataSpec::from("/data/x").decoded_as(decoding);
        let text = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<DataSpec>(&text).unwrap(), spec);
        assert_eq!((spec.words().as_str(), spec.absolute().decoding()), ("/data/x", decoding));
        assert_eq!(spec.to_string(), "/data/x (--exif ignore --value-window 0,4095)");
        assert_eq!(spec.decoded_as(Decoding::default()), DataSpec::from("/data/x"));
        assert_eq!(DataSpec::default().decoded_as(decoding), DataSpec::default());
    }
}
