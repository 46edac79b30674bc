//! What the environment says.

use std::collections::HashMap;
use std::fmt;

use super::{Settings, Store, read, wrong};
use crate::Result;
use crate::client::named_store;
use crate::serve::log::Level;

/// The variables of the process.
#[derive(Default)]
pub(in crate::serve) struct Environment(HashMap<String, String>);

impl Environment {
    /// Those of this process that are text.
    pub(in crate::serve) fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    #[cfg(test)]
    pub(super) fn of(variables: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self(variables.iter().map(owned).collect())
    }

    /// A variable that is set, and not to nothing.
    fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    pub(super) fn environment(&self) -> Option<String> {
        let names = ["APP_ENV", "RAILS_ENV", "RACK_ENV"];
        names.iter().find_map(|name| self.get(name)).map(Into::into)
    }

    pub(super) fn settings(&self) -> Result<Settings> {
        let get = |name: &str| self.get(name).map(str::to_owned);
        let store = named_store(get)?.map(|(setting, url)| Store {
            url: url.into(),
            setting,
        });
        // systemd sets this for a unit that is to be looked into.
        let debug = self.get("DEBUG_INVOCATION") == Some("1");
        Ok(Settings {
            store,
            log_level: debug.then_some(Level::Debug),
            ..Settings::default()
        })
    }

    /// How many threads Rails is to have.
    pub(super) fn threads(&self) -> Result<Option<usize>> {
        let name = "RAILS_MAX_THREADS";
        let Some(given) = self.get(name) else {
            return Ok(None);
        };
        read::concurrency(given)
            .map(Some)
            .map_err(|allowed| wrong(name, format_args!("{given:?}"), &allowed))
    }
}

/// Without their values: there are passwords in them.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}
