//! The words on a heatmap figure: titles, summaries, facts.

use super::data::{HeatmapFigure, HeatmapRow};
use crate::figure::canvas::{fixed, thousands};
use crate::figure::page;

impl HeatmapFigure {
    /// Whether several queries share the page.
    pub(in crate::figure) fn has_several(&self) -> bool {
        self.data.rows.len() > 1
    }

    /// Whether all rows have the same patches on images of one size.
    pub(in crate::figure) fn is_uniform(&self) -> bool {
        let facts = |row: &HeatmapRow| (row.grid, row.shape());
        self.data.rows.iter().all(|row| facts(row) == facts(&self.data.rows[0]))
    }

    /// Title above the image: its own, or what the column is.
    pub(in crate::figure) fn image_title(&self, row: &HeatmapRow) -> String {
        if self.has_several() { "image".to_owned() } else { row.title.clone() }
    }

    /// What stands below the image of a block, longest first.
    pub(in crate::figure) fn image_words(&self, block: usize) -> Vec<String> {
        let row = &self.data.rows[block];
        let (width, height) = (row.image.width(), row.image.height());
        if !self.has_several() {
            return vec![format!("{width} × {height} px")];
        }
        let letter = self.spec.page.letter(block, self.data.rows.len());
        let lettered = |words: &str| match &letter {
            Some(letter) => format!("{letter} {words}"),
            None => words.to_owned(),
        };
        let patch = format!("{0} × {0} px", row.grid.patch);
        let patches = self.data.rows.iter().map(|row| row.grid.patch);
        if patches.clone().min() != patches.max() {
            return vec![
                lettered(&format!("{patch} patches · {}", row.title)),
                lettered(&format!("{patch} patches")),
                lettered(&patch),
            ];
        }
        // "image 3194 · horse" is "horse" where there is no room.
        let class = row.title.rsplit(" · ").next().unwrap_or_default();
        vec![lettered(&row.title), lettered(class), letter.clone().unwrap_or_default()]
    }

    /// What stands below: geometry, what is not shown as it is, the caller's notes.
    pub(in crate::figure) fn facts(&self) -> Vec<String> {
        let rows = &self.data.rows;
        let mut facts = if self.spec.page.facts { self.geometry() } else { vec![] };
        for (index, row) in rows.iter().enumerate() {
            let of_row = if rows.len() > 1 { format!("{} ", page::letter(index)) } else { String::new() };
            let hidden = row.hidden(self.spec.range);
            facts.extend(hidden.into_iter().map(|fact| format!("{of_row}{fact}")));
        }
        if self.spec.page.facts {
            facts.extend(self.data.notes.iter().cloned());
        }
        facts
    }

    /// Patches, strides, grids and places of the queries.
    pub(in crate::figure) fn geometry(&self) -> Vec<String> {
        let rows = &self.data.rows;
        let first = &rows[0];
        let of_row = |row: &HeatmapRow| {
            let ((rows, cols), stride) = (row.shape(), row.grid.stride);
            let count = thousands((rows * cols) as u64);
            [format!("stride {stride} px"), format!("grid {rows} × {cols} = {count} patches")]
        };
        let dashes = self.spec.page.palette.query_words();
        let patch = |row: &HeatmapRow| format!("patch {0} × {0} px", row.grid.patch);
        let mut facts = vec![];
        if self.is_uniform() {
            facts.push(patch(first));
            facts.extend(of_row(first));
        } else {
            facts.extend(rows.iter().enumerate().map(|(index, row)| {
                format!("{} {}, {}", page::letter(index), patch(row), of_row(row).join(", "))
            }));
        }
        if let Some(level) = self.spec.contour {
            facts.push(format!("line at {}", fixed(f64::from(level), 2)));
        }
        if let [row] = rows.as_slice() {
            let [y, x] = row.query;
            facts.push(match &row.composed {
                Some(composed) => format!("query ({dashes}): {}", composed.words()),
                None => format!("query ({dashes}) at y {y}, x {x}"),
            });
        } else {
            let place = |(index, row): (usize, &HeatmapRow)| match &row.composed {
                Some(composed) => format!("{} {}", page::letter(index), composed.words()),
                None => format!("{} {}, {}", page::letter(index), row.query[0], row.query[1]),
            };
            let places: Vec<String> = rows.iter().enumerate().map(place).collect();
            facts.push(format!("queries ({dashes}) at y, x: {}", places.join("; ")));
        }
        facts
    }
}

impl HeatmapRow {
    /// What the colours do not show as it is.
    pub(in crate::figure) fn hidden(&self, [lo, hi]: [f32; 2]) -> Vec<String> {
        let mut facts = vec![];
        for space in &self.spaces {
            let all = thousands(space.scores.len() as u64);
            let count = |is: &dyn Fn(f32) -> bool| space.scores.iter().filter(|&&s| is(s)).count() as u64;
            // A cosine may leave [-1, 1] by a rounding error, which is not clipping.
            let slack = 1e-4 * (hi - lo);
            let (missing, beyond) = (count(&|s| s.is_nan()), count(&|s| s < lo - slack || s > hi + slack));
            let name = &space.name;
            if missing > 0 {
                facts.push(format!("{name}: {} of {all} patches not scored (grey)", thousands(missing)));
            }
            if beyond > 0 {
                facts.push(format!("{name}: {} of {all} scores beyond the scale", thousands(beyond)));
            }
        }
        facts
    }
}

/// Least, mean and greatest score in words, long and short; nothing where all are NaN.
pub(super) fn summary(scores: &[f32]) -> Vec<String> {
    let known: Vec<f64> = scores.iter().filter(|s| !s.is_nan()).map(|&s| f64::from(s)).collect();
    if known.is_empty() {
        return Vec::new();
    }
    let min = fixed(known.iter().copied().fold(f64::INFINITY, f64::min), 2);
    let max = fixed(known.iter().copied().fold(f64::NEG_INFINITY, f64::max), 2);
    let mean = fixed(known.iter().sum::<f64>() / known.len() as f64, 2);
    vec![format!("min {min} · mean {mean} · max {max}"), format!("{min} to {max}")]
}
