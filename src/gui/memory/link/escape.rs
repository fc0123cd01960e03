//! Values within a link. A crate would escape every letter beyond ASCII; here only what would break the link
//! apart is, so that a path stays legible.

use anyhow::Context;

use crate::paths;

/// `text` with `%`, `&`, white space and control characters as `%20`.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter == '%' || letter == '&' || letter.is_whitespace() || letter.is_control() {
            let mut bytes = [0; 4];
            for byte in letter.encode_utf8(&mut bytes).bytes() {
                escaped += &format!("%{byte:02X}");
            }
        } else {
            escaped.push(letter);
        }
    }
    escaped
}

/// What [`escaped`] was made of.
///
/// # Errors
/// A `%` without two hexadecimal digits after it, bytes that are no UTF-8.
pub fn plain(text: &str) -> anyhow::Result<String> {
    let bytes = paths::unescaped(text);
    let bytes = bytes.with_context(|| format!("{text:?}: expected two hexadecimal digits after %"))?;
    String::from_utf8(bytes).with_context(|| format!("{text:?} is no text in UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_and_paths_stay_legible() {
        for text in ["/home/me/cifar", "/b\u{e4}ume & co/100 %", "a\nb\u{a0}c", "", "=?+#"] {
            assert_eq!(plain(&escaped(text)).unwrap(), text);
        }
        assert_eq!(escaped("/b\u{e4}ume/my set"), "/b\u{e4}ume/my%20set");
    }

    #[test]
    fn broken_escapes_are_told() {
        for text in ["%", "%4", "a%zz", "%\u{e4}"] {
            assert!(plain(text).unwrap_err().to_string().contains("hexadecimal"), "{text}");
        }
        assert!(plain("%ff").unwrap_err().to_string().contains("UTF-8"));
    }
}
