//! The window as a whole: takes in what the engine and the files say, lays out
//! the panels, and carries out actions.

use std::path::PathBuf;

use eframe::egui::{self, CentralPanel, Color32, Context, Frame, Id, Margin, Panel, ScrollArea, Ui};

use crate::engine::training::TrainCommand;
use crate::engine::{Command, EngineHandle, Event, FigureKind, MapMode, Style};

use super::GuiOptions;
use super::actions::{self, Action};
use super::files::{FileWorker, Found};
use super::heatmap_paint;
use super::help::{self, Palette, PaletteOutcome};
use super::notices::Notices;
use super::open_dialog::{Dialog, Outcome, Purpose};
use super::panels::images::ImagesPanel;
use super::panels::inspector::InspectorPanel;
use super::panels::maps::MapsPanel;
use super::panels::{Desk, ShownMaps, Tab, controls, gallery, status, top};
use super::scale::Scale;
use super::session::Session;
use super::settings::Settings;
use super::textures::{GalleryAtlases, Thumbnails};
use super::theme::{self, STEP};
use super::train::TrainTab;
use super::train::closing::Closing;
use super::views::ExploreView;
use super::views::compare::ComparePanel;
use super::views::microscope::MicroscopePanel;

/// Smallest height of the panes with image and heatmaps, points.
const MIN_MAPS: f32 = 170.0;
/// Where the contour is drawn until it is moved.
const CONTOUR: f32 = 0.5;
/// Part of the middle's height that the galleries may take.
const GALLERY_SHARE: f32 = 0.58;

/// The window.
pub struct App {
    desk: Desk,
    images: ImagesPanel,
    maps: MapsPanel,
    microscope: MicroscopePanel,
    compare: ComparePanel,
    inspector: InspectorPanel,
    thumbnails: Thumbnails,
    atlases: GalleryAtlases,
    train: TrainTab,
    closing: Closing,
    notices: Notices,
    files: FileWorker,
    overlay: Overlay,
}

/// What lies over the window and takes the keyboard.
#[derive(Default)]
enum Overlay {
    #[default]
    None,
    Dialog(Dialog),
    Keys,
    Palette(Palette),
}

impl App {
    /// Dresses the window and asks the engine for the model and the data that it opens with.
    pub fn new(cc: &eframe::CreationContext<'_>, engine: EngineHandle, options: GuiOptions) -> Self {
        theme::install(&cc.egui_ctx);
        if let Some(state) = &cc.wgpu_render_state {
            heatmap_paint::install(state);
        }
        let settings = Settings::load(cc.storage);
        cc.egui_ctx.set_theme(settings.theme);
        let session = Session::new(engine);
        if settings.mode == MapMode::Pictures {
            session.send(Command::ShowPictures(true));
        }
        session.send(Command::OpenModel { spec: options.model });
        let spec = options.image.map_or(options.data, |image| image.display().to_string());
        session.send(Command::OpenData { spec, split: options.split });
        let files = FileWorker::new(&cc.egui_ctx);
        let tab = if options.runs.is_empty() { Tab::Explore } else { Tab::Train };
        let view = ExploreView::default();
        let maps = ShownMaps::default();
        let desk = Desk { session, settings, maps, hover: None, todo: Vec::new(), tab, view };
        let mut train = TrainTab::new(&files, is_software(cc));
        options.runs.into_iter().for_each(|run| train.open_run(&desk, run));
        Self {
            desk,
            images: ImagesPanel::default(),
            maps: MapsPanel::default(),
            microscope: MicroscopePanel::default(),
            compare: ComparePanel::default(),
            inspector: InspectorPanel::default(),
            thumbnails: Thumbnails::default(),
            atlases: GalleryAtlases::default(),
            train,
            closing: Closing::default(),
            notices: Notices::default(),
            files,
            overlay: Overlay::None,
        }
    }

    fn take_events(&mut self, ctx: &Context) {
        for event in self.desk.session.poll() {
            match event {
                Event::Failed { about, message } => self.notices.error(about, message),
                Event::FigureSaved { path, sidecar } => {
                    let text = format!("{} (what made it: {})", path.display(), sidecar.display());
                    self.notices.done("Figure saved", text);
                }
                Event::Thumbnail { data, index, image } => self.thumbnails.insert(ctx, data, index, &image),
                Event::Train(event) => {
                    self.closing.take_event(&event);
                    self.train.take_event(event, &mut self.notices, &self.files);
                }
                Event::ModelOpened | Event::DataOpened => {}
            }
        }
    }

    fn take_files(&mut self, ctx: &Context) {
        for found in self.files.drain() {
            if let Found::Dropped { path, is_model } = &found {
                let spec = path.display().to_string();
                self.desk.session.send(match is_model {
                    true => Command::OpenModel { spec: spec.into() },
                    false => Command::OpenData { spec, split: None },
                });
            }
            self.train.take_found(&found);
            if let Overlay::Dialog(dialog) = &mut self.overlay
                && let Some(outcome) = dialog.take_found(&found)
            {
                self.end_dialog(outcome);
            }
        }
        let dropped: Vec<_> =
            ctx.input(|input| input.raw.dropped_files.iter().map(|file| file.path().to_owned()).collect());
        for path in dropped {
            self.files.look_at_dropped(path);
        }
    }

    fn end_dialog(&mut self, outcome: Outcome) {
        self.overlay = Overlay::None;
        match outcome {
            Outcome::Cancelled => {}
            Outcome::TrainData(source) => self.train.set_data(&self.desk, source),
            Outcome::Run(path) => self.train.open_run(&self.desk, path),
            Outcome::Confirmed(command) => {
                if let Command::ExportFigure { path, .. }
                | Command::Train(TrainCommand::ExportCurves { path, .. }) = &command
                {
                    let folder = path.parent().map_or(String::new(), |folder| folder.display().to_string());
                    self.desk.settings.export_folder = folder;
                }
                self.desk.session.send(command);
            }
        }
    }

    /// Where the next figure is proposed to go.
    fn export_folder(&self) -> PathBuf {
        match self.desk.settings.export_folder.as_str() {
            "" => std::env::current_dir().unwrap_or_default(),
            folder => folder.into(),
        }
    }

    /// Opens the dialog for a figure, or says what is missing for one.
    fn open_export(&mut self, kind: FigureKind) {
        let snapshot = self.desk.session.snapshot();
        let (about, ready) = match kind {
            FigureKind::Heatmap => ("Export Figure 4", snapshot.query.is_some()),
            FigureKind::Gallery => ("Export Figure 5", snapshot.galleries.is_some()),
        };
        if ready {
            let scale = Scale::of(&self.desk.settings);
            let style = Style { colormap: scale.colormap, range: scale.range, ..Style::default() };
            let folder = self.export_folder();
            self.overlay = Overlay::Dialog(Dialog::export(kind, &folder, style, self.desk.settings.mode));
        } else {
            self.notices.error(
                about.to_owned(),
                "There is no query yet: click a patch of the image first.".to_owned(),
            );
        }
    }

    fn run(&mut self, ctx: &Context, action: Action) {
        let session = &mut self.desk.session;
        match action {
            Action::OpenData => self.overlay = Overlay::Dialog(Dialog::new(Purpose::Data, String::new())),
            Action::OpenModel => self.overlay = Overlay::Dialog(Dialog::new(Purpose::Model, String::new())),
            Action::OpenOther => {
                (self.desk.tab, self.desk.view) = (Tab::Explore, ExploreView::Compare);
                self.overlay = Overlay::Dialog(Dialog::new(Purpose::Other, String::new()));
            }
            Action::PlayCheckpoints | Action::PreviousCheckpoint | Action::NextCheckpoint => {
                self.compare.run(&self.desk, action);
            }
            Action::ExportHeatmaps => self.open_export(FigureKind::Heatmap),
            Action::ExportGalleries => self.open_export(FigureKind::Gallery),
            Action::FindImage => self.images.focus_filter = true,
            Action::RandomImage => {
                self.images.random().into_iter().for_each(|index| session.show_image(index))
            }
            Action::NextImage => self.show_neighbour(1),
            Action::PreviousImage => self.show_neighbour(-1),
            Action::Back => session.back(),
            Action::Forward => session.forward(),
            Action::Move { right, down } => session.step(right, down),
            Action::Opacity(percent) => self.desk.settings.add_opacity(percent),
            Action::View(mode) => self.view(mode),
            Action::ToggleContour => {
                let settings = &mut self.desk.settings;
                settings.contour = settings.contour.is_none().then_some(CONTOUR);
            }
            Action::ToggleGrid => self.desk.settings.grid = !self.desk.settings.grid,
            Action::ResetZoom => {
                self.maps.reset_zoom();
                self.microscope.reset_zoom();
                self.compare.reset_zoom();
            }
            Action::PauseExtraction => {
                if let Some(extraction) = &session.snapshot().extraction {
                    session.send(Command::PauseExtraction(!extraction.paused));
                }
            }
            Action::ShowExplore => self.desk.tab = Tab::Explore,
            Action::ShowView(view) => (self.desk.tab, self.desk.view) = (Tab::Explore, view),
            Action::ShowTrain => self.desk.tab = Tab::Train,
            Action::ChooseTrainData => {
                self.overlay = Overlay::Dialog(Dialog::new(Purpose::TrainData, String::new()));
            }
            Action::OpenRun => {
                self.desk.tab = Tab::Train;
                self.overlay = Overlay::Dialog(Dialog::new(Purpose::Run, String::new()));
            }
            Action::StartTraining
            | Action::PauseTraining
            | Action::CheckpointTraining
            | Action::StopTraining
            | Action::PinQuery => self.train.run(&self.desk, action),
            Action::NextTheme => self.desk.settings.next_theme(ctx),
            Action::Palette => self.overlay = Overlay::Palette(Palette::default()),
            Action::Help => self.overlay = Overlay::Keys,
            Action::Quit => ctx.send_viewport_cmd(egui::ViewportCommand::Close),
        }
    }

    /// Looks at the heatmaps in another way.
    fn view(&mut self, mode: MapMode) {
        let pictures = |mode| mode == MapMode::Pictures;
        if pictures(mode) != pictures(self.desk.settings.mode) {
            self.desk.session.send(Command::ShowPictures(pictures(mode)));
        }
        self.desk.settings.mode = mode;
    }

    fn show_neighbour(&mut self, by: isize) {
        if let Some(index) = self.images.neighbour_of_shown(by) {
            self.desk.session.show_image(index);
        }
    }

    fn overlay_ui(&mut self, ctx: &Context) {
        match &mut self.overlay {
            Overlay::None => {}
            Overlay::Dialog(dialog) => {
                if let Some(outcome) = dialog.ui(ctx, &self.files) {
                    self.end_dialog(outcome);
                }
            }
            Overlay::Keys => {
                if help::keys_ui(ctx) {
                    self.overlay = Overlay::None;
                }
            }
            Overlay::Palette(palette) => match palette.ui(ctx) {
                PaletteOutcome::Open => {}
                PaletteOutcome::Closed => self.overlay = Overlay::None,
                PaletteOutcome::Chosen(action) => {
                    self.overlay = Overlay::None;
                    self.desk.todo.push(action);
                }
            },
        }
    }

    fn panels_ui(&mut self, ui: &mut Ui) {
        let bar = Frame::side_top_panel(ui.style()).inner_margin(Margin::symmetric(8, 6));
        Panel::top("top").frame(bar).show(ui, |ui| top::top_ui(ui, &mut self.desk));
        Panel::bottom("status")
            .frame(bar)
            .exact_size(32.0)
            .show(ui, |ui| status::status_ui(ui, &mut self.desk));
        match self.desk.tab {
            Tab::Explore => self.explore_ui(ui),
            Tab::Train => {
                self.train.ui(ui, &mut self.desk, &self.files, &mut self.notices);
                if let Some(curves) = self.train.take_export() {
                    self.overlay = Overlay::Dialog(Dialog::export_curves(curves, &self.export_folder()));
                }
            }
        }
    }

    fn explore_ui(&mut self, ui: &mut Ui) {
        let side = Frame::side_top_panel(ui.style()).inner_margin(Margin::same(8));
        Panel::left("images").frame(side).default_size(168.0).size_range(96.0..=420.0).show(ui, |ui| {
            self.images.ui(ui, &mut self.desk, &mut self.thumbnails);
        });
        Panel::right("inspector").frame(side).exact_size(196.0).resizable(false).show(ui, |ui| {
            ScrollArea::vertical().show(ui, |ui| self.inspector.ui(ui, &mut self.desk));
        });
        let middle = Frame::central_panel(ui.style()).inner_margin(Margin::same(8));
        CentralPanel::default_margins().frame(middle).show(ui, |ui| self.middle_ui(ui));
    }

    fn middle_ui(&mut self, ui: &mut Ui) {
        self.notices.ui(ui);
        match self.desk.view {
            ExploreView::Maps => self.maps_ui(ui),
            ExploreView::Microscope => self.microscope.ui(ui, &mut self.desk),
            ExploreView::Compare => self.compare.ui(ui, &mut self.desk),
        }
    }

    /// Image and heatmaps above, galleries below; a scroll bar where the window is too low for both.
    fn maps_ui(&mut self, ui: &mut Ui) {
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            let top = ui.cursor().top();
            let whole = ui.available_height();
            controls::heatmap_controls_ui(ui, &mut self.desk);
            // The row of gallery controls is as high as this one, if both wrap alike.
            let rows = 2.0 * (ui.cursor().top() - top) + STEP;
            let neighbours = self.desk.session.config().map_or(119, |config| config.neighbours);
            let room = whole - rows;
            let galleries =
                gallery::wanted_height(neighbours, ui.available_width()).min(room * GALLERY_SHARE);
            let maps = (room - galleries).max(MIN_MAPS);
            self.maps.ui(ui, &mut self.desk, maps);
            controls::gallery_controls_ui(ui, &mut self.desk);
            let left = (whole - (ui.cursor().top() - top)).max(galleries.min(200.0));
            gallery::galleries_ui(ui, &mut self.desk, &mut self.atlases, left);
        });
    }
}

/// Whether the window is drawn by the processor.
fn is_software(cc: &eframe::CreationContext<'_>) -> bool {
    let adapter = cc.wgpu_render_state.as_ref().map(|state| state.adapter.get_info());
    adapter.is_some_and(|info| info.device_type == wgpu::DeviceType::Cpu)
}

/// Says over the whole window what dropping does, while a file hangs over it.
fn drop_hint_ui(ctx: &Context) {
    if ctx.input(|input| input.raw.hovered_files.is_empty()) {
        return;
    }
    let screen = ctx.content_rect();
    let layer = egui::LayerId::new(egui::Order::Foreground, Id::unique("drop hint"));
    let painter = ctx.layer_painter(layer);
    painter.rect_filled(screen, 0.0, Color32::from_black_alpha(190));
    painter.text(
        screen.center(),
        egui::Align2::CENTER_CENTER,
        "Drop a picture or a folder of pictures to open it as data,\na .safetensors file or a run folder to open it as model.",
        egui::FontId::proportional(18.0),
        Color32::WHITE,
    );
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &Context, frame: &mut eframe::Frame) {
        self.take_events(ctx);
        let frame_secs = frame.info().cpu_usage.unwrap_or_default();
        self.train.tell_drawing(&self.desk, self.desk.tab == Tab::Train, frame_secs);
        self.closing.logic(ctx, &self.desk);
        self.take_files(ctx);
        let (now, pressed) = ctx.input(|input| (input.time, input.pointer.any_down()));
        if let Some(secs) = self.desk.session.send_config_when_settled(now, pressed) {
            ctx.request_repaint_after_secs(secs as f32);
        }
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        let ctx = ui.ctx().clone();
        if matches!(self.overlay, Overlay::None) {
            let shows_explore = self.desk.tab == Tab::Explore;
            let pressed = actions::take_pressed(&ctx).into_iter();
            self.desk.todo.extend(pressed.filter(|action| shows_explore || !action.is_of_explore()));
        }
        self.desk.update_maps();
        self.microscope.sync(&self.desk);
        self.compare.sync(&self.desk);
        self.panels_ui(ui);
        self.overlay_ui(&ctx);
        self.closing.ui(&ctx);
        drop_hint_ui(&ctx);
        for action in std::mem::take(&mut self.desk.todo) {
            self.run(&ctx, action);
            ctx.request_repaint();
        }
    }

    fn save(&mut self, storage: &mut dyn eframe::Storage) {
        self.desk.settings.save(storage);
    }
}
