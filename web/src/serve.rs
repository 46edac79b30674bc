//! A server of its own.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use axum::Router;
use sancho::api::Api;
use tokio::net::TcpListener;

use crate::app::router_with;
use crate::options::Options;

/// Serves the dashboard at this address, until the returned future is dropped.
///
/// ```no_run
/// use sancho::api::Api;
/// use sancho::{Client, Config};
///
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::connect(Config::new()).await?;
/// sancho_web::serve("127.0.0.1:7433".parse()?, Api::new(&client), sancho_web::Options::new()).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// An address that cannot be listened on; one that other machines reach, while the options let nobody in
/// ([`Options::user`], [`Options::trust_every_request`]).
///
/// # Cancel safety
/// Dropped, it stops at once; what is being done in the store is done.
pub async fn serve(addr: SocketAddr, api: Api, options: Options) -> io::Result<()> {
    let listener = listen(addr, &options).await?;
    run(listener, router_with(api, options)).await
}

/// Listens, unless that would show the dashboard to everybody.
async fn listen(addr: SocketAddr, options: &Options) -> io::Result<TcpListener> {
    if !addr.ip().is_loopback() && !options.is_open() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "the dashboard at {addr} would be open to other machines: give it users (Options::user, or \
                 SANCHO_WEB_USER=name:password for --web), or serve it at 127.0.0.1"
            ),
        ));
    }
    let listener = TcpListener::bind(addr).await.map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("the dashboard cannot listen on {addr}: {error}"),
        )
    })?;
    let addr = listener.local_addr()?;
    tracing::info!(%addr, "the dashboard is at http://{addr}/");
    Ok(listener)
}

fn run(listener: TcpListener, router: Router) -> impl Future<Output = io::Result<()>> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    async move { axum::serve(listener, service).await }
}
