//! The HTML of each page is what it was. What is meant to be different is accepted by
//! `SANCHO_SNAPSHOTS=accept cargo test -p sancho-tests --test web snapshots`, and read in the difference before it is committed.

use std::fmt::Write;
use std::path::PathBuf;

use crate::browser::Site;
use crate::filled::{EMPTY, PAGES, empty, filled};

/// How many lines of a difference are told.
const TOLD: usize = 60;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("web/snapshots")
}

/// A page with a tag a line, without what differs from run to run: names of assets, prints of payloads, what an answer took.
fn steady(html: &str) -> String {
    let mut text = String::with_capacity(html.len() * 2);
    let mut before = "";
    let html = html.replace("><", ">\n<");
    for line in html.lines() {
        let cost = line.contains("data-n=\"cost\"") || before == "<dt>Its answer took</dt>";
        before = line;
        let line = if cost { "[what the answer took]" } else { line };
        text.push_str(&without_prints(line));
        text.push('\n');
    }
    text
}

/// Sixteen hexadecimal digits are a print.
fn without_prints(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut word = String::new();
    for c in line.chars().chain(['\n']) {
        if c.is_ascii_alphanumeric() {
            word.push(c);
            continue;
        }
        let is_print = word.len() == 16 && word.chars().all(|c| c.is_ascii_hexdigit());
        kept.push_str(if is_print { "[print]" } else { &word });
        word.clear();
        kept.push(c);
    }
    kept.pop();
    kept
}

/// What was, and what is, from the first line that differs to the last.
fn difference(was: &str, is: &str) -> String {
    let (was, is): (Vec<&str>, Vec<&str>) = (was.lines().collect(), is.lines().collect());
    let same = was.iter().zip(&is).take_while(|(a, b)| a == b).count();
    let rest = was.len().min(is.len()) - same;
    let ends = was.iter().rev().zip(is.iter().rev());
    let tail = ends.take_while(|(a, b)| a == b).count().min(rest);
    let mut told = format!("from line {}:\n", same + 1);
    for (mark, lines) in [('-', &was), ('+', &is)] {
        let lines = &lines[same..lines.len() - tail];
        for line in lines.iter().take(TOLD) {
            let _ = writeln!(told, "{mark} {line}");
        }
        if lines.len() > TOLD {
            let _ = writeln!(told, "{mark} … and {} lines more", lines.len() - TOLD);
        }
    }
    told
}

async fn compare(site: &Site, pages: &[(&str, &str)], prefix: &str) {
    let accept = std::env::var("SANCHO_SNAPSHOTS").is_ok_and(|what| what == "accept");
    let mut told = String::new();
    for (name, path) in pages {
        let file = folder().join(format!("{prefix}{name}.html"));
        let is = steady(&site.get(path).await.text);
        if accept {
            std::fs::create_dir_all(folder()).unwrap();
            std::fs::write(&file, &is).unwrap();
            continue;
        }
        let was = std::fs::read_to_string(&file).unwrap_or_default();
        if was != is {
            let _ = writeln!(told, "{prefix}{name} ({path}), {}", difference(&was, &is));
        }
    }
    assert!(
        told.is_empty(),
        "pages have changed; where it is meant, run this again with SANCHO_SNAPSHOTS=accept\n{told}"
    );
}

#[tokio::test]
async fn pages_are_what_they_were() {
    compare(&filled().await, &PAGES, "").await;
}

#[tokio::test]
async fn pages_of_an_empty_store_are_what_they_were() {
    compare(&empty().await, &EMPTY, "empty-").await;
}

#[tokio::test]
async fn no_snapshot_is_left_of_a_page_that_is_not_there() {
    let mut expected: Vec<String> = PAGES
        .iter()
        .map(|(name, _)| format!("{name}.html"))
        .collect();
    expected.extend(EMPTY.iter().map(|(name, _)| format!("empty-{name}.html")));
    expected.sort();
    let files = std::fs::read_dir(folder()).unwrap();
    let mut files: Vec<String> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, expected);
}

#[test]
fn a_difference_is_told_from_its_first_line_to_its_last() {
    let told = difference("a\nb\nc\nd", "a\nx\nd");
    assert_eq!(told, "from line 2:\n- b\n- c\n+ x\n");
    assert_eq!(difference("", "a"), "from line 1:\n+ a\n");
    assert_eq!(
        without_prints("style-0123456789abcdef.css"),
        "style-[print].css"
    );
}
