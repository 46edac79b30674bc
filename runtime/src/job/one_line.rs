//! Text of others in a line of the log.
//!
//! A class, a jid or the message of an error may hold anything: line breaks that look like another line, escapes that a terminal
//! obeys, fifty megabytes. What writes the log does not see to all of it.

use std::fmt::{self, Display, Write};

/// How many characters of one text are shown.
const MOST: usize = 2_000;

/// How many bytes of a name are shown.
const MOST_OF_A_NAME: usize = 255;

/// Shows a text in one line: control characters, and those that change the direction of writing, are escaped, and what is
/// very long is cut off.
pub(crate) fn one_line<T: Display>(text: T) -> OneLine<T> {
    OneLine(text)
}

#[derive(Debug)]
pub(crate) struct OneLine<T>(T);

impl<T: Display> Display for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = Line { out: f, left: MOST };
        write!(line, "{}", self.0)
    }
}

/// The beginning of a name. As the value of a field it is quoted and escaped by who writes the log.
pub(crate) fn short(name: &str) -> &str {
    let ends = name.char_indices().map(|(at, part)| at + part.len_utf8());
    let end = ends.take_while(|end| *end <= MOST_OF_A_NAME).last();
    &name[..end.unwrap_or(0)]
}

struct Line<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    left: usize,
}

impl Write for Line<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.chars() {
            match self.left {
                0 => return Ok(()),
                1 => self.out.write_char('…')?,
                _ if is_harmless(part) => self.out.write_char(part)?,
                _ => write!(self.out, "{}", part.escape_default())?,
            }
            self.left -= 1;
        }
        Ok(())
    }
}

fn is_harmless(part: char) -> bool {
    let breaks = matches!(part, '\u{2028}' | '\u{2029}');
    let turns =
        matches!(part, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !(part.is_control() || breaks || turns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_one_line_that_no_terminal_obeys() {
        let text = one_line("é{}%s\u{1b}[31m\r\nERROR \u{9b}2J\u{202e}\u{2028}\0").to_string();
        assert_eq!(
            text,
            r"é{}%s\u{1b}[31m\r\nERROR \u{9b}2J\u{202e}\u{2028}\u{0}"
        );
    }

    #[test]
    fn what_is_long_is_cut_off() {
        let text = one_line("é".repeat(MOST + 1)).to_string();
        assert_eq!(text.chars().count(), MOST);
        assert!(text.ends_with("é…"));
        let fits = "é".repeat(MOST - 1);
        assert_eq!(one_line(&fits).to_string(), fits);
        assert_eq!(short(&"é".repeat(200)), "é".repeat(127));
        assert_eq!(short("a"), "a");
    }
}
