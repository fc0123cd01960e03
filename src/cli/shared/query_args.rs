//! What is searched for in a bank, and what is left out: the arguments of all commands that search.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::values::{QueryPlace, positive};
use crate::engine::defaults;
use crate::engine::facts::{NamedFilter, Split, VectorCache};
use crate::engine::jobs::search::SearchRequest;
use crate::engine::{SearchRecall, SearchReport, SearchWay};
use crate::words::{count, thousands};

#[derive(Args)]
pub struct QueryArgs {
    #[arg(long)]
    pub bank: PathBuf,
    /// IMAGE:Y:X, the image's index and the patch's top-left pixel
    #[arg(long)]
    pub query: QueryPlace,
    /// Number of neighbours
    #[arg(long, default_value_t = defaults::NEIGHBOURS, value_parser = positive())]
    pub k: usize,
    #[command(flatten)]
    pub search: SearchArgs,
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// How banks are searched.
#[derive(Args)]
pub struct SearchArgs {
    /// How a bank is searched: exact compares every patch; quantised goes by codes of one bit a value (`bagssl bank index`;
    /// made where there are none), finds nearly all of the same, with the same cosines, and says the recall
    #[arg(long, value_enum, default_value = "exact", requires = "bank")]
    pub search: SearchArg,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum SearchArg {
    Exact,
    Quantised,
}

impl From<SearchArg> for SearchWay {
    fn from(arg: SearchArg) -> Self {
        match arg {
            SearchArg::Exact => Self::Exact,
            SearchArg::Quantised => Self::Quantised,
        }
    }
}

/// Heading of what is left out of the neighbours.
pub const FILTER: &str = "Left out of the neighbours";

/// What is left out of the neighbours: nothing unless told.
#[derive(Args)]
pub struct FilterArgs {
    /// Leave out patches of the query's own image
    #[arg(long, help_heading = FILTER)]
    pub exclude_same_image: bool,
    /// At most N patches of any one image
    #[arg(long, value_name = "N", value_parser = positive(), help_heading = FILTER)]
    pub per_image: Option<usize>,
    /// Leave out patches that overlap a nearer one of their image
    #[arg(long, help_heading = FILTER)]
    pub without_overlap: bool,
    /// Of images with the same pixels show one alone, the query's own or else the first, and say of how many
    #[arg(long, help_heading = FILTER)]
    pub fold_copies: bool,
    /// Only patches of images of this class
    #[arg(long, value_name = "NAME", help_heading = FILTER)]
    pub class: Option<String>,
    /// Only patches of images of this split, in a bank of both (`embed --split all`)
    #[arg(long, value_name = "SPLIT", help_heading = FILTER)]
    pub only_split: Option<Split>,
}

impl From<FilterArgs> for NamedFilter {
    fn from(args: FilterArgs) -> Self {
        let FilterArgs { exclude_same_image, per_image, without_overlap, fold_copies, class, only_split } =
            args;
        Self { exclude_same_image, per_image, without_overlap, fold_copies, class, split: only_split }
    }
}

/// Among how many patches the neighbours of a search were chosen, and what was left out.
pub fn among_words(report: &SearchReport) -> String {
    let (images, planned) = report.images;
    let images = match images < planned {
        true => format!("{} of {} images planned", thousands(images), thousands(planned)),
        false => count(images, "image"),
    };
    let left_out = match report.left_out.as_slice() {
        [] => String::new(),
        words => format!(" ({})", words.join(", ")),
    };
    format!(
        "chosen among {} of the {} patches of {images}{left_out}, {}",
        thousands(report.candidates),
        thousands(report.searched),
        report.recall
    )
}

/// How several searches went about it, in one word where all did alike.
pub fn recall_words<'a>(searches: impl IntoIterator<Item = (&'a str, SearchRecall)>) -> String {
    let searches: Vec<(&str, SearchRecall)> = searches.into_iter().collect();
    match searches.as_slice() {
        [(_, first), rest @ ..] if rest.iter().all(|(_, other)| other == first) => first.to_string(),
        _ => searches.iter().map(|(name, way)| format!("{name} {way}")).collect::<Vec<_>>().join("; "),
    }
}

/// The search that the arguments ask for; codes without another place are kept in `cache`.
pub fn search_request(args: QueryArgs, cache: Option<VectorCache>) -> SearchRequest {
    SearchRequest {
        bank: args.bank,
        query: (args.query.image, args.query.y, args.query.x),
        k: args.k,
        filter: args.filter.into(),
        way: args.search.search.into(),
        cache,
    }
}
