//! A model as it is described.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::augment::Resize;
use crate::embed::Embedder;
use crate::model::{EmbedPrecision, ModelInfo, ModelOrigin, Space, Stem, VitConfig};
use crate::tiles::{ImageTiles, TileChoice};
use crate::wire::fields::Word;
use crate::words::{sums_words, thousands};

/// What a model is: what its file says, and what was assumed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelReport {
    /// What it is called.
    pub name: String,
    /// The backbone.
    pub arch: String,
    /// The first layers of a ResNet.
    pub stem: Option<Stem>,
    /// What a transformer is made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transformer: Option<VitConfig>,
    /// Channels inside the bottlenecks of a ResNet's stages, where they are not the usual ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bottlenecks: Option<[usize; 4]>,
    /// Names and widths of all spaces of a crop, from z back.
    pub crop_spaces: Vec<(String, usize)>,
    /// Names and widths of the feature maps of a whole image, from the last back.
    pub maps: Vec<(String, usize)>,
    /// Names and widths of the usual spaces.
    pub spaces: BTreeMap<String, usize>,
    /// Side of the input, pixels.
    pub input: u32,
    /// Short side of whole images whose feature maps give the spaces of places, pixels, where it was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<u32>,
    /// The tiles in which whole images go through that are larger than one.
    pub tiles: TileChoice,
    /// The largest tiles that memory has room for.
    pub fitting_tiles: ImageTiles,
    /// What the sides of whole images are made multiples of, pixels.
    pub step: u32,
    /// In what numbers it computes.
    pub precision: EmbedPrecision,
    /// How a patch or image reaches the input.
    pub resize: Resize,
    /// What is subtracted, per channel of RGB / 255.
    pub mean: [f32; 3],
    /// What is divided by, per channel of RGB / 255.
    pub std: [f32; 3],
    /// How many numbers were trained.
    pub parameters: usize,
    /// Hex SHA-256 of the file.
    pub hash: String,
    /// What the file is.
    #[serde(with = "crate::wire::fields::word")]
    pub format: Word,
    /// Keys that the network needs and the file lacks; a file with any is refused.
    pub missing: Vec<String>,
    /// Keys that the network does not know; a file with any is refused.
    pub unexpected: Vec<String>,
    /// Whether the file has sums, by which damage is found; earlier versions of the program wrote none.
    pub sums: bool,
    /// How it was recognised in another program's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<ModelOrigin>,
    /// What the file says about how it was trained.
    pub training: serde_json::Value,
}

impl ModelReport {
    /// Of a model that is open.
    pub fn of(embedder: &Embedder) -> Self {
        let info = &embedder.info;
        Self {
            name: embedder.name.clone(),
            arch: info.backbone.title(),
            stem: info.backbone.stem(),
            transformer: info.backbone.transformer(),
            bottlenecks: info
                .backbone
                .resnet()
                .ok()
                .and_then(|net| net.bottleneck.map(|_| net.inner_widths())),
            crop_spaces: named(info, info.crop_spaces()),
            maps: named(info, info.map_layers().into_iter().map(Space::Token)),
            spaces: info.spaces().into_iter().map(|(space, width)| (space.to_string(), width)).collect(),
            input: info.input,
            resolution: embedder.resolution,
            tiles: embedder.tiles(),
            fitting_tiles: embedder.fitting_tiles(),
            step: info.map_step(),
            precision: embedder.precision,
            resize: info.resize,
            mean: info.normalization.mean,
            std: info.normalization.std,
            parameters: embedder.parameters(),
            hash: embedder.hash.clone(),
            format: embedder.format,
            origin: info.origin.clone(),
            missing: vec![],
            unexpected: vec![],
            sums: embedder.has_sums,
            training: info.training.clone(),
        }
    }

    /// Whether damage to its file would be found, in words.
    pub fn sums_words(&self) -> &'static str {
        sums_words(self.sums)
    }

    /// In what numbers it computes, in words.
    pub fn precision_words(&self) -> &'static str {
        match self.precision {
            EmbedPrecision::F32 => "float32",
            EmbedPrecision::Bf16 => "bfloat16 with sums in float32, but for the projector",
        }
    }

    /// How the spaces of places come about, in a line.
    pub fn places_words(&self) -> String {
        let side = match self.resolution {
            Some(side) => format!("short side {} px", thousands(side)),
            None => "in the size in which the network saw its patches, else that of the input".into(),
        };
        let tile = thousands(self.tiles.tiles.side);
        format!("of whole images, {side}; those of more than {tile} x {tile} px in {}", self.tiles)
    }

    /// What a transformer is made of, in a line.
    pub fn transformer_words(&self) -> Option<String> {
        let vit = self.transformer.as_ref()?;
        let registers = match vit.registers {
            0 => String::new(),
            count => format!(", {count} registers"),
        };
        let class = if vit.class_token { "" } else { ", no class token" };
        Some(format!(
            "{} blocks of {} heads, patches of {} x {} pixels, {} values to a token{class}{registers}; spaces block1 to \
             block{0}, and of a whole image token-last, token-block1 to token-block{0}, with norm, keys, queries, values",
            vit.depth, vit.heads, vit.patch, vit.patch, vit.width
        ))
    }

    /// What is unusual about a ResNet's blocks, in a line.
    pub fn bottleneck_words(&self) -> Option<String> {
        let [first, rest @ .., last] = self.bottlenecks?.map(thousands);
        Some(format!(
            "{first}, {} and {last} channels inside the bottlenecks of the four stages",
            rest.join(", ")
        ))
    }

    /// The padding of a stem of 3 x 3, the one that has a choice, and whether a max-pool follows it.
    pub fn small_stem(&self) -> Option<(usize, bool)> {
        self.stem.and_then(|stem| Some((stem.padding()?, stem.has_max_pool())))
    }
}

/// Spaces by name, with their widths.
fn named(info: &ModelInfo, spaces: impl IntoIterator<Item = Space>) -> Vec<(String, usize)> {
    spaces.into_iter().filter_map(|space| Some((space.to_string(), info.width(space)?))).collect()
}
