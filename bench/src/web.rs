//! How long does each page of the dashboard take over places that are long? Asked over HTTP, as a browser asks.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sancho::api::Api;
use sancho::job::Timestamp;
use sancho::store::{Batch, Effect, End, Lane, Place, Store, TimedSet, Tx};
use sancho::{Client, Config};
use sancho_web::Options;

use crate::Result;
use crate::figures::{Sample, count, number};
use crate::report::{Goal, Section, Table};
use crate::rig::{Folder, Redis};
use crate::setting::say;

/// How many jobs are put into the store at a time.
const PART: u64 = 1_000;

/// How often each page is asked for.
const TIMES: u32 = 7;

/// The longest that a page is to take, in ms.
const GOAL: f64 = 200.0;

/// The pages, but for those in the middle of the queue and of the retries.
const PAGES: [&str; 26] = [
    "/",
    "/busy",
    "/queues",
    "/queue?name=long",
    "/queue?name=long&order=last",
    "/queue?name=long&rows=200",
    "/scheduled",
    "/retries",
    "/retries?rows=200",
    "/retries?q=order%207",
    "/retries?q=nothing-has-this",
    "/dead",
    "/errors",
    "/errors?depth=1000000",
    "/metrics",
    "/metrics?class=WelcomeEmail&hours=72",
    "/cron",
    "/find?jid=nobody-has-this",
    "/search",
    "/search?q=class:ChargeCard",
    "/search?q=nothing-has-this",
    "/search?q=queue:long+args:nothing-has-this+-tag:vip",
    "/search?q=state:retry+error:declined+since:1h",
    "/stats",
    "/api/queues",
    "/api/errors",
];

/// What is looked for in every place, to the end.
const SOUGHT: &str = "nothing-has-this";

/// Fills both stores, and asks for all pages.
pub(crate) async fn measure(waiting: u64, retries: u64) -> Result<Section> {
    let redis = Redis::start()?;
    let folder = Folder::new()?;
    let file = format!("sqlite:{}", folder.file("web.db").display());
    let mut pages: Vec<String> = PAGES.map(str::to_owned).into();
    pages.push(format!("/queue?name=long&from={}", waiting / 2));
    pages.push(format!(
        "/job?in=queue&name=long&at={0}&jid={0:024x}",
        waiting / 2
    ));
    pages.push(format!("/retries?from={}", retries / 2));
    let mut section = Section::default();
    section.line(&format!(
        "{} jobs wait in one queue, {} are to be tried again. Each page is asked for {TIMES} times: the median and the worst, in ms.",
        count(waiting),
        count(retries)
    ));
    let mut table = Table::new(["page", "Redis", "worst", "SQLite", "worst"]);
    let mut rows: Vec<Vec<String>> = pages.iter().map(|page| vec![format!("`{page}`")]).collect();
    for (name, url) in [("Redis", redis.url()), ("SQLite", file)] {
        say(&format!("web: fills {name}"));
        let client = Client::connect(Config::new().store(url)).await?;
        fill(client.store(), waiting, retries).await?;
        say(&format!("web: asks for pages on {name}"));
        let (addr, memory) = (serve(&client)?, peak_memory()?);
        let mut worst: f64 = 0.0;
        for (page, row) in pages.iter().zip(&mut rows) {
            let mut sample = Sample::default();
            for _ in 0..TIMES {
                sample.add(get(addr, page)?.as_secs_f64() * 1_000.0);
            }
            worst = worst.max(sample.max());
            row.extend([number(sample.median()), number(sample.max())]);
        }
        let more = peak_memory()? - memory;
        section.line(&look_everywhere(name, addr)?);
        section.line(&format!(
            "{name}: the process took {} MB more for all of them.",
            number(more)
        ));
        let what = format!("the slowest page of the dashboard, {name}");
        section.goals.push(Goal::at_most(&what, worst, GOAL, " ms"));
    }
    for row in rows {
        table.row(row);
    }
    section.table(&table);
    Ok(section)
}

async fn fill(store: &Arc<dyn Store>, waiting: u64, retries: u64) -> Result<()> {
    let now = Timestamp::from_wall_clock();
    for first in (0..waiting).step_by(usize::try_from(PART)?) {
        let put = |n: u64| {
            let payload = format!(
                r#"{{"class":"WelcomeEmail","args":[{n},"ada@example.com"],"jid":"{n:024x}","queue":"long","retry":true,"created_at":{}}}"#,
                now.as_millis()
            );
            let place = Place::Queue {
                name: "long".into(),
                end: End::Tail,
            };
            Effect::Put(payload.into_bytes().into(), place)
        };
        apply(store, (first..waiting.min(first + PART)).map(put).collect()).await?;
    }
    for first in (0..retries).step_by(usize::try_from(PART)?) {
        let put = |n: u64| {
            let payload = format!(
                r#"{{"class":"ChargeCard","args":[{n}],"jid":"f{n:023x}","queue":"default","retry":true,"failed_at":{},"retry_count":2,"error_class":"app::CardError","error_message":"order {n} was declined"}}"#,
                now.as_millis()
            );
            let at = now.after(Duration::from_secs(3_600 + n));
            let set = TimedSet::Retry;
            Effect::Put(payload.into_bytes().into(), Place::Timed { set, at })
        };
        apply(store, (first..retries.min(first + PART)).map(put).collect()).await?;
    }
    Ok(())
}

async fn apply(store: &Arc<dyn Store>, effects: Vec<Effect>) -> Result<()> {
    let batch = Batch {
        lane: Lane::random(),
        seq: 1,
        txs: vec![Tx::always(effects)],
    };
    store.commit(&batch).await?;
    Ok(())
}

/// Looks for what is nowhere, going on until all was looked at.
fn look_everywhere(name: &str, addr: SocketAddr) -> Result<String> {
    let (begun, mut worst) = (Instant::now(), Duration::ZERO);
    let (mut parts, mut looked_at, mut from) = (0_u64, 0, String::new());
    loop {
        let page = format!("/api/search?q={SOUGHT}&from={from}");
        let (took, answer) = ask(addr, &page)?;
        worst = worst.max(took);
        parts += 1;
        let body = answer.split_once("\r\n\r\n").ok_or("no body")?.1;
        let found: serde_json::Value = serde_json::from_str(body)?;
        looked_at += found["looked_at"].as_u64().ok_or("nothing was looked at")?;
        match found["next"].as_str() {
            Some(next) => from = next.to_owned(),
            None => break,
        }
    }
    Ok(format!(
        "{name}: a search for what is nowhere has looked at all {} jobs in {} s, in {parts} parts, the slowest of which took {} ms.",
        count(looked_at),
        number(begun.elapsed().as_secs_f64()),
        number(worst.as_secs_f64() * 1_000.0)
    ))
}

/// A dashboard on a free port, which ends with the process.
fn serve(client: &Client) -> Result<SocketAddr> {
    let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    tokio::spawn(sancho_web::serve(addr, Api::new(client), Options::new()));
    let patience = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(addr).is_err() {
        if Instant::now() > patience {
            return Err("the dashboard does not listen".into());
        }
        std::thread::yield_now();
    }
    Ok(addr)
}

/// How long a page takes.
fn get(addr: SocketAddr, page: &str) -> Result<Duration> {
    Ok(ask(addr, page)?.0)
}

/// How long an answer takes, and what it is.
fn ask(addr: SocketAddr, page: &str) -> Result<(Duration, String)> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(addr)?;
    write!(
        stream,
        "GET {page} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let took = begun.elapsed();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    if !answer.starts_with("HTTP/1.1 200") {
        return Err(format!("{page}: {answer}").into());
    }
    Ok((took, answer))
}

/// The most memory that this process has had, in MB.
fn peak_memory() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    let kib: f64 = kib.ok_or("there is no VmHWM")?.parse()?;
    Ok(kib / 1_024.0)
}
