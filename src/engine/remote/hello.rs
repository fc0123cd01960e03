//! How both ends begin: each says what it is, and none talks to another version.

use std::io::{Read, Write};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// Stands before the first thing that an end says; what comes before it, as from a login script, is passed over.
pub const MAGIC: &[u8] = b"\0bagssl link\0";

/// Changes whenever what travels changes within one version of the program.
const PROTOCOL: u32 = 2;

/// So much may come before the first thing that an end says, bytes.
const MOST_NOISE: usize = 64 << 10;

/// What an end says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The program's version.
    pub version: String,
    /// What travels.
    pub protocol: u32,
}

impl Hello {
    /// What this program says.
    pub fn own() -> Self {
        Self { version: env!("CARGO_PKG_VERSION").into(), protocol: PROTOCOL }
    }

    /// Says it.
    pub fn write(&self, line: &mut impl Write) -> anyhow::Result<()> {
        let words = serde_json::to_vec(self)?;
        line.write_all(MAGIC)?;
        line.write_all(&(words.len() as u16).to_le_bytes())?;
        line.write_all(&words)?;
        Ok(line.flush()?)
    }

    /// What the other end says.
    ///
    /// # Errors
    /// The line ended or brought something else: then with what it brought.
    pub fn read(line: &mut impl Read) -> anyhow::Result<Self> {
        let mut noise = vec![];
        while !noise.ends_with(MAGIC) {
            let mut byte = [0];
            let has_ended = line.read(&mut byte)? == 0;
            if has_ended || noise.len() > MOST_NOISE {
                anyhow::bail!(
                    "expected bagssl's greeting, came {}",
                    in_words(&noise[..noise.len().min(400)])
                );
            }
            noise.push(byte[0]);
        }
        let mut length = [0; 2];
        line.read_exact(&mut length)?;
        let mut words = vec![0; usize::from(u16::from_le_bytes(length))];
        line.read_exact(&mut words)?;
        serde_json::from_slice(&words).context("bagssl's greeting makes no sense")
    }

    /// Why this program does not talk to one that says so, if it does not.
    pub fn obstacle(&self) -> Option<String> {
        let own = Self::own();
        let name = |hello: &Self| format!("bagssl {} (link {})", hello.version, hello.protocol);
        (*self != own).then(|| {
            format!(
                "there runs {}, here {}: expected the same version on both machines",
                name(self),
                name(&own)
            )
        })
    }
}

/// What came, on one line.
fn in_words(noise: &[u8]) -> String {
    let text = String::from_utf8_lossy(noise);
    let lines: Vec<&str> =
        text.split(char::is_control).map(str::trim).filter(|line| !line.is_empty()).collect();
    match (noise.is_empty(), lines.is_empty()) {
        (true, _) => "nothing".into(),
        (false, true) => "nothing that can be read".into(),
        (false, false) => format!("\"{}\"", lines.join("; ")),
    }
}

/// What came is not what this program would have sent: the other end greets as this one does, and is of another build.
#[derive(Debug, thiserror::Error)]
#[error(
    "what the other end sends is not understood ({0}): it is of another build of the same version; expected the same program on \
     both machines"
)]
pub struct OtherBuild(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_is_found_behind_what_a_login_script_says_and_other_versions_are_refused() {
        let mut line = b"Welcome to the cluster\n".to_vec();
        Hello::own().write(&mut line).unwrap();
        line.push(7);
        let mut rest = &line[..];
        let read = Hello::read(&mut rest).unwrap();
        assert_eq!((read.obstacle(), rest), (None, &[7][..]));
        let other = Hello { version: "9.0.0".into(), protocol: 12 };
        let why = other.obstacle().unwrap();
        assert!(why.contains("there runs bagssl 9.0.0 (link 12), here bagssl"), "{why}");
        let said = Hello::read(&mut &b"bash: bagssl: command not found"[..]).unwrap_err().to_string();
        assert!(said.contains("came \"bash: bagssl: command not found\""), "{said}");
        let said = Hello::read(&mut &b"Welcome\r\n\tto the cluster\n"[..]).unwrap_err().to_string();
        assert!(said.ends_with("came \"Welcome; to the cluster\""), "{said}");
        let said = Hello::read(&mut &[0u8; 9][..]).unwrap_err().to_string();
        assert!(said.ends_with("came nothing that can be read"), "{said}");
        assert!(Hello::read(&mut std::io::repeat(b'x')).is_err(), "it does not read for ever");
    }
}
