//! What a heatmap figure shows and how it looks, and what of it cannot be drawn.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::colormap::Colormap;
use crate::figure::codec;
use crate::figure::page::Page;
use crate::figure::query::ComposedQuery;
use crate::image::Image;
use crate::patch::PatchGrid;

/// How a heatmap figure looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeatmapSpec {
    /// The page.
    pub page: Page,
    /// Colours of the scores.
    pub colormap: Colormap,
    /// Scores at the two ends of the colour scale.
    pub range: [f32; 2],
    /// Where a line of equal score is drawn on the maps, if one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contour: Option<f32>,
    /// What the scores are, beside the colour bar.
    pub scale_label: String,
    /// How strong the grey copy of the image is where a heatmap has no cells, 0 to 1.
    pub underlay: f32,
    /// Queries side by side; 0 picks.
    pub across: u32,
}

impl Default for HeatmapSpec {
    fn default() -> Self {
        Self {
            page: Page::default(),
            colormap: Colormap::default(),
            range: [-1.0, 1.0],
            contour: None,
            scale_label: "cosine similarity".to_owned(),
            underlay: 0.35,
            across: 0,
        }
    }
}

/// What a heatmap figure shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeatmapData {
    /// The queries, in reading order, all in the same spaces.
    pub rows: Vec<HeatmapRow>,
    /// Further facts to print below (model, data set); no paths, no times.
    pub notes: Vec<String>,
}

/// One query: its image and its heatmaps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeatmapRow {
    /// The image whose patches were scored.
    #[serde(with = "codec::picture")]
    pub image: Image,
    /// Title of the image's panel.
    pub title: String,
    /// Where the patches lie on the image.
    pub grid: PatchGrid,
    /// Top-left pixel `[y, x]` of the query patch, whose side is `grid.patch`.
    pub query: [u32; 2],
    /// The query, where it is no such patch; `query` says nothing then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub composed: Option<ComposedQuery>,
    /// The heatmaps, left to right.
    pub spaces: Vec<HeatmapSpace>,
}

/// The scores of one space.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeatmapSpace {
    /// Short name, which picks the hue of the title ("z").
    pub name: String,
    /// Title of the panel ("projection z").
    pub title: String,
    /// One score for each patch of the grid, row by row; NaN where there is none.
    #[serde(with = "codec::floats")]
    pub scores: Vec<f32>,
}

impl HeatmapRow {
    /// Rows and columns of the grid.
    pub(super) fn shape(&self) -> (usize, usize) {
        self.grid.shape(self.image.height(), self.image.width())
    }

    /// Errors say what does not fit.
    fn validate(&self) -> Result<()> {
        let (height, width) = (self.image.height(), self.image.width());
        ensure!(height > 0 && width > 0, "the image is {width} x {height} pixels; expected at least 1 x 1");
        let grid = PatchGrid::new(self.grid.patch, self.grid.stride).context("grid")?;
        let (rows, cols) = grid.shape(height, width);
        ensure!(
            rows > 0 && cols > 0,
            "grid: patches of {} pixels do not fit on an image of {width} x {height}",
            grid.patch
        );
        match &self.composed {
            Some(composed) => composed.validate(Some((height, width)))?,
            None => {
                let [y, x] = self.query.map(u64::from);
                let patch = u64::from(grid.patch);
                ensure!(
                    y + patch <= u64::from(height) && x + patch <= u64::from(width),
                    "query: a patch of {patch} pixels at y {y}, x {x} leaves the image of {width} x {height}"
                );
            }
        }
        for space in &self.spaces {
            let got = space.scores.len();
            ensure!(
                got == rows * cols,
                "space \"{}\": {got} scores; expected {rows} rows x {cols} columns = {}",
                space.name,
                rows * cols
            );
        }
        Ok(())
    }
}

/// A heatmap figure.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatmapFigure {
    /// How it looks.
    pub spec: HeatmapSpec,
    /// What it shows.
    pub data: HeatmapData,
}

/// Most queries on a page.
const MAX_ROWS: usize = 64;

impl HeatmapFigure {
    /// Checks that the data fit together; errors say where.
    pub(super) fn validate(&self) -> Result<()> {
        let (spec, data) = (&self.spec, &self.data);
        let [lo, hi] = spec.range;
        ensure!(
            lo.is_finite() && hi.is_finite() && hi - lo > 1e-4 * lo.abs().max(hi.abs()),
            "range is [{lo}, {hi}]; expected two numbers, the first clearly below the second"
        );
        if let Some(level) = spec.contour {
            ensure!(level.is_finite(), "contour is {level}; expected a number");
        }
        ensure!((0.0..=1.0).contains(&spec.underlay), "underlay is {}; expected 0 to 1", spec.underlay);
        let count = data.rows.len();
        ensure!((1..=MAX_ROWS).contains(&count), "rows: {count} given; expected 1 to {MAX_ROWS}");
        let names = |row: &HeatmapRow| row.spaces.iter().map(|s| s.name.clone()).collect::<Vec<_>>();
        let first = names(&data.rows[0]);
        ensure!((1..=12).contains(&first.len()), "spaces: {} given; expected 1 to 12", first.len());
        for (index, row) in data.rows.iter().enumerate() {
            let own = names(row);
            ensure!(own == first, "row {index}: spaces {own:?}; expected {first:?} as in the first row");
            row.validate().with_context(|| format!("row {index}"))?;
        }
        Ok(())
    }
}
