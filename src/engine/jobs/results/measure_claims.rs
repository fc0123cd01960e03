//! What the paper finds of R and of locality, held against the measures here.

use crate::analysis::convergence::{OverDraws, SpaceConvergence};
use crate::analysis::invariance::PatchChange;
use crate::analysis::locality::{LocalityReport, SpaceLocality};
use crate::engine::jobs::convergence::ConvergenceReport;
use crate::engine::jobs::locality::LocalityResult;
use crate::engine::jobs::results::given::{GivenConvergence, GivenResults};
use crate::engine::jobs::results::trained::TrainedModel;
use crate::engine::jobs::results::verdict::{ClaimFinding, ClaimVerdict, PaperClaim, is_above, mostly_above};
use crate::stats::Interval;
use crate::words::thousands;

/// The claims about R and about locality.
pub fn measure_claims(given: &GivenResults) -> Vec<PaperClaim> {
    vec![converges(given), is_local(given)]
}

fn interval(over: OverDraws) -> Interval {
    Interval { value: over.mean, low: over.low, high: over.high }
}

/// "0.412 [0.401, 0.423]".
pub fn number_words(Interval { value, low, high }: Interval) -> String {
    format!("{value:.3} [{low:.3}, {high:.3}]")
}

/// What was measured, with how its model was trained where the run is given.
pub fn about(model: &str, data: &str, run: Option<&TrainedModel>) -> String {
    let trained = run.map_or(String::new(), |run| format!(" ({})", run.regime()));
    format!("{model}{trained} on {data}")
}

/// Runs of which no measure is given, with the command that makes it.
fn unmeasured(
    given: &GivenResults,
    is_measured: impl Fn(&TrainedModel) -> bool,
    command: impl Fn(&TrainedModel) -> String,
) -> Vec<ClaimFinding> {
    let finding = |run: &TrainedModel| ClaimFinding {
        about: run.name.clone(),
        verdict: ClaimVerdict::NotMeasured,
        words: format!("`{}` measures it", command(run)),
    };
    given.models.iter().filter(|run| !is_measured(run)).map(finding).collect()
}

fn converges(given: &GivenResults) -> PaperClaim {
    let mut findings: Vec<ClaimFinding> =
        given.convergences.iter().filter_map(|it| convergence_finding(given, &it.found)).collect();
    let is_of = |run: &TrainedModel, GivenConvergence { found, .. }: &GivenConvergence| {
        given.run_of_measure(&found.model, &found.model_hash).is_some_and(|it| it.run == run.run)
    };
    let is_measured = |run: &TrainedModel| given.convergences.iter().any(|found| is_of(run, found));
    let command =
        |run: &TrainedModel| format!("bagssl eval --figure 3a --data DATA --out fig3a {0}={0}", run.name);
    findings.extend(unmeasured(given, is_measured, command));
    PaperClaim {
        claim: "R, the mean of an image's patches in h, converges to the embedding of the whole image: the cosine of the two \
                rises with the number of patches.",
        place: "Section 4.2, Figure 3a (there of a model trained on crops of many scales)",
        findings,
        command: None,
    }
    .or_command("bagssl eval --figure 3a --data DATA --out fig3a NAME=RUN ...")
}

/// Every step must not fall, and the last must be above the first.
fn rises(points: &[Interval]) -> ClaimVerdict {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return ClaimVerdict::NotMeasured };
    let falls = points.windows(2).any(|two| is_above(two[1], two[0]) == Some(false));
    match (falls, is_above(*last, *first)) {
        _ if points.len() < 2 => ClaimVerdict::NotMeasured,
        (true, _) | (_, Some(false)) => ClaimVerdict::DoesNot,
        (false, None) => ClaimVerdict::CannotBeTold,
        (false, Some(true)) => ClaimVerdict::Holds,
    }
}

fn convergence_finding(given: &GivenResults, found: &ConvergenceReport) -> Option<ClaimFinding> {
    let space = found.spaces.iter().find(|space| space.space == "h")?;
    let points: Vec<Interval> = space.points.iter().filter_map(|point| point.whole.map(interval)).collect();
    let run = given.run_of_measure(&found.model, &found.model_hash);
    Some(ClaimFinding {
        about: about(&found.model, &found.data, run),
        verdict: rises(&points),
        words: format!("{}; over {} images", point_words(space), thousands(found.images)),
    })
}

/// "1 patch 0.412 [0.401, 0.423], 16 patches ..., all ...".
fn point_words(space: &SpaceConvergence) -> String {
    let words = space.points.iter().filter_map(|point| {
        let count = match (point.count.to_string(), point.patches.1) {
            (all, most) if all == "all" => format!("all {most}"),
            (count, _) => count,
        };
        Some(format!("{count}: {}", number_words(interval(point.whole?))))
    });
    format!("cosine by patches in the mean {}", words.collect::<Vec<_>>().join(", "))
}

fn is_local(given: &GivenResults) -> PaperClaim {
    let mut findings: Vec<ClaimFinding> =
        given.localities.iter().flat_map(|local| locality_findings(given, &local.found)).collect();
    let is_of = |run: &TrainedModel, found: &LocalityResult| {
        given.run_of_measure(&found.model, &found.model_hash).is_some_and(|it| it.run == run.run)
    };
    let is_measured = |run: &TrainedModel| given.localities.iter().any(|local| is_of(run, &local.found));
    let command = |run: &TrainedModel| {
        format!("bagssl locality --model {0} --data DATA --split test --json > {0}-locality.json", run.name)
    };
    findings.extend(unmeasured(given, is_measured, command));
    PaperClaim {
        claim: "h is more local than z, by each measure.",
        place: "Section 4.3, Appendix E (there by pictures)",
        findings,
        command: None,
    }
    .or_command("bagssl locality --model RUN --data DATA --split test --json > locality.json")
}

/// One for each measure that is there of h and of z.
fn locality_findings(given: &GivenResults, found: &LocalityResult) -> Vec<ClaimFinding> {
    let report = &found.report;
    let space = |name: &str| report.spaces.iter().find(|space| space.space == name);
    let (Some(h), Some(z)) = (space("h"), space("z")) else { return vec![] };
    let run = given.run_of_measure(&found.model, &found.model_hash);
    let about = about(&found.model, &found.data, run);
    let of = |(measure, verdict, words): (&str, ClaimVerdict, String)| ClaimFinding {
        about: format!("{about}: {measure}"),
        verdict,
        words,
    };
    let all = [purity(report), near_minus_far(h, z), positions(h, z), same_image(h, z), shift(report, h, z)];
    let queries = format!("{} queries of {} images", thousands(report.queries), thousands(report.images));
    let mut findings: Vec<ClaimFinding> = all.into_iter().flatten().map(of).collect();
    findings.iter_mut().for_each(|finding| finding.words += &format!("; {queries}"));
    findings
}

/// A measure's name, its verdict and its numbers.
type MeasureFound = (&'static str, ClaimVerdict, String);

/// A measure that is larger in what is more local.
fn larger(measure: &'static str, h: Interval, z: Interval) -> MeasureFound {
    let words = format!("h {}, z {}", number_words(h), number_words(z));
    (measure, ClaimVerdict::of(&[is_above(h, z)]), words)
}

fn purity(report: &LocalityReport) -> Option<MeasureFound> {
    let of = |space: &str| {
        let found = report.purity.get(space)?;
        Some(Interval { value: found.mean, low: found.low, high: found.high })
    };
    Some(larger("part purity of neighbours from other images, larger in h", of("h")?, of("z")?))
}

fn near_minus_far(h: &SpaceLocality, z: &SpaceLocality) -> Option<MeasureFound> {
    let share = |space: &SpaceLocality| space.displacement.near_minus_far_share;
    let (measure, verdict, words) = larger(
        "cosine of overlapping patches less that of the others of the image, as a share of 1 less the floor, larger in h",
        share(h)?,
        share(z)?,
    );
    let raw = |space: &SpaceLocality| space.displacement.near_minus_far.map_or(f64::NAN, |it| it.value);
    let floor = |space: &SpaceLocality| space.displacement.floor.map_or(f64::NAN, |it| it.value);
    let width = |space: &SpaceLocality| {
        space.displacement.half_width.map_or("none".to_owned(), |width| format!("{width:.1} px"))
    };
    Some((
        measure,
        verdict,
        format!(
            "{words}; without interval: the difference h {:.3}, z {:.3}, the floor (cosine with other images) h {:.3}, z {:.3}, \
             half-width h {}, z {}",
            raw(h),
            raw(z),
            floor(h),
            floor(z),
            width(h),
            width(z)
        ),
    ))
}

fn positions(h: &SpaceLocality, z: &SpaceLocality) -> Option<MeasureFound> {
    let (of_h, of_z) = (h.positions?, z.positions?);
    let measure = "entropy of neighbours' places below that of shuffled ones, bits, by more in h";
    Some(larger(measure, of_h.difference, of_z.difference))
}

fn same_image(h: &SpaceLocality, z: &SpaceLocality) -> Option<MeasureFound> {
    let shares = |space: &SpaceLocality| space.composition.same_image.clone();
    let pairs: Vec<(Interval, Interval)> = shares(h).into_iter().zip(shares(z)).collect();
    let first = pairs.first()?;
    let (above, below, verdict) = mostly_above(&pairs);
    let words = format!(
        "h above z at {above} of {} ranks, below at {below}; the nearest neighbour h {}, z {}",
        pairs.len(),
        number_words(first.0),
        number_words(first.1)
    );
    Some(("neighbours from the query's own image by rank, more in h", verdict, words))
}

/// A cosine above the floor, as a share of what is above it; its interval is as wide as those of both allow.
fn above_floor(cosine: Interval, floor: Interval) -> Option<Interval> {
    let share = |cosine: f64, floor: f64| (cosine - floor) / (1.0 - floor);
    (floor.high < 1.0).then(|| Interval {
        value: share(cosine.value, floor.value),
        low: share(cosine.low, floor.high),
        high: share(cosine.high, floor.low),
    })
}

fn shift(report: &LocalityReport, h: &SpaceLocality, z: &SpaceLocality) -> Option<MeasureFound> {
    let curve = report.invariance.iter().find(|curve| curve.change == PatchChange::Shift)?;
    let of = |space: &SpaceLocality| -> Option<Vec<Option<Interval>>> {
        let (_, values) = curve.cosines.iter().find(|(name, _)| *name == space.space)?;
        let floor = space.displacement.floor?;
        Some(values.iter().map(|cosine| above_floor((*cosine)?, floor)).collect())
    };
    let pairs: Vec<(Interval, Interval)> =
        of(z)?.into_iter().zip(of(h)?).filter_map(|(z, h)| Some((z?, h?))).collect();
    let (above, below, verdict) = mostly_above(&pairs);
    let words = format!(
        "z more invariant than h at {above} of {} shifts, less at {below}; by the longest h {}, z {}; {} patches changed",
        pairs.len(),
        pairs.last().map_or(String::new(), |(_, h)| number_words(*h)),
        pairs.last().map_or(String::new(), |(z, _)| number_words(*z)),
        thousands(report.changed)
    );
    let measure =
        "cosine of a patch with itself, shifted, above the floor as a share of 1 less it, lower in h";
    (!pairs.is_empty()).then_some((measure, verdict, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_rises_where_no_step_falls_and_the_last_is_above_the_first() {
        let points = |values: &[f64]| -> Vec<Interval> {
            values.iter().map(|&value| Interval { value, low: value - 0.01, high: value + 0.01 }).collect()
        };
        assert_eq!(rises(&points(&[0.4, 0.6, 0.605])), ClaimVerdict::Holds);
        assert_eq!(rises(&points(&[0.4, 0.6, 0.5])), ClaimVerdict::DoesNot);
        assert_eq!(rises(&points(&[0.4, 0.41])), ClaimVerdict::CannotBeTold);
        assert_eq!(rises(&points(&[0.4])), ClaimVerdict::NotMeasured);
    }

    #[test]
    fn cosines_above_a_floor_are_as_uncertain_as_both() {
        let over = |value: f64| Interval { value, low: value - 0.01, high: value + 0.01 };
        let found = above_floor(over(0.85), over(0.7)).unwrap();
        let expected = [0.15 / 0.3, 0.13 / 0.29, 0.17 / 0.31];
        for (found, expected) in [found.value, found.low, found.high].into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found}, expected {expected}");
        }
        assert_eq!(above_floor(over(0.9), over(0.995)), None);
    }
}
