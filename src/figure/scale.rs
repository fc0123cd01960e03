//! The axes of charts: their ranges, and the round numbers on them.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

use super::canvas::thousands;

/// A linear or logarithmic axis with its own round numbers: those of plotters
/// leave a logarithmic axis shorter than a decade bare.
pub(super) struct CurveScale {
    ends: [f64; 2],
    log: bool,
    pub(super) ticks: Vec<f64>,
}

impl CurveScale {
    pub(super) fn new(ends: [f64; 2], log: bool, most: usize) -> Self {
        Self { ends, log, ticks: ticks(ends, log, most) }
    }

    /// A linear axis with ticks at 0, 1, 2, ... up to `count` of them.
    pub(super) fn of_places(ends: [f64; 2], count: usize) -> Self {
        Self { ends, log: false, ticks: (0..count).map(|place| place as f64).collect() }
    }
}

impl Ranged for CurveScale {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (start, end): (i32, i32)) -> i32 {
        let [v, lo, hi] = [*value, self.ends[0], self.ends[1]].map(|v| if self.log { v.ln() } else { v });
        start + ((v - lo) / (hi - lo) * f64::from(end - start)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.ends[0]..self.ends[1]
    }
}

/// Least and greatest of `values`, `part` wider at both ends, never of no width.
pub(super) fn padded(values: impl Iterator<Item = f64>, log: bool, part: f64) -> [f64; 2] {
    let values = values.map(|v| if log { v.ln() } else { v });
    let (lo, hi) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
    let least = if log { 0.1 } else { 1e-6 * lo.abs().max(hi.abs()).max(1e-30) };
    let pad = if hi - lo < least { (hi - lo + least).max(lo.abs() * 0.05) } else { part * (hi - lo) };
    let [lo, hi] = [lo - pad, hi + pad];
    if log { [lo.exp(), hi.exp()] } else { [lo, hi] }
}

/// At most about `most` round numbers within a range: 1, 2 or 5 times powers
/// of ten on a linear axis and on a short logarithmic one, else powers of ten.
fn ticks([lo, hi]: [f64; 2], log: bool, most: usize) -> Vec<f64> {
    if log {
        let (first, last) = (lo.log10().floor() as i32, hi.log10().ceil() as i32);
        let values = |parts: &[f64], step: usize| -> Vec<f64> {
            let decades = (first..=last).filter(|e| e.rem_euclid(step as i32) == 0).map(|e| 10f64.powi(e));
            decades.flat_map(|d| parts.iter().map(move |p| p * d)).filter(|v| (lo..=hi).contains(v)).collect()
        };
        let powers = (hi.log10().floor() - lo.log10().ceil() + 1.0).max(1.0) as usize;
        let fine = values(&[1.0, 2.0, 5.0], 1);
        return match fine.len() {
            n if n < 2 => ticks([lo, hi], false, most),
            n if n <= most => fine,
            _ => values(&[1.0], powers.div_ceil(most)),
        };
    }
    let rough = (hi - lo) / most as f64;
    let power = 10f64.powf(rough.log10().floor());
    let steps = [0.5, 1.0, 2.0, 5.0, 10.0];
    let wanted = steps.into_iter().skip(1).position(|s| s * power >= rough * 0.999).unwrap_or(3) + 1;
    let of_step = |step: f64| -> Vec<f64> {
        ((lo / step).ceil() as i64..=(hi / step).floor() as i64).map(|i| i as f64 * step).collect()
    };
    let (coarse, fine) = (of_step(steps[wanted] * power), of_step(steps[wanted - 1] * power));
    // One or two numbers say little of an axis, so that a few more than it asks for may stand there.
    let is_better = coarse.len() < 3 && fine.len() <= most + 2;
    if is_better { fine } else { coarse }
}

/// A number on an axis: 20,000, 0.25, 1e−6.
pub(super) fn tick(value: f64) -> String {
    let size = value.abs();
    let text = if size == 0.0 {
        "0".to_owned()
    } else if !(1e-4..1e7).contains(&size) {
        format!("{value:.2e}").replace(".00e", "e")
    } else if size >= 1e4 && value.fract() == 0.0 {
        format!("{}{}", if value < 0.0 { "-" } else { "" }, thousands(size as u64))
    } else {
        format!("{value:.6}").trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    text.replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_on_axes_are_short() {
        let ticks = [0.0, 20_000.0, -0.25, 1e-6, 2.5e9, 1500.0, 0.30000000000000004].map(tick);
        assert_eq!(ticks, ["0", "20,000", "\u{2212}0.25", "1e\u{2212}6", "2.50e9", "1500", "0.3"]);
    }

    #[test]
    fn ticks_are_round_numbers_within_the_range() {
        assert_eq!(ticks([-0.5, 10.2], false, 6), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks([1.5, 30.0], true, 6), [2.0, 5.0, 10.0, 20.0]);
        assert_eq!(ticks([0.5, 2e4], true, 5), [1.0, 10.0, 100.0, 1000.0, 10_000.0]);
        assert_eq!(ticks([6.0, 9.0], true, 6), [6.0, 6.5, 7.0, 7.5, 8.0, 8.5, 9.0]);
        assert!(ticks([1e-14, 1e14], true, 5).len() <= 6);
        // A low panel: three numbers rather than one.
        assert_eq!(ticks([0.02, 0.34], false, 3).len(), 3);
        assert_eq!(ticks([0.35, 1.02], false, 3).len(), 4);
        assert_eq!(ticks([0.1, 14.9], false, 3), [5.0, 10.0], "seven would touch each other");
        assert!(ticks([999_999.0, 1_000_001.0], false, 6).len() >= 2);
    }

    #[test]
    fn a_range_is_never_empty() {
        for (value, log) in [(0.0, false), (5.0, false), (-1e12, false), (3.0, true)] {
            let [lo, hi] = padded([value].into_iter(), log, 0.05);
            assert!(lo < value && value < hi && lo.is_finite() && hi.is_finite(), "{value}: {lo} {hi}");
        }
        assert_eq!(padded([0.0, 10.0].into_iter(), false, 0.1), [-1.0, 11.0]);
    }
}
