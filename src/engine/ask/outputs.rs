//! What is to be written, held against what is read and what else lies there, before anything long begins.

use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};

use crate::bank::{Bank, lies_far};
use crate::dataset::DataSpec;
use crate::dataset::folder::PICTURE_ENDINGS;
use crate::figure::Figure;
use crate::files::{is_same, resolved};
use crate::model::ModelSpec;
use crate::model::store::MODEL_FILE;
use crate::train::RunFolder;
use crate::train::run::STATE_FILE;

/// Endings of files that the program writes for others, which no data set is made of.
const RESULT_ENDINGS: [&str; 8] = ["svg", "pdf", "json", "tex", "npy", "csv", "parquet", "safetensors"];

/// What something that is written is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// A file.
    File,
    /// The folder of a bank, which may be there and be continued.
    Bank,
    /// The folder of a run, likewise.
    Run,
    /// Another folder, whose files have names of their own.
    Folder,
}

/// What the files of a figure are called.
pub struct FigureNames {
    figure: &'static str,
    sidecar: &'static str,
    caption: &'static str,
}

impl FigureNames {
    /// On the command line.
    pub const OPTIONS: Self = Self { figure: "--out", sidecar: "the sidecar of --out", caption: "--caption" };
    /// In the window.
    pub const NOUNS: Self = Self { figure: "the figure", sidecar: "its sidecar", caption: "its caption" };
}

/// The paths of one piece of work, each with what it is called where it was given: an option, or a noun.
#[derive(Default)]
pub struct Outputs {
    reads: Vec<Input>,
    writes: Vec<Planned>,
}

struct Input {
    name: &'static str,
    path: PathBuf,
    /// Whether it is a data set, to which a picture more would belong.
    is_data: bool,
}

struct Planned {
    name: &'static str,
    path: PathBuf,
    kind: OutputKind,
}

impl Outputs {
    /// Adds a file or folder that is read, if it is told.
    pub fn reads<'a>(mut self, name: &'static str, path: impl Into<Option<&'a Path>>) -> Self {
        let read = path.into().map(|path| Input { name, path: path.into(), is_data: false });
        self.reads.extend(read);
        self
    }

    /// Adds a model that is read; a built-in one lies nowhere.
    pub fn reads_model<'a>(self, name: &'static str, model: impl Into<Option<&'a ModelSpec>>) -> Self {
        self.reads(name, model.into().and_then(ModelSpec::on_disk))
    }

    /// Adds a data set that is read; a built-in one lies nowhere.
    pub fn reads_data<'a>(mut self, name: &'static str, data: impl Into<Option<&'a DataSpec>>) -> Self {
        let path = data.into().and_then(DataSpec::path);
        self.reads.extend(path.map(|path| Input { name, path: path.into(), is_data: true }));
        self
    }

    /// Adds what is written, if it is.
    pub fn writes<'a>(
        mut self,
        name: &'static str,
        path: impl Into<Option<&'a Path>>,
        kind: OutputKind,
    ) -> Self {
        self.writes.extend(path.into().map(|path| Planned { name, path: path.into(), kind }));
        self
    }

    /// Adds the files of a figure; its sidecar stands beside it.
    pub fn writes_figure(self, names: &FigureNames, out: &Path, caption: Option<&Path>) -> Self {
        let file = OutputKind::File;
        self.writes(names.figure, out, file).writes(names.sidecar, &*Figure::sidecar_of(out), file).writes(
            names.caption,
            caption,
            file,
        )
    }

    /// # Errors
    /// Two of what is written are one file; one of it is what is read, would be a picture more of a data set that is
    /// read, or has its place in a bank, a run or a checkpoint.
    pub fn check(&self) -> anyhow::Result<()> {
        for (place, planned) in self.writes.iter().enumerate() {
            let Planned { name, path, .. } = planned;
            if let Some(before) = self.writes[..place].iter().find(|before| is_same(&before.path, path)) {
                bail!("{name} {}: {} goes there already; name another file", path.display(), before.name);
            }
            self.reads.iter().try_for_each(|input| planned.check_against(input))?;
            planned.check_place()?;
        }
        Ok(())
    }
}

impl Planned {
    fn check_against(&self, input: &Input) -> anyhow::Result<()> {
        let Self { name, path, kind } = self;
        if is_same(path, &input.path) {
            bail!(
                "{name} {}: that is {}, which is read and would be written over; name another {}",
                path.display(),
                input.name,
                if *kind == OutputKind::File { "file" } else { "folder" }
            );
        }
        let is_within =
            input.is_data && input.path.is_dir() && resolved(path).starts_with(resolved(&input.path));
        if !is_within || *kind != OutputKind::File {
            return Ok(());
        }
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
        let is_picture = PICTURE_ENDINGS.contains(&ending.as_str());
        if is_picture || (path.exists() && !RESULT_ENDINGS.contains(&ending.as_str())) {
            bail!(
                "{name} {}: it would be a file of {}, {}, which is read; choose a folder outside of it",
                path.display(),
                input.name,
                input.path.display()
            );
        }
        Ok(())
    }

    /// Whether its place belongs to something that the program keeps.
    fn check_place(&self) -> anyhow::Result<()> {
        let Self { name, path, kind } = self;
        if lies_far(path) {
            let is_bank = *kind == OutputKind::Bank;
            ensure!(is_bank, "{name} {}: only a bank can go there; name a file or folder", path.display());
            return Ok(());
        }
        let (is_bank, is_run) = (Bank::is_at(path), RunFolder::is_at(path));
        if (is_bank && *kind != OutputKind::Bank) || (is_run && *kind != OutputKind::Run) {
            let what = if is_bank { "bank" } else { "run" };
            bail!("{name} {}: a {what} is there; choose another folder", path.display());
        }
        let path = resolved(path);
        for folder in path.ancestors().skip(1) {
            let inner = path.strip_prefix(folder).ok().and_then(|inner| inner.iter().next());
            let what = if Bank::is_at(folder) {
                "bank"
            } else if folder.join(STATE_FILE).is_file() && folder.join(MODEL_FILE).is_file() {
                "checkpoint"
            } else if RunFolder::is_at(folder) && inner.is_some_and(RunFolder::owns) {
                "run"
            } else {
                continue;
            };
            bail!(
                "{name} {}: that place belongs to the {what} {}; choose another",
                self.path.display(),
                folder.display()
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn error(outputs: Outputs) -> String {
        format!("{:#}", outputs.check().unwrap_err())
    }

    #[test]
    fn nothing_is_written_over_what_is_read_or_over_itself() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("data")).unwrap();
        for name in ["photo.png", "data/a.png", "data/test_batch.bin", "data/map.svg"] {
            fs::write(at(name), "1").unwrap();
        }
        let file = |name: &str| Outputs::default().writes("--out", &*at(name), OutputKind::File);
        let image = |outputs: Outputs| outputs.reads_data("--image", &DataSpec::Path(at("photo.png")));
        let data = |outputs: Outputs| outputs.reads_data("--data", &DataSpec::Path(at("data")));
        assert!(error(image(file("photo.png"))).contains("that is --image, which is read"));
        assert!(error(image(file("data/../photo.png"))).contains("that is --image"));
        image(file("map.png")).check().unwrap();
        for name in ["data/new.PNG", "data/a.png", "data/test_batch.bin"] {
            assert!(error(data(file(name))).contains("a file of --data"), "{name}");
        }
        for name in ["data/map.svg", "data/new.pdf", "data-more/new.png"] {
            data(file(name)).check().unwrap();
        }
        let bank = |name: &str| Outputs::default().writes("--out", &*at(name), OutputKind::Bank);
        assert!(error(data(bank("data"))).contains("that is --data, which is read"));
        data(bank("data/bank")).check().unwrap();

        let figure = |caption: &str| {
            Outputs::default().writes_figure(&FigureNames::OPTIONS, &at("a.svg"), Some(&at(caption)))
        };
        assert!(error(figure("a.svg")).contains("--out goes there already"));
        assert!(error(figure("a.svg.json")).contains("the sidecar of --out goes there already"));
        figure("a.tex").check().unwrap();
        let demo = Outputs::default()
            .reads_model("--model", &ModelSpec::from("demo"))
            .reads_data("--data", &DataSpec::from("demo"));
        fs::create_dir(at("demo")).unwrap();
        demo.writes("--out", &*at("demo"), OutputKind::Run).check().unwrap();
    }

    #[test]
    fn what_the_program_keeps_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["bank", "run", "run/step-000100", "alone"] {
            fs::create_dir(at(name)).unwrap();
        }
        for name in
            ["bank/bank.json", "run/config.toml", "run/latest", "alone/state.json", "alone/model.safetensors"]
        {
            fs::write(at(name), "1").unwrap();
        }
        let write = |name: &str, kind| Outputs::default().writes("--out", &*at(name), kind);
        for (name, owner) in [
            ("bank/bank.json", "bank"),
            ("bank/new.svg", "bank"),
            ("run/metrics.jsonl", "run"),
            ("run/step-000100/map.svg", "run"),
            ("run/probes/x.json", "run"),
            ("alone/model.safetensors", "checkpoint"),
        ] {
            let said = error(write(name, OutputKind::File));
            assert!(said.contains(&format!("that place belongs to the {owner} ")), "{said}");
        }
        write("run/loss.svg", OutputKind::File).check().unwrap();
        write("run/features", OutputKind::Folder).check().unwrap();
        for (name, kind) in [("bank", OutputKind::Bank), ("run", OutputKind::Run)] {
            write(name, kind).check().unwrap();
            let said = error(write(name, OutputKind::Folder));
            assert!(said.contains(&format!("a {name} is there")), "{said}");
        }
    }
}
