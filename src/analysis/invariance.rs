//! Which invariance sits where: the cosine of a patch with itself, changed by a known amount, in every space.
//!
//! Shift: the patch is cut so many pixels to the right (to the left where there is no room). Scale: the cut is so many
//! times as wide and high about the same centre. Flip: mirrored, left to right. Brightness: values times a factor. Hue:
//! turned by a share of the circle. Blur: a Gaussian whose deviation is a share of the patch's side. Colours and blur
//! change what goes into the network, with torchvision's formulas. Patches for which there is no room are left out of
//! that amount, and the number of the others is told.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::analysis::heatmap::cosine_map;
use crate::augment::{Blur, ColorStep, CropBox, Resize, ViewParams};
use crate::embed::{ChangedView, Embedder, PIXELS, pixels_side};
use crate::image::Image;
use crate::model::Space;
use crate::patch::PatchRef;
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

    /// A view of it.
    fn seen(&self, view: ViewParams) -> ChangedView {
        ChangedView { image: self.image.clone(), view }
    }
}

/// Every change, on patches of one size, in some spaces and in pixels: a few patches at a time.
pub struct Invariance {
    patches: Vec<ChangedPatch>,
    spaces: Vec<Space>,
    /// Resamples and seed of the intervals.
    draws: (usize, u64),
    /// By pixels and spaces the vectors of the patches as they are, as far as they are there.
    originals: Vec<Vec<f32>>,
    /// Where it goes on: a change, one of its amounts, a patch. First all patches as they are.
    at: InvariancePlace,
    /// Of the change that goes on, by space and amount.
    sums: ClusterSums,
    curves: Vec<ChangeCurve>,
}

/// Where the work goes on.
#[derive(Clone, Copy)]
enum InvariancePlace {
    /// Patches as they are, from this one on.
    Plain(usize),
    /// Patches that are changed.
    Changed { change: usize, amount: usize, patch: usize },
}

impl Invariance {
    /// Nothing is measured yet of `patches`, in `spaces`.
    pub fn new(patches: Vec<ChangedPatch>, spaces: Vec<Space>, draws: (usize, u64)) -> Self {
        let sums = ClusterSums::new(0);
        let (originals, at) = (vec![vec![]; 1 + spaces.len()], InvariancePlace::Plain(0));
        Self { patches, spaces, draws, originals, at, sums, curves: vec![] }
    }

    /// Patches that are changed.
    pub fn patches(&self) -> usize {
        self.patches.len()
    }

    /// Amounts that are done, and all.
    pub fn amounts(&self) -> (usize, usize) {
        let size = self.size();
        let counts = PatchChange::ALL.map(|change| change.amounts(size).len());
        let done = match self.at {
            InvariancePlace::Plain(_) => 0,
            InvariancePlace::Changed { change, amount, .. } => {
                counts[..change].iter().sum::<usize>() + amount
            }
        };
        (done, counts.iter().sum())
    }

    /// The curves of the changes that are done.
    pub fn curves(&self) -> &[ChangeCurve] {
        &self.curves
    }

    fn size(&self) -> u32 {
        self.patches.first().map_or(0, |patch| patch.patch.size)
    }

    /// Goes on with `inputs` patches at most. Returns whether all is done.
    ///
    /// # Errors
    /// Those of the model.
    pub fn advance(&mut self, embedder: &Embedder, inputs: usize) -> anyhow::Result<bool> {
        if self.patches.is_empty() {
            return Ok(true);
        }
        let end = |from: usize| from.saturating_add(inputs.max(1)).min(self.patches.len());
        match self.at {
            InvariancePlace::Plain(from) => self.embed_plain(embedder, from..end(from)),
            InvariancePlace::Changed { change, .. } if change == PatchChange::ALL.len() => Ok(true),
            InvariancePlace::Changed { change, amount, patch } => {
                self.embed_changed(embedder, (change, amount), patch..end(patch))
            }
        }
    }

    /// Vectors of views in pixels and in all spaces; `views` makes them for a side.
    fn vectors(
        &self,
        embedder: &Embedder,
        views: &dyn Fn(u32) -> Vec<ChangedView>,
    ) -> anyhow::Result<Vec<Vec<f32>>> {
        let size = self.size();
        let mut vectors = vec![embedder.view_pixels(&views(pixels_side(size)), size)?];
        vectors.extend(embedder.views(&views(embedder.info.input), &self.spaces)?);
        Ok(vectors)
    }

    fn embed_plain(&mut self, embedder: &Embedder, places: Range<usize>) -> anyhow::Result<bool> {
        let resize = embedder.info.resize;
        let plain = |patch: &ChangedPatch| patch.seen(plain(patch.patch, resize));
        let vectors =
            self.vectors(embedder, &|_| self.patches[places.clone()].iter().map(plain).collect())?;
        self.originals.iter_mut().zip(vectors).for_each(|(all, more)| all.extend(more));
        self.at = if places.end < self.patches.len() {
            InvariancePlace::Plain(places.end)
        } else {
            self.sums = self.sums_of(0);
            InvariancePlace::Changed { change: 0, amount: 0, patch: 0 }
        };
        Ok(false)
    }

    fn embed_changed(
        &mut self,
        embedder: &Embedder,
        (change, amount): (usize, usize),
        places: Range<usize>,
    ) -> anyhow::Result<bool> {
        let (kind, resize) = (PatchChange::ALL[change], embedder.info.resize);
        let amounts = kind.amounts(self.size());
        let by = amounts[amount];
        let view = |at: usize| {
            let patch = &self.patches[at];
            Some((at, kind.view(patch.patch, &patch.image, resize, by)?))
        };
        let views: Vec<(usize, ViewParams)> = places.clone().filter_map(view).collect();
        let at_side = |side: u32| -> Vec<ChangedView> {
            let blur = if kind == PatchChange::Blur { blur(side, by) } else { None };
            views
                .iter()
                .map(|(at, view)| self.patches[*at].seen(ViewParams { blur, ..view.clone() }))
                .collect()
        };
        let vectors = self.vectors(embedder, &at_side)?;
        for (space, (changed, original)) in vectors.iter().zip(&self.originals).enumerate() {
            let width = original.len() / self.patches.len();
            for ((at, _), changed) in views.iter().zip(changed.chunks_exact(width.max(1))) {
                let cosine = cosine_map(&original[at * width..(at + 1) * width], changed)[0];
                let column = space * amounts.len() + amount;
                self.sums.add(self.patches[*at].patch.image, column, f64::from(cosine));
            }
        }
        self.go_on(kind, amounts, InvariancePlace::Changed { change, amount, patch: places.end });
        Ok(self.curves.len() == PatchChange::ALL.len())
    }

    /// Goes to what comes after `at`; a change whose amounts are done becomes a curve.
    fn go_on(&mut self, kind: PatchChange, amounts: Vec<f64>, at: InvariancePlace) {
        let InvariancePlace::Changed { change, amount, patch } = at else { return };
        self.at = if patch < self.patches.len() {
            at
        } else if amount + 1 < amounts.len() {
            InvariancePlace::Changed { change, amount: amount + 1, patch: 0 }
        } else {
            self.curves.push(self.curve(kind, amounts));
            self.sums = self.sums_of(change + 1);
            InvariancePlace::Changed { change: change + 1, amount: 0, patch: 0 }
        };
    }

    /// Room for what is found of a change.
    fn sums_of(&self, change: usize) -> ClusterSums {
        let amounts = PatchChange::ALL.get(change).map_or(0, |change| change.amounts(self.size()).len());
        ClusterSums::new((1 + self.spaces.len()) * amounts)
    }

    fn curve(&self, change: PatchChange, amounts: Vec<f64>) -> ChangeCurve {
        let (resamples, seed) = self.draws;
        let means = self.sums.means(resamples, seed);
        let names = std::iter::once(PIXELS.to_owned()).chain(self.spaces.iter().map(Space::to_string));
        ChangeCurve {
            change,
            unit: change.unit().into(),
            patches: (0..amounts.len()).map(|place| self.sums.count(place)).collect(),
            cosines: names.zip(means.chunks(amounts.len()).map(<[_]>::to_vec)).collect(),
            amounts,
        }
    }
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
