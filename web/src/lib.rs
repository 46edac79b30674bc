//! The dashboard of [Sancho](sancho): see everything, act on it, on our stores and on any Redis of Ruby's Sidekiq.
//!
//! In an application that has an axum router:
//!
//! ```
//! use axum::Router;
//! use sancho::api::Api;
//! use sancho::{Client, Config};
//! use sancho_web::Options;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> sancho::Result<()> {
//! let client = Client::connect(Config::new().store("memory:")).await?;
//! let jobs = sancho_web::router_with(Api::new(&client), Options::new().trust_every_request());
//! let app: Router = Router::new().nest("/jobs", jobs); // with the application's own login around it
//! # let _ = app;
//! # Ok(())
//! # }
//! ```
//!
//! As a server of its own: [`serve()`]. In a worker: `use sancho_web as _;` in the binary, and `--web 127.0.0.1:7433` on its command
//! line.
//!
//! # Who may see it
//! Without further words it answers this machine alone ([`router`], [`serve()`]). [`Options::user`] lets users in by name and
//! password, [`Options::trust_every_request`] leaves the choice to what is around it, [`Options::authorize`] decides for each user
//! and [`Action`]. Requests that another site makes a browser send are refused. What is done leaves a line in the log, at `info`, with
//! the target `sancho::audit`.
//!
//! # What it costs
//! No page goes through a whole place: pages are cut by cursors, counts are the store's own, and what looks through many jobs says
//! how many it has looked at. However many browsers watch, the store is asked once every two seconds, and not at all when none does.

mod action;
mod app;
mod assets;
mod chart;
mod format;
mod guard;
mod json;
mod language;
mod links;
mod live;
mod options;
mod page;
mod pages;
mod params;
mod problem;
mod rest;
mod serve;
mod snapshot;
mod sweeps;

pub use action::Action;
pub use app::{router, router_with};
pub use options::{Options, User};
pub use serve::serve;
