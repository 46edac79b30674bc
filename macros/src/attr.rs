//! The options of `#[job(...)]`.

mod unknown;
mod value;

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser};
use syn::{Error, Ident, LitStr, Path, Result, Token, token};

use crate::rules::{self, Callback, Rule};
use crate::versions;
use unknown::unknown;
use value::{
    backtrace, cron, dead, function, krate, list, name, queue, retry, retry_for, text, timeout, tz,
};
pub(crate) use value::{integer_from_one, seconds, ungrouped};

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
    pub(crate) retry_in: Option<Callback>,
    pub(crate) retries_exhausted: Option<Callback>,
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
        options.retry_in = Some(rules::callback(value, RETRY_IN)?);
        Ok(())
    }),
    ("retries_exhausted", |options, value| {
        options.retries_exhausted = Some(rules::callback(value, RETRIES_EXHAUSTED)?);
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
const RETRY_IN: &str =
    "write the path of a `fn(count: u32, error: &E) -> RetryIn`: `retry_in = wait_for`";
const RETRIES_EXHAUSTED: &str = "write the path of an `async fn(job: &Record, cause: &Cause<E>)`: `retries_exhausted = tell_us`";

/// The options with parentheses, each with how it is written. The callbacks among them have parentheses where they borrow state.
const CALLS: [(&str, &str, Read); 5] = [
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
    (
        "retry_in",
        "retry_in(wait_for, &Limits)",
        |options, content| {
            options.retry_in = Some(rules::callback_with_state(content, RETRY_IN)?);
            Ok(())
        },
    ),
    (
        "retries_exhausted",
        "retries_exhausted(tell_us, &Mailer)",
        |options, content| {
            let callback = rules::callback_with_state(content, RETRIES_EXHAUSTED)?;
            options.retries_exhausted = Some(callback);
            Ok(())
        },
    ),
];

/// The options that may stand there several times.
const REPEATED: [&str; 2] = ["retry_on", "discard_on"];

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
    let option = OPTIONS.iter().find(|(name, _)| key == name);
    let call = CALLS.iter().find(|(name, ..)| key == name);
    if seen.contains(&key) && (option.is_some() || call.is_some()) {
        return Err(Error::new(key.span(), format!("`{key}` is given twice")));
    }
    if !REPEATED.iter().any(|name| key == name) {
        seen.push(key.clone());
    }
    match (option, call) {
        (Some(option), call) if call.is_none() || !input.peek(token::Paren) => {
            after_equals(options, &key, option, input)?;
        }
        (_, Some(call)) => in_parentheses(options, &key, call, input)?,
        (_, None) => return Err(unknown(&key)),
    }
    end(input)
}

fn after_equals(
    options: &mut Options,
    key: &Ident,
    (name, read): &(&str, Read),
    input: ParseStream<'_>,
) -> Result<()> {
    if !input.peek(Token![=]) {
        return Err(Error::new(key.span(), format!("write `{name} = ...`")));
    }
    input.parse::<Token![=]>()?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(Error::new(key.span(), format!("`{name}` has no value")));
    }
    read(options, input)
}

fn in_parentheses(
    options: &mut Options,
    key: &Ident,
    (name, how, read): &(&str, &str, Read),
    input: ParseStream<'_>,
) -> Result<()> {
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
    result
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
