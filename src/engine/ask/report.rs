//! What a search found, as it is told.

use std::fmt;

use serde::Serialize;

use crate::patch::PatchRef;
use crate::search::{MeasuredRecall, Relation};

/// How surely a search finds the nearest: all of them, or as many as were found where that was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SearchRecall {
    /// Whether every patch was compared.
    pub exact: bool,
    /// Part of the true neighbours that such searches find; 1 where the search is exact.
    pub recall: f64,
    /// Queries on which it was measured, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recall_queries: Option<usize>,
}

impl SearchRecall {
    /// Of searches by codes whose recall was `measured`; exact without.
    pub fn of(measured: Option<MeasuredRecall>) -> Self {
        Self {
            exact: measured.is_none(),
            recall: measured.map_or(1.0, |measured| measured.recall),
            recall_queries: measured.map(|measured| measured.queries),
        }
    }
}

impl fmt::Display for SearchRecall {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.recall_queries {
            None => write!(out, "exact"),
            Some(queries) => {
                write!(out, "by codes, recall {:.3}, measured on {queries} queries", self.recall)
            }
        }
    }
}

/// The neighbours in one space.
#[derive(Clone, Debug, Serialize)]
pub struct SearchReport {
    /// The query patch, or one about a query that is none.
    pub query: PatchRef,
    /// Neighbours that were asked for.
    pub k: usize,
    /// Name of the space.
    pub space: String,
    /// Patches that were searched.
    pub searched: u64,
    /// Those among which the filter let the neighbours be chosen; the query is none of them.
    pub candidates: u64,
    /// What the filter left out, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// The same with the query: what a figure counts.
    #[serde(skip)]
    pub let_through: usize,
    /// Images that were searched, of those that the bank is planned for.
    #[serde(skip)]
    pub images: (usize, usize),
    /// How surely they are the nearest.
    #[serde(flatten)]
    pub recall: SearchRecall,
    /// Time of the search; of several that are searched for together, what one takes on average.
    pub milliseconds: f64,
    /// The neighbours, best first.
    pub neighbours: Vec<NeighbourReport>,
}

/// One neighbour.
#[derive(Clone, Debug, Serialize)]
pub struct NeighbourReport {
    /// Index of its image in the data set.
    pub image: u32,
    /// Row of its upper left pixel.
    pub y: u32,
    /// Column of its upper left pixel.
    pub x: u32,
    /// Its cosine to the query, -1 to 1.
    pub cosine: f32,
    /// Class of its image, an index into the class names.
    pub label: Option<u32>,
    /// What its image has in common with the query's.
    pub relation: Relation,
    /// Images with the same pixels that it stands for, its own among them; 1 unless copies are folded.
    pub copies: usize,
    /// The others of them: their indices in the data set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub copy_images: Vec<u32>,
}
