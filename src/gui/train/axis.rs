//! What the horizontal axis of the curves counts, and how steps become that.

use std::sync::Arc;

use crate::engine::training::{MetricSeries, RunView};

/// What the horizontal axis counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HorizontalAxis {
    Steps,
    Epochs,
    Views,
    Minutes,
}

impl HorizontalAxis {
    pub const ALL: [(Self, &'static str); 4] =
        [(Self::Steps, "step"), (Self::Epochs, "epoch"), (Self::Views, "views"), (Self::Minutes, "minutes")];

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(axis, _)| *axis == self).map_or("", |(_, name)| name)
    }

    /// Where the steps of `run` lie; a run that does not tell is left on steps.
    pub fn across(self, run: &RunView) -> Across {
        match self {
            HorizontalAxis::Steps => Across::Factor(1.0),
            HorizontalAxis::Views => Across::Factor(run.views_per_step().unwrap_or(1.0)),
            HorizontalAxis::Epochs => {
                Across::Factor(run.steps_per_epoch().map_or(1.0, |steps| 1.0 / steps as f64))
            }
            HorizontalAxis::Minutes => match run.series.get("time") {
                Some(clock) if !clock.x.is_empty() => Across::Clock(clock.clone()),
                _ => Across::Factor(1.0),
            },
        }
    }
}

/// Where the curves of `runs` begin and end, as drawn, all of them having one horizontal axis.
pub fn span<'a>(
    axis: HorizontalAxis,
    runs: impl Iterator<Item = &'a RunView>,
    log: bool,
) -> Option<[f64; 2]> {
    let mut span: Option<[f64; 2]> = None;
    for run in runs {
        let across = axis.across(run);
        let ends = run.series.values().flat_map(|series| [series.x.first(), series.x.last()]).flatten();
        let places = ends.map(|step| across.at(*step)).map(|at| if log { at.log10() } else { at });
        for at in places.filter(|at| at.is_finite()) {
            let [low, high] = span.unwrap_or([at, at]);
            span = Some([low.min(at), high.max(at)]);
        }
    }
    span
}

/// From steps to the unit of the horizontal axis.
#[derive(Clone, Debug)]
pub enum Across {
    Factor(f64),
    /// The seconds at some steps; minutes count from the first.
    Clock(Arc<MetricSeries>),
}

impl PartialEq for Across {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Across::Factor(a), Across::Factor(b)) => a == b,
            (Across::Clock(a), Across::Clock(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl Across {
    /// Where `step` lies.
    pub fn at(&self, step: f64) -> f64 {
        match self {
            Across::Factor(factor) => step * factor,
            Across::Clock(clock) => (seconds_at(clock, step) - seconds_at(clock, clock.x[0])) / 60.0,
        }
    }
}

/// On the line through the two known steps around `step`; at the ends, the last known second.
fn seconds_at(clock: &MetricSeries, step: f64) -> f64 {
    let after = clock.x.partition_point(|known| *known < step);
    let (before, after) = (after.saturating_sub(1), after.min(clock.x.len() - 1));
    let (x, y) = (&clock.x, &clock.y);
    match x[after] - x[before] {
        0.0 => y[after],
        span => y[before] + (y[after] - y[before]) * ((step - x[before]) / span).clamp(0.0, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_lie_between_the_lines_of_metrics() {
        let clock = MetricSeries { x: vec![10.0, 20.0, 40.0], y: vec![1000.0, 1060.0, 1300.0] };
        let across = Across::Clock(Arc::new(clock));
        // Before the first line and after the last, time is not known better.
        let steps = [0.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0];
        assert_eq!(steps.map(|step| across.at(step)), [0.0, 0.0, 0.5, 1.0, 3.0, 5.0, 5.0]);
        let one = Across::Clock(Arc::new(MetricSeries { x: vec![3.0], y: vec![7.0] }));
        assert_eq!(one.at(9.0), 0.0);
    }
}
