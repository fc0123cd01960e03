//! Frames: what is sent is cut into small pieces of a known length, so that what is urgent passes between those of
//! something large.

use std::io::{ErrorKind, Read};

use anyhow::ensure;

/// Bytes of one frame at most, without its head.
pub const MOST_IN_FRAME: usize = 16 << 10;

/// Bytes of something that is sent in several frames at most.
pub const MOST_PACKED: usize = 96 << 20;

/// Bytes before those of a frame.
pub const HEAD: usize = 4;

/// A piece of something that is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireFrame {
    /// What it is a piece of; frames of one kind follow each other.
    pub kind: u8,
    /// Whether it is the last piece.
    pub is_last: bool,
    /// Its bytes, at most [`MOST_IN_FRAME`].
    pub bytes: Vec<u8>,
}

impl WireFrame {
    /// Something small as one frame.
    ///
    /// # Panics
    /// It is larger than a frame.
    pub fn whole(kind: u8, bytes: Vec<u8>) -> Self {
        assert!(bytes.len() <= MOST_IN_FRAME, "{} bytes in one frame", bytes.len());
        Self { kind, is_last: true, bytes }
    }

    /// Its head and its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let length = (self.bytes.len() as u16).to_le_bytes();
        let mut all = vec![self.kind, u8::from(self.is_last), length[0], length[1]];
        all.extend_from_slice(&self.bytes);
        all
    }

    /// `bytes` in as many frames as they need.
    pub fn cut(kind: u8, bytes: &[u8]) -> Vec<Self> {
        if bytes.is_empty() {
            return vec![Self::whole(kind, vec![])];
        }
        let pieces = bytes.chunks(MOST_IN_FRAME);
        let last = pieces.len() - 1;
        pieces
            .enumerate()
            .map(|(index, piece)| Self { kind, is_last: index == last, bytes: piece.to_vec() })
            .collect()
    }
}

/// The next frame; `None` where the other end has closed the line between two of them.
///
/// # Errors
/// The line broke, or what came is no frame.
pub fn read_frame(source: &mut impl Read) -> anyhow::Result<Option<WireFrame>> {
    let mut head = [0; HEAD];
    let mut got = 0;
    while got < HEAD {
        match source.read(&mut head[got..]) {
            Ok(0) if got == 0 => return Ok(None),
            Ok(0) => anyhow::bail!("the line ended in the midst of something"),
            Ok(count) => got += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let [kind, last, low, high] = head;
    let length = usize::from(u16::from_le_bytes([low, high]));
    ensure!(
        last <= 1 && length <= MOST_IN_FRAME,
        "what came is no frame (kind {kind}, end {last}, {length} bytes; expected at most {MOST_IN_FRAME})"
    );
    let mut bytes = vec![0; length];
    source.read_exact(&mut bytes)?;
    Ok(Some(WireFrame { kind, is_last: last == 1, bytes }))
}

/// Something that came in one or several frames.
#[derive(Debug, PartialEq, Eq)]
pub struct Assembled {
    /// What it is.
    pub kind: u8,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Puts the pieces together, of the first `N` kinds.
pub struct Assembly<const N: usize> {
    pieces: [Vec<u8>; N],
}

impl<const N: usize> Default for Assembly<N> {
    fn default() -> Self {
        Self { pieces: [const { Vec::new() }; N] }
    }
}

impl<const N: usize> Assembly<N> {
    /// Takes a piece; what it completes, if it is the last.
    ///
    /// # Errors
    /// It is of no known kind, or the whole is too large.
    pub fn take(&mut self, frame: WireFrame) -> anyhow::Result<Option<Assembled>> {
        let WireFrame { kind, is_last, bytes } = frame;
        let pieces = self.pieces.get_mut(usize::from(kind));
        let Some(pieces) = pieces else {
            anyhow::bail!("what came is of kind {kind}; expected one below {N}")
        };
        ensure!(
            pieces.len() + bytes.len() <= MOST_PACKED,
            "what came is larger than {MOST_PACKED} bytes, which nothing is"
        );
        pieces.extend_from_slice(&bytes);
        Ok(is_last.then(|| Assembled { kind, bytes: std::mem::take(pieces) }))
    }
}
