//! What the fuzzer found worth keeping, run through the same code again, as it is and changed at random.
//!
//! `FUZZ_SECONDS=300 cargo test -p sancho-tests --test stores hostile` goes on for so long with each target, from another beginning each
//! time: where there is no fuzzer.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;

#[path = "../fuzz/bodies.rs"]
mod bodies;

/// How many changed inputs each target is given where nobody asks for more.
const ALWAYS: usize = 1_000;

/// The longest changed input.
const LONGEST: usize = 2_000;

/// What inputs are changed with, beside bytes by chance.
const WORDS: [&str; 24] = [
    "\"",
    "'",
    "\\",
    "\u{1b}",
    "\n",
    "\0",
    "\u{feff}",
    ": ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "&a",
    "*a",
    "<<: ",
    "!ruby",
    "<%= 1 %>",
    "\u{202e}",
    "9999999999999999999",
    "-1",
    "1e999",
    "null",
    "%s",
];

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let folder = folder.join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| (path.clone(), fs::read(path).unwrap());
    paths.into_iter().map(read).collect()
}

#[test]
fn the_corpus_of_every_target_does_no_harm() {
    for target in bodies::TARGETS {
        let body = bodies::named(target);
        let corpus = corpus(target);
        for (path, bytes) in &corpus {
            let run = catch_unwind(|| body(bytes));
            assert!(run.is_ok(), "{} does harm", path.display());
        }
        let count = corpus.len();
        assert!(count >= 10, "the corpus of {target} has {count} files");
    }
}

#[test]
fn what_is_like_the_corpus_does_no_harm() {
    let seconds = std::env::var("FUZZ_SECONDS").ok();
    let seconds = seconds.map(|text| text.parse().expect("FUZZ_SECONDS is a number"));
    for target in bodies::TARGETS {
        let body = bodies::named(target);
        let corpus = corpus(target);
        // Ever the same, unless there is time.
        let mut rng = seconds.map_or_else(|| Rng::with_seed(7), |_| Rng::new());
        let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let mut count = 0;
        while end.map_or(count < ALWAYS, |end| Instant::now() < end) {
            let mut bytes = corpus[rng.usize(..corpus.len())].1.clone();
            for _ in 0..rng.usize(1..6) {
                let other = &corpus[rng.usize(..corpus.len())].1;
                change(&mut bytes, other, &mut rng);
            }
            bytes.truncate(LONGEST);
            let run = catch_unwind(|| body(&bytes));
            assert!(
                run.is_ok(),
                "{target}: this does harm: {:?}",
                String::from_utf8_lossy(&bytes)
            );
            count += 1;
        }
        if seconds.is_some() {
            println!("{target}: {count} inputs");
        }
    }
}

/// Changes an input in one place.
fn change(bytes: &mut Vec<u8>, other: &[u8], rng: &mut Rng) {
    let at = rng.usize(..=bytes.len());
    let to = rng.usize(at..=bytes.len());
    match rng.u8(..8) {
        0 if at < bytes.len() => bytes[at] = rng.u8(..),
        1 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(..8),
        2 => drop(bytes.splice(at..to, [])),
        3 => {
            let part = bytes[at..to].to_vec();
            drop(bytes.splice(at..at, part));
        }
        4 => {
            let from = rng.usize(..=other.len());
            drop(bytes.splice(at..to, other[from..].iter().copied()));
        }
        5 => bytes.insert(at, rng.u8(..)),
        _ => {
            let word = WORDS[rng.usize(..WORDS.len())];
            drop(bytes.splice(at..at, word.bytes()));
        }
    }
}
