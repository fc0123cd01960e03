//! Opens the window on a display.

use eframe::{egui, egui_wgpu};

use super::options::{GuiOptions, SOON};
use super::{App, libraries};
use crate::engine::facts::DeviceChoice;
use crate::engine::{self, EngineHandle};
use crate::files;

/// Opens the window with an engine on the device that was chosen; where that is a GPU, window and
/// engine share it.
pub fn open(options: GuiOptions, choice: DeviceChoice) -> anyhow::Result<()> {
    libraries::check()?;
    let device = engine::open_device(choice)?;
    let mut wgpu_options = drawing();
    if let Some(setup) = &device.setup {
        wgpu_options.wgpu_setup = egui_wgpu::WgpuSetup::Existing(egui_wgpu::WgpuSetupExisting {
            instance: setup.instance.clone(),
            adapter: setup.adapter.clone(),
            device: setup.device.clone(),
            queue: setup.queue.clone(),
        });
    }
    // Without a delay egui draws two frames; news need one, and while a model trains on the cores that
    // draw, each is taken from it.
    run(options, wgpu_options, |context, _| {
        engine::start(device, move || context.request_repaint_after(SOON))
    })
}

/// How the window draws where it opens a device of its own: not on OpenGL, which lacks what the heatmaps need.
fn drawing() -> egui_wgpu::WgpuConfiguration {
    let mut options = egui_wgpu::WgpuConfiguration::default();
    if let egui_wgpu::WgpuSetup::CreateNew(setup) = &mut options.wgpu_setup {
        setup.instance_descriptor.backends = wgpu::Backends::PRIMARY;
    }
    options
}

/// Names the window to the system, and the folder of its settings.
const APP_ID: &str = "bagssl";

/// What egui's shell reads its settings from hangs on a pipe: what cannot be settings is moved aside.
fn set_aside_state() {
    let Some(state) = eframe::storage_dir(APP_ID).map(|folder| folder.join("app.ron")) else { return };
    match files::set_aside_unless_readable(&state, files::MOST_WORDS) {
        Ok(None) => {}
        Ok(Some(aside)) => {
            log::warn!("{} is no file of settings; it lies in {} now", state.display(), aside.display());
        }
        Err(error) => log::warn!("{} is no file of settings and cannot be moved: {error}", state.display()),
    }
}

/// Opens the window and returns when it is closed. `wgpu_options` say which
/// device to draw with; `start_engine` starts the engine, given what it may
/// call to have the window look at its news and the window's drawing state.
pub fn run(
    options: GuiOptions,
    wgpu_options: egui_wgpu::WgpuConfiguration,
    start_engine: impl FnOnce(egui::Context, Option<egui_wgpu::RenderState>) -> anyhow::Result<EngineHandle>,
) -> anyhow::Result<()> {
    set_aside_state();
    let native = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("bagssl")
            .with_app_id(APP_ID)
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
            "the window could not be opened: {error}. It needs a display that answers and a Vulkan driver (a GPU's, \
             or on Debian: apt install mesa-vulkan-drivers). Every other command works without a window"
        )
    })
}
