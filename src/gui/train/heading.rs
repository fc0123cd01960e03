//! What stands above curves: the legend of all, and for each its title, unit and values. No number is ever cut:
//! what has no room goes to the next line.

use eframe::egui::text::{LayoutJob, TextFormat};
use eframe::egui::{Align, Color32, Layout, RichText, Role, Sense, TextStyle, Ui, WidgetInfo, vec2};

use super::metrics::PlotSpec;
use super::plotting::{number, short_number};
use super::shown::{RunMark, hue};
use super::smooth::CurveReading;
use crate::gui::nouns::spaces::name_of_space;

/// Width of a piece of line in the legend, points.
const PIECE: f32 = 22.0;
/// A space at which no line breaks.
const FIRM: char = '\u{a0}';

/// A line of a plot as its heading tells it.
pub struct HeadingValue {
    /// Run and space in full.
    pub name: String,
    /// Run and space in a few letters; empty where there is nothing to tell apart.
    pub tag: String,
    pub color: Color32,
    pub reading: Option<CurveReading>,
}

/// Run and space of a line in a few letters: the letter only where there are several runs.
pub fn tag(mark: RunMark, space: Option<&str>, runs: usize) -> String {
    match (runs > 1, space) {
        (true, Some(space)) => format!("{}{FIRM}{space}", mark.letter()),
        (true, None) => mark.letter().to_string(),
        (false, space) => space.unwrap_or_default().to_owned(),
    }
}

/// What hues say, and with several runs, what letters and strokes say.
pub fn legend_ui(ui: &mut Ui, runs: &[RunMark]) {
    for space in ["z", "h"] {
        let color = hue(Some(space), ui.visuals());
        piece_ui(ui, RunMark(0), color, &format!("{space}: {}, by its hue", name_of_space(space)));
        ui.label(RichText::new(space).color(color).strong());
    }
    if runs.len() > 1 {
        for mark in runs {
            let color = hue(None, ui.visuals());
            let words = format!("Run {}: {}", mark.letter(), mark.stroke_word());
            piece_ui(ui, *mark, color, &words);
            ui.label(RichText::new(mark.letter().to_string()).strong()).on_hover_text(words);
        }
    }
}

/// A piece of line as curves are drawn.
pub fn piece_ui(ui: &mut Ui, mark: RunMark, color: Color32, words: &str) {
    let (rect, response) = ui.allocate_exact_size(vec2(PIECE, 14.0), Sense::hover());
    mark.paint(ui, rect, color);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, words));
    response.on_hover_text(words);
}

/// Title, unit and values over as many lines as they need in `width`. `remark` says what is unusual about the plot.
pub fn heading_ui(ui: &mut Ui, spec: &PlotSpec, values: &[HeadingValue], remark: &str, width: f32) {
    let layout = Layout::left_to_right(Align::Center).with_main_wrap(true);
    ui.allocate_ui_with_layout(vec2(width, ui.spacing().interact_size.y), layout, |ui| {
        ui.set_width(width);
        let tip = tip(spec, values);
        ui.label(RichText::new(spec.heading()).strong()).on_hover_text(&tip);
        if values.iter().any(|value| value.reading.is_some()) {
            ui.label(words(ui, values)).on_hover_text(tip);
        }
        if !remark.is_empty() {
            ui.weak(remark);
        }
    });
}

/// The values in the colours of their lines, each of them in one piece.
fn words(ui: &Ui, values: &[HeadingValue]) -> LayoutJob {
    let font = TextStyle::Body.resolve(ui.style());
    let mut job = LayoutJob::default();
    for value in values {
        let Some(reading) = value.reading else { continue };
        let tag = if value.tag.is_empty() { String::new() } else { format!("{}{FIRM}", value.tag) };
        let gap = if job.is_empty() { "" } else { "  " };
        let text = format!("{gap}{tag}{}", short_number(reading.shown));
        job.append(&text, 0.0, TextFormat::simple(font.clone(), value.color));
    }
    job
}

/// What the number is, and every line by name with its value, measured and smoothed.
fn tip(spec: &PlotSpec, values: &[HeadingValue]) -> String {
    let line = |value: &HeadingValue| {
        let CurveReading { shown, measured, .. } = value.reading?;
        let measured = match shown == measured {
            true => String::new(),
            false => format!(" (running mean; measured {})", number(measured)),
        };
        Some(format!("{}: {}{measured}", value.name, number(shown)))
    };
    let help = (!spec.help.is_empty()).then(|| spec.help.to_owned());
    help.into_iter().chain(values.iter().filter_map(line)).collect::<Vec<_>>().join("\n")
}
