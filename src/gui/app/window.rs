//! Opens the window on a display.

use eframe::{egui, egui_wgpu};

use super::options::{GuiOptions, SOON};
use super::{App, libraries};
use crate::engine::facts::DeviceChoice;
use crate::engine::{self, EngineHandle, remote};
use crate::gui::memory::kept::KeptSettings;
use crate::gui::memory::window_look::WindowLook;

/// Opens the window with an engine on the device that was chosen; where that is a GPU, window and
/// engine share it. Where the engine is on another machine, that one chooses, and here is but the window.
pub fn open(options: GuiOptions, choice: DeviceChoice) -> anyhow::Result<()> {
    libraries::check()?;
    if let Some(place) = options.remote.clone() {
        return run(options, drawing(), |context, _| {
            remote::connect(place, move || context.request_repaint_after(SOON))
        });
    }
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
    let cache = options.cache.clone();
    run(options, wgpu_options, |context, _| {
        engine::start(device, cache, move || context.request_repaint_after(SOON))
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

/// Names the window to the system.
const APP_ID: &str = "bagssl";

/// Moves a window that lies beyond all monitors, as after one of them was taken away, onto the first.
fn bring_into_sight(cc: &eframe::CreationContext<'_>, look: &WindowLook) {
    let Some(window) = cc.winit_window() else { return };
    let mut monitors = window.available_monitors().peekable();
    let Some(first) = monitors.peek().map(|monitor| monitor.position()) else { return };
    let rects = monitors.map(|monitor| {
        let (at, size) = (monitor.position(), monitor.size());
        let size = egui::vec2(size.width as f32, size.height as f32);
        egui::Rect::from_min_size(egui::pos2(at.x as f32, at.y as f32), size)
    });
    if !look.is_in_sight(window.scale_factor() as f32, rects) {
        window.set_outer_position(first);
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
    let (kept, settings) = KeptSettings::open(options.settings.clone());
    let look = settings.window.clone();
    let viewport = egui::ViewportBuilder::default()
        .with_title("bagssl")
        .with_app_id(APP_ID)
        .with_min_inner_size([800.0, 560.0]);
    let native = eframe::NativeOptions {
        viewport: look.dress(viewport),
        renderer: eframe::Renderer::Wgpu,
        wgpu_options,
        ..Default::default()
    };
    let create: eframe::AppCreator<'_> = Box::new(move |cc| {
        let engine = start_engine(cc.egui_ctx.clone(), cc.wgpu_render_state.clone())
            .map_err(|error| format!("{error:#}"))?;
        bring_into_sight(cc, &look);
        if look.is_maximized {
            // Some systems do that only with a window that is seen, as it is after its first frame.
            cc.egui_ctx.send_viewport_cmd(egui::ViewportCommand::Maximized(true));
        }
        Ok(Box::new(App::with_settings(cc, (kept, settings), engine, options)))
    });
    eframe::run_native("bagssl", native, create).map_err(|error| {
        anyhow::anyhow!(
            "the window could not be opened: {error}. It needs a display that answers and a Vulkan driver (a GPU's, \
             or on Debian: apt install mesa-vulkan-drivers). Every other command works without a window"
        )
    })
}
