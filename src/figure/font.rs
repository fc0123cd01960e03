//! The fonts of figures: the one in the program, and one that the user chooses by its file.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use plotters::style::{FontStyle, register_font};
use resvg::usvg::{FontResolver, fontdb};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use ttf_parser::{Face, Style, Width};

use crate::files;

/// Where the font of a figure comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum FontSource {
    /// The program.
    #[default]
    BuiltIn,
    /// A font file (TrueType or OpenType).
    File(#[serde(with = "crate::paths")] PathBuf),
}

/// How the program's own font is asked for.
pub const BUILT_IN_FONT: &str = "built-in";
/// What the program's own font is called.
pub const BUILT_IN_NAME: &str = "Ubuntu Light";

impl FontSource {
    /// The file that it names.
    pub fn file(&self) -> Option<&Path> {
        match self {
            FontSource::BuiltIn => None,
            FontSource::File(path) => Some(path),
        }
    }
}

impl From<OsString> for FontSource {
    fn from(told: OsString) -> Self {
        if told == BUILT_IN_FONT { Self::BuiltIn } else { Self::File(told.into()) }
    }
}

/// A font that is not the program's. A figure can be drawn with it once its file was loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FontChoice {
    /// Its family ("Inter").
    pub family: String,
    /// Hex SHA-256 of its file.
    pub sha256: String,
}

/// A font that can be drawn with; it stays until the program ends, as plotters keeps its own.
pub(super) struct LoadedFont {
    /// Its family.
    family: String,
    /// What plotters calls it: another name for each file, though they may be of one family.
    pub key: String,
    /// What SVG viewers are asked for.
    families: String,
    /// Weight, style and width, as attributes of SVG.
    pub attributes: String,
    /// Ascent plus descent in ems: plotters scales by it.
    pub line_per_em: f64,
    face: Face<'static>,
    /// This font, and the program's for what it lacks; no others: bytes must not depend on the machine.
    pub database: Arc<fontdb::Database>,
    id: fontdb::ID,
    substitute: Option<fontdb::ID>,
}

/// Largest font file that is read; the largest of Chinese, Japanese and Korean have 20 to 40 MB.
const MOST_BYTES: u64 = 64 << 20;

static OWN_FONT: LazyLock<LoadedFont> = LazyLock::new(|| {
    let font = LoadedFont::new("Ubuntu", None, epaint_default_fonts::UBUNTU_LIGHT);
    font.expect("the font in the program is valid")
});
static CHOSEN: Mutex<BTreeMap<String, &'static LoadedFont>> = Mutex::new(BTreeMap::new());

thread_local! {
    static CURRENT: Cell<Option<&'static LoadedFont>> = const { Cell::new(None) };
}

/// The font that this thread draws with.
pub(super) fn current() -> &'static LoadedFont {
    CURRENT.get().unwrap_or(&OWN_FONT)
}

/// Draws with a font, the program's where none is chosen.
///
/// # Errors
/// The font was not loaded; what `draw` says.
pub(super) fn with<T>(choice: Option<&FontChoice>, draw: impl FnOnce() -> Result<T>) -> Result<T> {
    struct Restore(Option<&'static LoadedFont>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0);
        }
    }
    let font = choice.map(FontChoice::find).transpose()?;
    let _restore = Restore(CURRENT.replace(font));
    draw()
}

impl LoadedFont {
    fn new(family: &str, key: Option<&str>, bytes: &'static [u8]) -> Result<Self> {
        let face = Face::parse(bytes, 0).context(NO_FONT)?;
        let height = f64::from(face.ascender()) - f64::from(face.descender());
        ensure!(height > 0.0, "the font says that its lines have no height");
        let tables = face.tables();
        ensure!(
            tables.glyf.is_some() || tables.cff.is_some(),
            "{NO_FONT}; it has no outlines that a PDF can hold"
        );
        let families = format!("{}, sans-serif", css_name(family));
        let key = key.map_or_else(|| families.clone(), str::to_owned);
        ensure!(register_font(&key, FontStyle::Normal, bytes).is_ok(), NO_FONT);
        let mut database = fontdb::Database::new();
        let mut load = |bytes: &'static [u8]| {
            database.load_font_source(fontdb::Source::Binary(Arc::new(bytes))).first().copied()
        };
        let id = load(bytes).context(NO_FONT)?;
        let is_own = std::ptr::eq(bytes, epaint_default_fonts::UBUNTU_LIGHT);
        let substitute = if is_own { None } else { load(epaint_default_fonts::UBUNTU_LIGHT) };
        let line_per_em = height / f64::from(face.units_per_em());
        let (attributes, database) = (attributes(&face), Arc::new(database));
        let family = family.to_owned();
        Ok(Self { family, key, families, attributes, line_per_em, face, database, id, substitute })
    }

    /// An SVG that plotters wrote, with the font's family in place of what plotters calls it.
    pub fn named(&self, svg: &str) -> String {
        let attribute = |name: &str| format!("font-family=\"{name}\"");
        svg.replace(&attribute(&self.key), &attribute(&self.families))
    }

    /// Always this font, whatever the text asks for; the program's own for characters that it lacks.
    pub fn resolver(&'static self) -> FontResolver<'static> {
        FontResolver {
            select_font: Box::new(|_, _| Some(self.id)),
            select_fallback: Box::new(|character, used, _| {
                let substitute = self.substitute.filter(|id| !used.contains(id));
                substitute.filter(|_| OWN_FONT.has(character))
            }),
        }
    }

    fn has(&self, character: char) -> bool {
        character.is_whitespace() || self.face.glyph_index(character).is_some()
    }

    /// Whether it lacks a character of a text.
    pub fn lacks_of(&self, text: &str) -> bool {
        !text.chars().all(|character| self.has(character))
    }

    /// What is said of the characters of a text that it lacks; nothing where it has all.
    pub fn lacking_words(&self, text: &str) -> Option<String> {
        let mut lacking: Vec<char> = text.chars().filter(|c| !self.has(*c)).collect();
        lacking.sort_unstable();
        lacking.dedup();
        let (substituted, missing): (Vec<char>, Vec<char>) =
            lacking.into_iter().partition(|c| OWN_FONT.has(*c));
        let mut words = vec![];
        if !substituted.is_empty() {
            let list = listed(&substituted);
            words.push(format!("the font {} lacks {list}: drawn in {BUILT_IN_NAME}", self.family));
        }
        if !missing.is_empty() {
            let list = listed(&missing);
            words.push(format!(
                "no font here has {list}: boxes stand there; choose the file of a font that has them"
            ));
        }
        (!words.is_empty()).then(|| words.join("; "))
    }
}

/// Most characters that are named.
const MOST_NAMED: usize = 5;

/// "“猫”, “狗” and 3 more characters".
fn listed(characters: &[char]) -> String {
    let named: Vec<String> =
        characters.iter().take(MOST_NAMED).map(|c| format!("\u{201c}{c}\u{201d}")).collect();
    match characters.len().saturating_sub(MOST_NAMED) {
        0 => named.join(", "),
        1 => format!("{} and 1 more character", named.join(", ")),
        more => format!("{} and {more} more characters", named.join(", ")),
    }
}

/// A family as CSS and XML take it.
fn css_name(family: &str) -> String {
    let kept: String = family
        .chars()
        .filter(|c| !c.is_control() && !matches!(c, '\'' | '"' | '<' | '>' | '&' | '\\'))
        .collect();
    let is_plain = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic())
            && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    if kept.split(' ').all(is_plain) { kept } else { format!("'{kept}'") }
}

/// Weight, and style and width where they are not the usual ones.
fn attributes(face: &Face<'_>) -> String {
    let mut attributes = format!("font-weight=\"{}\"", face.weight().to_number());
    match face.style() {
        Style::Normal => {}
        Style::Italic => attributes += " font-style=\"italic\"",
        Style::Oblique => attributes += " font-style=\"oblique\"",
    }
    let width = match face.width() {
        Width::UltraCondensed => "ultra-condensed",
        Width::ExtraCondensed => "extra-condensed",
        Width::Condensed => "condensed",
        Width::SemiCondensed => "semi-condensed",
        Width::Normal => return attributes,
        Width::SemiExpanded => "semi-expanded",
        Width::Expanded => "expanded",
        Width::ExtraExpanded => "extra-expanded",
        Width::UltraExpanded => "ultra-expanded",
    };
    attributes + &format!(" font-stretch=\"{width}\"")
}

/// What is said of a file that is none.
const NO_FONT: &str = "not a font that can be drawn with; expected TrueType or OpenType (.ttf, .otf)";

impl FontSource {
    /// Loads it; nothing for the program's own.
    ///
    /// # Errors
    /// The file cannot be read, or is no font; says which file.
    pub fn load(&self) -> Result<Option<FontChoice>> {
        match self {
            Self::BuiltIn => Ok(None),
            Self::File(path) => {
                FontChoice::load(path).map(Some).with_context(|| format!("the font {}", path.display()))
            }
        }
    }
}

impl FontChoice {
    fn load(path: &Path) -> Result<Self> {
        let bytes = files::read(path, MOST_BYTES)?;
        check_kind(&bytes)?;
        let family = family_of(&bytes).context(NO_FONT)?;
        let sha256 = files::hex(&Sha256::digest(&bytes));
        let mut chosen = CHOSEN.lock().unwrap_or_else(PoisonError::into_inner);
        if !chosen.contains_key(&sha256) {
            let font = LoadedFont::new(&family, Some(&sha256), bytes.leak())?;
            chosen.insert(sha256.clone(), Box::leak(Box::new(font)));
        }
        Ok(Self { family, sha256 })
    }

    fn find(&self) -> Result<&'static LoadedFont> {
        let chosen = CHOSEN.lock().unwrap_or_else(PoisonError::into_inner);
        chosen.get(&self.sha256).copied().with_context(|| {
            format!(
                "the figure was drawn with the font {} (sha256 {:.8}), which it does not hold; give the font's file again \
                 (--font FILE), or --font {BUILT_IN_FONT} for the program's own, {BUILT_IN_NAME}",
                self.family, self.sha256
            )
        })
    }
}

/// Refuses what is not one font, by how it begins.
fn check_kind(bytes: &[u8]) -> Result<()> {
    match bytes.first_chunk() {
        Some(b"wOFF" | b"wOF2") => bail!("a font for the web (WOFF); expected .ttf or .otf"),
        Some(b"ttcf") => bail!("a collection of fonts (.ttc); expected one font, .ttf or .otf"),
        Some(b"\0\x01\0\0" | b"OTTO" | b"true") => Ok(()),
        _ => bail!(NO_FONT),
    }
}

/// The family of a font file, the English name where it has several.
fn family_of(bytes: &[u8]) -> Option<String> {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(bytes.to_vec());
    let family = fonts.faces().next()?.families.first()?.0.clone();
    (!family.is_empty()).then_some(family)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_quoted_where_css_asks_for_it() {
        for (family, css) in [
            ("Inter", "Inter"),
            ("DejaVu Sans", "DejaVu Sans"),
            ("3270 Nerd", "'3270 Nerd'"),
            ("A, B", "'A, B'"),
            ("a\"><b x='", "'ab x='"),
            ("明朝", "'明朝'"),
        ] {
            assert_eq!(css_name(family), css);
        }
    }

    #[test]
    fn a_file_that_is_no_font_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ttf");
        let error = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            format!("{:#}", FontSource::File(path.clone()).load().unwrap_err())
        };
        assert!(
            error(b"hello, a text").contains("a.ttf: not a font that can be drawn with; expected TrueType")
        );
        assert!(error(b"").contains("expected TrueType or OpenType"));
        assert!(error(b"wOF2....").contains("a font for the web"));
        assert!(error(b"ttcf....").contains("a collection of fonts"));
        // Begins as a font and breaks off.
        for end in [4, 12, 100, 1000, 20_000] {
            assert!(error(&epaint_default_fonts::HACK_REGULAR[..end]).contains("not a font"), "{end} bytes");
        }
        let folder = format!("{:#}", FontSource::File(folder.path().into()).load().unwrap_err());
        assert!(folder.contains("not a regular file but a folder"), "{folder}");
        let none = format!("{:#}", FontSource::File("/none/b.ttf".into()).load().unwrap_err());
        assert!(none.contains("the font /none/b.ttf: No such file"), "{none}");
    }

    #[test]
    fn what_a_font_lacks_is_named() {
        let own = current();
        assert_eq!(own.lacking_words("cosine \u{2212}0.5 · ä"), None);
        assert_eq!(
            own.lacking_words("猫 and 狗").unwrap(),
            "no font here has \u{201c}狗\u{201d}, \u{201c}猫\u{201d}: boxes stand there; choose the file of a font that \
             has them"
        );
        assert!(own.lacking_words("一二三四五六七").unwrap().contains(" and 2 more characters: boxes"));
    }
}
