//! Words of the form: what a shell reads, and where a path lies.

use crate::paths;

/// A word of a command line, in quotes where a shell needs them.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Where a path lies that is told from the folder in which the program was started; `None` for any other.
pub fn whole_path(path: &str) -> Option<String> {
    let typed = paths::typed(path);
    let is_told_from_here = !path.is_empty() && typed.is_relative();
    paths::absolute(&typed).ok().filter(|_| is_told_from_here).map(|whole| whole.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_command_are_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted("runs/quick-1"), "runs/quick-1");
        assert_eq!(quoted("model.projector=[64, 32]"), "'model.projector=[64, 32]'");
    }

    #[test]
    fn a_path_says_what_it_is_told_from() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(whole_path("runs/a"), Some(here.join("runs/a").display().to_string()));
        assert_eq!((whole_path(here.to_str().unwrap()), whole_path("")), (None, None));
    }
}
