//! `bagssl figure`: a figure of the paper, any figure again from its sidecar, or a run's loss curve.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::paper::PaperFigure;
use super::style::LOOK;
use crate::cli::shared::{Commander, show};
use crate::engine::jobs::figures::FileLook;
use crate::engine::{FigureNames, Outputs, jobs};
use crate::figure::{Figure, FontSource, TextAs};
use crate::files::is_same;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct FigureArgs {
    #[command(subcommand)]
    pub paper: Option<PaperFigure>,
    /// SIDECAR.json of a figure, or a run folder for its loss curve
    #[arg(required = true)]
    pub source: Option<PathBuf>,
    #[arg(long, required = true)]
    pub out: Option<PathBuf>,
    /// Pixels per inch of a PNG; as recorded unless told
    #[arg(long, help_heading = LOOK)]
    pub dpi: Option<u32>,
    /// What the text of an SVG is; as recorded unless told
    #[arg(long, value_enum, help_heading = LOOK)]
    pub text: Option<TextAs>,
    /// A font file (.ttf, .otf) for all text, or built-in (Ubuntu Light); as recorded unless told
    #[arg(long, value_name = "FILE", help_heading = LOOK)]
    pub font: Option<FontSource>,
    /// Also write the caption, as a LaTeX figure environment
    #[arg(long, value_name = "FILE.tex")]
    pub caption: Option<PathBuf>,
}

impl Commander {
    pub fn figure(&self, args: FigureArgs) -> anyhow::Result<()> {
        if let Some(figure) = args.paper {
            return self.paper_figure(figure);
        }
        let (source, out) =
            (args.source.context("SOURCE is missing")?, args.out.context("--out is missing")?);
        // A figure may be made again in its place, from the sidecar that it gets again.
        let is_own_sidecar = is_same(&source, &Figure::sidecar_of(&out));
        Outputs::default()
            .reads("SOURCE", Some(&*source).filter(|_| !is_own_sidecar))
            .reads("--font", args.font.as_ref().and_then(FontSource::file))
            .writes_figure(&FigureNames::OPTIONS, &out, args.caption.as_deref())
            .check()?;
        let look = FileLook { dpi: args.dpi, text: args.text, font: args.font };
        let written = if source.is_dir() {
            jobs::train::loss_curve(&source, &out, &look, args.caption.as_deref())?
        } else if is_unknown_name(&source) {
            anyhow::bail!(
                "there is no figure {}; expected fig2, fig3a, fig3b, fig4 to fig12, the sidecar of a figure (.json) or a run folder",
                source.display()
            )
        } else {
            jobs::figures::again(&source, &out, &look, args.caption.as_deref())?
        };
        show(self.json(), &written, || format!("{}{}", written.out.display(), written.warning_line()))
    }
}

/// Whether `source` is no file, and looks like the name of a figure.
fn is_unknown_name(source: &Path) -> bool {
    let name = source.to_str().and_then(|name| name.strip_prefix("fig"));
    let is_name = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit()) && !rest.contains(['.', '/']);
    name.is_some_and(is_name) && !source.exists()
}
