//! What a neighbour has to do with the query.

use crate::bank::Bank;

/// Kinship of a neighbour and the query (the box colours of the paper's appendix E).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// A patch of the query's image.
    SameImage,
    /// A patch of another image of the query's class.
    SameClass,
    /// A patch of an image of another class.
    OtherClass,
    /// A patch of another image, where one of the two has no label.
    OtherImage,
}

impl Relation {
    /// How `row` of `bank` relates to a query from image `image` of that bank (`None`: from elsewhere)
    /// with label `label`. Panics if there is no such row.
    pub fn of(bank: &Bank, row: usize, image: Option<u32>, label: Option<u32>) -> Self {
        if image == Some(bank.image_of_row(row)) {
            return Relation::SameImage;
        }
        match (label, bank.label_of_row(row)) {
            (Some(query), Some(hit)) if query == hit => Relation::SameClass,
            (Some(_), Some(_)) => Relation::OtherClass,
            _ => Relation::OtherImage,
        }
    }
}
