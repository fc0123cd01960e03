//! The real program in a real window on a virtual screen (Xvfb), worked by mouse and keyboard (xdotool): a patch
//! is clicked, a neighbour is followed, a figure is exported through the palette, a link is copied and a picture
//! pasted (xclip), the window is closed. Its picture is compared with `tests/snapshots/window.png`;
//! `UPDATE_SNAPSHOTS=1` renews that.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime};

use image::{GrayImage, Rgb, RgbImage};

use super::support::{program, text};

const SIZE: (u32, u32) = (1280, 800);
/// Side of the blocks that are compared by their mean. Within one, the digits of a time or a rate and the
/// rounding of a driver average out; a panel that is missing, empty or elsewhere does not.
const BLOCK: u32 = 8;
/// Mean difference of a panel's blocks, grey levels of 255, at which the window counts as broken. Two runs
/// of a sound window differ by less than 0.5, an empty panel by 8 or more (the test asserts this of its own
/// reference), so either side has a margin of about a factor of three.
const THRESHOLD: f64 = 2.0;
/// The panels: left, top, right, bottom.
const PANELS: [(&str, [u32; 4]); 5] = [
    ("top bar", [0, 0, 1280, 40]),
    ("images", [0, 40, 184, 768]),
    ("heatmaps", [184, 40, 1064, 424]),
    ("galleries", [184, 424, 1064, 768]),
    ("inspector", [1064, 40, 1280, 768]),
];

/// A program that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A virtual screen with the program on it.
pub struct Screen {
    folder: tempfile::TempDir,
    display: String,
    // Ended in this order: the program before its screen.
    program: Option<Running>,
    _server: Running,
}

impl Screen {
    /// `None` where Xvfb or xdotool is missing.
    pub fn start() -> Option<Self> {
        for tool in ["Xvfb", "xdotool"] {
            if Command::new(tool).arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).spawn().is_err()
            {
                println!("skipped: {tool} is not installed");
                return None;
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let screen = format!("{}x{}x24", SIZE.0, SIZE.1);
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0", &screen, "-fbdir"])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb starts");
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).expect("Xvfb says its display");
        let display = format!(":{}", number.trim());
        Some(Self { folder, display, program: None, _server: Running(server) })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program with a home of its own, on the software adapter.
    pub fn command(&self) -> Command {
        let mut command = program();
        command.env("DISPLAY", &self.display).env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET");
        for home in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
            command.env(home, self.path("home"));
        }
        if let Some(driver) = software_driver() {
            command.env("VK_ICD_FILENAMES", &driver).env("VK_DRIVER_FILES", &driver);
        }
        command.args(["--device", "cpu", "--threads", "2"]);
        command
    }

    /// Opens the built-in data and waits for the window; where it lies: left, top, width, height.
    fn open_built_in(&mut self) -> Vec<i64> {
        let program = self.command().arg("gui").stderr(Stdio::null()).spawn().expect("the program starts");
        self.program = Some(Running(program));
        let find =
            ["search", "--sync", "--onlyvisible", "--name", "^bagssl$", "getwindowgeometry", "--shell"];
        let found = Command::new("xdotool").args(find).env("DISPLAY", &self.display).output().unwrap();
        let words = String::from_utf8_lossy(&found.stdout).into_owned();
        let number = |key: &str| words.lines().find_map(|line| line.strip_prefix(key)?.parse().ok());
        ["X=", "Y=", "WIDTH=", "HEIGHT="]
            .map(|key| number(key).unwrap_or_else(|| panic!("{key} {words}")))
            .into()
    }

    fn open(&mut self) {
        let data = self.path("scenes");
        if !data.exists() {
            self.make(&data);
        }
        let program =
            self.command().args(["gui", "--data", text(&data)]).spawn().expect("the program starts");
        self.program = Some(Running(program));
        // No window manager gives it the keyboard.
        self.xdotool(&["search", "--sync", "--onlyvisible", "--name", "^bagssl$", "windowfocus", "--sync"]);
    }

    fn make(&self, data: &Path) {
        let synth = ["data", "synth", "--seed", "0", "--images", "24", "--size", "64", "--out", text(data)];
        let made = self.command().args(synth).output().expect("the program starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    /// How the program ends, which must be soon.
    fn end(&mut self) -> ExitStatus {
        let mut program = self.program.take().expect("it was started");
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = program.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the window does not close");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn xdotool(&self, args: &[&str]) {
        assert!(self.try_xdotool(args), "xdotool {args:?}");
    }

    /// Whether it could be done.
    pub fn try_xdotool(&self, args: &[&str]) -> bool {
        let mut command = Command::new("xdotool");
        command.args(args).env("DISPLAY", &self.display).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().expect("xdotool starts").success()
    }

    fn click(&self, x: u32, y: u32) {
        self.xdotool(&["mousemove", &x.to_string(), &y.to_string(), "sleep", "0.1", "click", "1"]);
    }

    /// What is on the screen, from the file that Xvfb keeps it in (the format of `xwd`).
    fn picture(&self) -> RgbImage {
        let file = std::fs::read(self.path("Xvfb_screen0")).expect("Xvfb keeps its screen in a file");
        let number = |index: usize| u32::from_be_bytes(file[4 * index..4 * index + 4].try_into().unwrap());
        let (header, width, height, bits, line, colors) =
            (number(0), number(4), number(5), number(11), number(12), number(19));
        assert_eq!((width, height, bits), (SIZE.0, SIZE.1, 32));
        let start = (header + 12 * colors) as usize;
        RgbImage::from_fn(width, height, |x, y| {
            let at = start + (y * line + 4 * x) as usize;
            Rgb([file[at + 2], file[at + 1], file[at]])
        })
    }

    /// The picture once nothing changes any more and `ready` holds of it.
    fn settled(&self, what: &str, ready: impl Fn(&RgbImage) -> bool) -> RgbImage {
        let deadline = Instant::now() + Duration::from_secs(120);
        let (mut last, mut alike) = (self.picture(), 0);
        loop {
            std::thread::sleep(Duration::from_millis(800));
            let now = self.picture();
            // A gallery that grows on a busy machine may stand still for a moment.
            alike = if now == last { alike + 1 } else { 0 };
            if alike >= 2 && ready(&now) {
                return now;
            }
            if Instant::now() > deadline {
                let path = std::env::temp_dir().join("bagssl-window.png");
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                now.save(&path).unwrap();
                panic!("{what}: not within two minutes; the screen is in {}", path.display());
            }
            last = now;
        }
    }
}

/// Whether a file of settings below `folder` was written after `moment`.
fn has_settings_since(folder: &Path, moment: SystemTime) -> bool {
    let mut found = std::fs::read_dir(folder).into_iter().flatten().flatten();
    found.any(|entry| {
        let path = entry.path();
        let is_ours = folder.ends_with("bagssl") && entry.metadata().is_ok_and(|meta| meta.is_file());
        let is_new = || entry.metadata().and_then(|meta| meta.modified()).is_ok_and(|time| time >= moment);
        (is_ours && is_new()) || (path.is_dir() && has_settings_since(&path, moment))
    })
}

/// The description of Mesa's software driver, where it is installed.
fn software_driver() -> Option<PathBuf> {
    let files = std::fs::read_dir("/usr/share/vulkan/icd.d").ok()?;
    let is_software = |path: &PathBuf| path.to_string_lossy().contains("lvp_icd");
    files.filter_map(|file| Some(file.ok()?.path())).find(is_software)
}

/// Means of blocks, of red, green and blue alike.
fn blocks(picture: &RgbImage) -> GrayImage {
    GrayImage::from_fn(picture.width() / BLOCK, picture.height() / BLOCK, |x, y| {
        let pixels = (0..BLOCK * BLOCK).flat_map(|at| {
            let pixel = picture.get_pixel(x * BLOCK + at % BLOCK, y * BLOCK + at / BLOCK);
            pixel.0.map(u32::from)
        });
        image::Luma([(pixels.sum::<u32>() / (3 * BLOCK * BLOCK)) as u8])
    })
}

/// Mean difference of the blocks within a panel, grey levels.
fn difference(a: &GrayImage, b: &GrayImage, panel: [u32; 4]) -> f64 {
    let [left, top, right, bottom] = panel.map(|at| at / BLOCK);
    let places = (top..bottom).flat_map(|y| (left..right).map(move |x| (x, y)));
    let (sum, number) = places.fold((0.0, 0), |(sum, number), (x, y)| {
        (sum + f64::from(a.get_pixel(x, y).0[0].abs_diff(b.get_pixel(x, y).0[0])), number + 1)
    });
    sum / f64::from(number)
}

fn panel(name: &str) -> [u32; 4] {
    PANELS.iter().find(|(other, _)| *other == name).expect("a panel").1
}

/// Whether a part of the window shows something else than before.
fn has_changed(name: &str, before: &RgbImage, now: &RgbImage) -> bool {
    difference(&blocks(before), &blocks(now), panel(name)) > 0.5
}

/// A panel with nothing in it: all of its colour in the top-left corner.
fn emptied(picture: &GrayImage, [left, top, right, bottom]: [u32; 4]) -> GrayImage {
    let mut picture = picture.clone();
    let background = *picture.get_pixel(left / BLOCK, top / BLOCK);
    for y in top / BLOCK..bottom / BLOCK {
        (left / BLOCK..right / BLOCK).for_each(|x| picture.put_pixel(x, y, background));
    }
    picture
}

fn compare_with_reference(picture: &RgbImage) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/window.png");
    let now = blocks(picture);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        now.save(&path).unwrap();
    }
    let reference = image::open(&path).expect("the reference; UPDATE_SNAPSHOTS=1 makes it").to_luma8();
    for (name, panel) in PANELS {
        let (found, empty) =
            (difference(&now, &reference, panel), difference(&emptied(&reference, panel), &reference, panel));
        println!("{name}: {found:.2} from the reference; an empty one {empty:.1}");
        assert!(empty > 3.0 * THRESHOLD, "{name}: an empty panel would differ by {empty:.1} only");
        if found > THRESHOLD {
            let shot = std::env::temp_dir().join("bagssl-window.png");
            picture.save(&shot).unwrap();
            panic!(
                "{name} differs by {found:.2} grey levels from {}; see {}",
                path.display(),
                shot.display()
            );
        }
    }
}

/// What `look` finds, as soon as it does.
fn eventually<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within two minutes");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What is copied reaches other programs, and a picture of theirs that is pasted becomes the query.
fn use_clipboard(screen: &Screen) {
    let xclip = |args: &[&str]| {
        let mut command = Command::new("xclip");
        command.env("DISPLAY", &screen.display).args(["-selection", "clipboard"]).args(args);
        command
    };
    if xclip(&["-version"]).stderr(Stdio::null()).status().is_err() {
        println!("clipboard skipped: xclip is not installed");
        return;
    }
    screen.settled("the dialog has gone", |_| true);
    screen.xdotool(&["key", "ctrl+l"]);
    eventually("a link is copied", || {
        let copied = xclip(&["-o"]).output().unwrap().stdout;
        let copied = String::from_utf8_lossy(&copied).into_owned();
        (copied.starts_with("bagssl:1?model=demo") && copied.contains("query=")).then_some(())
    });
    let before = screen.settled("it says what was copied", |_| true);

    let picture = screen.path("outside.png");
    RgbImage::from_fn(24, 24, |x, y| Rgb([10 * x as u8, 10 * y as u8, 90])).save(&picture).unwrap();
    // It goes on beside this until the screen ends, as the owner of the clipboard.
    let owner = xclip(&["-t", "image/png", "-i", text(&picture)]).stdout(Stdio::null()).status();
    assert!(owner.unwrap().success());
    screen.xdotool(&["key", "ctrl+v"]);
    let pasted =
        screen.settled("the pasted picture is the query", |now| has_changed("galleries", &before, now));
    assert!(has_changed("inspector", &before, &pasted));
}

#[test]
fn a_session_in_a_real_window() {
    let Some(mut screen) = Screen::start() else { return };
    screen.open();
    let start = screen.settled("the window is drawn", |now| {
        // Everything is there: pictures stand where only a background was.
        let blocks = blocks(now);
        PANELS
            .iter()
            .all(|(_, panel)| difference(&emptied(&blocks, *panel), &blocks, *panel) > 3.0 * THRESHOLD)
    });
    compare_with_reference(&start);

    // A patch near the corner of the image, far from the query that the program chose.
    screen.click(250, 215);
    let asked = screen.settled("the clicked patch is the query", |now| has_changed("galleries", &start, now));
    assert!(has_changed("heatmaps", &start, &asked));

    // The last cells of the first row of z's gallery.
    screen.click(500, 450);
    let there = screen.settled("the neighbour's image", |now| has_changed("heatmaps", &asked, now));
    assert!(has_changed("galleries", &asked, &there));

    let figure = screen.path("heatmaps.svg");
    screen.xdotool(&["key", "ctrl+p"]);
    let palette = screen.settled("the palette", |now| has_changed("heatmaps", &there, now));
    screen.xdotool(&["type", "--delay", "30", "export heat"]);
    let found = screen.settled("what it finds", |now| has_changed("heatmaps", &palette, now));
    screen.xdotool(&["key", "Return"]);
    let dialog = screen.settled("the dialog", |now| has_changed("heatmaps", &found, now));
    screen.xdotool(&["key", "ctrl+a"]);
    screen.xdotool(&["type", "--delay", "30", text(&figure)]);
    screen.settled("the file's name", |now| *now != dialog);
    screen.xdotool(&["key", "Return"]);
    eventually("the figure is written", || figure.is_file().then_some(()));

    use_clipboard(&screen);

    screen.xdotool(&["key", "ctrl+q"]);
    let status = screen.end();
    assert!(status.success(), "{status}");
}

#[test]
#[cfg(unix)]
fn a_signal_closes_a_real_window_as_its_button_does() {
    let Some(mut screen) = Screen::start() else { return };
    for signal in [libc::SIGTERM, libc::SIGINT] {
        screen.open();
        let program = screen.program.as_ref().expect("it was started").0.id();
        // Its first frames, then a size of the interface that is written when it closes, if not before.
        let first =
            screen.settled("something is drawn", |now| now.pixels().any(|at| at != now.get_pixel(0, 0)));
        let asked = SystemTime::now();
        screen.xdotool(&["key", "ctrl+plus"]);
        screen.settled("it is larger", |now| *now != first);
        // SAFETY: the process is a child that has not been waited for.
        assert_eq!(unsafe { libc::kill(program as i32, signal) }, 0);
        let status = screen.end();
        assert!(status.success(), "{status}");
        assert!(has_settings_since(&screen.path("home"), asked), "the window's state is not saved");
    }
}

#[test]
fn whatever_its_settings_say_a_window_comes_up_and_is_seen() {
    let Some(mut screen) = Screen::start() else { return };
    let settings = screen.path("home/bagssl/settings.json");
    std::fs::create_dir_all(settings.parent().unwrap()).unwrap();
    for window in [
        r#"{"zoom":0}"#,
        r#"{"zoom":1e9,"size":[0,0]}"#,
        r#"{"zoom":0.001,"position":[1e9,-1e9]}"#,
        r#"{"position":[5000,4000]}"#,
        r#"{"position":[-3000,20],"size":[900,700]}"#,
    ] {
        std::fs::write(&settings, format!("{{\"window\":{window}}}")).unwrap();
        let [left, top, width, height] = screen.open_built_in()[..] else { panic!() };
        assert!(
            left < 1200 && top < 760 && left + width > 100 && top + height > 100,
            "{window}: {left} {top}"
        );
        assert!(width >= 800 && height >= 560, "{window}: {width}x{height}");
        let empty = screen.picture();
        screen.settled("something is drawn", |now| {
            now.pixels().any(|pixel| pixel != empty.get_pixel(640, 400))
        });
        screen.program = None;
    }
}

#[test]
fn a_window_without_a_display_or_a_library_says_what_is_missing() {
    let say = |command: &mut Command| {
        let output = command.output().expect("the program starts");
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let mut command = program();
    command.args(["--device", "cpu"]);
    for name in ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"] {
        command.env_remove(name);
    }
    let words = say(&mut command);
    assert!(words.contains("no display to open on"), "{words}");
    // A file that is no library stands before the real one.
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("libxkbcommon-x11.so.0"), "").unwrap();
    let words = say(command.env("DISPLAY", ":99").env("LD_LIBRARY_PATH", folder.path()));
    assert!(
        words.contains("without libxkbcommon-x11.so.0") && words.contains("libxkbcommon-x11-0"),
        "{words}"
    );
}
