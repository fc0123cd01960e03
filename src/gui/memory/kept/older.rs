//! What an earlier bagssl kept in `app.ron`, as egui's shell wrote it: a map of texts, each RON of its own.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Context;
use ron::value::RawValue;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::gui::memory::settings::Settings;
use crate::gui::memory::window_look::WindowLook;

/// The file's name, beside ours.
pub const NAME: &str = "app.ron";

/// What it says, in our own form; in words which fields could not be read.
///
/// # Errors
/// It is no such file.
pub fn from_text(text: &str) -> anyhow::Result<(Value, Vec<String>)> {
    let entries: BTreeMap<String, String> = ron::from_str(text).context("expected RON")?;
    let mut lost = vec![];
    let fields = entries.get("bagssl-settings").map_or(Ok(Fields::default()), |text| ron::from_str(text));
    let fields = fields.unwrap_or_else(|error| {
        lost.push(format!("bagssl-settings: {error}"));
        Fields::default()
    });
    let mut stored = Map::new();
    for (name, value) in fields.0 {
        // Settings of which all else is as it comes.
        match ron::from_str::<Settings>(&format!("({name}:{})", value.get_ron())) {
            Ok(settings) => {
                let mut settings = serde_json::to_value(settings)?;
                stored.extend(settings.get_mut(&name).map(Value::take).map(|value| (name, value)));
            }
            Err(error) => lost.push(format!("{name}: {}", error.code)),
        }
    }
    stored.insert("window".into(), window(&entries)?);
    Ok((Value::Object(stored), lost))
}

/// The window of an earlier one. Nothing is said of what is missing: not every system knew it.
fn window(entries: &BTreeMap<String, String>) -> serde_json::Result<Value> {
    let parse = |key: &str| entries.get(key).map(String::as_str);
    let egui: Option<OlderMemory> = parse("egui").and_then(|text| ron::from_str(text).ok());
    let frame: Option<OlderWindow> = parse("window").and_then(|text| ron::from_str(text).ok());
    let mut look = WindowLook::default();
    if let Some(egui) = egui {
        look.zoom = egui.options.zoom_factor;
    }
    if let Some(OlderWindow { normal_geometry: normal, maximized }) = frame {
        let points = |at: OlderPoint| [at.x, at.y];
        look.size = points(normal.inner_size_points).map(|side| side * look.zoom);
        let position = normal.outer_position_pixels.map(points);
        look.position = position.map(|at| at.map(|at| at / normal.scale_factor));
        look.is_maximized = maximized;
    }
    serde_json::to_value(look)
}

/// The part of egui's memory that is taken over.
#[derive(Deserialize)]
struct OlderMemory {
    options: OlderOptions,
}

#[derive(Deserialize)]
struct OlderOptions {
    zoom_factor: f32,
}

#[derive(Deserialize)]
struct OlderWindow {
    normal_geometry: OlderGeometry,
    maximized: bool,
}

#[derive(Deserialize)]
struct OlderGeometry {
    outer_position_pixels: Option<OlderPoint>,
    scale_factor: f32,
    inner_size_points: OlderPoint,
}

#[derive(Clone, Copy, Deserialize)]
struct OlderPoint {
    x: f32,
    y: f32,
}

/// The fields of a struct, each unread: `(name: value, ...)`.
#[derive(Default)]
struct Fields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Fields;
            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("fields in parentheses")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = vec![];
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_struct("Settings", &[], Each)
    }
}
