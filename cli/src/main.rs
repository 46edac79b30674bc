//! The `sancho` command: looks at and acts on a store of Sancho, or on the Redis of any Sidekiq.

mod args;
mod ask;
mod commands;
mod error;
mod output;
mod select;

use std::process::ExitCode;

use clap::Parser as _;
use sancho::api::Api;
use sancho::store::redis::RedisStore;
use sancho::{Client, Config};

use args::{Args, Color, Command};
use ask::Ask;
use error::{Error, Result};
use output::Output;

/// What every command works with.
#[derive(Debug)]
struct Session {
    api: Api,
    /// The URL of the store, without its password.
    store: String,
    out: Output,
    ask: Ask,
}

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return refuse(&error),
    };
    let out = Output::new(args.json, args.color);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            return out.fail(&Error::failed(format!("the runtime cannot start: {error}")));
        }
    };
    let done = runtime.block_on(run(args, out));
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => out.fail(&error),
    }
}

/// Answers arguments that ask for help, or are wrong: in one line, as any other error.
fn refuse(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind;

    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        error.exit();
    }
    let text = error.to_string();
    let said = text.strip_prefix("error: ").unwrap_or(&text);
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<_> = lines
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .collect();
    let line = lines.join("; ").replace(":; ", ": ");
    let json = std::env::args_os().any(|argument| argument == "--json");
    Output::new(json, Color::Never).fail(&Error::usage(format!(
        "{} (--help shows what there is)",
        without_secrets(&line)
    )))
}

/// What was given stands in quotes, and may be the URL of a store that was meant for another argument.
fn without_secrets(line: &str) -> String {
    let shown = |part: &str| match part.contains('@') {
        true => RedisStore::shown_url(part),
        false => part.to_owned(),
    };
    line.split('\'').map(shown).collect::<Vec<_>>().join("'")
}

async fn run(args: Args, out: Output) -> Result<()> {
    let ask = Ask::new(args.yes);
    let command = match args.command {
        Command::Completions { shell } => return commands::manual::completions(shell),
        Command::Man => return commands::manual::man(),
        Command::Move { from, to } => {
            return commands::relocate::relocate(out, ask, &from, &to).await;
        }
        command => command,
    };
    let mut config = Config::new();
    if let Some(store) = args.store {
        config = config.store(store);
    }
    let store = config.store_name()?;
    if !commands::may_begin(&command) {
        commands::refuse_missing(&store)?;
    }
    let client = Client::connect(config).await?;
    let session = Session {
        api: Api::new(&client),
        store,
        out,
        ask,
    };
    commands::run(&session, command).await
}
