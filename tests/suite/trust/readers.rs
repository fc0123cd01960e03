//! Every reader of the library, with valid files to be spoilt and hostile ones.

use std::path::Path;

use super::{lines, records, sets};

/// Something that reads files which others may have written.
pub struct Reader {
    pub name: &'static str,
    /// Spoilt inputs, by default.
    pub inputs: usize,
    /// Lays files in place, given the world's folder.
    pub lay: fn(&Path, &Path),
    /// Which of them are spoilt; the others are read as they are.
    pub is_spoilt: fn(&str) -> bool,
    /// Reads what lies there, of which one file was spoilt.
    pub read: fn(&Path, &str) -> anyhow::Result<()>,
    /// Whether an error names the file, or its folder.
    pub names_file: bool,
    /// Whether what is read is written, too: then the files are laid anew each time.
    pub is_written: bool,
}

const PLAIN: Reader = Reader {
    name: "",
    inputs: 0,
    lay: |_, _| (),
    is_spoilt: |_| true,
    read: |_, _| Ok(()),
    names_file: true,
    is_written: false,
};

/// All of them.
pub const READERS: [Reader; 22] = [
    Reader {
        name: "pictures",
        inputs: 3000,
        lay: sets::lay_pictures,
        is_spoilt: |file| !file.starts_with("bad/"),
        read: sets::read_picture,
        ..PLAIN
    },
    Reader { name: "cifar", inputs: 800, lay: sets::lay_cifar, read: sets::read_set, ..PLAIN },
    Reader { name: "archives", inputs: 800, lay: sets::lay_archives, read: sets::read_set, ..PLAIN },
    Reader {
        name: "sidecars",
        inputs: 1000,
        lay: records::lay_sidecars,
        read: records::read_sidecar,
        ..PLAIN
    },
    Reader {
        name: "configurations",
        inputs: 1500,
        lay: records::lay_configs,
        read: records::read_config,
        ..PLAIN
    },
    Reader { name: "plans", inputs: 800, lay: records::lay_plan, read: records::read_plan, ..PLAIN },
    Reader { name: "results", inputs: 400, lay: records::lay_results, read: records::read_results, ..PLAIN },
    Reader { name: "pages", inputs: 120, lay: records::lay_page, read: records::read_page, ..PLAIN },
    Reader {
        name: "settings",
        inputs: 60,
        lay: records::lay_settings,
        read: records::read_settings,
        names_file: false,
        ..PLAIN
    },
    Reader {
        name: "links",
        inputs: 2000,
        lay: records::lay_links,
        read: records::read_links,
        names_file: false,
        ..PLAIN
    },
    Reader { name: "lines", inputs: 1500, lay: lines::lay, read: lines::read, names_file: false, ..PLAIN },
    Reader { name: "models", inputs: 400, lay: records::lay_models, read: records::read_model, ..PLAIN },
    Reader {
        name: "checkpoints",
        inputs: 200,
        lay: records::lay_checkpoints,
        read: records::read_model,
        ..PLAIN
    },
    Reader { name: "banks", inputs: 1000, lay: records::lay_bank, read: records::read_bank, ..PLAIN },
    Reader {
        name: "codes",
        inputs: 600,
        lay: records::lay_codes,
        is_spoilt: |file| file.contains(".codes"),
        read: records::read_codes,
        ..PLAIN
    },
    Reader {
        name: "parts",
        inputs: 100,
        lay: records::lay_parts,
        read: records::read_parts,
        names_file: false,
        ..PLAIN
    },
    Reader { name: "imports", inputs: 900, lay: records::lay_imports, read: records::read_import, ..PLAIN },
    Reader {
        name: "runs",
        inputs: 600,
        lay: records::lay_run,
        is_spoilt: records::is_of_run,
        read: records::read_run,
        ..PLAIN
    },
    Reader {
        name: "resumed runs",
        inputs: 24,
        lay: records::lay_half_run,
        is_spoilt: records::is_of_run,
        read: records::resume,
        is_written: true,
        ..PLAIN
    },
    Reader {
        name: "caches",
        inputs: 12,
        lay: records::lay_cache,
        is_spoilt: |file| file.starts_with("cache/"),
        read: records::read_cache,
        is_written: true,
        ..PLAIN
    },
    Reader {
        name: "window settings",
        inputs: 40,
        lay: records::lay_window,
        is_spoilt: |file| file == "settings.json",
        read: records::read_window,
        names_file: false,
        is_written: true,
    },
    Reader {
        name: "downloads",
        inputs: 60,
        lay: sets::lay_download,
        read: sets::read_download,
        names_file: false,
        ..PLAIN
    },
];
