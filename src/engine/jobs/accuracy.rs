//! Figures 2 and 3b: accuracies of results folders as bars.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::Serialize;
use serde_json::json;

use crate::engine::ask::{AccuracyFigure, ResultRow};
use crate::engine::figures::bars::{bars_page, bars_spec};
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
    let (mut rows, mut protocols) = (vec![], vec![]);
    for folder in &request.results {
        let StoredResults { plan, rows: of_folder } = StoredResults::read(folder)?;
        rows.extend(of_folder.into_iter().filter(|row| request.classifiers.contains(&&*row.classifier)));
        protocols.push(plan.protocol());
    }
    let names: Vec<String> = request.results.iter().map(|folder| folder.display().to_string()).collect();
    let what = || format!("the results of {}", names.join(", "));
    let data = bars_page(&rows, &request.classifiers, &protocols);
    ensure!(
        !data.panels.is_empty(),
        "{}: no row of the classifier {}",
        what(),
        request.classifiers.join(" or ")
    );
    let source = json!({ "classifiers": request.classifiers, "rows": rows });
    let files = request.plot.write(data, bars_spec(), source).with_context(what)?;
    Ok(AccuracyReport { rows, files })
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
