//! What all commands share while they run: their common options, progress, the word to stop.

use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};

use super::output::Bar;
use super::signals::listen;
use super::values::{gibibytes, kept_gibibytes};
use crate::engine::facts::{DecodingFacts, DeviceChoice, Skipped, VectorCache};
use crate::engine::jobs::Job;
use crate::progress::CancelToken;
use crate::words::one_line;

/// Heading of the options of every command.
pub const SHARED: &str = "Of every command";

/// Options of every command.
#[derive(Args)]
pub struct SharedArgs {
    /// Where tensors are computed
    #[arg(long, global = true, value_enum, default_value_t, help_heading = SHARED)]
    pub device: DeviceChoice,
    /// Seed of everything random
    #[arg(long, global = true, help_heading = SHARED)]
    pub seed: Option<u64>,
    /// CPU threads; all by default
    #[arg(long, global = true, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024), help_heading = SHARED)]
    pub threads: Option<usize>,
    /// Memory that pictures, batches, vectors and weights may take, GiB; half of what is free by default
    #[arg(long, global = true, value_name = "GIB", value_parser = gibibytes, help_heading = SHARED)]
    pub memory: Option<u64>,
    /// Vectors kept on disk from one time to the next (bagssl bank cache) may take so much, GiB; 0 keeps and uses none [default: 10; for the window what is set there]
    #[arg(long, global = true, value_name = "GIB", value_parser = kept_gibibytes, help_heading = SHARED)]
    pub cache_size: Option<u64>,
    /// Print one JSON document on stdout and nothing else
    #[arg(long, global = true, help_heading = SHARED)]
    pub json: bool,
}

impl SharedArgs {
    /// What was said of the work of a window, as it is typed.
    pub fn words(&self) -> Vec<String> {
        let Self { device, threads, memory, cache_size, .. } = self;
        let gib = |bytes: u64| (bytes as f64 / f64::from(1 << 30)).to_string();
        let device = device.to_possible_value().map(|value| value.get_name().to_owned());
        let said = [
            ("--device", device.filter(|_| self.device != DeviceChoice::default())),
            ("--threads", threads.map(|threads| threads.to_string())),
            ("--memory", memory.map(gib)),
            ("--cache-size", cache_size.map(gib)),
        ];
        let said = said.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?]));
        said.flatten().collect()
    }

    /// Where vectors are kept; nowhere if no home is known.
    pub fn cache(&self) -> Option<VectorCache> {
        VectorCache::of_user(self.cache_size.unwrap_or(VectorCache::USUAL_BYTES))
    }
}

/// What all commands share while they run.
pub struct Commander {
    pub shared: SharedArgs,
    pub cancel: CancelToken,
    pub bar: Bar,
}

impl Commander {
    /// With a bar, and an ear for what asks to stop.
    pub fn new(shared: SharedArgs) -> anyhow::Result<Self> {
        let cancel = CancelToken::default();
        let token = cancel.clone();
        listen(move || token.cancel())?;
        Ok(Self { shared, cancel, bar: Bar::new() })
    }

    /// Whether results are printed as JSON.
    pub fn json(&self) -> bool {
        self.shared.json
    }

    /// Seed of everything random.
    pub fn seed(&self) -> u64 {
        self.shared.seed.unwrap_or(0)
    }

    /// Whether a seed was said.
    pub fn has_seed(&self) -> bool {
        self.shared.seed.is_some()
    }

    /// Runs a job with progress on the bar.
    pub fn job<T>(&self, run: impl FnOnce(Job<'_>) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let mut progress = |progress| self.bar.update(&progress);
        run(Job {
            device: self.shared.device,
            seed: self.seed(),
            cancel: &self.cancel,
            progress: &mut progress,
        })
    }
}

/// How many files were left out and why the first was; nothing where there are none.
pub fn skipped_words(skipped: &[Skipped]) -> String {
    match skipped {
        [] => String::new(),
        [first, ..] => {
            let why = format!("{}: {}", first.file, first.reason);
            format!("; {} skipped, first {}", skipped.len(), one_line(&why))
        }
    }
}

/// How picture files were decoded, where a choice mattered: lines to come after others.
pub fn decoding_words(decoding: Option<&DecodingFacts>) -> String {
    let words = decoding.map_or_else(Vec::new, DecodingFacts::words);
    words.iter().map(|words| format!("\n{words}")).collect()
}

/// Arguments that do not go together in a way that the parser cannot see.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongUsage(pub &'static str);
