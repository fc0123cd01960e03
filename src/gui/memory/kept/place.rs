//! Where settings lie.

use std::path::PathBuf;

/// The file of the settings in the user's home, where earlier versions had theirs; `None` where no home is known.
pub fn settings_file() -> Option<PathBuf> {
    let named = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::home_dir().filter(|path| path.is_absolute());
    let folder = if cfg!(target_os = "windows") {
        named("APPDATA")?.join("bagssl").join("data")
    } else if cfg!(target_os = "macos") {
        home()?.join("Library/Application Support/bagssl")
    } else {
        named("XDG_DATA_HOME").or_else(|| Some(home()?.join(".local/share")))?.join("bagssl")
    };
    Some(folder.join("settings.json"))
}

/// The file of the settings of windows whose engine is on `host`: the paths in it are those of that machine.
pub fn settings_file_of(host: &str) -> Option<PathBuf> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.@".contains(letter);
    let name: String = host.chars().map(|letter| if is_plain(letter) { letter } else { '_' }).collect();
    Some(settings_file()?.with_file_name(format!("settings of {name}.json")))
}
