//! `bagssl gui`, and `bagssl` alone.

use std::path::PathBuf;

use clap::Args;

use super::shared::{DecodingArgs, OverrideArgs, SharedArgs, listen};
use crate::engine::facts::{BUILT_IN, DataSpec, ModelSpec, Split};
use crate::engine::remote::FarPlace;
use crate::gui::{GuiOptions, Link, Quit};
use crate::paths;

#[derive(Args, Default)]
pub struct GuiArgs {
    /// demo or demo-cifar10 (built in), a run folder or a checkpoint
    #[arg(long)]
    pub model: Option<PathBuf>,
    #[command(flatten)]
    pub overrides: OverrideArgs,
    /// demo, a folder, an image file or CIFAR's archive
    #[arg(long)]
    pub data: Option<DataSpec>,
    /// Split of the data set
    #[arg(long, value_enum)]
    pub split: Option<Split>,
    /// Open this image file instead of a data set
    #[arg(long, conflicts_with = "data")]
    pub image: Option<PathBuf>,
    /// Open this bank: its images and its model where they are found, all of its vectors at once
    #[arg(long, value_name = "BANK", conflicts_with_all = ["data", "split", "image", "exif", "value_window"])]
    pub bank: Option<PathBuf>,
    #[command(flatten)]
    pub decoding: DecodingArgs,
    /// Show this run folder in the Train tab; more than once compares runs
    #[arg(long, value_name = "FOLDER")]
    pub run: Vec<PathBuf>,
    /// Restore what "Copy as link" wrote (bagssl:1?...)
    #[arg(long, value_name = "LINK", conflicts_with_all = ["model", "data", "split", "image", "bank", "exif", "value_window"])]
    pub open: Option<Link>,
    #[command(flatten)]
    pub remote: RemoteArgs,
}

/// Where the engine is, if elsewhere.
#[derive(Args, Default)]
pub struct RemoteArgs {
    /// Work on this machine, reached by ssh as its configuration says (host, user@host): models, data, banks, runs and paths are those over there
    #[arg(long = "remote", value_name = "HOST")]
    pub host: Option<String>,
    /// The program on the other machine
    #[arg(long = "remote-command", value_name = "PATH", default_value = "bagssl", requires = "host")]
    pub program: String,
    /// What is called as ssh, its options with it, split at spaces [default: ssh]
    #[arg(long, value_name = "COMMAND", requires = "host")]
    pub ssh: Option<String>,
}

impl RemoteArgs {
    /// The place; with what was said of the device, threads and memory, which is meant for over there.
    fn place(self, shared: &SharedArgs) -> Option<FarPlace> {
        let ssh = self.ssh.as_deref().unwrap_or("ssh").split_whitespace().map(str::to_owned).collect();
        Some(FarPlace { host: self.host?, ssh, program: self.program, arguments: shared.words() })
    }
}

impl GuiArgs {
    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.model.is_none()
            && self.overrides.is_empty()
            && self.data.is_none()
            && self.split.is_none()
            && self.image.is_none()
            && self.bank.is_none()
            && self.decoding.is_empty()
            && self.run.is_empty()
            && self.open.is_none()
            && self.remote.host.is_none()
    }
}

/// Opens the window and stays until it is closed.
pub fn window(args: GuiArgs, shared: &SharedArgs) -> anyhow::Result<()> {
    let image = args.image.map(DataSpec::Path);
    let data = args.decoding.of(image.or(args.data).unwrap_or_default());
    let said = args
        .model
        .map(|path| ModelSpec { overrides: args.overrides.clone().into(), ..ModelSpec::from(path) });
    let built_in = ModelSpec { overrides: args.overrides.into(), ..ModelSpec::from(BUILT_IN[0].name) };
    let bank = args.bank.map(|folder| (folder, said.clone()));
    let model = said.unwrap_or(built_in);
    let (split, runs, link) = (args.split, args.run, args.open);
    let remote = args.remote.place(shared);
    remote.iter().try_for_each(FarPlace::check)?;
    if remote.is_some() {
        paths::lie_elsewhere();
    }
    let settings = match &remote {
        Some(place) => crate::gui::settings_file_of(&place.host),
        None => crate::gui::settings_file(),
    };
    if settings.is_none() {
        log::warn!("no home folder is known: settings last until the window is closed");
    }
    let (cache, quit) = (shared.cache().filter(|_| remote.is_none()), Quit::default());
    let is_cache_told = shared.cache_size.is_some();
    let options = GuiOptions {
        model,
        data,
        split,
        bank,
        runs,
        link,
        settings,
        cache,
        is_cache_told,
        quit: quit.clone(),
        remote,
    };
    listen(move || quit.ask())?;
    crate::gui::open(options, shared.device)
}
