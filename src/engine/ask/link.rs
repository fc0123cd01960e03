//! The line to an engine on another machine.

use std::time::Duration;

/// How the line to an engine on another machine stands.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkView {
    /// The machine, as it was named.
    pub host: String,
    /// Where it stands.
    pub phase: LinkPhase,
    /// From a question to its answer, newest first measured.
    pub round_trip: Option<Duration>,
    /// Bytes that came, over all connections of this window.
    pub received: u64,
    /// Bytes that went.
    pub sent: u64,
}

/// Where the line stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkPhase {
    /// It is being opened.
    Connecting,
    /// It is open.
    Connected,
    /// It dropped, and is opened again after a while.
    Lost {
        /// What is known of the reason.
        why: String,
        /// After so long.
        again: Duration,
    },
    /// It cannot be opened, and is not tried again unasked.
    Refused {
        /// Why, and what to do.
        why: String,
    },
}
