//! One line of the log, in each format.

use std::fmt::{self, Write};

use chrono::{SecondsFormat, Utc};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::Format;

/// Writes events as lines.
#[derive(Debug)]
pub(super) struct Lines {
    format: Format,
    pid: u32,
}

impl Lines {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            pid: std::process::id(),
        }
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut said = Said::default();
        event.record(&mut said);
        let line = Line {
            time: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
            pid: self.pid,
            level: *event.metadata().level(),
            target: event.metadata().target(),
            said,
        };
        match self.format {
            Format::Pretty => line.text(&mut writer, true),
            Format::Plain => line.text(&mut writer, false),
            Format::Logfmt => line.logfmt(&mut writer),
            Format::Json => line.json(&mut writer),
        }
    }
}

struct Line<'a> {
    time: String,
    pid: u32,
    level: Level,
    target: &'a str,
    said: Said,
}

impl Line<'_> {
    fn text(&self, out: &mut impl Write, colours: bool) -> fmt::Result {
        let (dim, colour, end) = if colours {
            ("\u{1b}[2m", colour(self.level), "\u{1b}[0m")
        } else {
            ("", "", "")
        };
        write!(
            out,
            "{dim}{}{end} {colour}{:>5}{end} {}",
            self.time, self.level, self.said.message
        )?;
        for (name, value) in &self.said.fields {
            write!(out, " {dim}{name}={end}{}", Quoted(value))?;
        }
        out.write_char('\n')
    }

    fn logfmt(&self, out: &mut impl Write) -> fmt::Result {
        let message = Value::from(self.said.message.as_str());
        write!(
            out,
            "ts={} pid={} lvl={} target={} msg={}",
            self.time,
            self.pid,
            self.level.as_str().to_ascii_lowercase(),
            self.target,
            Quoted(&message)
        )?;
        for (name, value) in &self.said.fields {
            write!(out, " {name}={}", Quoted(value))?;
        }
        out.write_char('\n')
    }

    fn json(&self, out: &mut impl Write) -> fmt::Result {
        write!(
            out,
            "{{\"ts\":\"{}\",\"pid\":{},\"lvl\":\"{}\",\"target\":{},\"msg\":{},\"ctx\":{{",
            self.time,
            self.pid,
            self.level,
            Value::from(self.target),
            Value::from(self.said.message.as_str())
        )?;
        for (i, (name, value)) in self.said.fields.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            write!(out, "{comma}\"{name}\":{value}")?;
        }
        out.write_str("}}\n")
    }
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\u{1b}[31m",
        Level::WARN => "\u{1b}[33m",
        Level::INFO => "\u{1b}[32m",
        Level::DEBUG => "\u{1b}[34m",
        Level::TRACE => "\u{1b}[35m",
    }
}

/// A value, in quotes where it is not one plain word.
struct Quoted<'a>(&'a Value);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |part: char| part.is_ascii_graphic() && !matches!(part, '"' | '=' | '\\');
        match self.0 {
            Value::String(text) if !text.is_empty() && text.chars().all(plain) => f.write_str(text),
            other => write!(f, "{other}"),
        }
    }
}

/// What an event says.
#[derive(Default)]
struct Said {
    message: String,
    fields: Vec<(&'static str, Value)>,
}

impl Said {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        match (field.name(), value.into()) {
            ("message", Value::String(text)) => self.message = in_one_line(text),
            (name, value) => self.fields.push((name, value)),
        }
    }
}

/// A message of a program's own may have several lines; a line of the log is one.
fn in_one_line(text: String) -> String {
    if text.chars().any(char::is_control) {
        let lines: Vec<_> = text.lines().collect();
        let text = lines.join("\\n");
        text.chars().filter(|part| !part.is_control()).collect()
    } else {
        text
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line<'static> {
        let fields = vec![
            ("jid", "0123".into()),
            ("queue", "a \"b\"".into()),
            ("elapsed", 0.25.into()),
            ("empty", "".into()),
        ];
        Line {
            time: "2026-11-24T12:00:00.000Z".into(),
            pid: 7,
            level: Level::INFO,
            target: "sancho",
            said: Said {
                message: in_one_line("all is\nwell\u{1b}[0m".into()),
                fields,
            },
        }
    }

    fn written(write: impl FnOnce(&Line<'static>, &mut String) -> fmt::Result) -> String {
        let mut out = String::new();
        write(&line(), &mut out).unwrap();
        out
    }

    #[test]
    fn every_format_has_all_of_it_in_one_line() {
        assert_eq!(
            written(|line, out| line.text(out, false)),
            "2026-11-24T12:00:00.000Z  INFO all is\\nwell[0m jid=0123 queue=\"a \\\"b\\\"\" elapsed=0.25 empty=\"\"\n"
        );
        assert_eq!(
            written(Line::logfmt),
            "ts=2026-11-24T12:00:00.000Z pid=7 lvl=info target=sancho msg=\"all is\\\\nwell[0m\" jid=0123 queue=\"a \\\"b\\\"\" elapsed=0.25 empty=\"\"\n"
        );
        let json = written(Line::json);
        assert_eq!(json.matches('\n').count(), 1);
        let value: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "ts": "2026-11-24T12:00:00.000Z", "pid": 7, "lvl": "INFO", "target": "sancho", "msg": "all is\\nwell[0m",
                "ctx": {"jid": "0123", "queue": "a \"b\"", "elapsed": 0.25, "empty": ""}
            })
        );
        assert!(written(|line, out| line.text(out, true)).contains("\u{1b}[32m INFO\u{1b}[0m"));
    }
}
