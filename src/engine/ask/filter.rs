//! Which patches a gallery may show. Everything here is off unless asked for, and always labelled.

use crate::dataset::Split;
use crate::words::name_list;
use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
/// What is left out of a gallery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GalleryFilter {
    /// Leave out patches of the query's own image.
    pub other_images_only: bool,
    /// At most so many patches of one image, the nearest ones.
    pub per_image: Option<usize>,
    /// Of two patches of one image that overlap, keep only the nearer to the query.
    pub without_overlap: bool,
    /// Of images with the same pixels show one alone: the query's own, else the first in the bank's order that the
    /// rest of the filter lets through.
    #[serde(default)]
    pub fold_copies: bool,
    /// Only images of this class.
    pub class: Option<u32>,
    /// Only images of this split, where the data set has both.
    pub split: Option<Split>,
}

/// The same as it is told and recorded: a class by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedFilter {
    /// Leave out patches of the query's own image.
    pub exclude_same_image: bool,
    /// At most so many patches of one image, the nearest ones.
    pub per_image: Option<usize>,
    /// Of two patches of one image that overlap, keep only the nearer to the query.
    pub without_overlap: bool,
    /// Of images with the same pixels show one alone: the query's own, else the first in the bank's order that the
    /// rest of the filter lets through.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fold_copies: bool,
    /// Only images of the class of this name.
    pub class: Option<String>,
    /// Only images of this split, where the data set has both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
}

impl NamedFilter {
    /// With the class as it is numbered among `classes`.
    ///
    /// # Errors
    /// No class has that name, or the split is both.
    pub fn resolve(&self, classes: &[String]) -> anyhow::Result<GalleryFilter> {
        let number = |name: &String| {
            let place = classes.iter().position(|class| class == name);
            place.map(|place| place as u32).with_context(|| {
                let known = match classes {
                    [] => "the images have no classes".into(),
                    _ => format!("expected one of: {}", name_list(classes)),
                };
                format!("there is no class \"{name}\"; {known}")
            })
        };
        ensure!(self.split != Some(Split::All), "all is no split to choose; expected train or test");
        Ok(GalleryFilter {
            other_images_only: self.exclude_same_image,
            per_image: self.per_image,
            without_overlap: self.without_overlap,
            fold_copies: self.fold_copies,
            class: self.class.as_ref().map(number).transpose()?,
            split: self.split,
        })
    }
}

impl GalleryFilter {
    /// With the class by its name.
    pub fn named(&self, classes: &[String]) -> NamedFilter {
        let name = |class: u32| classes.get(class as usize).cloned().unwrap_or_else(|| class.to_string());
        NamedFilter {
            exclude_same_image: self.other_images_only,
            per_image: self.per_image,
            without_overlap: self.without_overlap,
            fold_copies: self.fold_copies,
            class: self.class.map(name),
            split: self.split,
        }
    }

    /// In words, one piece for each thing that is left out; nothing if nothing is.
    pub fn words(&self, classes: &[String]) -> Vec<String> {
        let mut words = vec![];
        if self.other_images_only {
            words.push("other images only".to_owned());
        }
        if let Some(most) = self.per_image {
            words.push(format!("at most {most} per image"));
        }
        if self.without_overlap {
            words.push("no overlaps".to_owned());
        }
        if self.fold_copies {
            words.push("exact copies folded".to_owned());
        }
        if let Some(class) = self.class {
            words.push(format!("{} only", classes.get(class as usize).map_or("one class", String::as_str)));
        }
        if let Some(split) = self.split {
            words.push(format!("{} split only", split.name()));
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_thousands_of_classes_a_few_are_named() {
        let filter = NamedFilter { class: Some("x".into()), ..NamedFilter::default() };
        let classes: Vec<String> = (0..5000).map(|class| format!("class {class}")).collect();
        let said = filter.resolve(&classes).unwrap_err().to_string();
        assert!(said.ends_with("class 7 and 4,992 more") && said.len() < 200, "{said}");
        let said = filter.resolve(&[]).unwrap_err().to_string();
        assert_eq!(said, "there is no class \"x\"; the images have no classes");
    }
}
