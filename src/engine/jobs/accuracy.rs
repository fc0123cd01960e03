//! Figures 2 and 3b: accuracies of results folders as bars.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::Serialize;
use serde_json::json;

use crate::engine::ask::{AccuracyFigure, ResultRow};
use crate::engine::figures::bars::{BarsTable, bars_page, bars_spec};
use crate::engine::figures::output::Written;
use crate::engine::jobs::figures::FileLook;
use crate::engine::jobs::plot::PlotFile;
use crate::engine::tables::plan::StoredResults;
use crate::figure::PanelsSpec;

/// `bagssl figure fig2`, `fig3b`.
pub struct AccuracyRequest {
    /// Results folders, in the order of the bars.
    pub results: Vec<PathBuf>,
    /// Classifiers, a panel for each that there is: "linear", "knn".
    pub classifiers: Vec<&'static str>,
    /// Where the figure goes.
    pub plot: PlotFile,
}

/// What was drawn.
#[derive(Clone, Debug, Serialize)]
pub struct AccuracyReport {
    /// The rows of the tables that the bars are of.
    pub rows: Vec<ResultRow>,
    /// The files that were written.
    #[serde(flatten)]
    pub files: Written,
}

/// Draws the accuracies of results folders.
///
/// # Errors
/// A folder that holds no results, nothing to draw, or a file that cannot be written.
pub fn accuracy_bars(request: &AccuracyRequest) -> anyhow::Result<AccuracyReport> {
    let mut all: Vec<StoredResults> = vec![];
    for folder in &request.results {
        let mut stored = StoredResults::read(folder)?;
        stored.rows.retain(|row| request.classifiers.contains(&&*row.classifier));
        all.push(stored);
    }
    let tables: Vec<BarsTable<'_>> = all
        .iter()
        .zip(short_names(&request.results))
        .map(|(stored, folder)| BarsTable { folder, rows: &stored.rows, plan: &stored.plan })
        .collect();
    let names: Vec<String> = request.results.iter().map(|folder| folder.display().to_string()).collect();
    let what = || format!("the results of {}", names.join(", "));
    let data = bars_page(&tables, &request.classifiers);
    ensure!(
        !data.panels.is_empty(),
        "{}: no row of the classifier {}",
        what(),
        request.classifiers.join(" or ")
    );
    let rows: Vec<ResultRow> = all.iter().flat_map(|stored| &stored.rows).cloned().collect();
    let source = json!({ "classifiers": request.classifiers, "rows": rows });
    let files = request.plot.write(data, bars_spec(), source).with_context(what)?;
    Ok(AccuracyReport { rows, files })
}

/// The last name of each folder, or its whole path where another ends alike.
fn short_names(folders: &[PathBuf]) -> Vec<String> {
    let is_alone = |last: &OsStr| folders.iter().filter(|other| other.file_name() == Some(last)).count() == 1;
    let name = |folder: &PathBuf| {
        let last = folder.file_name().filter(|last| is_alone(last));
        last.map_or_else(|| folder.display().to_string(), |last| last.to_string_lossy().into_owned())
    };
    folders.iter().map(name).collect()
}

/// Draws a figure of the paper of the results in `folder`, into it.
///
/// # Errors
/// As [`accuracy_bars`].
pub fn figure_of(figure: AccuracyFigure, folder: &Path) -> anyhow::Result<AccuracyReport> {
    let (out, look) = (folder.join(figure.file()), FileLook::default());
    let plot = PlotFile { out, caption: None, width_in: PanelsSpec::default().width_in, look };
    let (results, classifiers) = (vec![folder.to_owned()], figure.classifiers());
    accuracy_bars(&AccuracyRequest { results, classifiers, plot })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_end_alike_are_called_by_their_whole_paths() {
        let names = |folders: &[&str]| short_names(&folders.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(names(&["a/one", "b/two/"]), ["one", "two"]);
        assert_eq!(names(&["a/one", "b/one", "two"]), ["a/one", "b/one", "two"]);
    }
}
