//! Settings as a file says them, field by field: what is wrong with one costs that one only.

use serde_json::{Map, Value};

use crate::gui::memory::settings::Settings;
use crate::gui::nouns::text::tail;

/// Letters of a wrong value that are shown.
const SHOWN: usize = 40;

/// One field a line, so that a line that is broken costs one field.
pub fn to_text(stored: &Value) -> String {
    let line = |(key, value): (&String, &Value)| format!("  {}: {value}", Value::from(key.as_str()));
    let lines: Vec<_> = stored.as_object().into_iter().flatten().map(line).collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

/// What a file says; where it is no JSON as a whole, its lines that are a field each. In words what is not read.
pub fn from_text(text: &str) -> (Value, Vec<String>) {
    let error = match serde_json::from_str(text) {
        Ok(stored) => return (stored, vec![]),
        Err(error) => error,
    };
    let field = |line: &str| {
        let line = line.trim().trim_end_matches(',');
        serde_json::from_str::<Map<String, Value>>(&format!("{{{line}}}")).ok()
    };
    let fields: Map<String, Value> = text.lines().filter_map(field).flatten().collect();
    (Value::Object(fields), vec![format!("expected JSON: {error}")])
}

/// The settings that are stored, and in words what of them cannot be.
pub fn settings(stored: &Value) -> (Settings, Vec<String>) {
    let mut lost = vec![];
    if !stored.is_object() {
        lost.push(words("", stored, "expected fields in braces"));
        return (Settings::default(), lost);
    }
    let found = take(&[], stored, &mut lost);
    let settings: Option<Settings> = found.and_then(|found| serde_json::from_value(found).ok());
    (settings.unwrap_or_default().within_limits(), lost)
}

/// What of `value` can stand at `path`.
fn take(path: &[&str], value: &Value, lost: &mut Vec<String>) -> Option<Value> {
    let fault = match trial(path, value) {
        Ok(()) => return Some(value.clone()),
        Err(fault) => fault,
    };
    match value {
        Value::Object(fields) if trial(path, &Value::Object(Map::new())).is_ok() => {
            let each = fields.iter().filter_map(|(key, value)| {
                let inner = [path, &[key.as_str()]].concat();
                take(&inner, value, lost).map(|value| (key.clone(), value))
            });
            Some(Value::Object(each.collect()))
        }
        Value::Array(items) if trial(path, &Value::Array(vec![])).is_ok() => {
            let mut sound = |(index, item): (usize, &Value)| {
                let fault = trial(path, &Value::Array(vec![item.clone()])).err();
                let number = format!("{}[{index}]", path.join("."));
                fault.map(|fault| lost.push(words(&number, item, &fault))).is_none().then(|| item.clone())
            };
            Some(Value::Array(items.iter().enumerate().filter_map(&mut sound).collect()))
        }
        _ => {
            lost.push(words(&path.join("."), value, &fault));
            None
        }
    }
}

/// Whether settings can be that have nothing but this.
fn trial(path: &[&str], value: &Value) -> Result<(), String> {
    let nest = |inner: Value, key: &&str| Value::Object(Map::from_iter([((*key).to_owned(), inner)]));
    let whole = path.iter().rev().fold(value.clone(), nest);
    let settings: Settings = serde_json::from_value(whole).map_err(|error| error.to_string())?;
    settings.check()
}

fn words(path: &str, value: &Value, fault: &str) -> String {
    let path = if path.is_empty() { "the whole" } else { path };
    format!("{path} is {}: {fault}", tail(&value.to_string(), SHOWN))
}
