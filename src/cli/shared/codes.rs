//! What is said of codes.

use super::output::{bytes, thousands};
use crate::engine::MeasuredRecall;
use crate::engine::jobs::index::SpaceIndex;

/// What codes take and what they find.
pub fn index_words(index: &SpaceIndex) -> String {
    let MeasuredRecall { recall, least, queries, k, compared, .. } = index.measured;
    let made = match (index.seconds, index.measuring_seconds) {
        (Some(seconds), Some(measuring)) => {
            format!("made in {seconds:.1} s and measured in {measuring:.1} s")
        }
        _ => "were there".to_owned(),
    };
    let place = index.folder.as_ref().map_or(String::new(), |folder| {
        format!("; kept in {}, as nothing can be written beside the bank", folder.display())
    });
    format!(
        "{}: codes of {} patches, {}, {made}; recall {recall:.4} of the {k} nearest, measured on {queries} queries (least {least:.3}), \
         {} patches compared of each{place}",
        index.space,
        thousands(index.patches),
        bytes(index.bytes),
        thousands(compared.round())
    )
}
