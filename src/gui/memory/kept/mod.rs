//! Settings on disk: read once, field by field, and written in the background whenever they have changed. Several
//! windows share the file; each writes what it changed itself.

mod disk;
mod fields;
mod merge;
mod older;
mod place;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use eframe::egui::Context;
use serde_json::Value;

use self::disk::Disk;
pub use self::place::{settings_file, settings_file_of};
use crate::gui::memory::settings::Settings;

/// From a change to its file, at most, seconds.
const EVERY_SECS: f64 = 2.0;
/// Longest wait for the disk while the window closes.
const PATIENCE: Duration = Duration::from_secs(5);

/// The file, and what is to be said about it.
#[derive(Default)]
pub struct KeptSettings {
    writer: Option<Writer>,
    /// What went wrong, in words.
    complaints: Vec<String>,
}

/// The thread that writes.
struct Writer {
    to_write: Sender<Value>,
    /// For each that was written: what went wrong, if it is to be said.
    written: Receiver<Option<String>>,
    /// Not yet written.
    pending: usize,
    /// As last sent.
    last: Settings,
    /// When it was last looked at, seconds of the window's clock.
    looked: f64,
}

impl KeptSettings {
    /// Settings from their file, and what keeps them there; without a file, none are kept.
    pub fn open(file: Option<PathBuf>) -> (Self, Settings) {
        let Some(file) = file else { return (Self::default(), Settings::default()) };
        let (mut disk, settings, complaints) = Disk::open(file);
        let (to_write, receiver) = unbounded();
        let (sender, written) = unbounded();
        std::thread::spawn(move || {
            for settings in receiver {
                // The sender is gone only when the window is.
                let _ = sender.send(disk.write(settings));
            }
        });
        let writer = Writer { to_write, written, pending: 0, last: settings.clone(), looked: f64::MIN };
        (Self { writer: Some(writer), complaints }, settings)
    }

    /// What went wrong since the last call, in words.
    pub fn complaints(&mut self) -> Vec<String> {
        if let Some(writer) = &mut self.writer {
            let said: Vec<_> = writer.written.try_iter().collect();
            writer.pending -= said.len();
            self.complaints.extend(said.into_iter().flatten());
        }
        std::mem::take(&mut self.complaints)
    }

    /// Looks every now and then whether settings have changed, and has them written.
    pub fn note(&mut self, ctx: &Context, settings: impl FnOnce() -> Settings) {
        let Some(writer) = &mut self.writer else { return };
        let now = ctx.input(|input| input.time);
        let rest = writer.looked + EVERY_SECS - now;
        if rest > 0.0 {
            // What changes in the last frame for a long time is seen, too.
            ctx.request_repaint_after_secs(rest as f32);
            return;
        }
        writer.looked = now;
        writer.send(settings());
    }

    /// Has them written for the last time, and waits for that.
    pub fn close(&mut self, settings: Settings) {
        let Some(writer) = &mut self.writer else { return };
        writer.send(settings);
        let deadline = Instant::now() + PATIENCE;
        while writer.pending > 0 {
            match writer.written.recv_deadline(deadline) {
                Ok(said) => {
                    writer.pending -= 1;
                    said.into_iter().for_each(|words| log::warn!("settings: {words}"));
                }
                Err(_) => {
                    log::warn!("settings: the disk does not answer; the latest changes may be lost");
                    return;
                }
            }
        }
    }
}

impl Writer {
    fn send(&mut self, settings: Settings) {
        if settings == self.last {
            return;
        }
        let Ok(value) = serde_json::to_value(&settings) else { return };
        self.last = settings;
        self.pending += usize::from(self.to_write.send(value).is_ok());
    }
}

#[cfg(test)]
mod tests;
