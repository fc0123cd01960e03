//! How runs and spaces are told apart in every panel: a hue says the space, a letter and a stroke say the run. Exported
//! figures follow the same rule.

use eframe::egui::{Color32, Rect, Shape, Stroke, Ui, Visuals};
use egui_plot::LineStyle;

use crate::engine::training::RunView;
use crate::gui::paint::theme;

/// A run that is drawn.
pub struct ShownRun<'a> {
    /// What is known of it.
    pub run: &'a RunView,
    /// What tells it from others.
    pub mark: RunMark,
}

/// What tells a run from others: its place in the list gives it a letter and a stroke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunMark(pub usize);

impl RunMark {
    /// Strokes by place, with their names; in the order of those of figures.
    const STROKES: [(LineStyle, &'static str); 5] = [
        (LineStyle::Solid, "solid"),
        (LineStyle::Dashed { length: 8.0 }, "dashed"),
        (LineStyle::Dotted { spacing: 4.0 }, "dotted"),
        (LineStyle::Dashed { length: 18.0 }, "in long dashes"),
        (LineStyle::Dotted { spacing: 9.0 }, "dotted wide"),
    ];
    /// Gap between dashes, in lengths of a dash, as plots draw them.
    const GAP: f32 = 0.618;

    /// At the end of the run's lines.
    pub fn letter(self) -> char {
        char::from(b'A' + (self.0 % 26) as u8)
    }

    /// Of the run's lines.
    pub fn stroke(self) -> LineStyle {
        Self::STROKES[self.0 % Self::STROKES.len()].0
    }

    /// The stroke in a word.
    pub fn stroke_word(self) -> &'static str {
        Self::STROKES[self.0 % Self::STROKES.len()].1
    }

    /// A piece of the run's line across `rect`.
    pub fn paint(self, ui: &Ui, rect: Rect, color: Color32) {
        let path = [rect.left_center(), rect.right_center()];
        let stroke = Stroke::new(1.5, color);
        let shapes = match self.stroke() {
            LineStyle::Solid => vec![Shape::line_segment(path, stroke)],
            LineStyle::Dashed { length } => Shape::dashed_line(&path, stroke, length, Self::GAP * length),
            LineStyle::Dotted { spacing } => Shape::dotted_line(&path, color, spacing, 1.0),
        };
        ui.painter().extend(shapes);
    }
}

/// The hue of a space's lines; lines of no space are in the ink of text.
pub fn hue(space: Option<&str>, visuals: &Visuals) -> Color32 {
    space.map_or(visuals.text_color(), |space| theme::space(space, visuals.dark_mode))
}
