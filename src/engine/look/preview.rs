//! The thread that shows the patch under the pointer as if it were the query, from vectors that are known:
//! no forward pass, no waiting for the engine's thread, and of several requests only the newest.

use std::sync::Arc;
use std::thread;

use anyhow::Context;

use crate::engine::ask::{EngineLine, PreviewView};
use crate::engine::look::maps::SharedMaps;
use crate::patch::PatchRef;
use crate::threads;

/// Starts the thread. It ends when the window lets go of its end of the line.
pub fn start(line: Arc<EngineLine>, maps: SharedMaps) -> anyhow::Result<()> {
    let work = move || {
        threads::work_apart();
        let mut is_shown = false;
        while let Ok(first) = line.previews.recv() {
            let newest = line.previews.try_iter().last().unwrap_or(first);
            show(&line, &maps, newest, &mut is_shown);
        }
    };
    thread::Builder::new().name("preview".into()).spawn(work).context("could not start a thread")?;
    Ok(())
}

/// Shows `patch` if its vectors are known; otherwise nothing is previewed. The maps are held until the preview is
/// shown, so that what clears them clears it too.
fn show(line: &EngineLine, maps: &SharedMaps, patch: Option<PatchRef>, is_shown: &mut bool) {
    let maps = maps.read();
    let preview = patch.and_then(|patch| {
        let maps = maps.as_ref()?;
        let vectors = maps.vectors_of(patch.into())?;
        Some(Arc::new(PreviewView { patch, maps: maps.heatmaps(&vectors) }))
    });
    if preview.is_none() && !*is_shown {
        return;
    }
    *is_shown = preview.is_some();
    line.update(|shown| shown.views.preview = preview);
}
