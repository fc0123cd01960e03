//! What decides the shape of a vision transformer.

use anyhow::ensure;
use serde::{Deserialize, Serialize};

use crate::kernel::Activation;

/// A vision transformer (Dosovitskiy et al. 2021) and what later families changed in it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct VitConfig {
    /// Values of a token.
    pub width: usize,
    /// Blocks.
    pub depth: usize,
    /// Heads of each block's attention.
    pub heads: usize,
    /// Side of the patches that become tokens, pixels.
    pub patch: usize,
    /// The MLP of each block.
    pub mlp: Mlp,
    /// Whether a class token goes before the patches'.
    pub class_token: bool,
    /// Tokens between class token and patches that belong to no patch (Darcet et al. 2024); 0 in most.
    pub registers: usize,
    /// How a token knows its place.
    pub positions: Positions,
    /// Whether the tokens are normalised before the first block, as CLIP does.
    pub pre_norm: bool,
    /// Whether what a block adds is scaled per channel.
    pub layer_scale: bool,
    /// What is added to the variance in layer normalisation.
    pub epsilon: f64,
    /// How the tokens become the embedding h.
    pub pooling: Pooling,
}

/// The MLP of a block.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mlp {
    /// Values between its two layers.
    pub hidden: usize,
    /// What is applied to them.
    pub activation: Activation,
    /// Whether they are multiplied by those of another layer (SwiGLU).
    pub gated: bool,
}

/// How a token knows its place.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Positions {
    /// A vector for each place of a grid is added; for another grid they are interpolated, bicubic.
    Learned {
        /// Rows and columns of the grid.
        grid: [usize; 2],
        /// Whether there is a vector for the class token too.
        class: bool,
        /// What is added to the rows and columns of the new grid when their ratio to the old is taken: 0.1 in DINO.
        offset: f64,
        /// Whether the interpolation looks at more places where it makes the grid smaller, as timm's does.
        antialias: bool,
        /// Whether the outermost places of both grids are the same, as in torchvision's function, and not their outer edges.
        #[serde(default)]
        corners: bool,
    },
    /// Queries and keys are turned by angles that grow with the place of the patch, from -1 to 1 (DINOv3).
    Rotary {
        /// Ratio of the longest period to the shortest.
        base: f64,
        /// Whether the periods are rounded to bfloat16, as DINOv3's own files have them; elsewhere they are float32.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        rounded: bool,
    },
}

/// How the tokens become the embedding h.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// The class token after the final norm.
    Class,
    /// The mean of the patch tokens after the final norm.
    Mean,
    /// The final norm of the mean of the patch tokens, which are not normalised themselves.
    NormedMean,
    /// A learned query attends to the normalised patch tokens, and an MLP follows (SigLIP).
    Attention,
}

impl VitConfig {
    /// Tokens before those of the patches.
    pub fn prefix(&self) -> usize {
        usize::from(self.class_token) + self.registers
    }

    /// Rows and columns of the patches of an image; what is left over at its end is in none.
    pub fn grid(&self, [height, width]: [usize; 2]) -> [usize; 2] {
        [height / self.patch, width / self.patch]
    }

    /// Values of a head.
    pub fn head_width(&self) -> usize {
        self.width / self.heads.max(1)
    }

    /// A short name for headings: "ViT-S/14".
    pub fn title(&self) -> String {
        let size = match (self.width, self.depth) {
            (192, 12) => "Ti",
            (384, 12) => "S",
            (768, 12) => "B",
            (1024, 24) => "L",
            (1280, 32) => "H",
            (1152, 27) => "So400m",
            (1408 | 1536, 40) => "g",
            (1664, 48) => "G",
            _ => return format!("ViT/{} (width {}, {} blocks)", self.patch, self.width, self.depth),
        };
        format!("ViT-{size}/{}", self.patch)
    }

    /// Number of the weights of all linear layers of the blocks: most of the network's.
    pub fn block_parameters(&self) -> usize {
        let Mlp { hidden, gated, .. } = self.mlp;
        let layers = if gated { 3 } else { 2 };
        self.depth.saturating_mul(self.width.saturating_mul(4 * self.width + layers * hidden))
    }

    /// Checks ranges. The error names the field.
    pub fn validate(&self) -> anyhow::Result<()> {
        let Self { width, depth, heads, patch, mlp, registers, epsilon, .. } = *self;
        ensure!((1..=16_384).contains(&width), "width is {width}; expected 1 to 16,384");
        ensure!((1..=128).contains(&depth), "depth is {depth}; expected 1 to 128 blocks");
        ensure!((1..=256).contains(&patch), "patch is {patch}; expected 1 to 256 pixels");
        ensure!((1..=131_072).contains(&mlp.hidden), "mlp.hidden is {}; expected 1 to 131,072", mlp.hidden);
        ensure!(registers <= 1024, "registers is {registers}; expected at most 1,024");
        ensure!(
            heads >= 1 && width.is_multiple_of(heads),
            "heads is {heads}; expected a divisor of the width, {width}"
        );
        ensure!(
            epsilon > 0.0 && epsilon < 0.1,
            "epsilon is {epsilon}; expected more than 0 and less than 0.1"
        );
        ensure!(self.class_token || self.pooling != Pooling::Class, "no class token, which h is to be");
        match self.positions {
            Positions::Learned { grid, offset, class, .. } => {
                ensure!(grid.iter().all(|side| (1..=1024).contains(side)), "positions.grid is {grid:?}");
                ensure!((0.0..1.0).contains(&offset), "positions.offset is {offset}; expected 0 to 1");
                ensure!(self.class_token || !class, "a position for a class token that is not there");
            }
            Positions::Rotary { base, .. } => {
                ensure!(base > 1.0 && base.is_finite(), "positions.base is {base}; expected more than 1");
                let head = self.head_width();
                ensure!(
                    head.is_multiple_of(4),
                    "heads of {head} values; expected a multiple of 4 (rotary positions)"
                );
            }
        }
        Ok(())
    }
}
