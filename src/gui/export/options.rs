//! The options of a figure: what it shows and how it looks.

use eframe::egui::{ComboBox, DragValue, RichText, TextEdit, Ui};

use crate::engine::{FigureKind, MapMode, defaults};
use crate::figure::{BUILT_IN_NAME, BoxPalette, Letters, TextAs};
use crate::gui::desk::Desk;
use crate::gui::nouns::spaces::name_of_space;
use crate::gui::paint::theme::STEP;
use crate::paths;

use super::ExportDialog;
use super::kinds::{KindRow, row};
use crate::gui::memory::figure_looks::ENDINGS;
use crate::gui::memory::files::FileWorker;
use crate::gui::widgets::whole::{DRAG, whole};

/// Column widths of journals, inches, and what they are.
const WIDTHS: [(f32, &str); 3] =
    [(3.25, "One column"), (5.5, "The text width of a one-column page"), (6.75, "Both columns")];
/// Resolutions of a PNG, pixels per inch.
const RESOLUTIONS: [u32; 3] = [150, 300, 600];
/// Numbers of neighbours that fill these cells with the query.
const NEIGHBOURS: [(usize, &str); 4] =
    [defaults::PART_CELLS, defaults::POSITION_CELLS, defaults::CELLS, defaults::MANY_CELLS];
/// Most neighbours of a query.
const MOST_NEIGHBOURS: usize = 1023;

impl ExportDialog {
    pub(super) fn options_ui(&mut self, ui: &mut Ui, desk: &Desk, files: &FileWorker) {
        self.kind_ui(ui, desk);
        ui.add_space(STEP);
        ui.label(RichText::new("Shows").weak());
        self.candidates.ui(ui, desk.session.snapshot().data.as_deref());
        self.spaces_ui(ui);
        self.both_ui(ui, desk);
        match self.kind {
            FigureKind::Heatmaps => self.maps_ui(ui, desk),
            _ => self.neighbours_ui(ui, desk),
        }
        ui.add_space(STEP);
        ui.label(RichText::new("Looks").weak());
        self.format_ui(ui);
        self.width_ui(ui);
        self.text_ui(ui);
        self.font_ui(ui, files);
        self.marks_ui(ui);
        self.names_ui(ui, desk);
    }

    fn kind_ui(&mut self, ui: &mut Ui, desk: &Desk) {
        let mut kind = self.kind;
        for value in FigureKind::ALL {
            let KindRow { name, explanation, .. } = row(value);
            ui.radio_value(&mut kind, value, name).on_hover_text(explanation);
        }
        self.choose_kind(kind, desk);
    }

    fn spaces_ui(&mut self, ui: &mut Ui) {
        ui.horizontal_wrapped(|ui| {
            ui.label("Spaces");
            for (space, is_wanted) in &mut self.spaces {
                ui.checkbox(is_wanted, space.as_str()).on_hover_text(name_of_space(space));
            }
        });
    }

    /// What a comparison shows: the open model, or both.
    fn both_ui(&mut self, ui: &mut Ui, desk: &Desk) {
        if self.other(desk).is_some() {
            ui.checkbox(&mut self.has_both, "Both models of the comparison").on_hover_text(
                "The panels of A, the open model, then those of B, over the patches that both have embedded. Without \
                 it: A alone.",
            );
        }
    }

    fn maps_ui(&mut self, ui: &mut Ui, desk: &Desk) {
        if self.levels.is_empty() {
            self.second_patch_ui(ui, desk);
        } else {
            ui.horizontal_wrapped(|ui| {
                ui.label("Patch sizes");
                for (grid, is_wanted) in &mut self.levels {
                    ui.checkbox(is_wanted, format!("{} px", grid.patch)).on_hover_text(
                        "A row of heatmaps with patches of this size, as the microscope shows.",
                    );
                }
            });
        }
        match desk.settings.mode {
            MapMode::Cosine => {}
            MapMode::Ranks => drop(ui.weak("Shown as ranks within the image.")),
            MapMode::Lengths => {
                drop(ui.weak("Shown as lengths of the vectors, of the longest in the image."))
            }
            MapMode::Difference if self.beside(desk).is_some() => {
                drop(ui.weak("Shown as the cosine of A less that of B."))
            }
            MapMode::Difference => drop(ui.weak("Shown as the difference of the first space to each other.")),
            MapMode::Pictures => drop(ui.weak("Pictures of the spaces have no figure: cosines are shown.")),
        }
    }

    /// Fig 4 of the paper has two rows, at two patch sizes.
    fn second_patch_ui(&mut self, ui: &mut Ui, desk: &Desk) {
        let Some(config) = desk.session.config() else { return };
        let view = desk.session.snapshot().view.clone();
        let side = view.map_or(224, |view| view.image.width().min(view.image.height()));
        let proposed = defaults::large_patch(defaults::patch(side), side).max(1);
        ui.horizontal(|ui| {
            let mut has_second = self.second_patch.is_some();
            ui.checkbox(&mut has_second, format!("{} px and also patches of", config.grid.patch))
                .on_hover_text(
                    "A further row of heatmaps with patches of another size, as in Fig. 4 of the paper.",
                );
            self.second_patch = has_second.then(|| self.second_patch.unwrap_or(proposed));
            if let Some(patch) = &mut self.second_patch {
                let patch = whole(ui, patch, DRAG).range(1..=side.max(1));
                ui.add(patch.suffix(" px"));
            }
        });
    }

    fn neighbours_ui(&mut self, ui: &mut Ui, desk: &Desk) {
        ui.horizontal_wrapped(|ui| {
            let label = ui.label("Neighbours");
            let field = whole(ui, &mut self.neighbours, DRAG).range(1..=MOST_NEIGHBOURS);
            ui.add(field).labelled_by(label.id);
            for (number, cells) in NEIGHBOURS {
                ui.selectable_value(&mut self.neighbours, number, cells).on_hover_text(format!(
                    "{number} neighbours: with the query they fill {cells} cells, as in the paper's figures."
                ));
            }
        });
        let snapshot = desk.session.snapshot();
        let classes = snapshot.data.as_ref().map_or(&[][..], |data| &data.classes);
        let words = desk.session.config().map_or_else(Vec::new, |config| config.filter.words(classes));
        if !words.is_empty() {
            ui.weak(format!("As on show: {}.", words.join(", ")));
        }
    }

    fn format_ui(&mut self, ui: &mut Ui) {
        ui.horizontal(|ui| {
            ui.label("Format");
            for ending in ENDINGS {
                let is_chosen =
                    self.typed_path().extension().is_some_and(|now| now.eq_ignore_ascii_case(ending));
                if ui.selectable_label(is_chosen, ending.to_uppercase()).clicked() {
                    self.path = paths::to_words(&self.typed_path().with_extension(ending));
                    self.choices.format = ending.to_owned();
                }
            }
        });
        ui.horizontal(|ui| {
            let explanation = "Pixels per inch of a PNG, and of what is copied. PDF and SVG have none.";
            let label = ui.label("Resolution").on_hover_text(explanation);
            let value = whole(ui, &mut self.choices.dpi, DRAG).range(36..=2400).suffix(" dpi");
            ui.add(value).labelled_by(label.id).on_hover_text(explanation);
            for dpi in RESOLUTIONS {
                ui.selectable_value(&mut self.choices.dpi, dpi, dpi.to_string());
            }
        });
    }

    /// What text is, of an SVG.
    fn text_ui(&mut self, ui: &mut Ui) {
        if !self.typed_path().extension().is_some_and(|ending| ending.eq_ignore_ascii_case("svg")) {
            return;
        }
        ui.horizontal(|ui| {
            ui.label("Text");
            ui.selectable_value(&mut self.choices.text, TextAs::Outlines, "Outlines")
                .on_hover_text("Text as paths: it looks the same wherever the file is opened.");
            ui.selectable_value(&mut self.choices.text, TextAs::Font, "Font")
                .on_hover_text("Text that can be edited; the font must be there where it is opened.");
        });
    }

    /// The font file, taken when the field is left: half a path is no font.
    fn font_ui(&mut self, ui: &mut Ui, files: &FileWorker) {
        ui.horizontal(|ui| {
            let label = ui.label("Font file");
            let field = TextEdit::singleline(&mut self.font).desired_width(110.0).hint_text(BUILT_IN_NAME);
            let field = ui.add(field).labelled_by(label.id).on_hover_text(
                "A font file (.ttf, .otf) for all text; characters that it lacks are drawn in the program's own \
                 font. Empty: that font.",
            );
            if field.lost_focus() {
                self.choices.font = self.font.trim().to_owned();
            }
            if ui.button("Browse...").on_hover_text("Choose a font file.").clicked() {
                files.pick_font();
            }
        });
    }

    fn width_ui(&mut self, ui: &mut Ui) {
        ui.horizontal(|ui| {
            let label = ui.label("Width");
            let value =
                DragValue::new(&mut self.choices.width_in).range(1.0..=40.0).speed(0.05).suffix(" in");
            ui.add(value).labelled_by(label.id).on_hover_text("Width on paper, inches.");
            for (width, explanation) in WIDTHS {
                ui.selectable_value(&mut self.choices.width_in, width, width.to_string())
                    .on_hover_text(explanation);
            }
        });
    }

    fn marks_ui(&mut self, ui: &mut Ui) {
        let choices = &mut self.choices;
        ui.horizontal(|ui| {
            ui.label("Box colours");
            ui.selectable_value(&mut choices.palette, BoxPalette::Paper, "Paper's")
                .on_hover_text("Green, red, and red dashes for the query (Appendix E of the paper).");
            ui.selectable_value(&mut choices.palette, BoxPalette::Safe, "Colour-blind safe").on_hover_text(
                "Blue, vermilion, and black dashes for the query; the signs in the corners stay.",
            );
        });
        ui.horizontal(|ui| {
            let label = ui.label("Letters");
            let name = |letters| match letters {
                Letters::Rows => "for several queries",
                Letters::Panels => "for every panel",
                Letters::Off => "none",
            };
            let combo = ComboBox::from_id_salt("letters").width(140.0).selected_text(name(choices.letters));
            let combo = combo.show_ui(ui, |ui| {
                for letters in [Letters::Rows, Letters::Panels, Letters::Off] {
                    ui.selectable_value(&mut choices.letters, letters, name(letters));
                }
            });
            combo.response.labelled_by(label.id).on_hover_text("Which panels bear (a), (b), ...");
        });
        ui.horizontal(|ui| {
            let most = row(self.kind).most_across;
            if most > 0 {
                let label = ui.label("Side by side");
                let value =
                    whole(ui, &mut choices.across, DRAG).range(0..=most).custom_formatter(|value, _| {
                        if value == 0.0 { "automatic".into() } else { format!("{value}") }
                    });
                ui.add(value)
                    .labelled_by(label.id)
                    .on_hover_text("Queries next to each other; 0 picks a number.");
            }
        });
        ui.checkbox(&mut choices.facts, "Facts below (patches, model, data)").on_hover_text(
            "Geometry, model and data set in small print. The caption has them in any case, and what is left out \
             is always said.",
        );
        if self.kind.has_neighbours() {
            ui.checkbox(&mut choices.shares, "Shares by rank").on_hover_text(
                "A strip below each gallery: share of same image, same class and other class by rank.",
            );
        }
    }
}
