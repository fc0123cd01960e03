//! Main memory: how much of it the program may fill, who gets how much, and who waits until there is some.
//!
//! What is large is sized before it is allocated: a picture by its header, a batch by the network's shape, vectors by
//! their number. It is made smaller where it can be, or waits; else [`NoRoom`] says what it needs and what there is. What
//! the program, its threads and the drivers take themselves is not counted.

use std::cell::Cell;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Condvar, LazyLock, Mutex, OnceLock, PoisonError};

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;
/// The whole budget, in the parts that shares are counted in.
const PARTS: u64 = 32;

/// Bytes of main memory that may be filled, and who gets how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryBudget {
    bytes: u64,
    /// A window keeps the vectors that it searches and much else; a command has more for the work itself.
    is_window: bool,
}

/// Something does not fit into what it may take.
#[derive(Clone, Debug, PartialEq)]
pub struct NoRoom {
    /// What needs it: "embedding one patch".
    pub what: String,
    /// Estimated bytes.
    pub bytes: u64,
    /// What it may take, bytes.
    pub most: u64,
    /// The whole budget, bytes.
    pub budget: u64,
    /// What else helps: "a smaller --input".
    pub remedy: &'static str,
}

impl std::error::Error for NoRoom {}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, bytes, most, budget, remedy } = self;
        let [needed, whole, share] = [*bytes, *budget, *most].map(gib);
        let advised = advised(*bytes, *most, *budget);
        write!(
            f,
            "{what} needs about {needed} GiB; the budget of {whole} GiB has {share} GiB for it: give --memory {advised} \
             or {remedy}"
        )
    }
}

impl MemoryBudget {
    /// Of a window; at least 64 MiB, so that something can be shown.
    pub fn new(bytes: u64) -> Self {
        Self { bytes: bytes.max(64 * MIB), is_window: true }
    }

    /// The same bytes for a command that works to its end.
    pub fn for_command(self) -> Self {
        Self { is_window: false, ..self }
    }

    /// Half of the memory that is free now; 4 GiB where the system does not say.
    pub fn of_this_machine() -> Self {
        #[expect(clippy::disallowed_methods, reason = "what the system says of itself")]
        let said = |path| std::fs::read_to_string(path).ok();
        let free = said("/proc/meminfo").and_then(|text| available(&text));
        let limit = said("/sys/fs/cgroup/memory.max");
        let limit = limit.and_then(|text| text.trim().parse().ok()).unwrap_or(u64::MAX);
        Self::new(free.map_or(4 * GIB, |free| free.min(limit) / 2))
    }

    /// All of it.
    pub fn bytes(self) -> u64 {
        self.bytes
    }

    /// So many parts of 32 of a window's budget, or of a command's.
    fn parts(self, window: u64, command: u64) -> u64 {
        self.bytes / PARTS * if self.is_window { window } else { command }
    }

    /// For vectors that are searched or classified.
    pub fn bank(self) -> u64 {
        self.parts(17, 8)
    }

    /// For the vectors of the image on show.
    pub fn maps(self) -> u64 {
        self.parts(3, 8)
    }

    /// For a second model's weights and vectors.
    pub fn compared(self) -> u64 {
        self.parts(1, 1).min(512 * MIB)
    }

    /// For decoded images, of each of the three threads that cut out neighbours.
    pub fn images(self) -> u64 {
        (self.parts(1, 1) / 3).min(256 * MIB)
    }

    /// For decoded images that wait for the network.
    pub fn ahead(self) -> u64 {
        self.parts(1, 4)
    }

    /// For pictures while they are decoded, all threads together.
    pub fn decoding(self) -> u64 {
        self.parts(5, 10)
    }

    /// For a batch on its way through the network, and in a command for the weights too.
    pub fn network(self) -> u64 {
        self.parts(4, 10)
    }

    /// For all of a run that trains but its pictures. In a window it may take as much as in a command, beside what the
    /// window takes.
    pub fn training(self) -> u64 {
        self.for_command().bank() + self.for_command().network()
    }

    /// What of [`MemoryBudget::network`] is taken by a batch of so many bytes beside its weights. A window's weights
    /// are not counted.
    pub fn with_weights(self, batch: u64, weights: u64) -> u64 {
        if self.is_window { batch } else { batch.saturating_add(weights) }
    }

    /// Passes `bytes` that fit into `most` of this budget.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn ensure(
        self,
        most: u64,
        bytes: u64,
        what: impl FnOnce() -> String,
        remedy: &'static str,
    ) -> Result<(), NoRoom> {
        match bytes <= most {
            true => Ok(()),
            false => Err(NoRoom { what: what(), bytes, most, budget: self.bytes, remedy }),
        }
    }
}

/// The program's choice.
static CHOSEN: OnceLock<MemoryBudget> = OnceLock::new();

/// Sets what the program may fill. Before any work; a second choice has no effect.
pub fn choose(budget: MemoryBudget) {
    if CHOSEN.set(budget).is_ok() {
        keep_pages(budget);
    }
}

/// Most bytes at the end of a thread's memory that are kept for the next use.
const KEPT_PAGES: u64 = 64 * MIB;
/// Bytes from which on memory comes from the system and goes back to it at once: the most that glibc takes.
const FRESH_PAGES: u64 = 32 * MIB;

/// Has the C library keep memory that is given back, as a part of the budget: maps of a few megabytes come and go with
/// every layer, and fresh pages for each of them cost a sixth of the time. (By itself it keeps twice the largest piece.)
fn keep_pages(budget: MemoryBudget) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let kept = KEPT_PAGES.min(budget.bytes / PARTS);
        let settings = [(libc::M_MMAP_THRESHOLD, FRESH_PAGES.min(kept)), (libc::M_TRIM_THRESHOLD, kept)];
        for (setting, bytes) in settings {
            // SAFETY: a number is set that the allocator reads when memory is taken or given back.
            let is_set = unsafe { libc::mallopt(setting, bytes as libc::c_int) } == 1;
            if !is_set {
                log::debug!("the allocator's setting {setting} stays as it is, not {bytes}");
            }
        }
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    let _ = (budget, KEPT_PAGES, FRESH_PAGES);
}

/// What the program may fill: what was chosen, or a command's half of what was free at the first question.
pub fn budget() -> MemoryBudget {
    *CHOSEN.get_or_init(|| MemoryBudget::of_this_machine().for_command())
}

/// A number of GiB in words: two digits behind the point, none that are not there.
pub fn gib(bytes: u64) -> String {
    let value = bytes as f64 / GIB as f64;
    if value < 0.01 { format!("{value:.4}") } else { format!("{value:.2}") }
}

/// A budget in which `bytes` would fit where `most` of `budget` fit now, as --memory takes it.
fn advised(bytes: u64, most: u64, budget: u64) -> String {
    let gib = bytes as f64 / most.max(1) as f64 * budget as f64 / GIB as f64;
    if gib > 1.0 { format!("{:.0}", gib.ceil()) } else { format!("{:.2}", (gib * 100.0).ceil() / 100.0) }
}

/// Bytes that new programs can have without swapping, by Linux's table.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// A number of bytes that many share; who finds none left waits until another gives some back.
#[derive(Debug)]
pub struct Room {
    most: u64,
    used: Mutex<u64>,
    given_back: Condvar,
}

/// Bytes of a [`Room`], given back when dropped.
#[derive(Debug)]
pub struct Hold {
    room: Arc<Room>,
    bytes: u64,
}

impl Room {
    /// `most` bytes, all free.
    pub fn new(most: u64) -> Arc<Self> {
        Arc::new(Self { most, used: Mutex::new(0), given_back: Condvar::new() })
    }

    /// Bytes in all.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// Waits until `bytes` are free, or all are, and takes them: what is larger than the room has it alone.
    pub fn take(self: &Arc<Self>, bytes: u64) -> Hold {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |used: &mut u64| *used > 0 && used.saturating_add(bytes) > self.most;
        let mut used = self.given_back.wait_while(used, is_full).unwrap_or_else(PoisonError::into_inner);
        *used = used.saturating_add(bytes);
        Hold { room: self.clone(), bytes }
    }

    /// Takes `bytes` if they are free now.
    pub fn take_now(self: &Arc<Self>, bytes: u64) -> Option<Hold> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used = used.checked_add(bytes).filter(|sum| *sum <= self.most)?;
        Some(Hold { room: self.clone(), bytes })
    }
}

impl Hold {
    /// How many.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut used = self.room.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used = used.saturating_sub(self.bytes);
        self.room.given_back.notify_all();
    }
}

/// Cuts a list of things of such sizes into groups, in their order: of at most `count` things and `most` bytes, and of
/// one where that is larger.
pub fn groups(sizes: impl IntoIterator<Item = u64>, count: usize, most: u64) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = vec![];
    let mut bytes = 0u64;
    for (index, size) in sizes.into_iter().enumerate() {
        match groups.last_mut() {
            Some(group) if group.len() < count && bytes.saturating_add(size) <= most => {
                group.end = index + 1;
                bytes += size;
            }
            _ => {
                groups.push(index..index + 1);
                bytes = size;
            }
        }
    }
    groups
}

/// What all threads that decode share.
static DECODING: LazyLock<Arc<Room>> = LazyLock::new(|| Room::new(budget().decoding()));

thread_local! {
    /// Whether this thread decodes: it must not wait for itself.
    static DECODES: Cell<bool> = const { Cell::new(false) };
}

/// Does the work of decoding a picture, which takes `bytes`, once there is room.
///
/// # Errors
/// [`NoRoom`] for a picture that never has it, called `what`; and those of `work`.
pub fn decoding<T>(
    bytes: u64,
    what: impl FnOnce() -> String,
    work: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let budget = budget();
    budget.ensure(budget.decoding(), bytes, what, "a smaller picture")?;
    if DECODES.replace(true) {
        return work();
    }
    let hold = DECODING.take(bytes);
    let done = work();
    drop(hold);
    DECODES.set(false);
    done
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn the_shares_stay_within_the_budget() {
        for bytes in [64 * MIB, 300 * MIB, 5 * GIB, 1 << 40] {
            let budget = MemoryBudget::new(bytes);
            let kept = budget.bank() + budget.maps() + budget.compared() + 3 * budget.images();
            assert!(kept + budget.ahead() + budget.decoding() + budget.network() <= bytes);
            assert!(budget.bank() > bytes / 2);
            let command = budget.for_command();
            assert!(command.bank() + command.ahead() + command.decoding() + command.network() <= bytes);
            assert!(command.training() <= bytes && command.with_weights(3, 4) == 7);
        }
        assert_eq!(MemoryBudget::new(1).bytes(), 64 * MIB);
    }

    #[test]
    fn free_memory_is_read_from_the_table() {
        assert_eq!(available("MemTotal: 100 kB\nMemAvailable:   23 kB\n"), Some(23 * 1024));
        assert_eq!(available("MemTotal: 100 kB\n"), None);
    }

    #[test]
    fn what_does_not_fit_says_the_numbers_and_what_would_do() {
        let budget = MemoryBudget::new(GIB).for_command();
        let ensure = |bytes| budget.ensure(budget.network(), bytes, || "a patch".into(), "a smaller --input");
        assert!(ensure(budget.network()).is_ok());
        let error = ensure(3 * GIB).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a patch needs about 3.00 GiB; the budget of 1.00 GiB has 0.31 GiB for it: give --memory 10 or a smaller --input"
        );
        // What is advised is enough.
        let enough = MemoryBudget::new(10 * GIB).for_command();
        assert!(enough.ensure(enough.network(), 3 * GIB, String::new, "").is_ok());
    }

    #[test]
    fn groups_are_as_large_as_count_and_bytes_allow() {
        assert_eq!(groups([4, 4, 4, 20, 1, 1, 1, 1], 3, 10), [0..2, 2..3, 3..4, 4..7, 7..8]);
        assert!(groups([], 3, 10).is_empty());
    }

    #[test]
    fn many_threads_never_hold_more_than_the_room_and_what_is_larger_comes_alone() {
        let (room, held, most) = (Room::new(100), AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (room, held, most) = (&room, &held, &most);
                scope.spawn(move || {
                    for round in 0..200 {
                        let bytes = [10, 30, 60, 250][(thread + round) % 4];
                        let hold = room.take(bytes);
                        let now = held.fetch_add(bytes, Ordering::SeqCst) + bytes;
                        assert!(now <= 100 || now == 250, "{now} bytes are held");
                        most.fetch_max(now, Ordering::SeqCst);
                        held.fetch_sub(bytes, Ordering::SeqCst);
                        drop(hold);
                    }
                });
            }
        });
        assert_eq!(most.into_inner(), 250);
    }
}
