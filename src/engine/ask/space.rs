//! Spaces of patches by name.

use std::fmt;

use crate::embed::{PIXELS, pixels_width};
use crate::model::{ModelInfo, Space};
use std::str::FromStr;
/// A space of patch vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PatchSpace {
    /// Values of one layer of the network.
    Network(Space),
    /// The normalised values of the patch's own pixels.
    Pixels,
}

impl fmt::Display for PatchSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PatchSpace::Network(space) => space.fmt(f),
            PatchSpace::Pixels => f.write_str(PIXELS),
        }
    }
}

impl FromStr for PatchSpace {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name == PIXELS { Ok(PatchSpace::Pixels) } else { name.parse().map(PatchSpace::Network) }
    }
}

impl PatchSpace {
    /// Values in a vector of this space for patches of `patch` pixels; `None` if the model has no such space.
    pub fn width(self, info: &ModelInfo, patch: u32) -> Option<usize> {
        match self {
            PatchSpace::Network(space) => info.width(space),
            PatchSpace::Pixels => Some(pixels_width(patch)),
        }
    }
}
