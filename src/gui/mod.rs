//! The window: draws the engine's latest snapshot and turns what the user does
//! into commands. No frame waits for anything.

mod actions;
mod app;
mod color_bar;
mod contour;
mod files;
mod heatmap_paint;
mod help;
mod histogram;
mod history;
mod map_painter;
mod marks;
mod notices;
mod open_dialog;
mod pane;
mod panels;
mod scale;
mod session;
mod settings;
mod text;
mod textures;
mod theme;
mod train;
mod views;

use std::path::PathBuf;

use eframe::{egui, egui_wgpu};

use crate::engine::facts::{DeviceChoice, MemoryBudget, ModelSpec};
use crate::engine::{self, EngineHandle, Split};

pub use app::App;

/// What the window opens with.
#[derive(Clone, Debug)]
pub struct GuiOptions {
    /// `demo`, a run folder, a checkpoint.
    pub model: ModelSpec,
    /// `demo`, a folder, one file.
    pub data: String,
    /// Which split, where the data set has two.
    pub split: Option<Split>,
    /// One image to open in place of `data`.
    pub image: Option<PathBuf>,
    /// Run folders to show in the Train tab, which opens first if there are any.
    pub runs: Vec<PathBuf>,
}

/// Opens the window with an engine on the device that was chosen; where that is a GPU, window and
/// engine share it.
/// `memory`: bytes that the explorer may fill, in place of half of what is free.
pub fn open(options: GuiOptions, choice: DeviceChoice, memory: Option<u64>) -> anyhow::Result<()> {
    let mut device = engine::open_device(choice)?;
    if let Some(bytes) = memory {
        device.memory = MemoryBudget::new(bytes);
    }
    let mut wgpu_options = egui_wgpu::WgpuConfiguration::default();
    if let Some(setup) = &device.setup {
        wgpu_options.wgpu_setup = egui_wgpu::WgpuSetup::Existing(egui_wgpu::WgpuSetupExisting {
            instance: setup.instance.clone(),
            adapter: setup.adapter.clone(),
            device: setup.device.clone(),
            queue: setup.queue.clone(),
        });
    }
    run(options, wgpu_options, |context, _| engine::start(device, move || context.request_repaint()))
}

/// Opens the window and returns when it is closed. `wgpu_options` say which
/// device to draw with; `start_engine` starts the engine, given what it may
/// call to have the window look at its news and the window's drawing state.
pub fn run(
    options: GuiOptions,
    wgpu_options: egui_wgpu::WgpuConfiguration,
    start_engine: impl FnOnce(egui::Context, Option<egui_wgpu::RenderState>) -> anyhow::Result<EngineHandle>,
) -> anyhow::Result<()> {
    let native = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("bagssl")
            .with_app_id("bagssl")
            .with_inner_size([1280.0, 800.0])
            .with_min_inner_size([800.0, 560.0]),
        renderer: eframe::Renderer::Wgpu,
        wgpu_options,
        ..Default::default()
    };
    let create: eframe::AppCreator<'_> = Box::new(move |cc| {
        let engine = start_engine(cc.egui_ctx.clone(), cc.wgpu_render_state.clone())
            .map_err(|error| format!("{error:#}"))?;
        Ok(Box::new(App::new(cc, engine, options)))
    });
    eframe::run_native("bagssl", native, create).map_err(|error| {
        anyhow::anyhow!(
            "the window could not be opened: {error}. It needs a display (DISPLAY or WAYLAND_DISPLAY), a Vulkan \
             driver and the X libraries; on Debian: apt install mesa-vulkan-drivers libvulkan1 libxkbcommon-x11-0 \
             libx11-xcb1 libxcursor1 libxi6 libxrandr2. Every other command works without a window"
        )
    })
}
