//! What is kept of what was embedded: how much of the disk it takes and may take, and clearing it.

use eframe::egui::{Button, Context, DragValue, Grid, Id, Label, Modal, RichText, ScrollArea, Ui};

use crate::engine::facts::{CacheUse, VectorCache};
use crate::gui::memory::files::{FileWorker, FoundFile};
use crate::gui::memory::settings::{MOST_GIB, Settings};
use crate::gui::nouns::text::count;
use crate::gui::paint::theme::{STEP, overlay_frame};
use crate::paths;

const GIB: f64 = (1u64 << 30) as f64;
/// Width of what stands beside a name, points.
const VALUES: f32 = 400.0;

/// Where the window keeps vectors, and who says how much.
#[derive(Clone)]
pub struct KeptVectors {
    /// Nowhere if no home is known.
    cache: Option<VectorCache>,
    /// Whether it was said for this start.
    is_told: bool,
}

impl KeptVectors {
    /// In `cache`, with the limit of this start if it `is_told`.
    pub fn new(cache: Option<VectorCache>, is_told: bool) -> Self {
        Self { cache, is_told }
    }

    /// Holds the vectors to what is set, unless this start was told otherwise.
    pub fn follow(&self, settings: &Settings) {
        if let Some(cache) = self.cache.as_ref().filter(|_| !self.is_told) {
            cache.set_most_bytes((settings.kept_vectors_gib * GIB) as u64);
        }
    }

    /// Asks what they take.
    fn measure(&self, files: &FileWorker) {
        self.cache.iter().for_each(|cache| files.measure_vectors(cache.clone()));
    }

    /// Removes those that are too many, or `all`.
    fn remove(&self, files: &FileWorker, all: bool) {
        self.cache.iter().for_each(|cache| files.remove_vectors(cache.clone(), all));
    }
}

/// The dialog.
pub struct VectorsDialog {
    kept: KeptVectors,
    /// As last found.
    usage: Option<CacheUse>,
    /// What there was before the rest was cleared.
    before: Option<CacheUse>,
    /// The setting when it was opened, GiB.
    earlier_gib: f64,
}

impl VectorsDialog {
    /// Asks what there is.
    pub fn new(kept: &KeptVectors, files: &FileWorker, settings: &Settings) -> Self {
        kept.measure(files);
        let earlier_gib = settings.kept_vectors_gib;
        Self { kept: kept.clone(), usage: None, before: None, earlier_gib }
    }

    /// Takes what was found out.
    pub fn take_found(&mut self, found: &FoundFile) {
        if let FoundFile::KeptVectors(usage) = found {
            self.usage = Some(*usage);
        }
    }

    /// Draws it over the window. Returns whether it is to be closed.
    pub fn ui(&mut self, ctx: &Context, files: &FileWorker, settings: &mut Settings) -> bool {
        let modal = Modal::new(Id::unique("kept vectors")).frame(overlay_frame(ctx)).show(ctx, |ui| {
            ui.set_width((ctx.content_rect().width() - 64.0).min(520.0));
            ui.label(RichText::new("Kept vectors").strong());
            ui.add_space(STEP);
            let room = (ctx.content_rect().height() - 140.0).max(64.0);
            let whole = ScrollArea::vertical().max_height(room).min_scrolled_height(room);
            whole.auto_shrink([false, true]).show(ui, |ui| self.body_ui(ui, settings));
            ui.add_space(STEP);
            self.buttons_ui(ui, files)
        });
        let is_closed = modal.inner || modal.should_close();
        if is_closed && settings.kept_vectors_gib < self.earlier_gib {
            self.kept.follow(settings);
            self.kept.remove(files, false);
        }
        is_closed
    }

    fn body_ui(&self, ui: &mut Ui, settings: &mut Settings) {
        let Some(cache) = &self.kept.cache else {
            ui.label(match paths::are_elsewhere() {
                true => "The other machine keeps them, as --cache-size says there; bagssl bank cache shows and clears them there.",
                false => "No home folder is known, so none are kept.",
            });
            return;
        };
        ui.label(
            "What is embedded stays on the disk and is found again for the same model and images, whatever patches, spaces \
             or number of images are asked for. What was not used for longest goes first.",
        );
        ui.add_space(STEP);
        Grid::new("kept vectors").num_columns(2).spacing([STEP * 2.0, STEP / 2.0]).show(ui, |ui| {
            row_ui(ui, "folder", cache.folder().display().to_string());
            row_ui(ui, "on disk", self.usage.map_or("being counted...".into(), usage_words));
            let name = ui.label(RichText::new("at most").weak());
            let limit = DragValue::new(&mut settings.kept_vectors_gib).range(0.0..=MOST_GIB).speed(0.1);
            let limit = limit.max_decimals(2).suffix(" GiB").update_while_editing(false);
            ui.add(limit).labelled_by(name.id);
            ui.end_row();
        });
        ui.add_space(STEP);
        if self.kept.is_told {
            let gib = cache.most_bytes() as f64 / GIB;
            ui.label(format!(
                "This start was told --cache-size {gib:.2}, which holds until the window is closed; what is set here \
                 holds from the next start on."
            ));
        }
        if cache.most_bytes() == 0 {
            ui.label("Off: no vectors are kept, and none that lie there are used; they stay until they are cleared.");
        }
        if let (Some(before), Some(usage)) = (self.before, self.usage) {
            let stays = if usage.banks > 0 { "; what is being written stays" } else { "" };
            let removed = size(before.bytes.saturating_sub(usage.bytes));
            ui.label(format!("{removed} removed{stays}."));
        }
    }

    fn buttons_ui(&mut self, ui: &mut Ui, files: &FileWorker) -> bool {
        ui.horizontal(|ui| {
            let has_some = self.usage.is_some_and(|usage| usage.banks > 0);
            let clear = ui.add_enabled(has_some, Button::new("Clear"));
            let clear = clear.on_hover_text("Removes all that is not being written; banks elsewhere stay.");
            if clear.on_disabled_hover_text("Nothing is kept.").clicked() {
                self.before = self.usage.take();
                self.kept.remove(files, true);
            }
            ui.button("Close").clicked()
        })
        .inner
    }
}

fn row_ui(ui: &mut Ui, name: &str, value: String) {
    ui.label(RichText::new(name).weak());
    ui.scope(|ui| {
        ui.set_max_width(VALUES);
        ui.add(Label::new(value).wrap());
    });
    ui.end_row();
}

fn usage_words(usage: CacheUse) -> String {
    let codes = match usage.codes {
        0 => String::new(),
        banks => format!(", with codes of {} elsewhere", count(banks, "bank")),
    };
    format!("{} in {}{codes}", size(usage.bytes), count(usage.banks, "bank"))
}

fn size(bytes: u64) -> String {
    match bytes as f64 / GIB {
        gib if gib < 1.0 => format!("{:.1} MiB", gib * 1024.0),
        gib => format!("{gib:.2} GiB"),
    }
}
