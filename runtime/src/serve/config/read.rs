//! Reading single values. What is refused is answered with what is allowed, in words that follow "give".

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::value::Value;
use crate::client::Wire;
use crate::engine::{Capsule, MAX_WEIGHT, MOST_CONCURRENCY, ServedQueue};
use crate::job::check_queue_name;
use crate::serve::log::{Format, Level};

/// What comes of a value, or what is allowed in its place.
pub(super) type Read<T> = Result<T, String>;

/// The longest time of a setting: longer ones have no end that a clock can show.
const LONGEST_SECONDS: f64 = 365.0 * 86_400.0;

pub(in crate::serve) fn concurrency(text: &str) -> Read<usize> {
    text.parse()
        .ok()
        .filter(|jobs| (1..=MOST_CONCURRENCY).contains(jobs))
        .ok_or_else(|| format!("a number from 1 to {MOST_CONCURRENCY}"))
}

/// Seconds, with or without a part of one.
pub(in crate::serve) fn seconds(text: &str) -> Read<Duration> {
    text.parse()
        .ok()
        .filter(|seconds| (0.0..=LONGEST_SECONDS).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "seconds, from 0 to a year".to_owned())
}

/// A queue as Sidekiq writes it: `name` or `name,weight`.
pub(in crate::serve) fn queue(text: &str) -> Read<ServedQueue> {
    let (name, weight) = match text.split_once(',') {
        Some((name, weight)) => (name, Some(weight)),
        None => (text, None),
    };
    let weight = match weight {
        None => 0,
        Some(weight) => weight
            .trim()
            .parse()
            .ok()
            .filter(|weight| *weight <= MAX_WEIGHT)
            .ok_or_else(|| {
                format!("NAME or NAME,WEIGHT, the weight a number from 0 to {MAX_WEIGHT}")
            })?,
    };
    check_queue_name(name).map_err(|error| format!("NAME or NAME,WEIGHT: {error}"))?;
    Ok((name, weight).into())
}

/// Where to listen: a port of this host's own 127.0.0.1, or an address with its port.
pub(in crate::serve) fn address(text: &str) -> Read<SocketAddr> {
    let port = text.parse().ok();
    port.map(|port| (Ipv4Addr::LOCALHOST, port).into())
        .or_else(|| text.parse().ok())
        .ok_or_else(|| "PORT or ADDRESS:PORT, like 9394 or 0.0.0.0:9394".to_owned())
}

pub(in crate::serve) fn format(text: &str) -> Read<Format> {
    Format::ALL
        .into_iter()
        .find(|format| format.name() == text)
        .ok_or_else(|| format!("one of {}", Format::ALL.map(Format::name).join(", ")))
}

pub(super) fn level(value: &Value) -> Read<Level> {
    let name = value.as_text().unwrap_or_default().to_ascii_lowercase();
    Level::ALL
        .into_iter()
        .find(|level| level.name() == name)
        .ok_or_else(|| format!("one of {}", Level::ALL.map(Level::name).join(", ")))
}

pub(super) fn format_value(value: &Value) -> Read<Format> {
    format(value.as_text().unwrap_or_default())
}

pub(super) fn address_value(value: &Value) -> Read<SocketAddr> {
    match value {
        Value::Integer(port) => address(&port.to_string()),
        _ => address(value.as_text().unwrap_or_default()),
    }
}

pub(super) fn concurrency_value(value: &Value) -> Read<usize> {
    concurrency(&number(value))
}

pub(super) fn seconds_value(value: &Value) -> Read<Duration> {
    match value.as_number() {
        Some(number) => seconds(&number.to_string()),
        None => seconds(""),
    }
}

/// Seconds that are not too few.
pub(super) fn at_least(shortest: Duration) -> impl Fn(&Value) -> Read<Duration> {
    move |value| {
        let seconds = seconds_value(value).ok();
        seconds.filter(|time| *time >= shortest).ok_or_else(|| {
            let shortest = shortest.as_secs_f64();
            format!("seconds, from {shortest} to a year")
        })
    }
}

pub(super) fn count<T: TryFrom<i64>>(least: i64, what: &str) -> impl Fn(&Value) -> Read<T> {
    move |value| {
        value
            .as_integer()
            .filter(|number| *number >= least)
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| what.to_owned())
    }
}

pub(super) fn boolean(value: &Value) -> Read<bool> {
    match value {
        Value::Bool(value) => Ok(*value),
        _ => Err("true or false".into()),
    }
}

pub(super) fn text(value: &Value) -> Read<String> {
    match value {
        Value::Integer(number) => Ok(number.to_string()),
        _ => value
            .as_text()
            .filter(|text| !text.is_empty() && !text.chars().any(char::is_control))
            .map(str::to_owned)
            .ok_or_else(|| "a text in one line".to_owned()),
    }
}

pub(super) fn labels(value: &Value) -> Read<Vec<String>> {
    let allowed = |_| "a list of texts".to_owned();
    match value {
        Value::List(labels) => labels.iter().map(|it| text(it).map_err(allowed)).collect(),
        _ => Err(allowed(String::new())),
    }
}

/// A list of texts, or one.
pub(super) fn texts(value: &Value) -> Read<Vec<String>> {
    let allowed = |_| "a text, or a list of them".to_owned();
    match value {
        Value::List(texts) if !texts.is_empty() => {
            texts.iter().map(|it| text(it).map_err(allowed)).collect()
        }
        _ => Ok(vec![text(value).map_err(allowed)?]),
    }
}

/// A wait for a Redis, as its URL writes it: a number is one of seconds.
pub(super) fn wait(value: &Value) -> Read<String> {
    let allowed = || "seconds from 0.1 to 10, or a time like 500ms".to_owned();
    let seconds = match (value, value.as_text()) {
        (_, Some(text)) => match text.strip_suffix("ms") {
            Some(millis) => millis.parse::<f64>().ok().map(|millis| millis / 1_000.0),
            None => text.strip_suffix('s').unwrap_or(text).parse().ok(),
        },
        (_, None) => value.as_number(),
    };
    seconds
        .filter(|seconds| (0.1..=10.0).contains(seconds))
        .map(|seconds| format!("{}ms", Duration::from_secs_f64(seconds).as_millis()))
        .ok_or_else(allowed)
}

pub(super) fn wire(value: &Value) -> Read<Wire> {
    match value.as_integer() {
        Some(6) => Ok(Wire::Sidekiq6),
        Some(7) => Ok(Wire::Sidekiq7),
        Some(8) => Ok(Wire::Sidekiq8),
        _ => Err("6, 7 or 8".into()),
    }
}

/// A list of names, of `name,weight`, and of pairs of both; or one name.
pub(super) fn queues(value: &Value) -> Read<Vec<ServedQueue>> {
    let allowed = || "a list of names, and of [name, weight]".to_owned();
    match value {
        Value::List(entries) if !entries.is_empty() => entries.iter().map(entry).collect(),
        Value::Text(_) => Ok(vec![entry(value)?]),
        _ => Err(allowed()),
    }
}

fn entry(value: &Value) -> Read<ServedQueue> {
    let allowed = || "a list of names, and of [name, weight]".to_owned();
    match value {
        Value::List(pair) => match pair.as_slice() {
            [name] => queue(&text(name).map_err(|_| allowed())?),
            [name, weight] => {
                let name = text(name).map_err(|_| allowed())?;
                queue(&format!("{name},{}", number(weight)))
            }
            _ => Err(allowed()),
        },
        // What is wrong with a name is named.
        Value::Text(name) if !name.is_empty() => queue(name.strip_prefix(':').unwrap_or(name)),
        _ => queue(&text(value).map_err(|_| allowed())?),
    }
}

/// Capsules by name.
pub(super) fn capsules(value: &Value) -> Read<Vec<Capsule>> {
    let allowed = || "a map from names to queues and concurrency".to_owned();
    let entries = value.as_map().ok_or_else(allowed)?;
    entries
        .iter()
        .map(|(name, value)| {
            let mut capsule = Capsule::named(name.as_str());
            for (key, value) in value.as_map().ok_or_else(allowed)? {
                let named = |allowed: String| format!("{allowed} as {name}.{key}");
                capsule = match key.as_str() {
                    "queues" => capsule.queues(queues(value).map_err(named)?),
                    "concurrency" => capsule.concurrency(concurrency_value(value).map_err(named)?),
                    _ => return Err(format!("queues and concurrency; {name} has {key:?}")),
                };
            }
            Ok(capsule)
        })
        .collect()
}

/// A number as text, for one reader of both.
fn number(value: &Value) -> String {
    value
        .as_integer()
        .map_or_else(String::new, |number| number.to_string())
}
