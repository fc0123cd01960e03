//! The sidecar: everything that a figure was made from, as one JSON file.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::curve::CurveFigure;
use super::gallery::GalleryFigure;
use super::heatmap::HeatmapFigure;
use super::kind::Figure;
use super::output::Format;
use super::panels::PanelsFigure;
use super::sheet::SheetFigure;
use crate::files;

/// Version of the sidecar's layout.
const VERSION: u64 = 2;
/// Largest sidecar that is read: base64 of the largest picture takes half of it.
const MAX_BYTES: u64 = 2 << 30;

/// A figure, the format it was written in, and where its data came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Sidecar {
    /// The whole figure: `figure.render(format)` gives the file's bytes again.
    pub figure: Figure,
    /// The format of the file beside which the sidecar was written.
    pub format: Format,
    /// What the caller said about model, data and options.
    pub source: Value,
}

/// The keys of the file.
#[derive(Serialize)]
struct SidecarFile<'a, S, D> {
    figure: &'a str,
    version: u64,
    format: Format,
    spec: &'a S,
    data: &'a D,
    caption: String,
    source: &'a Value,
}

impl Sidecar {
    /// The file's text: `figure`, `version`, `format`, `spec` (all style),
    /// `data` (plain; pictures as base64 PNG, lists of numbers as base64 of
    /// little-endian floats), `caption` (LaTeX, made of spec and data) and `source`.
    pub fn to_json(&self) -> Result<String> {
        match &self.figure {
            Figure::Heatmap(f) => self.file("heatmap", &f.spec, &f.data),
            Figure::Gallery(f) => self.file("gallery", &f.spec, &f.data),
            Figure::Sheet(f) => self.file("sheet", &f.spec, &f.data),
            Figure::Curve(f) => self.file("curve", &f.spec, &f.data),
            Figure::Panels(f) => self.file("panels", &f.spec, &f.data),
        }
    }

    fn file(&self, figure: &str, spec: &impl Serialize, data: &impl Serialize) -> Result<String> {
        let (format, source) = (self.format, &self.source);
        let caption = self.figure.caption();
        let file = SidecarFile { figure, version: VERSION, format, spec, data, caption, source };
        Ok(serde_json::to_string_pretty(&file).context("writing the sidecar")? + "\n")
    }

    /// Reads a sidecar's text; errors name the key.
    pub fn from_json(json: &str) -> Result<Self> {
        let Value::Object(mut keys) = serde_json::from_str(json).context("not valid JSON")? else {
            bail!("expected a JSON object with the keys figure, version, format, spec, data");
        };
        let version: u64 = take(&mut keys, "version")?;
        ensure!(version == VERSION, "key \"version\": {version}; this program reads version {VERSION}");
        let kind: String = take(&mut keys, "figure")?;
        let figure = match kind.as_str() {
            "heatmap" => Figure::Heatmap(HeatmapFigure {
                spec: take(&mut keys, "spec")?,
                data: take(&mut keys, "data")?,
            }),
            "gallery" => Figure::Gallery(GalleryFigure {
                spec: take(&mut keys, "spec")?,
                data: take(&mut keys, "data")?,
            }),
            "sheet" => {
                Figure::Sheet(SheetFigure { spec: take(&mut keys, "spec")?, data: take(&mut keys, "data")? })
            }
            "curve" => {
                Figure::Curve(CurveFigure { spec: take(&mut keys, "spec")?, data: take(&mut keys, "data")? })
            }
            "panels" => Figure::Panels(PanelsFigure {
                spec: take(&mut keys, "spec")?,
                data: take(&mut keys, "data")?,
            }),
            other => bail!("key \"figure\": \"{other}\"; expected heatmap, gallery, sheet, curve or panels"),
        };
        let format = take(&mut keys, "format")?;
        Ok(Self { figure, format, source: keys.remove("source").unwrap_or(Value::Null) })
    }

    /// Reads a sidecar file; errors name the file and the key.
    pub fn load(path: &Path) -> Result<Self> {
        let name = || path.display().to_string();
        let json = files::read_to_string(path, MAX_BYTES)
            .with_context(|| format!("{}: cannot read the sidecar", name()))?;
        Self::from_json(&json).with_context(|| format!("{}: not a figure's sidecar", name()))
    }
}

/// Takes `key` out of `keys`; an error names the key.
fn take<T: DeserializeOwned>(keys: &mut Map<String, Value>, key: &str) -> Result<T> {
    let value = keys.remove(key).with_context(|| format!("key \"{key}\" is missing"))?;
    T::deserialize(value).map_err(|e| anyhow::anyhow!("key \"{key}\": {e}"))
}
