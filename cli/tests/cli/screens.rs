//! The dashboard, and the live screen.

use std::io::{Read, Write as _};
use std::process::{Command, Stdio};

use crate::harness::Store;

#[test]
fn the_dashboard_is_served() {
    let store = Store::sqlite();
    store.enqueue(&["Report"]);
    for (args, named) in [
        (&["web", "--addr", "0.0.0.0:0"][..], "0.0.0.0"),
        (&["web", "--addr", "nowhere"], "nowhere"),
        (&["web", "--user", "ada"], "ada:secret"),
    ] {
        let error = store.fails(2, args);
        assert!(error.contains(named), "{args:?}: {error}");
    }
    let mut web = Command::new(env!("CARGO_BIN_EXE_sancho"))
        .args([
            "--store",
            &store.url,
            "--color",
            "never",
            "web",
            "--addr",
            "127.0.0.1:0",
            "--environment",
            "staging",
        ])
        .env("NO_COLOR", "1")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = web.stderr.take().unwrap();
    let mut line = String::new();
    let addr = loop {
        let mut part = [0; 512];
        let read = log.read(&mut part).unwrap();
        assert!(read > 0, "the dashboard ended: {line}");
        line.push_str(&String::from_utf8_lossy(&part[..read]));
        if let Some((_, rest)) = line.split_once("http://")
            && let Some((addr, _)) = rest.split_once('/')
        {
            break addr.to_owned();
        }
    };
    let mut page = String::new();
    let mut stream = std::net::TcpStream::connect(&addr).unwrap();
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    stream.read_to_string(&mut page).unwrap();
    web.kill().unwrap();
    web.wait().unwrap();
    assert!(
        page.starts_with("HTTP/1.1 200") && page.contains("staging"),
        "{page}"
    );
}

/// On a terminal of its own, which `script` makes.
#[test]
fn the_live_screen_shows_acts_and_ends() {
    let store = Store::sqlite();
    store.enqueue(&["Report", "--queue", "mailers"]);
    let command = format!(
        "stty rows 30 cols 110; {} --store {} top --every 1s",
        env!("CARGO_BIN_EXE_sancho"),
        store.url
    );
    let mut screen = Command::new("script")
        .args(["-qfec", &command, "/dev/null"])
        .current_dir(store.folder.path())
        .env("TERM", "xterm-256color")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut keys = screen.stdin.take().unwrap();
    let mut shown = screen.stdout.take().unwrap();
    until(&mut shown, "noprocesstakesfromit");
    keys.write_all(b"py").unwrap();
    let paused = || store.json(&["queues"])[0]["paused"] == true;
    assert!((0..PATIENCE).any(|_| paused()), "the queue was not paused");
    keys.write_all(b"q").unwrap();
    drop(keys);
    let mut rest = Vec::new();
    shown.read_to_end(&mut rest).unwrap();
    assert!(screen.wait().unwrap().success());
    let error = store.fails(2, &["top"]);
    assert!(error.contains("needs a terminal"), "{error}");
}

/// How many times a change is looked for, each of which starts a process: far more than it takes.
const PATIENCE: usize = 1_000;

/// Reads on until this is shown, blanks aside.
fn until(screen: &mut impl Read, what: &str) {
    let (mut text, mut part) = (String::new(), [0; 4_096]);
    while !without_escapes(&text).replace(' ', "").contains(what) {
        let read = screen.read(&mut part).unwrap();
        assert!(
            read > 0,
            "the screen ended before it showed {what:?}: {text}"
        );
        text.push_str(&String::from_utf8_lossy(&part[..read]));
    }
}

/// The text between the commands to the terminal.
fn without_escapes(text: &str) -> String {
    let mut plain = String::new();
    let mut parts = text.split('\u{1b}');
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let end = part
            .find(|c: char| c.is_ascii_alphabetic())
            .map_or(part.len(), |end| end + 1);
        plain.push_str(&part[end..]);
    }
    plain
}
