//! Which invariance sits where: the cosine of a patch with itself, changed by a known amount, in every space.
//!
//! Shift: the patch is cut so many pixels to the right (to the left where there is no room). Scale: the cut is so many
//! times as wide and high about the same centre. Flip: mirrored, left to right. Brightness: values times a factor. Hue:
//! turned by a share of the circle. Blur: a Gaussian whose deviation is a share of the patch's side. Colours and blur
//! change what goes into the network, with torchvision's formulas. Patches for which there is no room are left out of
//! that amount, and the number of the others is told.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::analysis::heatmap::cosine_map;
use crate::augment::{Blur, ColorStep, CropBox, Resize, ViewParams};
use crate::embed::{ChangedView, Embedder, PIXELS, pixels_side};
use crate::image::Image;
use crate::model::Space;
use crate::patch::PatchRef;
use crate::progress::CancelToken;
use crate::stats::Interval;
use crate::stats::clusters::ClusterSums;

/// What is done to a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PatchChange {
    /// Cut elsewhere, pixels.
    Shift,
    /// Cut larger or smaller, times.
    Scale,
    /// Mirrored.
    Flip,
    /// Made brighter or darker, times.
    Brightness,
    /// Turned in hue, share of the circle.
    Hue,
    /// Blurred, deviation as a share of the side.
    Blur,
}

impl fmt::Display for PatchChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shift => "shift",
            Self::Scale => "scale",
            Self::Flip => "flip",
            Self::Brightness => "brightness",
            Self::Hue => "hue",
            Self::Blur => "blur",
        })
    }
}

impl PatchChange {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Shift, Self::Scale, Self::Flip, Self::Brightness, Self::Hue, Self::Blur];

    /// What its amounts are in.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Shift => "px",
            Self::Scale | Self::Brightness => "times",
            Self::Flip => "",
            Self::Hue => "of the circle",
            Self::Blur => "of the side",
        }
    }

    /// The amounts, for patches of `patch` pixels; rising.
    pub fn amounts(self, patch: u32) -> Vec<f64> {
        match self {
            Self::Shift => {
                let half = [1, 2, 4, 8, 16, 32, 64, 128].into_iter().filter(|px| *px < patch);
                half.chain([patch]).map(f64::from).collect()
            }
            Self::Scale => vec![0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.25, 1.5, 2.0],
            Self::Flip => vec![1.0],
            Self::Brightness => vec![0.4, 0.6, 0.8, 0.9, 1.1, 1.2, 1.4, 1.6],
            Self::Hue => vec![0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5],
            Self::Blur => vec![0.02, 0.04, 0.07, 0.1, 0.15, 0.2],
        }
    }

    /// The view that is changed by `amount`; `None` where there is no room on the image. `side` is that of the view.
    fn view(self, patch: PatchRef, image: &Image, resize: Resize, amount: f64) -> Option<ViewParams> {
        let mut view = plain(patch, resize);
        match self {
            Self::Shift => view.crop.x = shifted(patch, image.width(), amount as u32)?,
            Self::Scale => view.crop = scaled(patch, image, amount)?,
            Self::Flip => view.flip = true,
            Self::Brightness => view.jitter = vec![ColorStep::Brightness(amount as f32)],
            Self::Hue => view.jitter = vec![ColorStep::Hue(amount as f32)],
            Self::Blur => {}
        }
        Some(view)
    }
}

/// A patch as it is.
fn plain(patch: PatchRef, resize: Resize) -> ViewParams {
    let PatchRef { y, x, size, .. } = patch;
    let crop = CropBox { y, x, height: size, width: size };
    ViewParams { crop, resize, flip: false, jitter: vec![], grey: false, blur: None, solarise: false }
}

/// The left edge `by` pixels to the right, else to the left.
fn shifted(patch: PatchRef, width: u32, by: u32) -> Option<u32> {
    if patch.x + by + patch.size <= width { Some(patch.x + by) } else { patch.x.checked_sub(by) }
}

/// The square about the same centre.
fn scaled(patch: PatchRef, image: &Image, times: f64) -> Option<CropBox> {
    let side = (f64::from(patch.size) * times).round().max(1.0) as u32;
    let start = |corner: u32, most: u32| {
        let start = i64::from(corner) + (i64::from(patch.size) - i64::from(side)) / 2;
        let start = u32::try_from(start).ok()?;
        (start + side <= most).then_some(start)
    };
    let (y, x) = (start(patch.y, image.height())?, start(patch.x, image.width())?);
    Some(CropBox { y, x, height: side, width: side })
}

/// Blur on a view of `side` pixels; `None` where it would not blur.
fn blur(side: u32, amount: f64) -> Option<Blur> {
    let sigma = (amount * f64::from(side)) as f32;
    let reach = ((3.0 * sigma).ceil() as u32).clamp(1, side.saturating_sub(1).max(1));
    (sigma > 0.0).then_some(Blur { kernel: 2 * reach + 1, sigma })
}

/// The curve of one change.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct ChangeCurve {
    /// What is changed.
    pub change: PatchChange,
    /// What amounts are in.
    pub unit: Cow<'static, str>,
    /// Amounts.
    pub amounts: Vec<f64>,
    /// For each amount, patches with room for it.
    pub patches: Vec<usize>,
    /// By space, in the order of the spaces, for each amount: mean cosine with the patch as it is; absent where no patch
    /// has room.
    pub cosines: Vec<(String, Vec<Option<Interval>>)>,
}

/// A patch, with what of its image lies around it.
pub struct ChangedPatch {
    image: Arc<Image>,
    patch: PatchRef,
}

impl ChangedPatch {
    /// Cuts out a patch with as much around it as any change needs: its own side.
    pub fn cut(image: &Image, patch: PatchRef) -> Self {
        let ends =
            |corner: u32, side: u32| (corner.saturating_sub(patch.size), (corner + 2 * patch.size).min(side));
        let ((top, bottom), (left, right)) = (ends(patch.y, image.height()), ends(patch.x, image.width()));
        let around = image.crop(top, left, bottom - top, right - left);
        let patch = PatchRef { y: patch.y - top, x: patch.x - left, ..patch };
        Self { image: Arc::new(around), patch }
    }
}

/// Measures every change on `patches`, of one size, in `spaces` and in pixels. `tick` hears of each change that is done.
///
/// # Errors
/// Those of the model, or cancelled.
pub fn invariance(
    embedder: &Embedder,
    patches: &[ChangedPatch],
    spaces: &[Space],
    (resamples, seed): (usize, u64),
    cancel: &CancelToken,
    tick: &mut dyn FnMut(),
) -> anyhow::Result<Vec<ChangeCurve>> {
    let size = patches.first().map_or(0, |patch| patch.patch.size);
    let vectors = |views: &dyn Fn(u32) -> Vec<ChangedView>| -> anyhow::Result<Vec<Vec<f32>>> {
        let mut vectors = vec![embedder.view_pixels(&views(pixels_side(size)), size)?];
        vectors.extend(embedder.views(&views(embedder.info.input), spaces)?);
        Ok(vectors)
    };
    let resize = embedder.info.resize;
    let source = |patch: &ChangedPatch, view| ChangedView { image: patch.image.clone(), view };
    let originals =
        vectors(&|_| patches.iter().map(|patch| source(patch, plain(patch.patch, resize))).collect())?;
    let names: Vec<String> =
        std::iter::once(PIXELS.to_owned()).chain(spaces.iter().map(Space::to_string)).collect();
    let mut curves = vec![];
    for change in PatchChange::ALL {
        let amounts = change.amounts(size);
        let mut sums = ClusterSums::new(names.len() * amounts.len());
        for (place, amount) in amounts.iter().enumerate() {
            cancel.check()?;
            let views: Vec<(usize, ViewParams)> = patches
                .iter()
                .enumerate()
                .filter_map(|(at, patch)| {
                    Some((at, change.view(patch.patch, &patch.image, resize, *amount)?))
                })
                .collect();
            let at_side = |side: u32| -> Vec<ChangedView> {
                let blur = if change == PatchChange::Blur { blur(side, *amount) } else { None };
                let changed =
                    views.iter().map(|(at, view)| (&patches[*at], ViewParams { blur, ..view.clone() }));
                changed.map(|(patch, view)| source(patch, view)).collect()
            };
            for (space, (changed, original)) in vectors(&at_side)?.iter().zip(&originals).enumerate() {
                let width = original.len() / patches.len().max(1);
                for ((at, _), changed) in views.iter().zip(changed.chunks_exact(width.max(1))) {
                    let cosine = cosine_map(&original[at * width..(at + 1) * width], changed)[0];
                    sums.add(patches[*at].patch.image, space * amounts.len() + place, f64::from(cosine));
                }
            }
        }
        let means = sums.means(resamples, seed);
        let cosines = names.iter().zip(means.chunks(amounts.len()));
        curves.push(ChangeCurve {
            change,
            unit: change.unit().into(),
            patches: (0..amounts.len()).map(|place| sums.count(place)).collect(),
            cosines: cosines.map(|(name, means)| (name.clone(), means.to_vec())).collect(),
            amounts,
        });
        tick();
    }
    Ok(curves)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(y: u32, x: u32) -> PatchRef {
        PatchRef { image: 0, y, x, size: 8 }
    }

    #[test]
    fn a_patch_moves_to_where_there_is_room() {
        assert_eq!(
            [shifted(patch(0, 4), 32, 8), shifted(patch(0, 20), 32, 8), shifted(patch(0, 4), 14, 8)],
            [Some(12), Some(12), None]
        );
        let image = Image::filled(32, 16, [9; 3]);
        let crop = |y, x, side| Some(CropBox { y, x, height: side, width: side });
        assert_eq!(scaled(patch(4, 4), &image, 2.0), crop(0, 0, 16));
        assert_eq!(scaled(patch(4, 4), &image, 0.5), crop(6, 6, 4));
        assert_eq!(scaled(patch(2, 4), &image, 2.0), None);
    }

    #[test]
    fn amounts_rise_and_every_view_can_be_made() {
        let pixels = (0..32 * 32 * 3).map(|at| (at * 31 % 253) as u8).collect();
        let image = Image::new(32, 32, pixels);
        let norm = crate::image::Normalization { mean: [0.5; 3], std: [0.5; 3] };
        let mut out = vec![0.0; 3 * 16 * 16];
        for change in PatchChange::ALL {
            let amounts = change.amounts(8);
            assert!(amounts.is_sorted() && !amounts.is_empty(), "{change}");
            for amount in amounts {
                let mut view = change.view(patch(12, 12), &image, Resize::Bilinear, amount).unwrap();
                if change == PatchChange::Blur {
                    view.blur = blur(16, amount);
                }
                view.apply(&image, 16, &norm, &mut out).unwrap();
                assert_ne!(view, plain(patch(12, 12), Resize::Bilinear), "{change} {amount}");
            }
        }
    }
}
