//! The dialog that makes figures of what is on show: which figure, of which queries, how it looks, and a
//! preview that is the figure itself.

mod foot;
mod kinds;
mod names;
mod options;
mod preview;
mod queries;

use std::path::{Path, PathBuf};

use eframe::egui::{self, Context, Id, Modal, RichText, ScrollArea, Ui, UiBuilder, vec2};

use crate::engine::{
    Beside, Command, FigureCommand, FigureContent, FigureEvent, FigureKind, FigureNames, FigureQuery,
    FigureRequest, MapMode, Outputs, Style, defaults,
};
use crate::figure::Format;
use crate::patch::{BoxRef, PatchGrid};
use crate::paths;

use crate::gui::desk::Desk;
use crate::gui::memory::figure_looks::FigureLooks;
use crate::gui::memory::files::{FileWorker, FoundFile, NOTHING_PICKED, no_dialog};
use crate::gui::nouns::views::Adds;
use crate::gui::paint::theme::{STEP, overlay_frame};
use crate::gui::panels::controls::without_pictures;
use crate::gui::widgets::notices::{Notices, Past};
use crate::gui::widgets::room::with_room;

use kinds::{KindRow, row};
use preview::PreviewPane;
use queries::Candidates;

/// Largest size of the dialog, points.
const LARGEST: egui::Vec2 = vec2(1160.0, 820.0);
/// It needs so much; in a smaller window it scrolls as a whole.
const LEAST: egui::Vec2 = vec2(640.0, 400.0);
/// Width of the options.
const OPTIONS: f32 = 288.0;
/// Height of what stands below options and preview.
const FOOT: f32 = 96.0;

/// The dialog while it is open.
pub struct ExportDialog {
    kind: FigureKind,
    /// Galleries: number of neighbours.
    neighbours: usize,
    /// The spaces on show, and whether each is wanted.
    spaces: Vec<(String, bool)>,
    candidates: Candidates,
    /// Heatmaps: a second row with patches of this size.
    second_patch: Option<u32>,
    /// Heatmaps, while the microscope is on show: its patch sizes, and whether each is wanted.
    levels: Vec<(PatchGrid, bool)>,
    /// Heatmaps and galleries, while a comparison is on show: whether B's stand beside A's.
    has_both: bool,
    choices: FigureLooks,
    /// Galleries: how often they were searched again.
    round: u32,
    path: String,
    /// The font file as it is being typed.
    font: String,
    preview: PreviewPane,
    state: ExportState,
    /// Set until the path field had the focus once.
    is_fresh: bool,
}

/// How far the export is.
#[derive(Debug, PartialEq)]
enum ExportState {
    Choosing,
    /// This file stands there already; "Replace" replaces it.
    Replaces(PathBuf),
    /// The file is being looked for or written.
    Writing,
    /// Something was copied.
    Noted(String),
    Failed(String),
}

impl ExportDialog {
    /// A dialog for a figure of what is on show, to be written into `folder`.
    pub fn new(kind: FigureKind, desk: &Desk, folder: &Path) -> Self {
        let choices = desk.settings.export.clone();
        let mut dialog = Self {
            kind,
            neighbours: 0,
            spaces: vec![],
            candidates: Candidates::default(),
            second_patch: None,
            levels: levels_on_show(desk),
            has_both: desk.view.adds() == Adds::SecondModel,
            path: paths::to_words(&folder.join(row(kind).file_name).with_extension(choices.ending())),
            font: choices.font.clone(),
            choices,
            round: 0,
            preview: PreviewPane::default(),
            state: ExportState::Choosing,
            is_fresh: true,
        };
        dialog.settle_kind(desk);
        dialog.propose_names(desk);
        dialog
    }

    /// What a figure of this kind shows unless told.
    fn settle_kind(&mut self, desk: &Desk) {
        let config = desk.session.config();
        let shown = config.as_ref().map_or_else(Vec::new, |config| config.spaces.clone());
        let one = desk.places.space(&shown);
        let KindRow { is_sheet, neighbours, .. } = row(self.kind);
        let is_wanted = |space: &str| !is_sheet || Some(space) == one;
        self.spaces = shown.iter().map(|space| (space.clone(), is_wanted(space))).collect();
        let on_show = config.map_or(defaults::NEIGHBOURS, |config| config.neighbours);
        self.neighbours = neighbours.unwrap_or(on_show);
        self.candidates = Candidates::of(self.kind, desk);
    }

    /// Takes another kind of figure; a name that was proposed follows it.
    fn choose_kind(&mut self, kind: FigureKind, desk: &Desk) {
        if kind == self.kind {
            return;
        }
        let path = self.typed_path();
        if path.file_stem().is_some_and(|stem| stem == row(self.kind).file_name) {
            let ending = path.extension().map(|e| e.to_os_string()).unwrap_or_default();
            self.path = paths::to_words(&path.with_file_name(row(kind).file_name).with_extension(ending));
        }
        self.kind = kind;
        self.state = ExportState::Choosing;
        self.settle_kind(desk);
    }

    fn typed_path(&self) -> PathBuf {
        paths::typed(&self.path)
    }

    fn caption_path(&self) -> Option<PathBuf> {
        self.choices.caption.then(|| self.typed_path().with_extension("tex"))
    }

    /// Why there can be no figure yet, and what to do first.
    fn obstacle(&self, desk: &Desk) -> Option<String> {
        if desk.session.snapshot().model.is_none() || desk.session.data_id().is_none() {
            return Some("Open a model and a data set first.".into());
        }
        if let Some(obstacle) = self.candidates.obstacle(self.kind) {
            return Some(obstacle);
        }
        let wanted = self.spaces.iter().filter(|(_, is_wanted)| *is_wanted).count();
        if wanted == 0 {
            return Some("Choose at least one space.".into());
        }
        if self.kind == FigureKind::Heatmaps {
            if let Some(lacks) = desk.lacks_network() {
                return Some(lacks);
            }
            return self.obstacle_of_maps(desk, wanted);
        }
        None
    }

    fn obstacle_of_maps(&self, desk: &Desk, spaces: usize) -> Option<String> {
        let is_difference = desk.settings.mode == MapMode::Difference;
        if is_difference && spaces < 2 && self.beside(desk).is_none() {
            return Some("The heatmaps on show are a difference: choose a second space.".into());
        }
        let has_sizes = self.levels.is_empty() || self.levels.iter().any(|(_, is_wanted)| *is_wanted);
        (!has_sizes).then(|| "Choose at least one patch size.".into())
    }

    /// The second model on show, if this figure can have both.
    fn other(&self, desk: &Desk) -> Option<Beside> {
        let is_on_show = !row(self.kind).is_sheet && desk.view.adds() == Adds::SecondModel;
        let compare = desk.session.snapshot().views.compare.as_ref().filter(|_| is_on_show)?;
        let other = compare.other.as_ref()?;
        Some(Beside { hash: other.hash.clone(), step: other.step })
    }

    /// The second model, if this figure is to have both.
    fn beside(&self, desk: &Desk) -> Option<Beside> {
        self.other(desk).filter(|_| self.has_both)
    }

    /// Patches and strides of the heatmaps.
    fn grids(&self, shown: PatchGrid) -> Vec<PatchGrid> {
        if !self.levels.is_empty() {
            return self.levels.iter().filter(|(_, is_wanted)| *is_wanted).map(|(grid, _)| *grid).collect();
        }
        let second = self.second_patch.map(|patch| PatchGrid { patch, ..shown });
        std::iter::once(shown).chain(second).collect()
    }

    /// The queries; with the patch sizes of the microscope, which is about one point, the patches there.
    fn queries(&self, shown: PatchGrid) -> Vec<FigureQuery> {
        let chosen = self.candidates.chosen();
        if self.levels.is_empty() {
            return chosen;
        }
        let at_point = |query: FigureQuery| match query.spec.point_on(query.image as usize) {
            Some(point) => BoxRef::from(point).squared(shown.patch).patch().map_or(query, FigureQuery::from),
            None => query,
        };
        chosen.into_iter().map(at_point).collect()
    }

    /// The figure, as far as it can be made.
    pub fn request(&self, desk: &Desk) -> Result<FigureRequest, String> {
        if let Some(obstacle) = self.obstacle(desk) {
            return Err(obstacle);
        }
        let config = desk.session.config().ok_or("Open a data set first.")?;
        let data = desk.session.data_id().ok_or("Open a data set first.")?;
        let mode = without_pictures(desk.settings.mode);
        let spaces = self.spaces.iter().filter(|(_, is_wanted)| *is_wanted).map(|(space, _)| space.clone());
        let content = FigureContent {
            data: Some(data),
            queries: self.queries(config.grid),
            round: self.round,
            beside: self.beside(desk),
            ..FigureContent::new(self.kind, spaces.collect())
        };
        // What does not count for this kind stays as it is there, so that nothing is made anew for it.
        let content = match self.kind {
            FigureKind::Heatmaps => FigureContent { grids: self.grids(config.grid), mode, ..content },
            _ => FigureContent { neighbours: self.neighbours, filter: config.filter, ..content },
        };
        let scale = desk.scale();
        let names = self.names(desk);
        names.check().map_err(|error| error.to_string())?;
        let contour = desk.settings.contour.filter(|_| self.kind == FigureKind::Heatmaps);
        let style = Style { names, contour, ..self.choices.style(self.kind, scale.colormap, scale.range) };
        let format = Format::from_path(&self.typed_path(), style.dpi)
            .map_err(|_| "The name must end in .pdf, .svg or .png, which chooses the format.".to_owned())?;
        Ok(FigureRequest { content, style, format })
    }

    /// Takes in what a file thread found.
    pub fn take_found(&mut self, found: &FoundFile, desk: &Desk) {
        match found {
            FoundFile::Picked(Some(path)) => {
                self.path = paths::to_words(path);
                self.state = ExportState::Choosing;
            }
            FoundFile::Picked(None) => {
                self.state = ExportState::Noted(NOTHING_PICKED.into());
            }
            FoundFile::Font(Some(path)) => {
                self.font = paths::to_words(path);
                self.choices.font.clone_from(&self.font);
            }
            FoundFile::NoDialog => {
                self.state = ExportState::Failed(no_dialog().into());
            }
            FoundFile::Exists { path, exists }
                if *path == self.typed_path() && self.state == ExportState::Writing =>
            {
                if *exists {
                    self.state = ExportState::Replaces(path.clone());
                } else {
                    self.write(desk);
                }
            }
            _ => {}
        }
    }

    /// Takes in what the engine says of a figure; returns whether the dialog is done.
    pub fn take_event(&mut self, event: &FigureEvent) -> bool {
        match event {
            FigureEvent::Saved { .. } => return self.state == ExportState::Writing,
            FigureEvent::Image(image) => {
                let (width, height) = (image.width(), image.height());
                self.state =
                    ExportState::Noted(format!("The figure is on the clipboard, {width} x {height} pixels."));
            }
            FigureEvent::Caption(_) => {
                self.state = ExportState::Noted("The caption is on the clipboard.".into())
            }
            FigureEvent::Failed(error) => {
                self.state = ExportState::Failed(error.clone());
                // So that another path can be typed at once.
                self.is_fresh = true;
            }
        }
        false
    }

    /// Has the preview made anew: another model or data set is open.
    pub fn refresh(&mut self, desk: &Desk) {
        self.settle_kind(desk);
        self.preview.forget();
    }

    fn write(&mut self, desk: &Desk) {
        match self.request(desk) {
            Ok(request) => {
                let (path, caption) = (self.typed_path(), self.caption_path());
                // Where files lie on another machine, nothing here says what stands in the way.
                let is_near = !paths::are_elsewhere();
                if is_near && let Err(error) = outputs(desk, &path, caption.as_deref()).check() {
                    self.state = ExportState::Failed(format!("{error:#}"));
                    return;
                }
                self.state = ExportState::Writing;
                desk.session.send(Command::Figure(FigureCommand::Write { request, path, caption }));
            }
            Err(obstacle) => self.state = ExportState::Failed(obstacle),
        }
    }

    /// What happens on "Export": nothing is replaced unasked.
    fn confirm(&mut self, desk: &Desk, files: &FileWorker) {
        let path = self.typed_path();
        if self.state == ExportState::Writing || self.request(desk).is_err() {
            return;
        }
        if self.state == ExportState::Replaces(path.clone()) {
            self.write(desk);
        } else {
            self.state = ExportState::Writing;
            files.ask_exists(path);
        }
    }

    /// Draws the dialog over everything else; returns whether it is to be closed.
    pub fn ui(&mut self, ctx: &Context, desk: &mut Desk, files: &FileWorker) -> bool {
        let size = (ctx.content_rect().size() - vec2(64.0, 64.0)).min(LARGEST);
        let request = self.request(desk);
        if let Ok(request) = &request {
            // What was said of the figure before is past.
            let is_told = matches!(self.state, ExportState::Failed(_) | ExportState::Noted(_));
            if is_told && self.preview.is_of_another(request) {
                self.state = ExportState::Choosing;
            }
            self.preview.ask(ctx, desk, request);
        }
        let modal = Modal::new(Id::unique("export dialog")).frame(overlay_frame(ctx)).show(ctx, |ui| {
            ui.set_width(size.x);
            let mut is_cancelled = false;
            let fits = size.x >= LEAST.x && size.y >= LEAST.y;
            let draw = |ui: &mut Ui| is_cancelled = self.body_ui(ui, size.max(LEAST), desk, files, request);
            match fits {
                true => draw(ui),
                false => drop(ui.allocate_ui(size, |ui| with_room(ui, LEAST, draw))),
            }
            is_cancelled
        });
        let is_closed = modal.inner || modal.should_close();
        if is_closed {
            self.close(desk);
        }
        is_closed
    }

    /// Options, preview and foot in that much room. Returns whether "Cancel" was pressed.
    fn body_ui(
        &mut self,
        ui: &mut Ui,
        size: egui::Vec2,
        desk: &mut Desk,
        files: &FileWorker,
        request: Result<FigureRequest, String>,
    ) -> bool {
        ui.label(RichText::new("Export a figure").strong());
        ui.add_space(STEP / 2.0);
        let (_, body) = ui.allocate_space(vec2(size.x, size.y - FOOT - 24.0));
        let left = body.with_max_x(body.left() + OPTIONS);
        ui.scope_builder(UiBuilder::new().max_rect(left), |ui| {
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| self.options_ui(ui, desk, files));
        });
        let right = body.with_min_x(left.right() + 2.0 * STEP);
        let obstacle = request.as_ref().err();
        let again = self.preview.ui(ui, right, desk, obstacle.map(String::as_str));
        self.round += u32::from(again);
        ui.add_space(STEP / 2.0);
        self.foot_ui(ui, desk, files, request.ok())
    }

    /// Keeps the choices, lets go of the preview.
    pub fn close(&self, desk: &mut Desk) {
        desk.settings.export = self.choices.clone();
        if let Some(folder) = self.typed_path().parent() {
            desk.settings.export_folder = paths::to_words(folder);
        }
        desk.session.send(Command::Figure(FigureCommand::Close));
    }
}

/// What an export reads and writes.
fn outputs(desk: &Desk, path: &Path, caption: Option<&Path>) -> Outputs {
    let snapshot = desk.session.snapshot();
    Outputs::default()
        .reads_data("the open data set", snapshot.data_source.as_deref().map(|source| &source.spec))
        .reads_model("the open model", snapshot.model_source.as_deref())
        .writes_figure(&FigureNames::NOUNS, path, caption)
}

/// The patch sizes of the microscope, if it is on show.
fn levels_on_show(desk: &Desk) -> Vec<(PatchGrid, bool)> {
    let shown = desk.session.snapshot().views.microscope.clone();
    let shown = shown.filter(|_| desk.view.adds() == Adds::PatchSizes);
    shown.map_or_else(Vec::new, |shown| shown.levels.iter().map(|level| (level.grid, true)).collect())
}

/// Puts what was copied on the clipboard, and says what was done where no dialog does.
pub fn take_event(ctx: &Context, event: &FigureEvent, notices: &mut Notices, is_told: bool) {
    if !matches!(event, FigureEvent::Failed(_)) {
        notices.forget(Past::Figure);
    }
    let (about, text) = match event {
        FigureEvent::Saved { path, sidecar, caption } => {
            let caption = caption.as_ref().map(|path| format!("; its caption: {}", path.display()));
            let made = format!("what made it: {}{}", sidecar.display(), caption.unwrap_or_default());
            notices.done("Figure saved", format!("{} ({made})", path.display()));
            return;
        }
        FigureEvent::Image(image) => {
            let size = [image.width() as usize, image.height() as usize];
            ctx.copy_image(egui::ColorImage::from_rgb(size, image.rgb()));
            ("Figure copied", format!("{} x {} pixels are on the clipboard", size[0], size[1]))
        }
        FigureEvent::Caption(caption) => {
            ctx.copy_text(caption.clone());
            ("Caption copied", caption.clone())
        }
        FigureEvent::Failed(error) => {
            if !is_told {
                notices.error_until(Past::Figure, "The figure", error.clone());
            }
            return;
        }
    };
    if !is_told {
        notices.done(about, text);
    }
}
