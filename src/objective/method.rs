//! What an objective is: its facts for people, its constants, and its loss.

use burn::tensor::Tensor;

use super::loss::Loss;
use crate::words::thousands;

/// The facts of an objective. Its file holds them as a constant.
pub struct MethodInfo {
    /// Its name in a configuration file.
    pub name: &'static str,
    /// What the field calls it.
    pub title: &'static str,
    /// What it is, in a sentence.
    pub help: &'static str,
    /// Its constants, in the order of [`Method::values`].
    pub constants: &'static [Constant],
    /// Whether a predictor is trained against the projections of a momentum encoder.
    pub has_targets: bool,
    /// Whether the loss of a batch is the mean of the losses of its images. Otherwise images of a
    /// batch are compared with each other, and the loss of a part of the batch is another loss.
    pub is_mean_over_images: bool,
    /// The standard deviation that the loss wants each component of z to have, where it wants one: a z far below
    /// it has collapsed, whichever way its vectors point. `None` where the loss does not see z's scale, or sets no fixed one.
    pub deviation_of_z: Option<f64>,
    /// The square matrices that it makes of a batch, which decide what memory it takes.
    pub matrices: LossMatrices,
    /// Unit of the loss: "nats" where it is made of natural logarithms of probabilities; else empty.
    pub unit: &'static str,
}

impl MethodInfo {
    /// Of an objective that compares the images of a batch, without a momentum encoder.
    pub const fn new(
        name: &'static str,
        title: &'static str,
        help: &'static str,
        constants: &'static [Constant],
    ) -> Self {
        Self {
            name,
            title,
            help,
            constants,
            has_targets: false,
            is_mean_over_images: false,
            deviation_of_z: None,
            matrices: LossMatrices::None,
            unit: "",
        }
    }
}

/// The square matrices that a loss keeps of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossMatrices {
    /// None.
    None,
    /// For each view, of the components of z.
    OfComponents,
    /// For each pair of views, of the components of z.
    OfComponentsByPair,
    /// For each pair of views, of the images.
    OfImagesByPair,
    /// For each pair of views, of both views of all images.
    OfViewsByPair,
    /// One after the other, of the images or the components, whichever are fewer.
    OfFewer,
}

impl LossMatrices {
    /// Values that all of them hold at most at once, in the forward and backward pass, for `views` of so many `images`
    /// and a z of `width` components.
    pub fn values(self, views: u64, images: u64, width: u64) -> u64 {
        // Each goes through some operations whose results are kept, and has its gradients one after the other.
        const KEPT: u64 = 6;
        const PASSING: u64 = 4;
        let pairs = views * views.saturating_sub(1) / 2;
        let (count, side) = match self {
            LossMatrices::None => return 0,
            LossMatrices::OfComponents => (views, width),
            LossMatrices::OfComponentsByPair => (pairs, width),
            LossMatrices::OfImagesByPair => (pairs, images),
            LossMatrices::OfViewsByPair => (pairs, 2 * images),
            LossMatrices::OfFewer => (1, images.min(width)),
        };
        (KEPT * count + PASSING).saturating_mul(side.saturating_mul(side))
    }
}

/// A constant of an objective.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constant {
    /// Its key in a configuration file, below `objective`.
    pub key: &'static str,
    /// What it is, in a sentence.
    pub help: &'static str,
    /// What it may be.
    pub range: ConstantRange,
    /// What it is unless told.
    pub default: f64,
}

/// What a constant may be. None is NaN or infinite, in float32 either.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ConstantRange {
    /// 0 or more, as a weight.
    FromZero,
    /// More than 0, as what something is divided by.
    AboveZero,
    /// Between the two, which are allowed.
    Within(f64, f64),
    /// A whole number between the two, which are allowed.
    Whole(u64, u64),
}

impl ConstantRange {
    /// Whether `value` lies in it.
    pub fn contains(self, value: f64) -> bool {
        match self {
            ConstantRange::FromZero => value == 0.0 || ConstantRange::AboveZero.contains(value),
            // What computes in float32 sees no less and no more.
            ConstantRange::AboveZero => (f64::from(f32::MIN_POSITIVE)..=f64::from(f32::MAX)).contains(&value),
            ConstantRange::Within(least, most) => (least..=most).contains(&value),
            ConstantRange::Whole(least, most) => {
                value.fract() == 0.0 && (least as f64..=most as f64).contains(&value)
            }
        }
    }

    /// What is expected, in words: "0 or more".
    pub fn words(self) -> String {
        match self {
            ConstantRange::FromZero => "0, or more within float32 (1.2e-38 to 3.4e38)".into(),
            ConstantRange::AboveZero => "more than 0, within float32 (1.2e-38 to 3.4e38)".into(),
            ConstantRange::Within(least, most) => format!("{least} to {most}"),
            ConstantRange::Whole(least, most) => format!("{} to {}", thousands(least), thousands(most)),
        }
    }
}

/// An objective with its constants set.
pub trait Method {
    /// Its facts.
    fn info(&self) -> &'static MethodInfo;

    /// Its constants, in the order of [`MethodInfo::constants`].
    fn values(&self) -> Vec<f64>;

    /// The loss of V views of the same N images. `targets` are the projections of a momentum encoder
    /// where the method has one, and empty otherwise.
    ///
    /// # Shapes
    /// - views, targets: V >= 2 tensors `[N, d]`, N >= 2; row i of each is a view of image i
    fn loss(&self, views: &[Tensor<2>], targets: &[Tensor<2>]) -> Loss;
}
