//! What other crates add to a worker's program: services with a flag of their own.

use tokio::task::AbortHandle;

use crate::__private::{SERVICES, Service};
use crate::engine::Server;
use crate::{Error, Result};

/// The flags of services that this crate knows of, whether they are linked or not: so `-h` shows them, and one whose crate is not
/// linked is told what to do.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Services {
    /// Serves the dashboard at this address, 127.0.0.1:7433 for instance
    #[arg(long, value_name = "ADDR")]
    web: Option<String>,
}

/// The services that were asked for, which end with this.
#[derive(Debug, Default)]
pub(super) struct Running(Vec<AbortHandle>);

impl Services {
    /// Starts those that were asked for, over the server's own connection.
    ///
    /// # Errors
    /// A service that is not linked into this program; one that cannot start; a store that cannot be reached.
    pub(super) async fn start(&self, server: &mut Server) -> Result<Running> {
        let mut running = Running::default();
        for (service, value) in self.asked()? {
            let client = server.connect().await?;
            let started = (service.start)(client, value.to_owned()).await;
            let serving = started
                .map_err(|why| Error::config(format!("--{} {value}: {why}", service.name)))?;
            running.0.push(tokio::spawn(serving).abort_handle());
        }
        Ok(running)
    }

    /// The services that were asked for, and what their flags say.
    ///
    /// # Errors
    /// A service that is not linked into this program.
    pub(super) fn asked(&self) -> Result<Vec<(&'static Service, &str)>> {
        let flags = [("web", "sancho_web", self.web.as_deref())];
        let asked = flags
            .into_iter()
            .filter_map(|(name, library, value)| Some((name, library, value?)));
        asked
            .map(|(name, library, value)| {
                let linked = SERVICES.iter().find(|service| service.name == name);
                let service = linked.ok_or_else(|| {
                    Error::config(format!(
                        "--{name} needs the crate {} in this program: add `use {library} as _;` to its main file",
                        library.replace('_', "-")
                    ))
                })?;
                Ok((*service, value))
            })
            .collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for service in &self.0 {
            service.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_is_not_linked_says_which_line_to_add() {
        let services = Services {
            web: Some("127.0.0.1:7433".into()),
        };
        let error = services.asked().unwrap_err().to_string();
        assert!(error.contains("`use sancho_web as _;`"), "{error}");
        assert!(Services::default().asked().unwrap().is_empty());
    }
}
