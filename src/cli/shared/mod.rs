//! What several commands take and need: arguments, their values, output, the [`Commander`].

mod commander;
mod model_args;
mod output;
mod query_args;
mod values;

pub use commander::{Commander, SharedArgs, WrongUsage, skipped_words, sums_words};
pub use model_args::{ModelArgs, OverrideArgs};
pub use output::{bytes, chain, duration, show, thousands};
pub use query_args::{FilterArgs, QueryArgs, search_request};
pub use values::{Point, QueryPlace, pixels, positive};
