//! Which model: the arguments of all commands that open one.

use std::path::PathBuf;

use clap::Args;
use clap::builder::RangedU64ValueParser;

use super::values::Channels;
use crate::engine::facts::{Activation, EmbedPrecision, ImageTiles, ModelSpec, Overrides, Resize};

/// A model, and what is said in place of what its file says.
#[derive(Args)]
pub struct ModelArgs {
    /// demo or demo-cifar10 (built in), a run folder, a checkpoint of this or another program
    #[arg(long, default_value = "demo")]
    pub model: PathBuf,
    #[command(flatten)]
    pub overrides: OverrideArgs,
}

impl From<ModelArgs> for ModelSpec {
    fn from(args: ModelArgs) -> Self {
        ModelSpec { overrides: args.overrides.into(), ..args.model.into() }
    }
}

/// Heading of what is said in place of what a model's file says.
pub const OVERRIDES: &str = "In place of what the model's file says";

/// What is said in place of what a model's file says.
#[derive(Args, Clone, Default)]
pub struct OverrideArgs {
    /// Which network of a checkpoint with several, by what stands before its names
    #[arg(long, value_name = "NAME", help_heading = OVERRIDES)]
    pub weights: Option<String>,
    /// Padding of a stem of 3 x 3
    #[arg(long, value_name = "1|2", value_parser = RangedU64ValueParser::<usize>::new().range(1..=2), help_heading = OVERRIDES)]
    pub stem_padding: Option<usize>,
    /// Whether a max-pool follows a stem of 3 x 3
    #[arg(long, value_name = "true|false", help_heading = OVERRIDES)]
    pub max_pool: Option<bool>,
    /// Heads in each block of a transformer, where its file does not say
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=256), help_heading = OVERRIDES)]
    pub heads: Option<usize>,
    /// What the MLPs of a transformer apply, where its file does not say
    #[arg(long, value_name = "gelu|gelu-tanh|quick-gelu|silu", help_heading = OVERRIDES)]
    pub activation: Option<Activation>,
    /// Subtracted from RGB in [0, 1]
    #[arg(long, value_name = "R,G,B", allow_hyphen_values = true, help_heading = OVERRIDES)]
    pub mean: Option<Channels>,
    /// Divided by
    #[arg(long, value_name = "R,G,B", help_heading = OVERRIDES)]
    pub std: Option<Channels>,
    /// Side of the network's input, pixels
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..=1024), help_heading = OVERRIDES)]
    pub input: Option<u32>,
    /// How a patch or image reaches that side
    #[arg(long, value_enum, help_heading = OVERRIDES)]
    pub resize: Option<Resize>,
    /// Short side of whole images whose feature maps give the token spaces, pixels [default: so that patches come in the size of training, else that of the input]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..=4096), help_heading = OVERRIDES)]
    pub resolution: Option<u32>,
    /// Square tiles, pixels of such an image, in which one of more pixels goes through, and what neighbours share [default: one pass, or the largest tiles that memory has room for; a quarter]
    #[arg(long, value_name = "SIDE[:OVERLAP]", help_heading = OVERRIDES)]
    pub tiles: Option<ImageTiles>,
    /// In what numbers the network computes [default: f32]
    #[arg(long, value_enum, help_heading = OVERRIDES)]
    pub precision: Option<EmbedPrecision>,
}

impl OverrideArgs {
    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        let Self {
            weights,
            stem_padding,
            max_pool,
            heads,
            activation,
            mean,
            std,
            input,
            resize,
            resolution,
            tiles,
            precision,
        } = self;
        weights.is_none()
            && stem_padding.is_none()
            && max_pool.is_none()
            && heads.is_none()
            && activation.is_none()
            && mean.is_none()
            && std.is_none()
            && input.is_none()
            && resize.is_none()
            && resolution.is_none()
            && tiles.is_none()
            && precision.is_none()
    }
}

impl From<OverrideArgs> for Overrides {
    fn from(args: OverrideArgs) -> Self {
        Overrides {
            weights: args.weights,
            stem_padding: args.stem_padding,
            max_pool: args.max_pool,
            heads: args.heads,
            activation: args.activation,
            mean: args.mean.map(|channels| channels.0),
            std: args.std.map(|channels| channels.0),
            input: args.input,
            resize: args.resize,
            resolution: args.resolution,
            tiles: args.tiles,
            precision: args.precision,
        }
    }
}
