//! Numbers, lists and names as they are printed.

use std::borrow::Cow;

/// A whole number with thousands separators: "1,204,000".
pub fn thousands(number: impl std::fmt::Display) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `2` and `image` as `2 images`.
pub fn count(number: usize, unit: &str) -> String {
    let plural = match unit {
        "patch" | "class" => "es",
        _ => "s",
    };
    format!("{} {unit}{}", thousands(number), if number == 1 { "" } else { plural })
}

/// Names in a row, the first ones where there are many: "cat, dog and 3 more".
pub fn name_list<T: AsRef<str>>(names: &[T]) -> String {
    first_names(names, 8)
}

/// Names in a row, the first `most` where there are more.
pub fn first_names<T: AsRef<str>>(names: &[T], most: usize) -> String {
    let shown = names.iter().take(most).map(AsRef::as_ref).collect::<Vec<&str>>().join(", ");
    match names.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {} more", thousands(more)),
    }
}

/// A line about each thing, of many about the first ten, and then how many more there are and where `all` of them
/// are told; each as [`one_line`].
pub fn first_lines<T>(things: &[T], words: impl Fn(&T) -> String, all: &str) -> Vec<String> {
    const LINES: usize = 10;
    let line = |thing: &T| one_line(&words(thing)).into_owned();
    let mut lines: Vec<String> = things.iter().take(LINES).map(line).collect();
    if let more @ 1.. = things.len().saturating_sub(LINES) {
        lines.push(format!("and {} more; {all}", thousands(more)));
    }
    lines
}

/// Text that a terminal shows as it is: control characters, with which a name could move the cursor, colour or hide what
/// else is said, and those that turn the direction of writing become `\u001b`, as in JSON. Lines and tabs stay.
pub fn legible(text: &str) -> Cow<'_, str> {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    escaped(text, |c| (c.is_control() && !matches!(c, '\n' | '\t')) || turns(c))
}

/// Most characters of a line that is told about one thing.
const LINE: usize = 4000;
/// Most characters of a text that is repeated because it is not understood.
const QUOTED: usize = 200;

/// What is told about one thing on a line of its own, whatever names and files have put into it: as [`legible`], line
/// breaks and tabs too, and of a line of more than 4,000 characters the beginning and how many there are.
pub fn one_line(text: &str) -> Cow<'_, str> {
    let on_one = |text| match legible(text) {
        Cow::Borrowed(text) => escaped(text, char::is_control),
        Cow::Owned(text) => Cow::Owned(escaped(&text, char::is_control).into_owned()),
    };
    match beginning(text, LINE) {
        None => on_one(text),
        Some((first, count)) => Cow::Owned(format!("{}... ({} characters)", on_one(first), thousands(count))),
    }
}

/// A text that is not understood, in quotation marks: of one of more than 200 characters the beginning and how many
/// there are.
pub fn quoted(text: &str) -> String {
    match beginning(text, QUOTED) {
        None => format!("{text:?}"),
        Some((first, count)) => format!("{first:?}... ({} characters)", thousands(count)),
    }
}

/// A cell of comma-separated values, as RFC 4180 says: in quotes where the text would end its field, quotes doubled.
pub fn csv_cell(text: &str) -> Cow<'_, str> {
    match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")).into(),
        false => text.into(),
    }
}

/// The first `most` characters of a text, and how many it has; `None` where it has no more.
fn beginning(text: &str, most: usize) -> Option<(&str, usize)> {
    let (end, _) = text.char_indices().nth(most)?;
    Some((&text[..end], text.chars().count()))
}

fn escaped(text: &str, is_foul: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_foul) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_foul(c) {
            out += &format!("\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// "5,760 images", or of fewer "1,024 of 5,760 images, spread over 10 classes".
pub fn sample_words(images: usize, of: usize, classes: usize) -> String {
    let plural = if of == 1 { "image" } else { "images" };
    match (images < of, classes) {
        (false, _) => format!("{} {plural}", thousands(of)),
        (true, 0 | 1) => format!("{} of {} {plural}, spread", thousands(images), thousands(of)),
        (true, _) => format!(
            "{} of {} {plural}, spread over {} classes",
            thousands(images),
            thousands(of),
            thousands(classes)
        ),
    }
}

/// Whether damage to a file of vectors or weights would be found.
pub fn sums_words(has_sums: bool) -> &'static str {
    if has_sums { "checked by sums" } else { "without sums, so that damage cannot be found" }
}

/// Possibilities as a sentence: "A, b, or c."
pub fn alternatives(all: &[&str]) -> String {
    let sentence = match all {
        [rest @ .., last] if !rest.is_empty() => format!("{}, or {last}.", rest.join(", ")),
        _ => format!("{}.", all.concat()),
    };
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0, 999, 1207, 1_000_000].map(|n: u64| thousands(n)), ["0", "999", "1,207", "1,000,000"]);
    }

    #[test]
    fn of_many_names_the_first_are_said() {
        let names: Vec<String> = (0..11).map(|number| number.to_string()).collect();
        assert_eq!(name_list(&names), "0, 1, 2, 3, 4, 5, 6, 7 and 3 more");
        assert_eq!(name_list(&names[..2]), "0, 1");
    }

    #[test]
    fn of_many_lines_ten_are_said_and_the_rest_is_counted() {
        let lines = |count: usize| first_lines(&vec!["x"; count], |x| (*x).to_owned(), "see there");
        assert_eq!((lines(0).len(), lines(10), lines(11).len()), (0, vec!["x".to_owned(); 10], 11));
        assert_eq!(lines(20_000).len(), 11);
        assert_eq!(lines(20_000)[10], "and 19,990 more; see there");
    }

    #[test]
    fn no_name_speaks_to_the_terminal() {
        assert_eq!(legible("b\u{e4}ume\t1\n2 \u{5d0}"), "b\u{e4}ume\t1\n2 \u{5d0}");
        assert!(matches!(legible("plain"), Cow::Borrowed(_)));
        assert_eq!(
            legible("a\x1b[2J\r\x07\u{9b}31m\u{202e}gnp.\x7f"),
            "a\\u001b[2J\\u000d\\u0007\\u009b31m\\u202egnp.\\u007f"
        );
        // A JSON document stays the same document.
        let name = "\u{9b}1m\u{7f}";
        let read: String = serde_json::from_str(&legible(&serde_json::to_string(name).unwrap())).unwrap();
        assert_eq!(read, name);
    }

    #[test]
    fn what_is_told_of_one_thing_is_one_line_of_bounded_length() {
        assert_eq!(one_line("a\nb\t\x1b c"), "a\\u000ab\\u0009\\u001b c");
        assert_eq!(one_line("plain"), "plain");
        let long = one_line(&"\u{e4}".repeat(200_000)).into_owned();
        assert!(long.ends_with("\u{e4}... (200,000 characters)") && long.chars().count() < 4100, "{long}");
        assert_eq!(one_line(&"x".repeat(4000)), "x".repeat(4000));
        assert_eq!(quoted("a\"b"), "\"a\\\"b\"");
        assert_eq!(quoted(&"y".repeat(5000)), format!("\"{}\"... (5,000 characters)", "y".repeat(200)));
        assert_eq!(first_lines(&["a\nb"], |name| (*name).to_owned(), "there"), ["a\\u000ab"]);
    }

    #[test]
    fn a_sample_is_told_from_the_whole() {
        assert_eq!(sample_words(1024, 5760, 10), "1,024 of 5,760 images, spread over 10 classes");
        assert_eq!(sample_words(64, 200, 0), "64 of 200 images, spread");
        assert_eq!(sample_words(5760, 5760, 10), "5,760 images");
        assert_eq!(sample_words(1, 1, 0), "1 image");
    }

    #[test]
    fn alternatives_are_one_sentence() {
        assert_eq!(alternatives(&["a file", "a folder", "a word"]), "A file, a folder, or a word.");
        assert_eq!(alternatives(&["one"]), "One.");
    }
}
