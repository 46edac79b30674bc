//! The processes of sancho that are measured: this program again, with the arguments that all systems take.

mod jobs;
mod progress;
mod push;
mod work;

use std::sync::Arc;

use sancho::store::sqlite::{Durability, SqliteOptions, SqliteStore};
use sancho::{Client, Config};

pub(crate) use push::push;
pub(crate) use work::{Options, work};

use crate::Result;

/// Before the path of a SQLite file that is to survive a loss of power, which no URL says.
const FULL: &str = "sqlite-full:";

/// A client of the store that this URL names.
async fn connect(url: &str) -> Result<Client> {
    match url.strip_prefix(FULL) {
        Some(path) => {
            let options = SqliteOptions::default().durability(Durability::Full);
            let store = SqliteStore::open(path, options)?;
            Ok(sancho::testing::client(Arc::new(store)))
        }
        None => Ok(Client::connect(Config::new().store(url)).await?),
    }
}
