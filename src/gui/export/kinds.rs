//! What the dialog says of each kind of figure, and what it shows of it unless told.

use crate::engine::{FigureKind, defaults};

/// One kind of figure.
pub struct KindRow {
    pub name: &'static str,
    pub explanation: &'static str,
    /// The name that is proposed for its file.
    pub file_name: &'static str,
    /// Neighbours of each query; none says as many as are on show.
    pub neighbours: Option<usize>,
    /// Whether it is a sheet of small galleries: of several queries, in one space, under one model.
    pub is_sheet: bool,
    /// What to do where there are too few queries for a sheet.
    pub more_queries: &'static str,
    /// Most queries that stand side by side; 0 where there is no choice.
    pub most_across: u32,
}

/// The row of `kind`.
pub fn row(kind: FigureKind) -> KindRow {
    const MORE: &str = "This figure shows several queries, and there was one so far: close this, click other patches \
                        or neighbours, and come back.";
    const MORE_OF_IMAGE: &str = "This figure shows several positions of one image, and one was asked about so far: \
                                 close this, click other patches of the image, and come back.";
    match kind {
        FigureKind::Heatmaps => KindRow {
            name: "Heatmaps (Fig. 4, 6)",
            explanation: "Each query's image, and how alike each of its patches is.",
            file_name: "figure4-heatmaps",
            neighbours: None,
            is_sheet: false,
            more_queries: MORE,
            most_across: 8,
        },
        FigureKind::Galleries => KindRow {
            name: "Galleries (Fig. 5, 7, 8, 9)",
            explanation: "The nearest patches of each query in each space.",
            file_name: "figure5-galleries",
            neighbours: None,
            is_sheet: false,
            more_queries: MORE,
            most_across: 0,
        },
        FigureKind::Parts => KindRow {
            name: "Parts (Fig. 10)",
            explanation: "A small gallery for each of many queries, named by row and column.",
            file_name: "figure10-parts",
            neighbours: Some(defaults::PART_NEIGHBOURS),
            is_sheet: true,
            more_queries: MORE,
            most_across: 26,
        },
        FigureKind::Instance => KindRow {
            name: "Instance (Fig. 11, 12)",
            explanation: "One image with numbered positions, and a small gallery for each.",
            file_name: "figure11-instance",
            neighbours: Some(defaults::POSITION_NEIGHBOURS),
            is_sheet: true,
            more_queries: MORE_OF_IMAGE,
            most_across: 26,
        },
    }
}
