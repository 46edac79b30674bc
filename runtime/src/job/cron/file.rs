//! Reading a schedule file: sidekiq-cron's `schedule.yml` as it is, or the same in TOML.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use super::CronEntry;
use super::entry::{read_catch_up, read_retry};
use super::expression::CronError;

/// The form of a schedule file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// YAML: a mapping of names to entries, or a list of entries with names.
    Yaml,
    /// TOML: a table for each entry.
    Toml,
}

impl Format {
    /// The form that the extension of a file tells: `.yml`, `.yaml` or `.toml`.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "yml" | "yaml" => Some(Self::Yaml),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }
}

/// A schedule file that cannot be used: all that is wrong with it, a line each, with file, entry and field. Nothing of it was
/// taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleError {
    file: String,
    problems: Vec<Problem>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    entry: Option<String>,
    field: Option<String>,
    text: String,
}

/// The fields that an entry can have, but for those that change nothing here.
const FIELDS: [&str; 17] = [
    "name",
    "cron",
    "class",
    "klass",
    "args",
    "queue",
    "tz",
    "enabled",
    "status",
    "description",
    "retry",
    "catch_up",
    "grace",
    "date_as_argument",
    "namespace",
    "queue_name_prefix",
    "queue_name_delimiter",
];

/// What sidekiq-cron's files may say that has no meaning here: every job is found by its class, and arguments have no
/// symbols.
const WITHOUT_MEANING: [&str; 3] = ["active_job", "source", "symbolize_args"];

/// Reads the text of a schedule file; `file` is what errors call it.
///
/// The entries have the keys of sidekiq-cron: `cron`, `class` (or `klass`), `name` in a list, `args`, `queue`, `retry`,
/// `description`, `status` or `enabled`, `date_as_argument`, `namespace`, `queue_name_prefix`; and `tz`, `catch_up` (`none`, `last`, or how many at
/// most) and `grace` (`1h`, or seconds).
///
/// ```
/// use sancho::cron::{Format, parse};
///
/// # fn main() -> Result<(), sancho::cron::ScheduleError> {
/// let text = "hourly_sync:\n  cron: '0 * * * *'\n  class: DataSync\n  args: [full]\n";
/// let entries = parse("schedule.yml", text, Format::Yaml)?;
/// assert_eq!(entries[0].args_json(), r#"["full"]"#);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// All that is wrong with it.
pub fn parse(file: &str, text: &str, format: Format) -> Result<Vec<CronEntry>, ScheduleError> {
    let read = match format {
        Format::Yaml => yaml(text),
        Format::Toml => toml::from_str(text).map_err(|error| one_line(&error.to_string())),
    };
    read.map_err(|text| vec![Problem::of_file(text)])
        .and_then(|value| entries(&value))
        .map_err(|problems| ScheduleError {
            file: file.to_owned(),
            problems,
        })
}

fn yaml(text: &str) -> Result<Value, String> {
    let erb = text.lines().zip(1..).find(|(line, _)| line.contains("<%"));
    if let Some((_, line)) = erb {
        return Err(format!(
            "line {line} has ERB (`<%`), which needs Ruby: write the value itself, or write the file with Ruby before the start"
        ));
    }
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_saphyr::from_str(text).map_err(|error| one_line(&error.without_snippet().to_string()))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn entries(value: &Value) -> Result<Vec<CronEntry>, Vec<Problem>> {
    let named: Vec<(Option<String>, &Value)> = match value {
        Value::Null => Vec::new(),
        Value::Object(entries) => entries
            .iter()
            .map(|(name, entry)| (Some(key(name).to_owned()), entry))
            .collect(),
        Value::Array(entries) => entries.iter().map(|entry| (None, entry)).collect(),
        _ => {
            let text = "write a mapping of names to entries, or a list of entries with names";
            return Err(vec![Problem::of_file(text.to_owned())]);
        }
    };
    let mut entries: Vec<CronEntry> = Vec::with_capacity(named.len());
    let mut problems = Vec::new();
    for (index, (name, value)) in named.into_iter().enumerate() {
        let called = name
            .clone()
            .unwrap_or_else(|| format!("number {}", index + 1));
        match entry(name, value) {
            Ok(entry) if entries.iter().any(|known| known.name() == entry.name()) => {
                let text = "there are two entries of this name: give one of them another";
                problems.push(Problem::of_entry(entry.name(), None, text.to_owned()));
            }
            Ok(entry) => entries.push(entry),
            Err((field, text)) => problems.push(Problem::of_entry(&called, field, text)),
        }
    }
    if problems.is_empty() {
        Ok(entries)
    } else {
        Err(problems)
    }
}

/// What is wrong with an entry: the field, if it is one, and the text.
type Wrong = (Option<&'static str>, String);

fn entry(name: Option<String>, value: &Value) -> Result<CronEntry, Wrong> {
    let Value::Object(map) = value else {
        return Err((
            None,
            "write its fields, such as `cron` and `class`".to_owned(),
        ));
    };
    let fields = Fields(map);
    fields.check_names()?;
    let name = match (name, fields.text("name")?) {
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => return Err((Some("name"), "it is missing".to_owned())),
    };
    let name = match fields.text("namespace")? {
        Some(namespace) if namespace != "default" => format!("{namespace}:{name}"),
        _ => name,
    };
    let cron = fields.needed("cron", "\"0 3 * * *\"")?;
    let class = match fields.text("klass")? {
        Some(class) => class,
        None => fields.needed("class", "\"DailyCleanup\"")?,
    };
    // Checked apart, so that each problem has its field.
    let in_field = |field| move |error: CronError| (Some(field), error.to_string());
    let _ = CronEntry::new("name", &cron, "class").map_err(in_field("cron"))?;
    let mut entry =
        CronEntry::new(name, &cron, class).map_err(|error| (None, error.to_string()))?;
    if let Some(zone) = fields.text("tz")? {
        entry = entry.tz(&zone).map_err(in_field("tz"))?;
    }
    entry = entry
        .args(arguments(fields.get("args")))
        .map_err(in_field("args"))?;
    if let Some(queue) = fields.queue()? {
        entry = entry.queue(queue).map_err(in_field("queue"))?;
    }
    if let Some(retry) = fields.get("retry") {
        entry = entry.retry(read_retry(retry).map_err(in_field("retry"))?);
    }
    if let Some(description) = fields.text("description")? {
        entry = entry.description(description);
    }
    if let Some(catch_up) = fields.get("catch_up") {
        entry = entry.catch_up(read_catch_up(catch_up).map_err(in_field("catch_up"))?);
    }
    if let Some(grace) = fields.get("grace") {
        entry = entry.within(duration(grace).map_err(|text| (Some("grace"), text))?);
    }
    let date_as_argument = fields.flag("date_as_argument")?.unwrap_or(false);
    Ok(entry
        .date_as_argument(date_as_argument)
        .enabled(fields.is_enabled()?))
}

/// A key without the colon of Ruby's symbols.
fn key(name: &str) -> &str {
    name.strip_prefix(':').unwrap_or(name)
}

struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    fn check_names(&self) -> Result<(), Wrong> {
        for name in self.0.keys().map(|name| key(name)) {
            if !FIELDS.contains(&name) && !WITHOUT_MEANING.contains(&name) {
                let text = format!(
                    "there is no field {name:?}: the fields are {}",
                    FIELDS.join(", ")
                );
                return Err((None, text));
            }
        }
        Ok(())
    }

    fn get(&self, name: &str) -> Option<&Value> {
        let mut fields = self.0.iter();
        let (_, value) = fields.find(|(known, _)| key(known) == name)?;
        Some(value).filter(|value| !value.is_null())
    }

    fn text(&self, name: &'static str) -> Result<Option<String>, Wrong> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err((Some(name), format!("it is {other}: write a text"))),
        }
    }

    fn needed(&self, name: &'static str, example: &str) -> Result<String, Wrong> {
        self.text(name)?.ok_or_else(|| {
            (
                Some(name),
                format!("it is missing: write `{name}: {example}`"),
            )
        })
    }

    /// A truth value, in the words of YAML 1.1 too.
    fn flag(&self, name: &'static str) -> Result<Option<bool>, Wrong> {
        let flag = match self.get(name) {
            None => return Ok(None),
            Some(Value::Bool(flag)) => Some(*flag),
            Some(Value::String(text)) => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" => Some(true),
                "false" | "no" | "off" => Some(false),
                _ => None,
            },
            Some(_) => None,
        };
        flag.map(Some)
            .ok_or_else(|| (Some(name), "write `true` or `false`".to_owned()))
    }

    fn is_enabled(&self) -> Result<bool, Wrong> {
        let status = match self.text("status")?.as_deref() {
            None => None,
            Some("enabled") => Some(true),
            Some("disabled") => Some(false),
            Some(other) => {
                let text = format!("it is {other:?}: write `enabled` or `disabled`");
                return Err((Some("status"), text));
            }
        };
        Ok(self.flag("enabled")?.or(status).unwrap_or(true))
    }

    /// The queue, with the prefix that ActiveJob would put before it.
    fn queue(&self) -> Result<Option<String>, Wrong> {
        let (queue, prefix) = (self.text("queue")?, self.text("queue_name_prefix")?);
        let delimiter = self.text("queue_name_delimiter")?;
        Ok(match (queue, prefix.filter(|prefix| !prefix.is_empty())) {
            (queue, None) => queue,
            (queue, Some(prefix)) => {
                let queue = queue.as_deref().unwrap_or("default");
                let delimiter = delimiter.as_deref().unwrap_or("_");
                Some(format!("{prefix}{delimiter}{queue}"))
            }
        })
    }
}

/// The arguments, as sidekiq-cron takes them: what is no list is the only one; a text may be JSON.
fn arguments(value: Option<&Value>) -> Vec<Value> {
    match value {
        None => Vec::new(),
        Some(Value::Array(arguments)) => arguments.clone(),
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(Value::Array(arguments)) => arguments,
            Ok(object @ Value::Object(_)) => vec![object],
            _ => vec![text.as_str().into()],
        },
        Some(other) => vec![other.clone()],
    }
}

/// Seconds, or `1h30m`.
fn duration(value: &Value) -> Result<Duration, String> {
    let seconds = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => seconds(text),
        _ => None,
    };
    seconds.map(Duration::from_secs).ok_or_else(|| {
        format!("it is {value}: write a duration such as \"90s\", \"10m\", \"1h30m\" or \"2d\", or seconds from 0 on")
    })
}

fn seconds(text: &str) -> Option<u64> {
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, unit) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let seconds = match unit.chars().next()? {
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        let number: u64 = number.parse().ok()?;
        total = total.checked_add(number.checked_mul(seconds)?)?;
        rest = &unit[1..];
    }
    (!text.is_empty()).then_some(total)
}

impl Problem {
    fn of_file(text: String) -> Self {
        Self {
            entry: None,
            field: None,
            text,
        }
    }

    fn of_entry(entry: &str, field: Option<&str>, text: String) -> Self {
        Self {
            entry: Some(entry.to_owned()),
            field: field.map(str::to_owned),
            text,
        }
    }
}

impl ScheduleError {
    /// A file that cannot be read at all.
    pub(crate) fn of_file(file: &str, text: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            problems: vec![Problem::of_file(text.into())],
        }
    }
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let line = if index == 0 { "" } else { "\n" };
            write!(f, "{line}the schedule file {}", self.file)?;
            if let Some(entry) = &problem.entry {
                write!(f, ", entry {entry:?}")?;
            }
            if let Some(field) = &problem.field {
                write!(f, ", field {field:?}")?;
            }
            write!(f, ": {}", problem.text)?;
        }
        Ok(())
    }
}

impl std::error::Error for ScheduleError {}

#[cfg(test)]
mod tests;
