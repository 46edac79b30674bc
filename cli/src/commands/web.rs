//! The dashboard.

use sancho_web::Options;

use crate::Session;
use crate::args::Web;
use crate::error::{Error, Result};

pub(crate) async fn web(session: &Session, web: Web) -> Result<()> {
    let mut options = Options::new()
        .store_name(session.store.as_str())
        .mask(web.masked);
    for (name, password) in web.users {
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
