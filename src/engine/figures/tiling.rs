//! Whole images that went through the network in tiles, as figures tell it.

use crate::bank::BankSpec;
use crate::model::Space;
use crate::tiles::ImageTiles;

/// The tiles in which the images of a bank that are larger went through for some of `spaces`, if one of those is of
/// places; a space of two banks may be called "token-last A".
pub fn tiles_behind<S: AsRef<str>>(
    spec: &BankSpec,
    spaces: impl IntoIterator<Item = S>,
) -> Option<ImageTiles> {
    spec.tiles.filter(|_| any_of_places(spaces))
}

/// Whether one of these spaces is of the places of whole images.
pub fn any_of_places<S: AsRef<str>>(spaces: impl IntoIterator<Item = S>) -> bool {
    let is_of_places = |space: S| {
        let name = space.as_ref().split(' ').next().unwrap_or_default();
        matches!(name.parse(), Ok(Space::Token(_)))
    };
    spaces.into_iter().any(is_of_places)
}

/// What a caption says of them.
pub fn tiles_note(tiles: ImageTiles) -> String {
    format!("larger images went through in {}", tiles.words())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_of_places_whichever_model_gave_them() {
        assert!(any_of_places(["h", "token-last"]) && any_of_places(["token-stage3 B"]));
        assert!(!any_of_places(["h", "z A", "pixels", "imported"]));
    }
}
