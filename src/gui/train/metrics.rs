//! Which plots there are, and what they are called: one for each number that a run logs, those of
//! z and h in one.

use std::collections::BTreeMap;

use crate::engine::training::RunView;

/// A plot: its name and the series in it, by space where they have one.
#[derive(Clone, Debug, PartialEq)]
pub struct PlotSpec {
    /// Tells it from others.
    pub base: String,
    pub title: String,
    /// Of the values as they are drawn; empty for a pure number.
    pub unit: &'static str,
    pub help: &'static str,
    /// From what is logged to the unit.
    pub factor: f64,
    /// Keys of the series, z before h.
    pub keys: Vec<(String, Option<&'static str>)>,
}

impl PlotSpec {
    /// Title and unit: "kNN accuracy, %".
    pub fn heading(&self) -> String {
        if self.unit.is_empty() { self.title.clone() } else { format!("{}, {}", self.title, self.unit) }
    }
}

/// Numbers that have a place, a name and a sentence of their own, in the order of the plots.
const KNOWN: &[(&str, &str, &str)] = &[
    ("loss", "loss", "What is minimised (Sec. 3 of the paper)."),
    ("terms", "", "A term of the loss before its weight."),
    (
        "knn",
        "kNN accuracy",
        "Held-out images that their nearest neighbours classify right; a guess is right in 100 % / classes.",
    ),
    ("rank", "effective rank", "RankMe: how many directions the vectors really use."),
    (
        "deviation",
        "standard deviation",
        "Mean over dimensions of fixed held-out patches; near 0 when the space has collapsed.",
    ),
    (
        "unit_deviation",
        "deviation of unit vectors",
        "1 where vectors point everywhere alike, 0 where all point the same way.",
    ),
    ("lr", "learning rate", "As the schedule has it, for this batch."),
    ("grad_norm", "gradient norm", "Joint norm of all gradients before any clipping."),
    ("starved", "time waiting for views", "Near 0, augmentation keeps up with training."),
    ("memory_bytes", "memory of the process", "Resident memory; what a GPU holds is not in it."),
    ("views_per_second", "views per second", "Views trained on, from one line of metrics to the next."),
];
/// Units that numbers are shown in, and the factors from what is logged to them.
const UNITS: [(&str, &str, f64); 3] =
    [("knn", "%", 100.0), ("starved", "%", 100.0), ("memory_bytes", "GB", 1e-9)];
/// Numbers that are axes or say nothing as a curve.
const LEFT_OUT: [&str; 4] = ["step", "epoch", "time", "seconds_left"];

/// The plots of the runs that are shown.
pub fn plots<'a>(runs: impl Iterator<Item = &'a RunView> + Clone) -> Vec<PlotSpec> {
    let mut found: BTreeMap<(usize, String), PlotSpec> = BTreeMap::new();
    let of_loss = loss_unit(runs.clone());
    for key in runs.flat_map(|run| run.series.keys()).filter(|key| !LEFT_OUT.contains(&key.as_str())) {
        let (base, space) = split_space(key);
        let (rank, title, help) = name(&base);
        let spec = found.entry((rank, base.clone())).or_insert_with(|| PlotSpec {
            unit: if is_of_loss(&base) { of_loss } else { unit(&base).0 },
            factor: unit(&base).1,
            base,
            title,
            help,
            keys: vec![],
        });
        if !spec.keys.iter().any(|(known, _)| known == key) {
            spec.keys.push((key.clone(), space));
            spec.keys.sort_by_key(|(key, space)| (space.map(|space| space != "z"), key.clone()));
        }
    }
    found.into_values().collect()
}

/// `std.z`, `z.std`, `z_std` and `std_z` all as `std` of z.
pub fn split_space(key: &str) -> (String, Option<&'static str>) {
    for space in ["z", "h"] {
        for mark in ['.', '_'] {
            if let Some(base) = key.strip_suffix(&format!("{mark}{space}")) {
                return (base.to_owned(), Some(space));
            }
            if let Some(base) = key.strip_prefix(&format!("{space}{mark}")) {
                return (base.to_owned(), Some(space));
            }
        }
    }
    (key.to_owned(), None)
}

/// The plots of lists of numbers, such as spectra: their titles and, by space, their keys.
pub fn spectra<'a>(runs: impl Iterator<Item = &'a RunView>) -> Vec<PlotSpec> {
    let mut found: BTreeMap<String, PlotSpec> = BTreeMap::new();
    for key in runs.flat_map(|run| run.vectors.keys()) {
        let (base, space) = split_space(key);
        let (_, title, _) = name(&base);
        let help = "The newest values in their order; a space that collapses loses the tail.";
        let spec = found.entry(base.clone()).or_insert_with(|| PlotSpec {
            unit: "",
            factor: 1.0,
            base,
            title,
            help,
            keys: vec![],
        });
        if !spec.keys.iter().any(|(known, _)| known == key) {
            spec.keys.push((key.clone(), space));
            spec.keys.sort_by_key(|(key, space)| (space.map(|space| space != "z"), key.clone()));
        }
    }
    found.into_values().collect()
}

/// The unit of a number, or of the group that it is of, and the factor to it.
fn unit(base: &str) -> (&'static str, f64) {
    let group = base.split('.').next().unwrap_or(base);
    UNITS.iter().find(|(known, ..)| *known == group).map_or(("", 1.0), |(_, unit, factor)| (*unit, *factor))
}

/// Whether a number is the loss or one of its terms.
fn is_of_loss(base: &str) -> bool {
    base == "loss" || base.starts_with("terms.")
}

/// The unit of the loss, where all runs have the same.
fn loss_unit<'a>(runs: impl Iterator<Item = &'a RunView>) -> &'static str {
    let mut units = runs.map(|run| run.config.as_ref().map_or("", |config| config.objective.info().unit));
    let first = units.next().unwrap_or_default();
    if units.all(|unit| unit == first) { first } else { "" }
}

/// Place, title and sentence of a number.
fn name(base: &str) -> (usize, String, &'static str) {
    let words = |text: &str| text.replace(['_', '.'], " ");
    let exact = KNOWN.iter().position(|(known, ..)| *known == base);
    let of_group =
        || base.split_once('.').and_then(|(group, _)| KNOWN.iter().position(|(known, ..)| *known == group));
    match (exact, of_group()) {
        (Some(place), _) => (place, KNOWN[place].1.to_owned(), KNOWN[place].2),
        (None, Some(place)) => {
            let rest = base.split_once('.').map_or("", |(_, rest)| rest);
            let title = [KNOWN[place].1, &words(rest)].join(" ");
            (place, title.trim().to_owned(), KNOWN[place].2)
        }
        (None, None) => (KNOWN.len(), words(base), ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_both_spaces_share_a_plot() {
        assert_eq!(split_space("std.z"), ("std".into(), Some("z")));
        assert_eq!(split_space("h.rank"), ("rank".into(), Some("h")));
        assert_eq!(split_space("loss"), ("loss".into(), None));
        assert_eq!(split_space("terms.variance"), ("terms.variance".into(), None));
    }

    #[test]
    fn plots_have_names_in_words() {
        assert_eq!(name("terms.invariance").1, "invariance");
        assert_eq!(
            (name("knn.central").1.as_str(), unit("knn.central")),
            ("kNN accuracy central", ("%", 100.0))
        );
        assert_eq!(name("some_new.thing").1, "some new thing");
        assert!(name("loss").0 < name("terms.invariance").0 && name("lr").0 < name("zzz").0);
    }
}
