//! What two windows changed, together.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// What is to be stored, of `ours` and of `theirs` that is stored now; `base` is what ours was when it was last stored.
/// What we changed is ours, all else theirs. Of lists of things (pins, what was opened lately) each thing counts by
/// itself: what we added stands first, what we removed is gone.
pub fn merged(base: &Value, ours: &Value, theirs: &Value) -> Value {
    one(Some(base), Some(ours), Some(theirs)).unwrap_or_default()
}

fn one(base: Option<&Value>, ours: Option<&Value>, theirs: Option<&Value>) -> Option<Value> {
    match (ours, theirs) {
        (Some(Value::Object(ours)), Some(Value::Object(theirs))) => {
            let base = base.and_then(Value::as_object);
            let keys: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
            let field = |key: &String| {
                let field = one(base.and_then(|base| base.get(key)), ours.get(key), theirs.get(key))?;
                Some((key.clone(), field))
            };
            Some(Value::Object(keys.into_iter().filter_map(field).collect::<Map<_, _>>()))
        }
        _ if base == ours => theirs.cloned(),
        (ours, theirs) => match (things(base), things(ours), things(theirs)) {
            (Some(base), Some(ours), Some(theirs)) => {
                let list = of_things(base, ours, theirs);
                (!list.is_empty()).then_some(Value::Array(list))
            }
            _ => ours.cloned(),
        },
    }
}

/// A list of things that are each something by themselves; what is not there is an empty one.
fn things(value: Option<&Value>) -> Option<&[Value]> {
    match value {
        None => Some(&[]),
        Some(Value::Array(list)) if list.iter().all(Value::is_object) => Some(list),
        Some(_) => None,
    }
}

fn of_things(base: &[Value], ours: &[Value], theirs: &[Value]) -> Vec<Value> {
    // What we added, or put first.
    let is_left = |rest: &[Value]| {
        let mut base = base.iter();
        rest.iter().all(|thing| base.any(|other| other == thing))
    };
    let new = (0..ours.len()).find(|&from| is_left(&ours[from..])).unwrap_or(ours.len());
    let new = &ours[..new];
    let is_gone = |from: &[Value], thing: &Value| base.contains(thing) && !from.contains(thing);
    let kept = theirs.iter().filter(|thing| !new.contains(thing) && !is_gone(ours, thing));
    new.iter().filter(|thing| !is_gone(theirs, thing)).chain(kept).cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_each_window_changed_stays_changed() {
        let base =
            json!({"opacity": 100, "grid": false, "range": [-1, 1], "export": {"dpi": 300, "facts": true}});
        let ours =
            json!({"opacity": 60, "grid": false, "range": [-1, 1], "export": {"dpi": 300, "facts": false}});
        let theirs = json!({"opacity": 100, "grid": true, "range": [0, 1], "export": {"dpi": 72, "facts": true}, "new": 1});
        let both = json!({"opacity": 60, "grid": true, "range": [0, 1], "export": {"dpi": 72, "facts": false}, "new": 1});
        assert_eq!(merged(&base, &ours, &theirs), both);
        // Of what both changed, the later one stays, whole.
        let ours = json!({"range": [0.5, 0.6]});
        assert_eq!(merged(&json!({"range": [-1, 1]}), &ours, &json!({"range": [0, 1]})), ours);
    }

    #[test]
    fn lists_hold_what_either_added_and_not_what_either_removed() {
        let list = |names: &str| -> Vec<Value> {
            names.chars().map(|name| json!({"name": name.to_string()})).collect()
        };
        for (base, ours, theirs, both) in [
            ("", "a", "b", "ab"),
            ("p", "pa", "pb", "pab"),
            ("xy", "nxy", "mxy", "nmxy"),
            ("xy", "yx", "mxy", "ymx"),
            ("xy", "x", "xyz", "xz"),
            ("xy", "xy", "y", "y"),
            ("xy", "xya", "y", "ya"),
            ("xy", "xy", "", ""),
            ("x", "", "xy", "y"),
        ] {
            let wrap = |names: &str| json!({"pins": {"data": list(names)}});
            let found = merged(&wrap(base), &wrap(ours), &wrap(theirs));
            let found = found["pins"]["data"].as_array().cloned().unwrap_or_default();
            assert_eq!(found, list(both), "{base} {ours} {theirs}");
        }
        // A window whose last pin went has no list any more.
        let (with, without) = (json!({"pins": {"a": list("x")}}), json!({"pins": {}}));
        assert_eq!(merged(&with, &without, &with), without);
        assert_eq!(
            merged(&with, &without, &json!({"pins": {"a": list("xy")}}))["pins"]["a"],
            json!(list("y"))
        );
    }
}
