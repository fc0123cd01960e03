//! What every job is given, and how most begin.

use crate::device::{self, DeviceChoice, OpenDevice};
use crate::embed::Embedder;
use crate::model::ModelSpec;
use crate::progress::{CancelToken, Progress};

/// What every job is given.
pub struct Job<'a> {
    /// Where tensors are computed.
    pub device: DeviceChoice,
    /// Of everything random.
    pub seed: u64,
    /// Tells the job to stop.
    pub cancel: &'a CancelToken,
    /// Is told how far it is.
    pub progress: &'a mut dyn FnMut(Progress),
}

/// Opens a device and a model on it.
pub(super) fn open_embedder(
    choice: DeviceChoice,
    spec: &ModelSpec,
) -> anyhow::Result<(OpenDevice, Embedder)> {
    let open = device::open(choice)?;
    let embedder = Embedder::open(spec, &open.device)?;
    Ok((open, embedder))
}
