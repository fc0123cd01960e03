//! What is searched for in a bank, and what is left out: the arguments of all commands that search.

use std::path::PathBuf;

use clap::Args;

use super::values::{QueryPlace, positive};
use crate::engine::defaults;
use crate::engine::facts::{NamedFilter, Split};
use crate::engine::jobs::search::SearchRequest;

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
    pub filter: FilterArgs,
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
    /// Only patches of images of this class
    #[arg(long, value_name = "NAME", help_heading = FILTER)]
    pub class: Option<String>,
    /// Only patches of images of this split, in a bank of both (`embed --split all`)
    #[arg(long, value_name = "SPLIT", help_heading = FILTER)]
    pub only_split: Option<Split>,
}

impl From<FilterArgs> for NamedFilter {
    fn from(args: FilterArgs) -> Self {
        let FilterArgs { exclude_same_image, per_image, without_overlap, class, only_split } = args;
        Self { exclude_same_image, per_image, without_overlap, class, split: only_split }
    }
}

/// The search that the arguments ask for.
pub fn search_request(args: QueryArgs) -> SearchRequest {
    SearchRequest {
        bank: args.bank,
        query: (args.query.image, args.query.y, args.query.x),
        k: args.k,
        filter: args.filter.into(),
    }
}
