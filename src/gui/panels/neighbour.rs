//! A neighbour looked at closely: its whole image with the patch marked, and all that is known of it.

use eframe::egui::{
    Align2, Color32, Pos2, Rect, RichText, Sense, Stroke, StrokeKind, TextStyle, Ui, Vec2, pos2,
};

use crate::engine::{Command, Neighbour, Relation};
use crate::gui::desk::Desk;
use crate::gui::memory::sources::SourceState;
use crate::gui::nouns::text::thousands;
use crate::gui::paint::marks;
use crate::gui::paint::pane::Viewpoint;
use crate::gui::paint::theme;
use crate::patch::PatchRef;

/// Side of the place for the image, points.
const SIDE: f32 = 168.0;

/// Cosine, class and kinship of a neighbour on one line.
pub fn neighbour_text(neighbour: &Neighbour) -> String {
    let lost = if neighbour.is_readable { "" } else { ", its image cannot be read any more" };
    let copies = match neighbour.copies {
        1 => String::new(),
        copies => format!(", {copies} copies"),
    };
    format!("cosine {:.3}, {}{copies}{lost}", neighbour.cosine, kin_text(neighbour, ", "))
}

/// Which other images it stands for: "3 copies, the same pixels as b.png, c.png".
fn copies_text(neighbour: &Neighbour) -> Option<String> {
    let names = neighbour.copy_names.join(", ");
    let text = format!("{} copies, the same pixels as {names}", thousands(neighbour.copies));
    let more = match (neighbour.copies - 1).saturating_sub(neighbour.copy_names.len()) {
        0 => String::new(),
        more => format!(" and {} more", thousands(more)),
    };
    (neighbour.copies > 1).then(|| text + &more)
}

/// Class, if there are any, and kinship.
fn kin_text(neighbour: &Neighbour, between: &str) -> String {
    let class = neighbour.class.as_ref().map_or(String::new(), |class| format!("{class}{between}"));
    format!("{class}{}", relation_text(neighbour.relation))
}

/// A kinship in words.
pub fn relation_text(relation: Relation) -> &'static str {
    match relation {
        Relation::SameImage => "same image",
        Relation::SameClass => "same class",
        Relation::OtherClass => "other class",
        Relation::OtherImage => "other image",
    }
}

/// Its cosine in each space that is known, `space` first: "z 0.91 · h 0.42".
fn cosines_text(space: &str, neighbour: &Neighbour) -> String {
    let own = std::iter::once((space, neighbour.cosine));
    let others = neighbour.in_other_spaces.iter().map(|(space, cosine)| (space.as_str(), *cosine));
    let texts = own.chain(others).map(|(space, cosine)| format!("{space} {cosine:.2}"));
    texts.collect::<Vec<_>>().join(" \u{b7} ").replace('-', "\u{2212}")
}

/// The neighbour that is looked at, in its gallery.
pub struct LookedAt<'a> {
    /// What the gallery is called.
    pub gallery: &'a str,
    /// The gallery's space.
    pub space: &'a str,
    /// Its rank there, from 1.
    pub rank: usize,
    /// The neighbour itself.
    pub neighbour: &'a Neighbour,
    /// Its rank in the gallery that this one is compared with, if there is one and it is in it.
    pub rank_there: Option<Option<usize>>,
}

impl LookedAt<'_> {
    /// What there is to know of it.
    pub fn ui(&self, ui: &mut Ui, desk: &mut Desk) {
        let Self { gallery, space, rank, neighbour, rank_there } = *self;
        ui.label(RichText::new(format!("{gallery} {rank} \u{b7} cosine {:.4}", neighbour.cosine)).strong());
        if !neighbour.in_other_spaces.is_empty() {
            ui.label(cosines_text(space, neighbour));
        }
        match rank_there {
            Some(Some(rank)) => drop(ui.label(format!("Number {} under the other model.", thousands(rank)))),
            Some(None) => drop(ui.label("Not among the nearest of the other model.")),
            None => {}
        }
        if neighbour.is_readable {
            source_ui(ui, desk, neighbour.patch, Some(neighbour.relation));
        }
        let patch = neighbour.patch;
        ui.label(format!("image {} \u{b7} {}", thousands(patch.image as usize), neighbour.image_name));
        copies_text(neighbour).into_iter().for_each(|text| drop(ui.label(text)));
        ui.label(kin_text(neighbour, " \u{b7} "));
        ui.label(format!("{0} x {0} px, y {1}, x {2}", patch.size, patch.y, patch.x));
        match neighbour.is_readable {
            true => ui.weak("Click to go there; Shift adds it to the query, Alt subtracts it."),
            false => ui.colored_label(ui.visuals().warn_fg_color, "Its image cannot be read any more."),
        };
    }
}

/// The image that the patch was cut from, with its place.
pub fn source_ui(ui: &mut Ui, desk: &mut Desk, patch: PatchRef, relation: Option<Relation>) {
    let Some(data) = desk.session.data_id() else { return };
    let (index, now) = (patch.image as usize, ui.input(|input| input.time));
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(SIDE), Sense::hover());
    let painter = ui.painter_at(rect);
    painter.rect_filled(rect, 0.0, ui.visuals().faint_bg_color);
    let remark = match desk.sources.look(data, index, now) {
        SourceState::Ready(source) => {
            let placement = Viewpoint::default().placement(rect, source.size, ui.pixels_per_point());
            let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
            let texture = source.texture(ui.ctx(), placement.rect());
            painter.image(texture, placement.rect(), whole, Color32::WHITE);
            let place = placement.patch(patch);
            marks::hover_outline(&painter, place);
            relation.into_iter().for_each(|relation| marks::relation_marks(&painter, place, relation));
            return;
        }
        SourceState::Coming { ask } => {
            if ask {
                desk.session.send(Command::SourceImage { data, index });
            }
            "reading the image..."
        }
        SourceState::Lost => "The image cannot be read.",
    };
    let font = TextStyle::Body.resolve(ui.style());
    painter.text(rect.center(), Align2::CENTER_CENTER, remark, font, ui.visuals().weak_text_color());
}

/// The frame of the neighbour that is looked at.
pub fn pointed_frame(ui: &Ui, rect: Rect) {
    let stroke = Stroke::new(2.0, theme::accent(ui.visuals().dark_mode));
    ui.painter().rect_stroke(rect, 0.0, stroke, StrokeKind::Outside);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::image::Image;

    #[test]
    fn a_neighbour_says_its_cosine_in_each_space() {
        let neighbour = Neighbour {
            patch: PatchRef { image: 4, y: 0, x: 0, size: 8 },
            cosine: 0.914,
            in_other_spaces: vec![("h".into(), 0.42), ("pixels".into(), -0.1)],
            relation: Relation::SameClass,
            class: None,
            image_name: "4".into(),
            copies: 1,
            copy_names: vec![],
            pixels: Arc::new(Image::filled(8, 8, [0; 3])),
            is_readable: true,
        };
        let text = cosines_text("z", &neighbour);
        assert_eq!(copies_text(&neighbour), None);
        let copy_names = vec!["b.png".to_owned(), "c.png".to_owned()];
        let folded = Neighbour { copies: 4, copy_names, ..neighbour };
        assert_eq!(copies_text(&folded).unwrap(), "4 copies, the same pixels as b.png, c.png and 1 more");
        assert_eq!(neighbour_text(&folded), "cosine 0.914, same class, 4 copies");
        assert_eq!(text, "z 0.91 \u{b7} h 0.42 \u{b7} pixels \u{2212}0.10");
    }
}
