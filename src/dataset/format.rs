//! What a data set format is: how it is told from others, and how it is opened.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;

use super::kind::DataKind;
use super::set::Dataset;
use super::split::Split;

/// Opens a set; without a split, its default one.
pub type OpenSet = fn(&Path, Option<Split>) -> Result<Arc<dyn Dataset>>;

/// A data set format. Its file holds it as a constant, and `FORMATS` lists it.
pub struct DataFormat {
    /// What is opened, for a person ("a folder with CIFAR-10 or CIFAR-100 binaries").
    pub about: &'static str,
    /// The kinds of sets that it gives.
    pub kinds: &'static [&'static DataKind],
    /// Where its sets are.
    pub place: SetPlace,
}

/// Where the sets of a format are, how they are told from others, and how they are opened.
pub enum SetPlace {
    /// In the program, under a word that stands in place of a path.
    BuiltIn {
        /// The word.
        word: &'static str,
        /// Draws up the set.
        open: fn(Option<Split>) -> Result<Arc<dyn Dataset>>,
    },
    /// In a folder.
    Folder {
        /// What lies in it, in a few words ("CIFAR binaries").
        holds: &'static str,
        /// Whether a folder is one. The error says that it nearly is, and what is amiss.
        recognise: fn(&Path) -> Result<bool>,
        /// Opens it.
        open: OpenSet,
    },
    /// In one file.
    File {
        /// What it is, in a few words ("a picture file").
        what: &'static str,
        /// Whether a file is one.
        recognise: fn(&Path) -> Result<bool>,
        /// Opens it.
        open: OpenSet,
    },
}
