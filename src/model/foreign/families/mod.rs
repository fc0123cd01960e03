//! Families of vision transformers: what each calls its layers, and what it does that its arrays do not say.

pub mod clip;
pub mod hugging_face;
pub mod timm;

use crate::augment::{Normalization, Resize};
use crate::kernel::Activation;

/// What a family does that its arrays do not say; a configuration beside them is believed first.
pub struct Habits {
    /// What is added to the variance in layer normalisation.
    pub epsilon: f64,
    /// What its MLPs apply.
    pub activation: Activation,
    /// How learned positions reach another grid: see [`Positions`](crate::model::vit::Positions).
    pub offset: f64,
    /// See [`Habits::offset`].
    pub antialias: bool,
    /// Whether tokens without learned positions are turned by their places.
    pub rotary: bool,
    /// Side of the input that it is usually evaluated at, pixels; none where that is its grid of positions.
    pub input: Option<u32>,
    /// How images usually reach it.
    pub fed: Usual,
}

/// How images usually reach a network.
#[derive(Clone, Copy)]
pub struct Usual {
    /// What is subtracted and divided by.
    pub normalization: Normalization,
    /// How an image reaches the input's side.
    pub resize: Resize,
    /// Whose normalisation that is, for a person.
    pub of: &'static str,
}

impl Usual {
    /// ImageNet's.
    pub const IMAGENET: Self =
        Self { normalization: Normalization::IMAGENET, resize: Resize::Bilinear, of: "ImageNet" };
    /// Values from -1 to 1.
    pub const HALVES: Self = Self {
        normalization: Normalization { mean: [0.5; 3], std: [0.5; 3] },
        resize: Resize::Bilinear,
        of: "values from -1 to 1",
    };
    /// OpenAI's for CLIP.
    pub const CLIP: Self = Self {
        normalization: Normalization {
            mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
            std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
        },
        resize: Resize::Bicubic,
        of: "CLIP",
    };
}

impl Habits {
    /// Those of timm, which others change little.
    pub const TIMM: Self = Self {
        epsilon: 1e-6,
        activation: Activation::Gelu,
        offset: 0.0,
        antialias: true,
        rotary: false,
        input: None,
        fed: Usual { resize: Resize::Bicubic, ..Usual::IMAGENET },
    };
}
