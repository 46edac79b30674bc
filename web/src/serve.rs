//! A server of its own.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

use axum::Router;
use sancho::__private::{SERVICES, Service, linkme};
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

/// What `--web ADDR` of a worker does. `SANCHO_WEB_USER` (`name:password`) lets others in than this machine.
#[linkme::distributed_slice(SERVICES)]
#[linkme(crate = linkme)]
static WEB: &Service = &Service {
    name: "web",
    start: |client, addr| {
        Box::pin(async move {
            let addr = addr
                .parse()
                .map_err(|_| "give an address and a port, like 127.0.0.1:7433".to_owned())?;
            let options = from_environment(std::env::var("SANCHO_WEB_USER").ok().as_deref())?;
            let listener = listen(addr, &options)
                .await
                .map_err(|error| error.to_string())?;
            let serving = run(listener, router_with(Api::new(&client), options));
            let serving: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
                if let Err(error) = serving.await {
                    tracing::error!("the dashboard has ended: {error}");
                }
            });
            Ok(serving)
        })
    },
};

/// The options that the environment asks for.
fn from_environment(user: Option<&str>) -> Result<Options, String> {
    match user.map(|user| user.split_once(':')) {
        None => Ok(Options::new()),
        Some(Some((name, password))) if !name.is_empty() && !password.is_empty() => {
            Ok(Options::new().user(name, password))
        }
        Some(_) => {
            Err("SANCHO_WEB_USER is not a name and a password: give name:password".to_owned())
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_others_reach_needs_users() {
        let addr = "0.0.0.0:0".parse().unwrap();
        let refused = listen(addr, &Options::new()).await.unwrap_err().to_string();
        assert!(refused.contains("SANCHO_WEB_USER"), "{refused}");
        assert!(listen(addr, &Options::new().user("ada", "x")).await.is_ok());
        assert!(
            listen("127.0.0.1:0".parse().unwrap(), &Options::new())
                .await
                .is_ok()
        );
    }

    #[test]
    fn the_environment_names_a_user() {
        assert!(from_environment(None).unwrap().users.is_empty());
        assert_eq!(
            from_environment(Some("ada:a:b")).unwrap().users,
            [("ada".into(), "a:b".into())]
        );
        for bad in ["", "ada", "ada:", ":x"] {
            assert!(from_environment(Some(bad)).is_err(), "{bad}");
        }
    }
}
