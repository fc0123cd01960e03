//! Which recipe fits a data set: the one that was made for it, or one whose patches are a fair part of its images,
//! as 14 of 32 pixels and 100 of 256 in the paper.

/// What decides which recipe fits a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataShape {
    /// Its kind's word, such as "cifar10".
    pub kind: String,
    /// Height and width of its images, pixels; of one of them where they differ.
    pub size: (u32, u32),
    /// Whether all images have that size.
    pub is_uniform: bool,
}

/// A recipe that fits a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FittingRecipe {
    /// The recipe's name.
    pub name: &'static str,
    /// Why it fits, in words.
    pub reason: String,
}

/// Recipes that were made for a kind of data.
const BY_KIND: [(&str, &str); 2] = [("parts", "quick-parts"), ("cifar10", "quick-cifar10-vicreg-patch14")];
/// The shorter side from which on a recipe fits other images, the side of its patches, and its name.
const BY_SIDE: [(u32, u32, &str); 4] = [
    (160, 64, "quick-vicreg-patch64"),
    (64, 28, "quick-vicreg-patch28"),
    (40, 20, "quick-vicreg-patch20"),
    (14, 14, "quick-cifar10-vicreg-patch14"),
];

/// The recipe that fits, if any patch does.
pub fn fitting(shape: &DataShape) -> Option<FittingRecipe> {
    if let Some((_, name)) = BY_KIND.iter().find(|(kind, _)| *kind == shape.kind) {
        return Some(FittingRecipe { name, reason: "made for this data set".into() });
    }
    let (height, width) = shape.size;
    let (_, patch, name) = BY_SIDE.iter().find(|(least, ..)| height.min(width) >= *least)?;
    let images = if shape.is_uniform { "images of" } else { "images such as the one on show," };
    Some(FittingRecipe {
        name,
        reason: format!("patches of {patch} x {patch} pixels for {images} {width} x {height}"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::recipes::find;
    use super::*;
    use crate::augment::Crop;

    fn fit(kind: &str, size: (u32, u32)) -> Option<FittingRecipe> {
        fitting(&DataShape { kind: kind.into(), size, is_uniform: true })
    }

    #[test]
    fn a_data_set_gets_the_recipe_that_was_made_for_it() {
        assert_eq!(fit("parts", (64, 64)).unwrap().name, "quick-parts");
        assert_eq!(fit("cifar10", (32, 32)).unwrap().name, "quick-cifar10-vicreg-patch14");
        for (kind, name) in BY_KIND {
            let recipe = find(name).unwrap();
            assert!(crate::dataset::kind_named(kind).is_some() && !recipe.purpose.is_empty());
        }
    }

    #[test]
    fn other_images_get_patches_that_are_a_fair_part_of_them() {
        for (size, patch) in
            [((32, 32), 14), ((48, 48), 20), ((96, 64), 28), ((375, 500), 64), ((14, 14), 14)]
        {
            let fit = fit("folder", size).unwrap();
            let config = find(fit.name).unwrap().config;
            assert!(
                config.views.iter().all(|view| view.crop == Crop::Fixed { size: patch }),
                "{size:?}: {fit:?}"
            );
            assert!(patch <= size.0.min(size.1));
            let words = format!("patches of {patch} x {patch} pixels for images of {} x {}", size.1, size.0);
            assert_eq!(fit.reason, words);
        }
        assert_eq!(fit("folder", (500, 13)), None);
    }
}
