//! The line to an engine on another machine.

use std::time::Duration;

/// Every second an answer is asked for over the line; one that brings nothing for so long is quiet, which is said.
pub const LINK_QUIET: Duration = Duration::from_secs(5);
/// One that brings nothing for so long is lost: it is closed and opened again.
pub const LINK_SILENCE: Duration = Duration::from_secs(20);

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
    /// It is open, and brought nothing for so long, though answers were asked for: for [`LINK_SILENCE`] it is waited.
    Quiet {
        /// Whole seconds.
        secs: u64,
    },
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
