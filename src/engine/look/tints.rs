//! What the points of a plane are coloured by.

use std::collections::HashMap;

use anyhow::Context;

use crate::analysis::plane::PatchPlane;
use crate::bank::Bank;
use crate::dataset::Dataset;
use crate::engine::ask::{PointColor, Tints};
use crate::patch::PatchRef;
use crate::progress::CancelToken;
use crate::stats::quantile_of_sorted;

/// Values for the points of `plane`, which was laid out from `bank` with images of `data`; cosines are to `query`.
///
/// # Errors
/// What is asked for is not known: no classes, no parts, no query; damaged rows, cancelled.
pub fn tints(
    color: PointColor,
    (plane, bank): (&PatchPlane, &Bank),
    data: &dyn Dataset,
    query: Option<&[f32]>,
    cancel: &CancelToken,
) -> anyhow::Result<Tints> {
    Ok(match color {
        PointColor::Class => {
            anyhow::ensure!(
                !bank.spec().classes.is_empty(),
                "its images have no classes; colour by something else"
            );
            let class =
                |row: &u32| bank.label_of_row(*row as usize).map_or(Tints::NO_KIND, |label| label as u16);
            Tints::kinds(plane.rows.iter().map(class).collect(), bank.spec().classes.clone())
        }
        PointColor::Part => parts(plane, data, cancel)?,
        PointColor::Position => Tints::Places(places(plane, data)),
        PointColor::Norm => {
            let range = ends(&plane.norms);
            Tints::Numbers { values: plane.norms.clone(), range }
        }
        PointColor::Cosine => {
            let query = query.context("there is no query; click a patch first")?;
            let values = plane.cosines(bank, query, cancel)?;
            Tints::Numbers { range: ends(&values), values }
        }
    })
}

/// All but the outermost hundredths, so that one value far out does not leave the rest in one colour.
fn ends(values: &[f32]) -> [f32; 2] {
    let mut sorted: Vec<f64> = values.iter().map(|v| f64::from(*v)).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let [low, high] = [0.01, 0.99].map(|share| quantile_of_sorted(&sorted, share).unwrap_or(0.0) as f32);
    if high > low { [low, high] } else { [low - 0.5, low + 0.5] }
}

/// The middles of the patches in their images.
fn places(plane: &PatchPlane, data: &dyn Dataset) -> Vec<[f32; 2]> {
    let place = |patch: &PatchRef| {
        let (height, width) = data.dimensions(patch.image as usize);
        let middle = |corner: u32, side: u32| (corner as f32 + patch.size as f32 / 2.0) / side.max(1) as f32;
        [middle(patch.x, width), middle(patch.y, height)]
    };
    plane.patches.iter().map(place).collect()
}

/// The part at the middle of each patch; each image is drawn once.
fn parts(plane: &PatchPlane, data: &dyn Dataset, cancel: &CancelToken) -> anyhow::Result<Tints> {
    let mut by_image: HashMap<u32, Vec<usize>> = HashMap::new();
    for (point, patch) in plane.patches.iter().enumerate() {
        by_image.entry(patch.image).or_default().push(point);
    }
    let (mut index, mut names) = (vec![Tints::NO_KIND; plane.patches.len()], vec![]);
    for (image, points) in by_image {
        cancel.check()?;
        let map = data
            .parts(image as usize)?
            .context("its data set knows no parts (the built-in one and folders with part masks do); colour by something else")?;
        if names.is_empty() {
            names = map.names.to_vec();
        }
        for point in points {
            let patch = plane.patches[point];
            let (y, x) = (patch.y + patch.size / 2, patch.x + patch.size / 2);
            index[point] =
                map.index.get((y * map.width + x) as usize).map_or(Tints::NO_KIND, |part| u16::from(*part));
        }
    }
    Ok(Tints::kinds(index, names))
}
