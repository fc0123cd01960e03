//! A configuration while it is edited: what was typed, field by field, and what is wrong with it.
//! The tree is that of the TOML file, and the checks are those of the file and of `--set`.

use std::collections::BTreeMap;

use toml::Value;

use super::tree::{differences, place_of, put_at, read_like, text_of, value_at, value_at_mut};
use crate::engine::facts::{Problem, TrainConfig, settings};

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

    /// As it began.
    pub fn reset(&mut self) {
        // What it was made of could be written, and so be read.
        if let Ok(config) = self.base.clone().try_into::<TrainConfig>() {
            *self = Self::new(&config);
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

    /// What it began with, if it is different now.
    pub fn changed_from(&self, path: &str) -> Option<String> {
        let (now, before) = (self.value(path), value_at(&self.base, path));
        let absent_word = || settings::absent(path).map_or("nothing", |absent| absent.meaning).to_owned();
        (now != before).then(|| before.map_or_else(absent_word, text_of))
    }

    /// Fields that differ from what they began with, with the text of those that are one field and there.
    pub fn changes(&self) -> Vec<(String, Option<String>)> {
        let mut found = vec![];
        differences("", &self.base, &self.tree, &mut found);
        found
    }

    /// The changes as `--set` takes them; what stands for several fields is told whole, what is left out as nothing.
    pub fn assignments(&self) -> Vec<String> {
        let whole = |path: &str| self.value(path).map_or_else(String::new, Value::to_string);
        let told = |(path, text): (String, Option<String>)| {
            let text = text.unwrap_or_else(|| whole(&path));
            format!("{path}={text}")
        };
        self.changes().into_iter().map(told).collect()
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
        let absent = settings::absent(path);
        if absent.is_some() && text.is_empty() {
            return Ok(None);
        }
        let like = absent
            .map(|absent| &absent.like)
            .or_else(|| value_at(&self.base, path))
            .or_else(|| self.value(path));
        let value = like.map_or_else(|| Ok(Value::String(text.to_owned())), |like| read_like(text, like));
        value.map(Some)
    }

    /// Finds every error: the first field that is wrong is put right in a copy, and so on. What is wrong only because
    /// of another field is not said.
    fn check(&mut self) {
        self.wrong.clear();
        let mut tree = self.tree.clone();
        self.config = None;
        for round in 0..MOST_ERRORS {
            let (path, message) = match tree.clone().try_into::<TrainConfig>() {
                Ok(config) => match config.problems().into_iter().next() {
                    None => {
                        self.config = (round == 0).then_some(config);
                        return;
                    }
                    Some(Problem { field, message }) => {
                        let words = message.strip_prefix(&field).map(|words| words.trim_start().to_owned());
                        (field, words.unwrap_or(message))
                    }
                },
                Err(error) => place_of(error.message(), &tree),
            };
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

    /// Views of another number and what was left out were missing from the command.
    #[test]
    fn assignments_make_the_same_configuration() {
        let mut editor = editor();
        for (path, text) in [("batch", "64"), ("optimizer.clip_norm", ""), ("model.projector", "64, 32")] {
            editor.type_text(path, text.into());
        }
        editor.set_views(3);
        let mut config = find_recipe("quick-parts").unwrap().config;
        config.set(&editor.assignments()).unwrap();
        assert_eq!(Some(&config), editor.config());
        // And back: what was absent is there, what was there is not.
        let mut other = ConfigEditor::new(&config);
        other.type_text("images", "640".into());
        other.type_text("optimizer.clip_norm", "2".into());
        config.set(&other.assignments()).unwrap();
        assert_eq!(Some(&config), other.config());
    }

    /// Reset did nothing to what cannot be read, and took a recipe's settings for those of a run.
    #[test]
    fn reset_returns_to_what_it_began_with() {
        let mut config = find_recipe("quick-parts").unwrap().config;
        config.batch = 48;
        let mut editor = ConfigEditor::new(&config);
        editor.type_text("batch", "64".into());
        editor.type_text("optimizer.lr", "fast".into());
        editor.views_alike = false;
        editor.type_text("views.1.grey", "0.1".into());
        editor.reset();
        assert_eq!((editor.config(), editor.errors(), editor.changes().len()), (Some(&config), 0, 0));
        assert!(editor.views_alike && editor.text("optimizer.lr") != "fast");
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
