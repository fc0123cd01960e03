//! Lines of `metrics.jsonl` and `probes.jsonl` as series of numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::engine::ask::MetricSeries;
use crate::train::ProbeReport;

/// All numbers of a run's files so far.
#[derive(Default)]
pub struct RunSeries {
    series: BTreeMap<String, MetricSeries>,
    vectors: BTreeMap<String, (u64, Arc<Vec<f64>>)>,
}

/// Lists longer than this are no spectra.
const MOST_VALUES: usize = 65_536;
/// Names beyond this many are not a run's metrics.
const MOST_SERIES: usize = 512;

impl RunSeries {
    /// Takes in one line: numbers under their dotted keys, lists of numbers apart. Returns whether
    /// it was a line of metrics.
    pub fn push(&mut self, line: &str) -> bool {
        let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(line) else { return false };
        let Some(step) = fields.get("step").and_then(Value::as_u64) else { return false };
        for (key, value) in fields.iter().filter(|(key, _)| *key != "step") {
            self.take(step, key.clone(), value);
        }
        true
    }

    /// Takes in one line of `probes.jsonl`: the spread of each space under its name, and the
    /// accuracies. Returns the sentences of its alarms, or `None` if it is no line of probes.
    pub fn push_probe(&mut self, line: &str) -> Option<Vec<String>> {
        let probe: ProbeReport = serde_json::from_str(line).ok()?;
        for (space, spread) in &probe.spaces {
            for (name, value) in [
                ("deviation", spread.deviation),
                ("unit_deviation", spread.unit_deviation),
                ("rank", spread.rank),
            ] {
                self.number(probe.step, format!("{name}.{space}"), value);
            }
            let spectrum = spread.spectrum.iter().map(|&value| f64::from(value)).collect();
            self.vectors.insert(format!("spectrum.{space}"), (probe.step, Arc::new(spectrum)));
        }
        if let Some(knn) = &probe.knn {
            self.number(probe.step, "knn.h".into(), knn.accuracy);
            if let Some(accuracy) = knn.accuracy_z {
                self.number(probe.step, "knn.z".into(), accuracy);
            }
        }
        Some(probe.alarms.into_iter().map(|alarm| alarm.message).collect())
    }

    fn take(&mut self, step: u64, key: String, value: &Value) {
        match value {
            Value::Number(number) => self.number(step, key, number.as_f64().unwrap_or(f64::NAN)),
            // What is not finite is written as null. A series that never had a value stays away.
            Value::Null if self.series.contains_key(&key) => self.number(step, key, f64::NAN),
            Value::Object(fields) => {
                for (inner, value) in fields {
                    self.take(step, format!("{key}.{inner}"), value);
                }
            }
            Value::Array(items) if items.len() <= MOST_VALUES => {
                let values: Option<Vec<f64>> = items.iter().map(Value::as_f64).collect();
                if let Some(values) = values.filter(|values| !values.is_empty()) {
                    self.vectors.insert(key, (step, Arc::new(values)));
                }
            }
            _ => {}
        }
    }

    fn number(&mut self, step: u64, key: String, value: f64) {
        if self.series.len() >= MOST_SERIES && !self.series.contains_key(&key) {
            return;
        }
        let series = self.series.entry(key).or_default();
        // A step that is done again takes the place of its first time.
        while series.x.last().is_some_and(|last| *last >= step as f64) {
            series.x.pop();
            series.y.pop();
        }
        series.x.push(step as f64);
        series.y.push(value);
    }

    /// A copy to show.
    pub fn shown(&self) -> BTreeMap<String, Arc<MetricSeries>> {
        self.series.iter().map(|(key, series)| (key.clone(), Arc::new(series.clone()))).collect()
    }

    /// The newest lists, with their steps.
    pub fn vectors(&self) -> BTreeMap<String, (u64, Arc<Vec<f64>>)> {
        self.vectors.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_under_their_dotted_keys_and_lists_apart() {
        let mut table = RunSeries::default();
        assert!(table.push(r#"{"step":10,"loss":2.5,"terms":{"variance":0.5},"z":{"spectrum":[3,1]}}"#));
        assert!(table.push(r#"{"step":20,"loss":null,"terms":{"variance":0.25},"unknown":"text"}"#));
        assert!(!table.push("{\"step\":30,\"lo"));
        let series = table.shown();
        assert_eq!(series.keys().collect::<Vec<_>>(), ["loss", "terms.variance"]);
        assert_eq!((&series["loss"].x, series["loss"].y[1].is_nan()), (&vec![10.0, 20.0], true));
        assert_eq!(table.vectors()["z.spectrum"], (10, Arc::new(vec![3.0, 1.0])));
    }

    #[test]
    fn probes_come_by_space_with_their_alarms() {
        let mut table = RunSeries::default();
        let line = r#"{"step":10,"epoch":1.0,"time":0.0,"seconds":0.1,"spaces":{"z":{"count":4,"width":2,
            "deviation":0.5,"unit_deviation":0.01,"rank":1.5,"spectrum":[2.0,0.5]}},
            "alarms":[{"kind":"constant","message":"all the same"}]}"#;
        assert_eq!(table.push_probe(line), Some(vec!["all the same".to_owned()]));
        assert_eq!(table.push_probe(r#"{"step":20,"loss":1.0}"#), None);
        let series = table.shown();
        assert_eq!(series.keys().collect::<Vec<_>>(), ["deviation.z", "rank.z", "unit_deviation.z"]);
        assert_eq!(table.vectors()["spectrum.z"], (10, Arc::new(vec![2.0, 0.5])));
    }

    #[test]
    fn steps_that_are_done_again_replace_the_old_ones() {
        let mut table = RunSeries::default();
        for (step, loss) in [(10, 3.0), (20, 2.0), (30, 1.0), (20, 5.0)] {
            table.push(&format!("{{\"step\":{step},\"loss\":{loss}}}"));
        }
        let series = table.shown();
        assert_eq!(
            (series["loss"].x.as_slice(), series["loss"].y.as_slice()),
            (&[10.0, 20.0][..], &[3.0, 5.0][..])
        );
    }
}
