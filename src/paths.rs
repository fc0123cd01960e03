//! Paths as words: in records, in links, and as they are typed or pasted.
//!
//! A path is written as it is, where it is text. One that is not (on Unix a name is any bytes) is written as a `file:`
//! address with those bytes as `%E4`, so that records stay legible and the path comes back. Wherever words name a path,
//! such an address is read, as desktops copy them too.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Deserializer, Serializer};

const SCHEME: &str = "file:";

/// Words from which [`from_words`] makes `path` again.
pub fn to_words(path: &Path) -> String {
    match path.to_str() {
        Some(text) if !text.starts_with(SCHEME) => text.to_owned(),
        _ => address(path),
    }
}

/// The path that words mean: itself, or what a `file:` address leads to.
pub fn from_words(words: impl AsRef<OsStr>) -> PathBuf {
    let words = words.as_ref();
    words.to_str().and_then(of_address).unwrap_or_else(|| words.into())
}

/// Whether paths that are typed or kept are those of another machine.
static ELSEWHERE: AtomicBool = AtomicBool::new(false);

/// From now on paths that are typed or kept are those of another machine, where work begins in the home folder.
pub fn lie_elsewhere() {
    ELSEWHERE.store(true, Ordering::Relaxed);
}

/// Whether they are.
pub fn are_elsewhere() -> bool {
    ELSEWHERE.load(Ordering::Relaxed)
}

/// The path from the root on; one of another machine stays as it is.
///
/// # Errors
/// There is no folder to begin at, or no path.
pub fn absolute(path: &Path) -> std::io::Result<PathBuf> {
    if are_elsewhere() { Ok(path.to_owned()) } else { std::path::absolute(path) }
}

/// The path that was typed or pasted: without space around it, with `~` as the home folder.
pub fn typed(text: &str) -> PathBuf {
    let path = from_words(text.trim());
    if are_elsewhere() {
        return path.strip_prefix("~").map_or(path.clone(), Path::to_owned);
    }
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(inner), Some(home)) if inner.as_os_str().is_empty() => home,
        (Ok(inner), Some(home)) => home.join(inner),
        _ => path,
    }
}

/// `file:///b%E4ume`; of a relative path `file:b%E4ume`.
fn address(path: &Path) -> String {
    let mut text = String::from(SCHEME);
    if path.is_absolute() {
        text += "//";
    }
    for part in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        for letter in part.valid().chars() {
            match letter {
                '%' | '?' | '#' | ' ' => text += &format!("%{:02X}", u32::from(letter)),
                _ => text.push(letter),
            }
        }
        part.invalid().iter().for_each(|byte| text += &format!("%{byte:02X}"));
    }
    text
}

fn of_address(text: &str) -> Option<PathBuf> {
    let rest = text.strip_prefix(SCHEME)?;
    let rest = match rest.strip_prefix("//") {
        Some(after) => after.strip_prefix("localhost").unwrap_or(after),
        None => rest,
    };
    path_of_bytes(unescaped(rest)?)
}

/// `text` with each `%E4` as its byte; `None` where a `%` has no two hexadecimal digits after it.
pub fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = rest.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = &rest[2..];
    }
    Some(bytes)
}

#[cfg(unix)]
fn path_of_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    Some(std::ffi::OsString::from_vec(bytes).into())
}

#[cfg(not(unix))]
fn path_of_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    let text = String::from_utf8(bytes).ok()?;
    // `/C:/pictures` is how an address writes a drive.
    let drive = text.strip_prefix('/').filter(|rest| rest.as_bytes().get(1) == Some(&b':'));
    Some(drive.unwrap_or(&text).into())
}

/// For `#[serde(with = "paths")]`: by [`to_words`].
pub fn serialize<S: Serializer>(path: impl AsRef<Path>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&to_words(path.as_ref()))
}

/// For `#[serde(with = "paths")]`: by [`from_words`].
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    String::deserialize(deserializer).map(from_words)
}

/// For `#[serde(serialize_with = "paths::serialize_some")]`: by [`to_words`], where there is one.
pub fn serialize_some<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => serializer.serialize_some(&to_words(path)),
        None => serializer.serialize_none(),
    }
}

/// For `#[serde(deserialize_with = "paths::deserialize_some")]`: by [`from_words`], where there is one.
pub fn deserialize_some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(from_words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_as_it_is_and_addresses_are_read() {
        for text in ["/b\u{e4}ume/100 %", "relative", "", "demo", "a:b"] {
            assert_eq!(to_words(Path::new(text)), text);
            assert_eq!(from_words(text), Path::new(text));
        }
        #[cfg(unix)]
        for (words, path) in [
            ("file:///data/my%20set", "/data/my set"),
            ("file://localhost/data/b%C3%A4ume", "/data/b\u{e4}ume"),
            ("file:///broken%zz", "file:///broken%zz"),
        ] {
            assert_eq!(from_words(words), Path::new(path));
        }
    }

    #[test]
    #[cfg(unix)]
    fn any_bytes_come_back_from_legible_words() {
        use std::os::unix::ffi::OsStrExt;
        for (bytes, words) in [
            (&b"/data/b\xe4ume 50 %"[..], "file:///data/b%E4ume%2050%20%25"),
            (b"b\xe4\xff", "file:b%E4%FF"),
            (b"file:x", "file:file:x"),
        ] {
            let path = Path::new(OsStr::from_bytes(bytes));
            assert_eq!(to_words(path), words);
            assert_eq!(from_words(words), path);
        }
    }

    #[test]
    fn a_typed_path_may_begin_at_home() {
        let home = std::env::home_dir().unwrap();
        assert_eq!(typed(" ~/cifar\n"), home.join("cifar"));
        assert_eq!(typed("~"), home);
        assert_eq!(typed("~other/x"), Path::new("~other/x"));
        assert_eq!(typed("/a/~/b"), Path::new("/a/~/b"));
    }
}
