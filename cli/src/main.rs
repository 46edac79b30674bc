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
use sancho::{Client, Config};

use args::{Args, Command};
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
    let args = Args::parse();
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
    let client = Client::connect(config).await?;
    let session = Session {
        api: Api::new(&client),
        store,
        out,
        ask,
    };
    commands::run(&session, command).await
}
