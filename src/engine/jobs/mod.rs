//! Jobs that run to their end on the calling thread: what the command line does.
//! Each takes a request, says how far it is and can be cancelled.

pub mod bench;
pub mod compare;
pub mod data;
pub mod embed;
pub mod evaluate;
pub mod figures;
pub mod model;
pub mod search;
pub mod train;

use crate::device::{self, DeviceChoice, OpenDevice};
use crate::embed::Embedder;
use crate::model::{ModelSpec, store};
use crate::progress::{CancelToken, Progress};

/// What every job is given.
pub struct Job<'a> {
    /// Which device it runs on.
    pub device: DeviceChoice,
    /// What chance draws from, where the job leaves something to it.
    pub seed: u64,
    /// Ends the job early.
    pub cancel: &'a CancelToken,
    /// Told how far the job is.
    pub progress: &'a mut dyn FnMut(Progress),
}

/// Opens a device and a model on it.
pub(crate) fn open_embedder(
    choice: DeviceChoice,
    spec: &ModelSpec,
) -> anyhow::Result<(OpenDevice, Embedder)> {
    let open = device::open(choice)?;
    let model = store::open(spec, &open.device)?;
    let embedder = Embedder::new(model, &open.device);
    Ok((open, embedder))
}
