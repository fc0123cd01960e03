//! The figure itself, as it will be written, drawn off the frame's thread.

use eframe::egui::{
    Align2, Color32, Context, FontId, Image, Rect, Role, ScrollArea, Sense, Stroke, StrokeKind, TextStyle,
    Ui, UiBuilder, Vec2, WidgetInfo, load::SizedTexture, vec2,
};

use crate::engine::{Command, FigureCommand, FigurePage, FigureRequest, FigureView, RequestId};
use crate::figure::{Format, paper_words};
use crate::gui::desk::Desk;
use crate::gui::nouns::text::{count, thousands};
use crate::gui::paint::textures::PictureSlot;
use crate::gui::paint::theme::{self, STEP};

/// Points of the screen that stand for an inch of paper.
const POINTS_PER_INCH: f32 = 96.0;
/// Height of the line below the page.
const LINE: f32 = 24.0;
/// White about the page.
const MARGIN: f32 = 12.0;

/// How large the page is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum PageZoom {
    /// The whole page.
    #[default]
    Whole,
    /// So many times its size on paper.
    Times(f32),
}

/// What was asked for last, and the picture of what came.
#[derive(Default)]
pub struct PreviewPane {
    asked: Option<(RequestId, FigureRequest, f32)>,
    slot: PictureSlot,
    zoom: PageZoom,
    /// Where the page is drawn, points.
    room: Option<Vec2>,
}

impl PreviewPane {
    /// Has the next request sent even if it is the same.
    pub fn forget(&mut self) {
        self.asked = None;
    }

    /// Whether another figure was asked for last.
    pub fn is_of_another(&self, request: &FigureRequest) -> bool {
        self.asked.as_ref().is_some_and(|(_, asked, _)| asked != request)
    }

    /// Asks for the figure, if it is another one than last time or is shown in another size.
    pub fn ask(&mut self, ctx: &Context, desk: &mut Desk, request: &FigureRequest) {
        let size_in =
            page(desk).map_or((request.style.width_in, request.style.width_in), |page| page.size_in);
        let scale = self.scale((request.style.width_in, size_in.1));
        let dpi = (scale * ctx.pixels_per_point()).clamp(36.0, 600.0);
        if let Some((_, asked, at)) = &self.asked
            && asked == request
            && (at / dpi - 1.0).abs() < 0.02
        {
            return;
        }
        let id = desk.session.new_figure_id();
        self.asked = Some((id, request.clone(), dpi));
        desk.session.send(Command::Figure(FigureCommand::Preview { id, request: request.clone(), dpi }));
    }

    /// Points of the screen for an inch of a page of this size.
    fn scale(&self, (width_in, height_in): (f32, f32)) -> f32 {
        match (self.zoom, self.room) {
            (PageZoom::Times(times), _) => POINTS_PER_INCH * times,
            (PageZoom::Whole, Some(room)) => (room.x / width_in).min(room.y / height_in).max(10.0),
            (PageZoom::Whole, None) => POINTS_PER_INCH,
        }
    }

    /// Draws page and facts into `rect`. Returns whether the galleries are to be searched again.
    pub fn ui(&mut self, ui: &mut Ui, rect: Rect, desk: &Desk, obstacle: Option<&str>) -> bool {
        let view = desk.session.snapshot().views.figure.clone();
        let view = view.as_deref();
        let sheet = rect.with_max_y(rect.bottom() - LINE);
        ui.painter().rect_filled(sheet, 4.0, ui.visuals().faint_bg_color);
        self.room = Some(sheet.size() - Vec2::splat(2.0 * MARGIN));
        let error = obstacle.or_else(|| view.and_then(|view| view.error.as_deref()));
        let shown = view.and_then(|view| view.page.clone()).filter(|_| obstacle.is_none());
        match (&shown, error) {
            (_, Some(error)) => self.words_ui(ui, sheet, error, obstacle.is_none()),
            (Some(page), None) => self.page_ui(ui, sheet, page, self.is_pending(view)),
            (None, None) => self.words_ui(ui, sheet, "Drawing the figure...", false),
        }
        let line = UiBuilder::new().max_rect(rect.with_min_y(rect.bottom() - LINE + 4.0));
        let line = ui.scope_builder(line, |ui| {
            ui.horizontal(|ui| {
                self.zoom_ui(ui);
                self.facts_ui(ui, view, shown.as_deref(), error.is_some() && obstacle.is_none())
            })
            .inner
        });
        line.inner
    }

    /// Whether what is on show is not what was asked for last.
    fn is_pending(&self, view: Option<&FigureView>) -> bool {
        let answered = view.map_or(0, |view| view.id);
        self.asked.as_ref().is_some_and(|(id, ..)| *id != answered)
    }

    fn words_ui(&self, ui: &mut Ui, rect: Rect, words: &str, is_error: bool) {
        let color = if is_error { theme::error(ui.visuals().dark_mode).0 } else { ui.visuals().text_color() };
        let builder = UiBuilder::new().max_rect(rect.shrink(4.0 * STEP));
        ui.scope_builder(builder, |ui| {
            ui.centered_and_justified(|ui| ui.colored_label(color, words));
        });
    }

    fn page_ui(&mut self, ui: &mut Ui, rect: Rect, page: &FigurePage, is_pending: bool) {
        let size = vec2(page.size_in.0, page.size_in.1) * self.scale(page.size_in);
        let most = ui.input(|input| input.max_texture_side) as u32;
        let place = Rect::from_min_size(rect.min, size);
        let texture = self.slot.texture_within(ui.ctx(), "figure", &page.picture, place, most).id();
        let builder = UiBuilder::new().max_rect(rect);
        ui.scope_builder(builder, |ui| {
            ScrollArea::both().auto_shrink(false).show(ui, |ui| {
                let whole = size + Vec2::splat(2.0 * MARGIN);
                let (_, area) = ui.allocate_space(whole.max(rect.size()));
                let at = Rect::from_center_size(area.center(), size);
                let faded = if is_pending { Color32::from_white_alpha(150) } else { Color32::WHITE };
                Image::new(SizedTexture::new(texture, size)).tint(faded).paint_at(ui, at);
                ui.painter().rect_stroke(at, 0.0, Stroke::new(1.0, Color32::GRAY), StrokeKind::Outside);
                let response = ui.interact(at, ui.scope_id().with("page"), Sense::hover());
                let (width, height) = page.size_in;
                let name = format!("Preview of the figure, {width:.2} x {height:.2} inches");
                response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
            });
        });
        if is_pending {
            let font = FontId::proportional(TextStyle::Body.resolve(ui.style()).size);
            let corner = rect.right_top() + vec2(-STEP, STEP);
            ui.painter().text(corner, Align2::RIGHT_TOP, "drawing...", font, ui.visuals().weak_text_color());
        }
    }

    fn zoom_ui(&mut self, ui: &mut Ui) {
        for (zoom, name, explanation) in [
            (PageZoom::Whole, "Whole page", "The page as large as there is room for it."),
            (PageZoom::Times(1.0), "As on paper", "An inch of the page is 96 points of the screen."),
            (PageZoom::Times(3.0), "3 x", "Three times the size on paper."),
        ] {
            ui.selectable_value(&mut self.zoom, zoom, name).on_hover_text(explanation);
        }
        ui.separator();
    }

    /// Size on paper, size of the file, how much was searched.
    fn facts_ui(
        &self,
        ui: &mut Ui,
        view: Option<&FigureView>,
        page: Option<&FigurePage>,
        has_failed: bool,
    ) -> bool {
        if let Some((done, total)) = view.and_then(|view| view.embedding) {
            ui.label(format!("embedding {} of {}", thousands(done), count(total, "patch")));
            return false;
        }
        if has_failed {
            return ui.small_button("Try again").clicked();
        }
        let Some(page) = page else { return false };
        ui.label(facts(page)).on_hover_text("Size on paper (an inch has 72 points), and of the file.");
        if let Some(warning) = paper_words(page.size_in) {
            let color = theme::warning(ui.visuals().dark_mode).0;
            ui.colored_label(color, "taller than paper").on_hover_text(warning);
        }
        if let Some(lacking) = &page.lacking {
            let color = theme::warning(ui.visuals().dark_mode).0;
            ui.colored_label(color, "the font lacks characters").on_hover_text(lacking);
        }
        let Some((searched, total)) = page.searched.filter(|(searched, total)| searched < total) else {
            return false;
        };
        ui.label(format!("over {} of {} patches", thousands(searched), thousands(total)));
        let again = ui.small_button("Search again");
        again
            .on_hover_text("The data set is still being embedded; more patches may be there by now.")
            .clicked()
    }
}

/// "6.75 × 3.42 in · 486 × 246 pt · PDF, 182 kB".
fn facts(page: &FigurePage) -> String {
    let (width, height) = page.size_in;
    let format = match page.format {
        Format::Pdf => "PDF".to_owned(),
        Format::Svg => "SVG".to_owned(),
        Format::Png { dpi } => {
            let pixels = |inches: f32| thousands((inches * dpi as f32).round() as u32);
            format!("PNG of {} \u{d7} {} pixels", pixels(width), pixels(height))
        }
    };
    let size = match page.bytes {
        0..1_000_000 => format!("{} kB", page.bytes.div_ceil(1000)),
        bytes => format!("{:.1} MB", bytes as f64 / 1e6),
    };
    format!(
        "{width:.2} \u{d7} {height:.2} in \u{b7} {:.0} \u{d7} {:.0} pt \u{b7} {format}, {size}",
        width * 72.0,
        height * 72.0
    )
}

fn page(desk: &Desk) -> Option<std::sync::Arc<FigurePage>> {
    desk.session.snapshot().views.figure.as_ref().and_then(|view| view.page.clone())
}
