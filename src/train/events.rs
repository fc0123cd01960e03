//! TensorBoard event files: scalars and histograms.
//!
//! What they hold is a function of the metrics and probes: when a run is resumed, the file is
//! written anew from those and then added to, so that a step never appears twice and a record
//! that a kill cut short is gone. A record that cannot be written stops the run as a line of
//! metrics does.
//!
//! The format is TensorFlow's: records (`u64` length, its masked CRC, bytes, their masked CRC) of
//! protocol buffers (`event.proto`, `summary.proto`). The checksum is the crate `crc32c`'s; the few
//! fields that TensorBoard reads are written here, as no kept crate for event files fits:
//!
//! - `tboard` 0.1.1 runs `prost-build` and with it needs `protoc` on every machine that builds us;
//! - `tensorboard-rs` 0.5.9 stands on `protobuf` 2 and on `image` 0.23 with the decoders of that
//!   time, beside the ones that we use;
//! - `tfrecord` 0.15 stands on `prost` 0.12 with `prost-build` and `num`;
//! - `prost` itself (0.14) would replace the thirty lines below "Kinds of protocol buffer fields", but
//!   its derive macro changes the features of `itertools`, which the tensor stack's macros are built
//!   with: twenty minutes of building for everybody.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::metrics::{AlarmKind, Metrics, ProbeReport, now};
use crate::files;

/// TensorBoard opens files with this in their names.
const PREFIX: &str = "events.out.tfevents.";

/// The event file of a run, open for more.
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Writes the event file of a run in `folder` anew with what it has logged so far, and opens it
    /// for more. Other event files there are removed.
    pub fn renew(folder: &Path, metrics: &[Metrics], probes: &[ProbeReport]) -> anyhow::Result<Self> {
        let mut events: Vec<LoggedEvent> = metrics.iter().map(LoggedEvent::of_metrics).collect();
        events.extend(probes.iter().map(LoggedEvent::of_probe));
        events.sort_by_key(|event| event.step);
        let start = events.first().map_or_else(now, |event| event.time);
        // The same name for the whole run: a TensorBoard that looks at it sees one file.
        let path = folder.join(format!("{PREFIX}{:010}.bagssl", start as u64));
        files::write_atomic(&path, |out| {
            out.write_all(&record(&version(start)))?;
            events.iter().try_for_each(|event| Ok(out.write_all(&record(&event.encode()))?))
        })?;
        for other in old_files(folder)? {
            if other != path {
                fs::remove_file(&other).with_context(|| format!("could not remove {}", other.display()))?;
            }
        }
        let file = files::open_with(&path, fs::OpenOptions::new().append(true));
        let file = file.with_context(|| format!("could not open {}", path.display()))?;
        Ok(Self { path, file })
    }

    /// Adds one line of metrics.
    pub fn log(&mut self, metrics: &Metrics) -> anyhow::Result<()> {
        self.add(&LoggedEvent::of_metrics(metrics))
    }

    /// Adds one probe.
    pub fn log_probe(&mut self, probe: &ProbeReport) -> anyhow::Result<()> {
        self.add(&LoggedEvent::of_probe(probe))
    }

    /// One write for a whole record, so that a kill cuts at most the last one.
    fn add(&mut self, event: &LoggedEvent) -> anyhow::Result<()> {
        let record = record(&event.encode());
        self.file.write_all(&record).with_context(|| format!("could not write {}", self.path.display()))
    }
}

fn old_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))?;
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_event = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX)) && path.is_file()
    };
    Ok(files.filter(is_event).collect())
}

/// What TensorBoard shows at one step.
struct LoggedEvent {
    /// Seconds since 1970.
    time: f64,
    step: u64,
    scalars: Vec<(String, f64)>,
    histograms: Vec<(String, Vec<f64>)>,
}

impl LoggedEvent {
    fn of_metrics(metrics: &Metrics) -> Self {
        let mut scalars = vec![
            ("loss".to_string(), metrics.loss),
            ("learning rate".into(), metrics.lr),
            ("gradient norm".into(), metrics.grad_norm),
            ("speed/views per second".into(), metrics.views_per_second),
            ("speed/starved".into(), metrics.starved),
        ];
        scalars.extend(metrics.terms.iter().map(|(name, term)| (format!("terms/{name}"), *term)));
        scalars.extend(metrics.memory_bytes.map(|bytes| ("speed/memory GB".into(), bytes as f64 / 1e9)));
        Self { time: metrics.time, step: metrics.step, scalars, histograms: vec![] }
    }

    fn of_probe(probe: &ProbeReport) -> Self {
        let (mut scalars, mut histograms) = (vec![], vec![]);
        for (space, spread) in &probe.spaces {
            scalars.push((format!("{space}/deviation"), spread.deviation));
            scalars.push((format!("{space}/unit deviation"), spread.unit_deviation));
            scalars.push((format!("{space}/effective rank"), spread.rank));
            // Eigenvalues by their logarithms, as they span many decades.
            let logs = spread.spectrum.iter().map(|&value| f64::from(value.max(1e-12)).log10());
            histograms.push((format!("{space}/log10 eigenvalues"), logs.collect()));
        }
        scalars.extend(probe.knn.as_ref().map(|knn| ("kNN accuracy".into(), knn.accuracy)));
        // 1 while an alarm of that kind stands.
        for (kind, name) in AlarmKind::ALL {
            let is_on = probe.alarms.iter().any(|alarm| alarm.kind == kind);
            scalars.push((format!("collapse alarms/{name}"), f64::from(u8::from(is_on))));
        }
        Self { time: probe.time, step: probe.step, scalars, histograms }
    }

    /// As an `Event` message: wall_time 1, step 2, summary 5.
    fn encode(&self) -> Vec<u8> {
        let mut summary = vec![];
        for (tag, value) in &self.scalars {
            // Value: tag 1, simple_value 2 (float).
            let mut message = text(1, tag);
            message.extend(key(2, FIXED32));
            message.extend((*value as f32).to_le_bytes());
            summary.extend(bytes(1, &message));
        }
        for (tag, values) in self.histograms.iter().filter(|(_, values)| !values.is_empty()) {
            // Value: tag 1, histo 5.
            let message = [text(1, tag), bytes(5, &histogram(values))].concat();
            summary.extend(bytes(1, &message));
        }
        let step = [key(2, VARINT), varint(self.step)].concat();
        [double(1, self.time), step, bytes(5, &summary)].concat()
    }
}

/// The first event of a file: wall_time 1, file_version 3.
fn version(time: f64) -> Vec<u8> {
    [double(1, time), text(3, "brain.Event:2")].concat()
}

/// Bars of a histogram.
const BARS: usize = 30;

/// A `HistogramProto` of finite values: min 1, max 2, num 3, sum 4, sum_squares 5, bucket_limit 6, bucket 7.
fn histogram(values: &[f64]) -> Vec<u8> {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let step = ((high - low) / BARS as f64).max(1e-9);
    let limits: Vec<f64> = (1..=BARS).map(|bar| low + step * bar as f64).collect();
    let mut counts = vec![0.0; BARS];
    for value in values {
        counts[(((value - low) / step) as usize).min(BARS - 1)] += 1.0;
    }
    let packed = |values: &[f64]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    [
        double(1, low),
        double(2, high),
        double(3, values.len() as f64),
        double(4, values.iter().sum()),
        double(5, values.iter().map(|v| v * v).sum()),
        bytes(6, &packed(&limits)),
        bytes(7, &packed(&counts)),
    ]
    .concat()
}

// Kinds of protocol buffer fields.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH: u64 = 2;
const FIXED32: u64 = 5;

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = vec![];
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn key(field: u64, kind: u64) -> Vec<u8> {
    varint(field << 3 | kind)
}

fn double(field: u64, value: f64) -> Vec<u8> {
    [key(field, FIXED64), value.to_le_bytes().to_vec()].concat()
}

fn bytes(field: u64, content: &[u8]) -> Vec<u8> {
    [key(field, LENGTH), varint(content.len() as u64), content.to_vec()].concat()
}

fn text(field: u64, content: &str) -> Vec<u8> {
    bytes(field, content.as_bytes())
}

/// A message with its length and both checksums.
fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let mut out = length.to_vec();
    out.extend(masked_crc(&length).to_le_bytes());
    out.extend(message);
    out.extend(masked_crc(message).to_le_bytes());
    out
}

/// CRC-32C, rotated and offset as TensorFlow does, so that the CRC of data that holds CRCs stays a good one.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_framed_as_tensorflow_frames_it() {
        // The first record that TensorBoard's own writer gives at time 0: version "brain.Event:2".
        let bytes = record(&version(0.0));
        assert_eq!(bytes[..8], 24u64.to_le_bytes());
        assert_eq!(bytes[8..12], [0xa3, 0x7f, 0x4b, 0x22]);
        // Castagnoli's check value, masked.
        assert_eq!(masked_crc(b"123456789"), 0xe306_9283u32.rotate_right(15).wrapping_add(0xa282_ead8));
    }

    #[test]
    fn numbers_are_packed_as_protocol_buffers() {
        // The example of the encoding's documentation, and a double field.
        assert_eq!([key(1, VARINT), varint(150)].concat(), [0x08, 0x96, 0x01]);
        assert_eq!(text(2, "testing"), b"\x12\x07testing");
        assert_eq!(double(1, 1.0), [0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
    }

    /// Walks the records of a file, checking lengths and checksums.
    fn messages(file: &[u8]) -> Vec<Vec<u8>> {
        let mut rest = file;
        let mut found = vec![];
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            assert_eq!(rest[8..12], masked_crc(&rest[..8]).to_le_bytes());
            let message = &rest[12..12 + length];
            assert_eq!(rest[12 + length..16 + length], masked_crc(message).to_le_bytes());
            found.push(message.to_vec());
            rest = &rest[16 + length..];
        }
        found
    }

    #[test]
    fn a_renewed_file_forgets_what_was_undone_and_what_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let line = |step: u64| Metrics { step, time: 1e9 + step as f64, loss: 2.0, ..Metrics::default() };
        let mut first = EventFile::renew(folder.path(), &[], &[]).unwrap();
        (1..=3).for_each(|step| first.log(&line(step)).unwrap());
        let cut = fs::read(&first.path).unwrap();
        assert_eq!(messages(&cut).len(), 4);
        fs::write(&first.path, &cut[..cut.len() - 5]).unwrap();

        let mut again = EventFile::renew(folder.path(), &[line(1), line(2)], &[]).unwrap();
        again.log(&line(3)).unwrap();
        again.log_probe(&ProbeReport { step: 3, ..ProbeReport::default() }).unwrap();
        assert_eq!(old_files(folder.path()).unwrap(), [again.path.clone()]);
        let events = messages(&fs::read(&again.path).unwrap());
        assert_eq!(events.len(), 5);
        assert_eq!(events[1], LoggedEvent::of_metrics(&line(1)).encode());
    }
}
