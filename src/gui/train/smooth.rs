//! Series made ready to be drawn: scaled, smoothed, on logarithmic axes, and no denser than the screen.

use std::sync::Arc;

use super::axis::Across;
use crate::engine::training::MetricSeries;

/// Buckets across a plot: more points than two in each cannot be told apart.
const BUCKETS: usize = 600;

/// Series of fewer points are drawn as measured: a running mean of a few values shows values that none of them has.
pub const LEAST_SMOOTHED: usize = 25;

/// How series are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurveStyle {
    /// Weight of the past in the running mean, 0 (none) to below 1.
    pub smoothing: f64,
    pub log_x: bool,
    pub log_y: bool,
}

/// In which units series are drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct CurveUnits {
    pub across: Across,
    /// Of the values.
    pub factor: f64,
}

/// One series, ready to be drawn.
pub struct Ready {
    source: Arc<MetricSeries>,
    scale: CurveUnits,
    look: CurveStyle,
    /// As measured, and smoothed; equal without smoothing.
    pub raw: Vec<[f64; 2]>,
    pub smooth: Vec<[f64; 2]>,
    /// Whether the two differ: smoothing is asked for, and there are at least [`LEAST_SMOOTHED`] points.
    pub is_smoothed: bool,
    /// Lowest and highest of `raw`, if there is any.
    pub ends: Option<[f64; 2]>,
    /// The lowest value as it was measured.
    lowest: f64,
    /// Both over their whole range, as dense as the screen.
    thin: [Vec<[f64; 2]>; 2],
}

/// What a series is at some place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurveReading {
    /// The place, in the unit of the horizontal axis.
    pub at: f64,
    /// The value of the line, smoothed where the line is.
    pub shown: f64,
    /// The value as it was measured.
    pub measured: f64,
}

impl Ready {
    /// Scales and smooths.
    pub fn new(source: &Arc<MetricSeries>, scale: CurveUnits, look: CurveStyle) -> Self {
        let raw = points(source, &scale, look, &source.y);
        let is_smoothed = look.smoothing > 0.0 && raw.len() >= LEAST_SMOOTHED;
        let smooth = match is_smoothed {
            true => points(source, &scale, look, &running_mean(&source.y, look.smoothing)),
            false => raw.clone(),
        };
        let ends = raw.iter().map(|point| point[1]).fold(None, |ends: Option<[f64; 2]>, y| {
            let [low, high] = ends.unwrap_or([y, y]);
            Some([low.min(y), high.max(y)])
        });
        let thin = [thinned(&raw, None), thinned(&smooth, None)];
        let lowest = lowest(source);
        Self { source: source.clone(), scale, look, raw, smooth, is_smoothed, ends, lowest, thin }
    }

    /// The lowest value of `source`, if this was made of it.
    pub fn lowest_of(&self, source: &Arc<MetricSeries>) -> Option<f64> {
        Arc::ptr_eq(&self.source, source).then_some(self.lowest)
    }

    /// As measured, no denser than the screen, over a range or the whole.
    pub fn thin_raw(&self, range: Option<(f64, f64)>) -> Vec<[f64; 2]> {
        range.map_or_else(|| self.thin[0].clone(), |range| thinned(&self.raw, Some(range)))
    }

    /// As [`Self::thin_raw`], smoothed.
    pub fn thin_smooth(&self, range: Option<(f64, f64)>) -> Vec<[f64; 2]> {
        range.map_or_else(|| self.thin[1].clone(), |range| thinned(&self.smooth, Some(range)))
    }

    /// Whether it was made of the same.
    pub fn is_of(&self, source: &Arc<MetricSeries>, scale: &CurveUnits, look: CurveStyle) -> bool {
        Arc::ptr_eq(&self.source, source) && self.scale == *scale && self.look == look
    }

    /// What it is nearest to `x` (as drawn), no logarithms; at its end without `x`.
    pub fn at(&self, x: Option<f64>) -> Option<CurveReading> {
        let plain = |value: f64, log: bool| if log { 10f64.powf(value) } else { value };
        let measured = nearest(&self.raw, x)?;
        let shown = nearest(&self.smooth, x)?;
        Some(CurveReading {
            at: plain(measured[0], self.look.log_x),
            shown: plain(shown[1], self.look.log_y),
            measured: plain(measured[1], self.look.log_y),
        })
    }
}

/// The lowest value of a series; infinity without any.
pub fn lowest(source: &MetricSeries) -> f64 {
    source.y.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The point nearest to `x`, the earlier of two; the last without `x`.
fn nearest(points: &[[f64; 2]], x: Option<f64>) -> Option<[f64; 2]> {
    let Some(x) = x else { return points.last().copied() };
    let after = points.partition_point(|point| point[0] < x);
    let before = after.saturating_sub(1);
    let distance = |place: usize| points.get(place).map_or(f64::INFINITY, |point| (point[0] - x).abs());
    points.get(if distance(before) <= distance(after) { before } else { after }).copied()
}

/// What can be drawn: finite, and positive where the axis is logarithmic.
fn points(source: &MetricSeries, scale: &CurveUnits, look: CurveStyle, values: &[f64]) -> Vec<[f64; 2]> {
    let axis = |value: f64, log: bool| if log { value.log10() } else { value };
    let point =
        |(x, y): (&f64, &f64)| [axis(scale.across.at(*x), look.log_x), axis(y * scale.factor, look.log_y)];
    let all = source.x.iter().zip(values).map(point);
    all.filter(|[x, y]| x.is_finite() && y.is_finite()).collect()
}

/// Exponential running mean, each value with equal right at the start (as TensorBoard does it).
/// Values that are not finite stay so and count for nothing.
pub fn running_mean(values: &[f64], weight: f64) -> Vec<f64> {
    let (mut mean, mut total) = (0.0, 0.0);
    let next = |value: &f64| {
        if !value.is_finite() {
            return *value;
        }
        mean = weight * mean + (1.0 - weight) * value;
        total = weight * total + (1.0 - weight);
        mean / total
    };
    values.iter().map(next).collect()
}

/// The least and the greatest point of each of [`BUCKETS`] equal parts of `range`, and one point on
/// either side of it, so that lines leave the plot.
pub fn thinned(points: &[[f64; 2]], range: Option<(f64, f64)>) -> Vec<[f64; 2]> {
    let (first, last) = match (range, points) {
        (Some((lo, hi)), _) => {
            let first = points.partition_point(|point| point[0] < lo).saturating_sub(1);
            (first, (points.partition_point(|point| point[0] <= hi) + 1).min(points.len()))
        }
        (None, _) => (0, points.len()),
    };
    let part = &points[first..last.max(first)];
    if part.len() <= 2 * BUCKETS {
        return part.to_vec();
    }
    let mut kept = Vec::with_capacity(2 * BUCKETS + 2);
    kept.push(part[0]);
    for bucket in 0..BUCKETS {
        let slice = &part[bucket * part.len() / BUCKETS..(bucket + 1) * part.len() / BUCKETS];
        let by_value = |a: &&[f64; 2], b: &&[f64; 2]| a[1].total_cmp(&b[1]);
        let (least, greatest) = (slice.iter().min_by(by_value), slice.iter().max_by(by_value));
        let mut pair: Vec<[f64; 2]> = least.into_iter().chain(greatest).copied().collect();
        pair.sort_by(|a, b| a[0].total_cmp(&b[0]));
        kept.extend(pair);
    }
    kept.extend(part.last());
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: CurveUnits = CurveUnits { across: Across::Factor(1.0), factor: 1.0 };

    #[test]
    fn a_running_mean_begins_at_the_first_value_and_forgets_it() {
        let mean = running_mean(&[4.0, 4.0, f64::NAN, 0.0], 0.5);
        assert_eq!(mean[..2], [4.0, 4.0]);
        assert!(mean[2].is_nan());
        // Weights 1/2, 1/4, 1/8 of 0, 4, 4 over their sum 7/8.
        assert!((mean[3] - 1.5 / 0.875).abs() < 1e-12);
        assert_eq!(running_mean(&[1.0, 5.0], 0.0), [1.0, 5.0]);
    }

    #[test]
    fn a_logarithmic_axis_leaves_out_what_is_not_positive() {
        let source = Arc::new(MetricSeries { x: vec![0.0, 10.0, 100.0], y: vec![1.0, -1.0, 1000.0] });
        let look = CurveStyle { smoothing: 0.0, log_x: true, log_y: true };
        let ready = Ready::new(&source, PLAIN, look);
        assert_eq!(ready.raw, [[2.0, 3.0]]);
        assert_eq!((ready.ends, ready.lowest_of(&source)), (Some([3.0, 3.0]), Some(-1.0)));
        assert_eq!(ready.lowest_of(&Arc::new(MetricSeries { x: vec![], y: vec![] })), None);
        let reading = ready.at(Some(0.0)).unwrap();
        assert!((reading.measured - 1000.0).abs() < 1e-9 && (reading.at - 100.0).abs() < 1e-9);
    }

    #[test]
    fn the_value_under_the_cursor_is_the_nearest() {
        let source = Arc::new(MetricSeries { x: vec![0.0, 10.0, 20.0], y: vec![1.0, 2.0, 3.0] });
        let ready = Ready::new(&source, PLAIN, CurveStyle { smoothing: 0.0, log_x: false, log_y: false });
        assert_eq!(
            [None, Some(-5.0), Some(4.0), Some(6.0), Some(99.0)].map(|x| ready.at(x).unwrap().measured),
            [3.0, 1.0, 1.0, 2.0, 3.0]
        );
    }

    #[test]
    fn few_points_are_drawn_as_measured_and_the_number_is_that_of_the_line() {
        let of = |count: usize| {
            let x: Vec<f64> = (0..count).map(|step| step as f64).collect();
            let y = x.iter().map(|x| x * x).collect();
            let look = CurveStyle { smoothing: 0.6, log_x: false, log_y: false };
            Ready::new(&Arc::new(MetricSeries { x, y }), PLAIN, look)
        };
        for count in [1, 2, LEAST_SMOOTHED - 1] {
            let few = of(count);
            assert!(!few.is_smoothed && few.smooth == few.raw, "{count} points are smoothed");
        }
        let many = of(LEAST_SMOOTHED);
        let end = many.at(None).unwrap();
        assert!(many.is_smoothed && end.measured == 576.0 && end.shown < 576.0);
        assert_eq!(end.shown, many.smooth.last().unwrap()[1]);
    }

    #[test]
    fn thinning_keeps_the_extremes_and_the_ends() {
        let points: Vec<[f64; 2]> = (0..100_000)
            .map(|i| [f64::from(i), if i == 54_321 { 9.0 } else { f64::from(i % 7) / 7.0 }])
            .collect();
        let thin = thinned(&points, None);
        assert!(thin.len() <= 2 * BUCKETS + 2);
        assert!(thin.contains(&[54_321.0, 9.0]));
        assert_eq!((thin[0], thin[thin.len() - 1]), (points[0], points[99_999]));
        assert!(thin.is_sorted_by(|a, b| a[0] <= b[0]));
        let part = thinned(&points, Some((10.0, 20.0)));
        assert_eq!((part[0][0], part[part.len() - 1][0]), (9.0, 21.0));
    }
}
