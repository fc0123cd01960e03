//! Where two configurations differ, key by key.

use std::collections::BTreeSet;

use toml::Value;

/// A key whose value is not the same in two trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Dotted, as `--set` takes it, items of lists by number.
    pub key: String,
    /// Its value in the first tree, in words; "nothing" where it is not there.
    pub first: String,
    /// And in the second.
    pub second: String,
}

/// Every key at which the trees differ, those of groups and lists of groups one by one.
pub fn differences(first: &Value, second: &Value) -> Vec<Difference> {
    let mut found = vec![];
    compare("", Some(first), Some(second), &mut found);
    found
}

fn compare(path: &str, first: Option<&Value>, second: Option<&Value>, found: &mut Vec<Difference>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (first, second) {
        (Some(Value::Table(one)), Some(Value::Table(other))) => {
            let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            keys.into_iter().for_each(|key| compare(&below(key), one.get(key), other.get(key), found));
        }
        (Some(Value::Array(one)), Some(Value::Array(other)))
            if one.len() == other.len() && one.iter().chain(other).all(Value::is_table) =>
        {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                compare(&below(&index.to_string()), Some(one), Some(other), found);
            }
        }
        (one, other) if one == other => {}
        (one, other) => {
            found.push(Difference { key: path.to_owned(), first: said(one), second: said(other) })
        }
    }
}

fn said(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::Array(items)) if items.iter().any(Value::is_table) => format!("{} entries", items.len()),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_that_differs_is_named_with_both_values() {
        let tree = |text: &str| Value::Table(toml::from_str(text).unwrap());
        let first = tree("a = 1\nb = [8, 4]\n[c]\nd = 'x'\n[[v]]\np = 0.5\n[[v]]\np = 0.25\n");
        let second = tree("a = 1\nb = [8, 2]\n[c]\ne = 3\n[[v]]\np = 0.5\n[[v]]\np = 0.75\n");
        let words: Vec<String> = differences(&first, &second)
            .into_iter()
            .map(|found| format!("{}: {}, {}", found.key, found.first, found.second))
            .collect();
        let expected = ["b: [8, 4], [8, 2]", "c.d: x, nothing", "c.e: nothing, 3", "v.1.p: 0.25, 0.75"];
        assert_eq!(words, expected);
        let fewer = tree("a = 1\nb = [8, 4]\n[c]\nd = 'x'\n[[v]]\np = 0.5\n");
        let found = differences(&first, &fewer);
        assert_eq!((found[0].first.as_str(), found[0].second.as_str()), ("2 entries", "1 entries"));
        assert!(differences(&first, &first).is_empty());
    }
}
