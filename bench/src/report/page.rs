//! The page: prose that people write, and between markers what the harness writes.
//!
//! `<!-- begin NAME -->` and `<!-- end NAME -->` enclose a part of the page that belongs to a question. A run replaces the parts of the questions
//! that it asked, and in the table of goals the rows that it has a figure for.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Goal, Section};
use crate::Result;

/// Where the goals stand.
const GOALS: &str = "goals";

/// The page and the folder of its plots.
#[derive(Debug)]
pub(crate) struct Page {
    file: PathBuf,
}

impl Page {
    pub(crate) fn at(file: &Path) -> Result<Self> {
        if !file.exists() {
            return Err(format!("there is no page {}; run this in the root of the repository, or name it with --page", file.display()).into());
        }
        Ok(Self {
            file: file.to_owned(),
        })
    }

    /// Puts an answer in its place.
    pub(crate) fn write(&self, name: &str, section: &Section) -> Result<()> {
        let page = fs::read_to_string(&self.file)?;
        let page = replaced(&page, name, section.text.trim_end())?;
        let goals = between(&page, GOALS)?;
        let page = replaced(&page, GOALS, &with_goals(goals, &section.goals))?;
        fs::write(&self.file, page)?;
        let folder = self.file.with_extension("");
        fs::create_dir_all(&folder)?;
        for (file, svg) in &section.plots {
            fs::write(folder.join(file), svg)?;
        }
        Ok(())
    }
}

fn markers(name: &str) -> (String, String) {
    (
        format!("<!-- begin {name} -->"),
        format!("<!-- end {name} -->"),
    )
}

fn between<'a>(page: &'a str, name: &str) -> Result<&'a str> {
    let (begin, end) = markers(name);
    page.split_once(&begin)
        .and_then(|(_, rest)| rest.split_once(&end))
        .map(|(part, _)| part)
        .ok_or_else(|| format!("the page has no {begin} ... {end}: add both").into())
}

fn replaced(page: &str, name: &str, text: &str) -> Result<String> {
    let old = between(page, name)?;
    let (begin, end) = markers(name);
    Ok(page.replacen(
        &format!("{begin}{old}{end}"),
        &format!("{begin}\n{text}\n{end}"),
        1,
    ))
}

/// The table with these goals: each in the row that it had, new ones at the end.
pub(crate) fn with_goals(table: &str, goals: &[Goal]) -> String {
    let mut rows: Vec<String> = table.trim().lines().map(str::to_owned).collect();
    if rows.is_empty() {
        rows.push("| goal | measured | |".into());
        rows.push("| --- | --- | --- |".into());
    }
    for goal in goals {
        let head = format!("| {}: ", goal.what);
        match rows.iter_mut().find(|row| row.starts_with(&head)) {
            Some(row) => *row = goal.row(),
            None => rows.push(goal.row()),
        }
    }
    rows.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_replaced_and_the_prose_stays() {
        let page = "prose\n<!-- begin a -->\nold\n<!-- end a -->\nmore\n";
        assert_eq!(
            replaced(page, "a", "new").expect("the part is there"),
            "prose\n<!-- begin a -->\nnew\n<!-- end a -->\nmore\n"
        );
        assert!(replaced(page, "b", "new").is_err());
    }

    #[test]
    fn goals_keep_their_rows() {
        let first = Goal::at_least("drain", 10.0, 20.0, "/s");
        let other = Goal::at_most("idle", 1.0, 2.0, " ms");
        let table = with_goals("", &[first, other]);
        let table = with_goals(&table, &[Goal::at_least("drain", 30.0, 20.0, "/s")]);
        let rows: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| drain: at least 20.0/s | 30.0/s | met |",
                "| idle: at most 2.00 ms | 1.00 ms | met |"
            ]
        );
    }
}
