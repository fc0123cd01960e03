//! A configuration as a tree of TOML values: fields by dotted path, as text and back, and how two
//! trees differ.

use toml::Value;

use crate::engine::facts::settings;

/// A value as it is typed: numbers bare, lists with commas.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join(", "),
        Value::Float(number) => format!("{number}"),
        other => other.to_string(),
    }
}

pub fn read_like(text: &str, like: &Value) -> Result<Value, String> {
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

pub fn step<'a>(value: &'a Value, part: &str) -> Option<&'a Value> {
    match value {
        Value::Table(table) => table.get(part),
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        _ => None,
    }
}

pub fn value_at<'a>(tree: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').filter(|part| !part.is_empty()).try_fold(tree, |value, part| step(value, part))
}

pub fn value_at_mut<'a>(tree: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    path.split('.').filter(|part| !part.is_empty()).try_fold(tree, |value, part| match value {
        Value::Table(table) => table.get_mut(part),
        Value::Array(items) => items.get_mut(part.parse::<usize>().ok()?),
        _ => None,
    })
}

pub fn put_at(tree: &mut Value, path: &str, value: Value) {
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
pub fn place_of(error: &str, tree: &Value) -> (String, String) {
    let mut path = String::new();
    let mut rest = error;
    loop {
        let end = rest.find([' ', ':', '=']).unwrap_or(rest.len());
        let longer = [path.as_str(), &rest[..end]]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(".");
        let is_field = value_at(tree, &longer).is_some() || settings::absent(&longer).is_some();
        if end == 0 || !is_field {
            break;
        }
        path = longer;
        rest = rest[end..].trim_start_matches([':', ' ']);
    }
    (path, rest.to_owned())
}

/// Every path whose value differs, with its new text where it is a single field.
pub fn differences(path: &str, before: &Value, now: &Value, found: &mut Vec<(String, Option<String>)>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (before, now) {
        (Value::Table(old), Value::Table(new))
            if old.keys().all(|key| new.contains_key(key) || settings::absent(&below(key)).is_some()) =>
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
