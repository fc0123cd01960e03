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

/// The images and classes that a query comes from: one of each for a patch, several for a query of
/// many parts, none for a picture from elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kin {
    /// Indices of images of the bank.
    pub images: Vec<u32>,
    /// Labels of those that have one.
    pub labels: Vec<u32>,
}

impl Kin {
    /// How `row` of `bank` relates to the query. Panics if there is no such row.
    pub fn relation(&self, bank: &Bank, row: usize) -> Relation {
        if self.images.contains(&bank.image_of_row(row)) {
            return Relation::SameImage;
        }
        match bank.label_of_row(row).filter(|_| !self.labels.is_empty()) {
            Some(label) if self.labels.contains(&label) => Relation::SameClass,
            Some(_) => Relation::OtherClass,
            None => Relation::OtherImage,
        }
    }
}

impl Relation {
    /// How `row` of `bank` relates to a query from image `image` of that bank (`None`: from elsewhere)
    /// with label `label`. Panics if there is no such row.
    pub fn of(bank: &Bank, row: usize, image: Option<u32>, label: Option<u32>) -> Self {
        let kin = Kin { images: image.into_iter().collect(), labels: label.into_iter().collect() };
        kin.relation(bank, row)
    }
}
