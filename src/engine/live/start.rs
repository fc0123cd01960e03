//! The thread's beginning and end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use anyhow::Context;

use crate::bank::VectorCache;
use crate::device::OpenDevice;
use crate::engine::ask::{ABOUT_GPU, DeviceDescription, EngineHandle, Event, line};
use crate::engine::live::explorer::{Explorer, Helpers};
use crate::engine::live::open::Open;
use crate::engine::look::preview;
use crate::search::Processor;
use crate::threads;

/// Starts the engine's thread on a device. Vectors are kept in `cache`, if there is one. `wake` is called whenever there is
/// something new.
pub fn start(
    device: OpenDevice,
    cache: Option<VectorCache>,
    wake: impl Fn() + Send + Sync + 'static,
) -> anyhow::Result<EngineHandle> {
    let (handle, line) = line(wake);
    let line = Arc::new(line);
    let processor = Arc::new(Processor::of(&device));
    let helpers = Helpers::start(&line, &device, &processor)?;
    let work = move || {
        threads::lead();
        let description = DeviceDescription {
            kind: if device.is_gpu { "GPU" } else { "CPU" },
            name: device.name.clone(),
            reason: device.reason.clone(),
        };
        line.update(|shown| shown.device = Some(Arc::new(description)));
        if let Some(message) = device.problem.clone() {
            line.emit(Event::Failed { about: ABOUT_GPU.into(), message });
        }
        let open = Open::new(line.clone(), device, processor, cache);
        if let Err(error) = preview::start(line.clone(), open.maps.clone()) {
            open.fail("starting previews", &error);
        }
        let mut explorer = Explorer::new(open, helpers);
        // A panic below (a driver that gives up, no memory) must not leave a window that waits for ever.
        if catch_unwind(AssertUnwindSafe(|| explorer.run())).is_err() {
            line.update(|shown| shown.busy = None);
            let message = "it stopped unexpectedly; the terminal says more. Start bagssl again, with --device \
                           cpu if a GPU was in use";
            line.emit(Event::Failed { about: "the engine".into(), message: message.into() });
        }
    };
    thread::Builder::new()
        .name("engine".into())
        .spawn(work)
        .context("could not start the engine's thread")?;
    Ok(handle)
}
