//! Which places of banks are folders of this machine.

use std::path::Path;

/// What a place in Lance begins with, before its URI.
const LANCE: &str = "lance:";

/// The URI of a place in Lance; `None` where `place` is a folder.
pub(super) fn lance_uri(place: &Path) -> Option<&str> {
    place.to_str()?.strip_prefix(LANCE)
}

/// Whether `place` is no folder of this machine but a bank's URI.
pub fn lies_far(place: &Path) -> bool {
    lance_uri(place).is_some()
}
