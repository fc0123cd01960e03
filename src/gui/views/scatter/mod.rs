//! A map of all patches that the galleries search: points on a plane, the patches themselves where one zooms in, and a
//! gallery of those that an outline was drawn about.

mod canvas;
mod legend;
mod painter;
mod picked;

use eframe::egui::{Button, Checkbox, ComboBox, Label, Rect, RichText, Ui, vec2};

use self::canvas::Canvas;
use self::picked::PickedGallery;
use super::view::View;
use crate::engine::facts::{PatchPlane, PlaneWay};
use crate::engine::{Command, PointColor, SamplePhase, ScatterCommand, ScatterPlan, ShownPlane};
use crate::gui::desk::Desk;
use crate::gui::nouns::actions::keys_of;
use crate::gui::nouns::spaces::explain_space;
use crate::gui::nouns::text::{count, thousands};
use crate::gui::nouns::{Action, ExploreView};
use crate::gui::paint::theme::{self, STEP};
use crate::gui::panels::controls;
use crate::gui::panels::view_switch::switch_ui;
use crate::gui::widgets::messages::error_ui;
use crate::gui::widgets::place::empty_ui;

/// Share of the width that the gallery of picked patches takes, and its least width, points.
const PICKED: (f32, f32) = (0.3, 208.0);

/// The view's own state.
#[derive(Default)]
pub struct ScatterPanel {
    /// The space that was chosen; the first one where it is not on show.
    space: String,
    way: PlaneWay,
    color: PointColor,
    /// What the engine was last asked for.
    asked: Option<ScatterPlan>,
    canvas: Canvas,
    picked: PickedGallery,
}

impl View for ScatterPanel {
    fn which(&self) -> ExploreView {
        ExploreView::Scatter
    }

    fn sync(&mut self, desk: &mut Desk, is_on_show: bool) {
        let plan = is_on_show.then(|| self.plan(desk)).flatten();
        if plan != self.asked {
            desk.session.send(Command::Scatter(ScatterCommand::Follow(plan.clone())));
            self.asked = plan;
        }
    }

    fn reset(&mut self) {
        self.canvas.reset();
    }

    fn run(&mut self, _: &Desk, action: Action) -> bool {
        match action {
            Action::ToggleLasso => self.canvas.lasso = !self.canvas.lasso,
            Action::PickSeen => self.canvas.picks_seen = true,
            _ => return false,
        }
        true
    }

    fn ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        ui.horizontal_wrapped(|ui| {
            switch_ui(ui, desk);
            controls::spaces_ui(ui, desk);
            self.space_ui(ui, desk);
            self.way_ui(ui);
            self.color_ui(ui, desk);
        });
        let scatter = desk.session.snapshot().views.scatter.clone();
        let wanted = self.plan(desk).map(|plan| (plan.space, plan.way));
        let is_wanted = |plane: &PatchPlane| {
            wanted.as_ref().is_some_and(|(space, way)| (&plane.space, plane.way) == (space, *way))
        };
        let shown = scatter.plane.as_ref().filter(|shown| is_wanted(&shown.plane));
        let Some(shown) = shown else {
            if let SamplePhase::Failed(message) = &scatter.phase {
                error_ui(ui, &format!("The patches cannot be laid out: {message}"));
            }
            ui.horizontal_wrapped(|ui| self.canvas_controls_ui(ui, desk));
            let (_, area) = ui.allocate_space(ui.available_size());
            return empty_ui(ui, area, &remark(desk));
        };
        ui.horizontal_wrapped(|ui| {
            self.canvas_controls_ui(ui, desk);
            head_ui(ui, shown);
        });
        if let SamplePhase::Failed(message) = &scatter.phase {
            error_ui(ui, &format!("They cannot be coloured by {}: {message}", self.color.name()));
        }
        let tints =
            scatter.tints.as_ref().filter(|tints| tints.plane == shown.number && tints.color == self.color);
        legend::ui(ui, desk, self.color, tints.map(|tints| &tints.tints));
        let (_, area) = ui.allocate_space(ui.available_size());
        let picked = scatter.picked.as_ref().filter(|picked| picked.plane == shown.number);
        let plane_area = match picked {
            Some(picked) => {
                let width = (area.width() * PICKED.0).max(PICKED.1);
                let side = Rect::from_min_max(area.max - vec2(width, area.height()), area.max);
                self.picked.ui(ui, desk, side, picked);
                area.with_max_x(side.left() - STEP)
            }
            None => area,
        };
        self.canvas.ui(ui, desk, plane_area, (shown, tints));
    }
}

impl ScatterPanel {
    /// What is wanted, if there are spaces.
    fn plan(&self, desk: &Desk) -> Option<ScatterPlan> {
        let config = desk.session.snapshot().config.as_ref()?;
        let chosen = config.spaces.iter().find(|space| **space == self.space).or(config.spaces.first())?;
        Some(ScatterPlan { space: chosen.clone(), way: self.way, color: self.color })
    }

    fn space_ui(&mut self, ui: &mut Ui, desk: &Desk) {
        let Some(ScatterPlan { space: chosen, .. }) = self.plan(desk) else { return };
        let spaces =
            desk.session.snapshot().config.as_ref().map_or_else(Vec::new, |config| config.spaces.clone());
        controls::name_ui(ui, "Of", 72.0);
        let combo =
            ComboBox::from_id_salt("plane's space").width(64.0).selected_text(&chosen).show_ui(ui, |ui| {
                for space in spaces {
                    let words = explain_space(&space);
                    if ui.selectable_label(space == chosen, &space).on_hover_text(words).clicked() {
                        self.space = space;
                    }
                }
            });
        combo.response.accessible_name("Of").on_hover_text("The space whose vectors are laid out.");
    }

    fn way_ui(&mut self, ui: &mut Ui) {
        controls::name_ui(ui, "by", 76.0);
        let combo = ComboBox::from_id_salt("plane's way").width(64.0).selected_text(self.way.name());
        let combo = combo.show_ui(ui, |ui| {
            for way in PlaneWay::ALL {
                let words = match way {
                    PlaneWay::Pca => "The first two principal components: at once, of all patches.",
                    PlaneWay::Tsne => {
                        "t-SNE: keeps neighbours together, and distances between groups say nothing. Of 10,000 patches at most, \
                         within a minute."
                    }
                };
                ui.selectable_value(&mut self.way, way, way.name()).on_hover_text(words);
            }
        });
        combo.response.accessible_name("by").on_hover_text("What lays the patches out.");
    }

    fn color_ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        controls::name_ui(ui, "Colour", 84.0);
        let combo = ComboBox::from_id_salt("plane's colour").width(72.0).selected_text(self.color.name());
        let combo = combo.show_ui(ui, |ui| {
            for color in PointColor::ALL {
                let words = match color {
                    PointColor::Class => "The class of the patch's image.",
                    PointColor::Part => "The part at the patch's middle, where the data set knows parts.",
                    PointColor::Position => "Where in its image the patch lies.",
                    PointColor::Norm => "The length of the patch's vector, which cosines do not see.",
                    PointColor::Cosine => "The cosine of the patch to the query.",
                };
                ui.selectable_value(&mut self.color, color, color.name()).on_hover_text(words);
            }
        });
        combo.response.accessible_name("Colour").on_hover_text("What the points are coloured by.");
        if matches!(self.color, PointColor::Norm | PointColor::Cosine) {
            controls::colormap_ui(ui, desk);
        }
    }

    fn canvas_controls_ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        let keys = |action| keys_of(ui.ctx(), action);
        let (keys, all) = (keys(Action::ToggleLasso), keys(Action::PickSeen));
        let lasso = ui.selectable_label(self.canvas.lasso, "Lasso");
        let tip = format!(
            "Drag an outline about points to see their patches ({keys}); Shift and drag does the same at any time, and {all} \
             picks all that are in sight."
        );
        if lasso.on_hover_text(tip).clicked() {
            self.canvas.lasso = !self.canvas.lasso;
        }
        ui.add(Checkbox::new(&mut self.canvas.patches, "Patches")).on_hover_text(
            "Patches in place of points at any zoom, one for those around it; otherwise where few points are seen.",
        );
        let has = desk.session.snapshot().views.scatter.tints.is_some();
        let export = ui.add_enabled(has, Button::new("Export..."));
        let tip = "Writes the points as a figure, SVG, PDF or PNG, as bagssl scatter does.";
        if export.on_hover_text(tip).on_disabled_hover_text("Nothing is laid out yet.").clicked() {
            desk.todo.push(Action::ExportScatter);
        }
    }
}

/// What is laid out, over how much.
fn head_ui(ui: &mut Ui, shown: &ShownPlane) {
    let plane = &shown.plane;
    let color = theme::space(&plane.space, ui.visuals().dark_mode);
    let title =
        RichText::new(format!("{} \u{b7} {}", plane.space, way_words(plane.way))).strong().color(color);
    ui.label(title).on_hover_text(match plane.way {
        PlaneWay::Pca => {
            "Vectors at unit length less their mean, on the two directions in which they vary most; distances on the plane \
             are what these two see of them."
        }
        PlaneWay::Tsne => {
            "Patches whose vectors are near lie near; how far groups lie from one another, and how large they are, says \
             nothing (van der Maaten and Hinton 2008)."
        }
    });
    let (images, of) = shown.images;
    let mut words = format!("{} of {}", thousands(plane.rows.len()), count(shown.total, "patch"));
    if images < of {
        words += &format!(" \u{b7} {} of {}", thousands(images), count(of, "image"));
    } else {
        words += &format!(" \u{b7} {}", count(of, "image"));
    }
    match plane.way {
        PlaneWay::Pca => {
            if plane.fitted < plane.rows.len() {
                words += &format!(" \u{b7} axes from {}", thousands(plane.fitted));
            }
            let share = |c: usize| plane.axes.explained.get(c).map_or(0.0, |share| 100.0 * share);
            words += &format!(" \u{b7} {:.1} % + {:.1} % of the variance", share(0), share(1));
        }
        PlaneWay::Tsne => words += " \u{b7} perplexity 30, 1,000 steps, seed 0",
    }
    ui.add(Label::new(RichText::new(words).weak()).wrap());
}

fn way_words(way: PlaneWay) -> &'static str {
    match way {
        PlaneWay::Pca => "principal components",
        PlaneWay::Tsne => "t-SNE",
    }
}

/// What stands where nothing is laid out.
fn remark(desk: &Desk) -> String {
    if let Some(lacks) = desk.lacks() {
        return lacks;
    }
    if let SamplePhase::Running(Some(progress)) = &desk.session.snapshot().views.scatter.phase {
        let (done, total) = (thousands(progress.done as usize), thousands(progress.total as usize));
        return format!("{}: {done} of {total} {}...", progress.what, progress.unit);
    }
    match &desk.session.snapshot().extraction {
        Some(extraction) if extraction.patches.0 > 0 => "laying the patches out...".to_owned(),
        _ => "The plane appears as soon as the first patches are embedded.".to_owned(),
    }
}
