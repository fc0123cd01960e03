//! Training: a configuration, the trainer and its batches, and the folder that holds a run.

mod assignment;
pub mod bootstrap;
mod codec;
pub mod config;
mod environment;
pub mod events;
pub mod feed;
pub mod fitting;
mod footprint;
pub mod gradients;
pub mod images;
pub mod metrics;
pub mod normalization;
pub mod optimizer;
mod paper;
mod place;
pub mod precision;
mod problems;
mod recipe;
pub mod recipes;
pub mod run;
pub mod schedule;
pub mod settings;
pub mod trainer;

pub use config::{ImagesOrder, Keep, ModelConfig, ProbeConfig, TrainConfig};
pub use environment::{ENVIRONMENT_FILE, Environment};
pub use images::TrainingImages;
pub use metrics::{Alarm, AlarmKind, KnnScore, Metrics, Notice, NoticeKind, ProbeReport};
pub use place::{KeptCheckpoint, kept_checkpoints, run_of};
pub use precision::{LossScale, Precision};
pub use problems::Problem;
pub use recipe::Recipe;
pub use run::{RunFolder, RunState};
pub use trainer::{StepReport, Trainer};
