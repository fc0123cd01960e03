//! The kinds of frames.

/// To the window: what somebody waits for.
pub const URGENT: u8 = 0;
/// To the window: what may come a little later.
pub const BULK: u8 = 1;
/// To the window: the answer to [`PING`], with its bytes.
pub const PONG: u8 = 2;
/// To the window: why the engine's end does not go on, as text; in this place in every version.
pub const REFUSAL: u8 = 3;
/// Kinds that go to the window.
pub const TO_WINDOW: usize = 4;

/// To the engine: a command.
pub const COMMAND: u8 = 0;
/// To the engine: a patch to preview, or none.
pub const PREVIEW: u8 = 1;
/// To the engine: the window closes soon.
pub const HURRY: u8 = 2;
/// To the engine: how many bytes came, from the first on.
pub const HEARD: u8 = 3;
/// To the engine: to be answered at once.
pub const PING: u8 = 4;
/// Kinds that go to the engine.
pub const TO_ENGINE: usize = 5;
