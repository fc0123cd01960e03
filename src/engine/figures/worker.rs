//! The thread that searches for a figure's neighbours, draws it, shows it and writes it. It holds no
//! tensors, so that neither the window nor the engine waits for a page.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use anyhow::Context;
use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::engine::ask::{
    EngineLine, Event, FigureCommand, FigureContent, FigureEvent, FigurePage, FigureRequest, FigureView,
    RequestId, Style,
};
use crate::engine::figures::assemble::{Made, Material, assemble};
use crate::figure::Format;
use crate::progress::CancelToken;

/// Pixels per inch of a preview at most.
const MOST_PREVIEW_DPI: f64 = 600.0;
/// Longest side of a preview, pixels: more than a texture may have on some machines.
const MOST_PREVIEW_SIDE: f64 = 4096.0;

/// Something to be done with a figure. Its material comes with the first job about it; later ones are about
/// the same figure until there is new material.
pub struct FigureJob {
    pub material: Option<(FigureContent, Material)>,
    pub command: FigureCommand,
}

/// The engine's end of the thread.
pub struct FigureWorker(Sender<FigureJob>);

impl FigureWorker {
    /// Starts the thread.
    pub fn start(line: Arc<EngineLine>) -> anyhow::Result<Self> {
        let (jobs, receiver) = unbounded();
        let work = move || FigureThread { line, made: None }.run(&receiver);
        thread::Builder::new().name("figures".into()).spawn(work).context("could not start a thread")?;
        Ok(Self(jobs))
    }

    pub fn send(&self, job: FigureJob) {
        // Fails only if the thread died, and then the last preview stays on show.
        let _ = self.0.send(job);
    }
}

struct FigureThread {
    line: Arc<EngineLine>,
    /// The last figure, or why there is none.
    made: Option<Result<Made, String>>,
}

impl FigureThread {
    fn run(&mut self, jobs: &Receiver<FigureJob>) {
        while let Ok(first) = jobs.recv() {
            let mut waiting = vec![first];
            waiting.extend(jobs.try_iter());
            let last_preview =
                waiting.iter().rposition(|job| matches!(job.command, FigureCommand::Preview { .. }));
            for (place, mut job) in waiting.into_iter().enumerate() {
                if let Some((content, material)) = job.material.take() {
                    let made = assemble(&content, material, &Style::default(), &CancelToken::default());
                    self.made = Some(made.map_err(|error| format!("{error:#}")));
                }
                let is_stale =
                    matches!(job.command, FigureCommand::Preview { .. }) && Some(place) != last_preview;
                if !is_stale {
                    self.serve(job.command);
                }
            }
        }
    }

    fn serve(&mut self, command: FigureCommand) {
        let done = match command {
            FigureCommand::Preview { id, request, dpi } => {
                self.preview(id, &request, f64::from(dpi));
                return;
            }
            FigureCommand::Close => {
                self.made = None;
                self.line.update(|shown| shown.views.figure = None);
                return;
            }
            FigureCommand::Write { request, path, caption } => {
                self.write(&request, &path, caption.as_deref())
            }
            FigureCommand::CopyImage(request) => self.pixels(&request),
            FigureCommand::CopyCaption(request) => {
                self.dressed(&request.style).map(|made| FigureEvent::Caption(made.figure.caption()))
            }
        };
        let event = done.unwrap_or_else(|error| FigureEvent::Failed(format!("{error:#}")));
        self.line.emit(Event::Figure(event));
    }

    /// The figure in its new look.
    fn dressed(&mut self, style: &Style) -> anyhow::Result<&Made> {
        match &mut self.made {
            Some(Ok(made)) => {
                made.dress(style)?;
                Ok(made)
            }
            Some(Err(error)) => anyhow::bail!("{error}"),
            None => anyhow::bail!("the figure is gone; ask for it again"),
        }
    }

    fn preview(&mut self, id: RequestId, request: &FigureRequest, dpi: f64) {
        let drawn = self.page(request, dpi);
        self.line.update(|shown| {
            let previous = shown.views.figure.as_ref().and_then(|view| view.page.clone());
            let (page, error) = match drawn {
                Ok(page) => (Some(Arc::new(page)), None),
                Err(error) => (previous, Some(format!("{error:#}"))),
            };
            shown.views.figure = Some(Arc::new(FigureView { id, page, error, embedding: None }));
        });
    }

    fn page(&mut self, request: &FigureRequest, dpi: f64) -> anyhow::Result<FigurePage> {
        let made = self.dressed(&request.style)?;
        let width_in = f64::from(request.style.width_in).max(1.0);
        let dpi = dpi.clamp(36.0, MOST_PREVIEW_DPI).min(MOST_PREVIEW_SIDE / width_in);
        let preview = made.figure.preview(request.format, dpi)?;
        Ok(FigurePage {
            picture: Arc::new(preview.picture),
            size_in: preview.size_in,
            lacking: preview.lacking,
            bytes: preview.file.len(),
            format: request.format,
            caption: made.figure.caption(),
            searched: made.searched,
        })
    }

    fn write(
        &mut self,
        request: &FigureRequest,
        path: &Path,
        caption: Option<&Path>,
    ) -> anyhow::Result<FigureEvent> {
        let made = self.dressed(&request.style)?;
        let written = made.write(path, request.style.dpi, caption)?;
        Ok(FigureEvent::Saved { path: written.out, sidecar: written.sidecar, caption: written.caption })
    }

    fn pixels(&mut self, request: &FigureRequest) -> anyhow::Result<FigureEvent> {
        let dpi = request.style.dpi;
        let made = self.dressed(&request.style)?;
        let preview = made.figure.preview(Format::Png { dpi }, f64::from(dpi))?;
        Ok(FigureEvent::Image(Arc::new(preview.picture)))
    }
}
