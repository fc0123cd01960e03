//! Which recipe fits what is open: of those that were made for the data set, or whose patches are a fair part of its
//! images, the one that the open model was trained by, or the most like it.

use super::recipe::Recipe;
use crate::augment::Crop;
use crate::model::ModelInfo;
use serde::{Deserialize, Serialize};

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

/// How the open model was trained, as far as its file says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainedBy {
    /// How its views were cut.
    pub crops: Vec<Crop>,
    /// Its objective's name.
    pub objective: Option<String>,
}

impl TrainedBy {
    /// What the description of a network says.
    pub fn of(info: &ModelInfo) -> Self {
        Self { crops: info.trained_crops(), objective: info.trained_objective().map(str::to_owned) }
    }
}

/// A recipe that fits what is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FittingRecipe {
    /// The recipe's name.
    pub name: &'static str,
    /// Why it fits, in words.
    pub reason: String,
}

/// Quick recipes that were made for a kind of data, the usual one first.
const BY_KIND: [(&str, &[&str]); 2] = [
    ("parts", &["quick-parts"]),
    (
        "cifar10",
        &[
            "quick-cifar10-vicreg-patch14",
            "quick-cifar10-simclr-patch14",
            "quick-cifar10-tcr-patch14",
            "quick-cifar10-byol-patch14",
            "quick-cifar10-multipatch16",
        ],
    ),
];
/// The shorter side from which on a recipe fits other images, the side of its patches, and its name: patches are a
/// fair part of the images, as 14 of 32 pixels and 100 of 256 in the paper.
const BY_SIDE: [(u32, u32, &str); 4] = [
    (160, 64, "quick-vicreg-patch64"),
    (64, 28, "quick-vicreg-patch28"),
    (40, 20, "quick-vicreg-patch20"),
    (14, 14, "quick-cifar10-vicreg-patch14"),
];

/// The one of `recipes` that fits, if any patch does.
pub fn fitting(shape: &DataShape, model: &TrainedBy, recipes: &[Recipe]) -> Option<FittingRecipe> {
    let side = shape.size.0.min(shape.size.1);
    let of_kind = BY_KIND.iter().find(|(kind, _)| *kind == shape.kind).map(|(_, names)| names.to_vec());
    let is_made_for = of_kind.is_some();
    let fits_side = || BY_SIDE.iter().filter(|(least, ..)| side >= *least).map(|(.., name)| *name).collect();
    let mut names: Vec<&'static str> = of_kind.unwrap_or_else(fits_side);
    let likeness = |name: &str| {
        recipes.iter().find(|recipe| recipe.name == name).map_or(0, |recipe| like(recipe, model))
    };
    // Stable: where none is more like the model, the usual one stays first.
    names.sort_by_key(|name| std::cmp::Reverse(likeness(name)));
    let name = *names.first()?;
    let mut reasons = vec![];
    if is_made_for {
        reasons.push("made for this data set".to_owned());
    } else {
        let patch = BY_SIDE.iter().find(|(.., own)| *own == name).map_or(side, |(_, patch, _)| *patch);
        let (height, width) = shape.size;
        let images = if shape.is_uniform { "images of" } else { "images such as the one on show," };
        reasons.push(format!("patches of {patch} x {patch} pixels for {images} {width} x {height}"));
    }
    match likeness(name) {
        0 => {}
        1 => reasons.push("patches as the open model was trained on".into()),
        _ => reasons.push("patches and objective as the open model was trained with".into()),
    }
    Some(FittingRecipe { name, reason: reasons.join("; ") })
}

/// How much a recipe is like the one that trained the model: 0 other patches, 1 the same, 2 the same objective too.
fn like(recipe: &Recipe, model: &TrainedBy) -> u8 {
    let views = &recipe.config.views;
    let has_crops = !model.crops.is_empty() && views.iter().all(|view| model.crops.contains(&view.crop));
    let has_objective = model.objective.as_deref() == Some(recipe.config.objective.name());
    u8::from(has_crops) + u8::from(has_crops && has_objective)
}

#[cfg(test)]
mod tests {
    use super::super::recipes::{self, find};
    use super::*;
    use crate::device::{self, DeviceChoice};
    use crate::model::store;

    fn fit(kind: &str, size: (u32, u32)) -> Option<FittingRecipe> {
        under(kind, size, &TrainedBy::default())
    }

    fn under(kind: &str, size: (u32, u32), model: &TrainedBy) -> Option<FittingRecipe> {
        fitting(&DataShape { kind: kind.into(), size, is_uniform: true }, model, &recipes::all())
    }

    #[test]
    fn a_data_set_gets_the_recipe_that_was_made_for_it() {
        assert_eq!(fit("parts", (64, 64)).unwrap().name, "quick-parts");
        assert_eq!(fit("cifar10", (32, 32)).unwrap().name, "quick-cifar10-vicreg-patch14");
        for (kind, names) in BY_KIND {
            assert!(crate::dataset::kind_named(kind).is_some());
            let quick = recipes::all().into_iter().filter(|recipe| recipe.name.starts_with("quick-"));
            let made_for =
                quick.filter(|recipe| recipe.data == kind || kind == "parts" && recipe.data == "demo");
            let made_for: std::collections::BTreeSet<String> = made_for.map(|recipe| recipe.name).collect();
            assert_eq!(made_for, names.iter().map(|name| (*name).to_owned()).collect(), "{kind}");
        }
    }

    #[test]
    fn of_recipes_that_fit_the_data_the_open_models_own_comes_first() {
        // Each built-in model gets the recipe that made it.
        for (model, kind, size, name) in [
            ("demo", "parts", (64, 64), "quick-parts"),
            ("demo-cifar10", "cifar10", (32, 32), "quick-cifar10-multipatch16"),
        ] {
            let device = device::open(DeviceChoice::Cpu).unwrap().device;
            let opened = store::open(&model.into(), &device).unwrap();
            let fit = under(kind, size, &TrainedBy::of(&opened.info)).unwrap();
            assert_eq!(fit.name, name);
            let reason = "made for this data set; patches and objective as the open model was trained with";
            assert_eq!(fit.reason, reason);
        }
        let by = |size, objective: &str| TrainedBy {
            crops: vec![Crop::Fixed { size }],
            objective: Some(objective.into()),
        };
        assert_eq!(
            under("cifar10", (32, 32), &by(14, "simclr")).unwrap().name,
            "quick-cifar10-simclr-patch14"
        );
        assert_eq!(
            under("cifar10", (32, 32), &by(14, "spectral")).unwrap().name,
            "quick-cifar10-vicreg-patch14"
        );
        assert_eq!(
            under("cifar10", (32, 32), &by(20, "vicreg")).unwrap().name,
            "quick-cifar10-vicreg-patch14"
        );
        let fit = under("folder", (96, 64), &by(20, "tcr")).unwrap();
        assert_eq!(fit.name, "quick-vicreg-patch20");
        assert_eq!(
            fit.reason,
            "patches of 20 x 20 pixels for images of 64 x 96; patches as the open model was trained on"
        );
        // Patches that leave the images fit nothing.
        assert_eq!(
            under("folder", (30, 30), &by(64, "vicreg")).unwrap().name,
            "quick-cifar10-vicreg-patch14"
        );
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
