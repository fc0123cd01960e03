//! A disk that fails when it is told to: laid under the program by `LD_PRELOAD`, it lets one call on a file below a
//! folder fail, or ends the process there. Told by environment variables:
//!
//! | variable | meaning |
//! |---|---|
//! | `BAGSSL_FAULT_PREFIX` | only files whose absolute path begins so |
//! | `BAGSSL_FAULT_CALLS` | letters of [`CALLS`](self): o open to read, c open to write, r read, m map, w write, t set the length, s flush, n rename, u remove, d make a folder, l list a folder, x ask about |
//! | `BAGSSL_FAULT_NTH` | which of them, from 0 |
//! | `BAGSSL_FAULT_ERRNO` | the error's number; 0: the process is killed at this call |
//! | `BAGSSL_FAULT_STAYS` | `1`: so do all later ones, as on a full disk |
//! | `BAGSSL_FAULT_LOG` | this file gets the letter of every call that could have failed, and `!` for each that did |
//!
//! The tests build it by `rustc` alone, so it uses no crate; it is an example of the package so that it is linted.

#![cfg(target_os = "linux")]
#![cfg_attr(test, allow(dead_code, reason = "nothing here is run by a test harness"))]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn __errno_location() -> *mut c_int;
    fn getenv(name: *const c_char) -> *const c_char;
    fn getpid() -> c_int;
    fn kill(process: c_int, signal: c_int) -> c_int;
}

const RTLD_NEXT: *mut c_void = usize::MAX as *mut c_void;
const SIGKILL: c_int = 9;
const O_ACCMODE: c_int = 3;
const O_LOG: c_int = 0o2101;
const MAP_FAILED: *mut c_void = usize::MAX as *mut c_void;

/// What is to fail.
struct Plan {
    prefix: &'static [u8],
    calls: &'static [u8],
    nth: u64,
    errno: c_int,
    stays: bool,
    log: Option<&'static CStr>,
}

static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
static SEEN: AtomicU64 = AtomicU64::new(0);
static LOG: AtomicI32 = AtomicI32::new(-1);
/// Files that are open and lie below the prefix.
static WATCHED: [AtomicBool; 4096] = [const { AtomicBool::new(false) }; 4096];

fn told(name: &CStr) -> Option<&'static CStr> {
    // SAFETY: a name that ends with a zero.
    let value = unsafe { getenv(name.as_ptr()) };
    // SAFETY: the program changes its environment only before other threads run, and none of these variables.
    (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) })
}

fn plan() -> Option<&'static Plan> {
    let read = || {
        let number = |name| told(name)?.to_str().ok()?.parse::<i64>().ok();
        Some(Plan {
            prefix: told(c"BAGSSL_FAULT_PREFIX")?.to_bytes(),
            calls: told(c"BAGSSL_FAULT_CALLS").map_or(b"", CStr::to_bytes),
            nth: number(c"BAGSSL_FAULT_NTH").unwrap_or(i64::MAX) as u64,
            errno: number(c"BAGSSL_FAULT_ERRNO").unwrap_or(5) as c_int,
            stays: told(c"BAGSSL_FAULT_STAYS").is_some(),
            log: told(c"BAGSSL_FAULT_LOG"),
        })
    };
    PLAN.get_or_init(read).as_ref()
}

/// The function of this name that the program would have called.
macro_rules! real {
    ($name:expr, fn($($of:ty),* $(,)?) -> $to:ty) => {{
        static REAL: OnceLock<usize> = OnceLock::new();
        // SAFETY: the system's function of this name has this signature, and is there.
        unsafe {
            let found = *REAL.get_or_init(|| dlsym(RTLD_NEXT, $name.as_ptr()) as usize);
            std::mem::transmute::<usize, unsafe extern "C" fn($($of),*) -> $to>(found)
        }
    }};
}

fn write_down(plan: &Plan, letter: u8) {
    let Some(path) = plan.log else { return };
    let open = real!(c"open", fn(*const c_char, c_int, c_int) -> c_int);
    let write = real!(c"write", fn(c_int, *const c_void, usize) -> isize);
    let mut log = LOG.load(Ordering::Relaxed);
    // SAFETY: valid places and lengths; `open` and `write` are the system's.
    unsafe {
        if log < 0 {
            log = open(path.as_ptr(), O_LOG, 0o600);
            LOG.store(log, Ordering::Relaxed);
        }
        write(log, (&raw const letter).cast(), 1);
    }
}

/// Whether this call on a file that is watched fails; then the error is set.
fn fails(letter: u8) -> bool {
    let Some(plan) = plan() else { return false };
    if plan.calls.is_empty() {
        write_down(plan, letter);
    }
    if !plan.calls.contains(&letter) {
        return false;
    }
    let seen = SEEN.fetch_add(1, Ordering::SeqCst);
    if seen != plan.nth && !(plan.stays && seen > plan.nth) {
        return false;
    }
    write_down(plan, b'!');
    // SAFETY: a signal to ourselves, and the thread's own error number.
    unsafe {
        if plan.errno == 0 {
            kill(getpid(), SIGKILL);
        }
        *__errno_location() = plan.errno;
    }
    true
}

fn is_inside(path: *const c_char) -> bool {
    // SAFETY: the program gives a path that ends with a zero.
    plan().is_some_and(|plan| unsafe { CStr::from_ptr(path) }.to_bytes().starts_with(plan.prefix))
}

fn is_watched(file: c_int) -> bool {
    WATCHED.get(file as usize).is_some_and(|watched| watched.load(Ordering::Relaxed))
}

/// Whether a path is watched that may be relative to an open folder.
fn is_inside_at(folder: c_int, path: *const c_char) -> bool {
    // SAFETY: as above.
    let is_relative = !unsafe { CStr::from_ptr(path) }.to_bytes().starts_with(b"/");
    if is_relative { is_watched(folder) } else { is_inside(path) }
}

fn opened(file: c_int, inside: bool) -> c_int {
    if let Some(watched) = WATCHED.get(file as usize) {
        watched.store(inside, Ordering::Relaxed);
    }
    file
}

fn open_letter(flags: c_int) -> u8 {
    if flags & O_ACCMODE == 0 { b'o' } else { b'c' }
}

macro_rules! opens {
    ($($name:ident)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(path: *const c_char, flags: c_int, mode: c_int) -> c_int {
            let inside = is_inside(path);
            if inside && fails(open_letter(flags)) {
                return -1;
            }
            let name = const { ended(concat!(stringify!($name), "\0")) };
            let real = real!(name, fn(*const c_char, c_int, c_int) -> c_int);
            // SAFETY: what the program gave.
            opened(unsafe { real(path, flags, mode) }, inside)
        }
    )*};
}

macro_rules! opens_at {
    ($($name:ident)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(folder: c_int, path: *const c_char, flags: c_int, mode: c_int) -> c_int {
            let inside = is_inside_at(folder, path);
            if inside && fails(open_letter(flags)) {
                return -1;
            }
            let name = const { ended(concat!(stringify!($name), "\0")) };
            let real = real!(name, fn(c_int, *const c_char, c_int, c_int) -> c_int);
            // SAFETY: what the program gave.
            opened(unsafe { real(folder, path, flags, mode) }, inside)
        }
    )*};
}

const fn ended(name: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(name.as_bytes()) {
        Ok(name) => name,
        Err(_) => panic!("a name without a zero at its end"),
    }
}

/// Functions that take an open file first.
macro_rules! of_files {
    ($($letter:literal $name:ident($($arg:ident: $of:ty),*) -> $to:ty;)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(file: c_int, $($arg: $of),*) -> $to {
            if is_watched(file) && fails($letter) {
                return -1;
            }
            let name = const { ended(concat!(stringify!($name), "\0")) };
            let real = real!(name, fn(c_int, $($of),*) -> $to);
            // SAFETY: what the program gave.
            unsafe { real(file, $($arg),*) }
        }
    )*};
}

/// Functions that take a path first.
macro_rules! of_paths {
    ($($letter:literal $name:ident($($arg:ident: $of:ty),*) -> $to:ty, $wrong:expr;)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(path: *const c_char, $($arg: $of),*) -> $to {
            if is_inside(path) && fails($letter) {
                return $wrong;
            }
            let name = const { ended(concat!(stringify!($name), "\0")) };
            let real = real!(name, fn(*const c_char, $($of),*) -> $to);
            // SAFETY: what the program gave.
            unsafe { real(path, $($arg),*) }
        }
    )*};
}

opens! { open open64 }
opens_at! { openat openat64 }
of_files! {
    b'r' read(to: *mut c_void, most: usize) -> isize;
    b'r' pread(to: *mut c_void, most: usize, at: i64) -> isize;
    b'r' pread64(to: *mut c_void, most: usize, at: i64) -> isize;
    b'r' readv(to: *const c_void, count: c_int) -> isize;
    b'w' write(from: *const c_void, count: usize) -> isize;
    b'w' pwrite(from: *const c_void, count: usize, at: i64) -> isize;
    b'w' pwrite64(from: *const c_void, count: usize, at: i64) -> isize;
    b'w' writev(from: *const c_void, count: c_int) -> isize;
    b't' ftruncate(length: i64) -> c_int;
    b't' ftruncate64(length: i64) -> c_int;
    b's' fsync() -> c_int;
    b's' fdatasync() -> c_int;
    b'x' fstat(to: *mut c_void) -> c_int;
    b'x' fstat64(to: *mut c_void) -> c_int;
}
of_paths! {
    b'n' rename(to: *const c_char) -> c_int, -1;
    b'u' unlink() -> c_int, -1;
    b'u' rmdir() -> c_int, -1;
    b'd' mkdir(mode: c_int) -> c_int, -1;
    b'l' opendir() -> *mut c_void, std::ptr::null_mut();
    b'x' stat(to: *mut c_void) -> c_int, -1;
    b'x' stat64(to: *mut c_void) -> c_int, -1;
    b'x' lstat(to: *mut c_void) -> c_int, -1;
    b'x' lstat64(to: *mut c_void) -> c_int, -1;
}

#[unsafe(no_mangle)]
unsafe extern "C" fn close(file: c_int) -> c_int {
    opened(file, false);
    let real = real!(c"close", fn(c_int) -> c_int);
    // SAFETY: what the program gave.
    unsafe { real(file) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn unlinkat(folder: c_int, path: *const c_char, flags: c_int) -> c_int {
    if is_inside_at(folder, path) && fails(b'u') {
        return -1;
    }
    let real = real!(c"unlinkat", fn(c_int, *const c_char, c_int) -> c_int);
    // SAFETY: what the program gave.
    unsafe { real(folder, path, flags) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn statx(
    folder: c_int,
    path: *const c_char,
    flags: c_int,
    mask: u32,
    to: *mut c_void,
) -> c_int {
    // Of an open file: without a path.
    let is_of_file = path.is_null() || is_empty(path);
    let inside = if is_of_file { is_watched(folder) } else { is_inside_at(folder, path) };
    if inside && fails(b'x') {
        return -1;
    }
    let real = real!(c"statx", fn(c_int, *const c_char, c_int, u32, *mut c_void) -> c_int);
    // SAFETY: what the program gave.
    unsafe { real(folder, path, flags, mask, to) }
}

fn is_empty(path: *const c_char) -> bool {
    // SAFETY: a path that ends with a zero.
    unsafe { CStr::from_ptr(path) }.is_empty()
}

macro_rules! maps {
    ($($name:ident)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(
            at: *mut c_void,
            length: usize,
            protection: c_int,
            flags: c_int,
            file: c_int,
            offset: i64,
        ) -> *mut c_void {
            if file >= 0 && is_watched(file) && fails(b'm') {
                return MAP_FAILED;
            }
            let name = const { ended(concat!(stringify!($name), "\0")) };
            let real = real!(name, fn(*mut c_void, usize, c_int, c_int, c_int, i64) -> *mut c_void);
            // SAFETY: what the program gave.
            unsafe { real(at, length, protection, flags, file, offset) }
        }
    )*};
}

maps! { mmap mmap64 }
