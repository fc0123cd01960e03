//! A named configuration.

use super::config::TrainConfig;

/// A named configuration and what to expect of it.
pub struct Recipe {
    /// What `--recipe` calls it.
    pub name: String,
    /// What the views are, in a few words.
    pub regime: String,
    /// The data that it is meant for.
    pub data: &'static str,
    /// What it reproduces, or what it is for.
    pub purpose: String,
    /// What it takes, as measured or estimated.
    pub cost: String,
    /// The configuration.
    pub config: TrainConfig,
}
