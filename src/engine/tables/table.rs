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

/// "82.0 % [81.2, 82.8]": an accuracy with its interval.
pub fn share_words(row: &ResultRow) -> String {
    format!("{} % [{:.1}, {:.1}]", percent(row, "±"), 100.0 * row.low, 100.0 * row.high)
}

/// "1,000 of 10,000", or the one number where all are taken.
fn part(images: usize, of: Option<usize>) -> String {
    match of {
        Some(of) if of > images => format!("{} of {}", thousands(images), thousands(of)),
        _ => thousands(images),
    }
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

    /// Images that it is of, in words: test and training.
    fn images(&self) -> [String; 2] {
        let of =
            |row: &&ResultRow| [part(row.images, row.images_of), part(row.train_images, row.train_images_of)];
        self.rows.first().map(of).unwrap_or_default()
    }

    /// Whether the paper has one of its numbers.
    fn has_paper(&self) -> bool {
        self.rows.iter().any(|row| row.paper.is_some())
    }

    /// Of which numbers of patches some images have fewer.
    fn few_patches(&self) -> Vec<String> {
        let mut words: Vec<String> = vec![];
        for row in &self.rows {
            let few = row.fewest_patches.map(|few| {
                let few = thousands(few);
                format!(
                    "Of {} patches some images have fewer, as few as {few}: all of those are taken",
                    row.patches
                )
            });
            words.extend(few.filter(|few| !words.contains(few)));
        }
        words
    }

    /// Whether each step from one aggregate to the next goes the way that it goes in the paper, for the models of which
    /// the paper has numbers that differ.
    fn trends(&self) -> Vec<Trend> {
        let of_model = |model: &&str| {
            let known = self.rows.iter().filter(|row| row.model == **model && row.paper.is_some());
            let known: Vec<&ResultRow> = known.copied().collect();
            let same_classifier = |pair: &&[&ResultRow]| pair[0].classifier == pair[1].classifier;
            let steps = known.windows(2).filter(same_classifier).filter_map(step);
            let mut by_verdict = [vec![], vec![], vec![]];
            steps.for_each(|(verdict, words)| by_verdict[verdict as usize].push(words));
            let [same, other, untold] = by_verdict.map(|steps| steps.join(", "));
            let mut parts = vec![];
            match untold.is_empty() && other.is_empty() {
                true => parts.extend((!same.is_empty()).then(|| "the same trend as in the paper".to_owned())),
                false => {
                    let told = [("another trend than", &other), ("the same trend as", &same)];
                    let told = told.into_iter().filter(|(_, steps)| !steps.is_empty());
                    parts.extend(told.map(|(what, steps)| format!("{what} in the paper from {steps}")));
                }
            }
            let overlap = || format!("not to be told from {untold}, where intervals overlap");
            parts.extend((!untold.is_empty()).then(overlap));
            let (evaluation, is_same) = (self.name.to_owned(), other.is_empty());
            (!parts.is_empty()).then(|| Trend {
                evaluation,
                is_same,
                words: format!("{model}: {}", parts.join("; ")),
            })
        };
        self.models.iter().filter_map(of_model).collect()
    }
}

/// How a step from one aggregate to the next goes beside the paper's.
#[derive(Clone, Copy)]
enum StepWay {
    Same,
    Other,
    /// The intervals overlap.
    Untold,
}

/// How a step goes, and which it is; `None` where the paper's numbers are alike or missing.
fn step(pair: &[&ResultRow]) -> Option<(StepWay, String)> {
    let [from, to] = [pair[0], pair[1]];
    let theirs = to.paper? - from.paper?;
    let ours = to.accuracy - from.accuracy;
    let way = match to.low > from.high || to.high < from.low {
        false => StepWay::Untold,
        true if ours * theirs > 0.0 => StepWay::Same,
        true => StepWay::Other,
    };
    (theirs != 0.0).then(|| (way, format!("{} to {}", from.patches, to.patches)))
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
        markdown: markdown(plan, rows),
        latex: latex(plan, rows),
    })
}

/// A heading, the protocol, then a table for each evaluation: models by aggregates, the paper's number and the difference
/// in brackets.
pub fn markdown(plan: &EvalPlan, rows: &[ResultRow]) -> String {
    let title = &plan.title;
    let heading = if title.is_empty() { String::new() } else { format!("# {}\n\n", escaped(title)) };
    format!("{heading}{}.\n{}", plan.protocol(), sections("##", rows))
}

/// As [`markdown`] without its heading, each table under a heading of its own that begins with `mark`.
pub fn sections(mark: &str, rows: &[ResultRow]) -> String {
    let mut text = String::new();
    for grid in ResultGrid::all(rows) {
        let [test, train] = grid.images();
        let paper = match grid.has_paper() {
            true => "; in round brackets the paper's, and the difference",
            false => "",
        };
        let _ = writeln!(
            text,
            "\n{mark} {}\n\nAccuracy of {test} test images by {train} training images, with its interval of 95 % for the choice of \
             test images{paper}.\n",
            escaped(grid.name),
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
                share_words(row) + &paper
            };
            let cells: Vec<String> = grid.columns.iter().map(cell).collect();
            let _ = writeln!(text, "| {} | {} |", escaped(model), cells.join(" | "));
        }
        for few in grid.few_patches() {
            let _ = writeln!(text, "\n{few}.");
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

/// A booktabs table for each evaluation; its caption has the protocol.
pub fn latex(plan: &EvalPlan, rows: &[ResultRow]) -> String {
    let mut text = "% \\usepackage{booktabs}\n".to_owned();
    for grid in ResultGrid::all(rows) {
        let [test, train] = grid.images();
        let columns: Vec<String> = grid.columns.iter().map(|column| tex(column)).collect();
        let paper = if grid.has_paper() { "; in round ones the paper's" } else { "" };
        let _ = writeln!(
            text,
            "\\begin{{table}}[t]\n  \\centering\n  \\caption{{{}: accuracy, \\%, of {test} test images by {train} training images; \
             in square brackets its interval of 95 \\% for the choice of test images{paper}. {}.}}",
            tex(grid.name),
            tex(&plan.protocol())
        );
        let _ = writeln!(text, "  \\begin{{tabular}}{{l{}}}\n    \\toprule", "r".repeat(columns.len()));
        let _ = writeln!(text, "    & {} \\\\\n    \\midrule", columns.join(" & "));
        for model in &grid.models {
            let cell = |column: &String| grid.cell(model, column).map_or(String::new(), latex_cell);
            let cells: Vec<String> = grid.columns.iter().map(cell).collect();
            let _ = writeln!(text, "    {} & {} \\\\", tex(model), cells.join(" & "));
        }
        text += "    \\bottomrule\n  \\end{tabular}\n\\end{table}\n";
    }
    text
}

/// "46.1 {\scriptsize [45.1, 47.1] (47.1)}".
fn latex_cell(row: &ResultRow) -> String {
    let paper = row.paper.map_or(String::new(), |paper| format!(" ({:.1})", 100.0 * paper));
    let interval = format!("[{:.1}, {:.1}]", 100.0 * row.low, 100.0 * row.high);
    format!("{} {{\\scriptsize {interval}{paper}}}", percent(row, "$\\pm$"))
}

/// All rows, one a line: shares, seconds, and images of how many there are.
pub fn csv(rows: &[ResultRow]) -> String {
    let mut text = "model,evaluation,classifier,patches,accuracy,low,high,seeds,deviation,images,train_images,seconds,paper,\
                    difference,images_of,train_images_of,fewest_patches\n"
        .to_owned();
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\"").replace(['\n', '\r'], " "));
    // Percents of a plan come as shares: 0.908, and not what is left of dividing.
    let number = |value: f64| ((value * 1e6).round() / 1e6).to_string();
    let some = |value: Option<f64>| value.map_or(String::new(), number);
    let counted = |value: Option<usize>| value.map_or(String::new(), |value| value.to_string());
    for row in rows {
        let ResultRow { seeds, images, train_images, .. } = row;
        let [accuracy, low, high, seconds] = [row.accuracy, row.low, row.high, row.seconds].map(number);
        let _ = writeln!(
            text,
            "{},{},{},{},{accuracy},{low},{high},{seeds},{},{images},{train_images},{seconds},{},{},{},{},{}",
            quoted(&row.model),
            quoted(&row.evaluation),
            row.classifier,
            row.patches,
            some(row.deviation),
            some(row.paper),
            some(row.difference),
            counted(row.images_of),
            counted(row.train_images_of),
            counted(row.fewest_patches)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ask::PlannedEvaluation;

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
            fewest_patches: (patches == "16").then_some(9),
        }
    }

    fn plan() -> EvalPlan {
        let evaluations = vec![PlannedEvaluation::default()];
        EvalPlan { title: "Table 1".into(), evaluations, ..EvalPlan::of("demo".into()) }
    }

    fn rows() -> Vec<ResultRow> {
        let mut rows = vec![
            row("A|B", "central", 0.461, Some(0.471)),
            row("A|B", "16", 0.9, Some(0.909)),
            row("plain", "central", 0.5, None),
        ];
        (rows[2].deviation, rows[2].seeds, rows[2].images_of) = (Some(0.004), 3, Some(10_000));
        rows
    }

    #[test]
    fn numbers_stand_by_model_and_aggregate_with_the_papers() {
        let text = markdown(&plan(), &rows());
        assert!(text.starts_with("# Table 1\n\nkNN: cosine, k 20, "), "{text}");
        assert!(text.contains("; seed 0.\n\n## patch_14\n"), "{text}");
        assert!(text.contains("of 1,000 test images by 3,000 training images"), "{text}");
        let row = "| A\\|B | 46.1 % [45.1, 47.1] (47.1, -1.0) | 90.0 % [89.0, 91.0] (90.9, -0.9) |";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("| plain | 50.0 ± 0.4 % [49.0, 51.0] |  |"), "{text}");
        assert!(text.contains("A\\|B: the same trend as in the paper."), "{text}");
        let few = "\n\nOf 16 patches some images have fewer, as few as 9: all of those are taken.\n\nA";
        assert!(text.contains(few), "{text}");
        let without = sections("##", &rows()[2..]);
        assert!(!without.contains("the paper"), "{without}");
    }

    #[test]
    fn a_trend_is_told_where_intervals_are_apart_and_the_papers_numbers_differ() {
        let of = |ours: [f64; 3], theirs: [f64; 3]| {
            let places = ["central", "1", "16"].into_iter().zip(ours.into_iter().zip(theirs));
            let rows: Vec<ResultRow> =
                places.map(|(patches, (ours, theirs))| row("m", patches, ours, Some(theirs))).collect();
            trends(&rows).pop().map(|trend| (trend.is_same, trend.words))
        };
        let told = |is_same, words: &str| Some((is_same, words.to_owned()));
        let paper = [0.4, 0.8, 0.9];
        assert_eq!(of([0.1, 0.2, 0.3], paper), told(true, "m: the same trend as in the paper"));
        let words = "m: another trend than in the paper from central to 1; the same trend as in the paper from 1 to 16";
        assert_eq!(of([0.3, 0.2, 0.3], paper), told(false, words));
        let words = "m: the same trend as in the paper from central to 1; not to be told from 1 to 16, where intervals overlap";
        assert_eq!(of([0.1, 0.2, 0.19], paper), told(true, words));
        // Both readings of Table 5 stand beside one number of the paper.
        assert_eq!(of([0.3, 0.2, 0.1], [0.931; 3]), None);
    }

    #[test]
    fn latex_and_csv_hold_names_as_they_are() {
        let text = latex(&plan(), &rows());
        let caption = "\\caption{patch\\_14: accuracy, \\%, of 1,000 test images by 3,000 training images; in square brackets \
                       its interval of 95 \\% for the choice of test images; in round ones the paper's. kNN: cosine, k 20";
        assert!(text.contains(caption) && text.contains("\\toprule"), "{text}");
        assert!(text.contains("A|B & 46.1 {\\scriptsize [45.1, 47.1] (47.1)} & 90.0 "), "{text}");
        assert!(text.contains("plain & 50.0 $\\pm$ 0.4 {\\scriptsize [49.0, 51.0]} &  \\\\"), "{text}");
        assert!(!latex(&plan(), &rows()[2..]).contains("the paper"));
        let text = csv(&rows());
        assert_eq!(text.lines().count(), 4);
        let plain = "\"plain\",\"patch_14\",linear,central,0.5,0.49,0.51,3,0.004,1000,3000,1.5,,,10000,,";
        assert_eq!(text.lines().nth(3), Some(plain));
        assert!(text.lines().nth(1).is_some_and(|line| line.ends_with(",0.471,-0.01,,,")), "{text}");
        assert!(
            text.lines().nth(2).is_some_and(|line| line.contains(",0.9,0.89,0.91,1,,1000,3000,1.5,")),
            "{text}"
        );
    }
}
