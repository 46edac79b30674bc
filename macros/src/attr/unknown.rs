//! What is said of an option that there is none of.

use syn::{Error, Ident};

use super::{CALLS, OPTIONS};

pub(super) fn unknown(key: &Ident) -> Error {
    let name = key.to_string();
    let nearest = names()
        .map(|option| (distance(&name, option), option))
        .filter(|(distance, option)| *distance <= 2 || common_prefix(&name, option) >= 4)
        .min();
    let suggestion = nearest.map_or_else(String::new, |(_, option)| {
        format!("; did you mean `{option}`?")
    });
    let all = names().collect::<Vec<_>>().join(", ");
    Error::new(
        key.span(),
        format!("unknown option `{name}`{suggestion}\nthe options of #[job] are: {all}"),
    )
}

fn names() -> impl Iterator<Item = &'static str> {
    let options = OPTIONS.iter().map(|(name, _)| *name);
    let calls = CALLS.iter().map(|(name, ..)| *name);
    // Some are written both ways.
    let calls = calls.filter(|call| OPTIONS.iter().all(|(name, _)| name != call));
    options.chain(calls)
}

/// The number of insertions, removals and replacements between two words.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, c) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &d) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(c != d);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

fn common_prefix(one: &str, other: &str) -> usize {
    one.chars()
        .zip(other.chars())
        .take_while(|(a, b)| a == b)
        .count()
}
