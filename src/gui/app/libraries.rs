//! The system's libraries that a window loads while it opens. winit and wgpu panic or speak in riddles where one
//! is missing, so they are looked for first, and a missing one is told by its name.

#[cfg(target_os = "linux")]
use anyhow::bail;

/// File name of a library, and the Debian package that has it.
#[cfg(target_os = "linux")]
type Library = (&'static str, &'static str);

#[cfg(target_os = "linux")]
const ALWAYS: [Library; 2] =
    [("libvulkan.so.1", "libvulkan1 mesa-vulkan-drivers"), ("libxkbcommon.so.0", "libxkbcommon0")];
#[cfg(target_os = "linux")]
const WAYLAND: [Library; 1] = [("libwayland-client.so.0", "libwayland-client0")];
#[cfg(target_os = "linux")]
const X11: [Library; 5] = [
    ("libX11.so.6", "libx11-6"),
    ("libX11-xcb.so.1", "libx11-xcb1"),
    ("libXcursor.so.1", "libxcursor1"),
    ("libXi.so.6", "libxi6"),
    ("libxkbcommon-x11.so.0", "libxkbcommon-x11-0"),
];

/// Whether a window has a display to open on and all that it loads.
///
/// # Errors
/// There is no display; a library cannot be loaded: which one, and what brings it.
#[cfg(target_os = "linux")]
pub fn check() -> anyhow::Result<()> {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    // As winit chooses.
    if is_set("WAYLAND_DISPLAY") || is_set("WAYLAND_SOCKET") {
        return check_all(ALWAYS.iter().chain(&WAYLAND));
    }
    if is_set("DISPLAY") {
        return check_all(ALWAYS.iter().chain(&X11));
    }
    bail!(
        "the window has no display to open on: expected WAYLAND_DISPLAY or DISPLAY to be set. Every other command \
         works without a window"
    )
}

/// Elsewhere they come with the system.
#[cfg(not(target_os = "linux"))]
pub fn check() -> anyhow::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
fn check_all(libraries: impl IntoIterator<Item = &'static Library>) -> anyhow::Result<()> {
    let mut missing = vec![];
    for (file, package) in libraries {
        // SAFETY: loads what the window is about to load itself; nothing in it is called.
        if let Err(error) = unsafe { libloading::Library::new(*file) } {
            missing.push((*file, *package, error));
        }
    }
    let Some((_, _, first)) = missing.first() else { return Ok(()) };
    let files: Vec<&str> = missing.iter().map(|(file, ..)| *file).collect();
    let packages: Vec<&str> = missing.iter().map(|(_, package, _)| *package).collect();
    bail!(
        "the window cannot be opened without {} ({first}); on Debian: apt install {}. Every other command works \
         without a window",
        files.join(", "),
        packages.join(" ")
    )
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn missing_libraries_are_named_with_their_packages() {
        const LIBRARIES: [Library; 3] =
            [("libc.so.6", "libc6"), ("libnone.so.7", "libnone7"), ("libless.so.1", "libless1")];
        let error = check_all(&LIBRARIES).unwrap_err().to_string();
        assert!(
            error.contains("without libnone.so.7, libless.so.1 (") && !error.contains("libc.so.6,"),
            "{error}"
        );
        assert!(error.contains("apt install libnone7 libless1."), "{error}");
        assert!(check_all(&LIBRARIES[..1]).is_ok());
    }
}
