//! A configuration while it is edited: what was typed, field by field, and what is wrong with it.
//! The tree is that of the TOML file, and the checks are those of the file and of `--set`.

use std::collections::BTreeMap;

use toml::Value;

use crate::engine::facts::TrainConfig;

/// Fields that may be absent: what an empty field means, and what kind of number goes there.
static OPTIONAL: [(&str, &str, Value); 2] =
    [("images", "all", Value::Integer(0)), ("optimizer.clip_norm", "never", Value::Float(0.0))];
/// Rounds of looking for a further error once one is found.
const MOST_ERRORS: usize = 24;

/// A configuration and its drafts.
pub struct ConfigEditor {
    base: Value,
    tree: Value,
    /// Texts that differ from how their value is written, by path.
    drafts: BTreeMap<String, String>,
    /// What cannot be read, and what is out of its range, by path.
    unread: BTreeMap<String, String>,
    wrong: BTreeMap<String, String>,
    config: Option<TrainConfig>,
    /// Whether an edit of a view is one of all views.
    pub views_alike: bool,
}

impl ConfigEditor {
    /// Begins with a valid configuration.
    pub fn new(config: &TrainConfig) -> Self {
        // A configuration that came from TOML or a recipe can always be written as TOML.
        let base = Value::try_from(config).unwrap_or(Value::Table(toml::Table::new()));
        let views_alike = config.views.windows(2).all(|pair| pair[0] == pair[1]);
        Self {
            tree: base.clone(),
            base,
            drafts: BTreeMap::new(),
            unread: BTreeMap::new(),
            wrong: BTreeMap::new(),
            config: Some(config.clone()),
            views_alike,
        }
    }

    /// The configuration, if everything typed is right.
    pub fn config(&self) -> Option<&TrainConfig> {
        self.config.as_ref().filter(|_| self.unread.is_empty() && self.wrong.is_empty())
    }

    /// What is wrong with the field at `path`.
    pub fn error(&self, path: &str) -> Option<&str> {
        self.unread.get(path).or_else(|| self.wrong.get(path)).map(String::as_str)
    }

    /// Number of wrong fields.
    pub fn errors(&self) -> usize {
        self.unread.len() + self.wrong.keys().filter(|path| !self.unread.contains_key(*path)).count()
    }

    /// The first wrong field with its message.
    pub fn first_error(&self) -> Option<(&str, &str)> {
        self.unread.iter().chain(&self.wrong).next().map(|(path, message)| (path.as_str(), message.as_str()))
    }

    /// The value at `path`.
    pub fn value(&self, path: &str) -> Option<&Value> {
        value_at(&self.tree, path)
    }

    /// How the recipe has it, if it is different now.
    pub fn changed_from(&self, path: &str) -> Option<String> {
        let (now, before) = (self.value(path), value_at(&self.base, path));
        (now != before).then(|| before.map_or_else(|| absent_word(path).to_owned(), text_of))
    }

    /// Fields that differ from the recipe, as `--set` takes them, where it can.
    pub fn changes(&self) -> Vec<(String, Option<String>)> {
        let mut found = vec![];
        differences("", &self.base, &self.tree, &mut found);
        found
    }

    /// The text of the field at `path`: as typed, or as its value is written.
    pub fn text(&self, path: &str) -> String {
        match self.drafts.get(path) {
            Some(draft) => draft.clone(),
            None => self.value(path).map_or_else(String::new, text_of),
        }
    }

    /// Takes in what was typed at `path`.
    pub fn type_text(&mut self, path: &str, text: String) {
        self.unread.remove(path);
        match self.read(path, &text) {
            Ok(Some(value)) => self.put(path, value),
            Ok(None) => self.remove(path),
            Err(message) => drop(self.unread.insert(path.to_owned(), message)),
        }
        self.drafts.insert(path.to_owned(), text);
        self.check();
    }

    /// Puts a value at `path`, drafts below it being dropped.
    pub fn set(&mut self, path: &str, value: Value) {
        let below = |key: &String| key == path || key.starts_with(&format!("{path}."));
        self.drafts.retain(|key, _| !below(key));
        self.unread.retain(|key, _| !below(key));
        self.put(path, value);
        self.check();
    }

    /// Number of views of an image.
    pub fn views(&self) -> usize {
        self.value("views").and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// Makes it `count` views; new ones are like the last.
    pub fn set_views(&mut self, count: usize) {
        if let Some(Value::Array(views)) = value_at_mut(&mut self.tree, "views")
            && let Some(last) = views.last().cloned()
        {
            views.resize(count, last);
        }
        self.drafts.retain(|key, _| !key.starts_with("views."));
        self.unread.retain(|key, _| !key.starts_with("views."));
        self.check();
    }

    /// All views as the first.
    pub fn make_views_alike(&mut self) {
        self.views_alike = true;
        if let Some(first) = self.value("views.0").cloned() {
            self.set("views.0", first);
        }
    }

    fn put(&mut self, path: &str, value: Value) {
        let place = path.strip_prefix("views.").and_then(|rest| rest.split_once('.').or(Some((rest, ""))));
        match place.filter(|_| self.views_alike) {
            Some((_, below)) => {
                for view in 0..self.views() {
                    let path = format!("views.{view}.{below}");
                    put_at(&mut self.tree, path.trim_end_matches('.'), value.clone());
                }
            }
            None => put_at(&mut self.tree, path, value),
        }
    }

    fn remove(&mut self, path: &str) {
        let (parent, key) = path.rsplit_once('.').unwrap_or(("", path));
        if let Some(Value::Table(table)) = value_at_mut(&mut self.tree, parent) {
            table.remove(key);
        }
    }

    /// A text as the kind of value that stands at `path`; `None` where the field becomes absent.
    fn read(&self, path: &str, text: &str) -> Result<Option<Value>, String> {
        let text = text.trim();
        let optional = OPTIONAL.iter().find(|(optional, ..)| *optional == path);
        if optional.is_some() && text.is_empty() {
            return Ok(None);
        }
        let like = optional
            .map(|(.., kind)| kind)
            .or_else(|| value_at(&self.base, path))
            .or_else(|| self.value(path));
        let value = like.map_or_else(|| Ok(Value::String(text.to_owned())), |like| read_like(text, like));
        value.map(Some)
    }

    /// Finds every error: the first field that is out of range is put right in a copy, and so on.
    fn check(&mut self) {
        self.wrong.clear();
        let mut tree = self.tree.clone();
        self.config = None;
        for round in 0..MOST_ERRORS {
            let error = match tree.clone().try_into::<TrainConfig>() {
                Ok(config) => match config.validate() {
                    Ok(()) => {
                        if round == 0 {
                            self.config = Some(config);
                        }
                        return;
                    }
                    Err(error) => format!("{error:#}"),
                },
                Err(error) => error.message().to_owned(),
            };
            let (path, message) = place_of(&error, &tree);
            let Some(good) = value_at(&self.base, &path).cloned() else {
                self.wrong.entry(path).or_insert(message);
                return;
            };
            if self.wrong.insert(path.clone(), message).is_some() {
                return;
            }
            put_at(&mut tree, &path, good);
        }
    }
}

/// Whether the field at `path` may be left empty, and what that means.
pub fn absent_meaning(path: &str) -> Option<&'static str> {
    OPTIONAL.iter().find(|(optional, ..)| *optional == path).map(|(_, meaning, _)| *meaning)
}

fn absent_word(path: &str) -> &'static str {
    absent_meaning(path).unwrap_or("nothing")
}

/// Fields that may be absent and belong into the table at `path`.
pub fn optional_fields(path: &str) -> impl Iterator<Item = &'static str> {
    let below = move |name: &str| name.rsplit_once('.').map_or("", |(parent, _)| parent) == path;
    OPTIONAL
        .iter()
        .map(|(name, ..)| *name)
        .filter(move |name| below(name))
        .map(|name| name.rsplit('.').next().unwrap_or(name))
}

/// A value as it is typed: numbers bare, lists with commas.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join(", "),
        Value::Float(number) => format!("{number}"),
        other => other.to_string(),
    }
}

fn read_like(text: &str, like: &Value) -> Result<Value, String> {
    let unread = |expected: &str| format!("is \"{text}\"; expected {expected}");
    match like {
        Value::Integer(_) => {
            let plain = text.replace([',', '_', ' '], "");
            plain.parse().map(Value::Integer).map_err(|_| unread("a whole number"))
        }
        Value::Float(_) => text.parse().map(Value::Float).map_err(|_| unread("a number")),
        Value::Boolean(_) => text.parse().map(Value::Boolean).map_err(|_| unread("true or false")),
        Value::Array(items) => {
            let like = items.first().cloned().unwrap_or(Value::Integer(0));
            let parts =
                text.trim_matches(['[', ']']).split([',', ' ']).filter(|part| !part.trim().is_empty());
            let items = parts.map(|part| read_like(part.trim(), &like)).collect::<Result<_, _>>();
            items.map(Value::Array).map_err(|_| unread("numbers with commas between them"))
        }
        _ => Ok(Value::String(text.to_owned())),
    }
}

fn step<'a>(value: &'a Value, part: &str) -> Option<&'a Value> {
    match value {
        Value::Table(table) => table.get(part),
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        _ => None,
    }
}

fn value_at<'a>(tree: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').filter(|part| !part.is_empty()).try_fold(tree, |value, part| step(value, part))
}

fn value_at_mut<'a>(tree: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    path.split('.').filter(|part| !part.is_empty()).try_fold(tree, |value, part| match value {
        Value::Table(table) => table.get_mut(part),
        Value::Array(items) => items.get_mut(part.parse::<usize>().ok()?),
        _ => None,
    })
}

fn put_at(tree: &mut Value, path: &str, value: Value) {
    let (parent, key) = path.rsplit_once('.').unwrap_or(("", path));
    match value_at_mut(tree, parent) {
        Some(Value::Table(table)) => drop(table.insert(key.to_owned(), value)),
        Some(Value::Array(items)) => {
            if let Some(item) = key.parse::<usize>().ok().and_then(|index| items.get_mut(index)) {
                *item = value;
            }
        }
        _ => {}
    }
}

/// The field that an error is about, and the rest of the message. Errors begin with the dotted
/// field ("optimizer.lr is 0; ..."), or with a table and then the field ("model.backbone: width is ...").
fn place_of(error: &str, tree: &Value) -> (String, String) {
    let mut path = String::new();
    let mut rest = error;
    loop {
        let end = rest.find([' ', ':', '=']).unwrap_or(rest.len());
        let longer = [path.as_str(), &rest[..end]]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(".");
        let is_field = value_at(tree, &longer).is_some() || absent_meaning(&longer).is_some();
        if end == 0 || !is_field {
            break;
        }
        path = longer;
        rest = rest[end..].trim_start_matches([':', ' ']);
    }
    (path, rest.to_owned())
}

/// Every path whose value differs, with its new text where it is a single field.
fn differences(path: &str, before: &Value, now: &Value, found: &mut Vec<(String, Option<String>)>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (before, now) {
        (Value::Table(old), Value::Table(new))
            if old.keys().all(|key| new.contains_key(key) || absent_meaning(&below(key)).is_some()) =>
        {
            for (key, value) in new {
                match old.get(key) {
                    Some(old) => differences(&below(key), old, value, found),
                    None => found.push((below(key), Some(text_of(value)))),
                }
            }
            found.extend(old.keys().filter(|key| !new.contains_key(*key)).map(|key| (below(key), None)));
        }
        (Value::Array(old), Value::Array(new))
            if old.len() == new.len() && old.iter().any(Value::is_table) =>
        {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                differences(&below(&index.to_string()), old, new, found);
            }
        }
        (Value::Array(_), Value::Array(new)) if before != now => {
            let is_list = !new.iter().any(Value::is_table);
            found.push((path.to_owned(), is_list.then(|| format!("[{}]", text_of(now)))));
        }
        _ if before != now => found.push((path.to_owned(), (!now.is_table()).then(|| text_of(now)))),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::facts::find_recipe;

    fn editor() -> ConfigEditor {
        ConfigEditor::new(&find_recipe("quick-parts").unwrap().config)
    }

    #[test]
    fn what_is_typed_becomes_the_configuration() {
        let mut editor = editor();
        editor.type_text("batch", "64".into());
        editor.type_text("optimizer.lr", "1".into());
        editor.type_text("model.projector", "64, 32".into());
        editor.type_text("images", "1,000".into());
        editor.type_text("optimizer.clip_norm", "".into());
        let config = editor.config().unwrap();
        assert_eq!((config.batch, config.images, config.optimizer.lr), (64, Some(1000), 1.0));
        assert_eq!((config.model.projector.as_slice(), config.optimizer.clip_norm), (&[64, 32][..], None));
        assert_eq!(editor.changed_from("images").as_deref(), Some("all"));
        let changes = editor.changes();
        assert!(changes.contains(&("model.projector".into(), Some("[64, 32]".into()))), "{changes:?}");
        assert!(changes.contains(&("optimizer.clip_norm".into(), None)), "{changes:?}");
    }

    #[test]
    fn every_wrong_field_says_what_is_wrong_with_it() {
        let mut editor = editor();
        for (path, text) in [
            ("batch", "many"),
            ("optimizer.lr", "-1"),
            ("model.backbone.width", "0"),
            ("views.0.jitter.hue", "0.9"),
            ("epochs", "0"),
        ] {
            editor.type_text(path, text.into());
        }
        assert!(editor.error("batch").unwrap().contains("expected a whole number"));
        assert!(editor.error("optimizer.lr").unwrap().contains("more than 0"));
        assert!(editor.error("model.backbone.width").is_some());
        assert!(editor.error("views.0.jitter.hue").unwrap().contains("0 to 0.5"));
        assert!(editor.error("epochs").unwrap().contains("1 to 100,000"));
        assert!(editor.config().is_none());
        for (path, text) in [
            ("batch", "64"),
            ("optimizer.lr", "0.1"),
            ("model.backbone.width", "16"),
            ("views.0.jitter.hue", "0.1"),
            ("epochs", "2"),
        ] {
            editor.type_text(path, text.into());
        }
        assert_eq!(editor.errors(), 0);
        assert!(editor.config().is_some());
    }

    #[test]
    fn views_are_edited_together_or_apart() {
        let mut editor = editor();
        assert!(editor.views_alike);
        editor.type_text("views.0.grey", "0.5".into());
        assert!(editor.config().unwrap().views.iter().all(|view| view.grey == 0.5));
        editor.set_views(3);
        editor.views_alike = false;
        editor.type_text("views.1.grey", "0.1".into());
        let grey: Vec<f64> = editor.config().unwrap().views.iter().map(|view| view.grey).collect();
        assert_eq!(grey, [0.5, 0.1, 0.5]);
        editor.make_views_alike();
        assert_eq!(editor.value("views.1.grey"), Some(&Value::Float(0.5)));
    }
}
