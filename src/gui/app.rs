//! The window as a whole: takes in what the engine and the files say, lays out
//! the panels, and carries out actions.

use std::path::PathBuf;

use eframe::egui::{self, CentralPanel, Color32, Context, Frame, Id, Margin, Panel, ScrollArea, Ui};

use crate::engine::training::{DataSource, TrainCommand};
use crate::engine::{
    Command, EngineHandle, Event, FigureCommand, FigureEvent, FigureKind, FigureRequest, MapMode, QuerySpec,
    Sign, Source,
};

use super::GuiOptions;
use super::actions::{self, Action, Zoom};
use super::export::{self, ExportDialog};
use super::files::{FileWorker, Found};
use super::gestures::Role;
use super::heatmap_paint;
use super::help::{self, Choice, LINK_START, Palette, PaletteOutcome};
use super::hint;
use super::link::Link;
use super::notices::Notices;
use super::open_dialog::{Dialog, Outcome, Purpose};
use super::pane::Viewpoint;
use super::panels::images::ImagesPanel;
use super::panels::inspector::InspectorPanel;
use super::panels::maps::MapsPanel;
use super::panels::{Desk, ShownMaps, Tab, controls, gallery, status, top};
use super::pins::Pins;
use super::places::Places;
use super::recent::Recent;
use super::session::Session;
use super::settings::Settings;
use super::sources::SourceImages;
use super::textures::{GalleryAtlases, Thumbnails};
use super::theme::{self, STEP};
use super::train::TrainTab;
use super::train::closing::Closing;
use super::undo::{self, Look, Undo};
use super::views::ExploreView;
use super::views::compare::ComparePanel;
use super::views::instance::InstancePanel;
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
    instance: InstancePanel,
    inspector: InspectorPanel,
    thumbnails: Thumbnails,
    atlases: GalleryAtlases,
    train: TrainTab,
    closing: Closing,
    notices: Notices,
    files: FileWorker,
    overlay: Overlay,
    undo: Undo,
    /// A link whose data set is being opened.
    restoring: Option<Box<Link>>,
}

/// What lies over the window and takes the keyboard.
#[derive(Default)]
enum Overlay {
    #[default]
    None,
    Dialog(Dialog),
    Export(Box<ExportDialog>),
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
        let mut settings = Settings::load(cc.storage);
        cc.egui_ctx.set_theme(settings.theme);
        // Our own table has these keys; egui keeps the zoom itself from one start to the next.
        cc.egui_ctx.options_mut(|options| options.zoom_with_keyboard = false);
        let session = Session::new(engine);
        let spec = options.image.map_or(options.data, |image| image.display().to_string());
        let data = DataSource { spec, split: options.split };
        let mut link = options.link.unwrap_or_default();
        let spec = link.model.get_or_insert(options.model).clone();
        session.send(Command::OpenModel { spec });
        let DataSource { spec, split } = link.data.get_or_insert(data).clone();
        session.send(Command::OpenData { spec, split });
        link.dress(&mut settings);
        if settings.mode == MapMode::Pictures {
            session.send(Command::ShowPictures(true));
        }
        let files = FileWorker::new(&cc.egui_ctx);
        let tab = if options.runs.is_empty() { settings.tab } else { Tab::Train };
        let view = ExploreView::default();
        let maps = ShownMaps::default();
        let (sources, places) = (SourceImages::default(), Places::default());
        let pins = Pins::new(settings.pins.clone());
        let desk = Desk {
            session,
            settings,
            maps,
            hover: None,
            pointed: None,
            is_previewing: false,
            pins,
            todo: Vec::new(),
            tab,
            view,
            sources,
            places,
        };
        let mut train = TrainTab::new(&files, is_software(cc));
        options.runs.into_iter().for_each(|run| train.open_run(&desk, run));
        Self {
            desk,
            images: ImagesPanel::default(),
            maps: MapsPanel::default(),
            microscope: MicroscopePanel::default(),
            compare: ComparePanel::default(),
            instance: InstancePanel::default(),
            inspector: InspectorPanel::default(),
            thumbnails: Thumbnails::default(),
            atlases: GalleryAtlases::default(),
            train,
            closing: Closing::default(),
            notices: Notices::default(),
            files,
            overlay: Overlay::None,
            undo: Undo::default(),
            restoring: Some(Box::new(link)),
        }
    }

    fn take_events(&mut self, ctx: &Context) {
        for event in self.desk.session.poll() {
            match event {
                Event::Failed { about, message } => self.notices.error(about, message),
                Event::Figure(event) => self.take_figure(ctx, &event),
                Event::SourceImage { data, index, size, image } => {
                    self.desk.sources.insert(data, index, size, image);
                }
                Event::Thumbnail { data, index, image } => self.thumbnails.insert(ctx, data, index, &image),
                Event::NoThumbnail { data, index, message } => {
                    self.desk.sources.lose(data, index);
                    self.thumbnails.mark_unreadable(data, index, message);
                }
                Event::Train(event) => {
                    self.closing.take_event(&event);
                    self.train.take_event(event, &mut self.notices, &self.files);
                }
                Event::QueryPicture { data, query, image } => {
                    self.desk.pins.take_picture(data, &query, image)
                }
                Event::Picture(picture) => {
                    self.desk.tab = Tab::Explore;
                    self.desk.session.go_to(Source::Outside(picture));
                }
                Event::ModelOpened => {
                    self.undo = Undo::default();
                    self.note_model();
                    self.refresh_export();
                }
                Event::DataOpened => {
                    self.undo = Undo::default();
                    self.note_data();
                    self.restore();
                    self.refresh_export();
                }
            }
        }
    }

    fn take_figure(&mut self, ctx: &Context, event: &FigureEvent) {
        let dialog = match &mut self.overlay {
            Overlay::Export(dialog) => Some(dialog),
            _ => None,
        };
        export::take_event(ctx, event, &mut self.notices, dialog.is_some());
        if dialog.is_some_and(|dialog| dialog.take_event(event)) {
            self.close_export();
        }
    }

    fn close_export(&mut self) {
        if let Overlay::Export(dialog) = std::mem::take(&mut self.overlay) {
            dialog.close(&mut self.desk);
        }
    }

    /// Another model or data set: an open export dialog offers what it allows.
    fn refresh_export(&mut self) {
        if let Overlay::Export(dialog) = &mut self.overlay {
            dialog.refresh(&self.desk);
        }
    }

    fn note_model(&mut self) {
        let source = self.desk.session.snapshot().model_source.clone();
        source.into_iter().for_each(|spec| self.desk.settings.recent.note(Recent::Model((*spec).clone())));
    }

    fn note_data(&mut self) {
        let source = self.desk.session.snapshot().data_source.clone();
        source.into_iter().for_each(|source| self.desk.settings.recent.note(Recent::Data((*source).clone())));
    }

    fn open_run(&mut self, path: PathBuf) {
        self.desk.settings.recent.note(Recent::Run(path.clone()));
        self.train.open_run(&self.desk, path);
    }

    /// Opens what a link says; what is open already stays.
    fn open_link(&mut self, link: Link) {
        let snapshot = self.desk.session.snapshot().clone();
        if let Some(spec) = link.model.clone().filter(|spec| snapshot.model_source.as_deref() != Some(spec)) {
            self.desk.session.send(Command::OpenModel { spec });
        }
        self.desk.tab = Tab::Explore;
        link.look.mode.into_iter().for_each(|mode| self.view(mode));
        link.dress(&mut self.desk.settings);
        let data = link.data.clone().filter(|data| snapshot.data_source.as_deref() != Some(data));
        self.restoring = Some(Box::new(link));
        match data {
            Some(DataSource { spec, split }) => self.desk.session.send(Command::OpenData { spec, split }),
            None => self.restore(),
        }
    }

    /// Goes to the image and query of a link once its data set is there.
    fn restore(&mut self) {
        let Some(link) = self.restoring.take() else { return };
        let source = self.desk.session.snapshot().data_source.clone();
        // Another data set was opened meanwhile: image and query mean nothing in it.
        if link.data.is_none() || link.data.as_ref() == source.as_deref() {
            let image = self.desk.session.restore(&link);
            if let (Some(image), Some(zoom)) = (image, link.look.zoom) {
                self.maps.look_at(image, Viewpoint::from_numbers(zoom));
            }
        }
    }

    /// Puts what is on show into the clipboard as a link.
    fn copy_link(&mut self, ctx: &Context) {
        let mut link = self.desk.session.link();
        link.take_look(&self.desk.settings, self.maps.viewpoint().numbers());
        let text = link.to_string();
        ctx.copy_text(text.clone());
        let query = self.desk.session.query();
        let is_partial =
            query.is_some_and(|query| query.parts.iter().any(|part| part.source.area().is_none()));
        let without = if is_partial { ", without the pictures from outside the data set" } else { "" };
        let how = "bagssl --open LINK, or paste it into the window";
        self.notices.done("Copied as link", format!("{text} ({how}{without})"));
    }

    /// Opens a link that was pasted where nothing else takes it.
    fn take_pasted(&mut self, ctx: &Context) {
        let pasted = ctx.input(|input| {
            input.events.iter().find_map(|event| match event {
                egui::Event::Paste(text) if Link::is_meant(text) => Some(text.clone()),
                _ => None,
            })
        });
        match pasted.map(|text| text.parse::<Link>()) {
            None => {}
            Some(Ok(link)) => self.open_link(link),
            Some(Err(error)) => self.notices.error("The pasted link".to_owned(), format!("{error:#}")),
        }
    }

    fn open_recent(&mut self, recent: Recent) {
        match recent {
            Recent::Data(DataSource { spec, split }) => {
                self.desk.session.send(Command::OpenData { spec, split });
            }
            Recent::Model(spec) => self.desk.session.send(Command::OpenModel { spec }),
            Recent::Run(path) => {
                self.desk.tab = Tab::Train;
                self.open_run(path);
            }
        }
    }

    /// Opens something over the window that lists what was opened lately.
    fn show_overlay(&mut self, overlay: Overlay) {
        self.files.ask_gone(self.desk.settings.recent.paths());
        self.overlay = overlay;
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
            if let Overlay::Export(dialog) = &mut self.overlay {
                dialog.take_found(&found, &self.desk);
            }
            if let Found::Gone(gone) = &found {
                self.desk.settings.recent.set_gone(gone.clone());
            }
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
            Outcome::Run(path) => self.open_run(path),
            Outcome::Confirmed(command) => {
                if let Command::Train(TrainCommand::ExportCurves { path, .. }) = &command {
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

    /// Copies a figure of what is on show, or says what is missing for one.
    fn copy_figure(&mut self, kind: FigureKind, command: fn(FigureRequest) -> FigureCommand) {
        match ExportDialog::new(kind, &self.desk, &self.export_folder()).request(&self.desk) {
            Ok(request) => self.desk.session.send(Command::Figure(command(request))),
            Err(obstacle) => self.notices.error("Copying the figure".into(), obstacle),
        }
    }

    fn run(&mut self, ctx: &Context, action: Action) {
        let session = &mut self.desk.session;
        match action {
            Action::OpenData => self.show_dialog(Purpose::Data),
            Action::OpenModel => self.show_dialog(Purpose::Model),
            Action::OpenOther => {
                (self.desk.tab, self.desk.view) = (Tab::Explore, ExploreView::Compare);
                self.show_dialog(Purpose::Other);
            }
            Action::PlayCheckpoints | Action::PreviousCheckpoint | Action::NextCheckpoint => {
                self.compare.run(&self.desk, action);
            }
            Action::Export(kind) => {
                let dialog = ExportDialog::new(kind, &self.desk, &self.export_folder());
                self.overlay = Overlay::Export(Box::new(dialog));
            }
            Action::CopyFigure(kind) => self.copy_figure(kind, FigureCommand::CopyImage),
            Action::CopyCaption(kind) => self.copy_figure(kind, FigureCommand::CopyCaption),
            Action::CopyLink => self.copy_link(ctx),
            Action::OpenLink => self.show_overlay(Overlay::Palette(Palette::with_text(LINK_START))),
            Action::FindImage => self.images.focus_filter = true,
            Action::WalkImages => self.images.focus_list = true,
            Action::RandomImage => {
                self.images.random().into_iter().for_each(|index| session.show_image(index))
            }
            Action::NextImage => self.show_neighbour(1),
            Action::PreviousImage => self.show_neighbour(-1),
            Action::Back => session.back(),
            Action::Forward => session.forward(),
            Action::Move { right, down } => match down == 0 && self.compare.takes_arrows(&self.desk) {
                true => self.compare.run(&self.desk, action),
                false => self.desk.session.step(right, down),
            },
            Action::MarkQuery => {
                (self.desk.tab, self.desk.view) = (Tab::Explore, ExploreView::Instance);
                self.desk.mark_query();
            }
            Action::AddPointed => self.take_pointed(Sign::Plus),
            Action::SubtractPointed => self.take_pointed(Sign::Minus),
            Action::Pin => {
                let pointed = self.desk.pointed.clone().map(QuerySpec::one);
                pointed.or(session.query()).into_iter().for_each(|query| self.desk.pins.add(query));
            }
            Action::OpenPicture => match session.data_id() {
                Some(_) => self.show_dialog(Purpose::Picture),
                None => self.notices.error("A picture as query".into(), "open data to search first".into()),
            },
            Action::Undo => self.bring_back(Undo::undo),
            Action::Redo => self.bring_back(Undo::redo),
            Action::RemovePart => session.remove_last_part(),
            Action::Opacity(percent) => self.desk.settings.add_opacity(percent),
            Action::View(mode) => self.view(mode),
            Action::ToggleContour => {
                let settings = &mut self.desk.settings;
                settings.contour = settings.contour.is_none().then_some(CONTOUR);
            }
            Action::ToggleGrid => self.desk.settings.grid = !self.desk.settings.grid,
            Action::TogglePreview => self.desk.is_previewing = !self.desk.is_previewing,
            Action::ResetZoom => {
                self.maps.reset_zoom();
                self.microscope.reset_zoom();
                self.compare.reset_zoom();
                self.instance.reset_zoom();
            }
            Action::PauseExtraction => {
                if let Some(extraction) = &session.snapshot().extraction {
                    session.send(Command::PauseExtraction(!extraction.paused));
                }
            }
            Action::ShowExplore => self.desk.tab = Tab::Explore,
            Action::ShowView(view) => (self.desk.tab, self.desk.view) = (Tab::Explore, view),
            Action::ShowTrain => self.desk.tab = Tab::Train,
            Action::ChooseTrainData => self.show_dialog(Purpose::TrainData),
            Action::OpenRun => {
                self.desk.tab = Tab::Train;
                self.show_dialog(Purpose::Run);
            }
            Action::StartTraining
            | Action::PauseTraining
            | Action::CheckpointTraining
            | Action::StopTraining
            | Action::PinQuery => self.train.run(&self.desk, action),
            Action::NextTheme => self.desk.settings.next_theme(ctx),
            Action::Zoom(Zoom::In) => egui::gui_zoom::zoom_in(ctx),
            Action::Zoom(Zoom::Out) => egui::gui_zoom::zoom_out(ctx),
            Action::Zoom(Zoom::Reset) => ctx.set_zoom_factor(1.0),
            Action::ToggleHint => self.desk.settings.hint = !self.desk.settings.hint,
            Action::Palette => self.show_overlay(Overlay::Palette(Palette::default())),
            Action::Help => self.overlay = Overlay::Keys,
            Action::Quit => ctx.send_viewport_cmd(egui::ViewportCommand::Close),
        }
    }

    /// Looks again at what undo or redo says, if there is something.
    fn bring_back(&mut self, which: impl Fn(&mut Undo, &Look) -> Option<Look>) {
        let look = Look::of(&self.desk).and_then(|now| which(&mut self.undo, &now));
        if let Some(look) = look {
            self.view(look.mode);
            look.bring_back(&mut self.desk);
        }
    }

    /// Makes what is under the pointer a part of the query.
    fn take_pointed(&mut self, sign: Sign) {
        match self.desk.pointed.clone() {
            Some(source) => self.desk.session.take(Role::Part(sign), source),
            None => self.notices.error(
                "Changing the query".into(),
                "nothing is under the pointer; point at a patch of the image or at a neighbour, then press the key"
                    .into(),
            ),
        }
    }

    fn show_dialog(&mut self, purpose: Purpose) {
        self.show_overlay(Overlay::Dialog(Dialog::new(purpose, String::new())));
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
                if let Some(outcome) = dialog.ui(ctx, &self.files, &self.desk.settings.recent) {
                    self.end_dialog(outcome);
                }
            }
            Overlay::Export(dialog) => {
                if dialog.ui(ctx, &mut self.desk, &self.files) {
                    self.overlay = Overlay::None;
                }
            }
            Overlay::Keys => {
                if help::keys_ui(ctx) {
                    self.overlay = Overlay::None;
                }
            }
            Overlay::Palette(palette) => match palette.ui(ctx, &self.desk.settings.recent) {
                PaletteOutcome::Open => {}
                PaletteOutcome::Closed => self.overlay = Overlay::None,
                PaletteOutcome::Chosen(choice) => {
                    self.overlay = Overlay::None;
                    match choice {
                        Choice::Action(action) => self.desk.todo.push(action),
                        Choice::Open(recent) => self.open_recent(recent),
                        Choice::Link(link) => self.open_link(*link),
                    }
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
        hint::hint_ui(ui, &mut self.desk);
        match self.desk.view {
            ExploreView::Maps => self.maps_ui(ui),
            ExploreView::Microscope => self.microscope.ui(ui, &mut self.desk),
            ExploreView::Compare => self.compare.ui(ui, &mut self.desk),
            ExploreView::Instance => self.instance.ui(ui, &mut self.desk),
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
        self.desk.pins.follow(self.desk.session.snapshot());
        let (now, pressed) = ctx.input(|input| (input.time, input.pointer.any_down()));
        if Look::of(&self.desk).is_some_and(|look| self.undo.note(now, &look)) {
            ctx.request_repaint_after_secs(undo::AT_ONCE_SECS);
        }
        if let Some(secs) = self.desk.session.send_config_when_settled(now, pressed) {
            ctx.request_repaint_after_secs(secs as f32);
        }
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        let ctx = ui.ctx().clone();
        if matches!(self.overlay, Overlay::None) {
            if !ctx.egui_wants_keyboard_input() {
                self.take_pasted(&ctx);
            }
            let shows_explore = self.desk.tab == Tab::Explore;
            let pressed = actions::take_pressed(&ctx).into_iter();
            self.desk.todo.extend(pressed.filter(|action| shows_explore || !action.is_of_explore()));
        }
        self.desk.pointed = None;
        self.desk.update_maps();
        self.microscope.sync(&self.desk);
        self.compare.sync(&self.desk);
        self.instance.sync(&mut self.desk);
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
        self.desk.settings.tab = self.desk.tab;
        self.desk.settings.pins = self.desk.pins.stored();
        self.desk.settings.save(storage);
    }
}
