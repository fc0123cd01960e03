//! Vectors, cosines and neighbours of what is open.

pub mod bank_codes;
pub mod extraction;
pub mod gallery;
mod guests;
pub mod image_search;
pub mod kept;
pub mod maps;
pub mod microscope;
pub mod neighbours;
pub mod parts;
pub mod plane;
pub mod plane_patches;
pub mod plane_table;
pub mod preview;
pub mod selection;
pub mod spaces;
pub mod stored;
pub mod thumbnails;
pub mod tints;
