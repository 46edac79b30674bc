//! Signs up the users of a CSV file: a welcome mail each, a digest a few seconds later, a job that fails and is retried,
//! and one that is given up.
//!
//! `cargo run --example quickstart` needs nothing else: jobs stand in a SQLite file, mails are written as `.eml` files. With
//! `REDIS_URL` set the same run goes through Redis. Kill it in the middle and start it again: it goes on. `--fresh` starts
//! over. `--web 127.0.0.1:7433` shows all of it on the dashboard, and goes on until Ctrl-C.

mod jobs;
mod ledger;
mod signups;

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;
use jobs::{Outbox, digest, flaky_sync, hopeless_charge, welcome_email};
use ledger::Ledger;
use sancho::api::Api;
use sancho::runtime::Server;
use sancho::{Client, Config};
use signups::{Refused, SignUp};

/// Signs up the users of a CSV file.
#[derive(Parser)]
struct Args {
    /// Where mails, the SQLite file and the memory of what was enqueued are kept
    #[arg(long, default_value = "quickstart-data")]
    dir: PathBuf,
    /// Starts over: forgets what an earlier run did
    #[arg(long)]
    fresh: bool,
    /// Serves the dashboard at this address, and goes on until Ctrl-C
    #[arg(long, value_name = "ADDR")]
    web: Option<SocketAddr>,
}

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let args = Args::parse();
    if args.fresh && args.dir.exists() {
        std::fs::remove_dir_all(&args.dir)?;
    }
    let ledger = Ledger::open(&args.dir)?;
    let (sign_ups, refused) = signups::read()?;

    let client = Client::connect(config(&args)).await?;
    let dashboard = args.web.map(|addr| {
        println!("the dashboard is at http://{addr}/");
        let options = sancho_web::Options::new();
        tokio::spawn(sancho_web::serve(addr, Api::new(&client), options))
    });
    let server = Server::builder()
        .client(&client)
        .queues(["quickstart"])
        .concurrency(10)
        // So short that a run that was killed is taken up again within a few seconds.
        .lease(Duration::from_secs(3))
        .state(Outbox::open(&args.dir)?)
        .middleware(ledger.clone())
        .build()?;

    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server.run_until(async { _ = stopped.await }));
    let pushed = enqueue(&client, &ledger, &sign_ups).await?;
    println!(
        "{} sign-ups read, {} refused, {pushed} jobs enqueued now",
        sign_ups.len() + refused.len(),
        refused.len()
    );

    wait_until_done(&client, &ledger, &sign_ups).await?;
    if let Some(dashboard) = dashboard {
        println!("all is done; the dashboard stays until Ctrl-C");
        tokio::select! {
            ended = dashboard => ended??,
            stopped = tokio::signal::ctrl_c() => stopped?,
        }
    }
    let _ = stop.send(());
    serving.await??;
    summary(&client, &ledger, &sign_ups, &refused).await
}

/// The store of the environment, else a SQLite file in the run's own folder.
fn config(args: &Args) -> Config {
    let named = ["SANCHO_STORE", "REDIS_PROVIDER", "REDIS_URL"]
        .iter()
        .any(|name| std::env::var_os(name).is_some());
    if named {
        Config::new()
    } else {
        Config::new().store(format!("sqlite:{}", args.dir.join("sancho.db").display()))
    }
}

/// Enqueues what was not enqueued before. Killed between a push and its memory, it pushes that job again; both write the
/// same mail.
async fn enqueue(client: &Client, ledger: &Ledger, sign_ups: &[SignUp]) -> Result<usize, Error> {
    let mut pushed = 0;
    for sign_up in sign_ups {
        if ledger.begin(&ledger.jid(&sign_up.key())) {
            let jid = ledger.jid(&sign_up.key());
            let SignUp { name, email, plan } = sign_up.clone();
            welcome_email::set()
                .client(client)
                .jid(jid.clone())
                .perform_async(name, email, plan)
                .await?;
            ledger.remember(&jid)?;
            pushed += 1;
        }
    }
    let others = [
        (
            ledger.jid("digest"),
            digest::set()
                .wait(Duration::from_secs(4))
                .client(client)
                .jid(ledger.jid("digest"))
                .perform_async(sign_ups.len()),
        ),
        (
            ledger.jid("flaky"),
            flaky_sync::set()
                .client(client)
                .jid(ledger.jid("flaky"))
                .perform_async("crm".into()),
        ),
        (
            ledger.jid("hopeless"),
            hopeless_charge::set()
                .client(client)
                .jid(ledger.jid("hopeless"))
                .perform_async(1_999),
        ),
    ];
    for (jid, push) in others {
        if ledger.begin(&jid) {
            push.await?;
            ledger.remember(&jid)?;
            pushed += 1;
        }
    }
    Ok(pushed)
}

async fn wait_until_done(
    client: &Client,
    ledger: &Ledger,
    sign_ups: &[SignUp],
) -> Result<(), Error> {
    let start = Instant::now();
    let mut said = String::new();
    loop {
        let mails = ledger.mails(sign_ups);
        let (digest, flaky) = (ledger.has_mail("digest"), ledger.has_mail("flaky"));
        let dead = is_dead(client, ledger).await?;
        let done = mails == sign_ups.len() && digest && flaky && dead;
        let mark = |done: bool| if done { "done" } else { "waiting" };
        let line = format!(
            "{mails}/{} welcome mails, digest {}, flaky job {}, hopeless job {}",
            sign_ups.len(),
            mark(digest),
            mark(flaky),
            if dead { "dead" } else { "waiting" }
        );
        progress(&line, &mut said, start, done)?;
        if done {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// One line that changes on a terminal, a line for each change elsewhere.
fn progress(line: &str, said: &mut String, start: Instant, done: bool) -> Result<(), Error> {
    let mut out = std::io::stdout();
    if out.is_terminal() {
        write!(
            out,
            "\r{:>4} s  {line}\x1b[K{}",
            start.elapsed().as_secs(),
            if done { "\n" } else { "" }
        )?;
        out.flush()?;
    } else if line != said {
        writeln!(out, "{:>4} s  {line}", start.elapsed().as_secs())?;
        line.clone_into(said);
    }
    Ok(())
}

async fn is_dead(client: &Client, ledger: &Ledger) -> Result<bool, Error> {
    let jid = ledger.jid("hopeless");
    let dead = Api::new(client).dead();
    Ok(dead.find(jid.as_str()).await?.is_some())
}

async fn summary(
    client: &Client,
    ledger: &Ledger,
    sign_ups: &[SignUp],
    refused: &[Refused],
) -> Result<(), Error> {
    let (mails, failures, dead) = (
        ledger.mails(sign_ups),
        ledger.failures()?,
        usize::from(is_dead(client, ledger).await?),
    );
    println!(
        "\nrows      {:>5}  in signups.csv",
        sign_ups.len() + refused.len()
    );
    println!(
        "mails     {mails:>5}  welcome mails, one for each of the {} rows that were accepted",
        sign_ups.len()
    );
    println!(
        "          {:>5}  more: the digest and the flaky job's report",
        2
    );
    println!("refused   {:>5}  rows:", refused.len());
    for Refused { line, why } in refused {
        println!("                 line {line}: {why}");
    }
    println!(
        "failures  {failures:>5}  executions failed; {} of them were retried",
        failures - dead
    );
    println!("dead      {dead:>5}  job was given up, with its error");
    println!("\nThe mails are in {}", ledger.folder().display());
    Ok(())
}
