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
