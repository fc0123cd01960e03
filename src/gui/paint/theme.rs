//! Colours, sizes and spacing of the window, light and dark: a grid of 8
//! points, two text sizes, one accent.

use eframe::egui::{
    self, Color32, Context, CornerRadius, FontFamily, FontId, Frame, Stroke, TextStyle, Theme, Visuals, vec2,
};

use crate::colormap;

/// Step of the spacing grid, points.
pub const STEP: f32 = 8.0;
/// Text sizes, points.
const BODY: f32 = 13.0;
const SMALL: f32 = 11.0;

/// Dresses both themes.
pub fn install(ctx: &Context) {
    for theme in [Theme::Light, Theme::Dark] {
        ctx.set_visuals_of(theme, visuals(theme == Theme::Dark));
        ctx.style_mut_of(theme, |style| {
            style.text_styles = [
                (TextStyle::Heading, FontId::new(BODY, FontFamily::Proportional)),
                (TextStyle::Body, FontId::new(BODY, FontFamily::Proportional)),
                (TextStyle::Button, FontId::new(BODY, FontFamily::Proportional)),
                (TextStyle::Monospace, FontId::new(BODY, FontFamily::Monospace)),
                (TextStyle::Small, FontId::new(SMALL, FontFamily::Proportional)),
            ]
            .into();
            style.spacing.item_spacing = vec2(STEP, STEP / 2.0);
            style.spacing.button_padding = vec2(STEP, 3.0);
            style.spacing.interact_size = vec2(32.0, 22.0);
            style.spacing.tooltip_width = 320.0;
            style.spacing.combo_width = 64.0;
            style.spacing.slider_width = 72.0;
            style.animation_time = 0.0;
        });
    }
}

/// The one accent: what is chosen, focused or moving.
pub fn accent(dark: bool) -> Color32 {
    if dark { Color32::from_rgb(0x4f, 0xb8, 0xae) } else { Color32::from_rgb(0x12, 0x7a, 0x72) }
}

fn visuals(dark: bool) -> Visuals {
    let mut visuals = if dark { Visuals::dark() } else { Visuals::light() };
    let grey = |dark_level, light_level| Color32::from_gray(if dark { dark_level } else { light_level });
    visuals.panel_fill = if dark { Color32::from_rgb(27, 29, 32) } else { Color32::from_rgb(247, 247, 248) };
    visuals.window_fill = visuals.panel_fill;
    visuals.extreme_bg_color = if dark { Color32::from_rgb(18, 19, 21) } else { Color32::WHITE };
    visuals.faint_bg_color = grey(36, 236);
    visuals.widgets.noninteractive.bg_stroke = Stroke::new(1.0, grey(52, 216));
    visuals.widgets.noninteractive.fg_stroke.color = grey(212, 40);
    visuals.weak_text_color = Some(grey(155, 95));
    visuals.widgets.inactive.weak_bg_fill = grey(44, 232);
    visuals.widgets.inactive.bg_fill = grey(60, 208);
    visuals.widgets.inactive.fg_stroke.color = grey(224, 32);
    visuals.widgets.hovered.weak_bg_fill = grey(56, 222);
    visuals.widgets.hovered.bg_stroke = Stroke::new(1.0, accent(dark));
    visuals.widgets.active.bg_stroke = Stroke::new(1.0, accent(dark));
    let corner = CornerRadius::same(4);
    for widget in [
        &mut visuals.widgets.noninteractive,
        &mut visuals.widgets.inactive,
        &mut visuals.widgets.hovered,
        &mut visuals.widgets.active,
        &mut visuals.widgets.open,
    ] {
        widget.corner_radius = corner;
        widget.expansion = 0.0;
    }
    visuals.selection.bg_fill = accent(dark).gamma_multiply(if dark { 0.45 } else { 0.30 });
    visuals.selection.stroke = Stroke::new(1.0, if dark { Color32::WHITE } else { Color32::from_gray(16) });
    visuals.slider_trailing_fill = true;
    visuals.window_corner_radius = CornerRadius::same(6);
    visuals.popup_shadow =
        egui::Shadow { offset: [0, 2], blur: 8, spread: 0, color: Color32::from_black_alpha(60) };
    visuals.window_shadow = visuals.popup_shadow;
    visuals
}

/// Frame of what lies over the window.
pub fn overlay_frame(ctx: &Context) -> Frame {
    Frame::popup(&ctx.global_style()).inner_margin(2.0 * STEP)
}

/// Opaque colour of one of the shared RGB triples.
pub fn rgb([r, g, b]: [u8; 3]) -> Color32 {
    Color32::from_rgb(r, g, b)
}

/// Hue of a space in headings, legible on the theme's background.
pub fn space(name: &str, dark: bool) -> Color32 {
    let color = rgb(colormap::space_color(name));
    if dark { color.lerp_to_gamma(Color32::WHITE, 0.45) } else { color }
}

/// Draws the keyboard's cursor about a cell.
pub fn cursor_frame(ui: &egui::Ui, rect: egui::Rect) {
    let stroke = Stroke::new(2.0, ui.visuals().strong_text_color());
    ui.painter().rect_stroke(rect.shrink(1.0), 2.0, stroke, egui::StrokeKind::Inside);
}

/// Text colour of errors and its background.
pub fn error(dark: bool) -> (Color32, Color32) {
    if dark {
        (Color32::from_rgb(255, 170, 160), Color32::from_rgb(66, 28, 28))
    } else {
        (Color32::from_rgb(140, 16, 16), Color32::from_rgb(253, 228, 226))
    }
}

/// Text colour of warnings and its background.
pub fn warning(dark: bool) -> (Color32, Color32) {
    if dark {
        (Color32::from_rgb(240, 205, 130), Color32::from_rgb(56, 45, 20))
    } else {
        (Color32::from_rgb(104, 70, 0), Color32::from_rgb(252, 240, 208))
    }
}
