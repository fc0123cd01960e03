//! Evaluations as units of work between queries: one of a model, and a plan of many with the folder that keeps what came
//! of it.

pub mod evaluation;
mod pace;
pub mod plan;
pub mod table;
