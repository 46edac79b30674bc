//! As much of HTTP/1.1 as probes and scrapes need: the line of a `GET` or `HEAD`, and one answer, after which the connection ends.

use std::borrow::Cow;
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The longest request, its headers included.
const MOST_BYTES: usize = 8 * 1024;

/// What is answered.
#[derive(Debug)]
pub(super) struct Response {
    status: u16,
    kind: &'static str,
    body: Cow<'static, str>,
}

/// What a connection asked for.
#[derive(Debug)]
pub(super) enum Asked {
    /// It ended without a request.
    Nothing,
    /// Something that is refused.
    Wrong(Response),
    For {
        path: String,
        /// `false` where it was a `HEAD`.
        with_body: bool,
    },
}

/// Reads a request up to the end of its headers, which are not looked at.
///
/// # Errors
/// A connection that broke.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Asked> {
    let mut bytes = Vec::with_capacity(512);
    let mut stream = stream.take(MOST_BYTES as u64);
    let end = loop {
        let seen = bytes.len();
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(match seen {
                0 => Asked::Nothing,
                MOST_BYTES => Asked::Wrong(Response::text(431, "the request is too long\n")),
                _ => Asked::Wrong(Response::text(400, "the request has no end\n")),
            });
        }
        // Its end may have begun in what was read before.
        if let Some(end) = end(&bytes, seen.saturating_sub(3)) {
            break end;
        }
    };
    Ok(parse(&bytes[..end]))
}

/// Where the empty line begins that ends the headers.
fn end(bytes: &[u8], from: usize) -> Option<usize> {
    let found = |end: &[u8]| bytes[from..].windows(end.len()).position(|it| it == end);
    let end = found(b"\r\n\r\n").or_else(|| found(b"\n\n"))?;
    Some(from + end)
}

fn parse(head: &[u8]) -> Asked {
    let wrong = || Asked::Wrong(Response::text(400, "that is no HTTP/1 request\n"));
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Ok(line) = std::str::from_utf8(line) else {
        return wrong();
    };
    let mut parts = line.trim_end_matches('\r').split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return wrong();
    };
    if !version.starts_with("HTTP/1.") || !target.starts_with('/') {
        return wrong();
    }
    match method {
        "GET" | "HEAD" => Asked::For {
            path: target.split('?').next().unwrap_or_default().to_owned(),
            with_body: method == "GET",
        },
        _ => Asked::Wrong(Response::text(405, "only GET and HEAD are answered\n")),
    }
}

impl Response {
    pub(super) fn text(status: u16, body: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            kind: "text/plain; charset=utf-8",
            body: body.into(),
        }
    }

    /// A page of metrics.
    pub(super) fn metrics(body: String) -> Self {
        Self {
            status: 200,
            kind: "text/plain; version=0.0.4; charset=utf-8",
            body: body.into(),
        }
    }

    pub(super) fn bytes(&self, with_body: bool) -> Vec<u8> {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            431 => "Request Header Fields Too Large",
            _ => "Service Unavailable",
        };
        let allow = match self.status {
            405 => "Allow: GET, HEAD\r\n",
            _ => "",
        };
        let body = if with_body { &*self.body } else { "" };
        format!(
            "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n{allow}Connection: close\r\n\r\n{body}",
            self.status,
            self.kind,
            self.body.len()
        )
        .into_bytes()
    }
}
