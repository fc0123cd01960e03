//! Accuracies of results as bars (Figures 2 and 3b), the same for the command line and the window.

use crate::engine::ask::{EvalPlan, ResultRow};
use crate::engine::figures::plotted::page;
use crate::figure::{BarSeries, BarsPanel, CurveAxis, Panel, PanelsData, PanelsSpec};
use crate::words::{count, thousands};

/// How bars look.
pub fn bars_spec() -> PanelsSpec {
    PanelsSpec { across: 1, height_in: 2.2, ..PanelsSpec::default() }
}

/// The rows of a results folder.
pub struct BarsTable<'a> {
    /// What the folder is called, which stands at its groups where there are several.
    pub folder: String,
    /// The rows.
    pub rows: &'a [ResultRow],
    /// Its plan.
    pub plan: &'a EvalPlan,
}

/// Bars of all rows, a panel for each classifier of which there are some.
pub fn bars_page(tables: &[BarsTable<'_>], classifiers: &[&str]) -> PanelsData {
    let panels = classifiers.iter().filter_map(|classifier| panel(tables, classifier)).collect();
    page(String::new(), panels, notes(tables))
}

/// What all bars have in common, in words.
fn notes(tables: &[BarsTable<'_>]) -> Vec<String> {
    let rows: Vec<&ResultRow> = tables.iter().flat_map(|table| table.rows).collect();
    let span = |of: &dyn Fn(&ResultRow) -> usize| {
        let all = rows.iter().copied().map(of);
        let (least, most) = (all.clone().min().unwrap_or(0), all.max().unwrap_or(0));
        let least = if least < most { format!("{} to ", thousands(least)) } else { String::new() };
        (least, most)
    };
    let seen = |what: &str, of: fn(&ResultRow) -> usize| {
        let (least, most) = span(&of);
        least + &count(most, what)
    };
    // Of how many, where some were left out.
    let images = |what: &str, of: fn(&ResultRow) -> usize, all: fn(&ResultRow) -> Option<usize>| {
        let is_part = rows.iter().any(|row| all(row).is_some_and(|all| all > of(row)));
        let (least, most) = span(&of);
        let (least_of_all, all) = span(&|row| all(row).unwrap_or(of(row)));
        match is_part {
            true => format!("{least}{} of {least_of_all}{}", thousands(most), count(all, what)),
            false => least + &count(most, what),
        }
    };
    let mut notes = vec![
        images("test image", |row| row.images, |row| row.images_of),
        images("training image", |row| row.train_images, |row| row.train_images_of),
        seen("seed", |row| row.seeds),
        "lines: intervals of 95 % for the choice of test images".to_owned(),
    ];
    let mut protocols = tables.iter().map(|table| table.plan.protocol());
    if let Some(first) = protocols.next()
        && protocols.all(|other| other == first)
    {
        notes.push(first);
    }
    notes
}

/// "16 patches", "16 crops", or both where the bars of a number are of both.
fn bars_words(tables: &[BarsTable<'_>], classifier: &str, patches: &str) -> String {
    let Ok(number) = patches.parse::<usize>() else { return patches.to_owned() };
    let mut cuts: Vec<&str> = vec![];
    for table in tables {
        let rows = rows_of_classifier(table, classifier).into_iter().filter(|row| row.patches == patches);
        cuts.extend(rows.map(|row| table.plan.cut_of(&row.evaluation)));
    }
    cuts.sort_unstable();
    cuts.dedup();
    cuts.iter().map(|cut| count(number, cut)).collect::<Vec<_>>().join(" or ")
}

/// Evaluations of a model that stand in one group of bars: all of them where no number of patches is in two.
fn evaluations_beside<'a>(rows: &[&'a ResultRow], row: &'a ResultRow) -> Vec<&'a str> {
    let of_model = || rows.iter().filter(|other| other.model == row.model);
    let is_twice = |one: &&&ResultRow| of_model().filter(|other| other.patches == one.patches).count() > 1;
    let mut all: Vec<&str> = match of_model().any(|one| is_twice(&one)) {
        true => vec![&row.evaluation],
        false => of_model().map(|one| one.evaluation.as_str()).collect(),
    };
    all.dedup();
    all
}

/// A group of bars.
#[derive(PartialEq)]
struct Group<'a> {
    /// Place of its folder.
    folder: usize,
    model: &'a str,
    evaluations: Vec<&'a str>,
}

/// The bars of one classifier: a group for each model of each folder and its evaluations, a bar for each number of patches.
fn panel(tables: &[BarsTable<'_>], classifier: &str) -> Option<Panel> {
    let rows: Vec<Vec<&ResultRow>> =
        tables.iter().map(|table| rows_of_classifier(table, classifier)).collect();
    let (mut groups, mut bars): (Vec<Group<'_>>, Vec<&str>) = (vec![], vec![]);
    for (folder, rows) in rows.iter().enumerate() {
        for row in rows {
            let group = Group { folder, model: &row.model, evaluations: evaluations_beside(rows, row) };
            if !groups.contains(&group) {
                groups.push(group);
            }
            if !bars.contains(&row.patches.as_str()) {
                bars.push(&row.patches);
            }
        }
    }
    // The whole image first, then by rising number, whatever the plan's order.
    bars.sort_by_key(|patches| (patches.parse::<usize>().unwrap_or(0), patches.to_string()));
    let has_one_evaluation = groups.iter().all(|group| group.evaluations == groups[0].evaluations);
    let name = |group: &Group<'_>| {
        let mut words = vec![group.model];
        if let ([evaluation], false) = (&group.evaluations[..], has_one_evaluation) {
            words.push(evaluation);
        }
        if tables.len() > 1 {
            words.push(&tables[group.folder].folder);
        }
        words.join(", ")
    };
    let series = bars.iter().map(|patches| {
        let of = |value: fn(&ResultRow) -> f64| -> Vec<f64> {
            let one = |group: &Group<'_>| {
                let is_it = |row: &&&ResultRow| {
                    row.model == group.model
                        && group.evaluations.contains(&row.evaluation.as_str())
                        && row.patches == **patches
                };
                rows[group.folder].iter().find(is_it).map_or(f64::NAN, |row| 100.0 * value(row))
            };
            groups.iter().map(one).collect()
        };
        let name = bars_words(tables, classifier, patches);
        BarSeries { name, values: of(|row| row.accuracy), low: of(|row| row.low), high: of(|row| row.high) }
    });
    let title = if classifier == "knn" { "kNN" } else { classifier };
    let panel = BarsPanel {
        title: title.to_owned(),
        y: CurveAxis::of("accuracy", "%"),
        groups: groups.iter().map(name).collect(),
        series: series.collect(),
    };
    (!groups.is_empty()).then_some(Panel::Bars(panel))
}

fn rows_of_classifier<'a>(table: &BarsTable<'a>, classifier: &str) -> Vec<&'a ResultRow> {
    table.rows.iter().filter(|row| row.classifier == classifier).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ask::PlannedEvaluation;

    fn rows(accuracy: f64) -> Vec<ResultRow> {
        let row = serde_json::json!({
            "model": "a", "evaluation": "crops", "classifier": "knn", "patches": "16", "accuracy": accuracy,
            "low": 0.1, "high": 0.9, "seeds": 1, "deviation": null, "images": 20, "train_images": 30,
            "seconds": 0.5, "paper": null, "difference": null
        });
        vec![serde_json::from_value(row).unwrap()]
    }

    fn bars(folders: &[(&str, &[ResultRow])]) -> (Vec<String>, Vec<f64>) {
        let plan = EvalPlan::of("demo".into());
        let tables: Vec<BarsTable<'_>> = folders
            .iter()
            .map(|(folder, rows)| BarsTable { folder: folder.to_string(), rows, plan: &plan })
            .collect();
        match bars_page(&tables, &["knn"]).panels.pop() {
            Some(Panel::Bars(panel)) => (panel.groups, panel.series[0].values.clone()),
            _ => panic!("no bars"),
        }
    }

    #[test]
    fn the_same_model_in_two_folders_has_a_group_in_each() {
        let (first, second) = (rows(0.25), rows(0.5));
        assert_eq!(bars(&[("one", &first[..])]), (vec!["a".to_owned()], vec![25.0]));
        let both = bars(&[("one", &first[..]), ("two", &second[..])]);
        assert_eq!(both, (vec!["a, one".to_owned(), "a, two".to_owned()], vec![25.0, 50.0]));
    }

    #[test]
    fn bars_of_crops_are_called_so() {
        let evaluation = |name: &str, crop_scale| PlannedEvaluation {
            name: name.into(),
            crop_scale,
            ..PlannedEvaluation::default()
        };
        let evaluations = vec![evaluation("crops", Some([0.08, 1.0])), evaluation("patches", None)];
        let plan = EvalPlan { evaluations, ..EvalPlan::of("demo".into()) };
        let of = |evaluation: &str, patches: &str| ResultRow {
            evaluation: evaluation.into(),
            patches: patches.into(),
            ..rows(0.5).remove(0)
        };
        let names = |rows: &[ResultRow]| -> Vec<String> {
            let table = BarsTable { folder: String::new(), rows, plan: &plan };
            let Some(Panel::Bars(panel)) = bars_page(&[table], &["knn"]).panels.pop() else {
                panic!("no bars")
            };
            panel.series.iter().map(|series| series.name.clone()).collect()
        };
        let rows = [("crops", "16"), ("crops", "1"), ("crops", "central"), ("patches", "16")];
        let rows = rows.map(|(evaluation, patches)| of(evaluation, patches));
        assert_eq!(names(&rows[..3]), ["central", "1 crop", "16 crops"]);
        assert_eq!(names(&rows[3..]), ["16 patches"]);
        assert_eq!(names(&rows), ["central", "1 crop", "16 crops or 16 patches"]);
    }
}
