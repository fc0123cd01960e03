//! The patches of a bank on a plane, by their first two principal components ([`crate::analysis::pca`]) or by t-SNE ([`tsne`]):
//! vectors at unit length, since everything else here compares by cosine.

pub mod index;
pub mod outline;
mod rows;
pub mod tsne;

use anyhow::ensure;
use serde::{Deserialize, Serialize};

use self::index::PlaneIndex;
use self::rows::each_row;
use crate::analysis::pca::{PrincipalAxes, principal_axes, score};
use crate::analysis::spaces::sample_rows;
use crate::bank::Bank;
use crate::patch::{PatchGrid, PatchRef};
use crate::progress::{CancelToken, Progress};

/// Components of a plane.
const COMPONENTS: usize = 2;

/// What lays patches out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum PlaneWay {
    /// The first two principal components.
    #[default]
    Pca,
    /// t-SNE, which keeps neighbours together and says nothing of what is far.
    Tsne,
}

impl PlaneWay {
    /// Both, in the order in which they are offered.
    pub const ALL: [Self; 2] = [Self::Pca, Self::Tsne];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pca => "PCA",
            Self::Tsne => "t-SNE",
        }
    }

    /// Patches that it lays out at most in a time that one waits for.
    pub fn most(self) -> usize {
        match self {
            Self::Pca => 1 << 20,
            Self::Tsne => 10_000,
        }
    }
}

/// How patches are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PlaneConfig {
    /// What lays them out.
    pub way: PlaneWay,
    /// Patches at most that are laid out; of more, so many are drawn by the seed.
    pub most: usize,
    /// Patches at most that the axes are found from.
    pub fitted: usize,
    /// Values at most that the axes are found from: wide vectors make it fewer patches.
    pub values: usize,
    /// Of the draws.
    pub seed: u64,
}

impl PlaneConfig {
    /// As many patches as suit `way`, seed 0.
    pub fn by(way: PlaneWay) -> Self {
        // 200 MB of vectors while the axes are found.
        Self { way, most: way.most(), fitted: 100_000, values: 24 << 20, seed: 0 }
    }
}

impl Default for PlaneConfig {
    fn default() -> Self {
        Self::by(PlaneWay::default())
    }
}

/// Patches on a plane.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "SentPlane")]
pub struct PatchPlane {
    /// The space of their vectors.
    pub space: String,
    /// What laid them out.
    pub way: PlaneWay,
    /// Where the patches lie in their images.
    pub grid: PatchGrid,
    /// The principal components, two where the vectors have two values; t-SNE starts from them.
    pub axes: PrincipalAxes,
    /// Patches that the axes were found from.
    pub fitted: usize,
    /// Patches with a vector that there were.
    pub of: usize,
    /// Rows of the bank, ascending.
    pub rows: Vec<u32>,
    /// The patch of each.
    pub patches: Vec<PatchRef>,
    /// Where each lies.
    pub at: Vec<[f32; 2]>,
    /// Euclidean length of each vector.
    pub norms: Vec<f32>,
    /// Which lies where.
    #[serde(skip_serializing)]
    pub index: PlaneIndex,
}

/// A plane that comes from elsewhere: which point lies where is found again.
#[derive(Deserialize)]
struct SentPlane {
    space: String,
    way: PlaneWay,
    grid: PatchGrid,
    axes: PrincipalAxes,
    fitted: usize,
    of: usize,
    rows: Vec<u32>,
    patches: Vec<PatchRef>,
    at: Vec<[f32; 2]>,
    norms: Vec<f32>,
}

impl TryFrom<SentPlane> for PatchPlane {
    type Error = String;

    fn try_from(sent: SentPlane) -> Result<Self, String> {
        let SentPlane { space, way, grid, axes, fitted, of, rows, patches, at, norms } = sent;
        let points = [rows.len(), patches.len(), norms.len()];
        if points != [at.len(); 3] || !at.iter().flatten().all(|place| place.is_finite()) {
            return Err(
                "a plane whose points do not all have a finite place, a patch and a length".to_owned()
            );
        }
        let index = PlaneIndex::of(&at);
        Ok(Self { space, way, grid, axes, fitted, of, rows, patches, at, norms, index })
    }
}

impl PatchPlane {
    /// Lays the patches of `space` out; its axes point as those of `before` do, where there is one, so that a plane that is
    /// laid out again does not turn over.
    ///
    /// # Errors
    /// A space that is not there, no patch with a vector, damaged rows, cancelled.
    pub fn of(
        bank: &Bank,
        space: &str,
        config: PlaneConfig,
        before: Option<&PrincipalAxes>,
        cancel: &CancelToken,
        progress: &mut dyn FnMut(Progress),
    ) -> anyhow::Result<Self> {
        let names = [space.to_owned()];
        let stored = bank.space(space)?;
        let (width, banks) = (stored.width(), std::slice::from_ref(bank));
        let rows = sample_rows(banks, &names, config.most, config.seed)?;
        ensure!(!rows.is_empty(), "no patch has a vector in {space}; embed some first");
        let fitted =
            sample_rows(banks, &names, config.fitted.min(config.values / width).max(1), config.seed)?;
        let mut values = vec![0.0; fitted.len() * width];
        for (row, out) in fitted.iter().zip(values.chunks_exact_mut(width)) {
            stored.read_rows(*row..*row + 1, out)?;
        }
        cancel.check()?;
        let mut axes = principal_axes(&values, width, COMPONENTS);
        drop(values);
        before.into_iter().for_each(|before| turn_like(&mut axes, before));
        cancel.check()?;
        let rows: Vec<u32> = rows.into_iter().map(|row| row as u32).collect();
        let placed = each_row(&stored, &rows, cancel, |row, inverse| {
            let norm = if inverse > 0.0 { 1.0 / inverse } else { 0.0 };
            (place(&axes, row, inverse), norm)
        })?;
        let (mut at, norms): (Vec<[f32; 2]>, Vec<f32>) = placed.into_iter().unzip();
        if config.way == PlaneWay::Tsne {
            let values: Vec<Vec<f32>> = each_row(&stored, &rows, cancel, |row, _| row.to_vec())?;
            at = tsne::tsne(values.concat(), width, &at, cancel, progress)?;
        }
        Ok(Self {
            space: space.to_owned(),
            way: config.way,
            grid: bank.spec().grid,
            fitted: fitted.len(),
            of: stored.searchable() as usize,
            patches: rows.iter().map(|row| bank.patch_ref(*row as usize)).collect(),
            index: PlaneIndex::of(&at),
            axes,
            rows,
            at,
            norms,
        })
    }

    /// Where a vector lies, that of `patch` if it is one; `[0, 0]` is the mean. By t-SNE only what was laid out lies
    /// somewhere.
    pub fn place_of(&self, vector: &[f32], patch: Option<PatchRef>) -> Option<[f32; 2]> {
        if self.way == PlaneWay::Tsne {
            return Some(self.at[self.point_of(patch?)?]);
        }
        let norm = vector.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        Some(place(&self.axes, vector, if norm > 0.0 { (1.0 / norm) as f32 } else { 0.0 }))
    }

    /// What axis `c`, 0 or 1, is.
    pub fn axis_words(&self, c: usize) -> String {
        match self.way {
            PlaneWay::Pca => {
                let share = self.axes.explained.get(c).map_or(0.0, |share| 100.0 * share);
                format!("component {} ({share:.1} % of the variance)", c + 1)
            }
            PlaneWay::Tsne => format!("t-SNE {}", c + 1),
        }
    }

    /// The point of a patch, if it is laid out.
    pub fn point_of(&self, patch: PatchRef) -> Option<usize> {
        self.index.point_of(&self.patches, patch)
    }

    /// The cosine of each of its patches in `bank`, which it was laid out from, with `query`.
    ///
    /// # Errors
    /// Damaged rows, cancelled.
    pub fn cosines(&self, bank: &Bank, query: &[f32], cancel: &CancelToken) -> anyhow::Result<Vec<f32>> {
        let query: Vec<f64> = query.iter().map(|v| f64::from(*v)).collect();
        let norm = query.iter().map(|v| v * v).sum::<f64>().sqrt();
        let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
        each_row(&bank.space(&self.space)?, &self.rows, cancel, |row, inverse| {
            (score(row, &query) * scale * f64::from(inverse)).clamp(-1.0, 1.0) as f32
        })
    }
}

/// Where `row` lies, at unit length by the inverse of its norm.
fn place(found: &PrincipalAxes, row: &[f32], inverse: f32) -> [f32; 2] {
    let along = |axis: &Vec<f64>| {
        let middle: f64 = found.mean.iter().zip(axis).map(|(m, a)| m * a).sum();
        (score(row, axis) * f64::from(inverse) - middle) as f32
    };
    [0, 1].map(|c| found.axes.get(c).map_or(0.0, along))
}

fn turn_like(axes: &mut PrincipalAxes, before: &PrincipalAxes) {
    for (axis, other) in axes.axes.iter_mut().zip(&before.axes) {
        if axis.iter().zip(other).map(|(a, b)| a * b).sum::<f64>() < 0.0 {
            axis.iter_mut().for_each(|v| *v = -*v);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::bank;

    /// Vectors about (0, 0, 0, 1) that lean by the patch's column along one direction and by half its row along another.
    fn leaning(patch: PatchRef) -> Vec<f32> {
        let [x, y] = [patch.x, patch.y].map(|at| (at as f32 - 8.0) / 40.0);
        let rest = (1.0 - x * x - y * y / 4.0).sqrt();
        // Lengths differ, and do not matter.
        [x, y / 2.0, 0.0, rest].map(|v| v * (1.0 + patch.image as f32)).to_vec()
    }

    fn plane(most: usize, fitted: usize) -> PatchPlane {
        let bank = bank(4, 2, 4, leaning);
        let config = PlaneConfig { most, fitted, ..PlaneConfig::default() };
        PatchPlane::of(&bank, "h", config, None, &CancelToken::default(), &mut |_| {}).unwrap()
    }

    #[test]
    fn patches_lie_where_their_vectors_lean_whatever_their_length() {
        let plane = plane(1000, 1000);
        assert_eq!((plane.of, plane.rows.len(), plane.fitted), (100, 100, 100));
        for ((patch, at), norm) in plane.patches.iter().zip(&plane.at).zip(&plane.norms) {
            let [x, y] = [patch.x, patch.y].map(|at| (at as f32 - 8.0) / 40.0);
            // The third direction of spread, along which all is alike but for the sphere, is small and takes little.
            assert!((at[0] - x).abs() < 1e-3 && (at[1] - y / 2.0).abs() < 1e-3, "{patch:?} {at:?}");
            assert!((norm - (1.0 + patch.image as f32)).abs() < 1e-5, "{norm}");
            assert_eq!(plane.at[plane.point_of(*patch).unwrap()], *at);
        }
        let [first, second] = plane.axes.explained[..] else { panic!("{:?}", plane.axes) };
        // Variances 4 : 1, and next to nothing for the sphere.
        assert!((first - 0.8).abs() < 5e-3 && (second - 0.2).abs() < 5e-3, "{first} {second}");
        let patch = plane.patches[37];
        let there = plane.place_of(&leaning(patch), None).unwrap();
        assert!((there[0] - plane.at[37][0]).abs() < 1e-6 && (there[1] - plane.at[37][1]).abs() < 1e-6);
        assert_eq!(plane.point_of(PatchRef { x: 3, ..patch }), None);
    }

    /// A fifth of the vectors points one way, the rest another: their mean is not in the middle.
    #[test]
    fn places_are_counted_from_the_mean() {
        let bank = bank(2, 0, 2, |patch| if patch.x == 0 { vec![3.0, 0.0] } else { vec![0.0, 1.0] });
        let (config, cancel) = (PlaneConfig::default(), CancelToken::default());
        let plane = PatchPlane::of(&bank, "h", config, None, &cancel, &mut |_| {}).unwrap();
        // They are the root of 2 apart, and the mean lies four fifths of that from the few.
        for (patch, at) in plane.patches.iter().zip(&plane.at) {
            let expected = if patch.x == 0 { 0.8 } else { 0.2 } * 2.0f32.sqrt();
            assert!((at[0].abs() - expected).abs() < 1e-6 && at[1].abs() < 1e-6, "{patch:?} {at:?}");
        }
    }

    #[test]
    fn of_many_patches_some_are_laid_out_and_axes_are_found_from_fewer() {
        let (all, some) = (plane(1000, 1000), plane(30, 60));
        assert_eq!((some.of, some.rows.len(), some.fitted), (100, 30, 60));
        let axis = |plane: &PatchPlane| plane.axes.axes[0].clone();
        let along: f64 = axis(&all).iter().zip(axis(&some)).map(|(a, b)| a * b).sum();
        assert!(along > 0.99, "{along}");
    }

    #[test]
    fn cosines_are_those_of_the_vectors_and_a_plane_does_not_turn_over() {
        let bank = bank(4, 2, 4, leaning);
        let (plane, cancel) = (plane(1000, 1000), CancelToken::default());
        let cosines = plane.cosines(&bank, &[0.0, 0.0, 0.0, 5.0], &cancel).unwrap();
        for (patch, cosine) in plane.patches.iter().zip(cosines) {
            let vector = leaning(*patch);
            assert!((cosine - vector[3] / (1.0 + patch.image as f32)).abs() < 1e-6, "{patch:?}");
        }
        let mut turned = plane.axes.clone();
        turned.axes[1].iter_mut().for_each(|v| *v = -*v);
        let again =
            PatchPlane::of(&bank, "h", PlaneConfig::default(), Some(&turned), &cancel, &mut |_| {}).unwrap();
        for (at, other) in plane.at.iter().zip(&again.at) {
            assert_eq!(([at[0], -at[1]]), *other);
        }
    }
}
