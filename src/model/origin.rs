//! How a model of another program was recognised.

use serde::{Deserialize, Serialize};

/// Stands in the words in which a number of heads is assumed, before the reason.
pub(super) const HEADS: &str = "heads in each block";

/// Ends the words in which an activation is assumed.
pub(super) const ACTIVATION: &str = "in its MLPs";

/// What is assumed of a stem of 3 x 3: arrays are the same with a max-pool after it.
pub(super) const NO_MAX_POOL: &str = "no max-pool after the 3 x 3 stem";

/// Where a network came from, and what was taken for granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelOrigin {
    /// Whose names its weights have: "torchvision", "Hugging Face" and so on.
    pub names: String,
    /// What stands before the names of the network that was taken; empty where nothing does.
    pub network: String,
    /// The same of the file's other networks; `--weights` takes one of them.
    pub others: Vec<String>,
    /// What z is read from, or why there is none.
    pub head: String,
    /// What a configuration beside the weights says, each with its value.
    pub believed: Vec<String>,
    /// What the file does not say and was assumed, each with its value.
    pub assumed: Vec<String>,
    /// Names of arrays that the network does not use.
    pub ignored: Vec<String>,
}
