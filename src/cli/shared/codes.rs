//! What is said of codes.

use super::output::{bytes, thousands};
use crate::engine::MeasuredRecall;
use crate::engine::facts::lies_far;
use crate::engine::jobs::index::{SegmentReport, SpaceCodes, SpaceIndex};

/// What codes that are there take, what they find, and where they lie.
pub fn codes_words(codes: &SpaceCodes) -> String {
    let SpaceCodes { space, patches, of, bytes: size, folder, .. } = codes;
    let of = match patches < of {
        true => format!("{} of {}", thousands(patches), thousands(of)),
        false => thousands(patches),
    };
    let measured = match codes.measured {
        None => "recall not measured yet (`bagssl bank index` does it)".to_owned(),
        Some(MeasuredRecall { recall, queries, k, .. }) => {
            format!("recall {recall:.4} of the {k} nearest, measured on {queries} queries")
        }
    };
    let place = match codes.beside_bank {
        true if lies_far(folder) => "in the bank's table".to_owned(),
        true => "in the bank's folder".to_owned(),
        false => format!("kept in {}", folder.display()),
    };
    format!("codes of {space}: of {of} patches, {}, {measured}; {place}", bytes(*size))
}

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

/// What a part of an index is of.
pub fn segment_words(segment: &SegmentReport) -> String {
    let SegmentReport { space, part, patches, of, seconds } = segment;
    format!(
        "{space}: part {part} of the index is made of {} of {} patches, in {seconds:.1} s; `bagssl bank index` without --shard \
         joins the parts and measures what they find",
        thousands(*patches as u64),
        thousands(*of as u64)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_with_their_recall_and_where_they_lie() {
        let measured = MeasuredRecall {
            recall: 0.9987,
            least: 0.9,
            queries: 64,
            k: 255,
            compared: 10.0,
            deviations: 3.0,
            rows: 12_000,
        };
        let codes = SpaceCodes {
            space: "h".into(),
            patches: 12_000,
            of: 12_000,
            bytes: 864_000,
            folder: "/cache/codes".into(),
            beside_bank: true,
            measured: Some(measured),
        };
        let words = codes_words(&codes);
        assert_eq!(
            words,
            "codes of h: of 12,000 patches, 864.00 kB, recall 0.9987 of the 255 nearest, measured on 64 queries; in the \
             bank's folder"
        );
        let elsewhere = SpaceCodes { of: 15_000, beside_bank: false, measured: None, ..codes.clone() };
        let words = codes_words(&elsewhere);
        assert!(
            words.starts_with("codes of h: of 12,000 of 15,000 patches, ")
                && words.contains("not measured yet")
        );
        assert!(words.ends_with("; kept in /cache/codes"), "{words}");
        let words = codes_words(&SpaceCodes { folder: "lance:s3://a/b".into(), ..codes });
        assert!(words.ends_with("; in the bank's table"), "{words}");
    }
}
