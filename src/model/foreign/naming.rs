//! How a library names the layers of a network, and what its networks do that their arrays do not say.

use crate::augment::{Normalization, Resize};
use crate::kernel::Activation;

/// How one library names the layers.
pub struct Naming {
    /// The library, for a person.
    pub title: &'static str,
    /// Names that every such network has; what stands before them is the network's prefix.
    pub marks: &'static [&'static str],
    /// From their names to ours.
    pub names: Names,
    /// What such a network is.
    pub kind: NetworkKind,
}

/// What a network is.
pub enum NetworkKind {
    /// A ResNet.
    ResNet,
    /// A vision transformer of a family with these habits.
    Transformer(&'static Habits),
}

/// Parts of a name of theirs, numbers as `*`, and what they become in ours, with the last of those numbers; what
/// follows them stays.
pub type NameRule = (&'static str, &'static str);

/// From their names to ours.
pub enum Names {
    /// Our name of an array; none for what is no part of the backbone.
    By(fn(&str) -> Option<String>),
    /// The first rule that fits a name counts; a name that none fits is no part of the backbone.
    Rules(&'static [NameRule]),
}

impl Naming {
    /// Our name of an array.
    pub fn ours(&self, name: &str) -> Option<String> {
        self.names.named(name)
    }
}

impl Names {
    /// The other name of an array.
    pub fn named(&self, name: &str) -> Option<String> {
        match self {
            Names::By(named) => named(name),
            Names::Rules(rules) => rules.iter().find_map(|rule| renamed(rule, name)),
        }
    }
}

/// `name` by a rule that fits it.
fn renamed((theirs, ours): &NameRule, name: &str) -> Option<String> {
    let mut parts = name.split('.');
    let mut number = "";
    for expected in theirs.split('.') {
        let part = parts.next()?;
        let digits = expected.strip_suffix('*').and_then(|before| part.strip_prefix(before));
        match digits.filter(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())) {
            Some(digits) => number = digits,
            None if expected == part => {}
            None => return None,
        }
    }
    let ours = ours.replace('*', number);
    Some(parts.fold(ours, |name, part| format!("{name}.{part}")))
}

/// What a family does that its arrays do not say; a configuration beside them is believed first.
pub struct Habits {
    /// What is added to the variance in layer normalisation.
    pub epsilon: f64,
    /// What its MLPs apply.
    pub activation: Activation,
    /// Widths of networks whose heads are not of 64 values, and how many heads they have.
    pub heads: &'static [(usize, usize)],
    /// How learned positions reach another grid: see [`Positions`](crate::model::vit::Positions).
    pub offset: f64,
    /// See [`Habits::offset`].
    pub antialias: bool,
    /// See [`Habits::offset`].
    pub corners: bool,
    /// Whether tokens without learned positions are turned by their places.
    pub rotary: bool,
    /// Side of the input that it is usually evaluated at, pixels; none where that is its grid of positions.
    pub input: Option<u32>,
    /// How images usually reach it.
    pub fed: Usual,
}

/// How images usually reach a network.
#[derive(Clone, Copy)]
pub struct Usual {
    /// What is subtracted and divided by.
    pub normalization: Normalization,
    /// How an image reaches the input's side.
    pub resize: Resize,
    /// Whose normalisation that is, for a person.
    pub of: &'static str,
}

impl Usual {
    /// ImageNet's.
    pub const IMAGENET: Self =
        Self { normalization: Normalization::IMAGENET, resize: Resize::Bilinear, of: "ImageNet" };
    /// Values from -1 to 1.
    pub const HALVES: Self = Self {
        normalization: Normalization { mean: [0.5; 3], std: [0.5; 3] },
        resize: Resize::Bilinear,
        of: "values from -1 to 1",
    };
    /// OpenAI's for CLIP.
    pub const CLIP: Self = Self {
        normalization: Normalization {
            mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
            std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
        },
        resize: Resize::Bicubic,
        of: "CLIP",
    };
}

impl Habits {
    /// Those of timm, which others change little.
    pub const TIMM: Self = Self {
        epsilon: 1e-6,
        activation: Activation::Gelu,
        // Of its tests.
        heads: &[(64, 2), (96, 3)],
        offset: 0.0,
        antialias: true,
        corners: false,
        rotary: false,
        input: None,
        fed: Usual { resize: Resize::Bicubic, ..Usual::IMAGENET },
    };
}
