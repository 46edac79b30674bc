//! What a command prints: tables for people, JSON for programs.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use indicatif::{ProgressBar, ProgressStyle};
use sancho::job::Timestamp;
use serde::Serialize;

use crate::args::Color;
use crate::error::{Error, Result};

/// How it is printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) json: bool,
    color: bool,
}

/// How a cell looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Look {
    #[default]
    Plain,
    Good,
    Warning,
    Bad,
    Faint,
}

/// A cell of a table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    text: String,
    look: Look,
    right: bool,
}

/// The widest that a cell of free text is printed.
const WIDEST: usize = 60;

impl Output {
    pub(crate) fn new(json: bool, color: Color) -> Self {
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                std::io::stdout().is_terminal()
                    && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        };
        Self { json, color }
    }

    /// Prints a value as JSON.
    pub(crate) fn json(self, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(value)?;
        self.print(&text)
    }

    /// Prints a line.
    pub(crate) fn say(self, line: &str) -> Result<()> {
        self.print(line)
    }

    /// What was done: a line for people, an object for programs.
    pub(crate) fn done(self, line: &str, value: &impl Serialize) -> Result<()> {
        if self.json {
            self.json(value)
        } else {
            self.say(&one_line(line, usize::MAX))
        }
    }

    /// Prints a table, or what stands there when it has no rows.
    pub(crate) fn table(self, head: &[&str], rows: &[Vec<Cell>], empty: &str) -> Result<()> {
        if rows.is_empty() {
            return self.say(&self.paint(empty, Look::Faint));
        }
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            let widest = cells.map(|cell| cell.text.chars().count()).max();
            widest.unwrap_or(0).max(head[column].chars().count())
        };
        let widths: Vec<_> = (0..head.len()).map(width).collect();
        let mut text = String::new();
        let heads = head.iter().zip(&rows[0]).map(|(name, cell)| Cell {
            text: name.to_uppercase(),
            look: Look::Faint,
            right: cell.right,
        });
        self.row(&mut text, &heads.collect::<Vec<_>>(), &widths);
        for row in rows {
            self.row(&mut text, row, &widths);
        }
        self.print(text.trim_end_matches('\n'))
    }

    fn row(self, text: &mut String, row: &[Cell], widths: &[usize]) {
        let mut line = String::new();
        for (index, (cell, width)) in row.iter().zip(widths).enumerate() {
            let padding = " ".repeat(width.saturating_sub(cell.text.chars().count()));
            let painted = self.paint(&cell.text, cell.look);
            if index > 0 {
                line.push_str("  ");
            }
            // Writing to a text cannot fail.
            let _ = if cell.right {
                write!(line, "{padding}{painted}")
            } else {
                write!(line, "{painted}{padding}")
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }

    pub(crate) fn paint(self, text: &str, look: Look) -> String {
        let code = match look {
            _ if !self.color => return text.to_owned(),
            Look::Plain => return text.to_owned(),
            Look::Good => "32",
            Look::Warning => "33",
            Look::Bad => "31",
            Look::Faint => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// A bar for work of this length; it shows on a terminal alone.
    pub(crate) fn bar(self, total: u64, what: &'static str) -> ProgressBar {
        if self.json {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(total).with_message(what);
        let style =
            ProgressStyle::with_template("{msg} {bar:30} {human_pos} of {human_len}, {eta} left");
        match style {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }

    /// Prints an error, and gives its exit code.
    pub(crate) fn fail(self, error: &Error) -> ExitCode {
        let mut to = std::io::stderr();
        // Where standard error is closed, there is nobody to tell.
        let _ = if self.json {
            let value = serde_json::json!({ "error": error.to_string() });
            writeln!(to, "{value}")
        } else {
            writeln!(to, "sancho: {}", one_line(&error.to_string(), usize::MAX))
        };
        error.code()
    }

    fn print(self, text: &str) -> Result<()> {
        unless_closed(writeln!(std::io::stdout(), "{text}"))
    }
}

/// What was written to standard output. Whoever read it may have seen enough: `sancho jobs list dead | head`.
pub(crate) fn unless_closed(written: std::io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

impl Cell {
    /// A text; cut where it is long, and on one line.
    pub(crate) fn text(text: impl AsRef<str>) -> Self {
        Self {
            text: one_line(text.as_ref(), WIDEST),
            ..Self::default()
        }
    }

    /// A name that must be read whole.
    pub(crate) fn name(text: impl AsRef<str>) -> Self {
        Self {
            text: one_line(text.as_ref(), usize::MAX),
            ..Self::default()
        }
    }

    pub(crate) fn number(number: u64) -> Self {
        Self {
            text: grouped(number),
            right: true,
            ..Self::default()
        }
    }

    /// A time that passed, to a unit or two.
    pub(crate) fn time(time: Option<Duration>) -> Self {
        Self {
            text: time.map_or_else(|| "-".to_owned(), human),
            right: true,
            ..Self::default()
        }
    }

    pub(crate) fn looking(self, look: Look) -> Self {
        Self { look, ..self }
    }
}

/// A text on one line, without what a terminal would obey, of so many characters.
pub(crate) fn one_line(text: &str, longest: usize) -> String {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut line: String = text.chars().take(longest).map(clean).collect();
    if text.chars().nth(longest).is_some() {
        line.push('…');
    }
    line
}

/// A number with its thousands apart.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A point in time, as in RFC 3339.
pub(crate) fn moment(at: Timestamp) -> String {
    DateTime::<Utc>::from(at).to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// A time in its two largest units.
pub(crate) fn human(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 if time.as_millis() > 0 => format!("{}ms", time.as_millis()),
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_for_people() {
        assert_eq!(
            (grouped(0), grouped(999), grouped(1_234_567)),
            ("0".into(), "999".into(), "1,234,567".into())
        );
        let seconds = |seconds| human(Duration::from_secs(seconds));
        assert_eq!(
            (seconds(0), seconds(59), seconds(61)),
            ("0s".into(), "59s".into(), "1m 1s".into())
        );
        assert_eq!(
            (seconds(3_700), seconds(90_000)),
            ("1h 1m".into(), "1d 1h".into())
        );
        assert_eq!(human(Duration::from_millis(12)), "12ms");
    }

    #[test]
    fn what_a_terminal_would_obey_is_not_printed() {
        assert_eq!(one_line("a\u{1b}[31m\nb", 60), "a\u{fffd}[31m\u{fffd}b");
        assert_eq!(one_line("abcdef", 3), "abc…");
    }
}
