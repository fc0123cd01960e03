//! Pages of measures as files, written beside all other work.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use anyhow::Context;

use crate::engine::ask::{Event, FigureEvent, MeasuredPage};
use crate::engine::live::open::Open;
use crate::figure::{Figure, Format, PanelsFigure};

/// Writes `page` by a thread of its own; what comes of it is told as an event.
///
/// # Errors
/// There is none yet, or a thread cannot be started.
pub fn export(page: Option<Arc<MeasuredPage>>, path: PathBuf, open: &Open) -> anyhow::Result<()> {
    let page = page.context("nothing is measured yet; measure first")?;
    let line = open.line.clone();
    let write = move || {
        let MeasuredPage { spec, data, source } = page.as_ref().clone();
        let figure = Figure::Panels(PanelsFigure { spec, data });
        line.emit(Event::Figure(match figure.save(&path, Format::DEFAULT_DPI, source) {
            Ok(saved) => FigureEvent::Saved { path: saved.out, sidecar: saved.sidecar, caption: None },
            Err(error) => FigureEvent::Failed(format!("{error:#}")),
        }));
    };
    thread::Builder::new()
        .name("page of measures".into())
        .spawn(write)
        .context("could not start a thread")?;
    Ok(())
}
