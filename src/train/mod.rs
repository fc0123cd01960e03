//! Training: a configuration, the trainer and its batches, and the folder that holds a run.

pub mod bootstrap;
pub mod config;
pub mod feed;
pub mod gradients;
pub mod normalization;
pub mod optimizer;
pub mod recipes;
pub mod run;
pub mod schedule;
pub mod trainer;

pub use config::{ModelConfig, TrainConfig};
pub use recipes::Recipe;
pub use run::{Metrics, RunFolder, RunState};
pub use trainer::{StepReport, Trainer};
