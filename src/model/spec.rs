//! What names a model, and what its user knows better than its file.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::backbone::Backbone;
use super::builtin::{self, BuiltIn};
use super::encoder::ModelInfo;
use super::origin::{ACTIVATION, HEADS, NO_MAX_POOL};
use super::precision::EmbedPrecision;
use super::resnet::{BackboneConfig, Stem};
use crate::augment::Resize;
use crate::files::hex;
use crate::kernel::Activation;
use crate::paths;
use crate::tiles::ImageTiles;

/// A model to open.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelSpec {
    /// `demo`, a run folder, a checkpoint folder or a model file.
    #[serde(with = "paths")]
    pub path: PathBuf,
    /// What is said in place of what the file says.
    #[serde(default, skip_serializing_if = "Overrides::is_empty")]
    pub overrides: Overrides,
}

/// What the words that name a model mean.
#[derive(Clone, Copy)]
pub enum ModelPlace<'a> {
    /// A model in the program.
    BuiltIn(&'static BuiltIn),
    /// A file or folder.
    Path(&'a Path),
}

impl<'a> ModelPlace<'a> {
    /// What `path` means. A file or folder that is called like a built-in model is reached as `./name`.
    pub fn of(path: &'a Path) -> Self {
        let built_in = path.to_str().and_then(builtin::find);
        built_in.map_or(ModelPlace::Path(path), ModelPlace::BuiltIn)
    }
}

impl ModelSpec {
    /// Where the model is.
    pub fn place(&self) -> ModelPlace<'_> {
        ModelPlace::of(&self.path)
    }

    /// Where it lies on disk; a built-in model lies nowhere.
    pub fn on_disk(&self) -> Option<&Path> {
        match self.place() {
            ModelPlace::BuiltIn(_) => None,
            ModelPlace::Path(path) => Some(path),
        }
    }

    /// The same model by a path from the root on, so that it is found from another folder too.
    pub fn absolute(&self) -> Self {
        let path = self.on_disk().and_then(|path| paths::absolute(path).ok());
        Self { path: path.unwrap_or_else(|| self.path.clone()), overrides: self.overrides.clone() }
    }
}

/// A path that is no text names a file too.
impl<T: AsRef<OsStr>> From<T> for ModelSpec {
    fn from(words: T) -> Self {
        Self { path: paths::from_words(words), overrides: Overrides::default() }
    }
}

/// What is said in place of what the file says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Overrides {
    /// Which network of a file with several: what stands before its names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// Of a stem of 3 x 3: 1 or 2.
    pub stem_padding: Option<usize>,
    /// Whether a max-pool follows a stem of 3 x 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pool: Option<bool>,
    /// Of a transformer: heads of each block, where its file does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads: Option<usize>,
    /// Of a transformer: what its MLPs apply, where its file does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    /// What is subtracted, per channel of RGB / 255.
    pub mean: Option<[f32; 3]>,
    /// What is divided by, per channel of RGB / 255.
    pub std: Option<[f32; 3]>,
    /// Side of the square input, pixels.
    pub input: Option<u32>,
    /// How a patch or image reaches the input's side.
    pub resize: Option<Resize>,
    /// Short side of the whole images whose feature maps give the token spaces, pixels; the input's side where nothing
    /// is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<u32>,
    /// The tiles in which whole images go through that are larger than one; the largest that memory has room for where
    /// nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tiles: Option<ImageTiles>,
    /// In what numbers the network computes; float32 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<EmbedPrecision>,
}

impl Overrides {
    /// Whether nothing is overridden.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Puts what was said in place.
    ///
    /// # Errors
    /// A stem padding for a stem that has none to choose; heads or an activation of a ResNet, or one of gated MLPs.
    pub fn apply(&self, info: &mut ModelInfo) -> anyhow::Result<()> {
        self.apply_to_stem(info)?;
        if let Some(said) = self.heads {
            match &mut info.backbone {
                Backbone::Transformer(vit) => vit.heads = said,
                Backbone::ResNet(_) => bail!("{said} heads: the model is a ResNet, which has none"),
            }
            if let Some(origin) = &mut info.origin {
                origin.assumed.retain(|words| !words.contains(HEADS));
            }
        }
        if let Some(said) = self.activation {
            match &mut info.backbone {
                Backbone::Transformer(vit) if !vit.mlp.gated => vit.mlp.activation = said,
                Backbone::Transformer(_) => bail!("{}: the model's MLPs have a gate of SiLU", said.title()),
                Backbone::ResNet(_) => bail!("{}: the model is a ResNet, which has no MLPs", said.title()),
            }
            if let Some(origin) = &mut info.origin {
                origin.assumed.retain(|words| !words.contains(ACTIVATION));
            }
        }
        info.normalization.mean = self.mean.unwrap_or(info.normalization.mean);
        info.normalization.std = self.std.unwrap_or(info.normalization.std);
        info.input = self.input.unwrap_or(info.input);
        info.resize = self.resize.unwrap_or(info.resize);
        Ok(())
    }

    fn apply_to_stem(&self, info: &mut ModelInfo) -> anyhow::Result<()> {
        let padded = self.stem_padding.map(|padding| format!("stem padding {padding}"));
        let pooled = self.max_pool.map(|is_pooled| format!("max-pool {is_pooled}"));
        let Some(said) = padded.or(pooled) else { return Ok(()) };
        let other = match &mut info.backbone {
            Backbone::ResNet(BackboneConfig { stem, .. }) => match stem.padding() {
                Some(found) => {
                    let padding = self.stem_padding.unwrap_or(found);
                    let is_pooled = self.max_pool.unwrap_or(stem.has_max_pool());
                    *stem = if is_pooled { Stem::Pooled { padding } } else { Stem::Cifar { padding } };
                    None
                }
                None => Some("has an ImageNet stem (7x7, stride 2, then a max-pool)"),
            },
            Backbone::Transformer(_) => Some("is a transformer"),
        };
        ensure!(
            other.is_none(),
            "{said}: the model {}; only a stem of 3x3 has a choice",
            other.unwrap_or_default()
        );
        if let Some(origin) = info.origin.as_mut().filter(|_| self.max_pool.is_some()) {
            origin.assumed.retain(|words| words != NO_MAX_POOL);
        }
        Ok(())
    }

    /// In what numbers the network computes.
    pub fn precision(&self) -> EmbedPrecision {
        self.precision.unwrap_or_default()
    }

    /// What tells the network apart: the file's hash, and where the stem, the network or its numbers are others, that too.
    /// (Input, resizing and normalisation are recorded beside it, wherever it is.)
    pub fn hash(&self, file: String) -> String {
        let with = |hash: String, what: &str| hex(&Sha256::digest(format!("{hash} {what}")));
        let padded = match self.stem_padding {
            Some(padding) => with(file, &format!("stem padding {padding}")),
            None => file,
        };
        let pooled = match self.max_pool {
            Some(is_pooled) => with(padded, &format!("max-pool {is_pooled}")),
            None => padded,
        };
        let headed = match self.heads {
            Some(heads) => with(pooled, &format!("heads {heads}")),
            None => pooled,
        };
        let activated = match self.activation {
            Some(activation) => with(headed, &format!("activation {}", activation.word())),
            None => headed,
        };
        let taken = match &self.weights {
            Some(weights) => with(activated, &format!("weights {weights}")),
            None => activated,
        };
        match self.precision() {
            EmbedPrecision::F32 => taken,
            EmbedPrecision::Bf16 => with(taken, "precision bf16"),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::model::{MapLayer, store};

    #[test]
    fn what_is_said_takes_the_place_of_what_the_file_says() {
        let overrides = Overrides {
            weights: None,
            stem_padding: Some(2),
            max_pool: None,
            heads: None,
            activation: None,
            mean: Some([0.1, 0.2, 0.3]),
            std: None,
            input: Some(24),
            resize: Some(Resize::Bicubic),
            resolution: None,
            tiles: None,
            precision: None,
        };
        let device = Device::flex();
        let plain = store::open(&"demo".into(), &device).unwrap();
        let found = store::open(&ModelSpec { path: "demo".into(), overrides }, &device).unwrap();
        assert_eq!(found.info.backbone.stem(), Some(Stem::Cifar { padding: 2 }));
        assert_eq!(found.info.normalization.mean, [0.1, 0.2, 0.3]);
        assert_eq!(found.info.normalization.std, plain.info.normalization.std);
        assert_eq!((found.info.input, found.info.resize), (24, Resize::Bicubic));
        assert_ne!(found.hash, plain.hash);
        // Padding 2 makes 26 x 26 of 24 x 24, then 13, 7 and 4; padding 1 would end at 3.
        let images = burn::tensor::Tensor::zeros([1, 3, 24, 24], &device);
        let map = found.encoder.maps(images, &[MapLayer::Last]).remove(0);
        assert_eq!(map.dims()[2..], [4, 4]);
    }

    #[test]
    fn a_stem_is_followed_by_a_max_pool_where_that_is_said() {
        let device = Device::flex();
        let open = |max_pool| {
            let overrides = Overrides { max_pool, ..Overrides::default() };
            store::open(&ModelSpec { path: "demo".into(), overrides }, &device).unwrap()
        };
        let (plain, pooled) = (open(None), open(Some(true)));
        assert_eq!(pooled.info.backbone.stem(), Some(Stem::Pooled { padding: 1 }));
        assert_ne!(pooled.hash, plain.hash);
        assert_eq!(open(Some(false)).info.backbone, plain.info.backbone);
        let images = burn::tensor::Tensor::zeros([1, 3, 32, 32], &device);
        let sides =
            |model: &store::Model| model.encoder.maps(images.clone(), &[MapLayer::Last]).remove(0).dims()[2];
        assert_eq!((sides(&plain), sides(&pooled)), (4, 2));
        let cell = |model: &store::Model| model.info.backbone.cell(MapLayer::Last);
        assert_eq!((cell(&plain), cell(&pooled)), (8, 16));
    }

    #[test]
    fn an_override_that_makes_no_sense_is_an_error_that_says_so() {
        let open = |overrides| {
            let spec = ModelSpec { path: "demo".into(), overrides };
            match store::open(&spec, &Device::flex()) {
                Ok(_) => panic!("it opened"),
                Err(error) => format!("{error:#}"),
            }
        };
        let text = open(Overrides { input: Some(4), ..Overrides::default() });
        assert!(text.contains("input is 4; expected 8 to 1024"), "{text}");
        let text = open(Overrides { std: Some([1.0, 0.0, 1.0]), ..Overrides::default() });
        assert!(text.contains("expected positive numbers"), "{text}");
        let text = open(Overrides { stem_padding: Some(3), ..Overrides::default() });
        assert!(text.contains("expected 1 or 2"), "{text}");
        let text = open(Overrides { heads: Some(3), ..Overrides::default() });
        assert!(text.contains("3 heads: the model is a ResNet"), "{text}");
        let text = open(Overrides { activation: Some(Activation::QuickGelu), ..Overrides::default() });
        assert!(text.contains("OpenAI's quick GELU: the model is a ResNet"), "{text}");
    }
}
