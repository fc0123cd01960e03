//! What the open model is, what its file says and what was assumed; and saying otherwise.

use eframe::egui::{
    Button, Checkbox, ComboBox, Context, DragValue, Grid, Id, Label, Modal, RichText, ScrollArea, Ui,
};

use crate::engine::facts::{
    Activation, EmbedPrecision, ImageTiles, ModelSpec, Overrides, Resize, TileChoice, TilesOfImage,
};
use crate::engine::{ModelDescription, ModelReport};
use crate::gui::nouns::text::thousands;
use crate::gui::paint::theme::{STEP, overlay_frame};
use crate::gui::widgets::whole::{DRAG, whole};
use crate::words::name_list;

/// Width of what stands beside a name, points.
const VALUES: f32 = 380.0;
/// Usual means and deviations, per channel of RGB / 255.
const NORMALIZATIONS: [(&str, [f32; 3], [f32; 3]); 3] = [
    ("ImageNet", [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ("CIFAR-10", [0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616]),
    ("-1 to 1", [0.5; 3], [0.5; 3]),
];

/// Short sides that are offered for whole images, pixels; others can be typed.
const RESOLUTIONS: [u32; 10] = [224, 336, 448, 518, 672, 896, 1024, 1536, 2048, 4096];

/// How the dialog ended.
pub enum ModelOutcome {
    Closed,
    /// The same file, taken otherwise.
    Open(ModelSpec),
}

/// The dialog.
pub struct ModelDialog {
    spec: ModelSpec,
    /// What is said in place of what the file says, as it is edited.
    draft: Overrides,
}

impl ModelDialog {
    /// About the model that was opened by `spec`.
    pub fn new(spec: ModelSpec) -> Self {
        Self { draft: spec.overrides.clone(), spec }
    }

    /// Draws it over the window.
    pub fn ui(&mut self, ctx: &Context, model: Option<&ModelDescription>) -> Option<ModelOutcome> {
        let modal = Modal::new(Id::unique("model dialog")).frame(overlay_frame(ctx)).show(ctx, |ui| {
            ui.set_width((ctx.content_rect().width() - 64.0).min(560.0));
            ui.label(RichText::new("The open model").strong());
            ui.add_space(STEP);
            let room = (ctx.content_rect().height() - 140.0).max(64.0);
            let whole = ScrollArea::vertical().max_height(room).min_scrolled_height(room);
            whole.auto_shrink([false, true]).show(ui, |ui| match model {
                Some(model) => self.body_ui(ui, model),
                None => drop(ui.label("It is being opened...")),
            });
            ui.add_space(STEP);
            self.buttons_ui(ui)
        });
        let is_closed = modal.should_close();
        modal.inner.or(is_closed.then_some(ModelOutcome::Closed))
    }

    fn body_ui(&mut self, ui: &mut Ui, model: &ModelDescription) {
        let Some(report) = &model.report else {
            ui.label(format!("A bank is open without it: {}.", model.missing.as_deref().unwrap_or_default()));
            return;
        };
        facts_ui(ui, report);
        ui.add_space(STEP);
        ui.separator();
        ui.label(RichText::new("In place of what its file says").strong());
        ui.add_space(STEP / 2.0);
        self.overrides_ui(ui, report);
    }

    fn overrides_ui(&mut self, ui: &mut Ui, report: &ModelReport) {
        let Overrides {
            weights,
            stem_padding,
            max_pool,
            heads,
            activation,
            mean,
            std,
            input,
            resize,
            resolution,
            tiles,
            precision,
        } = &mut self.draft;
        network_ui(ui, report, weights);
        told_ui(ui, "side of the input", input, &report.input, |ui, side| {
            let side = whole(ui, side, DRAG).range(8..=1024);
            ui.add(side.suffix(" px"));
        });
        places_ui(ui, report, resolution, tiles);
        told_ui(ui, "numbers it computes in", precision, &report.precision, |ui, precision| {
            for (choice, words) in
                [(EmbedPrecision::F32, "float32"), (EmbedPrecision::Bf16, "bfloat16, on the CPU")]
            {
                ui.radio_value(precision, choice, words);
            }
        });
        told_ui(ui, "resizing to it", resize, &report.resize, |ui, resize| {
            for choice in [Resize::Bilinear, Resize::Bicubic] {
                ui.radio_value(resize, choice, choice.to_string());
            }
        });
        normalisation_ui(ui, report, mean, std);
        transformer_ui(ui, report, heads, activation);
        stem_ui(ui, report, stem_padding, max_pool);
    }

    fn buttons_ui(&mut self, ui: &mut Ui) -> Option<ModelOutcome> {
        ui.horizontal(|ui| {
            let is_changed = self.draft != self.spec.overrides;
            let open = ui.add_enabled(is_changed, Button::new("Open so"));
            let open = open.on_hover_text("Opens the same file, taken as said above.");
            let open = open.on_disabled_hover_text("Nothing was changed.");
            if open.clicked() {
                let overrides = self.draft.clone();
                return Some(ModelOutcome::Open(ModelSpec { overrides, ..self.spec.clone() }));
            }
            if ui.add_enabled(!self.draft.is_empty(), Button::new("As its file says")).clicked() {
                self.draft = Overrides::default();
            }
            ui.button("Close").clicked().then_some(ModelOutcome::Closed)
        })
        .inner
    }
}

/// Which network of a file that holds several.
fn network_ui(ui: &mut Ui, report: &ModelReport, weights: &mut Option<String>) {
    let Some(origin) = report.origin.as_ref().filter(|origin| !origin.others.is_empty()) else { return };
    told_ui(ui, "network of the file", weights, &origin.network, |ui, name| {
        let names = std::iter::once(&origin.network).chain(&origin.others);
        ComboBox::from_id_salt("networks").selected_text(name.as_str()).show_ui(ui, |ui| {
            for other in names {
                ui.selectable_value(name, other.clone(), other);
            }
        });
    });
}

/// What is subtracted from the values of a picture, and what they are divided by.
fn normalisation_ui(
    ui: &mut Ui,
    report: &ModelReport,
    mean: &mut Option<[f32; 3]>,
    std: &mut Option<[f32; 3]>,
) {
    told_ui(ui, "mean, subtracted", mean, &report.mean, channels_ui);
    told_ui(ui, "deviation, divided by", std, &report.std, channels_ui);
    ui.horizontal_wrapped(|ui| {
        ui.label("Mean and deviation of");
        for (name, of_mean, of_std) in NORMALIZATIONS {
            if ui.button(name).clicked() {
                (*mean, *std) = (Some(of_mean), Some(of_std));
            }
        }
    });
}

/// What the weights of a transformer do not say.
fn transformer_ui(
    ui: &mut Ui,
    report: &ModelReport,
    heads: &mut Option<usize>,
    activation: &mut Option<Activation>,
) {
    let Some(vit) = &report.transformer else { return };
    told_ui(ui, "heads of each block", heads, &vit.heads, |ui, heads| {
        let heads = whole(ui, heads, DRAG).range(1..=256);
        ui.add(heads);
    });
    if vit.mlp.gated {
        return;
    }
    told_ui(ui, "in its MLPs", activation, &vit.mlp.activation, |ui, activation| {
        ComboBox::from_id_salt("activation").selected_text(activation.title()).show_ui(ui, |ui| {
            for choice in Activation::ALL {
                ui.selectable_value(activation, choice, choice.title());
            }
        });
    });
}

/// What the weights of a ResNet for small pictures do not say.
fn stem_ui(ui: &mut Ui, report: &ModelReport, stem_padding: &mut Option<usize>, max_pool: &mut Option<bool>) {
    let Some((padding, pooled)) = report.small_stem() else { return };
    told_ui(ui, "padding of the stem", stem_padding, &padding, |ui, padding| {
        for choice in [1, 2] {
            ui.radio_value(padding, choice, choice.to_string());
        }
    });
    told_ui(ui, "after the stem", max_pool, &pooled, |ui, pooled| {
        for (choice, words) in [(false, "no max-pool"), (true, "a max-pool of stride 2")] {
            ui.radio_value(pooled, choice, words);
        }
    });
}

/// How whole images are taken for spaces of places: their short side, and the tiles of larger ones.
fn places_ui(
    ui: &mut Ui,
    report: &ModelReport,
    resolution: &mut Option<u32>,
    tiles: &mut Option<ImageTiles>,
) {
    let choice = TileChoice { tiles: tiles.unwrap_or(report.fitting_tiles), is_told: tiles.is_some() };
    told_ui(ui, "short side of whole images, for places", resolution, &report.input, |ui, side| {
        let field = whole(ui, side, DRAG).range(8..=4096);
        ui.add(field.suffix(" px"));
        let menu = ComboBox::from_id_salt("resolutions").width(280.0);
        let menu = menu.selected_text(resolution_words(*side, choice, report.step)).show_ui(ui, |ui| {
            for side_of in RESOLUTIONS {
                ui.selectable_value(side, side_of, resolution_words(side_of, choice, report.step));
            }
        });
        menu.response.accessible_name("Usual sides");
    });
    told_ui(ui, "tiles of larger ones", tiles, &report.fitting_tiles, |ui, ImageTiles { side, overlap }| {
        let field = whole(ui, side, DRAG).range(ImageTiles::SIDES);
        ui.add(field.suffix(" px"));
        *overlap = (*overlap).min(*side / 2);
        let field = whole(ui, overlap, DRAG).range(0..=*side / 2);
        ui.add(field.suffix(" px").prefix("overlap "));
    });
}

/// What becomes of a square image of that short side: "2,048 px: 25 tiles of 518 px, overlap 112 px: memory".
fn resolution_words(side: u32, choice: TileChoice, step: u32) -> String {
    let rounded = ((side + step / 2) / step).max(1) * step;
    let tiles = choice.tiles.on_steps(step);
    let words = match tiles.cut(rounded, rounded) {
        false => "one pass".to_owned(),
        true => {
            let count = tiles.grid(rounded, rounded, step).count();
            TilesOfImage { count, choice: TileChoice { tiles, ..choice } }.to_string()
        }
    };
    format!("{} px: {words}", thousands(side))
}

/// A value that is told once its box is checked; else it is as the file has it.
fn told_ui<T: Clone>(
    ui: &mut Ui,
    name: &str,
    told: &mut Option<T>,
    now: &T,
    edit: impl FnOnce(&mut Ui, &mut T),
) {
    ui.horizontal_wrapped(|ui| {
        let mut is_told = told.is_some();
        if ui.add(Checkbox::new(&mut is_told, name)).changed() {
            *told = is_told.then(|| now.clone());
        }
        let mut unused = now.clone();
        ui.add_enabled_ui(is_told, |ui| edit(ui, told.as_mut().unwrap_or(&mut unused)));
    });
}

fn channels_ui(ui: &mut Ui, channels: &mut [f32; 3]) {
    for (channel, name) in channels.iter_mut().zip(["R ", "G ", "B "]) {
        ui.add(DragValue::new(channel).speed(0.001).range(-10.0..=10.0).max_decimals(4).prefix(name));
    }
}

fn facts_ui(ui: &mut Ui, report: &ModelReport) {
    // Of each model a grid of its own: one keeps the heights that its rows had.
    Grid::new(("facts of the model", &report.hash)).num_columns(2).spacing([STEP * 2.0, STEP / 2.0]).show(
        ui,
        |ui| {
            for (name, value) in rows(report) {
                ui.label(RichText::new(name).weak());
                ui.scope(|ui| {
                    ui.set_max_width(VALUES);
                    ui.add(Label::new(value).wrap());
                });
                ui.end_row();
            }
        },
    );
}

/// What is known of the model, each with its name.
fn rows(report: &ModelReport) -> Vec<(&'static str, String)> {
    let channels = |values: [f32; 3]| values.map(|value| format!("{value}")).join(", ");
    let named = |spaces: &[(String, usize)]| {
        let names = spaces.iter().map(|(name, width)| format!("{name} {}", thousands(*width)));
        name_list(&names.collect::<Vec<_>>())
    };
    let mut rows = vec![
        ("name", report.name.clone()),
        ("architecture", report.arch.clone()),
        ("parameters", thousands(report.parameters)),
        ("input", format!("{0} x {0} px, resized {1}", report.input, report.resize)),
        ("places", report.places_words()),
        ("computed in", report.precision_words().into()),
        ("mean", channels(report.mean)),
        ("deviation", channels(report.std)),
        ("of a patch alone", named(&report.crop_spaces)),
        ("of its place", named(&report.maps)),
        ("file", format!("{}, SHA-256 {:.12}, {}", report.format, report.hash, report.sums_words())),
    ];
    rows.extend(report.transformer_words().map(|words| ("transformer", words)));
    rows.extend(report.bottleneck_words().map(|words| ("blocks", words)));
    if let Some(origin) = &report.origin {
        let network = Some(&origin.network).filter(|name| !name.is_empty());
        let network = network.map_or(String::new(), |name| format!(", network {name}"));
        rows.push(("recognised", format!("{} names{network}", origin.names)));
        rows.push(("projector", origin.head.clone()));
        for (name, list) in [
            ("said beside it", &origin.believed),
            ("assumed", &origin.assumed),
            ("not used", &origin.ignored),
        ] {
            if !list.is_empty() {
                rows.push((name, name_list(list)));
            }
        }
    }
    rows
}
