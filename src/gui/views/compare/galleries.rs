//! The galleries of both models, and what they have in common.

use std::collections::HashMap;
use std::sync::Arc;

use eframe::egui::{Label, Rect, RichText, Ui};

use super::blocks::Blocks;
use super::maps::SpaceMaps;
use crate::engine::{CompareView, ComparedGalleries, GalleryView};
use crate::gui::desk::Desk;
use crate::gui::nouns::text::thousands;
use crate::gui::paint::textures::GalleryAtlases;
use crate::gui::paint::theme;
use crate::gui::panels::gallery::{self, ComparedWith, PaintedGallery};
use crate::gui::widgets::place::heading_ui;
use crate::patch::PatchRef;
use crate::words::sample_words;

/// The galleries of A and B.
#[derive(Default)]
pub struct GalleryPair {
    atlases: [GalleryAtlases; 2],
    ranks: Ranks,
    /// The neighbour under the pointer in the last frame: it is marked in both galleries.
    pointed: Option<PatchRef>,
}

/// Ranks of the neighbours in each gallery, made anew when the galleries change.
#[derive(Default)]
struct Ranks {
    made_of: Option<Arc<ComparedGalleries>>,
    /// By space, of A and B.
    by_space: HashMap<String, [HashMap<PatchRef, usize>; 2]>,
}

impl GalleryPair {
    /// Draws both galleries of each space, and what they have in common above them.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        desk: &mut Desk,
        blocks: &Blocks,
        compare: &CompareView,
        maps: &[SpaceMaps],
    ) {
        let snapshot = desk.session.snapshot().clone();
        let Some(galleries) = &compare.galleries else { return };
        let is_current = snapshot.query.as_ref().is_some_and(|query| query.id == galleries.a.query_id);
        let pending = desk.session.is_query_pending() || !is_current || galleries.step != compare.wanted;
        self.ranks.update(galleries);
        let neighbours = snapshot.config.as_ref().map_or(0, |config| config.neighbours);
        let mut pointed = None;
        for (model, view) in [&galleries.a, &galleries.b].into_iter().enumerate() {
            let atlases = self.atlases[model].of(ui.ctx(), view);
            for (index, gallery) in view.spaces.iter().enumerate() {
                let Some(space) = maps.iter().position(|maps| maps.space == gallery.space) else { continue };
                let owner = ["A", "B"][model];
                let ranks = self.ranks.of(&gallery.space, 1 - model);
                let compared = ranks.map(|ranks| ComparedWith { ranks, pointed: self.pointed });
                let atlas = &atlases[index];
                let painted =
                    PaintedGallery { gallery, view, atlas, pending, owner, columns: None, compared };
                pointed = gallery::painted_ui(ui, desk, blocks.gallery(space, model), neighbours, &painted)
                    .or(pointed);
            }
        }
        self.pointed = pointed;
        for (space, maps) in maps.iter().enumerate() {
            overlap_ui(ui, blocks.words(space), galleries, &maps.space, &galleries.b, pending);
        }
    }
}

impl Ranks {
    fn update(&mut self, galleries: &Arc<ComparedGalleries>) {
        if self.made_of.as_ref().is_some_and(|made_of| Arc::ptr_eq(made_of, galleries)) {
            return;
        }
        self.by_space.clear();
        for (model, view) in [&galleries.a, &galleries.b].into_iter().enumerate() {
            for gallery in &view.spaces {
                let ranks = gallery.neighbours.iter().enumerate().map(|(rank, hit)| (hit.patch, rank + 1));
                self.by_space.entry(gallery.space.clone()).or_default()[model] = ranks.collect();
            }
        }
        self.made_of = Some(galleries.clone());
    }

    /// Of the gallery of `space` under `model`.
    fn of(&self, space: &str, model: usize) -> Option<&HashMap<PatchRef, usize>> {
        self.by_space.get(space).map(|ranks| &ranks[model])
    }
}

/// How much the galleries of a space have in common.
fn overlap_ui(
    ui: &mut Ui,
    rect: Rect,
    galleries: &ComparedGalleries,
    space: &str,
    view: &GalleryView,
    pending: bool,
) {
    let Some((_, overlap)) = galleries.overlaps.iter().find(|(name, _)| name == space) else { return };
    let color = theme::space(space, ui.visuals().dark_mode);
    let reach = format!("{} of {} patches", thousands(view.searched), thousands(view.total));
    heading_ui(ui, rect, |ui| {
        let text = format!("{space} overlap@{} {:.2}", overlap.k, overlap.share());
        let strong = RichText::new(text).strong().color(color);
        let label = ui.label(if pending { strong.weak() } else { strong });
        let details = format!("by chance {:.2} \u{b7} over {reach}", overlap.chance());
        let rest = ui.add(Label::new(RichText::new(details).weak()).truncate());
        let (images, total) = galleries.images;
        let explanation = format!(
            "{} of the {} nearest patches are found by both models, over {reach} of {}. Two lists at \
             random would share {:.1} %. A patch is the same if image and place are; one that is shifted by a \
             stride is another, however much they overlap. Equal cosines are settled by the order of the images. \
             What both find has a light dot in its corner.",
            thousands(overlap.common),
            thousands(overlap.k),
            sample_words(images, total, 0),
            100.0 * overlap.chance(),
        );
        label.on_hover_text(&explanation);
        rest.on_hover_text(explanation);
    });
}
