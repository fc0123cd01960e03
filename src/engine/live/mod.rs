//! The engine's thread: newest query first, then one batch of the shown image's map, then one
//! batch of extraction and one training step; after each it publishes.

mod bank;
mod bank_growth;
mod beside;
mod changes;
mod comparison;
mod evaluation;
mod example;
mod explorer;
mod extraction;
mod figures;
mod galleries;
mod image_measures;
mod maps;
mod measured_pages;
mod microscope;
mod open;
mod part;
mod places;
mod sample_measures;
mod scatter;
mod start;
mod world;

pub use start::start;
