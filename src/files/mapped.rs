//! Files mapped into memory. One that is cut while it is mapped is an error, and not the process's end.

use std::fs::File;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::open::open;
use super::shrunk::Shrunk;
use super::unread::Unread;

/// A whole file, mapped to be read. Where it was cut or cannot be read any more, the bytes are zeros: whoever has
/// read from it asks [`MappedFile::check`] before what was read counts.
#[derive(Debug)]
pub struct MappedFile {
    // Before the map: a range is watched only while it is mapped.
    watched: Watched,
    map: memmap2::Mmap,
    // The file that is mapped: another may lie at its path by now.
    file: File,
    path: PathBuf,
}

impl MappedFile {
    /// Maps the regular file `path`, which must have `length` bytes.
    pub fn open(path: &Path, length: u64) -> anyhow::Result<Self> {
        let file = open(path, u64::MAX).with_context(|| format!("cannot open {}", path.display()))?;
        // SAFETY: the map is only read, as bytes, of which every pattern is valid. Writers of ours change no
        // committed byte but to mend one; whoever else changes bytes gives us other numbers, which sums find. A
        // file that is cut gives zeros, by the guard.
        let map =
            unsafe { memmap2::Mmap::map(&file) }.with_context(|| format!("cannot map {}", path.display()))?;
        let found = map.len() as u64;
        ensure!(found == length, "{} has {found} bytes; expected {length}", path.display());
        Ok(Self { watched: Watched::new(&map)?, map, file, path: path.into() })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// # Errors
    /// [`Shrunk`], [`Unread`]: some of what was read so far was not there.
    pub fn check(&self) -> anyhow::Result<()> {
        if !self.watched.has_lost() {
            return Ok(());
        }
        let now = self.file.metadata().map_or(0, |meta| meta.len());
        let (path, was) = (self.path.clone(), self.map.len() as u64);
        if now < was {
            return Err(Shrunk { path, was, now }.into());
        }
        Err(Unread { path, error: std::io::Error::other("the disk gave an error") }.into())
    }

    /// Whether the first `end` bytes were there: as [`MappedFile::check`], with a look at how long the file is now,
    /// since what was cut off within a page reads as zeros without a fault.
    ///
    /// # Errors
    /// [`Shrunk`], [`Unread`].
    pub fn check_to(&self, end: usize) -> anyhow::Result<()> {
        self.check()?;
        let meta = self.file.metadata().map_err(Unread::of(&self.path))?;
        let (was, now) = (self.map.len() as u64, meta.len());
        if now >= end as u64 { Ok(()) } else { Err(Shrunk { path: self.path.clone(), was, now }.into()) }
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}

/// Watches over the pages of a map until it is dropped. Systems other than Unix let nobody cut a file that is
/// mapped.
#[derive(Debug)]
struct Watched {
    #[cfg(unix)]
    range: &'static guard::WatchedRange,
}

impl Watched {
    #[cfg_attr(not(unix), expect(clippy::unnecessary_wraps, unused_variables, reason = "of Unix"))]
    fn new(map: &[u8]) -> anyhow::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            range: guard::watch(map)?,
        })
    }

    fn has_lost(&self) -> bool {
        #[cfg(unix)]
        let lost = self.range.has_lost();
        #[cfg(not(unix))]
        let lost = false;
        lost
    }
}

#[cfg(unix)]
impl Drop for Watched {
    fn drop(&mut self) {
        self.range.unwatch();
    }
}

/// A read of a mapped page that its file no longer has is the signal SIGBUS, which ends a process. Here its
/// handler puts pages of zeros in place of the map's rest, notes that, and the read goes on.
#[cfg(unix)]
mod guard {
    use std::ffi::{c_int, c_void};
    use std::io::Error;
    use std::ptr;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

    /// A range of mapped memory. It never changes and is never freed, for the handler may look at it at any time;
    /// a process maps few files.
    #[derive(Debug)]
    pub struct WatchedRange {
        start: usize,
        end: usize,
        is_mapped: AtomicBool,
        has_lost: AtomicBool,
        next: *const WatchedRange,
    }

    /// All ranges, the newest first.
    static RANGES: AtomicPtr<WatchedRange> = AtomicPtr::new(ptr::null_mut());
    /// What SIGBUS did before, and the size of a page.
    static BEFORE: OnceLock<(libc::sigaction, usize)> = OnceLock::new();

    // SAFETY: a range is shared by all threads; what changes of it is atomic, and `next` is never written again.
    unsafe impl Send for WatchedRange {}
    // SAFETY: as for `Send`.
    unsafe impl Sync for WatchedRange {}

    impl WatchedRange {
        pub fn has_lost(&self) -> bool {
            self.has_lost.load(Ordering::Acquire)
        }

        pub fn unwatch(&self) {
            self.is_mapped.store(false, Ordering::SeqCst);
        }
    }

    /// Watches the bytes of a map.
    pub fn watch(map: &[u8]) -> anyhow::Result<&'static WatchedRange> {
        install()?;
        let start = map.as_ptr().addr();
        let range = Box::leak(Box::new(WatchedRange {
            start,
            end: start + map.len(),
            is_mapped: AtomicBool::new(true),
            has_lost: AtomicBool::new(false),
            next: RANGES.load(Ordering::Acquire),
        }));
        while let Err(newest) =
            RANGES.compare_exchange(range.next.cast_mut(), range, Ordering::SeqCst, Ordering::Acquire)
        {
            range.next = newest;
        }
        Ok(range)
    }

    fn install() -> anyhow::Result<()> {
        static INSTALLED: OnceLock<Result<(), String>> = OnceLock::new();
        let installed = INSTALLED.get_or_init(|| {
            // SAFETY: `sigaction` is plain data; both calls are given valid places, and the handler below
            // has the signature that SA_SIGINFO asks for.
            unsafe {
                let mut before: libc::sigaction = std::mem::zeroed();
                if libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut before) != 0 {
                    return Err(Error::last_os_error().to_string());
                }
                let page = libc::sysconf(libc::_SC_PAGESIZE).max(1) as usize;
                // Before the handler is there that reads it.
                let _ = BEFORE.set((before, page));
                let mut ours: libc::sigaction = std::mem::zeroed();
                ours.sa_sigaction = on_bus_error as *const () as usize;
                // On the stack that the standard library sets aside for its own handler.
                ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                match libc::sigaction(libc::SIGBUS, &raw const ours, ptr::null_mut()) {
                    0 => Ok(()),
                    _ => Err(Error::last_os_error().to_string()),
                }
            }
        });
        installed.clone().map_err(|error| anyhow::anyhow!("cannot watch over mapped files: {error}"))
    }

    /// Does only what a handler may: atomic loads and stores, and system calls that take no lock of this process.
    extern "C" fn on_bus_error(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
        let Some((before, page)) = BEFORE.get() else { return };
        // SAFETY: the system gives a valid `siginfo_t` to a handler that was set with SA_SIGINFO.
        let place = unsafe { (*info).si_addr() }.addr();
        // SAFETY: the list holds null or leaked ranges.
        let mut next = unsafe { RANGES.load(Ordering::Acquire).as_ref() };
        while let Some(range) = next {
            let is_inside = (range.start..range.end.next_multiple_of(*page)).contains(&place);
            if is_inside && range.is_mapped.load(Ordering::SeqCst) && fill(range, place / page * page, *page)
            {
                range.has_lost.store(true, Ordering::Release);
                return;
            }
            // SAFETY: as above.
            next = unsafe { range.next.as_ref() };
        }
        hand_on(before, signal, info, context);
    }

    /// Puts zeros in place of a range's bytes from the page at `from` on.
    fn fill(range: &WatchedRange, from: usize, page: usize) -> bool {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_FIXED;
        let length = range.end.next_multiple_of(page) - from;
        // SAFETY: the pages are those of a file's map that stands and that nobody writes to; they stay mapped and
        // readable. `mmap` is a system call and takes no lock of this process. It may change `errno`, which the
        // interrupted read of memory does not look at, but what stands around it may.
        unsafe {
            let errno = errno();
            let kept = *errno;
            let done =
                libc::mmap(ptr::with_exposed_provenance_mut(from), length, libc::PROT_READ, flags, -1, 0);
            *errno = kept;
            done != libc::MAP_FAILED
        }
    }

    #[cfg(target_os = "linux")]
    unsafe fn errno() -> *mut c_int {
        // SAFETY: always valid for the calling thread.
        unsafe { libc::__errno_location() }
    }

    #[cfg(not(target_os = "linux"))]
    unsafe fn errno() -> *mut c_int {
        // SAFETY: always valid for the calling thread.
        unsafe { libc::__error() }
    }

    /// A fault that is not of a map of ours goes the way it went before.
    fn hand_on(before: &libc::sigaction, signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
        let handler = before.sa_sigaction;
        if handler == libc::SIG_DFL || handler == libc::SIG_IGN {
            // SAFETY: as it was. The read faults again and finds it.
            unsafe { libc::sigaction(signal, before, ptr::null_mut()) };
        } else if before.sa_flags & libc::SA_SIGINFO != 0 {
            // SAFETY: who set it with SA_SIGINFO gave a function of this signature.
            let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) =
                unsafe { std::mem::transmute(ptr::with_exposed_provenance::<()>(handler)) };
            handler(signal, info, context);
        } else {
            // SAFETY: who set it without gave a function of this one.
            let handler: extern "C" fn(c_int) =
                unsafe { std::mem::transmute(ptr::with_exposed_provenance::<()>(handler)) };
            handler(signal);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;

    use super::*;

    const PAGES: usize = 8;

    fn pages_of_ones(path: &Path) -> MappedFile {
        let bytes = vec![1; PAGES << 12];
        std::fs::write(path, &bytes).unwrap();
        MappedFile::open(path, bytes.len() as u64).unwrap()
    }

    #[test]
    fn what_was_cut_off_is_an_error_with_the_files_name() {
        let folder = tempfile::tempdir().unwrap();
        let (cut, whole) = (folder.path().join("a.bin"), folder.path().join("b.bin"));
        let (map, other) = (pages_of_ones(&cut), pages_of_ones(&whole));
        std::fs::OpenOptions::new().write(true).open(&cut).unwrap().set_len(100).unwrap();
        map.check().unwrap();
        // From all threads at once, in any order.
        let sums = |map: &MappedFile| -> usize {
            std::thread::scope(|scope| {
                let count = |page: usize| {
                    map[page << 12..(page + 1) << 12].iter().map(|b| usize::from(*b)).sum::<usize>()
                };
                let each: Vec<_> = (0..PAGES).rev().map(|page| scope.spawn(move || count(page))).collect();
                each.into_iter().map(|sum| sum.join().unwrap()).sum()
            })
        };
        assert!(sums(&map) <= 1 << 12);
        assert_eq!(sums(&other), PAGES << 12);
        other.check().unwrap();
        let error = map.check().unwrap_err();
        let Shrunk { path, was, now } = error.downcast_ref().unwrap();
        assert_eq!((path, *was, *now), (&cut, (PAGES << 12) as u64, 100));
        assert!(error.to_string().contains("a.bin was cut while it was in use: 100 bytes are left of 32768"));
    }

    /// In a process of its own: a bus error that is not of a map of ours ends it as it always did.
    #[test]
    fn another_bus_error_still_ends_the_process() {
        const CHILD: &str = "BAGSSL_TEST_BUS_ERROR";
        if let Some(folder) = std::env::var_os(CHILD) {
            let _ours = pages_of_ones(&Path::new(&folder).join("ours"));
            let path = Path::new(&folder).join("theirs");
            std::fs::write(&path, [1; 100]).unwrap();
            let file = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
            // SAFETY: read below, to fail.
            let map = unsafe { memmap2::Mmap::map(&file) }.unwrap();
            file.set_len(0).unwrap();
            println!("{}", map[50]);
            return;
        }
        use std::os::unix::process::ExitStatusExt;
        let folder = tempfile::tempdir().unwrap();
        let name = "files::mapped::tests::another_bus_error_still_ends_the_process";
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, folder.path())
            .output()
            .unwrap();
        assert_eq!(output.status.signal(), Some(libc::SIGBUS), "{output:?}");
    }
}
