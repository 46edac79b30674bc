//! A bare connection to Redis: one command, one answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::Result;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection.
#[derive(Debug)]
pub(crate) struct Resp {
    stream: BufReader<TcpStream>,
}

impl Resp {
    pub(crate) fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Sends a command and gives its answer as text; nothing and empty are the same.
    pub(crate) fn call(&mut self, command: &[&str]) -> Result<String> {
        let mut request = format!("*{}\r\n", command.len());
        for word in command {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.answer()
    }

    fn answer(&mut self) -> Result<String> {
        let mut head = String::new();
        self.stream.read_line(&mut head)?;
        let head = head.trim_end();
        if head.is_empty() {
            return Err("Redis closed the connection".into());
        }
        let (kind, rest) = head.split_at(1);
        match kind {
            "+" | ":" => Ok(rest.into()),
            "$" => match usize::try_from(rest.parse::<i64>()?) {
                Ok(length) => {
                    let mut text = vec![0; length + 2];
                    self.stream.read_exact(&mut text)?;
                    text.truncate(length);
                    Ok(String::from_utf8_lossy(&text).into_owned())
                }
                Err(_) => Ok(String::new()),
            },
            _ => Err(format!("Redis answered {head:?}").into()),
        }
    }
}
