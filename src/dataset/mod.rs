//! Where images come from: CIFAR binaries, folders, single files and the
//! built-in synthetic set, all behind one small trait and read lazily.

pub mod cifar;
mod cifar_names;
mod coverage;
pub mod decode;
pub mod download;
pub mod folder;
mod joined;
mod jpeg;
mod limit;
mod open;
pub mod parts;
mod picture;
mod set;
mod split;
mod tiff;
mod unpack;

pub(crate) use crate::files::hex;
pub(crate) use crate::words::thousands as with_thousands;
pub use coverage::Part;
pub use limit::limited;
pub use open::open;
pub use set::{DataInfo, Dataset, PartMap, Skipped};
pub use split::{Mix, Split};
