//! Kinds of data sets, and what is known of every set of a kind.

use crate::image::Normalization;

/// A kind of data set. Its format's file holds it as a constant.
#[derive(Debug)]
pub struct DataKind {
    /// Its word in reports, banks and sidecars.
    pub name: &'static str,
    /// Mean and deviation of its pixels as published; `None`: estimated from the images.
    pub normalization: Option<Normalization>,
    /// What a figure says of it.
    pub figure_note: FigureNote,
    /// The part that makes a patch worth seeing first, where its images know their parts.
    pub example_part: Option<&'static str>,
}

/// How a figure, whose bytes hold no names of files, tells which images it was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FigureNote {
    /// By the set's name, which is the same everywhere.
    Name,
    /// By the start of its fingerprint.
    Fingerprint,
    /// Not at all.
    Nothing,
}

impl DataKind {
    /// A kind of which nothing more is known.
    pub const fn plain(name: &'static str, figure_note: FigureNote) -> Self {
        Self { name, normalization: None, figure_note, example_part: None }
    }
}

impl PartialEq for DataKind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
