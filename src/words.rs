//! Numbers and lists as they are printed.

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

/// Names in a row, the first ones where there are many: "cat, dog and 3 more".
pub fn name_list<T: AsRef<str>>(names: &[T]) -> String {
    const SHOWN: usize = 8;
    let shown = names.iter().take(SHOWN).map(AsRef::as_ref).collect::<Vec<&str>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {} more", thousands(more)),
    }
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
