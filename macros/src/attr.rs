//! The options of `#[job(...)]`.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned as _;
use syn::{
    Error, Expr, ExprArray, ExprLit, Ident, Lit, LitInt, LitStr, Path, Result, Token, token,
};

use crate::rules::{self, Rule};
use crate::{cron, duration, versions};

/// The options, as far as they could be read.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) queue: Option<String>,
    pub(crate) retry: Option<Retry>,
    /// In seconds.
    pub(crate) retry_for: Option<u64>,
    pub(crate) retry_queue: Option<String>,
    pub(crate) dead: Option<bool>,
    pub(crate) backtrace: Option<Backtrace>,
    pub(crate) class: Option<String>,
    pub(crate) aliases: Vec<String>,
    pub(crate) tags: Vec<String>,
    /// In seconds.
    pub(crate) timeout: Option<u64>,
    /// `retry_on` and `discard_on`, in their order.
    pub(crate) rules: Vec<Rule>,
    pub(crate) retry_in: Option<Path>,
    pub(crate) retries_exhausted: Option<Path>,
    pub(crate) version: Option<u32>,
    pub(crate) from: Option<versions::From>,
    pub(crate) cron: Option<LitStr>,
    pub(crate) tz: Option<LitStr>,
    /// The source of a job that iterates.
    pub(crate) iterate: Option<Path>,
    /// Whether `iterate` is given, rightly or wrongly.
    pub(crate) iterates: bool,
    pub(crate) hooks: Hooks,
    pub(crate) krate: Option<Path>,
}

/// What is called around the items of a job that iterates.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) start: Option<Path>,
    pub(crate) resume: Option<Path>,
    pub(crate) stop: Option<Path>,
    pub(crate) cancel: Option<Path>,
    pub(crate) complete: Option<Path>,
}

#[derive(Clone, Copy)]
pub(crate) enum Retry {
    Default,
    Never,
    Times(u32),
}

#[derive(Clone, Copy)]
pub(crate) enum Backtrace {
    None,
    All,
    Lines(u32),
}

/// How an option's value is read.
type Read = fn(&mut Options, ParseStream<'_>) -> Result<()>;

/// Every option, in the order of the documentation.
const OPTIONS: [(&str, Read); 22] = [
    ("queue", |options, value| {
        options.queue = Some(queue(value, "queue = \"mailers\"")?);
        Ok(())
    }),
    ("retry", |options, value| {
        options.retry = Some(retry(value)?);
        Ok(())
    }),
    ("retry_for", |options, value| {
        options.retry_for = Some(retry_for(value)?);
        Ok(())
    }),
    ("retry_queue", |options, value| {
        options.retry_queue = Some(queue(value, "retry_queue = \"retries\"")?);
        Ok(())
    }),
    ("dead", |options, value| {
        options.dead = Some(dead(value)?);
        Ok(())
    }),
    ("backtrace", |options, value| {
        options.backtrace = Some(backtrace(value)?);
        Ok(())
    }),
    ("class", |options, value| {
        options.class = Some(name(&text(value, "class = \"WelcomeEmail\"")?)?);
        Ok(())
    }),
    ("aliases", |options, value| {
        options.aliases = list(value, "aliases = [\"OldName\"]")?;
        Ok(())
    }),
    ("tags", |options, value| {
        options.tags = list(value, "tags = [\"mail\"]")?;
        Ok(())
    }),
    ("timeout", |options, value| {
        options.timeout = Some(timeout(value)?);
        Ok(())
    }),
    ("retry_in", |options, value| {
        let how =
            "write the path of a `fn(count: u32, error: &E) -> RetryIn`: `retry_in = wait_for`";
        options.retry_in = Some(rules::path(value, how)?);
        Ok(())
    }),
    ("retries_exhausted", |options, value| {
        let how = "write the path of an `async fn(job: &Record, cause: &Cause<E>)`: `retries_exhausted = tell_us`";
        options.retries_exhausted = Some(rules::path(value, how)?);
        Ok(())
    }),
    ("version", |options, value| {
        let how = "write the version of the arguments, counted from 1: `version = 2`";
        options.version = Some(integer_from_one(value, how)?);
        Ok(())
    }),
    ("cron", |options, value| {
        options.cron = Some(cron(value)?);
        Ok(())
    }),
    ("tz", |options, value| {
        options.tz = Some(tz(value)?);
        Ok(())
    }),
    ("iterate", |options, value| {
        options.iterates = true;
        options.iterate = Some(function(value, ITERATE)?);
        Ok(())
    }),
    ("on_start", |options, value| {
        options.hooks.start = Some(function(value, "on_start = prepare")?);
        Ok(())
    }),
    ("on_resume", |options, value| {
        options.hooks.resume = Some(function(value, "on_resume = prepare")?);
        Ok(())
    }),
    ("on_stop", |options, value| {
        options.hooks.stop = Some(function(value, "on_stop = release")?);
        Ok(())
    }),
    ("on_cancel", |options, value| {
        options.hooks.cancel = Some(function(value, "on_cancel = undo")?);
        Ok(())
    }),
    ("on_complete", |options, value| {
        options.hooks.complete = Some(function(value, "on_complete = report")?);
        Ok(())
    }),
    ("crate", |options, value| {
        options.krate = Some(krate(value)?);
        Ok(())
    }),
];

const ITERATE: &str = "iterate = rows";

/// The options with parentheses, each with how it is written. The rules may stand there several times.
const CALLS: [(&str, &str, Read); 3] = [
    (
        "retry_on",
        "retry_on(MailError::Timeout, wait = \"5s\", attempts = 3)",
        |options, content| {
            options.rules.push(rules::retry_on(content)?);
            Ok(())
        },
    ),
    (
        "discard_on",
        "discard_on(MailError::Gone)",
        |options, content| {
            options.rules.push(rules::discard_on(content)?);
            Ok(())
        },
    ),
    ("from", "from(OrderV2, OrderV1)", |options, content| {
        let span = content.span();
        let types = versions::from(content)?;
        options.from = Some(versions::From { span, types });
        Ok(())
    }),
];

/// The options and what is wrong with them: one error an option.
pub(crate) fn parse(tokens: TokenStream) -> (Options, Vec<Error>) {
    let mut options = Options::default();
    let mut errors = Vec::new();
    let read = |input: ParseStream<'_>| {
        let mut seen = Vec::new();
        while !input.is_empty() {
            if let Err(error) = option(&mut options, &mut seen, input) {
                errors.push(error);
                skip_to_comma(input)?;
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    };
    if let Err(error) = read.parse2(tokens) {
        errors.push(error);
    }
    if let (Some(tz), None, true) = (&options.tz, &options.cron, errors.is_empty()) {
        let message = "`tz` is the time zone of `cron`: write `cron = \"0 3 * * *\"` before it";
        errors.push(Error::new(tz.span(), message));
    }
    if !options.iterates {
        errors.extend(options.hooks.refused());
    }
    (options, errors)
}

impl Hooks {
    /// Of a job that does not iterate.
    fn refused(&self) -> Option<Error> {
        let given = [
            &self.start,
            &self.resume,
            &self.stop,
            &self.cancel,
            &self.complete,
        ];
        let path = given.into_iter().find_map(Option::as_ref)?;
        let message =
            format!("this is called around the items of a job that iterates: add `{ITERATE}`");
        Some(Error::new_spanned(path, message))
    }
}

fn option(options: &mut Options, seen: &mut Vec<Ident>, input: ParseStream<'_>) -> Result<()> {
    let key = Ident::parse_any(input)
        .map_err(|error| Error::new(error.span(), "write options as `name = value`"))?;
    if let Some((name, how, read)) = CALLS.iter().find(|(name, ..)| key == name) {
        if key == "from" && options.from.is_some() {
            return Err(Error::new(key.span(), format!("`{name}` is given twice")));
        }
        if !input.peek(token::Paren) {
            return Err(Error::new(key.span(), format!("write `{how}`")));
        }
        let content;
        syn::parenthesized!(content in input);
        let result = if content.is_empty() {
            let message = format!("`{name}` is empty: write `{how}`");
            Err(Error::new(key.span(), message))
        } else {
            read(options, &content)
        };
        // What a mistake left over is no second one.
        content.parse::<TokenStream>()?;
        return result.and_then(|()| end(input));
    }
    let (name, read) = OPTIONS
        .iter()
        .find(|(name, _)| key == name)
        .ok_or_else(|| unknown(&key))?;
    if seen.contains(&key) {
        return Err(Error::new(key.span(), format!("`{name}` is given twice")));
    }
    seen.push(key.clone());
    if !input.peek(Token![=]) {
        return Err(Error::new(key.span(), format!("write `{name} = ...`")));
    }
    input.parse::<Token![=]>()?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(Error::new(key.span(), format!("`{name}` has no value")));
    }
    read(options, input)?;
    end(input)
}

fn end(input: ParseStream<'_>) -> Result<()> {
    match input.is_empty() || input.peek(Token![,]) {
        true => Ok(()),
        false => Err(input.error("expected `,` and the next option")),
    }
}

fn skip_to_comma(input: ParseStream<'_>) -> Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

fn unknown(key: &Ident) -> Error {
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
    let calls = CALLS.iter().map(|(name, ..)| *name);
    OPTIONS.iter().map(|(name, _)| *name).chain(calls)
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

fn queue(value: ParseStream<'_>, example: &str) -> Result<String> {
    const LONGEST: usize = 255;
    let literal = text(value, example)?;
    let name = literal.value();
    let wrong = if name.is_empty() {
        "a queue's name cannot be empty".to_owned()
    } else if name.len() > LONGEST {
        let length = name.len();
        format!("a queue's name has at most {LONGEST} bytes, and this one {length}")
    } else if let Some(c) = name
        .chars()
        .find(|&c| c.is_control() || c.is_whitespace() || c == ',')
    {
        format!(
            "a queue's name has no control characters, white space or commas, and this one {c:?}"
        )
    } else {
        return Ok(name);
    };
    Err(Error::new(literal.span(), wrong))
}

fn retry(value: ParseStream<'_>) -> Result<Retry> {
    const HOW: &str = "write `retry = 5`, `retry = true` or `retry = false`";
    match literal(value, HOW)? {
        Lit::Bool(retry) if retry.value => Ok(Retry::Default),
        Lit::Bool(_) => Ok(Retry::Never),
        Lit::Int(times) => integer(&times).map(Retry::Times),
        other => Err(Error::new(other.span(), HOW)),
    }
}

fn retry_for(value: ParseStream<'_>) -> Result<u64> {
    /// As in Sidekiq, which takes more seconds for a point in time.
    const LONGEST: u64 = 1_000_000_000;
    let (seconds, span) = seconds(
        value,
        "write `retry_for = \"2d\"`, or seconds: `retry_for = 600`",
    )?;
    if seconds > LONGEST {
        let message = format!(
            "this duration is too long: jobs are tried again for {LONGEST} seconds at most"
        );
        return Err(Error::new(span, message));
    }
    Ok(seconds)
}

fn dead(value: ParseStream<'_>) -> Result<bool> {
    const HOW: &str = "write `dead = false`: the job is discarded when it is exhausted";
    match literal(value, HOW)? {
        Lit::Bool(dead) => Ok(dead.value),
        other => Err(Error::new(other.span(), HOW)),
    }
}

fn backtrace(value: ParseStream<'_>) -> Result<Backtrace> {
    const HOW: &str = "write `backtrace = 20` (lines), `backtrace = true` or `backtrace = false`";
    match literal(value, HOW)? {
        Lit::Bool(backtrace) if backtrace.value => Ok(Backtrace::All),
        Lit::Bool(_) => Ok(Backtrace::None),
        Lit::Int(lines) => integer(&lines).map(Backtrace::Lines),
        other => Err(Error::new(other.span(), HOW)),
    }
}

fn timeout(value: ParseStream<'_>) -> Result<u64> {
    let (seconds, _) = seconds(
        value,
        "write `timeout = \"10m\"`, or seconds: `timeout = 600`",
    )?;
    Ok(seconds)
}

fn cron(value: ParseStream<'_>) -> Result<LitStr> {
    let literal = text(value, "cron = \"0 3 * * *\"")?;
    match cron::check(&literal.value()) {
        Ok(()) => Ok(literal),
        Err(error) => Err(Error::new(literal.span(), error)),
    }
}

/// The name of a time zone. Whether there is such a zone is asked at the start of a server.
fn tz(value: ParseStream<'_>) -> Result<LitStr> {
    let literal = text(value, "tz = \"Europe/Berlin\"")?;
    name(&literal)?;
    Ok(literal)
}

/// A duration in seconds, and where it stands.
pub(crate) fn seconds(value: ParseStream<'_>, how: &str) -> Result<(u64, Span)> {
    match literal(value, how)? {
        Lit::Str(text) => match duration::seconds(&text.value()) {
            Ok(seconds) => Ok((seconds, text.span())),
            Err(error) => Err(Error::new(text.span(), error)),
        },
        Lit::Int(seconds) => match integer(&seconds)? {
            0 => Err(Error::new(seconds.span(), "this duration is zero")),
            number => Ok((number.into(), seconds.span())),
        },
        other => Err(Error::new(other.span(), how)),
    }
}

/// The path of a function.
fn function(value: ParseStream<'_>, example: &str) -> Result<Path> {
    match ungrouped(value.parse()?) {
        Expr::Path(path) if path.qself.is_none() && path.attrs.is_empty() => Ok(path.path),
        other => {
            let message = format!("write the name of a function: `{example}`");
            Err(Error::new(other.span(), message))
        }
    }
}

fn krate(value: ParseStream<'_>) -> Result<Path> {
    const HOW: &str = "write the path to sancho: `crate = my_crate::sancho`";
    if value.peek(Lit) {
        return Err(value.error(HOW));
    }
    Path::parse_mod_style(value)
}

fn list(value: ParseStream<'_>, example: &str) -> Result<Vec<String>> {
    let wrong = |span: Span| Error::new(span, format!("write a list of strings: `{example}`"));
    let array: ExprArray = match ungrouped(value.parse()?) {
        Expr::Array(array) => array,
        other => return Err(wrong(other.span())),
    };
    array
        .elems
        .iter()
        .map(|element| match element {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) => name(text),
            other => Err(wrong(other.span())),
        })
        .collect()
}

fn name(literal: &LitStr) -> Result<String> {
    match literal.value() {
        empty if empty.is_empty() => Err(Error::new(literal.span(), "a name cannot be empty")),
        name => Ok(name),
    }
}

fn text(value: ParseStream<'_>, example: &str) -> Result<LitStr> {
    let how = format!("write a string: `{example}`");
    match literal(value, &how)? {
        Lit::Str(text) => Ok(text),
        other => Err(Error::new(other.span(), how)),
    }
}

/// The literal that is the whole value.
fn literal(value: ParseStream<'_>, how: &str) -> Result<Lit> {
    match ungrouped(value.parse()?) {
        Expr::Lit(ExprLit { lit, .. }) => Ok(lit),
        other => Err(Error::new(other.span(), how)),
    }
}

/// The expression that a `macro_rules` macro put into an invisible group.
pub(crate) fn ungrouped(value: Expr) -> Expr {
    match value {
        Expr::Group(group) => ungrouped(*group.expr),
        value => value,
    }
}

/// A whole number that is not zero.
pub(crate) fn integer_from_one(value: ParseStream<'_>, how: &str) -> Result<u32> {
    match literal(value, how)? {
        Lit::Int(number) => match integer(&number)? {
            0 => Err(Error::new(number.span(), how)),
            number => Ok(number),
        },
        other => Err(Error::new(other.span(), how)),
    }
}

fn integer(literal: &LitInt) -> Result<u32> {
    if literal.suffix().is_empty() {
        literal.base10_parse().map_err(|_| {
            let message = format!("write a whole number up to {}", u32::MAX);
            Error::new(literal.span(), message)
        })
    } else {
        Err(Error::new(
            literal.span(),
            "write the number without a suffix",
        ))
    }
}
