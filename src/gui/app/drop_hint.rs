//! What dropping a file on the window does, said while one hangs over it.

use eframe::egui::{self, Color32, Context, Id};

use crate::paths;

fn words() -> &'static str {
    if paths::are_elsewhere() {
        return "What lies on this machine cannot be opened: the engine is on another.";
    }
    "Drop a picture or a folder of pictures to open it as data,\na .safetensors file or a run folder to open it as model."
}

/// Says over the whole window what dropping does, while a file hangs over it.
pub fn drop_hint_ui(ctx: &Context) {
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
        words(),
        egui::FontId::proportional(18.0),
        Color32::WHITE,
    );
}
