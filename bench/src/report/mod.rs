//! What a question's answer is made of, and the page that the answers stand on.

mod page;
mod plot;

pub(crate) use page::{Page, with_goals};
pub(crate) use plot::{Bars, Lines};

use crate::figures::number;

/// The answer to one question.
#[derive(Clone, Debug, Default)]
pub(crate) struct Section {
    /// Markdown.
    pub(crate) text: String,
    /// File names and what stands in them.
    pub(crate) plots: Vec<(String, String)>,
    pub(crate) goals: Vec<Goal>,
}

impl Section {
    pub(crate) fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push_str("\n\n");
    }

    pub(crate) fn table(&mut self, table: &Table) {
        self.text.push_str(&table.markdown());
        self.text.push('\n');
    }

    pub(crate) fn plot(&mut self, name: &str, title: &str, svg: String) {
        let file = format!("{name}.svg");
        self.line(&format!("![{title}](benchmarks/{file})"));
        self.plots.push((file, svg));
    }
}

/// A table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(columns: [&str; N]) -> Self {
        Self {
            columns: columns.map(str::to_owned).to_vec(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        // The first column names, the others count.
        let mut rule = vec!["---:".to_owned(); self.columns.len()];
        rule[0] = "---".into();
        let mut text = line(&self.columns) + &line(&rule);
        for row in &self.rows {
            text.push_str(&line(row));
        }
        text
    }
}

/// A goal and what was measured.
#[derive(Clone, Debug)]
pub(crate) struct Goal {
    pub(crate) what: String,
    pub(crate) goal: String,
    pub(crate) measured: String,
    pub(crate) met: bool,
}

impl Goal {
    /// A figure that is to be at least this.
    pub(crate) fn at_least(what: &str, measured: f64, goal: f64, unit: &str) -> Self {
        Self {
            what: what.to_owned(),
            goal: format!("at least {}{unit}", number(goal)),
            measured: format!("{}{unit}", number(measured)),
            met: measured >= goal,
        }
    }

    /// A figure that is to be at most this.
    pub(crate) fn at_most(what: &str, measured: f64, goal: f64, unit: &str) -> Self {
        Self {
            what: what.to_owned(),
            goal: format!("at most {}{unit}", number(goal)),
            measured: format!("{}{unit}", number(measured)),
            met: measured <= goal,
        }
    }

    pub(crate) fn verdict(&self) -> &'static str {
        if self.met { "met" } else { "**missed**" }
    }

    pub(crate) fn row(&self) -> String {
        let Self {
            what,
            goal,
            measured,
            ..
        } = self;
        format!("| {what}: {goal} | {measured} | {} |", self.verdict())
    }
}
