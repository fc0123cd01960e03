//! The spaces of a model in the order in which a patch passes them.

use crate::model::{ModelInfo, Space};

/// The means of the first three stages, h (the mean of the last one), the projector's hidden layers, z: as far as the
/// model has them.
pub fn stages(info: &ModelInfo) -> Vec<Space> {
    let hidden = info.projector.len().saturating_sub(1) as u8;
    let all = (1..=3).map(Space::Stage).chain([Space::H]).chain((1..=hidden).map(Space::Hidden));
    all.chain([Space::Z]).filter(|space| info.width(*space).is_some()).collect()
}
