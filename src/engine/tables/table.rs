//! Results of a plan as tables: Markdown, LaTeX (booktabs), CSV.

use std::fmt::Write as _;

use serde_json::json;

use crate::engine::ask::{EvalPlan, ResultRow, ResultTexts, Trend};
use crate::figure::tex;
use crate::words::thousands;

/// "82.3", of several seeds "82.3 ± 0.4".
fn percent(row: &ResultRow, plus_minus: &str) -> String {
    let deviation = row.deviation.map_or(String::new(), |d| format!(" {plus_minus} {:.1}", 100.0 * d));
    format!("{:.1}{deviation}", 100.0 * row.accuracy)
}

fn column(row: &ResultRow) -> String {
    format!("{} {}", row.classifier, row.patches)
}

/// What stands in the rows and columns of one evaluation.
struct ResultGrid<'a> {
    name: &'a str,
    columns: Vec<String>,
    models: Vec<&'a str>,
    rows: Vec<&'a ResultRow>,
}

impl<'a> ResultGrid<'a> {
    /// One for each evaluation, in their order.
    fn all(rows: &'a [ResultRow]) -> Vec<Self> {
        let mut grids: Vec<Self> = vec![];
        for row in rows {
            let place = grids.iter().position(|grid| grid.name == row.evaluation).unwrap_or(grids.len());
            if place == grids.len() {
                grids.push(Self { name: &row.evaluation, columns: vec![], models: vec![], rows: vec![] });
            }
            let grid = &mut grids[place];
            if !grid.columns.contains(&column(row)) {
                grid.columns.push(column(row));
            }
            if !grid.models.contains(&row.model.as_str()) {
                grid.models.push(&row.model);
            }
            grid.rows.push(row);
        }
        grids
    }

    fn cell(&self, model: &str, column: &str) -> Option<&ResultRow> {
        self.rows.iter().find(|row| row.model == model && self::column(row) == column).copied()
    }

    /// Whether each step from one aggregate to the next goes the way that it goes in the paper, for the models of which
    /// the paper has numbers.
    fn trends(&self) -> Vec<Trend> {
        let of_model = |model: &&str| {
            let known = self.rows.iter().filter(|row| row.model == **model && row.paper.is_some());
            let known: Vec<&ResultRow> = known.copied().collect();
            let same_classifier = |pair: &&[&ResultRow]| pair[0].classifier == pair[1].classifier;
            let steps = known.windows(2).filter(same_classifier).filter_map(|pair| {
                let theirs = pair[1].paper? - pair[0].paper?;
                Some(((pair[1].accuracy - pair[0].accuracy) * theirs > 0.0, pair))
            });
            let steps: Vec<(bool, &[&ResultRow])> = steps.collect();
            let wrong: Vec<String> = steps
                .iter()
                .filter(|(is_same, _)| !is_same)
                .map(|(_, pair)| format!("{} to {}", pair[0].patches, pair[1].patches))
                .collect();
            let words = match (steps.is_empty(), wrong.is_empty()) {
                (true, _) => return None,
                (false, true) => format!("{model}: the same trend as in the paper"),
                (false, false) => {
                    format!("{model}: another trend than in the paper from {}", wrong.join(", "))
                }
            };
            Some(Trend { evaluation: self.name.to_owned(), is_same: wrong.is_empty(), words })
        };
        self.models.iter().filter_map(of_model).collect()
    }
}

/// Of each evaluation and model of which the paper has numbers, whether ours go the same way.
pub fn trends(rows: &[ResultRow]) -> Vec<Trend> {
    ResultGrid::all(rows).iter().flat_map(ResultGrid::trends).collect()
}

/// All tables as text.
///
/// # Errors
/// JSON refuses a value.
pub fn texts(plan: &EvalPlan, rows: &[ResultRow]) -> anyhow::Result<ResultTexts> {
    let all = json!({ "title": plan.title, "plan": plan, "rows": rows });
    Ok(ResultTexts {
        json: serde_json::to_string_pretty(&all)?,
        csv: csv(rows),
        markdown: markdown(&plan.title, rows),
        latex: latex(rows),
    })
}

/// A heading, then a table for each evaluation: models by aggregates, the paper's number and the difference in brackets.
pub fn markdown(title: &str, rows: &[ResultRow]) -> String {
    let heading = if title.is_empty() { String::new() } else { format!("# {title}\n") };
    heading + &sections("##", rows, |row| percent(row, "±"))
}

/// As [`markdown`] without its heading, each table under a heading of its own that begins with `mark`; `number` writes
/// the accuracy of a cell.
pub fn sections(mark: &str, rows: &[ResultRow], number: impl Fn(&ResultRow) -> String) -> String {
    let mut text = String::new();
    for grid in ResultGrid::all(rows) {
        let part = |images: usize, of: Option<usize>| match of {
            Some(of) if of > images => format!("{} of {}", thousands(images), thousands(of)),
            _ => thousands(images),
        };
        let images = grid.rows.first().map_or_else(Default::default, |row| {
            (part(row.images, row.images_of), part(row.train_images, row.train_images_of))
        });
        let _ = writeln!(
            text,
            "\n{mark} {}\n\nAccuracy, %, of {} test images by {} training images; in brackets the paper's, and the difference.\n",
            escaped(grid.name),
            images.0,
            images.1
        );
        let columns: Vec<String> = grid.columns.iter().map(|column| escaped(column)).collect();
        let _ = writeln!(text, "| | {} |", columns.join(" | "));
        let _ = writeln!(text, "|---|{}", "---|".repeat(columns.len()));
        for model in &grid.models {
            let cell = |column: &String| {
                let Some(row) = grid.cell(model, column) else { return String::new() };
                let paper = row.paper.zip(row.difference).map_or(String::new(), |(paper, difference)| {
                    format!(" ({:.1}, {:+.1})", 100.0 * paper, 100.0 * difference)
                });
                number(row) + &paper
            };
            let cells: Vec<String> = grid.columns.iter().map(cell).collect();
            let _ = writeln!(text, "| {} | {} |", escaped(model), cells.join(" | "));
        }
        for trend in grid.trends() {
            let _ = writeln!(text, "\n{}.", escaped(&trend.words));
        }
    }
    text
}

/// A name as a cell of a table.
pub fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// A booktabs table for each evaluation.
pub fn latex(rows: &[ResultRow]) -> String {
    let mut text = "% \\usepackage{booktabs}\n".to_owned();
    for grid in ResultGrid::all(rows) {
        let columns: Vec<String> = grid.columns.iter().map(|column| tex(column)).collect();
        let _ = writeln!(
            text,
            "\\begin{{table}}[t]\n  \\centering\n  \\caption{{{}: accuracy, \\%.}}",
            tex(grid.name)
        );
        let _ = writeln!(text, "  \\begin{{tabular}}{{l{}}}\n    \\toprule", "r".repeat(columns.len()));
        let _ = writeln!(text, "    & {} \\\\\n    \\midrule", columns.join(" & "));
        for model in &grid.models {
            let cell = |column: &String| {
                grid.cell(model, column).map_or(String::new(), |row| percent(row, "$\\pm$"))
            };
            let cells: Vec<String> = grid.columns.iter().map(cell).collect();
            let _ = writeln!(text, "    {} & {} \\\\", tex(model), cells.join(" & "));
        }
        text += "    \\bottomrule\n  \\end{tabular}\n\\end{table}\n";
    }
    text
}

/// All rows, one a line.
pub fn csv(rows: &[ResultRow]) -> String {
    let mut text = "model,evaluation,classifier,patches,accuracy,low,high,seeds,deviation,images,train_images,seconds,paper,difference\n".to_owned();
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\"").replace(['\n', '\r'], " "));
    let some = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    for row in rows {
        let ResultRow { accuracy, low, high, seeds, images, train_images, seconds, .. } = row;
        let _ = writeln!(
            text,
            "{},{},{},{},{accuracy},{low},{high},{seeds},{},{images},{train_images},{seconds},{},{}",
            quoted(&row.model),
            quoted(&row.evaluation),
            row.classifier,
            row.patches,
            some(row.deviation),
            some(row.paper),
            some(row.difference)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(model: &str, patches: &str, accuracy: f64, paper: Option<f64>) -> ResultRow {
        ResultRow {
            model: model.into(),
            evaluation: "patch_14".into(),
            classifier: "linear".into(),
            patches: patches.into(),
            accuracy,
            low: accuracy - 0.01,
            high: accuracy + 0.01,
            seeds: 1,
            deviation: None,
            images: 1000,
            train_images: 3000,
            seconds: 1.5,
            paper,
            difference: paper.map(|paper| accuracy - paper),
            images_of: None,
            train_images_of: None,
        }
    }

    fn rows() -> Vec<ResultRow> {
        let mut rows = vec![
            row("A|B", "central", 0.461, Some(0.471)),
            row("A|B", "16", 0.9, Some(0.909)),
            row("plain", "central", 0.5, None),
        ];
        (rows[2].deviation, rows[2].seeds) = (Some(0.004), 3);
        rows
    }

    #[test]
    fn numbers_stand_by_model_and_aggregate_with_the_papers() {
        let text = markdown("Table 1", &rows());
        assert!(text.starts_with("# Table 1\n\n## patch_14\n"), "{text}");
        assert!(text.contains("of 1,000 test images by 3,000 training images"), "{text}");
        assert!(text.contains("| A\\|B | 46.1 (47.1, -1.0) | 90.0 (90.9, -0.9) |"), "{text}");
        assert!(text.contains("| plain | 50.0 ± 0.4 |  |"), "{text}");
        assert!(text.contains("A\\|B: the same trend as in the paper."), "{text}");
        let mut other = rows();
        other[1].accuracy = 0.4;
        assert!(markdown("", &other).contains("another trend than in the paper from central to 16"));
    }

    #[test]
    fn latex_and_csv_hold_names_as_they_are() {
        let text = latex(&rows());
        assert!(
            text.contains("\\caption{patch\\_14: accuracy, \\%.}") && text.contains("\\toprule"),
            "{text}"
        );
        assert!(text.contains("plain & 50.0 $\\pm$ 0.4 &  \\\\"), "{text}");
        let text = csv(&rows());
        assert_eq!(text.lines().count(), 4);
        let plain = "\"plain\",\"patch_14\",linear,central,0.5,0.49,0.51,3,0.004,1000,3000,1.5,,";
        assert_eq!(text.lines().nth(3), Some(plain));
    }
}
