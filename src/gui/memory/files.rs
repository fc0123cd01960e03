//! Everything that may have to wait for a disk or for a person, or would hold up a frame: the system's
//! file dialogs, questions to the file system, large pastes, each on a thread of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use eframe::egui::{ColorImage, Context};

use super::openable::Openable;
use crate::engine::facts::{CacheUse, VectorCache};
use crate::engine::{FileAnswer, FileQuestion, FolderListing};
use crate::image::Image;
use crate::paths;

/// What to do where no dialog of the system came up.
const NO_DIALOG: &str = "No file dialog came up; it needs the desktop's file portal (xdg-desktop-portal) or zenity. \
    Type or paste the path here, or drop the file or folder on this window.";
/// What to do where nothing was picked.
pub const NOTHING_PICKED: &str = "Nothing was picked. If no dialog came up, type or paste the path here, or drop the \
    file or folder on this window.";
/// The same where files are those of another machine.
const NO_FAR_DIALOG: &str =
    "These files lie on the other machine, which shows no dialog here: type or paste the path.";

/// What to do where [`FoundFile::NoDialog`] was found.
pub fn no_dialog() -> &'static str {
    if paths::are_elsewhere() { NO_FAR_DIALOG } else { NO_DIALOG }
}

/// A dialog that is gone sooner was never there: nobody closes one so fast.
const SOONEST: Duration = Duration::from_millis(300);

/// What came back.
#[derive(Debug)]
pub enum FoundFile {
    /// The system's dialog was closed, with or without a choice.
    Picked(Option<PathBuf>),
    /// The system has no dialog to show.
    NoDialog,
    /// The system's dialog for a font was closed, with or without a choice.
    Font(Option<PathBuf>),
    /// Whether a file stands at `path` already.
    Exists { path: PathBuf, exists: bool },
    /// A folder that does not exist yet.
    FreeFolder(PathBuf),
    /// The same for the results of an evaluation.
    FreeResults(PathBuf),
    /// Paths that were asked about and do not exist.
    Gone(Vec<PathBuf>),
    /// The system's dialog for a run folder was closed, with or without a choice.
    RunFolder(Option<PathBuf>),
    /// The system's dialog for a results folder was closed, with or without a choice.
    ResultsFolder(Option<PathBuf>),
    /// Something was dropped on the window.
    Dropped(Openable),
    /// Something of this machine was dropped, and the engine is on another.
    DroppedHere(PathBuf),
    /// What a folder of the other machine holds.
    Listed(FolderListing),
    /// A picture was pasted.
    Pasted(Image),
    /// What kept vectors take of the disk.
    KeptVectors(CacheUse),
}

/// Starts such threads and gathers what they find. Where the engine is on another machine, its files are those that count,
/// and questions go there.
pub struct FileWorker {
    ctx: Context,
    /// Questions for the other machine, if files lie there.
    far: Option<(Sender<FileQuestion>, Receiver<FileQuestion>)>,
    sender: Sender<FoundFile>,
    receiver: Receiver<FoundFile>,
}

impl FileWorker {
    /// One that wakes the window when something is found.
    pub fn new(ctx: &Context) -> Self {
        let (sender, receiver) = unbounded();
        Self { ctx: ctx.clone(), far: paths::are_elsewhere().then(unbounded), sender, receiver }
    }

    /// Whether files are those of another machine.
    pub fn are_far(&self) -> bool {
        self.far.is_some()
    }

    /// Questions for the other machine since the last call.
    pub fn take_questions(&self) -> Vec<FileQuestion> {
        self.far.iter().flat_map(|(_, questions)| questions.try_iter()).collect()
    }

    /// Takes in what the other machine answered.
    pub fn take_answer(&self, answer: FileAnswer) {
        // The receiver is gone only when the window is.
        let _ = self.sender.send(found_of(answer));
    }

    /// Has a question answered: there, or here by a thread of its own.
    fn ask(&self, question: FileQuestion) {
        match &self.far {
            Some((questions, _)) => {
                let _ = questions.send(question);
                self.ctx.request_repaint();
            }
            None => self.spawn(move || found_of(question.answer())),
        }
    }

    /// Finds out what a folder of the other machine holds, or the folder of a file.
    pub fn list(&self, path: PathBuf) {
        self.ask(FileQuestion::List(path));
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

    /// Lets `ask` show one of the system's dialogs.
    fn pick(
        &self,
        found: fn(Option<PathBuf>) -> FoundFile,
        ask: impl FnOnce() -> Option<PathBuf> + Send + 'static,
    ) {
        if self.are_far() {
            let _ = self.sender.send(FoundFile::NoDialog);
            self.ctx.request_repaint();
            return;
        }
        self.spawn(move || {
            let asked = Instant::now();
            match ask() {
                None if asked.elapsed() < SOONEST => FoundFile::NoDialog,
                picked => found(picked),
            }
        });
    }

    /// Opens the system's dialog for one file, with `extensions` as a filter if there are any.
    pub fn pick_file(&self, title: &'static str, extensions: &'static [&'static str]) {
        self.pick(FoundFile::Picked, move || {
            let mut dialog = rfd::FileDialog::new().set_title(title);
            if !extensions.is_empty() {
                dialog = dialog.add_filter(extensions.join(", "), extensions);
            }
            dialog.pick_file()
        });
    }

    /// Opens the system's dialog for one folder.
    pub fn pick_folder(&self, title: &'static str) {
        self.pick(FoundFile::Picked, move || rfd::FileDialog::new().set_title(title).pick_folder());
    }

    /// Opens the system's dialog for a folder to train into.
    pub fn pick_run_folder(&self, title: &'static str) {
        self.pick(FoundFile::RunFolder, move || rfd::FileDialog::new().set_title(title).pick_folder());
    }

    /// Opens the system's dialog for a font file.
    pub fn pick_font(&self) {
        self.pick(FoundFile::Font, || {
            rfd::FileDialog::new()
                .set_title("A font for figures")
                .add_filter("ttf, otf", &["ttf", "otf"])
                .pick_file()
        });
    }

    /// Opens the system's dialog for a folder to keep results in.
    pub fn pick_results_folder(&self, title: &'static str) {
        self.pick(FoundFile::ResultsFolder, move || rfd::FileDialog::new().set_title(title).pick_folder());
    }

    /// Finds the first of `base-1`, `base-2`, ... that does not exist.
    pub fn propose_folder(&self, base: PathBuf) {
        self.ask(FileQuestion::FreeFolder(base));
    }

    /// The same for the results of an evaluation.
    pub fn propose_results(&self, base: PathBuf) {
        self.ask(FileQuestion::FreeResults(base));
    }

    /// Opens the system's dialog for a file to write, with `path` as the proposal.
    pub fn pick_save(&self, title: &'static str, path: PathBuf) {
        self.pick(FoundFile::Picked, move || {
            let mut dialog = rfd::FileDialog::new().set_title(title);
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                dialog = dialog.set_directory(folder);
            }
            if let Some(name) = path.file_name() {
                dialog = dialog.set_file_name(name.to_string_lossy());
            }
            dialog.save_file()
        });
    }

    /// Finds out whether something stands at `path`.
    pub fn ask_exists(&self, path: PathBuf) {
        self.ask(FileQuestion::Exists(path));
    }

    /// Finds out which of `paths` do not exist.
    pub fn ask_gone(&self, paths: Vec<PathBuf>) {
        self.ask(FileQuestion::Gone(paths.iter().map(|path| paths::to_words(path)).collect()));
    }

    /// Finds out what was dropped.
    pub fn look_at_dropped(&self, path: PathBuf) {
        let is_far = self.are_far();
        self.spawn(move || match is_far {
            true => FoundFile::DroppedHere(path),
            false => FoundFile::Dropped(Openable::at(&path)),
        });
    }

    /// Finds out what the vectors of `cache` take.
    pub fn measure_vectors(&self, cache: VectorCache) {
        self.spawn(move || FoundFile::KeptVectors(cache.usage()));
    }

    /// Removes those of them that are too many, or `all` that nobody writes; then as [`FileWorker::measure_vectors`].
    pub fn remove_vectors(&self, cache: VectorCache, all: bool) {
        self.spawn(move || {
            if all {
                return FoundFile::KeptVectors(cache.clear());
            }
            cache.trim(Path::new(""));
            FoundFile::KeptVectors(cache.usage())
        });
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

fn found_of(answer: FileAnswer) -> FoundFile {
    match answer {
        FileAnswer::Exists { path, exists } => FoundFile::Exists { path, exists },
        FileAnswer::Gone(gone) => FoundFile::Gone(gone.iter().map(paths::from_words).collect()),
        FileAnswer::FreeFolder(path) => FoundFile::FreeFolder(path),
        FileAnswer::FreeResults(path) => FoundFile::FreeResults(path),
        FileAnswer::Listed(listing) => FoundFile::Listed(listing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialog_that_never_came_up_is_told_from_one_that_was_closed() {
        let files = FileWorker::new(&Context::default());
        let next = || files.receiver.recv().unwrap();
        files.pick(FoundFile::Picked, || None);
        assert!(matches!(next(), FoundFile::NoDialog));
        files.pick(FoundFile::Picked, || Some("/a".into()));
        assert!(matches!(next(), FoundFile::Picked(Some(_))));
        files.pick(FoundFile::Picked, || {
            std::thread::sleep(SOONEST);
            None
        });
        assert!(matches!(next(), FoundFile::Picked(None)));
    }
}
