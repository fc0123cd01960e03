//! What made a bank. Two equal specs give the same rows, so this decides whether a bank may be resumed.

use super::layout::{ImageEntry, Layout};
use super::part::PartFacts;
use crate::dataset::{Dataset, DecodingFacts, ImageOrder, Mix, SPREAD_SEED, Split};
use crate::patch::PatchGrid;
use crate::tiles::ImageTiles;
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// Number format of the stored rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// IEEE half precision: 11 bits, up to 65,504.
    F16,
    /// IEEE single precision.
    F32,
}

impl Dtype {
    /// Bytes of one value.
    pub fn bytes(self) -> usize {
        match self {
            Dtype::F16 => 2,
            Dtype::F32 => 4,
        }
    }

    /// `f16` or `f32`: the word on the command line and the ending of the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Dtype::F16 => "f16",
            Dtype::F32 => "f32",
        }
    }
}

/// The model behind a bank. The hash decides identity; name and architecture are for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFacts {
    /// What the user calls it ("demo", a file name).
    pub name: String,
    /// Hex hash over the weights and all that changes their output.
    pub hash: String,
    /// Architecture ("resnet18").
    pub arch: String,
}

/// What stands for the architecture of vectors that another program computed.
const IMPORTED: &str = "vectors from elsewhere";

impl ModelFacts {
    /// Of vectors that another program computed: of their model nothing is known, and `hash` is that of the vectors.
    pub fn imported(hash: String) -> Self {
        Self { name: "imported".into(), hash, arch: IMPORTED.into() }
    }

    /// Whether another program computed the vectors.
    pub fn is_imported(&self) -> bool {
        self.arch == IMPORTED
    }
}

/// The images behind a bank. The fingerprint decides identity; the name is for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFacts {
    /// `Dataset::kind`.
    pub kind: String,
    /// `Dataset::name`.
    pub name: String,
    /// `Dataset::fingerprint`.
    pub fingerprint: String,
    /// The split, where the source has two.
    pub split: Option<Split>,
    /// How two splits are mixed, if both are in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mix: Option<Mix>,
    /// Only so many images were taken, in `order`; `None`: all.
    pub limit: Option<u64>,
    /// How picture files were decoded, where a choice mattered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoding: Option<DecodingFacts>,
    /// In which order images were taken; `None`: in the data set's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<ImageOrder>,
    /// Which of these images it has, where it is one of several parts; `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<PartFacts>,
}

impl DataFacts {
    /// The split of image `index`.
    pub fn split_of(&self, index: usize) -> Option<Split> {
        self.mix.map(|mix| mix.place(index).0).or(self.split)
    }

    /// Describes `data`, all of it.
    ///
    /// # Errors
    /// Its fingerprint cannot be taken.
    pub fn of(data: &dyn Dataset) -> Result<Self> {
        Ok(Self {
            kind: data.kind().name.into(),
            name: data.name(),
            fingerprint: data.fingerprint()?,
            split: data.split(),
            mix: data.mix(),
            limit: None,
            decoding: data.decoding(),
            order: None,
            part: None,
        })
    }

    /// In which order the images were taken, in words.
    pub fn order_words(&self) -> String {
        self.order.map_or_else(|| "as the data set has them".into(), |order| order.to_string())
    }

    /// Describes the images that are taken of `data`: those of [`spread`](crate::dataset::spread), at most `limit`.
    ///
    /// # Errors
    /// As [`DataFacts::of`].
    pub fn spread(data: &dyn Dataset, limit: Option<usize>) -> Result<Self> {
        let order = ImageOrder::Spread { seed: SPREAD_SEED, of: data.len() as u64 };
        let limit = limit.filter(|limit| *limit < data.len()).map(|limit| limit as u64);
        Ok(Self { limit, order: Some(order), ..Self::of(data)? })
    }
}

/// One space and the number of values in a row of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpaceSpec {
    /// Letters, digits, `_`, `-` and `.` ("h", "z", "layer1"): part of a file name.
    pub name: String,
    /// Values per row, at least 1.
    pub width: u32,
}

/// Everything that decides the rows of a bank.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BankSpec {
    /// Program and version ("bagssl 0.1.0").
    pub program: String,
    /// The model that made the rows.
    pub model: ModelFacts,
    /// The images that they are of.
    pub data: DataFacts,
    /// Patch side and stride, pixels of the image.
    pub grid: PatchGrid,
    /// Side to which a patch is resized for the model, pixels.
    pub input: u32,
    /// How it is resized ("bilinear", "bicubic").
    pub resize: String,
    /// Short side of the whole images of which the places of feature maps were taken, pixels; `None` where none
    /// was told, or no space is one of places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<u32>,
    /// The tiles in which those of the images went through that are larger than one; `None` where each went through at
    /// once, or no space is one of places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiles: Option<ImageTiles>,
    /// Mean of each colour that is subtracted, of RGB in [0, 1].
    pub mean: [f32; 3],
    /// Deviation of each colour that it is divided by.
    pub std: [f32; 3],
    /// How values are stored.
    pub dtype: Dtype,
    /// The spaces, in the model's order.
    pub spaces: Vec<SpaceSpec>,
    /// Class names; labels are indices into them. Empty without labels.
    pub classes: Vec<String>,
}

impl BankSpec {
    /// Bytes on disk of all rows and their norms over `images`, known before any is computed.
    ///
    /// # Errors
    /// An invalid spec, or no patch fits on any image.
    pub fn bytes(&self, images: &[ImageEntry]) -> Result<u64> {
        self.validate()?;
        let layout = Layout::new(self.grid, images.to_vec())?;
        Ok(self.row_bytes().saturating_mul(layout.patches() as u64))
    }

    /// Bytes of one row over all spaces, with its norms.
    pub(super) fn row_bytes(&self) -> u64 {
        let value = self.dtype.bytes() as u64;
        self.spaces.iter().map(|space| u64::from(space.width) * value + 4).sum()
    }

    /// Index of the space called `name`; the error lists those that exist.
    pub fn space_index(&self, name: &str) -> Result<usize> {
        let names: Vec<&str> = self.spaces.iter().map(|space| space.name.as_str()).collect();
        names
            .iter()
            .position(|known| *known == name)
            .ok_or_else(|| anyhow::anyhow!("the bank has no space {name:?}; it has {}", names.join(", ")))
    }

    /// Checks ranges and names, since a spec may come from a file.
    pub(super) fn validate(&self) -> Result<()> {
        PatchGrid::new(self.grid.patch, self.grid.stride)?;
        self.data.part.as_ref().map_or(Ok(()), PartFacts::validate)?;
        self.tiles.map_or(Ok(()), ImageTiles::validate)?;
        ensure!(!self.spaces.is_empty(), "a bank needs at least one space; none was asked for");
        for (i, space) in self.spaces.iter().enumerate() {
            let name = space.name.as_str();
            let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
            ensure!(
                !name.is_empty() && name.len() <= 64 && !name.starts_with('.') && name.chars().all(plain),
                "{name:?} cannot name a space; expected 1 to 64 letters, digits, '_', '-' or '.', \
                 not starting with '.'"
            );
            ensure!(
                (1..=1 << 24).contains(&space.width),
                "space {name} has width {}; expected 1 to 16,777,216 values per row",
                space.width
            );
            let twice = self.spaces[..i].iter().any(|other| other.name.eq_ignore_ascii_case(name));
            ensure!(!twice, "space {name} is named twice");
        }
        let finite = self.mean.iter().chain(&self.std).all(|v| v.is_finite());
        ensure!(finite, "mean {:?} and deviation {:?} must be finite", self.mean, self.std);
        Ok(())
    }

    /// Says, field by field, how a bank that exists (`self`) differs from the one that is asked for.
    /// Names of model and data do not count, where their hashes agree: files may be renamed.
    pub fn differences(&self, asked: &BankSpec) -> Vec<String> {
        let compared = self.compared(asked).into_iter();
        compared
            .map(|(what, has, wants)| format!("{what}: the bank has {has}, asked for is {wants}"))
            .collect()
    }

    /// Says likewise how two banks differ that belong together; which part each is does not count.
    pub(super) fn differences_beside(&self, other: &BankSpec) -> Vec<String> {
        let mut alike = self.clone();
        alike.data.part.clone_from(&other.data.part);
        let compared = alike.compared(other).into_iter();
        compared.map(|(what, one, other)| format!("{what}: {one} in one, {other} in the other")).collect()
    }

    /// What differs: its name, and what it is in `self` and in `asked`.
    fn compared(&self, asked: &BankSpec) -> Vec<(&'static str, String, String)> {
        let mut found = Vec::new();
        let mut compare = |what: &'static str, has: String, wants: String| {
            if has != wants {
                found.push((what, has, wants));
            }
        };
        if self.model.hash != asked.model.hash {
            let model = |m: &ModelFacts| format!("{} ({}, hash {})", m.name, m.arch, short(&m.hash));
            compare("model", model(&self.model), model(&asked.model));
        }
        if self.data.fingerprint != asked.data.fingerprint {
            let data =
                |d: &DataFacts| format!("{} ({}, fingerprint {})", d.name, d.kind, short(&d.fingerprint));
            compare("data", data(&self.data), data(&asked.data));
            let pictures = |d: &DataFacts| match d.decoding.as_ref().map(DecodingFacts::words) {
                Some(words) => words.join("; "),
                None => "nothing to choose".into(),
            };
            compare("reading pictures", pictures(&self.data), pictures(&asked.data));
        }
        let split =
            |s: &BankSpec| s.data.split.map_or("no split".into(), |s| format!("{s:?}").to_lowercase());
        compare("split", split(self), split(asked));
        let limit = |s: &BankSpec| s.data.limit.map_or("all images".into(), |n| format!("{n} images"));
        compare("limit", limit(self), limit(asked));
        compare("order of images", self.data.order_words(), asked.data.order_words());
        let part = |s: &BankSpec| {
            let words = |part: &PartFacts| format!("{part} ({})", short(&part.images_sha256));
            s.data.part.as_ref().map_or("all of it".into(), words)
        };
        compare("part", part(self), part(asked));
        let grid = |s: &BankSpec| format!("patch {} stride {}", s.grid.patch, s.grid.stride);
        compare("grid", grid(self), grid(asked));
        compare("model input", format!("{} pixels", self.input), format!("{} pixels", asked.input));
        compare("resize", self.resize.clone(), asked.resize.clone());
        let resolution =
            |s: &BankSpec| s.resolution.map_or("the usual".into(), |side| format!("{side} pixels"));
        compare("resolution of whole images", resolution(self), resolution(asked));
        let tiles = |s: &BankSpec| s.tiles.map_or_else(|| "one pass each".into(), ImageTiles::words);
        compare("how whole images go through", tiles(self), tiles(asked));
        compare("mean", format!("{:?}", self.mean), format!("{:?}", asked.mean));
        compare("deviation", format!("{:?}", self.std), format!("{:?}", asked.std));
        compare("dtype", self.dtype.as_str().into(), asked.dtype.as_str().into());
        let spaces = |s: &BankSpec| {
            s.spaces.iter().map(|s| format!("{} ({})", s.name, s.width)).collect::<Vec<_>>().join(", ")
        };
        compare("spaces", spaces(self), spaces(asked));
        compare("program", self.program.clone(), asked.program.clone());
        if self.classes != asked.classes {
            let classes =
                |s: &BankSpec| format!("{} classes {}", s.classes.len(), short(&s.classes.join(" ")));
            compare("class names", classes(self), classes(asked));
        }
        found
    }
}

/// The first characters of something long, unique enough to compare by eye.
fn short(text: &str) -> String {
    if text.chars().count() <= 24 {
        text.into()
    } else {
        text.chars().take(24).chain("...".chars()).collect()
    }
}

#[cfg(test)]
impl BankSpec {
    /// Of no model and no images in particular, in float32: patches on `grid`, spaces by name and width.
    pub fn of_test(grid: PatchGrid, spaces: &[(&str, u32)]) -> Self {
        let space = |(name, width): &(&str, u32)| SpaceSpec { name: (*name).into(), width: *width };
        Self {
            program: "test".into(),
            model: ModelFacts { name: "m".into(), hash: "0".into(), arch: "a".into() },
            data: DataFacts {
                kind: "folder".into(),
                name: "d".into(),
                fingerprint: "0".into(),
                split: None,
                mix: None,
                limit: None,
                decoding: None,
                order: None,
                part: None,
            },
            grid,
            input: 8,
            resize: "bilinear".into(),
            resolution: None,
            tiles: None,
            mean: [0.5; 3],
            std: [0.5; 3],
            dtype: Dtype::F32,
            spaces: spaces.iter().map(space).collect(),
            classes: vec![],
        }
    }
}
