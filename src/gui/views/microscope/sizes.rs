//! The field in which the microscope's patch sizes are typed.

use eframe::egui::{Button, TextEdit, Ui};

use crate::engine::MOST_SIZES;
use crate::gui::desk::Desk;

/// The patch sizes: a list that can be typed, or those that suit the image.
#[derive(Default)]
pub struct SizesField {
    /// What stands in the field while it is edited.
    typed: Option<String>,
    /// What is wrong with what was typed last.
    problem: Option<String>,
}

impl SizesField {
    /// Draws the field, and what is wrong with it.
    pub fn ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        let now = sizes_on_show(desk);
        let label = ui.label("Patch sizes");
        let mut typed = self.typed.clone().unwrap_or_else(|| text_from_sizes(&now));
        let field = ui.add(TextEdit::singleline(&mut typed).desired_width(104.0)).labelled_by(label.id);
        let field = field.on_hover_text(format!(
            "Sides of the patches in pixels, a column for each, at most {MOST_SIZES}. Enter takes them."
        ));
        if field.changed() {
            self.typed = Some(typed);
        }
        if field.lost_focus()
            && let Some(typed) = self.typed.take()
        {
            match sizes_from_text(&typed) {
                Ok(sizes) if sizes == now => self.problem = None,
                Ok(sizes) => (desk.settings.microscope, self.problem) = (sizes, None),
                Err(problem) => self.problem = Some(problem),
            }
        }
        ui.label("px");
        let suit = "Sizes that suit the image: 14, 20, 26, 32 where it has 32 pixels, 32, 71, 100, 150 where it has 224.";
        let is_typed = !desk.settings.microscope.is_empty();
        if ui.add_enabled(is_typed, Button::new("By image size")).on_hover_text(suit).clicked() {
            desk.settings.microscope.clear();
            self.problem = None;
        }
        let left_out = left_out_text(desk);
        if let Some(problem) = self.problem.as_ref().or(left_out.as_ref()) {
            ui.colored_label(ui.visuals().warn_fg_color, problem);
        }
        let parts = desk.session.query().map_or(0, |query| query.parts.len());
        if parts > 1 {
            let text = format!("one place: the first of the query's {parts} parts on this image");
            ui.colored_label(ui.visuals().warn_fg_color, text);
        }
    }
}

/// Those that were typed, or that the engine chose.
fn sizes_on_show(desk: &Desk) -> Vec<u32> {
    match &desk.session.snapshot().views.microscope {
        Some(shown) if desk.settings.microscope.is_empty() => {
            shown.levels.iter().map(|level| level.grid.patch).collect()
        }
        _ => desk.settings.microscope.clone(),
    }
}

fn left_out_text(desk: &Desk) -> Option<String> {
    let snapshot = desk.session.snapshot();
    let (shown, view) = (snapshot.views.microscope.as_ref()?, snapshot.view.as_ref()?);
    let (sizes, image) = (text_from_sizes(&shown.left_out), &view.image);
    let fits = if shown.left_out.len() == 1 { "does" } else { "do" };
    let text = format!("{sizes} px {fits} not fit on {} x {} pixels", image.width(), image.height());
    (!shown.left_out.is_empty()).then_some(text)
}

fn text_from_sizes(sizes: &[u32]) -> String {
    sizes.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

/// The sizes that `text` lists.
///
/// # Errors
/// In words, what is no size, or that there are too many or none.
fn sizes_from_text(text: &str) -> Result<Vec<u32>, String> {
    let words = text.split([',', ';', '/', ' ']).map(|word| word.trim_end_matches("px"));
    let size = |word: &str| match word.parse() {
        Ok(size @ 1..=9999) => Ok(size),
        _ => Err(format!("\"{word}\" is no patch size: expected whole pixels, as in 14, 20, 26")),
    };
    let sizes = words.filter(|word| !word.is_empty()).map(size).collect::<Result<Vec<u32>, String>>()?;
    match sizes.len() {
        0 => Err("No patch size: expected whole pixels, as in 14, 20, 26".to_owned()),
        1..=MOST_SIZES => Ok(sizes),
        many => Err(format!("{many} patch sizes; expected at most {MOST_SIZES}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(sizes_from_text("14/20/26/32"), Ok(vec![14, 20, 26, 32]));
        assert_eq!(sizes_from_text(" 32, 71px,100 px "), Ok(vec![32, 71, 100]));
        assert!(sizes_from_text("14, big").unwrap_err().contains("\"big\""));
        assert!(sizes_from_text("0").is_err() && sizes_from_text(" ,").is_err());
        assert!(sizes_from_text("1 2 3 4 5 6 7 8 9").unwrap_err().contains("at most 8"));
    }
}
