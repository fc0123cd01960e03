//! The fields of a configuration on screen: one row each, its error below it.

use eframe::egui::{CollapsingHeader, ComboBox, RichText, TextEdit, Ui};
use toml::Value;

use super::editor::ConfigEditor;
use super::named::name_ui;
use crate::engine::facts::settings::{self, Setting};
use crate::gui::paint::theme;
use crate::gui::widgets::messages::error_ui;
use crate::gui::widgets::whole::whole;

/// Width of the names before the fields, points.
const NAME: f32 = 132.0;
/// Width of a field, points.
const FIELD: f32 = 128.0;

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
    for key in keys(editor, "") {
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
        settings::find("views").map(|setting| setting.help),
        None,
        None,
        |ui, id| {
            let field = whole(ui, &mut count, 0.05).range(2..=64);
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

/// The keys of the table at `path`, those included that may be absent, in the order of the settings.
fn keys(editor: &ConfigEditor, path: &str) -> Vec<String> {
    let Some(Value::Table(table)) = editor.value(path) else { return vec![] };
    let mut keys: Vec<String> = table.keys().cloned().collect();
    let absent = settings::may_be_absent(path).filter(|(key, _)| !table.contains_key(*key));
    keys.extend(absent.map(|(key, _)| key.to_owned()));
    keys.sort_by_cached_key(|key| match path.is_empty() {
        true => settings::rank(key),
        false => settings::rank(&format!("{path}.{key}")),
    });
    keys
}

/// Whatever stands at `path`: a choice with its constants, a table, or one field.
fn value_ui(ui: &mut Ui, editor: &mut ConfigEditor, path: &str, depth: usize) {
    let setting = settings::find(path);
    let name = path.rsplit('.').next().unwrap_or(path).to_owned();
    if let Some(setting) = setting.filter(|setting| !setting.choices.is_empty()) {
        choice_ui(ui, editor, path, &name, setting);
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
        Some(Value::Table(table)) if table.len() == 1 && settings::tag(table).is_none() => {
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

fn choice_ui(ui: &mut Ui, editor: &mut ConfigEditor, path: &str, name: &str, setting: &Setting) {
    let now = editor.value(path).cloned();
    let chosen = now.as_ref().and_then(|now| setting.chosen(now));
    let unsaid = setting.absent.as_ref().filter(|_| now.is_none()).map_or("other", |absent| absent.meaning);
    let text = chosen.map_or_else(|| unsaid.to_owned(), |choice| choice.name.clone());
    let (error, changed) = (
        editor.error(path).map(str::to_owned),
        editor.changed_from(path).filter(|_| now.as_ref().is_none_or(Value::is_str)),
    );
    let mut picked = None;
    row_ui(ui, name, Some(setting.help), changed, error.as_deref(), |ui, _| {
        let combo =
            ComboBox::from_id_salt(path).width(FIELD).selected_text(text.as_str()).show_ui(ui, |ui| {
                for choice in &setting.choices {
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

fn leaf_ui(ui: &mut Ui, editor: &mut ConfigEditor, path: &str, name: &str) {
    let (error, changed) = (editor.error(path).map(str::to_owned), editor.changed_from(path));
    let setting = settings::find(path);
    if let Some(Value::Boolean(mut on)) = editor.value(path).cloned() {
        let help = setting.map(|setting| setting.help);
        row_ui(ui, name, help, changed, error.as_deref(), |ui, id| {
            if ui.checkbox(&mut on, "").labelled_by(id).changed() {
                editor.set(path, Value::Boolean(on));
            }
        });
        return;
    }
    let mut text = editor.text(path);
    row_ui(ui, name, setting.map(|setting| setting.help), changed, error.as_deref(), |ui, id| {
        let hint = setting.and_then(|setting| setting.absent.as_ref()).map_or("", |absent| absent.meaning);
        let mut field = TextEdit::singleline(&mut text).hint_text(hint).desired_width(FIELD).id_salt(path);
        if error.is_some() {
            field = field.text_color(theme::error(ui.visuals().dark_mode).0);
        }
        if ui.add(field).labelled_by(id).changed() {
            editor.type_text(path, text);
        }
    });
}

/// Name, field and, below them, what is wrong. `changed` is the value that it began with, where it differs.
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
        let tip = [help.map(str::to_owned), changed.map(|before| format!("It began as {before}."))];
        let tip = tip.into_iter().flatten().collect::<Vec<_>>().join("\n");
        let label = if tip.is_empty() { label } else { label.on_hover_text(tip) };
        add(ui, label.id);
    });
    if let Some(error) = error {
        error_ui(ui, &format!("{} {error}", words(name)));
    }
}

/// `weight_decay` as `weight decay`.
fn words(name: &str) -> String {
    name.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use eframe::egui::accesskit::Role;
    use egui_kittest::Harness;
    use egui_kittest::kittest::{NodeT, Queryable};

    use super::*;
    use crate::engine::facts::{ImagesOrder, find_recipe};

    /// The names of everything that can be edited in the form of `editor`, sorted.
    fn shown(editor: ConfigEditor) -> Vec<String> {
        let harness = Harness::builder()
            .with_size([400.0, 4000.0])
            .build_ui_state(|ui, editor: &mut ConfigEditor| fields_ui(ui, editor), editor);
        let roles = [Role::TextInput, Role::ComboBox, Role::SpinButton, Role::CheckBox];
        let nodes = roles.into_iter().flat_map(|role| harness.query_all_by_role(role).collect::<Vec<_>>());
        let mut names: Vec<String> =
            nodes.map(|node| node.accesskit_node().label().unwrap_or_default()).collect();
        // That one is no setting, but about all of them.
        names.retain(|name| name != "all made alike");
        names.sort();
        names
    }

    #[test]
    fn the_form_shows_every_row() {
        let mut config = find_recipe("quick-parts").unwrap().config;
        config.images = Some(1000);
        (config.images_order, config.holdout) = (Some(ImagesOrder::Spread), Some(0.2));
        config.model.backbone.bottleneck = Some(32);
        let mut seen = std::collections::BTreeSet::new();
        for setting in settings::settings() {
            for choice in &setting.choices {
                let mut editor = ConfigEditor::new(&config);
                let path = |setting: &Setting| setting.path.replace('N', "0");
                if editor.value(&path(setting)).is_some() {
                    editor.set(&path(setting), choice.value.clone());
                }
                let here = settings::settings().iter().filter(|row| editor.value(&path(row)).is_some());
                let here: Vec<&Setting> = here.collect();
                let mut names: Vec<String> = here
                    .iter()
                    .map(|row| match &*row.path {
                        "views" => "views of an image".to_owned(),
                        path => words(path.rsplit('.').next().unwrap_or(path)),
                    })
                    .collect();
                names.sort();
                seen.extend(here.iter().map(|row| &*row.path));
                assert_eq!(shown(editor), names, "{}: {}", setting.path, choice.name);
            }
        }
        assert_eq!(seen.len(), settings::settings().len());
    }
}
