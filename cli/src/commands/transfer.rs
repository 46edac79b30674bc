//! Export and import: jobs as lines of JSON, byte for byte.

use std::io::{BufRead, BufReader, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use sancho::api::{Api, JobRecord};
use sancho::job::Timestamp;
use sancho::store::Order;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Session;
use crate::args::Place;
use crate::error::{Error, Result};
use crate::output::{grouped, unless_closed};
use crate::select;

/// A line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// As on the command line.
    place: String,
    /// Its time, in microseconds since 1970, where the place is a timed set.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_us: Option<i64>,
    /// The payload, where it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    /// Its bytes in hex, where it is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_hex: Option<String>,
}

pub(crate) async fn export(
    session: &Session,
    places: Vec<Place>,
    output: Option<PathBuf>,
) -> Result<()> {
    let places = if places.is_empty() {
        all(&session.api).await?
    } else {
        places
    };
    let mut to: Box<dyn Write> = match &output {
        Some(path) => {
            let file = std::fs::File::create_new(path)
                .map_err(|error| Error::usage(format!("{}: {error}", path.display())))?;
            Box::new(BufWriter::new(file))
        }
        None => Box::new(BufWriter::new(std::io::stdout().lock())),
    };
    let mut written = 0;
    for place in &places {
        match export_place(&session.api, place, &mut to).await? {
            Some(jobs) => written += jobs,
            // Whoever read it has seen enough.
            None if output.is_none() => return Ok(()),
            None => break,
        }
    }
    unless_closed(to.flush())?;
    // Standard output is the export itself.
    if let Some(path) = output {
        let line = format!("{} jobs written to {}", grouped(written), path.display());
        session.out.done(&line, &json!({ "jobs": written }))?;
    }
    Ok(())
}

async fn all(api: &Api) -> Result<Vec<Place>> {
    let queues = api
        .queues()
        .await?
        .into_iter()
        .map(|queue| Place::Queue(queue.name));
    Ok([Place::Scheduled, Place::Retry, Place::Dead]
        .into_iter()
        .chain(queues)
        .collect())
}

/// Writes a place, in the order in which [`import`] brings it back; nothing comes of it where nobody reads any more.
async fn export_place(api: &Api, place: &Place, to: &mut dyn Write) -> Result<Option<u64>> {
    let mut written = 0;
    let mut cursor = Some(0);
    while let Some(from) = cursor {
        let jobs: Vec<(Option<Timestamp>, JobRecord)>;
        (jobs, cursor) = match (place, select::set(api, place)) {
            (Place::Queue(name), _) => {
                let page = api
                    .queue(name)?
                    .page(Order::Forward, from, sancho::api::MAX_PAGE)
                    .await?;
                (
                    page.jobs.into_iter().map(|job| (None, job)).collect(),
                    page.next,
                )
            }
            (_, Some(set)) => {
                let page = set
                    .page(Order::Forward, from, sancho::api::MAX_PAGE)
                    .await?;
                let entries = page.entries.into_iter();
                (
                    entries
                        .map(|entry| (Some(entry.at()), entry.job().clone()))
                        .collect(),
                    page.next,
                )
            }
            (_, None) => (Vec::new(), None),
        };
        for (at, job) in jobs {
            let text = std::str::from_utf8(job.payload()).ok().map(str::to_owned);
            let line = Line {
                place: place.to_string(),
                at_us: at.map(Timestamp::as_micros),
                payload_hex: text.is_none().then(|| hex(job.payload())),
                payload: text,
            };
            let mut bytes = serde_json::to_vec(&line)?;
            bytes.push(b'\n');
            match to.write_all(&bytes) {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(None),
                written => written?,
            }
            written += 1;
        }
    }
    Ok(Some(written))
}

pub(crate) async fn import(session: &Session, file: &Path) -> Result<()> {
    let from: Box<dyn BufRead + Send> = if file == Path::new("-") {
        Box::new(BufReader::new(std::io::stdin()))
    } else {
        let opened = std::fs::File::open(file)
            .map_err(|error| Error::usage(format!("{}: {error}", file.display())))?;
        Box::new(BufReader::new(opened))
    };
    // Everything is read before anything is written, so that a mistake in the last line changes nothing.
    let mut jobs = Vec::new();
    for (index, line) in from.lines().enumerate() {
        let wrong = |what: String| {
            Error::usage(format!(
                "{}, line {}: {what}; nothing was imported",
                file.display(),
                index + 1
            ))
        };
        let line = line.map_err(|error| wrong(error.to_string()))?;
        if !line.trim().is_empty() {
            let job = read(&line).map_err(wrong)?;
            if let (Place::Queue(name), ..) = &job {
                session
                    .api
                    .queue(name)
                    .map_err(|error| wrong(error.to_string()))?;
            }
            jobs.push(job);
        }
    }
    let bar = session.out.bar(jobs.len() as u64, "imported");
    for (done, (place, at, payload)) in jobs.iter().enumerate() {
        let put = match (place, select::set(&session.api, place)) {
            (Place::Queue(name), _) => session.api.queue(name)?.put(payload.clone()).await,
            (_, Some(set)) => set.put(*at, payload.clone()).await,
            (_, None) => Ok(()),
        };
        put.map_err(|error| {
            Error::failed(format!(
                "{error}; the first {} of {} jobs were imported",
                grouped(done as u64),
                grouped(jobs.len() as u64)
            ))
        })?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let line = format!("{} jobs imported", grouped(jobs.len() as u64));
    session.out.done(&line, &json!({ "jobs": jobs.len() }))
}

fn read(line: &str) -> std::result::Result<(Place, Timestamp, Vec<u8>), String> {
    let line: Line = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let place: Place = line
        .place
        .parse()
        .map_err(|error| format!("`{}` is no place: {error}", line.place))?;
    let payload = match (line.payload, line.payload_hex) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(hex)) => unhex(&hex).ok_or("`payload_hex` is no hex")?,
        _ => return Err("it has neither `payload` nor `payload_hex`, or both".to_owned()),
    };
    let at = match (&place, line.at_us) {
        (Place::Queue(_), None) => Timestamp::default(),
        (Place::Queue(_), Some(_)) => return Err("`at_us` is for timed sets".to_owned()),
        (_, Some(at)) => Timestamp::from_micros(at),
        (_, None) => return Err("`at_us` is missing".to_owned()),
    };
    if place != Place::Dead
        && let Some(problem) = JobRecord::read(payload.clone()).problem()
    {
        return Err(problem);
    }
    Ok((place, at, payload))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let pairs = digits.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    let byte = |pair: &[u8]| {
        // A sign is no digit, but would be read.
        let digits = pair.iter().all(u8::is_ascii_hexdigit);
        let text = std::str::from_utf8(pair).ok().filter(|_| digits)?;
        u8::from_str_radix(text, 16).ok()
    };
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_wrong_says_what() {
        for (line, named) in [
            ("{", "EOF"),
            (
                r#"{"place":"asleep","payload":"{}"}"#,
                "`asleep` is no place",
            ),
            (r#"{"place":"dead","payload":"{}"}"#, "`at_us` is missing"),
            (
                r#"{"place":"queue:a","at_us":1,"payload":"{}"}"#,
                "for timed sets",
            ),
            (r#"{"place":"queue:a"}"#, "neither"),
            (r#"{"place":"dead","at_us":1,"payload_hex":"f"}"#, "no hex"),
            (
                r#"{"place":"queue:a","payload":"{}","x":1}"#,
                "unknown field `x`",
            ),
            (r#"{"place":"queue:a","payload":"bad"}"#, ""),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
    }

    #[test]
    fn bytes_survive() {
        let bytes = b"{bad \xff\x00";
        assert_eq!(unhex(&hex(bytes)).unwrap(), bytes);
        assert_eq!(unhex("zz"), None);
        assert_eq!(unhex("+f"), None);
    }
}
