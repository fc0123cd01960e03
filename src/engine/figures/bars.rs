//! Accuracies of results as bars (Figures 2 and 3b), the same for the command line and the window.

use crate::engine::ask::ResultRow;
use crate::engine::figures::plotted::page;
use crate::figure::{BarSeries, BarsPanel, CurveAxis, Panel, PanelsData, PanelsSpec};
use crate::words::{count, thousands};

/// How bars look.
pub fn bars_spec() -> PanelsSpec {
    PanelsSpec { across: 1, height_in: 2.2, ..PanelsSpec::default() }
}

/// Bars of all rows, a panel for each classifier of which there are some; `protocols` are those of their plans.
pub fn bars_page(rows: &[ResultRow], classifiers: &[&str], protocols: &[String]) -> PanelsData {
    let panels = classifiers.iter().filter_map(|classifier| panel(rows, classifier)).collect();
    page(String::new(), panels, notes(rows, protocols))
}

/// What all bars have in common, in words.
fn notes(rows: &[ResultRow], protocols: &[String]) -> Vec<String> {
    let span = |of: &dyn Fn(&ResultRow) -> usize| {
        let (least, most) = (rows.iter().map(of).min().unwrap_or(0), rows.iter().map(of).max().unwrap_or(0));
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
    if let Some(first) = protocols.first().filter(|first| protocols.iter().all(|other| other == *first)) {
        notes.push(first.clone());
    }
    notes
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

/// The bars of one classifier: a group for each model and its evaluations, a bar for each number of patches.
fn panel(rows: &[ResultRow], classifier: &str) -> Option<Panel> {
    let rows: Vec<&ResultRow> = rows.iter().filter(|row| row.classifier == classifier).collect();
    let (mut groups, mut bars): (Vec<(&str, Vec<&str>)>, Vec<&str>) = (vec![], vec![]);
    for row in &rows {
        let group = (row.model.as_str(), evaluations_beside(&rows, row));
        if !groups.contains(&group) {
            groups.push(group);
        }
        if !bars.contains(&row.patches.as_str()) {
            bars.push(&row.patches);
        }
    }
    // The whole image first, then by rising number, whatever the plan's order.
    bars.sort_by_key(|patches| (patches.parse::<usize>().unwrap_or(0), patches.to_string()));
    let has_one_evaluation = groups.iter().all(|group| group.1 == groups[0].1);
    let name = |(model, evaluations): &(&str, Vec<&str>)| match &evaluations[..] {
        [evaluation] if !has_one_evaluation => format!("{model}, {evaluation}"),
        _ => (*model).to_owned(),
    };
    let series = bars.iter().map(|patches| {
        let of = |value: fn(&ResultRow) -> f64| -> Vec<f64> {
            let one = |(model, evaluations): &(&str, Vec<&str>)| {
                let is_it = |row: &&&ResultRow| {
                    row.model == *model
                        && evaluations.contains(&row.evaluation.as_str())
                        && row.patches == **patches
                };
                rows.iter().find(is_it).map_or(f64::NAN, |row| 100.0 * value(row))
            };
            groups.iter().map(one).collect()
        };
        let name = match patches.parse::<usize>() {
            Ok(1) => "1 patch".to_owned(),
            Ok(count) => format!("{count} patches"),
            Err(_) => (*patches).to_owned(),
        };
        BarSeries { name, values: of(|row| row.accuracy), low: of(|row| row.low), high: of(|row| row.high) }
    });
    let title = if classifier == "knn" { "kNN" } else { classifier };
    let panel = BarsPanel {
        title: title.to_owned(),
        y: CurveAxis::of("accuracy", "%"),
        groups: groups.iter().map(name).collect(),
        series: series.collect(),
    };
    (!rows.is_empty()).then_some(Panel::Bars(panel))
}
