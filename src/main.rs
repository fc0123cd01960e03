//! The program: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    quiet_the_driver();
    bagssl::cli::main()
}

/// Without a session's folder there is no Wayland to ask which GPU the screen hangs on; a layer of Mesa asks all the
/// same, and complains on stderr each time.
fn quiet_the_driver() {
    if cfg!(target_os = "linux") && std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: no other thread runs yet.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}
