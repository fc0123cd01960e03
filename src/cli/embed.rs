//! `bagssl embed`.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, ValueEnum};

use super::shared::{
    Commander, DecodingArgs, DtypeArg, ModelArgs, WrongUsage, bytes, decoding_words, index_words, pixels,
    positive, show, skipped_words, thousands,
};
use crate::engine::facts::{DataSpec, MapLayer, PartNumber, Space, Split};
use crate::engine::jobs::embed::{BankSource, EmbedRequest, EmbedTime};
use crate::engine::{OutputKind, Outputs, jobs};
use crate::patch::PatchGrid;
use crate::words::sample_words;

#[derive(Args)]
pub struct EmbedArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[arg(long, default_value = "demo")]
    pub data: DataSpec,
    #[arg(long, value_enum)]
    pub split: Option<Split>,
    /// Patch size, pixels
    #[arg(long, value_parser = pixels())]
    pub patch: u32,
    /// Distance between patches, pixels
    #[arg(long, value_parser = pixels())]
    pub stride: u32,
    /// Folder of the bank
    #[arg(long)]
    pub out: PathBuf,
    /// Only N images, spread over the data set and its classes
    #[arg(long, value_parser = positive())]
    pub limit: Option<usize>,
    /// Only part I of N, from 1: a bank of its own, made anywhere at any time, which `bank merge` lays end to end with the others
    #[arg(long, value_name = "I/N")]
    pub shard: Option<PartNumber>,
    /// What vectors are of, where no --space says it: patches that go through the network alone, or places in the feature
    /// map of the whole image, token-last [default: crop]
    #[arg(long, value_enum)]
    pub view: Option<ViewArg>,
    /// Spaces, such as h,z [default: h, and z where the model has it]
    #[arg(long, value_delimiter = ',')]
    pub space: Vec<Space>,
    /// Number format
    #[arg(long, value_enum, default_value = "f16")]
    pub dtype: DtypeArg,
    /// Keep codes of one bit a value beside the bank, as `bank index` does, made while it grows: once it is complete,
    /// `--search quantised` finds neighbours by them
    #[arg(long)]
    pub codes: bool,
    #[command(flatten)]
    pub decoding: DecodingArgs,
}

/// What vectors are of.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ViewArg {
    Crop,
    Token,
}

/// The spaces that were named, which are of `view`; or its own.
fn spaces_of(view: Option<ViewArg>, named: Vec<Space>) -> anyhow::Result<Vec<Space>> {
    let is_token = |space: &Space| matches!(space, Space::Token(_));
    match view {
        Some(ViewArg::Crop) if named.iter().any(is_token) => {
            bail!(WrongUsage(
                "--view crop has the spaces of crops, such as h,z; those of places (token-...) are --view token"
            ))
        }
        Some(ViewArg::Token) if !named.iter().all(is_token) => {
            bail!(WrongUsage(
                "--view token has the spaces of places, such as token-last; the others are --view crop"
            ))
        }
        Some(ViewArg::Token) if named.is_empty() => Ok(vec![Space::Token(MapLayer::Last)]),
        _ => Ok(named),
    }
}

impl Commander {
    pub fn embed(&self, args: EmbedArgs) -> anyhow::Result<()> {
        let request = EmbedRequest {
            model: args.model.into(),
            source: BankSource { data: args.decoding.of(args.data), split: args.split, limit: args.limit },
            part: args.shard,
            grid: PatchGrid::new(args.patch, args.stride)?,
            spaces: spaces_of(args.view, args.space)?,
            dtype: args.dtype.into(),
            out: args.out,
            cache: self.shared.cache(),
            codes: args.codes,
        };
        Outputs::default()
            .reads_model("--model", &request.model)
            .reads_data("--data", &request.source.data)
            .writes("--out", &*request.out, OutputKind::Bank)
            .check()?;
        let mut announce = |count| self.bar.say(&format!("the bank will take {}", bytes(count)));
        let report = self.job(|job| jobs::embed::embed(&request, job, &mut announce))?;
        show(self.json(), &report, || {
            let rate = report
                .patches_per_second
                .map_or("nothing was left to do".into(), |r| format!("{r:.0} patches/s"));
            let repaired = match report.repaired_images {
                0 => String::new(),
                count => format!("; {} damaged images computed again", thousands(count as u64)),
            };
            let retried = match report.retried_images {
                0 => String::new(),
                count => format!("; {} images read that could not be read before", thousands(count as u64)),
            };
            let reused = match report.reused_patches {
                0 => String::new(),
                count => format!("; {} of the vectors kept from before", thousands(count as u64)),
            };
            let tiles = report.tiles.map_or(String::new(), |tiles| format!("; whole images in {tiles}"));
            let part = report.part.as_ref().map_or(String::new(), |part| format!("{part}, complete: "));
            let codes: String =
                report.codes.iter().map(|codes| format!("\n{}", index_words(codes))).collect();
            let time = report.time.as_ref().map_or(String::new(), time_words);
            format!(
                "{}: {part}{} patches of {}, in {}, {}, {rate} on {}{tiles}{reused}{repaired}{retried}{}{}{codes}{time}",
                request.out.display(),
                thousands(report.patches as u64),
                sample_words(report.images, report.of, 0),
                report.spaces.join(" and "),
                bytes(report.bytes),
                report.device,
                skipped_words(&report.skipped),
                decoding_words(report.decoding.as_ref())
            )
        })
    }
}

/// Where the time went, in a line of its own.
fn time_words(time: &EmbedTime) -> String {
    let EmbedTime { seconds, of, codes, rest } = time;
    let parts = [
        ("the network", of.network),
        ("cutting and resizing", of.cutting),
        ("writing", of.writing),
        ("waiting for images", of.waiting),
        ("codes", *codes),
        ("the rest", *rest),
    ];
    let share = |(name, part): &(&str, f64)| {
        format!("{name} {:.0} % ({part:.2} s)", 100.0 * part / seconds.max(f64::MIN_POSITIVE))
    };
    let parts: Vec<String> =
        parts.iter().filter(|(name, part)| *name != "codes" || *part > 0.0).map(share).collect();
    format!("\nof {seconds:.2} s: {}; beside them {:.2} s of reading images", parts.join(", "), of.decoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_says_which_spaces_there_may_be() {
        let spaces =
            |names: &[&str]| -> Vec<Space> { names.iter().map(|name| name.parse().unwrap()).collect() };
        let of = |view, names: &[&str]| spaces_of(view, spaces(names)).ok();
        let (crop, token) = (Some(ViewArg::Crop), Some(ViewArg::Token));
        assert_eq!(of(token, &[]), Some(spaces(&["token-last"])));
        assert_eq!((of(crop, &[]), of(None, &[])), (Some(vec![]), Some(vec![])));
        for (view, names) in
            [(crop, &["h", "z"][..]), (token, &["token-stage3"][..]), (None, &["h", "token-last"][..])]
        {
            assert_eq!(of(view, names), Some(spaces(names)));
        }
        assert_eq!((of(crop, &["h", "token-last"]), of(token, &["token-last", "z"])), (None, None));
    }
}
