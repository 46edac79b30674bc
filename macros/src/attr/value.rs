//! The values of options.

use proc_macro2::Span;
use syn::parse::ParseStream;
use syn::spanned::Spanned as _;
use syn::{Error, Expr, ExprArray, ExprLit, Lit, LitInt, LitStr, Path, Result};

use super::{Backtrace, Retry};
use crate::{cron, duration};

pub(super) fn queue(value: ParseStream<'_>, example: &str) -> Result<String> {
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

pub(super) fn retry(value: ParseStream<'_>) -> Result<Retry> {
    const HOW: &str = "write `retry = 5`, `retry = true` or `retry = false`";
    match literal(value, HOW)? {
        Lit::Bool(retry) if retry.value => Ok(Retry::Default),
        Lit::Bool(_) => Ok(Retry::Never),
        Lit::Int(times) => integer(&times).map(Retry::Times),
        other => Err(Error::new(other.span(), HOW)),
    }
}

pub(super) fn retry_for(value: ParseStream<'_>) -> Result<u64> {
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

pub(super) fn dead(value: ParseStream<'_>) -> Result<bool> {
    const HOW: &str = "write `dead = false`: the job is discarded when it is exhausted";
    match literal(value, HOW)? {
        Lit::Bool(dead) => Ok(dead.value),
        other => Err(Error::new(other.span(), HOW)),
    }
}

pub(super) fn backtrace(value: ParseStream<'_>) -> Result<Backtrace> {
    const HOW: &str = "write `backtrace = 20` (lines), `backtrace = true` or `backtrace = false`";
    match literal(value, HOW)? {
        Lit::Bool(backtrace) if backtrace.value => Ok(Backtrace::All),
        Lit::Bool(_) => Ok(Backtrace::None),
        Lit::Int(lines) => integer(&lines).map(Backtrace::Lines),
        other => Err(Error::new(other.span(), HOW)),
    }
}

pub(super) fn timeout(value: ParseStream<'_>) -> Result<u64> {
    let (seconds, _) = seconds(
        value,
        "write `timeout = \"10m\"`, or seconds: `timeout = 600`",
    )?;
    Ok(seconds)
}

pub(super) fn cron(value: ParseStream<'_>) -> Result<LitStr> {
    let literal = text(value, "cron = \"0 3 * * *\"")?;
    match cron::check(&literal.value()) {
        Ok(()) => Ok(literal),
        Err(error) => Err(Error::new(literal.span(), error)),
    }
}

/// The name of a time zone. Whether there is such a zone is asked at the start of a server.
pub(super) fn tz(value: ParseStream<'_>) -> Result<LitStr> {
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
pub(super) fn function(value: ParseStream<'_>, example: &str) -> Result<Path> {
    match ungrouped(value.parse()?) {
        Expr::Path(path) if path.qself.is_none() && path.attrs.is_empty() => Ok(path.path),
        other => {
            let message = format!("write the name of a function: `{example}`");
            Err(Error::new(other.span(), message))
        }
    }
}

pub(super) fn krate(value: ParseStream<'_>) -> Result<Path> {
    const HOW: &str = "write the path to sancho: `crate = my_crate::sancho`";
    if value.peek(Lit) {
        return Err(value.error(HOW));
    }
    Path::parse_mod_style(value)
}

pub(super) fn list(value: ParseStream<'_>, example: &str) -> Result<Vec<String>> {
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

pub(super) fn name(literal: &LitStr) -> Result<String> {
    match literal.value() {
        empty if empty.is_empty() => Err(Error::new(literal.span(), "a name cannot be empty")),
        name => Ok(name),
    }
}

pub(super) fn text(value: ParseStream<'_>, example: &str) -> Result<LitStr> {
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
