//! What the window says to an engine elsewhere.

use std::io::Write;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};

use super::hello::Hello;
use super::messages::PING;
use crate::wire::{WireFrame, WirePool};

/// What goes to the other end.
pub struct Voice {
    to_writer: Sender<Vec<u8>>,
    /// What the other end holds by now.
    pub pool: WirePool,
    /// Bytes that went since they were last counted.
    pub sent: u64,
    /// When the connection began.
    pub start: Instant,
}

impl Voice {
    /// Over a connection that began at `start`, by who writes what is sent to `to_writer`.
    pub fn new(to_writer: Sender<Vec<u8>>, start: Instant) -> Self {
        Self { to_writer, pool: WirePool::default(), sent: 0, start }
    }

    /// Says something in as many frames as it needs.
    pub fn say(&mut self, kind: u8, bytes: &[u8]) {
        for frame in WireFrame::cut(kind, bytes) {
            let bytes = frame.to_bytes();
            self.sent += bytes.len() as u64;
            // That nobody writes it any more is told by who listens.
            let _ = self.to_writer.send(bytes);
        }
    }

    /// Nothing more goes: whoever answers what comes may still hold the way there.
    pub fn close(self) {
        let _ = self.to_writer.send(vec![]);
    }

    /// Has the other end answer, and say thereby how long an answer takes.
    pub fn ask_time(&mut self) {
        let now = self.start.elapsed().as_nanos() as u64;
        self.say(PING, &now.to_le_bytes());
    }
}

/// Writes what is to go, until nothing more is or nothing at all is sent.
pub fn speak(mut input: impl Write, written: &Receiver<Vec<u8>>) {
    if Hello::own().write(&mut input).is_err() {
        return;
    }
    while let Ok(bytes) = written.recv() {
        if bytes.is_empty() {
            return;
        }
        if input.write_all(&bytes).and_then(|()| input.flush()).is_err() {
            return;
        }
    }
}
