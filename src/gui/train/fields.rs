//! The fields of a configuration on screen: one row each, its error below it.

use eframe::egui::{
    Align, CollapsingHeader, Color32, ComboBox, Label, Layout, Response, RichText, TextEdit, Ui, WidgetText,
    vec2,
};
use toml::Value;

use super::editor::ConfigEditor;
use super::tree::{absent_meaning, optional_fields};
use crate::engine::{Choice, choices};
use crate::gui::theme;

/// Width of the names before the fields, points.
const NAME: f32 = 132.0;
/// And before the few fields of the form itself.
const SHORT_NAME: f32 = 64.0;
/// Width of a field, points.
const FIELD: f32 = 128.0;

/// Fields in the order in which one decides about them; others come after, by name.
const ORDER: &[&str] = &[
    "epochs",
    "warmup_epochs",
    "batch",
    "accumulate",
    "precision",
    "images",
    "seed",
    "checkpoint_every",
    "backbone",
    "depth",
    "width",
    "stem",
    "projector",
    "input",
    "resize",
    "name",
    "rule",
    "lr",
    "weight_decay",
    "clip_norm",
    "crop",
    "size",
    "min",
    "max",
    "flip",
    "jitter",
    "p",
    "grey",
    "blur",
    "solarise",
];

/// A sentence on a field, by the end of its path.
const HELP: &[(&str, &str)] = &[
    ("warmup_epochs", "Passes during which the learning rate rises linearly."),
    ("epochs", "Passes over the data set."),
    ("batch", "Images in a batch; each gives one patch per view."),
    ("accumulate", "Micro-batches that a batch is cut into, to need less memory."),
    (
        "precision",
        "full: float32. mixed: convolutions and linear layers in float16, for GPUs that have it; slower on a processor.",
    ),
    ("images", "Use only the first so many images; all where empty."),
    ("seed", "Seed of the weights, the order of images and every augmentation."),
    ("checkpoint_every", "Steps between kept checkpoints."),
    ("backbone.width", "Channels of the first stage: 64 in the standard network."),
    ("projector", "Output widths of the projector's layers; the last is that of z (Sec. 3 of the paper)."),
    ("input", "Side of the network's input, pixels."),
    ("resize", "How a crop is brought to that side."),
    ("stem", "First layers: cifar keeps 32 x 32, imagenet halves twice."),
    ("padding", "Padding of the first convolution: 1 is the paper's, 2 that of solo-learn."),
    ("optimizer.lr", "Learning rate for a batch of 1024 images; it scales linearly with the batch."),
    ("weight_decay", "Biases and batch norm get none."),
    ("clip_norm", "Gradients of a larger joint norm are scaled down to it; never where empty."),
    ("crop", "A patch of fixed size at a random place (Sec. 3.1), or a random share of the image's area."),
    ("fixed.size", "Side of a patch, pixels of the image."),
    ("flip", "Probability of a mirrored view."),
    ("grey", "Probability of a grey view."),
    ("solarise", "Probability that values of at least one half are inverted."),
    ("jitter.p", "Probability that the colours change at all."),
    ("blur.p", "Probability of a blurred view."),
    ("blur.kernel", "Side of the blur's kernel, pixels; odd."),
    ("blur.sigma", "Least and largest deviation of the blur, pixels."),
    ("invariance", "Weight of the distance between views."),
    ("variance", "Weight of the spread of every dimension."),
    ("covariance", "Weight of the decorrelation of dimensions."),
    ("temperature", "Cosines are divided by it."),
    ("objective.momentum", "Momentum of the target network at the first step."),
    ("objective.hidden", "Width of the predictor's hidden layer."),
    ("lambda", "Weight lambda of the second term."),
    ("eps", "Distortion eps of the coding rate."),
];

fn help(path: &str) -> Option<&'static str> {
    HELP.iter().find(|(end, _)| path == *end || path.ends_with(&format!(".{end}"))).map(|(_, help)| *help)
}

/// Draws every field of the configuration.
pub fn fields_ui(ui: &mut Ui, editor: &mut ConfigEditor) {
    section_ui(ui, "Run", true, |ui| {
        for key in keys(editor, "") {
            let is_section = matches!(editor.value(&key), Some(Value::Table(_))) || key == "views";
            if !is_section {
                value_ui(ui, editor, &key, 0);
            }
        }
    });
    for key in ["objective", "optimizer", "model"] {
        section_ui(ui, key, true, |ui| value_ui(ui, editor, key, 0));
    }
    let known = ["objective", "optimizer", "model", "views"];
    for key in keys(editor, "").into_iter().filter(|key| !known.contains(&key.as_str())) {
        if matches!(editor.value(&key), Some(Value::Table(_))) {
            section_ui(ui, &key, true, |ui| value_ui(ui, editor, &key, 0));
        }
    }
    section_ui(ui, "views", true, |ui| views_ui(ui, editor));
}

fn section_ui(ui: &mut Ui, name: &str, open: bool, add: impl FnOnce(&mut Ui)) {
    let mut title = name.to_owned();
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    CollapsingHeader::new(RichText::new(title).strong())
        .id_salt(("section", name))
        .default_open(open)
        .show(ui, add);
}

/// Views, all alike or each apart.
fn views_ui(ui: &mut Ui, editor: &mut ConfigEditor) {
    let mut count = editor.views();
    row_ui(
        ui,
        "views of an image",
        Some("Number of views that are made of each image; two or more."),
        None,
        None,
        |ui, id| {
            let field = eframe::egui::DragValue::new(&mut count).range(2..=64).speed(0.05);
            if ui.add(field).labelled_by(id).changed() {
                editor.set_views(count);
            }
        },
    );
    let mut alike = editor.views_alike;
    if ui
        .checkbox(&mut alike, "all made alike")
        .on_hover_text("Otherwise each view has its own settings.")
        .changed()
    {
        if alike { editor.make_views_alike() } else { editor.views_alike = false }
    }
    if editor.views_alike {
        value_ui(ui, editor, "views.0", 0);
        return;
    }
    for view in 0..editor.views() {
        let name = format!("View {}", view + 1);
        CollapsingHeader::new(name).id_salt(("view", view)).default_open(view < 2).show(ui, |ui| {
            value_ui(ui, editor, &format!("views.{view}"), 0);
        });
    }
}

/// The keys of the table at `path`, those included that may be absent, in the order of [`ORDER`].
fn keys(editor: &ConfigEditor, path: &str) -> Vec<String> {
    let Some(Value::Table(table)) = editor.value(path) else { return vec![] };
    let mut keys: Vec<String> = table.keys().cloned().collect();
    keys.extend(optional_fields(path).filter(|key| !table.contains_key(*key)).map(str::to_owned));
    let rank = |key: &String| ORDER.iter().position(|known| known == key).unwrap_or(ORDER.len());
    keys.sort_by_key(|key| (rank(key), key.clone()));
    keys
}

/// Whatever stands at `path`: a choice with its constants, a table, or one field.
fn value_ui(ui: &mut Ui, editor: &mut ConfigEditor, path: &str, depth: usize) {
    let all = choices(path);
    let name = path.rsplit('.').next().unwrap_or(path).to_owned();
    if !all.is_empty() {
        choice_ui(ui, editor, path, &name, &all);
        if matches!(editor.value(path), Some(Value::Table(_))) {
            indented(ui, 1, |ui| table_ui(ui, editor, &inner_path(editor, path), 1));
        }
    } else if matches!(editor.value(path), Some(Value::Table(_))) {
        let is_group = depth > 0;
        if is_group {
            ui.label(RichText::new(words(&name)).weak());
        }
        indented(ui, usize::from(is_group), |ui| table_ui(ui, editor, path, depth));
    } else {
        leaf_ui(ui, editor, path, &name);
    }
}

/// Where the constants of a choice lie: below its one key, if it is written as one (`crop.fixed`).
fn inner_path(editor: &ConfigEditor, path: &str) -> String {
    match editor.value(path) {
        Some(Value::Table(table)) if table.len() == 1 && tag(&Value::Table(table.clone())).is_none() => {
            format!("{path}.{}", table.keys().next().map_or("", String::as_str))
        }
        _ => path.to_owned(),
    }
}

fn indented(ui: &mut Ui, levels: usize, add: impl FnOnce(&mut Ui)) {
    if levels == 0 {
        add(ui);
    } else {
        ui.horizontal(|ui| {
            ui.add_space(theme::STEP);
            ui.vertical(add);
        });
    }
}

fn table_ui(ui: &mut Ui, editor: &mut ConfigEditor, path: &str, depth: usize) {
    for key in keys(editor, path).into_iter().filter(|key| key != "name" && key != "kind") {
        value_ui(ui, editor, &format!("{path}.{key}"), depth + 1);
    }
}

fn choice_ui(ui: &mut Ui, editor: &mut ConfigEditor, path: &str, name: &str, all: &[Choice]) {
    let now = editor.value(path).cloned();
    let chosen = all.iter().find(|choice| now.as_ref().is_some_and(|now| is_same_kind(now, &choice.value)));
    let text = chosen.map_or_else(|| "other".to_owned(), |choice| choice.name.clone());
    let (error, changed) = (
        editor.error(path).map(str::to_owned),
        editor.changed_from(path).filter(|_| now.as_ref().is_none_or(Value::is_str)),
    );
    let mut picked = None;
    row_ui(ui, name, help(path), changed, error.as_deref(), |ui, _| {
        let combo =
            ComboBox::from_id_salt(path).width(FIELD).selected_text(text.as_str()).show_ui(ui, |ui| {
                for choice in all {
                    if ui.selectable_label(choice.name == text, &choice.name).clicked() && choice.name != text
                    {
                        picked = Some(choice.value.clone());
                    }
                }
            });
        combo.response.accessible_name(words(name));
    });
    if let Some(value) = picked {
        editor.set(path, value);
    }
}

/// The word that tells one choice from another.
fn tag(value: &Value) -> Option<&str> {
    value.get("name").or_else(|| value.get("kind")).and_then(Value::as_str)
}

fn is_same_kind(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Table(first), Value::Table(second)) => match (tag(a), tag(b)) {
            (Some(a), Some(b)) => a == b,
            _ => first.keys().next() == second.keys().next(),
        },
        _ => a == b,
    }
}

fn leaf_ui(ui: &mut Ui, editor: &mut ConfigEditor, path: &str, name: &str) {
    let (error, changed) = (editor.error(path).map(str::to_owned), editor.changed_from(path));
    if let Some(Value::Boolean(mut on)) = editor.value(path).cloned() {
        if ui.checkbox(&mut on, words(name)).changed() {
            editor.set(path, Value::Boolean(on));
        }
        return;
    }
    let mut text = editor.text(path);
    row_ui(ui, name, help(path), changed, error.as_deref(), |ui, id| {
        let hint = absent_meaning(path).unwrap_or("");
        let mut field = TextEdit::singleline(&mut text).hint_text(hint).desired_width(FIELD).id_salt(path);
        if error.is_some() {
            field = field.text_color(theme::error(ui.visuals().dark_mode).0);
        }
        if ui.add(field).labelled_by(id).changed() {
            editor.type_text(path, text);
        }
    });
}

/// Name, field and, below them, what is wrong. `changed` is the recipe's value where it differs.
fn row_ui(
    ui: &mut Ui,
    name: &str,
    help: Option<&str>,
    changed: Option<String>,
    error: Option<&str>,
    add: impl FnOnce(&mut Ui, eframe::egui::Id),
) {
    let dark = ui.visuals().dark_mode;
    ui.horizontal(|ui| {
        let mut text = RichText::new(words(name));
        if changed.is_some() {
            text = text.color(theme::accent(dark)).strong();
        }
        let indent = ui.cursor().left() - ui.max_rect().left();
        let width = (NAME - indent).max(40.0);
        let label = name_ui(ui, width, text);
        let tip = [help.map(str::to_owned), changed.map(|before| format!("The recipe has {before}."))];
        let tip = tip.into_iter().flatten().collect::<Vec<_>>().join("\n");
        let label = if tip.is_empty() { label } else { label.on_hover_text(tip) };
        add(ui, label.id);
    });
    if let Some(error) = error {
        error_ui(ui, &format!("{} {error}", words(name)));
    }
}

/// A name in a column of `width` points.
pub fn name_ui(ui: &mut Ui, width: f32, text: impl Into<WidgetText>) -> Response {
    let layout = Layout::left_to_right(Align::Center);
    let column = ui.allocate_ui_with_layout(vec2(width, 22.0), layout, |ui| {
        ui.set_min_width(width);
        ui.add(Label::new(text).truncate())
    });
    column.inner
}

/// A name and what stands beside it.
pub fn short_row(ui: &mut Ui, name: &str, add: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        name_ui(ui, SHORT_NAME, name);
        add(ui);
    });
}

/// An error in words, wrapped.
pub fn error_ui(ui: &mut Ui, message: &str) {
    message_ui(ui, theme::error(ui.visuals().dark_mode), message);
}

/// A warning in words, wrapped.
pub fn warning_ui(ui: &mut Ui, message: &str) -> Response {
    message_ui(ui, theme::warning(ui.visuals().dark_mode), message)
}

fn message_ui(ui: &mut Ui, (color, fill): (Color32, Color32), message: &str) -> Response {
    eframe::egui::Frame::new()
        .fill(fill)
        .corner_radius(4)
        .inner_margin(eframe::egui::Margin::symmetric(6, 3))
        .show(ui, |ui| ui.add(Label::new(RichText::new(message).color(color)).wrap()))
        .inner
}

/// `weight_decay` as `weight decay`.
fn words(name: &str) -> String {
    name.replace('_', " ")
}
