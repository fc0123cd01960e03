//! What a run runs on, as its folder keeps it.

use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use crate::dataset::{DataSource, Dataset};
use crate::files;

/// Where a run folder keeps it.
pub const ENVIRONMENT_FILE: &str = "environment.json";

/// Program, system, device and data of a run. Early versions of the program said less.
#[derive(Clone, Debug, Default)]
pub struct Environment(Value);

impl Environment {
    /// Of a run of this process on `used` images of `data`, which is all or a part of what `source` opens.
    pub fn of(source: &DataSource, data: &dyn Dataset, used: usize, device: &str) -> anyhow::Result<Self> {
        Ok(Self(json!({
            "program": concat!("bagssl ", env!("CARGO_PKG_VERSION")),
            "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            "device": device,
            "threads": rayon::current_num_threads(),
            "data": {
                "spec": source.spec,
                "split": source.split.map(|split| split.name()),
                "name": data.name(),
                "images": data.len(),
                "used": used,
                "fingerprint": data.fingerprint()?,
                "decoding": data.decoding(),
            },
        })))
    }

    /// What the folder `run` says.
    pub fn read(run: &Path) -> anyhow::Result<Self> {
        let path = run.join(ENVIRONMENT_FILE);
        let text = files::read(&path, files::MOST_WORDS)
            .with_context(|| format!("could not read {}", path.display()))?;
        let value =
            serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))?;
        Ok(Self(value))
    }

    /// As it is written down.
    pub fn json(&self) -> &Value {
        &self.0
    }

    /// What opens the data set.
    pub fn source(&self) -> Option<DataSource> {
        let data = &self.0["data"];
        let split = serde_json::from_value(data["split"].clone()).ok().flatten();
        Some(DataSource { spec: serde_json::from_value(data["spec"].clone()).ok()?, split })
    }

    /// The data set's name.
    pub fn data_name(&self) -> Option<&str> {
        self.0["data"]["name"].as_str()
    }

    /// How many images are trained on, of at most `limit`; early versions say only how many there are.
    pub fn images(&self, limit: Option<usize>) -> Option<usize> {
        let number = |key: &str| self.0["data"][key].as_u64().map(|images| images as usize);
        number("used").or(number("images").map(|images| images.min(limit.unwrap_or(usize::MAX))))
    }

    /// The device's name.
    pub fn device(&self) -> Option<&str> {
        self.0["device"].as_str()
    }
}
