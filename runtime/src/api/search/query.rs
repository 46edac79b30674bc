//! What is looked for, and how it is written.

#[cfg(test)]
mod tests;
mod words;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};

use words::{Word, words};

use super::Hit;
use crate::api::{ApiError, JobRecord};
use crate::job::{Timestamp, parse_span};

/// What to look for: all of its terms must hold.
///
/// ```text
/// class:WelcomeEmail queue:mailers args:42 tag:vip error:timeout state:retry since:1h -class:Noisy "read timed out"
/// ```
///
/// | term | holds for |
/// | --- | --- |
/// | `class:` | a class that contains this, whatever its case; `class:=Name` for this class alone |
/// | `queue:` | this queue; `mail*` for those that begin so |
/// | `state:` | `queued`, `scheduled`, `retry`, `dead` or `running` |
/// | `args:` | arguments whose JSON contains this, whatever its case; `args.0.user.id:7` for a value at a path |
/// | `tag:` | a job with this tag |
/// | `error:` | an error class or message that contains this, whatever its case |
/// | `jid:` | the job of this id |
/// | `since:`, `until:` | what happened last to it (failed, queued, made) is not older, or not younger, than this: `90s`, `15m`, `1h`, `2d`, `1w`, a date or a time as in RFC 3339 |
/// | anything else | a payload that contains this, whatever its case |
///
/// A `-` in front of a term turns it round; quotes keep white space together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    negated: bool,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Class(Name),
    Queue(Pattern),
    State(State),
    Args(String),
    ArgsAt(Vec<String>, String),
    Tag(String),
    Error(String),
    Jid(String),
    Since(Moment),
    Until(Moment),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Exactly(String),
    /// In lower case.
    Containing(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Exactly(String),
    BeginningWith(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Ago(Duration),
    At(Timestamp),
}

/// Where a job is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// A process says that it runs it.
    Running,
    /// In the retry set.
    Retry,
    /// In the dead set.
    Dead,
    /// In the schedule.
    Scheduled,
    /// In a queue.
    Queued,
}

impl State {
    /// All of them, in the order in which they are looked through.
    pub const ALL: [Self; 5] = [
        Self::Running,
        Self::Retry,
        Self::Dead,
        Self::Scheduled,
        Self::Queued,
    ];

    /// As a query names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Retry => "retry",
            Self::Dead => "dead",
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
        }
    }
}

/// How a qualifier's value is read.
type Read = fn(&str) -> Result<Test, ApiError>;

/// Every qualifier.
const QUALIFIERS: [(&str, Read); 9] = [
    ("class", |value| {
        Ok(Test::Class(match value.strip_prefix('=') {
            Some(exactly) => Name::Exactly(exactly.to_owned()),
            None => Name::Containing(value.to_lowercase()),
        }))
    }),
    ("queue", |value| {
        Ok(Test::Queue(match value.strip_suffix('*') {
            Some(start) => Pattern::BeginningWith(start.to_owned()),
            None => Pattern::Exactly(value.to_owned()),
        }))
    }),
    ("state", |value| {
        let state = State::ALL.into_iter().find(|state| state.name() == value);
        state.map(Test::State).ok_or_else(|| {
            let all = State::ALL.map(State::name).join(", ");
            invalid(format!("`state:{value}` is no state: write one of {all}"))
        })
    }),
    ("args", |value| Ok(Test::Args(value.to_lowercase()))),
    ("tag", |value| Ok(Test::Tag(value.to_owned()))),
    ("error", |value| Ok(Test::Error(value.to_lowercase()))),
    ("jid", |value| Ok(Test::Jid(value.to_owned()))),
    ("since", |value| moment(value).map(Test::Since)),
    ("until", |value| moment(value).map(Test::Until)),
];

impl Query {
    /// The qualifiers, without their colons.
    pub fn qualifiers() -> impl Iterator<Item = &'static str> {
        QUALIFIERS.iter().map(|(name, _)| *name)
    }

    /// Whether it says nothing, so that every job is found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether a job can be in this state.
    #[must_use]
    pub fn allows_state(&self, state: State) -> bool {
        self.terms.iter().all(|term| match term.test {
            Test::State(wanted) => (wanted == state) != term.negated,
            _ => true,
        })
    }

    /// Whether a job can be in this queue.
    #[must_use]
    pub fn allows_queue(&self, queue: &str) -> bool {
        self.terms.iter().all(|term| match &term.test {
            Test::Queue(wanted) => wanted.matches(queue) != term.negated,
            _ => true,
        })
    }

    /// The one job that it can find, if it names an id.
    pub(super) fn jid(&self) -> Option<&str> {
        self.terms.iter().find_map(|term| match &term.test {
            Test::Jid(jid) if !term.negated => Some(&**jid),
            _ => None,
        })
    }

    /// Whether this job is looked for, by what is shown of it.
    pub(super) fn matches(&self, hit: &Hit, job: &JobRecord, now: Timestamp) -> bool {
        let mut folded = Folded::default();
        self.terms
            .iter()
            .all(|term| term.test.holds(hit, job, &mut folded, now) != term.negated)
    }
}

impl Test {
    fn holds(&self, hit: &Hit, job: &JobRecord, folded: &mut Folded, now: Timestamp) -> bool {
        match self {
            Self::Class(Name::Exactly(name)) => job.class() == name || job.display_class() == *name,
            Self::Class(Name::Containing(part)) => {
                contains(job.class(), part) || contains(&job.display_class(), part)
            }
            Self::Queue(pattern) => pattern.matches(hit.queue()),
            Self::State(state) => hit.state() == *state,
            Self::Args(part) => job.args().is_some_and(|args| contains(args, part)),
            Self::ArgsAt(path, wanted) => job.args().is_some_and(|args| at(args, path, wanted)),
            Self::Tag(tag) => job.tags().contains(tag),
            Self::Error(part) => [job.error_class(), job.error_message()]
                .iter()
                .flatten()
                .any(|text| contains(text, part)),
            Self::Jid(jid) => job.jid().as_str() == jid,
            Self::Since(moment) => last(hit).is_some_and(|last| last >= moment.at(now)),
            Self::Until(moment) => last(hit).is_some_and(|last| last <= moment.at(now)),
            Self::Text(part) => folded.payload(job).contains(&**part),
        }
    }
}

impl Pattern {
    fn matches(&self, queue: &str) -> bool {
        match self {
            Self::Exactly(name) => queue == name,
            Self::BeginningWith(start) => queue.starts_with(&**start),
        }
    }
}

impl Moment {
    fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(time) => now.before(time),
            Self::At(at) => at,
        }
    }
}

/// A payload in lower case, made where the first term asks for it.
#[derive(Default)]
struct Folded(Option<String>);

impl Folded {
    fn payload(&mut self, job: &JobRecord) -> &str {
        self.0.get_or_insert_with(|| job.text().to_lowercase())
    }
}

/// Whether a text contains another that is in lower case.
fn contains(text: &str, part: &str) -> bool {
    text.to_lowercase().contains(part)
}

/// What happened last to a job.
fn last(hit: &Hit) -> Option<Timestamp> {
    let job = hit.job();
    [
        job.retried_at(),
        job.failed_at(),
        job.enqueued_at(),
        job.created_at(),
    ]
    .into_iter()
    .flatten()
    .max()
}

/// Whether a value stands at this path in the arguments: a text by what it says, anything else by its JSON.
fn at(args: &str, path: &[String], wanted: &str) -> bool {
    let Ok(args) = serde_json::from_str::<serde_json::Value>(args) else {
        return false;
    };
    let value = path.iter().try_fold(&args, |value, step| match value {
        serde_json::Value::Array(values) => values.get(step.parse::<usize>().ok()?),
        value => value.get(step),
    });
    value.is_some_and(|value| match value {
        serde_json::Value::String(text) => text == wanted,
        value => serde_json::to_string(value).is_ok_and(|json| json == wanted),
    })
}

impl FromStr for Query {
    type Err = ApiError;

    /// # Errors
    /// A qualifier that there is not, or a value that it does not take.
    fn from_str(text: &str) -> Result<Self, ApiError> {
        let terms = words(text)?.into_iter().map(term).collect::<Result<_, _>>();
        terms.map(|terms| Self { terms })
    }
}

fn term(word: Word) -> Result<Term, ApiError> {
    let Word {
        negated,
        key,
        value,
    } = word;
    let test = match key.as_deref() {
        None => Test::Text(value.to_lowercase()),
        Some(key) => match key.strip_prefix("args.") {
            Some(path) => Test::ArgsAt(path.split('.').map(str::to_owned).collect(), value),
            None => {
                let (_, read) = QUALIFIERS
                    .iter()
                    .find(|(name, _)| *name == key)
                    .ok_or_else(|| unknown(key))?;
                read(&value)?
            }
        },
    };
    Ok(Term { negated, test })
}

fn unknown(key: &str) -> ApiError {
    let all: Vec<_> = Query::qualifiers().map(|name| format!("{name}:")).collect();
    invalid(format!(
        "`{key}:` is no qualifier: there are {}; a text with a colon goes into quotes",
        all.join(", ")
    ))
}

fn moment(value: &str) -> Result<Moment, ApiError> {
    if let Some(time) = parse_span(value) {
        return Ok(Moment::Ago(time));
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(value) {
        return Ok(Moment::At(at.with_timezone(&Utc).into()));
    }
    let midnight = value
        .parse::<NaiveDate>()
        .ok()
        .and_then(|date| date.and_hms_opt(0, 0, 0));
    midnight.map(|at| Moment::At(at.and_utc().into())).ok_or_else(|| {
        invalid(format!(
            "`{value}` is no time: write 90s, 15m, 1h, 2d or 1w, a date such as 2026-11-24, or 2026-11-24T12:00:00Z"
        ))
    })
}

fn invalid(what: String) -> ApiError {
    ApiError::Invalid(what)
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
