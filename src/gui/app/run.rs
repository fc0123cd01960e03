//! Carries out actions.

use std::path::PathBuf;

use eframe::egui;
use eframe::egui::Context;

use crate::engine::training::DataSource;
use crate::engine::{
    Command, FigureCommand, FigureKind, FigureRequest, MapMode, MeasureCommand, MeasurePage, QuerySpec,
    ScatterCommand, Sign,
};

use super::{App, Overlay};
use crate::gui::app::help::{CommandPalette, KeysList};
use crate::gui::app::kept_vectors::VectorsDialog;
use crate::gui::app::model_dialog::ModelDialog;
use crate::gui::app::open_dialog::{Dialog, Purpose};
use crate::gui::desk::undo::{Sight, Undo};
use crate::gui::export::ExportDialog;
use crate::gui::memory::link::LINK_START;
use crate::gui::memory::openable::Openable;
use crate::gui::nouns::ExploreView;
use crate::gui::nouns::QueryRole;
use crate::gui::nouns::Tab;
use crate::gui::nouns::actions::{Action, Zoom};
use crate::gui::widgets::notices::Past;
use crate::paths;

/// Where a picture cannot be looked for, and why.
pub(super) const PICTURE: &str = "A picture as query";
pub(super) const OPEN_DATA: &str = "open data to search first";

impl App {
    pub(super) fn run(&mut self, ctx: &Context, action: Action) {
        let session = &mut self.desk.session;
        match action {
            Action::OpenData => self.show_dialog(Purpose::Data),
            Action::OpenModel => self.show_dialog(Purpose::Model),
            Action::AboutModel => self.about_model(),
            Action::AboutVectors => {
                let dialog = VectorsDialog::new(&self.vectors, &self.files, &self.desk.settings);
                self.overlay = Overlay::Vectors(dialog);
            }
            Action::OpenOther => self.open_other(),
            Action::PlayCheckpoints | Action::PreviousCheckpoint | Action::NextCheckpoint => {
                self.views.run(&self.desk, action);
            }
            Action::Export(kind) => self.show_export(kind),
            Action::CopyFigure(kind) => self.copy_figure(kind, FigureCommand::CopyImage),
            Action::CopyCaption(kind) => self.copy_figure(kind, FigureCommand::CopyCaption),
            Action::ShowMeasures(_) | Action::NextMeasures => self.show_measures(action),
            Action::StartMeasure(measure) => {
                self.show_measures(Action::ShowMeasures(MeasurePage::Sample(measure)));
                self.desk.session.send(Command::Measure(MeasureCommand::Start(measure)));
            }
            Action::StopMeasure(measure) => {
                session.send(Command::Measure(MeasureCommand::Stop(measure)));
            }
            Action::StartWorld | Action::PauseWorld => {
                self.show_measures(Action::ShowMeasures(MeasurePage::World));
                self.views.run(&self.desk, action);
            }
            Action::ExportMeasures(page) => self.export_measures(page),
            Action::ToggleLasso | Action::PickSeen => {
                (self.desk.tab, self.desk.view) = (Tab::Explore, ExploreView::Scatter);
                self.views.run(&self.desk, action);
            }
            Action::DropPicked => session.send(Command::Scatter(ScatterCommand::Unpick)),
            Action::ExportPicked => self.export_picked(),
            Action::ExportScatter => self.export_scatter(),
            Action::CopyLink => self.copy_link(ctx),
            Action::OpenLink => self.show_overlay(Overlay::Palette(CommandPalette::with_text(LINK_START))),
            Action::FindImage => self.images.focus_filter = true,
            Action::WalkImages => self.images.focus_list = true,
            Action::RandomImage => {
                self.images.random().into_iter().for_each(|index| session.show_image(index))
            }
            Action::NextImage => self.show_neighbour(1),
            Action::PreviousImage => self.show_neighbour(-1),
            Action::Back => session.back(),
            Action::Forward => session.forward(),
            Action::Move { right, down } => self.step(action, right, down),
            Action::MarkQuery => self.mark_query(),
            Action::AddPointed => self.take_pointed(Sign::Plus),
            Action::SubtractPointed => self.take_pointed(Sign::Minus),
            Action::Pin => self.pin(),
            Action::OpenPicture => self.open_picture(),
            Action::Undo => self.bring_back(Undo::undo),
            Action::Redo => self.bring_back(Undo::redo),
            Action::RemovePart => session.remove_last_part(),
            Action::Opacity(percent) => self.desk.settings.add_opacity(percent),
            Action::View(mode) => self.view(mode),
            Action::ToggleContour => self.desk.settings.toggle_contour(),
            Action::ToggleGrid => self.desk.settings.grid = !self.desk.settings.grid,
            Action::TogglePreview => self.desk.is_previewing = !self.desk.is_previewing,
            Action::ResetZoom => self.views.reset(),
            Action::PauseExtraction => self.pause_extraction(),
            Action::ShowExplore => self.desk.tab = Tab::Explore,
            Action::ShowView(view) => (self.desk.tab, self.desk.view) = (Tab::Explore, view),
            Action::ShowTrain => self.desk.tab = Tab::Train,
            Action::ShowEvaluate => self.desk.tab = Tab::Evaluate,
            Action::AddEvaluated => self.evaluate_by(Purpose::EvaluatedModel),
            Action::ChooseEvaluatedData => self.evaluate_by(Purpose::EvaluatedData),
            Action::OpenResults => self.evaluate_by(Purpose::Results),
            Action::ExportResults => self.export_results(),
            Action::StartEvaluation | Action::StopEvaluation | Action::ContinueEvaluation => {
                self.desk.tab = Tab::Evaluate;
                self.evaluate.run(&self.desk, action);
            }
            Action::ChooseTrainData => self.show_dialog(Purpose::TrainData),
            Action::OpenRun => self.find_run(),
            Action::StartTraining
            | Action::PauseTraining
            | Action::CheckpointTraining
            | Action::StopTraining
            | Action::PinQuery => self.train.run(&self.desk, action),
            Action::NextTheme => self.desk.settings.next_theme(ctx),
            Action::Zoom(zoom) => zoom_interface(ctx, zoom),
            Action::ToggleHint => self.desk.settings.hint = !self.desk.settings.hint,
            Action::Palette => self.show_overlay(Overlay::Palette(CommandPalette::default())),
            Action::Help => self.overlay = Overlay::Keys(KeysList::default()),
            Action::Quit => ctx.send_viewport_cmd(egui::ViewportCommand::Close),
        }
    }

    fn about_model(&mut self) {
        match self.desk.session.snapshot().model_source.clone() {
            Some(spec) => self.overlay = Overlay::Model(ModelDialog::new((*spec).clone())),
            None => self.show_dialog(Purpose::Model),
        }
    }

    fn open_other(&mut self) {
        (self.desk.tab, self.desk.view) = (Tab::Explore, ExploreView::Compare);
        self.show_dialog(Purpose::Other);
    }

    fn find_run(&mut self) {
        self.desk.tab = Tab::Train;
        self.show_dialog(Purpose::Run);
    }

    /// Asks for something in the Evaluate tab.
    fn evaluate_by(&mut self, purpose: Purpose) {
        self.desk.tab = Tab::Evaluate;
        self.show_dialog(purpose);
    }

    fn export_results(&mut self) {
        self.desk.tab = Tab::Evaluate;
        match self.desk.session.snapshot().views.evaluation.as_ref().filter(|view| !view.rows.is_empty()) {
            Some(_) => self.overlay = Overlay::Dialog(Dialog::export_results(&self.export_folder())),
            None => self.notices.error_until(
                Past::Open,
                "Exporting the results",
                "there are none yet; start an evaluation, or open a folder of results",
            ),
        }
    }

    /// Shows a page of measures, or the next one.
    fn show_measures(&mut self, action: Action) {
        let is_on_show = (self.desk.tab, self.desk.view) == (Tab::Explore, ExploreView::Measures);
        (self.desk.tab, self.desk.view) = (Tab::Explore, ExploreView::Measures);
        // From elsewhere, the next page is the one that was left.
        if is_on_show || action != Action::NextMeasures {
            self.views.run(&self.desk, action);
        }
    }

    fn export_measures(&mut self, page: MeasurePage) {
        match self.desk.session.snapshot().views.measures.has(page) {
            true => self.overlay = Overlay::Dialog(Dialog::export_measures(page, &self.export_folder())),
            false => self.notices.error_until(
                Past::Open,
                "Exporting the measures",
                "there are none yet; look at Measures (N) first",
            ),
        }
    }

    fn export_scatter(&mut self) {
        match self.desk.session.snapshot().views.scatter.tints {
            Some(_) => {
                let dialog = Dialog::export_scatter(self.desk.settings.colormap, &self.export_folder());
                self.overlay = Overlay::Dialog(dialog);
            }
            None => self.notices.error_until(
                Past::Open,
                "Exporting the scatter",
                "nothing is laid out yet; look at Scatter (D) first",
            ),
        }
    }

    fn export_picked(&mut self) {
        match self.desk.session.snapshot().views.scatter.picked {
            Some(_) => self.overlay = Overlay::Dialog(Dialog::export_picked(&self.export_folder())),
            None => self.notices.error_until(
                Past::Open,
                "Exporting what was picked",
                "nothing is picked; draw an outline about some points of Scatter (D) with Shift and the mouse first",
            ),
        }
    }

    fn open_picture(&mut self) {
        match self.desk.session.data_id() {
            Some(_) => self.show_dialog(Purpose::Picture),
            None => self.notices.error_until(Past::Data, PICTURE, OPEN_DATA),
        }
    }

    fn show_export(&mut self, kind: FigureKind) {
        let dialog = ExportDialog::new(kind, &self.desk, &self.export_folder());
        self.overlay = Overlay::Export(Box::new(dialog));
    }

    /// Moves what the view moves, else the query.
    fn step(&mut self, action: Action, right: i32, down: i32) {
        if !self.views.run(&self.desk, action) {
            self.desk.session.step(right, down);
        }
    }

    fn mark_query(&mut self) {
        (self.desk.tab, self.desk.view) = (Tab::Explore, ExploreView::Instance);
        self.desk.mark_query();
    }

    /// Keeps what is under the pointer at hand, or the query.
    fn pin(&mut self) {
        let pointed = self.desk.pointed.clone().map(QuerySpec::one);
        pointed.or(self.desk.session.query()).into_iter().for_each(|query| self.desk.pins.add(query));
    }

    fn pause_extraction(&self) {
        let session = &self.desk.session;
        let extraction = session.snapshot().extraction.as_ref();
        if let Some(extraction) = extraction.filter(|extraction| extraction.written_by.is_none()) {
            let waits = extraction.paused || extraction.stopped.is_some();
            session.send(Command::PauseExtraction(!waits));
        }
    }

    /// Looks again at what undo or redo says, if there is something.
    pub(super) fn bring_back(&mut self, which: impl Fn(&mut Undo, &Sight) -> Option<Sight>) {
        let look = Sight::of(&self.desk).and_then(|now| which(&mut self.undo, &now));
        if let Some(look) = look {
            self.view(look.mode);
            look.bring_back(&mut self.desk);
        }
    }

    /// Makes what is under the pointer a part of the query.
    pub(super) fn take_pointed(&mut self, sign: Sign) {
        match self.desk.pointed.clone() {
            Some(source) => self.desk.session.take(QueryRole::Part(sign), source),
            None => self.notices.error_until(
                Past::Query,
                "Changing the query",
                "nothing is under the pointer; point at a patch of the image or at a neighbour, then press the key",
            ),
        }
    }

    /// Copies a figure of what is on show, or says what is missing for one.
    pub(super) fn copy_figure(&mut self, kind: FigureKind, command: fn(FigureRequest) -> FigureCommand) {
        match ExportDialog::new(kind, &self.desk, &self.export_folder()).request(&self.desk) {
            Ok(request) => self.desk.session.send(Command::Figure(command(request))),
            Err(obstacle) => self.notices.error_until(Past::Figure, "Copying the figure", obstacle),
        }
    }

    pub(super) fn show_dialog(&mut self, purpose: Purpose) {
        self.show_overlay(Overlay::Dialog(Dialog::new(purpose, String::new())));
    }

    /// Opens something over the window that lists what was opened lately.
    pub(super) fn show_overlay(&mut self, overlay: Overlay) {
        self.files.ask_gone(self.desk.settings.recent.paths());
        self.overlay = overlay;
    }

    /// Looks at the heatmaps in another way.
    pub(super) fn view(&mut self, mode: MapMode) {
        let pictures = |mode| mode == MapMode::Pictures;
        if pictures(mode) != pictures(self.desk.settings.mode) {
            self.desk.session.send(Command::ShowPictures(pictures(mode)));
        }
        self.desk.settings.mode = mode;
    }

    pub(super) fn show_neighbour(&mut self, by: isize) {
        if let Some(index) = self.images.neighbour_of(self.desk.session.image(), by) {
            self.desk.session.show_image(index);
        }
    }

    pub(super) fn open_run(&mut self, path: PathBuf) {
        self.desk.settings.recent.note(Openable::Run(path.clone()));
        self.train.open_run(&self.desk, path);
    }

    /// Opens something that was dropped or opened before.
    pub(super) fn open_again(&mut self, openable: Openable) {
        match openable {
            Openable::Data(DataSource { spec, split }) => {
                self.desk.session.send(Command::OpenData { spec, split });
            }
            Openable::Model(spec) => self.desk.session.send(Command::OpenModel { spec }),
            Openable::Run(path) => {
                self.desk.tab = Tab::Train;
                self.open_run(path);
            }
        }
    }

    /// Where the next figure is proposed to go.
    pub(super) fn export_folder(&self) -> PathBuf {
        match self.desk.settings.export_folder.as_str() {
            "" if paths::are_elsewhere() => PathBuf::new(),
            "" => std::env::current_dir().unwrap_or_default(),
            folder => paths::from_words(folder),
        }
    }
}

fn zoom_interface(ctx: &Context, zoom: Zoom) {
    match zoom {
        Zoom::In => egui::gui_zoom::zoom_in(ctx),
        Zoom::Out => egui::gui_zoom::zoom_out(ctx),
        Zoom::Reset => ctx.set_zoom_factor(1.0),
    }
}
