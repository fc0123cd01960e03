//! How the spaces of a bank lie, and how alike two of them are.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use rand::SeedableRng;
use rand::seq::index;
use rand_pcg::Pcg64Mcg;
use serde::Serialize;
use serde_json::json;

use crate::analysis::geometry::{
    Gram, Neighbourhood, SpaceRows, TwoNn, components_for, participation_ratio, skewness,
};
use crate::bank::{Bank, ModelFacts};
use crate::colormap::Colormap;
use crate::engine::figures::output::Written;
use crate::engine::figures::plotted::{curves, line, page};
use crate::engine::jobs::Job;
use crate::engine::jobs::compare::common_images;
use crate::engine::jobs::fresh::FreshPatches;
use crate::engine::jobs::plot::{PlotFile, write_csv};
use crate::figure::{CurveAxis, MatrixPanel, Panel, PanelsSpec};
use crate::memory;
use crate::patch::PatchGrid;
use crate::stats::spectrum::Spread;
use crate::stats::{Interval, bootstrap_mean, mean, quantile_of_sorted};
use crate::words::thousands;

/// Whose spaces are measured.
pub enum GeometrySource {
    /// A bank, and perhaps a second one of the same patches.
    Banks(PathBuf, Option<PathBuf>),
    /// Patches that are embedded for this.
    Fresh(FreshPatches),
}

/// `bagssl geometry`.
pub struct GeometryRequest {
    /// Whose.
    pub source: GeometrySource,
    /// Which spaces; none: all.
    pub spaces: Vec<String>,
    /// Patches at most, drawn by the job's seed: for everything but norms.
    pub sample: usize,
    /// Neighbours of each, for hubs and overlap.
    pub k: usize,
    /// Where the plots go, if they are drawn.
    pub plot: Option<PlotFile>,
    /// Where the table goes, if it is wanted as one.
    pub csv: Option<PathBuf>,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct GeometryReport {
    /// The model, or both.
    pub models: Vec<ModelFacts>,
    /// The data set's name.
    pub data: String,
    /// Where the patches lie.
    pub grid: PatchGrid,
    /// Patches that were looked at, for everything but norms.
    pub rows: usize,
    /// Patches that there are.
    pub of: usize,
    /// Neighbours of each.
    pub k: usize,
    /// Of the draw.
    pub seed: u64,
    /// One for each space.
    pub spaces: Vec<SpaceGeometry>,
    /// One for each two of them.
    pub pairs: Vec<SpacePair>,
    /// The files that were written.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub files: Option<Written>,
}

/// One space.
#[derive(Clone, Debug, Serialize)]
pub struct SpaceGeometry {
    /// Its name; with " A" or " B" where there are two models.
    pub space: String,
    /// How the sampled vectors fill it: deviation, RankMe, spectrum.
    #[serde(flatten)]
    pub spread: Spread,
    /// (sum of eigenvalues)^2 / sum of squares; absent where nothing varies.
    pub participation_ratio: Option<f64>,
    /// Components that make up 90 % of the variance.
    pub components_90: usize,
    /// Intrinsic dimension, on the unit sphere; absent where too few vectors differ.
    pub two_nn: Option<TwoNn>,
    /// Euclidean norms of all stored vectors.
    pub norms: NormQuantiles,
    /// How often vectors are among the nearest of others.
    pub hubs: Hubs,
}

/// Lengths of vectors.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct NormQuantiles {
    /// Vectors.
    pub count: usize,
    /// Mean.
    pub mean: f64,
    /// Quantiles 0.05, 0.25, 0.5, 0.75, 0.95.
    pub quantiles: [f64; 5],
}

/// k-occurrence: how often a vector is among the k nearest of the others.
#[derive(Clone, Debug, Serialize)]
pub struct Hubs {
    /// Its skewness; 0 without hubs.
    pub skewness: f64,
    /// The largest.
    pub largest: u32,
    /// Share of vectors that are nobody's neighbour.
    pub never: f64,
    /// Of every sampled vector, largest first.
    #[serde(skip)]
    sorted: Vec<u32>,
}

/// Two spaces over the same patches.
#[derive(Clone, Debug, Serialize)]
pub struct SpacePair {
    /// One.
    pub a: String,
    /// The other.
    pub b: String,
    /// Linear CKA; absent where one does not vary.
    pub cka: Option<f64>,
    /// The same, unbiased.
    pub unbiased_cka: Option<f64>,
    /// Share of the k nearest that both have: mean over the sample, with a bootstrap interval of 95 %.
    pub overlap: Interval,
    /// What two lists at random would share.
    pub chance: f64,
}

/// Shares at which norms are told.
const QUANTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];
/// Largest sample: all pairs of it are looked at.
const MOST_ROWS: usize = 20_000;

/// A space that is measured, and what pairs need of it.
struct Measured {
    geometry: SpaceGeometry,
    near: Neighbourhood,
    gram: Gram,
}

/// Measures the spaces of one or two banks.
///
/// # Errors
/// Banks of other patches, a space that is not there, no room, cancelled, a file that cannot be written.
pub fn geometry(request: &GeometryRequest, mut job: Job<'_>) -> anyhow::Result<GeometryReport> {
    let banks = request.source.open(&request.spaces, &mut job)?;
    let first = banks.first().context("no bank")?;
    let names: Vec<String> = match request.spaces.is_empty() {
        true => first.spaces().map(str::to_owned).collect(),
        false => request.spaces.clone(),
    };
    let rows = sample(&banks, &names, request.sample.min(MOST_ROWS), job.seed)?;
    ensure!(
        rows.len() > request.k.max(3),
        "{} patches with a vector; expected more than k, which is {}",
        rows.len(),
        request.k
    );
    ensure_room(&banks, &names, rows.len())?;
    let letters: &[&str] = if banks.len() == 1 { &[""] } else { &[" A", " B"] };
    let mut measured = vec![];
    for (bank, letter) in banks.iter().zip(letters) {
        for name in &names {
            job.cancel.check()?;
            measured.push(measure(bank, name, letter, &rows, request.k, &job)?);
        }
    }
    let pairs = pairs(&measured, request.k, job.seed, &job)?;
    let spec = first.spec();
    let mut report = GeometryReport {
        models: banks.iter().map(|bank| bank.spec().model.clone()).collect(),
        data: spec.data.name.clone(),
        grid: spec.grid,
        rows: rows.len(),
        of: banks.iter().map(Bank::searchable).min().unwrap_or(0),
        k: request.k,
        seed: job.seed,
        spaces: measured.into_iter().map(|space| space.geometry).collect(),
        pairs,
        files: None,
    };
    if let Some(plot) = &request.plot {
        report.files = Some(draw(plot, &report)?);
    }
    if let Some(csv) = &request.csv {
        write_table(csv, &report)?;
    }
    Ok(report)
}

impl GeometrySource {
    fn open(&self, spaces: &[String], job: &mut Job<'_>) -> anyhow::Result<Vec<Bank>> {
        match self {
            Self::Banks(bank, None) => Ok(vec![Bank::open(bank)?]),
            Self::Banks(one, Some(other)) => {
                let banks = [Bank::open(one)?, Bank::open(other)?];
                let images = common_images(banks.each_ref()).with_context(|| {
                    format!("{} and {} cannot be compared", one.display(), other.display())
                })?;
                Ok(banks.iter().map(|bank| bank.first_images(images)).collect())
            }
            Self::Fresh(fresh) => {
                let spaces = spaces.iter().map(|name| name.parse()).collect::<anyhow::Result<Vec<_>>>()?;
                Ok(vec![fresh.embed(&spaces, job)?])
            }
        }
    }
}

/// At most `count` rows that have a vector in every space, drawn whatever the order of the bank; ascending.
fn sample(banks: &[Bank], names: &[String], count: usize, seed: u64) -> anyhow::Result<Vec<usize>> {
    let mut has_vector = vec![true; banks[0].patches()];
    for bank in banks {
        for name in names {
            let mut row = 0;
            for piece in bank.space(name)?.pieces(0..bank.patches()) {
                for norm in piece.inv_norms {
                    has_vector[row] &= !norm.is_nan();
                    row += 1;
                }
            }
        }
    }
    let all: Vec<usize> = banks[0].rows_in_order().flatten().filter(|row| has_vector[*row]).collect();
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut rows: Vec<usize> = match count < all.len() {
        true => index::sample(&mut rng, all.len(), count).into_iter().map(|at| all[at]).collect(),
        false => all,
    };
    rows.sort_unstable();
    Ok(rows)
}

/// Vectors of one space several times over, and the dot products of all spaces.
fn ensure_room(banks: &[Bank], names: &[String], rows: usize) -> anyhow::Result<()> {
    let mut widest = 0;
    for bank in banks {
        for name in names {
            widest = widest.max(bank.width(name)?);
        }
    }
    let (n, spaces) = (rows as u64, (banks.len() * names.len()) as u64);
    // Both float32 copies, and three in float64 with their Gram matrix while the spectrum is found.
    let bytes = n * widest as u64 * (2 * 4 + 3 * 8) + 8 * n.min(widest as u64).pow(2) + spaces * 8 * n * n;
    let budget = memory::budget();
    let what = || format!("{} vectors of up to {widest} values and their dot products", thousands(rows));
    Ok(budget.ensure(budget.bank(), bytes, what, "a smaller --sample, or fewer spaces")?)
}

fn measure(
    bank: &Bank,
    name: &str,
    letter: &str,
    rows: &[usize],
    k: usize,
    job: &Job<'_>,
) -> anyhow::Result<Measured> {
    let width = bank.width(name)?;
    let mut values = vec![0.0; rows.len() * width];
    for (out, row) in values.chunks_exact_mut(width).zip(rows) {
        bank.row_f32(name, *row, out)?;
    }
    let spread =
        Spread::of(&values, width).with_context(|| format!("space {name}: values are not finite"))?;
    job.cancel.check()?;
    let space = SpaceRows::new(values, width);
    // TwoNN needs two, however few are asked for.
    let near = space.neighbours(k.max(2), job.cancel)?;
    let two_nn = near.two_nn();
    let near = near.first(k);
    let mut sorted = near.occurrences();
    let skewness = skewness(&sorted);
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    let never = sorted.iter().filter(|count| **count == 0).count() as f64 / sorted.len() as f64;
    let hubs = Hubs { skewness, largest: sorted[0], never, sorted };
    let geometry = SpaceGeometry {
        space: format!("{name}{letter}"),
        participation_ratio: participation_ratio(&spread.spectrum),
        components_90: components_for(&spread.spectrum, 0.9),
        spread,
        two_nn,
        norms: norms(bank, name)?,
        hubs,
    };
    Ok(Measured { geometry, near, gram: space.gram() })
}

/// Of all rows of the bank that have a vector.
fn norms(bank: &Bank, name: &str) -> anyhow::Result<NormQuantiles> {
    let space = bank.space(name)?;
    let mut norms = vec![];
    for piece in space.pieces(0..bank.patches()) {
        let known = piece.inv_norms.iter().filter(|inv| !inv.is_nan());
        norms.extend(known.map(|inv| if *inv > 0.0 { 1.0 / f64::from(*inv) } else { 0.0 }));
    }
    space.check_length()?;
    norms.sort_by(f64::total_cmp);
    let quantiles = QUANTILES.map(|q| quantile_of_sorted(&norms, q).unwrap_or(0.0));
    Ok(NormQuantiles { count: norms.len(), mean: mean(&norms).unwrap_or(0.0), quantiles })
}

fn pairs(measured: &[Measured], k: usize, seed: u64, job: &Job<'_>) -> anyhow::Result<Vec<SpacePair>> {
    let mut pairs = vec![];
    for (index, a) in measured.iter().enumerate() {
        for b in &measured[index + 1..] {
            job.cancel.check()?;
            let overlaps = a.near.overlaps(&b.near);
            let overlap = bootstrap_mean(&overlaps, 2000, 0.95, seed).context("no rows")?;
            let others = overlaps.len() - 1;
            pairs.push(SpacePair {
                a: a.geometry.space.clone(),
                b: b.geometry.space.clone(),
                cka: a.gram.cka(&b.gram),
                unbiased_cka: a.gram.unbiased_cka(&b.gram),
                overlap,
                chance: k as f64 / others as f64,
            });
        }
    }
    Ok(pairs)
}

fn draw(plot: &PlotFile, report: &GeometryReport) -> anyhow::Result<Written> {
    let names: Vec<String> = report.spaces.iter().map(|space| space.space.clone()).collect();
    let places = |count: usize| (1..=count).map(|place| place as f64).collect::<Vec<f64>>();
    let spectra = report.spaces.iter().map(|space| {
        let spectrum = &space.spread.spectrum;
        let total: f64 = spectrum.iter().map(|v| f64::from(*v)).sum();
        // Rounding alone is not drawn.
        let share = |v: &f32| if f64::from(*v) > 1e-7 * total { f64::from(*v) / total } else { f64::NAN };
        line(&space.space, places(spectrum.len()), spectrum.iter().map(share).collect(), None)
    });
    let axes = (CurveAxis::of("component", ""), CurveAxis::of("share of the variance", ""));
    let mut spectra = curves("spectrum of the covariance", axes.0, axes.1, spectra.collect());
    (spectra.log_x, spectra.log_y) = (true, true);
    let hubs = report.spaces.iter().map(|space| {
        let sorted = &space.hubs.sorted;
        let counts = sorted.iter().map(|count| f64::from(*count)).collect();
        line(&space.space, places(sorted.len()), counts, None)
    });
    let what = format!("among the {} nearest of others", report.k);
    let axes = (CurveAxis::of("patch, most frequent first", ""), CurveAxis::of("times", ""));
    let mut hubs = curves(&what, axes.0, axes.1, hubs.collect());
    hubs.log_x = true;
    let mut panels = vec![Panel::Curves(spectra), Panel::Curves(hubs)];
    if names.len() > 1 {
        panels.push(matrix("linear CKA", &names, report, |pair| pair.cka.unwrap_or(f64::NAN)));
        panels.push(matrix(&format!("overlap@{}", report.k), &names, report, |pair| pair.overlap.value));
    }
    let models: Vec<String> = report.models.iter().map(|model| model.name.clone()).collect();
    let notes = vec![
        format!("model {}, {}", models.join(" and "), report.data),
        format!("{} of {} patches, seed {}", thousands(report.rows), thousands(report.of), report.seed),
        format!("rows and columns of matrices: {}", names.join(", ")),
    ];
    let source = json!({
        "models": report.models, "data": report.data, "grid": report.grid, "rows": report.rows,
        "of": report.of, "k": report.k, "seed": report.seed,
    });
    plot.write(page(String::new(), panels, notes), PanelsSpec::default(), source)
}

fn matrix(
    title: &str,
    names: &[String],
    report: &GeometryReport,
    value: impl Fn(&SpacePair) -> f64,
) -> Panel {
    let of = |a: &String, b: &String| {
        let pair =
            report.pairs.iter().find(|pair| (&pair.a, &pair.b) == (a, b) || (&pair.a, &pair.b) == (b, a));
        pair.map_or(1.0, &value) as f32
    };
    Panel::Matrix(MatrixPanel {
        title: title.to_owned(),
        rows: names.len(),
        cols: names.len(),
        values: names.iter().flat_map(|a| names.iter().map(move |b| (a, b))).map(|(a, b)| of(a, b)).collect(),
        range: [0.0, 1.0],
        colormap: Colormap::Viridis,
        row_label: "space".into(),
        col_label: "space".into(),
    })
}

fn write_table(path: &Path, report: &GeometryReport) -> anyhow::Result<()> {
    let heading = [
        "space",
        "width",
        "rows",
        "of",
        "rank_me",
        "participation_ratio",
        "components_90",
        "two_nn",
        "deviation",
        "unit_deviation",
        "norm_mean",
        "norm_p5",
        "norm_p25",
        "norm_p50",
        "norm_p75",
        "norm_p95",
        "hub_skewness",
        "hub_largest",
        "never_a_neighbour",
    ];
    let some = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let row = |space: &SpaceGeometry| -> Vec<String> {
        let SpaceGeometry { spread, norms, hubs, .. } = space;
        let mut cells = vec![
            space.space.clone(),
            spread.width.to_string(),
            spread.count.to_string(),
            report.of.to_string(),
            spread.rank.to_string(),
            some(space.participation_ratio),
            space.components_90.to_string(),
            some(space.two_nn.map(|found| found.dimension)),
            spread.deviation.to_string(),
            spread.unit_deviation.to_string(),
            norms.mean.to_string(),
        ];
        cells.extend(norms.quantiles.map(|value| value.to_string()));
        cells.extend([hubs.skewness.to_string(), hubs.largest.to_string(), hubs.never.to_string()]);
        cells
    };
    write_csv(path, &heading, &report.spaces.iter().map(row).collect::<Vec<_>>())
}
