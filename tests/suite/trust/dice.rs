//! What is random, from a seed; how valid bytes are spoilt.

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Nothing that is spoilt grows beyond this, bytes.
const MOST: usize = 1 << 20;
/// Numbers that sizes, counts and places of files are not expected to have.
const NUMBERS: [u64; 12] = [
    0,
    1,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];
/// The same in text, and what is no number.
const WORDS: [&str; 18] = [
    "0",
    "-1",
    "1",
    "255",
    "65536",
    "4294967296",
    "9223372036854775808",
    "18446744073709551615",
    "1e9",
    "1e308",
    "1e400",
    "-1e400",
    "1e-300",
    "NaN",
    "null",
    "true",
    "\"\\u0000\\u001b[2J\"",
    "[]",
];

/// A stream of random choices for one case of one test.
pub fn of(name: &str, case: usize) -> Pcg64Mcg {
    // FNV-1a: any hash that stays the same from one version of Rust to the next.
    let start = 0xcbf2_9ce4_8422_2325 ^ super::seed();
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = name.as_bytes().iter().chain(&case.to_le_bytes()).fold(start, mix);
    Pcg64Mcg::seed_from_u64(hash)
}

/// One to three changes to `bytes`, some of them with pieces of `others`.
pub fn spoil(dice: &mut Pcg64Mcg, bytes: &mut Vec<u8>, others: &[&[u8]]) {
    for _ in 0..dice.random_range(1..=3) {
        let is_text = !bytes.iter().take(512).any(|byte| *byte == 0 || *byte >= 0x80);
        if is_text && dice.random_bool(0.6) {
            spoil_text(dice, bytes);
        } else {
            spoil_bytes(dice, bytes, others);
        }
        bytes.truncate(MOST);
    }
}

/// A place in `bytes`, every other time within its first hundred: there stand the sizes.
fn place(dice: &mut Pcg64Mcg, bytes: &[u8]) -> usize {
    let most = if dice.random_bool(0.5) { bytes.len().min(100) } else { bytes.len() };
    dice.random_range(0..=most)
}

fn spoil_bytes(dice: &mut Pcg64Mcg, bytes: &mut Vec<u8>, others: &[&[u8]]) {
    let at = place(dice, bytes);
    let rest = bytes.len() - at;
    let most: usize = 1 << dice.random_range(0..12);
    let length = dice.random_range(0..=rest.min(most));
    match dice.random_range(0..8) {
        0 => {
            for _ in 0..dice.random_range(1..=8) {
                let at = place(dice, bytes);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << dice.random_range(0..8);
                }
            }
        }
        1 => bytes.truncate(at),
        2 => drop(bytes.drain(at..at + length)),
        3 => {
            let block = bytes[at..at + length].repeat(dice.random_range(1..64));
            bytes.splice(at..at, block);
        }
        4 => {
            let noise: Vec<u8> = (0..length.max(1)).map(|_| dice.random()).collect();
            bytes.splice(at..at, noise);
        }
        5 => {
            // Another file of the same kind, from some place on.
            let other = others.choose(dice).copied().unwrap_or_default();
            let from = place(dice, other);
            bytes.splice(at..at + length, other[from..].iter().copied());
        }
        _ => {
            let number = *NUMBERS.choose(dice).expect("some") ^ u64::from(dice.random_bool(0.2));
            let mut written = number.to_le_bytes()[..1 << dice.random_range(0..4)].to_vec();
            if dice.random_bool(0.5) {
                written.reverse();
            }
            for (byte, new) in bytes[at..].iter_mut().zip(written) {
                *byte = new;
            }
        }
    }
}

fn spoil_text(dice: &mut Pcg64Mcg, bytes: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let line = dice.random_range(0..lines.len().max(1));
    let spoilt = match dice.random_range(0..6) {
        0 => with_another_number(dice, &text),
        1 => lines.iter().enumerate().filter(|(index, _)| *index != line).map(|(_, line)| *line).collect(),
        2 => lines
            .iter()
            .enumerate()
            .map(|(index, text)| text.repeat(1 + usize::from(index == line)))
            .collect(),
        3 => {
            let depth = dice.random_range(1..30_000);
            let open = ["[", "{\"a\":", "("].choose(dice).expect("some").repeat(depth);
            let at = text.char_indices().map(|(at, _)| at).nth(place(dice, bytes)).unwrap_or(text.len());
            format!("{}{open}{}", &text[..at], &text[at..])
        }
        4 => text.replacen(['"', '\'', ':', '=', ','], "", dice.random_range(1..4)),
        _ => {
            let one = with_another_number(dice, &text);
            with_another_number(dice, &one)
        }
    };
    *bytes = spoilt.into_bytes();
}

/// The text with another word where one of its numbers or words was.
fn with_another_number(dice: &mut Pcg64Mcg, text: &str) -> String {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || ".-+_".contains(c);
    let starts: Vec<usize> = text
        .char_indices()
        .filter(|(at, c)| is_of_word(*c) && !text[..*at].ends_with(is_of_word))
        .map(|(at, _)| at)
        .collect();
    // Rather a number than a word.
    let numbers: Vec<usize> =
        starts.iter().copied().filter(|at| text[*at..].starts_with(|c: char| c.is_ascii_digit())).collect();
    let from = if numbers.is_empty() || dice.random_bool(0.2) { &starts } else { &numbers };
    let Some(&at) = from.choose(dice) else { return text.into() };
    let end = text[at..].find(|c| !is_of_word(c)).map_or(text.len(), |length| at + length);
    format!("{}{}{}", &text[..at], WORDS.choose(dice).expect("some"), &text[end..])
}

#[test]
fn what_is_drawn_comes_again_and_spoils_every_file() {
    let whole: Vec<u8> = (0..=255).collect();
    let spoilt = |case| {
        let mut bytes = whole.clone();
        spoil(&mut of("a test", case), &mut bytes, &[b"other"]);
        bytes
    };
    let cases: Vec<Vec<u8>> = (0..200).map(spoilt).collect();
    assert_eq!(cases, (0..200).map(spoilt).collect::<Vec<_>>());
    let changed = cases.iter().filter(|bytes| **bytes != whole).count();
    assert!(changed > 180, "{changed}");
    let mut text = b"{\"a\": 12, \"b\": [0.5, 7]}\n".to_vec();
    spoil(&mut of("text", 1), &mut text, &[]);
    spoil(&mut of("nothing", 1), &mut vec![], &[]);
}
