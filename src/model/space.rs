//! The names of the vectors that a network gives: of a crop that went through it alone, and of a place in the feature
//! maps of a whole image.

use std::fmt;
use std::str::FromStr;

use anyhow::Context;

/// A named space of vectors that a network maps images to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    /// Mean over positions of the feature map after stage 1 to 4 of a ResNet; stage 4 is [`Space::H`].
    Stage(u8),
    /// The class token after transformer block 1, 2, ..., without the final norm; where a family has none, the mean of
    /// the patch tokens.
    Block(u8),
    /// The embedding h: the backbone's output, not normalised.
    H,
    /// Output of the projector's hidden layer 1, 2, ... (after its activation).
    Hidden(u8),
    /// The projection z: the projector's raw output, not normalised.
    Z,
    /// The vector of a place in a feature map of the whole image.
    Token(MapLayer),
}

/// A layer of a network that gives a feature map: a vector for each place of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MapLayer {
    /// The positions after stage 1 to 4 of a ResNet.
    Stage(u8),
    /// The last one: stage 4 of a ResNet; the last block of a transformer after the final norm, which libraries call
    /// patch tokens.
    Last,
    /// The patch tokens after transformer block 1, 2, ..., without the final norm.
    Block(u8),
    /// The same with the final norm.
    Normed(u8),
    /// The keys of transformer block 1, 2, ..., all heads one after the other.
    Key(u8),
    /// Its queries, before any scaling.
    Query(u8),
    /// Its values.
    Value(u8),
}

/// What stands before the name of a layer in the name of a space of tokens.
const TOKEN: &str = "token-";

impl fmt::Display for MapLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MapLayer::Stage(index) => write!(f, "stage{index}"),
            MapLayer::Last => write!(f, "last"),
            MapLayer::Block(index) => write!(f, "block{index}"),
            MapLayer::Normed(index) => write!(f, "block{index}norm"),
            MapLayer::Key(index) => write!(f, "key{index}"),
            MapLayer::Query(index) => write!(f, "query{index}"),
            MapLayer::Value(index) => write!(f, "value{index}"),
        }
    }
}

/// The number after `prefix`, if it is one from 1 on.
fn numbered(name: &str, prefix: &str) -> Option<u8> {
    let digits = name.strip_prefix(prefix)?;
    let index = digits.parse::<u8>().ok().filter(|&index| index >= 1)?;
    // Each layer has one name.
    (index.to_string() == digits).then_some(index)
}

/// The number of a stage.
fn stage(name: &str) -> Option<u8> {
    numbered(name, "stage").filter(|&index| index <= 4)
}

impl FromStr for MapLayer {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let normed = || name.strip_suffix("norm").and_then(|name| numbered(name, "block"));
        let found = (name == "last").then_some(MapLayer::Last);
        found
            .or_else(|| stage(name).map(MapLayer::Stage))
            .or_else(|| numbered(name, "block").map(MapLayer::Block))
            .or_else(|| normed().map(MapLayer::Normed))
            .or_else(|| numbered(name, "key").map(MapLayer::Key))
            .or_else(|| numbered(name, "query").map(MapLayer::Query))
            .or_else(|| numbered(name, "value").map(MapLayer::Value))
            .with_context(|| {
                format!(
                    "unknown layer \"{name}\"; expected last, stage1 to stage4, or of a transformer's blocks block1, \
                     block1norm, key1, query1, value1, ..."
                )
            })
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Space::Stage(index) => write!(f, "stage{index}"),
            Space::Block(index) => write!(f, "block{index}"),
            Space::H => write!(f, "h"),
            Space::Hidden(index) => write!(f, "hidden{index}"),
            Space::Z => write!(f, "z"),
            Space::Token(layer) => write!(f, "{TOKEN}{layer}"),
        }
    }
}

impl FromStr for Space {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if let Some(layer) = name.strip_prefix(TOKEN) {
            return Ok(Space::Token(layer.parse()?));
        }
        match name {
            "h" => Ok(Space::H),
            "z" => Ok(Space::Z),
            _ => stage(name)
                .map(Space::Stage)
                .or_else(|| numbered(name, "block").map(Space::Block))
                .or_else(|| numbered(name, "hidden").map(Space::Hidden))
                .with_context(|| {
                    format!(
                        "unknown space \"{name}\"; expected h, z, stage1 to stage4, block1, ..., hidden1, ... or \
                         {TOKEN}LAYER"
                    )
                }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_read_back_from_their_names() {
        let layers = [
            MapLayer::Stage(3),
            MapLayer::Last,
            MapLayer::Block(9),
            MapLayer::Normed(9),
            MapLayer::Key(12),
            MapLayer::Query(1),
            MapLayer::Value(40),
        ];
        let crops = [Space::H, Space::Z, Space::Stage(2), Space::Block(11), Space::Hidden(1)];
        for space in crops.into_iter().chain(layers.map(Space::Token)) {
            assert_eq!(space.to_string().parse::<Space>().unwrap(), space);
        }
        let names = layers.map(|layer| Space::Token(layer).to_string());
        let expected = ["token-stage3", "token-last", "token-block9", "token-block9norm", "token-key12"];
        assert_eq!(names[..5], expected);
        for wrong in ["stage5", "stage0", "y", "block0", "block+1", "block01", "token-h", "token-", "hidden"]
        {
            assert!(wrong.parse::<Space>().is_err(), "{wrong}");
        }
    }
}
