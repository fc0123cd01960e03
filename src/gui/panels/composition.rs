//! What a gallery is made of: the shares of same image, same class and other class by rank.

use eframe::egui::{Align2, Color32, Id, Rect, Role, Sense, Stroke, TextStyle, Ui, WidgetInfo, pos2};

use crate::colormap;
use crate::engine::{Gallery, Relation};
use crate::gui::paint::theme::{STEP, rgb};

use super::neighbour::relation_text;

/// Groups of ranks at most.
const GROUPS: usize = 24;

/// From the bottom of a bar upwards.
const ORDER: [Relation; 4] =
    [Relation::SameImage, Relation::SameClass, Relation::OtherClass, Relation::OtherImage];

/// Number of neighbours of each kinship, in [`ORDER`], in equal groups of ranks.
fn groups(relations: &[Relation]) -> Vec<[usize; 4]> {
    let size = relations.len().div_ceil(GROUPS).max(1);
    let counts = |group: &[Relation]| ORDER.map(|kind| group.iter().filter(|other| **other == kind).count());
    relations.chunks(size).map(counts).collect()
}

fn color(relation: Relation) -> Color32 {
    match relation {
        Relation::SameImage => Color32::from_gray(128),
        Relation::SameClass => rgb(colormap::SAME_CLASS),
        Relation::OtherClass => rgb(colormap::OTHER_CLASS),
        Relation::OtherImage => rgb(colormap::UNLABELLED),
    }
}

/// "same image 12 %, same class 60 %, other class 28 %": the shares of a whole gallery.
pub fn shares_text(gallery: &Gallery) -> String {
    let all = gallery.neighbours.len().max(1) as f64;
    let share = |relation: Relation| {
        let part = gallery.neighbours.iter().filter(|hit| hit.relation == relation).count();
        (part > 0).then(|| format!("{} {:.0} %", relation_text(relation), 100.0 * part as f64 / all))
    };
    ORDER.into_iter().filter_map(share).collect::<Vec<_>>().join(", ")
}

/// Draws the shares from the nearest (left) to the farthest neighbour (right): same image at the bottom,
/// then same class, then other class, split by light lines so that they read without colour. `name` tells the
/// gallery from others on show.
pub fn by_rank_ui(ui: &mut Ui, rect: Rect, gallery: &Gallery, name: &str) {
    let response = ui.interact(rect, Id::unique("shares").with(name), Sense::hover());
    let text = format!("{name} shares by rank: {}", shares_text(gallery));
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &text));
    let font = TextStyle::Small.resolve(ui.style());
    let label = ui.painter().text(
        rect.left_center(),
        Align2::LEFT_CENTER,
        "by rank",
        font,
        ui.visuals().weak_text_color(),
    );
    let rect = rect.with_min_x(label.right() + STEP / 2.0);
    let relations: Vec<Relation> = gallery.neighbours.iter().map(|hit| hit.relation).collect();
    let groups = groups(&relations);
    let width = rect.width() / groups.len().max(1) as f32;
    for (index, counts) in groups.iter().enumerate() {
        let all = counts.iter().sum::<usize>().max(1) as f32;
        let left = rect.left() + index as f32 * width;
        let mut bottom = rect.bottom();
        for (relation, count) in ORDER.into_iter().zip(counts).filter(|(_, count)| **count > 0) {
            let top = bottom - *count as f32 / all * rect.height();
            let part = Rect::from_min_max(pos2(left, top), pos2(left + width - 1.0, bottom));
            ui.painter().rect_filled(part, 0.0, color(relation));
            ui.painter().hline(part.x_range(), top, Stroke::new(1.0, ui.visuals().panel_fill));
            bottom = top;
        }
    }
    response.on_hover_text(format!(
        "{text}\nFrom the nearest (left) to the farthest neighbour (right), in groups of {}; from the bottom: same \
         image, same class, other class.",
        relations.len().div_ceil(GROUPS).max(1)
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_neighbour_counts_in_the_group_of_its_rank() {
        let mut relations = vec![Relation::SameImage; 5];
        relations.extend([Relation::OtherClass; 114]);
        let groups = groups(&relations);
        assert_eq!(groups.len(), 24);
        assert_eq!((groups[0], groups[1], groups[23]), ([5, 0, 0, 0], [0, 0, 5, 0], [0, 0, 4, 0]));
        assert!(super::groups(&[]).is_empty());
    }
}
