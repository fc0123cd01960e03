//! The window as a whole: takes in what the engine and the files say, lays out
//! the panels, and carries out actions.

mod decoding;
mod drop_hint;
mod events;
pub mod frame_time;
mod help;
mod kept_vectors;
mod layout;
mod libraries;
mod links;
mod model_dialog;
mod open_dialog;
pub mod options;
mod past;
pub mod quit;
mod run;
pub mod window;

use std::sync::Arc;

use eframe::egui::{Context, Ui};

use crate::engine::training::DataSource;
use crate::engine::{Command, EngineHandle, MapMode, Snapshot};

use self::options::{GuiOptions, SOON};
use self::past::Wishes;
use self::quit::Quit;
use crate::gui::app::help::{CommandPalette, KeysList};
use crate::gui::app::kept_vectors::{KeptVectors, VectorsDialog};
use crate::gui::app::model_dialog::ModelDialog;
use crate::gui::app::open_dialog::Dialog;
use crate::gui::desk::undo;
use crate::gui::desk::undo::{Sight, Undo};
use crate::gui::desk::{Desk, Session, ShownMaps};
use crate::gui::evaluate::EvaluateTab;
use crate::gui::export::ExportDialog;
use crate::gui::memory::files::FileWorker;
use crate::gui::memory::kept::KeptSettings;
use crate::gui::memory::link::Link;
use crate::gui::memory::pins::PinnedQueries;
use crate::gui::memory::places::Places;
use crate::gui::memory::settings::Settings;
use crate::gui::memory::sources::SourceImages;
use crate::gui::nouns::ExploreView;
use crate::gui::nouns::Tab;
use crate::gui::nouns::actions;
use crate::gui::paint::heatmap_paint;
use crate::gui::paint::textures::ThumbnailTextures;
use crate::gui::paint::theme;
use crate::gui::panels::images::ImagesPanel;
use crate::gui::panels::inspector::InspectorPanel;
use crate::gui::train::TrainTab;
use crate::gui::train::closing::Closing;
use crate::gui::views::Views;
use crate::gui::widgets::notices::Notices;
use crate::gui::widgets::room::FocusInSight;

/// The window.
pub struct App {
    pub(super) desk: Desk,
    images: ImagesPanel,
    views: Views,
    inspector: InspectorPanel,
    thumbnails: ThumbnailTextures,
    train: TrainTab,
    evaluate: EvaluateTab,
    closing: Closing,
    quit: Quit,
    notices: Notices,
    files: FileWorker,
    kept: KeptSettings,
    vectors: KeptVectors,
    /// What was asked for when the engine was last listened to.
    asked: Wishes,
    focus: FocusInSight,
    overlay: Overlay,
    /// The dialog in which something was asked to be opened that is not open yet, and what its failure is about.
    tried: Option<(Dialog, &'static str)>,
    undo: Undo,
    /// Whether something lay over the window in the last frame.
    was_covered: bool,
    /// The snapshot of the last frame, to tell whether there is news.
    last: Arc<Snapshot>,
    /// A link whose data set is being opened.
    restoring: Option<Box<Link>>,
}

/// What lies over the window and takes the keyboard.
#[derive(Default)]
enum Overlay {
    #[default]
    None,
    Dialog(Dialog),
    Model(ModelDialog),
    Vectors(VectorsDialog),
    Export(Box<ExportDialog>),
    Keys(KeysList),
    Palette(CommandPalette),
}

impl App {
    /// Dresses the window and asks the engine for the model and the data that it opens with.
    pub fn new(cc: &eframe::CreationContext<'_>, engine: EngineHandle, options: GuiOptions) -> Self {
        let kept = KeptSettings::open(options.settings.clone());
        Self::with_settings(cc, kept, engine, options)
    }

    /// The same with settings that were read before.
    pub(super) fn with_settings(
        cc: &eframe::CreationContext<'_>,
        kept: (KeptSettings, Settings),
        engine: EngineHandle,
        options: GuiOptions,
    ) -> Self {
        if let Some(state) = &cc.wgpu_render_state {
            heatmap_paint::install(state);
        }
        Self::open(&cc.egui_ctx, kept, is_software(cc), engine, options)
    }

    /// The same without a window around it.
    /// `is_software`: whether the processor draws.
    pub(super) fn open(
        ctx: &Context,
        (kept, mut settings): (KeptSettings, Settings),
        is_software: bool,
        engine: EngineHandle,
        options: GuiOptions,
    ) -> Self {
        theme::install(ctx);
        options.quit.wakes(ctx);
        ctx.set_theme(settings.theme);
        ctx.set_zoom_factor(settings.window.zoom);
        // Our own table has these keys.
        ctx.options_mut(|options| options.zoom_with_keyboard = false);
        let vectors = KeptVectors::new(options.cache, options.is_cache_told);
        // Before anything is asked of the engine, which keeps some.
        vectors.follow(&settings);
        let session = Session::new(engine);
        let data = DataSource { spec: options.data, split: options.split };
        let mut link = options.link.unwrap_or_default();
        if let Some((folder, model)) = options.bank {
            model.into_iter().for_each(|spec| session.send(Command::OpenModel { spec }));
            session.send(Command::OpenBank { folder });
        } else {
            let spec = link.model.get_or_insert(options.model).clone();
            session.send(Command::OpenModel { spec });
            let DataSource { spec, split } = link.data.get_or_insert(data).clone();
            session.send(Command::OpenData { spec, split });
        }
        link.dress(&mut settings);
        if settings.mode == MapMode::Pictures {
            session.send(Command::ShowPictures(true));
        }
        let files = FileWorker::new(ctx);
        let tab = if options.runs.is_empty() { settings.tab } else { Tab::Train };
        let view = ExploreView::default();
        let maps = ShownMaps::default();
        let (sources, places) = (SourceImages::default(), Places::default());
        let pins = PinnedQueries::new(settings.pins.clone());
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
        let evaluate = EvaluateTab::new(&files);
        let mut train = TrainTab::new(&files, is_software);
        options.runs.into_iter().for_each(|run| train.open_run(&desk, run));
        Self {
            desk,
            images: ImagesPanel::default(),
            views: Views::default(),
            inspector: InspectorPanel::default(),
            thumbnails: ThumbnailTextures::default(),
            train,
            evaluate,
            closing: Closing::default(),
            quit: options.quit,
            notices: Notices::default(),
            files,
            kept,
            vectors,
            asked: Wishes::default(),
            focus: FocusInSight::default(),
            overlay: Overlay::None,
            tried: None,
            was_covered: false,
            last: Arc::default(),
            undo: Undo::default(),
            restoring: Some(Box::new(link)),
        }
    }
}

/// Whether the window is drawn by the processor.
fn is_software(cc: &eframe::CreationContext<'_>) -> bool {
    let adapter = cc.wgpu_render_state.as_ref().map(|state| state.adapter.get_info());
    adapter.is_some_and(|info| info.device_type == wgpu::DeviceType::Cpu)
}

impl App {
    /// What a frame does before it draws, also while the window is hidden.
    /// `drawing_secs`: what the last frame took.
    pub(super) fn prepare(&mut self, ctx: &Context, drawing_secs: f32) {
        self.asked.past(&Wishes::of(&self.desk)).into_iter().for_each(|past| self.notices.forget(past));
        self.take_events(ctx);
        // What the engine changes by itself is no reason to forget.
        self.asked = Wishes::of(&self.desk);
        self.settle(ctx);
        self.train.tell_drawing(&self.desk, self.desk.tab == Tab::Train, drawing_secs);
        if self.quit.is_asked() {
            self.closing.hurry(ctx);
        }
        self.closing.logic(ctx, &self.desk);
        self.take_files(ctx);
        for question in self.files.take_questions() {
            self.desk.session.send(Command::Files(question));
        }
        self.desk.pins.follow(self.desk.session.snapshot());
        self.keep(ctx);
        let (now, pressed) = ctx.input(|input| (input.time, input.pointer.any_down()));
        if Sight::of(&self.desk).is_some_and(|look| self.undo.note(now, &look)) {
            ctx.request_repaint_after_secs(undo::AT_ONCE_SECS);
        }
        if let Some(secs) = self.desk.session.send_config_when_settled(now, pressed) {
            ctx.request_repaint_after_secs(secs as f32);
        }
    }

    /// Has what is set kept for the next start, and says where that fails.
    fn keep(&mut self, ctx: &Context) {
        self.desk.settings.window.follow(ctx);
        self.vectors.follow(&self.desk.settings);
        for words in self.kept.complaints() {
            self.notices.warning("Settings".into(), words);
        }
        let Self { kept, desk, .. } = self;
        kept.note(ctx, || desk.remembered());
    }

    /// Asks for a second frame after news, in which what changed its size finds its place; but for a run that is
    /// watched, from which every frame takes.
    fn settle(&mut self, ctx: &Context) {
        let now = self.desk.session.snapshot();
        let is_news = !Arc::ptr_eq(now, &self.last);
        self.last = now.clone();
        if is_news && (self.desk.tab != Tab::Train || !matches!(self.overlay, Overlay::None)) {
            ctx.request_repaint_after(SOON);
        }
    }

    /// Whether something has just come to lie over the window: this pass then goes without what is below, which
    /// closes its tooltips, and is followed by another before anything is seen.
    fn covers_now(&mut self, ctx: &Context) -> bool {
        let is_covered = !matches!(self.overlay, Overlay::None);
        let was_covered = std::mem::replace(&mut self.was_covered, is_covered);
        if is_covered && !was_covered {
            ctx.request_discard("tooltips of what is covered");
        }
        is_covered && !was_covered && ctx.will_discard()
    }

    /// Draws everything and carries out what was asked for.
    pub(super) fn draw(&mut self, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        if matches!(self.overlay, Overlay::None) {
            if !ctx.egui_wants_keyboard_input() {
                self.take_pasted(&ctx);
                if ctx.input(|input| input.key_pressed(egui::Key::Escape)) {
                    self.notices.dismiss();
                }
            }
            let shows_explore = self.desk.tab == Tab::Explore;
            let pressed = actions::take_pressed(&ctx).into_iter();
            self.desk.todo.extend(pressed.filter(|action| shows_explore || !action.is_of_explore()));
        }
        self.focus.follow(&ctx);
        self.desk.pointed = None;
        self.views.sync(&mut self.desk);
        self.desk.update_maps();
        if !self.covers_now(&ctx) {
            self.panels_ui(ui);
        }
        if self.desk.tab != Tab::Train {
            self.notices.ui(&ctx);
        }
        self.overlay_ui(&ctx);
        self.closing.ui(&ctx);
        drop_hint::drop_hint_ui(&ctx);
        for action in std::mem::take(&mut self.desk.todo) {
            self.run(&ctx, action);
            ctx.request_repaint();
        }
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &Context, frame: &mut eframe::Frame) {
        self.prepare(ctx, frame.info().cpu_usage.unwrap_or_default());
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        self.draw(ui);
    }

    fn on_exit(&mut self) {
        self.kept.close(self.desk.remembered());
    }
}
