//! The dashboard.

use sancho_web::Options;

use crate::Session;
use crate::args::Web;
use crate::error::{Error, Result};

pub(crate) async fn web(session: &Session, web: Web) -> Result<()> {
    let mut options = Options::new()
        .store_name(session.store.as_str())
        .mask(web.masked);
    for user in &web.users {
        let named = user.split_once(':');
        let (name, password) = named
            .filter(|(name, password)| !name.is_empty() && !password.is_empty())
            // What was given may be a password.
            .ok_or_else(|| Error::usage("--user needs a name and a password: ada:secret"))?;
        options = options.user(name, password);
    }
    if web.read_only {
        options = options.read_only();
    }
    if let Some(environment) = web.environment {
        options = options.environment(environment);
    }
    // It says where it is, and what is done, in the log.
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let serving = sancho_web::serve(web.addr, session.api.clone(), options).await;
    serving.map_err(|error| Error::usage(error.to_string()))
}
