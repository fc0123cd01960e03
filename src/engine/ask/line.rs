//! The two ends of the line between a face and the engine's thread.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvError, Sender, at, bounded, never, select, unbounded};

use crate::engine::ask::command::Command;
use crate::engine::ask::event::Event;
use crate::engine::ask::snapshot::Snapshot;
use crate::patch::PatchRef;
use crate::progress::CancelToken;

/// A face's end. Nothing here blocks: commands queue, events are drained, the snapshot is the latest.
pub struct EngineHandle {
    commands: Sender<Command>,
    previews: Sender<Option<PatchRef>>,
    events: Receiver<Event>,
    snapshot: Arc<Mutex<Arc<Snapshot>>>,
    hurry: CancelToken,
}

/// The engine's end.
pub struct EngineLine {
    /// What the face asks for, oldest first.
    pub commands: Receiver<Command>,
    /// Patches that are to be shown as if they were the query: only the newest counts.
    pub previews: Receiver<Option<PatchRef>>,
    events: Sender<Event>,
    /// The face closes soon: a training step is left in its midst.
    pub hurry: CancelToken,
    /// A thread beside the engine's has made work ready for it.
    ready: (Sender<()>, Receiver<()>),
    snapshot: Arc<Mutex<Arc<Snapshot>>>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

/// Makes both ends. `wake` is called after each event and each new snapshot (to ask for a repaint).
pub fn line(wake: impl Fn() + Send + Sync + 'static) -> (EngineHandle, EngineLine) {
    let (command_sender, command_receiver) = unbounded();
    let (preview_sender, previews) = unbounded();
    let (event_sender, event_receiver) = unbounded();
    let snapshot = Arc::new(Mutex::new(Arc::new(Snapshot::default())));
    let handle = EngineHandle {
        commands: command_sender,
        previews: preview_sender,
        events: event_receiver,
        snapshot: snapshot.clone(),
        hurry: CancelToken::default(),
    };
    let line = EngineLine {
        commands: command_receiver,
        previews,
        events: event_sender,
        hurry: handle.hurry.clone(),
        ready: bounded(1),
        snapshot,
        wake: Arc::new(wake),
    };
    (handle, line)
}

impl EngineHandle {
    /// Queues a command. The engine stops when the handle is dropped.
    pub fn send(&self, command: Command) {
        // The engine's thread outlives the handle, so this fails only after it died of a panic,
        // which leaves the last state on show.
        let _ = self.commands.send(command);
    }

    /// Asks for the maps of a patch of the image on show as if it were the query, or for none any more. This goes
    /// past the commands: it waits neither for them nor for a batch that is being embedded.
    pub fn preview(&self, patch: Option<PatchRef>) {
        // Fails only if the thread died, and then nothing is previewed.
        let _ = self.previews.send(patch);
    }

    /// The face is to close soon: the training step in progress is left, and no further one is done. What is asked for
    /// after it is a last checkpoint.
    pub fn hurry(&self) {
        self.hurry.cancel();
    }

    /// The latest state.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// All events since the last call, oldest first.
    pub fn drain_events(&self) -> Vec<Event> {
        self.events.try_iter().collect()
    }
}

impl EngineLine {
    /// The latest state.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// Waits for the next command, or until another thread has made work ready or the time has come (`None`).
    ///
    /// # Errors
    /// The face has let go of its end.
    pub fn wait(&self, until: Option<Instant>) -> Result<Option<Command>, RecvError> {
        let time = until.map_or_else(never, at);
        select! {
            recv(self.commands) -> command => command.map(Some),
            recv(self.ready.1) -> _ => Ok(None),
            recv(time) -> _ => Ok(None),
        }
    }

    /// From another thread: there is work for the engine's.
    pub fn call(&self) {
        // Full: it is called already.
        let _ = self.ready.0.try_send(());
    }

    /// Whether the face has let go of its end.
    pub fn is_abandoned(&self) -> bool {
        // The face holds the only other handle on the snapshot, and its engine threads share this one.
        Arc::strong_count(&self.snapshot) == 1
    }

    /// Tells the face of a fact.
    pub fn emit(&self, event: Event) {
        let _ = self.events.send(event);
        (self.wake)();
    }

    /// Changes the shown state. Two threads of the engine may do so at once; the lock is held for
    /// the change of a few pointers.
    pub fn update(&self, change: impl FnOnce(&mut Snapshot)) {
        self.update_quietly(change);
        (self.wake)();
    }

    /// The same without waking the face: it sees the change with its next frame, whenever that is.
    pub fn update_quietly(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut shown = self.snapshot.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut next = (**shown).clone();
        change(&mut next);
        *shown = Arc::new(next);
    }
}
