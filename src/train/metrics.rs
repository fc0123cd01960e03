//! What a run says of itself: plain values, one line of JSON each.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::objective::Objective;
use crate::stats::spectrum::Spread;

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Steps done, counting this one.
    pub step: u64,
    /// Passes over the data so far, with its fraction.
    pub epoch: f64,
    /// When it was written, seconds since 1970; 0 in runs of early versions.
    #[serde(default)]
    pub time: f64,
    /// The loss of the whole batch.
    pub loss: f64,
    /// The loss's terms by name, before their weights.
    pub terms: BTreeMap<String, f64>,
    /// Learning rate of the step.
    pub lr: f64,
    /// Joint norm of all gradients, before any clipping.
    pub grad_norm: f64,
    /// Views trained on per second since the last line; checkpoints and probes not counted.
    pub views_per_second: f64,
    /// Share of that time in which the trainer waited for views, 0 to 1: near 0, augmentation
    /// keeps up.
    #[serde(default)]
    pub starved: f64,
    /// Estimated training time left, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<f64>,
    /// Resident memory of the process, bytes; what a GPU holds is not in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
}

/// One line of `probes.jsonl`: the model seen from outside, on patches that it is not trained on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProbeReport {
    /// Steps done.
    pub step: u64,
    /// Passes over the data so far, with its fraction.
    pub epoch: f64,
    /// When it was written, seconds since 1970.
    pub time: f64,
    /// `h`, `z`: how the fixed probe patches lie in each space.
    pub spaces: BTreeMap<String, Spread>,
    /// Class accuracy; absent without labels, or where only the spaces were looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knn: Option<KnnScore>,
    /// Signs of a collapse, worst first; empty while all is well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<Alarm>,
    /// What the probe took, seconds.
    pub seconds: f64,
}

/// Online kNN accuracy, with everything that decides it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnnScore {
    /// Share of the asked images that are classified right by h, 0 to 1.
    pub accuracy: f64,
    /// The same by z, where there is a projector.
    pub accuracy_z: Option<f64>,
    /// Neighbours that vote.
    pub k: usize,
    /// T of the votes exp(s / T), s being the cosine.
    pub temperature: f64,
    /// How an image becomes a vector: "central", or the number of patches that are averaged.
    pub patches: String,
    /// Images that the classifier knows.
    pub known_images: usize,
    /// Images that it is asked about.
    pub asked_images: usize,
    /// Whether those were kept from training; otherwise the data has no more images.
    pub held_out: bool,
    /// Classes that there are.
    pub classes: usize,
}

/// A sign that the representation collapses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// What kind of collapse it is a sign of.
    pub kind: AlarmKind,
    /// One sentence with the numbers that set it off.
    pub message: String,
}

/// What kind of collapse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlarmKind {
    /// All vectors point the same way.
    Constant,
    /// Vectors have drawn together, though they may still point in many directions.
    Shrunk,
    /// Vectors keep to a few directions.
    Dimensional,
}

impl AlarmKind {
    /// Every kind, with its name.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Constant, "constant"), (Self::Shrunk, "shrunk"), (Self::Dimensional, "dimensional")];
}

/// Below this [`Spread::unit_deviation`] of z, vectors count as pointing the same way.
pub const CONSTANT_BELOW: f64 = 0.05;
/// Below this share of the deviation that the objective wants ([`MethodInfo::deviation_of_z`]), z counts as
/// drawn together.
///
/// [`MethodInfo::deviation_of_z`]: crate::objective::MethodInfo::deviation_of_z
pub const SHRUNK_BELOW: f64 = 0.05;
/// Below this share of the largest effective rank that z has had, it counts as fallen.
pub const RANK_FALLS_BELOW: f64 = 0.25;

impl ProbeReport {
    /// Sets the alarms of this probe of a model that trains on `objective`, given those before it: z points the
    /// same way everywhere ([`CONSTANT_BELOW`]), it has shrunk far below the scale that the objective wants
    /// ([`SHRUNK_BELOW`]), or its effective rank has fallen below a share ([`RANK_FALLS_BELOW`]) of the largest
    /// that it has had.
    pub fn set_alarms(&mut self, earlier: &[ProbeReport], objective: &Objective) {
        self.alarms.clear();
        let Some(z) = self.spaces.get("z") else { return };
        if z.unit_deviation < CONSTANT_BELOW {
            self.alarms.push(Alarm {
                kind: AlarmKind::Constant,
                message: format!(
                    "z is nearly the same for every patch in its direction: deviation of unit vectors {:.3} of 1, alarm below {CONSTANT_BELOW}",
                    z.unit_deviation
                ),
            });
        }
        if let Some(wanted) = objective.info().deviation_of_z
            && z.deviation < SHRUNK_BELOW * wanted
        {
            self.alarms.push(Alarm {
                kind: AlarmKind::Shrunk,
                message: format!(
                    "z has shrunk to nearly one point: standard deviation {:.3}, {} wants {wanted}; alarm below {SHRUNK_BELOW} of that (its directions: deviation of unit vectors {:.3} of 1)",
                    z.deviation,
                    objective.title(),
                    z.unit_deviation
                ),
            });
        }
        let best = earlier.iter().filter_map(|probe| probe.spaces.get("z")).map(|z| z.rank);
        let best = best.fold(0.0, f64::max);
        if z.rank < RANK_FALLS_BELOW * best {
            self.alarms.push(Alarm {
                kind: AlarmKind::Dimensional,
                message: format!(
                    "z has fallen to few directions: effective rank {:.1}, it was {best:.1}; alarm below {RANK_FALLS_BELOW} of that",
                    z.rank
                ),
            });
        }
    }
}

/// One line of `notices.jsonl`: what a run says in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Steps done.
    pub step: u64,
    /// When it was written, seconds since 1970.
    pub time: f64,
    /// How much it weighs.
    pub kind: NoticeKind,
    /// What, where, and what follows from it.
    pub message: String,
}

/// How much a notice weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeKind {
    /// Something is left out; the run goes on.
    Warning,
    /// The run stopped because of it.
    Stopped,
}

/// Seconds since 1970.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(unit_deviation: f64, rank: f64) -> ProbeReport {
        probe_of(Spread { count: 9, width: 8, deviation: 1.0, unit_deviation, rank, spectrum: vec![] })
    }

    fn probe_of(spread: Spread) -> ProbeReport {
        ProbeReport { spaces: BTreeMap::from([("z".into(), spread)]), ..ProbeReport::default() }
    }

    fn kinds(mut probe: ProbeReport, earlier: &[ProbeReport]) -> Vec<AlarmKind> {
        probe.set_alarms(earlier, &Objective::named("simclr").unwrap());
        probe.alarms.iter().map(|alarm| alarm.kind).collect()
    }

    #[test]
    fn each_collapse_sets_off_its_alarm() {
        assert!(kinds(probe(0.8, 6.0), &[]).is_empty());
        assert_eq!(kinds(probe(0.01, 6.0), &[]), [AlarmKind::Constant]);
        let earlier = [probe(0.8, 3.0), probe(0.8, 8.0), probe(0.8, 5.0)];
        assert!(kinds(probe(0.8, 2.1), &earlier).is_empty());
        assert_eq!(kinds(probe(0.8, 1.9), &earlier), [AlarmKind::Dimensional]);
        assert_eq!(kinds(probe(0.0, 1.0), &earlier), [AlarmKind::Constant, AlarmKind::Dimensional]);
    }

    #[test]
    fn a_z_that_shrinks_sets_off_an_alarm_where_the_objective_wants_a_scale() {
        // What VICReg with variance and covariance at 0 comes to: many directions, hardly any length.
        let small =
            Spread { count: 9, width: 8, deviation: 0.023, unit_deviation: 0.7, rank: 6.0, spectrum: vec![] };
        let alarms = |objective: &str, spread: &Spread| {
            let mut probe = probe_of(spread.clone());
            probe.set_alarms(&[], &Objective::named(objective).unwrap());
            probe.alarms
        };
        let found = alarms("vicreg", &small);
        assert_eq!(found.iter().map(|alarm| alarm.kind).collect::<Vec<_>>(), [AlarmKind::Shrunk]);
        for words in ["standard deviation 0.023", "VICReg wants 1", "alarm below 0.05", "unit vectors 0.700"]
        {
            assert!(found[0].message.contains(words), "{}", found[0].message);
        }
        assert!(alarms("vicreg", &Spread { deviation: 0.06, ..small.clone() }).is_empty());
        // These scale z to unit length themselves.
        assert!(["simclr", "tcr", "byol", "barlow-twins"].iter().all(|name| alarms(name, &small).is_empty()));
        for (kind, name) in AlarmKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), name);
        }
    }

    #[test]
    fn lines_of_early_versions_are_still_read() {
        let line =
            r#"{"step":1,"epoch":0.5,"loss":2.0,"terms":{},"lr":0.1,"grad_norm":1.0,"views_per_second":9.0}"#;
        let metrics: Metrics = serde_json::from_str(line).unwrap();
        assert_eq!((metrics.step, metrics.seconds_left, metrics.time), (1, None, 0.0));
    }
}
