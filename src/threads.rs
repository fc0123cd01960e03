//! Who shares the work of an operation: rayon's common pool, led by the thread that owns the tensors.
//!
//! A thread outside of a pool is put to sleep and woken again for every parallel piece of every operation, some
//! thousand times in a training step; one that belongs to it begins the piece itself. So the program has the
//! thread of the tensors lead the common pool, and threads that search have pools of their own, which sleep
//! while nothing is asked. A library user who chooses nothing keeps rayon's usual pool.

use std::num::NonZero;
use std::sync::OnceLock;

/// Threads of a pool, once the program has chosen.
static CHOSEN: OnceLock<usize> = OnceLock::new();

/// The program's choice: `threads`, or as many as the machine runs at once. Before any parallel work.
pub fn choose(threads: Option<usize>) {
    // A second choice has no effect.
    let _ = CHOSEN.set(threads.unwrap_or_else(machine).max(1));
}

/// Threads that share the work of an operation.
pub fn count() -> usize {
    CHOSEN.get().copied().unwrap_or_else(rayon::current_num_threads)
}

fn machine() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// Makes this thread the first of the common pool, if the program has chosen; once in a process. It must not
/// wait for work of the pool in any other way than by computing.
pub fn lead() {
    let Some(&threads) = CHOSEN.get() else { return };
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
    // A pool of nobody but this thread would leave those who make views ahead without any.
    let builder = if threads > 1 { builder.use_current_thread() } else { builder };
    // Fails if the pool exists already, which then serves.
    if let Err(error) = builder.build_global() {
        log::debug!("the common pool is there already: {error}");
    }
}

/// Gives this thread a pool of its own, if the program has chosen: for work that goes on beside that of [`lead`].
/// Its helpers stay as long as the process.
pub fn work_apart() {
    let Some(&threads) = CHOSEN.get() else { return };
    // The pool lives on in this thread. Without one, work is shared with the common pool.
    if let Err(error) = rayon::ThreadPoolBuilder::new().num_threads(threads).use_current_thread().build() {
        log::warn!("no threads to search with: {error}");
    }
}
