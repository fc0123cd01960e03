//! Vision transformers, with timm's names of their weights: images to tokens, and tokens to h.

mod config;
mod layers;
mod positions;

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};

pub use self::config::{Mlp, Pooling, Positions, VitConfig};
use self::layers::{AttentionPool, LayerNorm, PatchRotation, Then, VitBlock, weighted};
use self::positions::Interpolation;
pub use self::positions::rotary_periods;
use super::precision::EmbedPrecision;
use super::space::{MapLayer, Space};
use super::watch::{Unwatched, Watch};

/// The convolution that makes a token of each patch.
#[derive(Module, Debug)]
pub struct Projection {
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
}

/// Where it stands among the names.
#[derive(Module, Debug)]
pub struct PatchEmbed {
    proj: Projection,
}

/// The backbone f: images to tokens, and those to h.
#[derive(Module, Debug)]
pub struct Vit {
    patch_embed: PatchEmbed,
    cls_token: Option<Param<Tensor<3>>>,
    reg_token: Option<Param<Tensor<3>>>,
    pos_embed: Option<Param<Tensor<3>>>,
    norm_pre: Option<LayerNorm>,
    blocks: Vec<VitBlock>,
    norm: LayerNorm,
    attn_pool: Option<AttentionPool>,
    #[module(skip)]
    config: VitConfig,
}

/// What a block gives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BlockPart {
    /// Queries, keys and values, `[batch tokens, 3 width]`.
    Qkv,
    /// Its output, `[batch tokens, width]`.
    Output,
}

/// Tokens of some images, and where they come from.
struct Tokens {
    /// `[batch tokens, width]`.
    x: Tensor<2>,
    batch: usize,
    grid: [usize; 2],
}

impl Vit {
    /// A network of the given shape with weights still to be set.
    pub fn new(config: &VitConfig, device: &Device) -> Self {
        let VitConfig { width, depth, patch, class_token, registers, epsilon, .. } = *config;
        let zeros = |shape: [usize; 3]| Initializer::Zeros.init(shape, device);
        let pos_embed = match config.positions {
            Positions::Learned { grid: [rows, cols], class, .. } => {
                Some(zeros([1, usize::from(class) + rows * cols, width]))
            }
            Positions::Rotary { .. } => None,
        };
        Self {
            patch_embed: PatchEmbed {
                proj: Projection {
                    weight: Initializer::Zeros.init([width, 3, patch, patch], device),
                    bias: Initializer::Zeros.init([width], device),
                },
            },
            cls_token: class_token.then(|| zeros([1, 1, width])),
            reg_token: (registers > 0).then(|| zeros([1, registers, width])),
            pos_embed,
            norm_pre: config.pre_norm.then(|| LayerNorm::new(width, epsilon, device)),
            blocks: (0..depth).map(|_| VitBlock::new(config, device)).collect(),
            norm: LayerNorm::new(width, epsilon, device),
            attn_pool: (config.pooling == Pooling::Attention).then(|| AttentionPool::new(config, device)),
            config: *config,
        }
    }

    /// From now on evaluation on the CPU computes so, with weights that are laid out once, but for the layer that makes
    /// tokens of patches.
    pub fn lay_out(&mut self, precision: EmbedPrecision) {
        self.blocks.iter_mut().for_each(|block| block.lay_out(precision));
        if let Some(pool) = &mut self.attn_pool {
            pool.lay_out(precision);
        }
    }

    /// Values that its widest layer gives for each pixel of its input.
    pub fn values_per_pixel(&self) -> f64 {
        let VitConfig { width, mlp, patch, .. } = self.config;
        (3 * width).max(mlp.hidden) as f64 / (patch * patch) as f64
    }

    /// The patches as tokens, without positions.
    ///
    /// # Shapes
    /// - images: `[batch, 3, height, width]`
    /// - output: `[batch rows cols, width]`
    fn patches(&self, images: Tensor<4>) -> Tensor<2> {
        let [batch, channels, height, width] = images.dims();
        let patch = self.config.patch;
        let [rows, cols] = self.config.grid([height, width]);
        let whole = images.narrow(2, 0, rows * patch).narrow(3, 0, cols * patch);
        let cut = whole.reshape([batch, channels, rows, patch, cols, patch]).permute([0, 2, 4, 1, 3, 5]);
        let values = channels * patch * patch;
        let Projection { weight, bias } = &self.patch_embed.proj;
        let weight = weight.val().reshape([self.config.width, values]);
        weighted((weight, None), bias.val(), cut.reshape([batch * rows * cols, values]), Then::default())
    }

    /// The tokens that go into the first block.
    fn tokens(&self, images: Tensor<4>) -> Tokens {
        let [batch, _, height, side] = images.dims();
        let (width, grid) = (self.config.width, self.config.grid([height, side]));
        let places = grid[0] * grid[1];
        let mut patches = self.patches(images).reshape([batch, places, width]);
        let mut class = self.cls_token.as_ref().map(Param::val);
        if let (
            Some(positions),
            Positions::Learned { grid: old, class: has_class, offset, antialias, corners },
        ) = (&self.pos_embed, self.config.positions)
        {
            let first = usize::from(has_class);
            let [_, count, _] = positions.dims();
            let of_patches = positions.val().narrow(1, first, count - first).reshape([count - first, width]);
            let how = Interpolation { offset, antialias, corners };
            patches = patches + positions::resample(of_patches, old, grid, how).unsqueeze();
            if has_class {
                class = class.map(|class| class + positions.val().narrow(1, 0, 1));
            }
        }
        let prefix = [class, self.reg_token.as_ref().map(Param::val)].into_iter().flatten();
        let mut all: Vec<Tensor<3>> = prefix.map(|tokens| tokens.repeat_dim(0, batch)).collect();
        all.push(patches);
        let mut x = Tensor::cat(all, 1).reshape([batch * (self.config.prefix() + places), width]);
        if let Some(norm) = &self.norm_pre {
            x = norm.forward(x);
        }
        Tokens { x, batch, grid }
    }

    /// The tokens after `depth` blocks; `see` is shown what each of them gives, by its number from 1 on.
    fn pass(
        &self,
        images: Tensor<4>,
        depth: usize,
        watch: &mut impl Watch,
        mut see: impl FnMut(u8, BlockPart, &Tensor<2>, &Tokens),
    ) -> Tokens {
        let mut tokens = self.tokens(images);
        watch.see(format_args!("patch_embed"), &tokens.x);
        let rotation = match self.config.positions {
            Positions::Rotary { base, rounded } => {
                let periods = positions::rotary_periods(self.config.head_width(), base, rounded);
                Some(PatchRotation::new(&self.config, tokens.grid, &periods))
            }
            Positions::Learned { .. } => None,
        };
        for (index, block) in self.blocks.iter().enumerate().take(depth) {
            let number = index as u8 + 1;
            let qkv = block.qkv(tokens.x.clone());
            watch.see(format_args!("blocks.{index}.attn.qkv"), &qkv);
            see(number, BlockPart::Qkv, &qkv, &tokens);
            let x = block.attended(tokens.x, qkv, tokens.batch, rotation.as_ref());
            watch.see(format_args!("blocks.{index}.attn"), &x);
            tokens.x = block.transformed(x);
            watch.see(format_args!("blocks.{index}.mlp"), &tokens.x);
            see(number, BlockPart::Output, &tokens.x, &tokens);
        }
        tokens
    }

    /// Some tokens of every image.
    ///
    /// # Shapes
    /// - x: `[batch tokens, any]`
    /// - output: `[batch, count, any]`
    fn some(x: Tensor<2>, batch: usize, first: usize, count: usize) -> Tensor<3> {
        let [rows, width] = x.dims();
        x.reshape([batch, rows / batch, width]).narrow(1, first, count)
    }

    /// The patch tokens of every image.
    fn of_patches(&self, x: Tensor<2>, tokens: &Tokens) -> Tensor<3> {
        Self::some(x, tokens.batch, self.config.prefix(), tokens.grid[0] * tokens.grid[1])
    }

    /// One vector for each image, of a block's output: the class token, or the mean of the patches where there is none.
    fn image_vector(&self, x: Tensor<2>, tokens: &Tokens) -> Tensor<2> {
        if self.config.class_token {
            Self::some(x, tokens.batch, 0, 1).squeeze_dim(1)
        } else {
            self.of_patches(x, tokens).mean_dim(1).squeeze_dim(1)
        }
    }

    /// The embedding h of the last block's output.
    ///
    /// # Shapes
    /// - output: `[batch, width]`
    fn pooled(&self, tokens: Tokens) -> Tensor<2> {
        let (x, batch) = (tokens.x.clone(), tokens.batch);
        match self.config.pooling {
            Pooling::Class => self.norm.forward(self.image_vector(x, &tokens)),
            Pooling::Mean => self.of_patches(self.norm.forward(x), &tokens).mean_dim(1).squeeze_dim(1),
            Pooling::NormedMean => self.norm.forward(self.of_patches(x, &tokens).mean_dim(1).squeeze_dim(1)),
            Pooling::Attention => {
                let patches = self.of_patches(self.norm.forward(x), &tokens);
                let [_, count, width] = patches.dims();
                let pool = self.attn_pool.as_ref().expect("made with the network");
                pool.forward(patches.reshape([batch * count, width]), batch)
            }
        }
    }

    /// Vectors of whole inputs: h, or what a block gives. `watch` sees every layer.
    /// Panics on a space that is neither.
    ///
    /// # Shapes
    /// - images: `[batch, 3, height, width]`
    /// - output i: `[batch, width]`
    pub fn embed(&self, images: Tensor<4>, spaces: &[Space], watch: &mut impl Watch) -> Vec<Tensor<2>> {
        let depth = spaces.iter().map(|space| match *space {
            Space::Block(index) => usize::from(index),
            _ => self.config.depth,
        });
        let mut found: Vec<Option<Tensor<2>>> = vec![None; spaces.len()];
        let tokens = self.pass(images, depth.max().unwrap_or(0), watch, |number, part, x, tokens| {
            for (to, space) in found.iter_mut().zip(spaces) {
                if part == BlockPart::Output && *space == Space::Block(number) {
                    *to = Some(self.image_vector(x.clone(), tokens));
                }
            }
        });
        let h = spaces.contains(&Space::H).then(|| self.pooled(tokens));
        let given = found.into_iter().zip(spaces);
        given
            .map(|(found, space)| found.or_else(|| h.clone()).unwrap_or_else(|| panic!("no {space}")))
            .collect()
    }

    /// The last block whose pass a layer needs.
    fn depth_of(&self, layer: MapLayer) -> usize {
        match layer {
            MapLayer::Last | MapLayer::Stage(_) => self.config.depth,
            MapLayer::Block(index)
            | MapLayer::Normed(index)
            | MapLayer::Key(index)
            | MapLayer::Query(index)
            | MapLayer::Value(index) => index.into(),
        }
    }

    /// What a block gives for a layer; none where the layer is of another block.
    fn layer_of(&self, layer: MapLayer, number: u8, part: BlockPart, x: &Tensor<2>) -> Option<Tensor<2>> {
        let width = self.config.width;
        let third = |index: usize| x.clone().narrow(1, index * width, width);
        let is_last = usize::from(number) == self.config.depth;
        match (layer, part) {
            (MapLayer::Query(index), BlockPart::Qkv) if index == number => Some(third(0)),
            (MapLayer::Key(index), BlockPart::Qkv) if index == number => Some(third(1)),
            (MapLayer::Value(index), BlockPart::Qkv) if index == number => Some(third(2)),
            (MapLayer::Block(index), BlockPart::Output) if index == number => Some(x.clone()),
            (MapLayer::Normed(index), BlockPart::Output) if index == number => {
                Some(self.norm.forward(x.clone()))
            }
            (MapLayer::Last, BlockPart::Output) if is_last => Some(match self.config.pooling {
                // Only the mean is normalised.
                Pooling::NormedMean => x.clone(),
                _ => self.norm.forward(x.clone()),
            }),
            _ => None,
        }
    }

    /// The patch tokens of `layers` as maps. Panics on one that the network does not have.
    ///
    /// # Shapes
    /// - images: `[batch, 3, height, width]`
    /// - output i: `[batch, width, rows, cols]`
    pub fn maps(&self, images: Tensor<4>, layers: &[MapLayer]) -> Vec<Tensor<4>> {
        let depth = layers.iter().map(|layer| self.depth_of(*layer)).max().unwrap_or(0);
        let mut found: Vec<Option<Tensor<4>>> = vec![None; layers.len()];
        self.pass(images, depth, &mut Unwatched, |number, part, x, tokens| {
            for (to, layer) in found.iter_mut().zip(layers) {
                if let Some(x) = self.layer_of(*layer, number, part, x) {
                    let ([rows, cols], width) = (tokens.grid, self.config.width);
                    let patches = self.of_patches(x, tokens).swap_dims(1, 2);
                    *to = Some(patches.reshape([tokens.batch, width, rows, cols]));
                }
            }
        });
        let given = found.into_iter().zip(layers);
        given.map(|(map, layer)| map.unwrap_or_else(|| panic!("no {layer} in a transformer"))).collect()
    }
}
