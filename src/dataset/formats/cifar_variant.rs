//! The two sets, and what is known of every copy of them.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::cifar_names::{CIFAR10_NAMES, CIFAR100_NAMES};
use crate::dataset::{DataKind, FigureNote};
use crate::image::Normalization;

/// Side of a CIFAR image, pixels.
pub const SIDE: u32 = 32;
/// Values of a colour of an image.
pub(super) const PLANE: usize = (SIDE * SIDE) as usize;

pub(super) static CIFAR10: DataKind =
    DataKind { normalization: Some(Normalization::CIFAR10), ..DataKind::plain("cifar10", FigureNote::Name) };

pub(super) static CIFAR100: DataKind = DataKind {
    normalization: Some(Normalization { mean: [0.5071, 0.4866, 0.4409], std: [0.2673, 0.2564, 0.2762] }),
    ..DataKind::plain("cifar100", FigureNote::Name)
};

impl Normalization {
    /// Of the CIFAR-10 training images.
    pub const CIFAR10: Self = Self { mean: [0.4914, 0.4822, 0.4465], std: [0.2470, 0.2435, 0.2616] };
}

/// Which of the two sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(
    missing_docs,
    reason = "the doc of a variant is its help on the command line, and these words say enough"
)]
pub enum Variant {
    Cifar10,
    Cifar100,
}

impl Variant {
    /// What is known of the set.
    pub fn kind(self) -> &'static DataKind {
        match self {
            Variant::Cifar10 => &CIFAR10,
            Variant::Cifar100 => &CIFAR100,
        }
    }

    /// `CIFAR-10` or `CIFAR-100`.
    pub fn title(self) -> &'static str {
        match self {
            Variant::Cifar10 => "CIFAR-10",
            Variant::Cifar100 => "CIFAR-100",
        }
    }

    /// The folder of the binaries within the official archive.
    pub fn folder(self) -> &'static str {
        match self {
            Variant::Cifar10 => "cifar-10-batches-bin",
            Variant::Cifar100 => "cifar-100-binary",
        }
    }

    /// Label bytes before the pixels; the last one is the label.
    pub(super) fn label_bytes(self) -> usize {
        match self {
            Variant::Cifar10 => 1,
            Variant::Cifar100 => 2,
        }
    }

    /// Bytes of one record: 3,073 or 3,074.
    pub(super) fn record_bytes(self) -> usize {
        self.label_bytes() + 3 * PLANE
    }

    pub(super) fn standard_names(self) -> &'static [&'static str] {
        match self {
            Variant::Cifar10 => &CIFAR10_NAMES,
            Variant::Cifar100 => &CIFAR100_NAMES,
        }
    }
}
