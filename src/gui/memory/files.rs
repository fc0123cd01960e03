//! Everything that may have to wait for a disk or for a person, or would hold up a frame: the system's
//! file dialogs, questions to the file system, large pastes, each on a thread of its own.

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};
use eframe::egui::{ColorImage, Context};

use super::openable::Openable;
use crate::image::Image;

/// What came back.
#[derive(Debug)]
pub enum FoundFile {
    /// The system's dialog was closed, with or without a choice.
    Picked(Option<PathBuf>),
    /// Whether a file stands at `path` already.
    Exists { path: PathBuf, exists: bool },
    /// A folder that does not exist yet.
    FreeFolder(PathBuf),
    /// Paths that were asked about and do not exist.
    Gone(Vec<PathBuf>),
    /// The system's dialog for a run folder was closed, with or without a choice.
    RunFolder(Option<PathBuf>),
    /// Something was dropped on the window.
    Dropped(Openable),
    /// A picture was pasted.
    Pasted(Image),
}

/// Starts such threads and gathers what they find.
pub struct FileWorker {
    ctx: Context,
    sender: Sender<FoundFile>,
    receiver: Receiver<FoundFile>,
}

impl FileWorker {
    /// One that wakes the window when something is found.
    pub fn new(ctx: &Context) -> Self {
        let (sender, receiver) = unbounded();
        Self { ctx: ctx.clone(), sender, receiver }
    }

    /// What was found since the last call.
    pub fn drain(&self) -> Vec<FoundFile> {
        self.receiver.try_iter().collect()
    }

    fn spawn(&self, find: impl FnOnce() -> FoundFile + Send + 'static) {
        let (ctx, sender) = (self.ctx.clone(), self.sender.clone());
        std::thread::spawn(move || {
            // The receiver is gone only when the window is.
            let _ = sender.send(find());
            ctx.request_repaint();
        });
    }

    /// Opens the system's dialog for one file, with `extensions` as a filter if there are any.
    pub fn pick_file(&self, title: &'static str, extensions: &'static [&'static str]) {
        self.spawn(move || {
            let mut dialog = rfd::FileDialog::new().set_title(title);
            if !extensions.is_empty() {
                dialog = dialog.add_filter(extensions.join(", "), extensions);
            }
            FoundFile::Picked(dialog.pick_file())
        });
    }

    /// Opens the system's dialog for one folder.
    pub fn pick_folder(&self, title: &'static str) {
        self.spawn(move || FoundFile::Picked(rfd::FileDialog::new().set_title(title).pick_folder()));
    }

    /// Opens the system's dialog for a folder to train into.
    pub fn pick_run_folder(&self, title: &'static str) {
        self.spawn(move || FoundFile::RunFolder(rfd::FileDialog::new().set_title(title).pick_folder()));
    }

    /// Finds the first of `base-1`, `base-2`, ... that does not exist.
    pub fn propose_folder(&self, base: PathBuf) {
        let name = base.display().to_string();
        self.spawn(move || {
            let mut all = (1..10_000).map(|number| PathBuf::from(format!("{name}-{number}")));
            FoundFile::FreeFolder(all.find(|path| !path.exists()).unwrap_or(base))
        });
    }

    /// Opens the system's dialog for a file to write, with `path` as the proposal.
    pub fn pick_save(&self, title: &'static str, path: PathBuf) {
        self.spawn(move || {
            let mut dialog = rfd::FileDialog::new().set_title(title);
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                dialog = dialog.set_directory(folder);
            }
            if let Some(name) = path.file_name() {
                dialog = dialog.set_file_name(name.to_string_lossy());
            }
            FoundFile::Picked(dialog.save_file())
        });
    }

    /// Finds out whether something stands at `path`.
    pub fn ask_exists(&self, path: PathBuf) {
        self.spawn(move || FoundFile::Exists { exists: path.exists(), path });
    }

    /// Finds out which of `paths` do not exist.
    pub fn ask_gone(&self, paths: Vec<PathBuf>) {
        self.spawn(move || FoundFile::Gone(paths.into_iter().filter(|path| !path.exists()).collect()));
    }

    /// Finds out what was dropped.
    pub fn look_at_dropped(&self, path: PathBuf) {
        self.spawn(move || FoundFile::Dropped(Openable::at(&path)));
    }

    /// Takes a pasted picture over; its transparency is dropped, as a file's is.
    pub fn take_pasted(&self, picture: Arc<ColorImage>) {
        self.spawn(move || {
            let rgb = picture.pixels.iter().flat_map(|pixel| {
                let [r, g, b, _] = pixel.to_srgba_unmultiplied();
                [r, g, b]
            });
            let [width, height] = picture.size.map(|side| side as u32);
            FoundFile::Pasted(Image::new(width, height, rgb.collect()))
        });
    }
}
