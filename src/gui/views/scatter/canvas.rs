//! The plane itself: points, patches, marks, and what the pointer and the keys do to them.

use std::collections::HashMap;
use std::sync::Arc;

use eframe::egui::emath::GuiRounding;
use eframe::egui::{
    Align2, Color32, EventFilter, Id, Key, Mesh, Modifiers, Painter, PointerButton, Pos2, Rect, Response,
    Role, Sense, Shape, Stroke, StrokeKind, TextStyle, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use super::painter::{DotsJob, DotsPainter, DrawnDots};
use crate::colormap;
use crate::engine::facts::PlaneWay;
use crate::engine::{Command, PointPictures, PointTints, Relation, ScatterCommand, ShownPlane};
use crate::gui::desk::Desk;
use crate::gui::nouns::text::{count, thousands};
use crate::gui::paint::dots::PlaneView;
use crate::gui::paint::marks;
use crate::gui::paint::textures::Atlas;
use crate::gui::paint::theme::{self, STEP};
use crate::gui::panels::gestures;
use crate::gui::panels::neighbour::source_ui;
use crate::patch::PatchRef;

/// Side of a patch, points.
const PATCH: f32 = 30.0;
/// Radius of the ring about a neighbour, points.
const RING: f32 = 3.5;
/// A point is under the pointer up to this distance, points.
const REACH: f32 = 8.0;
/// An outline has a corner at least so far from the last one, points.
const CORNER: f32 = 3.0;
/// Room for the words at the axes, points.
const AXIS: f32 = 18.0;
/// What an arrow key moves by, points, and what a key zooms by.
const STEP_BY_KEY: (f32, f32) = (60.0, 1.25);

/// The plane's own state.
#[derive(Default)]
pub struct Canvas {
    /// What is seen; none: all.
    view: Option<PlaneView>,
    /// The plane that is seen so: another one has other places.
    seen_of: Option<SeenPlane>,
    painter: DotsPainter,
    /// Whether dragging draws an outline.
    pub lasso: bool,
    /// Whether patches take the place of points at any zoom.
    pub patches: bool,
    /// Whether all points in sight are to be picked.
    pub picks_seen: bool,
    /// The outline that is being drawn, in the plane's coordinates.
    outline: Vec<[f32; 2]>,
    /// What the open menu is about.
    menu: Option<PatchRef>,
    atlas: Option<PatchAtlas>,
    /// Plane and points whose pixels were asked for last.
    asked: (u64, Vec<u32>),
}

/// What a plane is of: model and images, space, and what laid it out.
struct SeenPlane {
    model: String,
    images: String,
    space: String,
    way: PlaneWay,
}

impl SeenPlane {
    fn of(shown: &ShownPlane) -> Self {
        let (plane, spec) = (&shown.plane, &shown.spec);
        let (model, images) = (spec.model.hash.clone(), spec.data.fingerprint.clone());
        Self { model, images, space: plane.space.clone(), way: plane.way }
    }

    fn is_of(&self, shown: &ShownPlane) -> bool {
        let (plane, spec) = (&shown.plane, &shown.spec);
        let images = (&self.model, &self.images) == (&spec.model.hash, &spec.data.fingerprint);
        images && (&self.space, self.way) == (&plane.space, plane.way)
    }
}

/// The pixels of points on the GPU.
struct PatchAtlas {
    of: Arc<PointPictures>,
    atlas: Atlas,
    cells: HashMap<u32, usize>,
}

/// Where all is drawn.
struct PlanePlace<'a> {
    pane: Rect,
    view: PlaneView,
    shown: &'a ShownPlane,
}

impl PlanePlace<'_> {
    fn of(&self, point: usize) -> Pos2 {
        self.view.to_screen(self.pane, self.shown.plane.at[point])
    }
}

impl Canvas {
    /// Shows the whole plane again.
    pub fn reset(&mut self) {
        self.view = None;
    }

    /// Draws the plane into `area`.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        desk: &mut Desk,
        area: Rect,
        of: (&Arc<ShownPlane>, Option<&Arc<PointTints>>),
    ) {
        let (shown, tints) = of;
        let pixels_per_point = ui.pixels_per_point();
        let whole = Rect::from_min_max(area.min, area.max - vec2(0.0, AXIS));
        let pane = whole.with_min_x(area.left() + AXIS).round_to_pixels(pixels_per_point);
        if pane.width() < 40.0 || pane.height() < 40.0 {
            return;
        }
        let response = ui.interact(pane, Id::unique("plane"), Sense::CLICK | Sense::DRAG | Sense::FOCUSABLE);
        let text = format!("plane of {}: {}", shown.plane.space, count(shown.plane.rows.len(), "patch"));
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &text));
        // One that grew is the same.
        if self.seen_of.as_ref().is_none_or(|seen| !seen.is_of(shown)) {
            (self.view, self.seen_of) = (None, Some(SeenPlane::of(shown)));
        }
        self.navigate(ui, &response, pane, shown);
        let place = PlanePlace { pane, view: self.seen(pane, shown), shown };
        self.ask(ui, desk, &place, of);
        let painter = ui.painter_at(pane);
        ground_ui(ui, &painter, &place);
        let status = self.points_ui(ui, desk, &painter, &place, tints.is_some());
        axes_ui(ui, area, &place, &status);
        marks_ui(desk, &painter, &place);
        if std::mem::take(&mut self.picks_seen) {
            let outline = outline_of(place.view.seen(pane));
            desk.session.send(Command::Scatter(ScatterCommand::Pick { plane: shown.number, outline }));
        }
        self.outline_ui(ui, desk, &painter, &place, &response);
        self.pointer_ui(ui, desk, &painter, &place, &response, tints.map(|tints| tints.as_ref()));
        if response.has_focus() {
            theme::cursor_frame(ui, pane);
        }
    }

    fn seen(&self, pane: Rect, shown: &ShownPlane) -> PlaneView {
        self.view.unwrap_or_else(|| PlaneView::whole(shown.plane.index.extent(), pane.size()))
    }

    /// Wheel, pinch and keys zoom, dragging and arrows pan.
    fn navigate(&mut self, ui: &Ui, response: &Response, pane: Rect, shown: &ShownPlane) {
        let whole = PlaneView::whole(shown.plane.index.extent(), pane.size());
        let before = self.seen(pane, shown);
        let mut view = before;
        if let Some(pos) = response.hover_pos() {
            let factor = ui.input_mut(|input| {
                let wheel = std::mem::take(&mut input.smooth_scroll_delta);
                (wheel.y / 200.0).exp() * input.zoom_delta()
            });
            if factor != 1.0 {
                view.zoom_about(pane, pos, factor, &whole);
            }
        }
        if response.dragged() && !self.draws(ui, response) {
            view.pan(response.drag_delta());
        }
        if response.has_focus() {
            let filter =
                EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
            ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
            by_keys(ui, pane, &mut view, &whole);
        }
        if view != before {
            self.view = Some(view);
            ui.ctx().request_repaint();
        }
    }

    /// Whether dragging draws an outline now.
    fn draws(&self, ui: &Ui, response: &Response) -> bool {
        let is_primary = response.dragged_by(PointerButton::Primary);
        is_primary && (self.lasso || !self.outline.is_empty() || ui.input(|input| input.modifiers.shift))
    }

    /// Has the points drawn as they are seen, and the patches read that stand for them.
    fn ask(
        &mut self,
        ui: &Ui,
        desk: &Desk,
        place: &PlanePlace<'_>,
        of: (&Arc<ShownPlane>, Option<&Arc<PointTints>>),
    ) {
        let job = DotsJob {
            plane: of.0.clone(),
            tints: of.1.cloned(),
            colormap: desk.settings.colormap,
            dark: ui.visuals().dark_mode,
            view: place.view,
            pane: place.pane,
            pixels_per_point: ui.pixels_per_point(),
            patches: self.patches,
            patch_side: PATCH,
        };
        self.painter.ask(ui.ctx(), job);
        let number = place.shown.number;
        let Some((drawn, _)) = self.painter.shown(ui.ctx(), number) else { return };
        if !drawn.chosen.is_empty() && (self.asked.0 != number || self.asked.1 != drawn.chosen) {
            self.asked = (number, drawn.chosen.clone());
            let points = drawn.chosen.clone();
            desk.session.send(Command::Scatter(ScatterCommand::Pictures { plane: number, points }));
        }
    }

    /// Draws points and patches. Returns what is to be said of how many there are.
    fn points_ui(
        &mut self,
        ui: &Ui,
        desk: &Desk,
        painter: &Painter,
        place: &PlanePlace<'_>,
        is_tinted: bool,
    ) -> String {
        let number = place.shown.number;
        let newest = desk.session.snapshot().views.scatter.pictures.clone();
        if let Some(newest) = newest.filter(|newest| newest.plane == number) {
            let is_other = |known: &PatchAtlas| !Arc::ptr_eq(&known.of, &newest);
            if self.atlas.as_ref().is_none_or(is_other) {
                self.atlas = Some(PatchAtlas::new(ui, newest));
            }
        }
        let Some((drawn, texture)) = self.painter.shown(ui.ctx(), number) else {
            return "drawing...".to_owned();
        };
        let all = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
        painter.image(texture.id(), place.view.moved(place.pane, &drawn.job.view), all, Color32::WHITE);
        let patches = match &self.atlas {
            Some(atlas) if atlas.of.plane == number => atlas.ui(painter, place, drawn, is_tinted),
            _ => 0,
        };
        let seen = format!("{} in sight", count(drawn.seen, "patch"));
        match drawn.chosen.is_empty() {
            true => seen,
            false => format!("{seen}, {} of them as pictures", thousands(patches)),
        }
    }

    /// The outline that is drawn, and the one whose points are picked.
    fn outline_ui(
        &mut self,
        ui: &Ui,
        desk: &Desk,
        painter: &Painter,
        place: &PlanePlace<'_>,
        response: &Response,
    ) {
        if self.draws(ui, response)
            && let Some(pos) = response.interact_pointer_pos()
        {
            let far = |at: &[f32; 2]| (place.view.to_screen(place.pane, *at) - pos).length() >= CORNER;
            if self.outline.is_empty()
                && let Some(press) = ui.input(|input| input.pointer.press_origin())
            {
                self.outline.push(place.view.to_plane(place.pane, press));
            }
            if self.outline.last().is_none_or(far) {
                self.outline.push(place.view.to_plane(place.pane, pos));
            }
        }
        if response.drag_stopped() && !self.outline.is_empty() {
            let (plane, outline) = (place.shown.number, std::mem::take(&mut self.outline));
            desk.session.send(Command::Scatter(ScatterCommand::Pick { plane, outline }));
        }
        let accent = theme::accent(ui.visuals().dark_mode);
        let corners = |outline: &[[f32; 2]]| -> Vec<Pos2> {
            outline.iter().map(|at| place.view.to_screen(place.pane, *at)).collect()
        };
        let picked = desk.session.snapshot().views.scatter.picked.clone();
        if let Some(picked) =
            picked.filter(|picked| picked.plane == place.shown.number && self.outline.is_empty())
        {
            painter.add(Shape::closed_line(corners(&picked.outline), Stroke::new(1.5, accent)));
        }
        if self.outline.len() > 1 {
            painter.add(Shape::closed_line(corners(&self.outline), Stroke::new(1.5, accent)));
        }
    }

    /// What lies under the pointer, and what a click on it does.
    fn pointer_ui(
        &mut self,
        ui: &Ui,
        desk: &mut Desk,
        painter: &Painter,
        place: &PlanePlace<'_>,
        response: &Response,
        tints: Option<&PointTints>,
    ) {
        let plane = &place.shown.plane;
        let pointed = response.hover_pos().filter(|_| !response.dragged()).and_then(|pos| {
            let at = place.view.to_plane(place.pane, pos);
            self.patch_at(place, pos).or_else(|| plane.index.nearest(&plane.at, at, REACH / place.view.scale))
        });
        let patch = pointed.map(|point| plane.patches[point]);
        if response.secondary_clicked() {
            self.menu = patch;
        }
        if response.double_clicked() && patch.is_none() {
            self.reset();
        }
        let about = if response.context_menu_opened() { self.menu } else { patch };
        if let Some(about) = about {
            gestures::of_source(ui, desk, response, || about.into());
        }
        let Some(point) = pointed else { return };
        marks::hover_outline(painter, Rect::from_center_size(place.of(point), Vec2::splat(10.0)));
        if response.context_menu_opened() {
            return;
        }
        response.clone().on_hover_ui_at_pointer(|ui| {
            let patch = plane.patches[point];
            source_ui(ui, desk, patch, None);
            ui.label(format!("image {}", thousands(patch.image as usize)));
            let class = place.shown.class(point);
            class.into_iter().for_each(|class| drop(ui.label(class)));
            if let Some(tints) = tints
                && let Some(words) = tints.tints.words(point)
                && Some(words.as_str()) != class
            {
                ui.label(format!("{} {words}", tints.color.name()));
            }
            ui.label(format!("{0} x {0} px, y {1}, x {2}", patch.size, patch.y, patch.x));
            ui.weak("Click to make it the query; Shift adds it, Alt subtracts it.");
        });
    }

    /// The point whose picture lies at `pos`.
    fn patch_at(&mut self, place: &PlanePlace<'_>, pos: Pos2) -> Option<usize> {
        let atlas = self.atlas.as_ref().filter(|atlas| atlas.of.plane == place.shown.number)?;
        let (drawn, _) = self.painter.shown_last()?;
        if drawn.job.plane.number != place.shown.number {
            return None;
        }
        let holds = |point: &&u32| {
            let near = (place.of(**point as usize) - pos).abs();
            atlas.cells.contains_key(*point) && near.max_elem() <= PATCH / 2.0
        };
        // The last one lies on top.
        drawn.chosen.iter().rev().find(holds).map(|point| *point as usize)
    }
}

impl PatchAtlas {
    fn new(ui: &Ui, of: Arc<PointPictures>) -> Self {
        let pixels: Vec<_> = of.pictures.iter().map(|picture| &*picture.pixels).collect();
        let atlas = Atlas::of(ui.ctx(), "patches of the plane", &pixels);
        let cells = of.pictures.iter().enumerate().map(|(cell, picture)| (picture.point, cell)).collect();
        Self { of, atlas, cells }
    }

    /// Draws those that stand for others, in a frame of their colour where it says something. Returns how many.
    fn ui(&self, painter: &Painter, place: &PlanePlace<'_>, drawn: &DrawnDots, is_tinted: bool) -> usize {
        let mut mesh = Mesh::with_texture(self.atlas.texture.id());
        let mut frames = vec![];
        for point in &drawn.chosen {
            let Some(cell) = self.cells.get(point) else { continue };
            let rect = Rect::from_center_size(place.of(*point as usize), Vec2::splat(PATCH));
            let color = drawn.colors[*point as usize];
            let inside = if is_tinted { rect.shrink(2.0) } else { rect };
            // Frame by frame in the order of the patches, so that where they overlap the upper one is whole.
            if is_tinted {
                frames.push((rect, color));
            }
            mesh.add_rect_with_uv(inside, self.atlas.uv(*cell), Color32::WHITE);
        }
        let count = mesh.indices.len() / 6;
        for (rect, color) in frames {
            painter.rect_stroke(rect, 0.0, Stroke::new(2.0, color), StrokeKind::Inside);
        }
        painter.add(Shape::mesh(mesh));
        count
    }
}

/// Arrows pan, plus and minus zoom; nobody else sees these keys.
fn by_keys(ui: &Ui, pane: Rect, view: &mut PlaneView, whole: &PlaneView) {
    let (step, factor) = STEP_BY_KEY;
    let times = |key: Key| ui.input_mut(|input| input.count_and_consume_key(Modifiers::NONE, key)) as f32;
    let right = times(Key::ArrowLeft) - times(Key::ArrowRight);
    let down = times(Key::ArrowUp) - times(Key::ArrowDown);
    view.pan(vec2(right, down) * step);
    let closer = times(Key::Plus) + times(Key::Equals) - times(Key::Minus);
    if closer != 0.0 {
        view.zoom_about(pane, pane.center(), factor.powf(closer), whole);
    }
}

/// What lies below the points: a ground and lines through the mean.
fn ground_ui(ui: &Ui, painter: &Painter, place: &PlanePlace<'_>) {
    painter.rect_filled(place.pane, 2.0, ui.visuals().extreme_bg_color);
    let mean = place.view.to_screen(place.pane, [0.0, 0.0]);
    let stroke = ui.visuals().widgets.noninteractive.bg_stroke;
    painter.hline(place.pane.x_range(), mean.y, stroke);
    painter.vline(mean.x, place.pane.y_range(), stroke);
}

/// The corners of what is seen.
fn outline_of([low, high]: [[f32; 2]; 2]) -> Vec<[f32; 2]> {
    vec![low, [high[0], low[1]], high, [low[0], high[1]]]
}

/// The words at the axes, and right of those below the plane how much is in sight.
fn axes_ui(ui: &Ui, area: Rect, place: &PlanePlace<'_>, status: &str) {
    let words = |c: usize| place.shown.plane.axis_words(c);
    let (font, color) = (TextStyle::Small.resolve(ui.style()), ui.visuals().weak_text_color());
    let painter = ui.painter_at(area);
    let corner = area.right_bottom();
    let status = painter.text(corner, Align2::RIGHT_BOTTOM, status, font.clone(), color);
    let below = painter.layout_no_wrap(words(0), font.clone(), color);
    let room = (status.left() - STEP - place.pane.left()).max(0.0);
    // In the middle of the plane, or of what the other words leave.
    let left = (place.pane.center().x - below.size().x / 2.0).min(status.left() - STEP - below.size().x);
    if below.size().x <= room {
        painter.galley(pos2(left, area.bottom() - below.size().y), below, color);
    }
    let galley = painter.layout_no_wrap(words(1), font, color);
    let at = pos2(area.left(), place.pane.center().y + galley.size().x / 2.0);
    let text = eframe::epaint::TextShape::new(at, galley, color).with_angle(-std::f32::consts::FRAC_PI_2);
    painter.add(text);
}

/// The query, and its neighbours in the space of the plane.
fn marks_ui(desk: &Desk, painter: &Painter, place: &PlanePlace<'_>) {
    let snapshot = desk.session.snapshot();
    let plane = &place.shown.plane;
    let galleries = snapshot.galleries.as_ref();
    let gallery = galleries.and_then(|view| view.spaces.iter().find(|gallery| gallery.space == plane.space));
    for neighbour in gallery.iter().flat_map(|gallery| &gallery.neighbours) {
        let Some(point) = plane.point_of(neighbour.patch) else { continue };
        let color = match neighbour.relation {
            Relation::SameImage => [255; 3],
            Relation::SameClass => colormap::SAME_CLASS,
            Relation::OtherClass => colormap::OTHER_CLASS,
            Relation::OtherImage => colormap::UNLABELLED,
        };
        painter.circle_stroke(place.of(point), RING, Stroke::new(2.5, Color32::from_black_alpha(110)));
        painter.circle_stroke(place.of(point), RING, Stroke::new(1.5, theme::rgb(color)));
    }
    if let Some((_, at)) = &snapshot.views.scatter.query {
        let pos = place.view.to_screen(place.pane, *at);
        marks::query_dashes(painter, Rect::from_center_size(pos, Vec2::splat(3.0 * STEP)));
    }
}
