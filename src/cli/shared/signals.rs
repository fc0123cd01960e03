//! What asks the program to end: Ctrl-C (SIGINT), SIGTERM of schedulers, SIGHUP of terminals and connections that close.

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::voice::say;

/// How long work may take to end well. What is written is as safe from an end in its midst as from a kill.
const PATIENCE: Duration = Duration::from_secs(8);

/// Exit status of a program that was asked to end before its work was done, as shells have it for Ctrl-C.
const INTERRUPTED: u8 = 130;

/// The exit status of work that was asked to end, and has.
pub fn interrupted() -> ExitCode {
    ExitCode::from(INTERRUPTED)
}

/// Calls `stop` when the program is asked to end. Asked a second time, or [`PATIENCE`] after the first, it ends at once.
///
/// # Errors
/// The system gives no ear.
pub fn listen(stop: impl Fn() + Send + 'static) -> anyhow::Result<()> {
    let is_left_running = hangup::is_ignored();
    let mut was_asked = false;
    let heard = move || {
        if std::mem::replace(&mut was_asked, true) {
            leave();
        }
        // A watch that cannot be started leaves the second Ctrl-C.
        let _ = thread::Builder::new().name("patience".into()).spawn(watch);
        stop();
    };
    ctrlc::set_handler(heard).context("could not listen for Ctrl-C")?;
    if is_left_running {
        hangup::ignore();
    }
    Ok(())
}

fn watch() {
    let asked = Instant::now();
    while let Some(left) = PATIENCE.checked_sub(asked.elapsed()) {
        thread::park_timeout(left);
    }
    say("a piece of work takes too long to wait for its end; what was written before stands");
    leave();
}

/// Ends the program without the destructors of libraries, which would meet threads at work.
#[cfg(unix)]
fn leave() -> ! {
    // SAFETY: it takes a number and does not return.
    unsafe { libc::_exit(INTERRUPTED.into()) }
}

#[cfg(not(unix))]
#[expect(clippy::disallowed_methods, reason = "what is to end does not return")]
fn leave() -> ! {
    std::process::exit(INTERRUPTED.into())
}

/// `nohup` starts programs that a closed terminal is not to end.
#[cfg(unix)]
mod hangup {
    use std::mem::MaybeUninit;

    pub fn is_ignored() -> bool {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: where no action is given, the present one is only written to `action`, which is of its type and for
        // which zeros are a value.
        let action = unsafe {
            libc::sigaction(libc::SIGHUP, std::ptr::null(), action.as_mut_ptr());
            action.assume_init()
        };
        action.sa_sigaction == libc::SIG_IGN
    }

    pub fn ignore() {
        // SAFETY: ignoring a signal takes no handler that could be unsound.
        unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
    }
}

#[cfg(not(unix))]
mod hangup {
    pub fn is_ignored() -> bool {
        false
    }

    pub fn ignore() {}
}
