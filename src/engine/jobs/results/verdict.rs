//! Whether what the paper finds holds here: nouns, and the rule by which intervals decide.

use serde::Serialize;

use crate::stats::Interval;

/// Whether a claim holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimVerdict {
    /// Every difference goes the way that it says, beyond the intervals.
    Holds,
    /// One goes the other way, beyond the intervals.
    DoesNot,
    /// None goes the other way, but intervals overlap.
    CannotBeTold,
    /// The numbers are not there.
    NotMeasured,
}

impl ClaimVerdict {
    /// All of them, with their words.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Holds, "holds"),
        (Self::DoesNot, "does not hold"),
        (Self::CannotBeTold, "cannot be told"),
        (Self::NotMeasured, "not measured"),
    ];

    /// In words.
    pub fn words(self) -> &'static str {
        Self::ALL.into_iter().find(|(it, _)| *it == self).map_or("", |(_, words)| words)
    }

    /// By differences that are each expected to be `Some(true)`: `Some(false)` is the other way, `None` within the
    /// intervals.
    pub fn of(differences: &[Option<bool>]) -> Self {
        match differences {
            [] => Self::NotMeasured,
            all if all.contains(&Some(false)) => Self::DoesNot,
            all if all.contains(&None) => Self::CannotBeTold,
            _ => Self::Holds,
        }
    }
}

/// A claim of the paper, and what was found about it.
#[derive(Clone, Debug, Serialize)]
pub struct PaperClaim {
    /// What the paper finds.
    pub claim: &'static str,
    /// Where it says so.
    pub place: &'static str,
    /// One for each model, pair of models, or measure.
    pub findings: Vec<ClaimFinding>,
    /// What measures it, where nothing is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// What was found about a claim, of one model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClaimFinding {
    /// Of what.
    pub about: String,
    /// Whether it holds.
    pub verdict: ClaimVerdict,
    /// The numbers, with intervals and counts; of what is not measured, what would.
    pub words: String,
}

impl PaperClaim {
    /// "holds for 3 of 4, cannot be told for 1".
    pub fn summary(&self) -> String {
        let count = |verdict| self.findings.iter().filter(|finding| finding.verdict == verdict).count();
        let all = self.findings.len();
        let parts = ClaimVerdict::ALL.into_iter().filter(|(verdict, _)| count(*verdict) > 0);
        let parts: Vec<String> =
            parts.map(|(verdict, words)| format!("{words} for {} of {all}", count(verdict))).collect();
        if parts.is_empty() { "not measured".into() } else { parts.join(", ") }
    }
}

/// Whether `a` is above `b`: `None` where their intervals overlap.
pub fn is_above(a: Interval, b: Interval) -> Option<bool> {
    if a.low > b.high {
        Some(true)
    } else if a.high < b.low {
        Some(false)
    } else {
        None
    }
}

/// Of values in pairs, how often the first is above, and below, the second beyond the intervals, of how many; and what
/// that says of a first that is expected above: more than half must be, and none below.
pub fn mostly_above(pairs: &[(Interval, Interval)]) -> (usize, usize, ClaimVerdict) {
    let found: Vec<Option<bool>> = pairs.iter().map(|(a, b)| is_above(*a, *b)).collect();
    let count = |wanted| found.iter().filter(|is| **is == Some(wanted)).count();
    let (above, below, half) = (count(true), count(false), pairs.len() / 2);
    let verdict = match pairs.len() {
        0 => ClaimVerdict::NotMeasured,
        _ if above > half && below == 0 => ClaimVerdict::Holds,
        _ if below > half && above == 0 => ClaimVerdict::DoesNot,
        _ => ClaimVerdict::CannotBeTold,
    };
    (above, below, verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(value: f64) -> Interval {
        Interval { value, low: value - 0.1, high: value + 0.1 }
    }

    #[test]
    fn intervals_decide_and_overlapping_ones_do_not() {
        assert_eq!(is_above(about(0.5), about(0.2)), Some(true));
        assert_eq!(is_above(about(0.2), about(0.5)), Some(false));
        assert_eq!(is_above(about(0.5), about(0.4)), None);
        let verdicts = [
            (vec![], ClaimVerdict::NotMeasured),
            (vec![Some(true), Some(true)], ClaimVerdict::Holds),
            (vec![Some(true), None], ClaimVerdict::CannotBeTold),
            (vec![None, Some(false)], ClaimVerdict::DoesNot),
        ];
        for (differences, expected) in verdicts {
            assert_eq!(ClaimVerdict::of(&differences), expected, "{differences:?}");
        }
        let (high, low) = (about(0.9), about(0.1));
        assert_eq!(mostly_above(&[(high, low), (high, low), (low, low)]), (2, 0, ClaimVerdict::Holds));
        assert_eq!(mostly_above(&[(high, low), (low, low)]).2, ClaimVerdict::CannotBeTold);
        assert_eq!(mostly_above(&[(high, low), (high, low), (low, high)]).2, ClaimVerdict::CannotBeTold);
        assert_eq!(mostly_above(&[(low, high)]).2, ClaimVerdict::DoesNot);
    }

    #[test]
    fn findings_are_counted_in_words() {
        let finding = |verdict| ClaimFinding { about: "a".into(), verdict, words: "b".into() };
        let claim = |verdicts: &[ClaimVerdict]| PaperClaim {
            claim: "",
            place: "",
            findings: verdicts.iter().copied().map(finding).collect(),
            command: None,
        };
        let some = claim(&[ClaimVerdict::Holds, ClaimVerdict::CannotBeTold, ClaimVerdict::Holds]);
        assert_eq!(some.summary(), "holds for 2 of 3, cannot be told for 1 of 3");
        assert_eq!(claim(&[]).summary(), "not measured");
    }
}
